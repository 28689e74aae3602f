"""What is painted by hand: ranges of one value, and painters that end after an error."""

from __future__ import annotations

import pytest
from PyQt6.QtGui import QPainter

from optobind.gui.plots import LinePlot
from optobind.gui.theme import LIGHT
from optobind.gui.viewmodels.light import KNOBS, _ranged
from optobind.gui.widgets import painting as rooms
from optobind.gui.widgets.elided_label import ElidedLabel
from optobind.gui.widgets.knob_slider import KnobSlider
from optobind.gui.widgets.lamp import Lamp


@pytest.mark.parametrize("log", [False, True])
def test_a_slider_of_one_value_stands_in_its_middle(qtbot, log):
    """As of the separation of fixed beams."""
    slider = KnobSlider(2.45e-6, 2.45e-6, 0.0, LIGHT, log=log)
    qtbot.addWidget(slider)
    slider.show_values(2.45e-6, 2.45e-6)
    with qtbot.captureExceptions() as raised:
        slider.grab()
    assert raised == []
    assert slider.position(2.45e-6) == pytest.approx(0.5 * slider.width())
    assert slider.value_at(3.0) == 2.45e-6
    assert slider.value_at(slider.width()) == 2.45e-6


def test_a_knob_of_one_value_keeps_a_step_by_which_values_differ():
    knob = next(knob for knob in KNOBS if knob.name == "separation")
    assert _ranged(knob, 2.45e-6, 2.45e-6).step == knob.step > 0.0


@pytest.mark.parametrize("kind", ["slider", "lamp", "label"])
def test_an_error_in_painting_leaves_no_painter_at_work(qtbot, monkeypatch, kind):
    painters = []

    class Breaking(QPainter):
        def __init__(self, widget):
            super().__init__(widget)
            painters.append(self)

        def setRenderHint(self, *_):
            raise RuntimeError("a bug")

        def setPen(self, *_):
            raise RuntimeError("a bug")

    monkeypatch.setattr(rooms, "QPainter", Breaking)
    widget = {
        "slider": lambda: KnobSlider(0.0, 1.0, 0.1, LIGHT),
        "lamp": lambda: Lamp(LIGHT),
        "label": lambda: ElidedLabel("text"),
    }[kind]()
    qtbot.addWidget(widget)
    with qtbot.captureExceptions() as raised:
        widget.grab()
    assert raised
    assert painters
    assert not any(painter.isActive() for painter in painters)


def test_a_name_that_has_room_again_stands_in_the_middle_of_its_axis(qtbot):
    plot = LinePlot()
    qtbot.addWidget(plot)
    plot.label("left", "energy (quanta)", "E")
    axis = plot.getPlotItem().getAxis("left")
    plot.resize(300, 60)
    plot.show()
    qtbot.waitUntil(lambda: axis.labelText == "E")
    plot.resize(300, 400)
    qtbot.waitUntil(lambda: axis.labelText == "energy (quanta)")
    drawn = axis.label.mapRectToScene(axis.label.boundingRect())
    assert abs(drawn.center().y() - axis.sceneBoundingRect().center().y()) < 3.0
