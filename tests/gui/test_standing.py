"""A result is of its light, its settings and its data, and looks so."""

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import Qt

from optobind.acquisition.snapshots import Basis
from optobind.gui.viewmodels.fit import strip
from optobind.gui.viewmodels.standing import Standing


def tick(window, times=1, step=1.0):
    for _ in range(times):
        now = window.bridge.clock() + step
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()


@pytest.fixture
def fitted(window, session):
    """A window with a fresh fit and a prediction beside it."""
    session.publish()
    session.predicted = {n: p.value + 1.0 for n, p in session.fit().result.parameters.items()}
    tick(window, 2)
    return window


def pulls(window):
    table = window.panels["fit"].table
    if table.isColumnHidden(3):
        return []
    return [t for r in range(table.rowCount()) if (t := table.item(r, 3).text())]


def is_italic(window):
    return window.panels["fit"].table.item(0, 1).font().italic()


def overlay(window):
    return window.spectra.plots.fit_autos[0].yData


def test_a_fresh_fit_is_compared_with_the_prediction(fitted):
    assert fitted.bridge.standing.now is Standing.FRESH
    assert len(pulls(fitted)) == 11
    assert not is_italic(fitted)
    assert overlay(fitted).size > 10


@pytest.mark.parametrize(
    ("basis", "word"), [(Basis(1, 0), "light"), (Basis(0, 1), "settings of the fit")]
)
def test_a_set_point_takes_verdict_and_differences_away_at_once(fitted, session, basis, word):
    session.change(basis=basis)
    tick(fitted, 2, step=0.2)
    panel = fitted.panels["fit"]
    assert fitted.bridge.standing.now is Standing.PENDING
    assert pulls(fitted) == []
    assert is_italic(fitted)
    assert f"the {word} changed" in panel.verdict.text()
    assert fitted.theme.color("good") not in panel.verdict.styleSheet()
    assert overlay(fitted).size == 0
    assert "╌" not in fitted.spectra.legend.text()
    assert {cell.value.text() for cell in fitted.panels["strips"].cells} == {"–"}
    session.publish()
    tick(fitted, 2)
    assert fitted.bridge.standing.now is Standing.FRESH
    assert not is_italic(fitted)


def test_spectra_of_the_light_before_say_so(fitted, session):
    session.change(basis=Basis(1, 0))
    tick(fitted, 2, step=0.2)
    assert "of the light before" in fitted.spectra.legend.text()


def test_a_failed_fit_leaves_no_number_that_looks_valid(fitted, session):
    gone = "the process of the live fits ended; a new one is starting"
    session._fit = replace(session.fit(), sequence=-1, result=None, curve=None, error=gone)
    tick(fitted, 2, step=0.2)
    assert fitted.panels["fit"].verdict.text() == gone
    assert fitted.theme.color("error") in fitted.panels["fit"].verdict.styleSheet()
    assert is_italic(fitted)
    assert pulls(fitted) == []
    assert overlay(fitted).size == 0
    assert fitted.panels["strips"].cells[0].value.text() == "–"


def test_a_stale_fit_is_drawn_muted(fitted, session):
    tick(fitted, 5)
    assert fitted.bridge.standing.now is Standing.STALE
    assert is_italic(fitted)
    pen = fitted.spectra.plots.fit_autos[0].opts["pen"]
    assert pen.color().name() == fitted.theme.muted
    assert pen.style() == Qt.PenStyle.DashLine
    assert "old fit" in fitted.spectra.legend.text()
    assert "no new fit for" in fitted.panels["strips"].cells[0].value.toolTip()


def test_a_strip_is_not_joined_across_a_set_point(session):
    session.publish()
    history = [(1000.0 + t, session.fit().result) for t in (0.0, 0.5, 1.0, 1.5)]
    joined = strip(history, "g_r", 1002.0, breaks=[1000.7]).joined
    np.testing.assert_array_equal(joined, [True, False, True, True])


def test_a_strip_keeps_its_parameter_through_a_model_without_it(fitted, session):
    cell = fitted.panels["strips"].cells[1]
    assert cell.name == "g_a"
    result = session.fit().result
    lone = {"omega": result.parameters["omega_1"]}
    session._history.append((session._history[-1][0] + 1.0, replace(result, parameters=lone)))
    tick(fitted, 2)
    assert cell.name == "g_a"
    assert "not in this model" in cell.value.text()
    session.publish()
    tick(fitted, 2)
    assert cell.name == "g_a"
    assert "kHz" in cell.value.text() or "Hz" in cell.value.text()


def test_held_parameters_of_a_model_are_held_again_when_it_comes_back(fitted, session):
    panel = fitted.panels["fit"]
    row = panel._names.index("g_r")
    panel.table.item(row, 0).setCheckState(Qt.CheckState.Unchecked)
    panel.model_box.setCurrentText("single")
    panel.model_box.setCurrentText("pair")
    sent = [c for c in session.calls if c[0] == "set_fit"]
    assert [(c[1], c[4]) for c in sent] == [
        ("pair", {"g_r": False}),
        ("single", {}),
        ("pair", {"g_r": False}),
    ]


def test_spectra_open_on_the_lines(window, session):
    session.publish()
    session._fit = None
    tick(window)
    low, high = (10.0**v for v in window.spectra.plots.x_range)
    assert 40e3 < low < 73e3
    assert 77e3 < high < 150e3
