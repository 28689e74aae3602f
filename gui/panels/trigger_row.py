"""Widgets of the trigger: what it waits for, where its level is, what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QToolButton, QVBoxLayout, QWidget

from ..plain import PlainLabel
from ..viewmodels.trigger import (
    EDGES,
    MODES,
    Trigger,
    holdoff_text,
    level_text,
    parse_holdoff,
    parse_level,
)
from ..widgets.flow import FlowBox
from ..widgets.quantity_edit import QuantityEdit

__all__ = ["TriggerRow"]

_ARROWS = {"rising": "↗ rising", "falling": "↘ falling"}


class TriggerRow(QWidget):
    """Sets a trigger; ``changed`` tells that it is another one.

    Parameters
    ----------
    trigger : Trigger
        What is set.
    beside : QWidget
        Stands at the end of the row.
    """

    changed = pyqtSignal()

    def __init__(self, trigger: Trigger, beside: QWidget) -> None:
        super().__init__()
        self.trigger = trigger
        self.mode = _box(MODES, "auto runs free without an edge, normal waits, single stops")
        self.channel = _box(("channel 1",), "channel whose edge counts")
        self.edge = _box(tuple(_ARROWS[e] for e in EDGES), "direction of the crossing")
        self.level = QuantityEdit(parse_level, level_text)
        self.level.set_tip("level, for example 20 mV; empty: the mean; or drag the dashed line")
        self.level.setPlaceholderText("mean")
        self.level.make_room("−999.9 mV")
        self.holdoff = QuantityEdit(parse_holdoff, holdoff_text)
        self.holdoff.set_tip("no edge counts so soon after another one, for example 5 ms")
        self.holdoff.make_room("999.9 ms")
        self.holdoff.set_value(0.0)
        self.arm = QToolButton()
        self.arm.setText("Arm")
        self.arm.setToolTip("wait for the next edge (single)")
        self.arm.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.state = PlainLabel("free running")
        self.state.setObjectName("hint")
        captions = [PlainLabel(text) for text in ("trigger", "level", "hold-off")]
        for caption in captions:
            caption.setObjectName("hint")
        self.mode.activated.connect(lambda i: self._set(mode=MODES[i]))
        self.edge.activated.connect(lambda i: self._set(edge=EDGES[i]))
        self.channel.activated.connect(lambda i: self._set(channel=i))
        self.level.committed.connect(lambda value: self._set(level=value))
        self.holdoff.committed.connect(lambda value: self._set(holdoff=value or 0.0))
        self.arm.clicked.connect(lambda _: self._set())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(1)
        box.addWidget(
            FlowBox(
                captions[0], self.mode, self.channel, self.edge, captions[1], self.level,
                captions[2], self.holdoff, self.arm, self.state, beside,
            )
        )  # fmt: skip
        for edit in (self.level, self.holdoff):
            box.addWidget(edit.reason)

    def _set(self, **fields: Any) -> None:
        """Change the trigger; another one begins to wait anew."""
        for name, value in fields.items():
            setattr(self.trigger, name, value)
        self.trigger.arm()
        self.changed.emit()

    def move_level(self, level: float) -> None:
        """Take the level to which the line was dragged, V."""
        self.level.restore()
        self.level.set_value(level)
        self._set(level=level)

    def offer(self, names: Sequence[str]) -> None:
        """Offer the channels that there are; one that is gone gives way to the first."""
        if [self.channel.itemText(k) for k in range(self.channel.count())] == list(names):
            return
        held = self.trigger.channel if self.trigger.channel < len(names) else 0
        self.channel.clear()
        self.channel.addItems(list(names))
        self.channel.setCurrentIndex(held)
        self._set(channel=held)

    def show_state(self) -> None:
        """Say what the trigger does."""
        text = self.trigger.state()
        if text != self.state.text():
            self.state.setText(text)


def _box(texts: Sequence[str], tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems(list(texts))
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box
