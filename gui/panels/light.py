"""The knobs of the light: one command per release, requested and read back side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QPushButton, QToolButton

from ...acquisition.events import Event, EventKind
from ...acquisition.snapshots import LightSnapshot, SessionStatus
from ...models.errors import InputError
from ..plain import PlainLabel, plain_tip
from ..theme import Theme
from ..viewmodels.light import (
    KNOBS,
    Knob,
    KnobName,
    LightModel,
    growth_text,
    preview_text,
    python_line,
)
from ..viewmodels.rig import connected
from ..widgets.elided_label import ElidedLabel
from ..widgets.knob_slider import KnobSlider
from ..widgets.quantity_edit import QuantityEdit
from ..widgets.restyle import restyle
from .base import Panel, hint
from .light_sender import LightSender

if TYPE_CHECKING:
    from ..bridge import Bridge

__all__ = ["KnobRow", "LightPanel"]


class KnobRow:
    """Slider, numeric twin and read-back value of one knob, placed in a row of a grid."""

    def __init__(self, panel: LightPanel, knob: Knob, grid: QGridLayout, row: int) -> None:
        self.panel = panel
        self.name: KnobName = knob.name
        self.title = PlainLabel(knob.title)
        self.title.setToolTip(knob.tip)
        self.slider = KnobSlider(
            knob.low, knob.slider_high, knob.step, panel.theme, log=knob.name == "separation"
        )
        self.edit = QuantityEdit(self._parse, lambda value: self.knob.text(value), step=knob.step)
        self.edit.set_tip(f"{knob.tip}; for example {knob.text(knob.high / 2)}")
        widest = (knob.text(knob.low), knob.text(knob.high), "+0.000 rad", "00.000 µm")
        self.edit.make_room(*widest)
        self.back = PlainLabel("–")
        self.back.setMinimumWidth(max(self.back.fontMetrics().horizontalAdvance(t) for t in widest))
        self.back.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for column, widget in enumerate((self.title, self.slider, self.edit, self.back)):
            grid.addWidget(widget, 2 * row - 1, column)
        grid.addWidget(self.edit.reason, 2 * row, 0, 1, 4)
        self.slider.dragged.connect(self._dragged)
        self.slider.released.connect(lambda value: self.commit(value, typed=False))
        self.slider.cancelled.connect(self._cancelled)
        self.edit.committed.connect(self.commit)

    @property
    def knob(self) -> Knob:
        """Knob with the ranges of the device."""
        return self.panel.model.knobs[self.name]

    def _parse(self, text: str) -> float:
        return self.knob.parse(text)

    def refresh(self) -> None:
        """Show the model."""
        model, name = self.panel.model, self.name
        knob = self.knob
        if (self.slider.low, self.slider.high) != (knob.low, knob.slider_high):
            self.slider.set_range(knob.low, knob.slider_high, knob.step)
        requested, applied = model.requested_value(name), model.applied_value(name)
        self.slider.show_values(requested, applied)
        if name not in model.ghosts:
            self.edit.set_value(requested)
        self.back.setText(knob.text(applied))
        off = model.differs(name)
        restyle(self.back, f"color: {self.panel.theme.color('warning')}" if off else "")
        self.back.setToolTip("read back from the devices" + ("; off the request" if off else ""))
        enabled = model.enabled(name)
        for widget in (self.slider, self.edit):
            widget.setEnabled(enabled)
            if not enabled and model.held_by is not None:
                widget.setToolTip(plain_tip(f"held by {model.held_by}"))

    def _dragged(self, value: float) -> None:
        self.panel.model.drag(self.name, value)
        self.edit.setText(self.knob.text(value))
        self.panel.show_note()

    def _cancelled(self) -> None:
        self.panel.model.cancel(self.name)
        self.edit.restore()
        self.panel.show_note()

    def commit(self, value: float, *, typed: bool = True) -> None:
        """Send one command; what was ``typed`` and is refused stays in the field."""
        panel = self.panel
        try:
            state = panel.model.commit(self.name, value)
        except InputError as error:
            self._refuse(str(error), typed)
            return
        panel.light_sender.send(
            f"set {self.title.text()}",
            state,
            python_line({self.name: value}),
            lambda error: self._answered(error, typed),
        )
        self.refresh()  # the next key press goes on from here

    def _answered(self, error: BaseException | None, typed: bool) -> None:
        if error is not None and typed:
            self._refuse(str(error), typed)  # before the knobs go back: what was typed stays
        self.panel.show_light(self.panel.bridge.session.light())
        if error is not None and not typed:
            self._refuse(str(error), typed)

    def _refuse(self, error: str, typed: bool) -> None:
        if typed:
            self.edit.refuse(error)
            return
        self.edit.restore()
        self.edit.mark(error)


class LightPanel(Panel):
    """The light panel."""

    name = "light"
    title = "Light"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.model = LightModel()
        self.light_sender = LightSender(bridge, self.model, self)
        self.feedback: bool | None = None
        self._limited = False
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        self.undo_button = QToolButton()
        self.undo_button.setText("Undo")
        self.undo_button.setToolTip("set the light of before the last change (Ctrl+Z)")
        self.undo_button.clicked.connect(self.undo)
        if bridge.recorded:
            self.undo_button.hide()
        grid.addWidget(self.undo_button, 0, 0)
        for column, text in ((2, "requested"), (3, "read back")):
            caption = PlainLabel(text)
            caption.setObjectName("hint")
            if column == 3:
                right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                caption.setAlignment(right)
            grid.addWidget(caption, 0, column)
        self.rows = {
            knob.name: KnobRow(self, knob, grid, i) for i, knob in enumerate(KNOBS, start=1)
        }
        self.body.addLayout(grid)
        self.gate = QPushButton("Feedback")
        self.gate.setCheckable(True)
        self.gate.clicked.connect(self._toggle_gate)
        self.gate_word = ElidedLabel("unknown")
        for widget in (self.gate, self.gate_word):
            self.body.addWidget(widget)
            widget.hide()  # they act and show through the toolbar, which no layout hides
        self.growth = PlainLabel()
        self.growth.setWordWrap(True)
        self.growth.hide()
        self.body.addWidget(self.growth)
        self.note = hint()
        self.body.addWidget(self.note)
        self.body.addStretch(1)
        bridge.light_changed.connect(self.show_light)
        bridge.status_changed.connect(self.show_status)
        bridge.events.connect(self.take_events)
        self.show_light(bridge.session.light())

    def show_light(self, light: LightSnapshot) -> None:
        """Show requested and applied light."""
        self._limit_once()
        if (
            not connected(self.bridge.status) and not self.bridge.recorded
        ):  # what was read back then is not what is
            light = LightSnapshot(None, None)
        self.model.update(light, self.bridge.status)
        for row in self.rows.values():
            row.refresh()
        free = self.model.held_by is None and not self.light_sender.busy
        self.undo_button.setEnabled(bool(self.model.past) and free)
        self.show_note()

    def show_note(self) -> None:
        """Show what the ghost would do while there is one; what there is to say otherwise."""
        text, severity = self.ghost_text()
        if not text:
            text, severity = self.model.note()
        self.note.setText(text)
        color = self.theme.muted if severity == "info" else self.theme.color(severity)
        restyle(self.note, f"color: {color}")

    def ghost_text(self) -> tuple[str, str]:
        """What the light of the ghosts would do, with its severity."""
        ghost = self.model.ghost_state()
        return ("", "info") if ghost is None else preview_text(self.bridge.session.preview(ghost))

    def drag(self, values: Mapping[KnobName, float]) -> None:
        """Move the ghosts of several knobs, as the phase diagram does."""
        for name, value in values.items():
            self.model.drag(name, value)
            self.rows[name].edit.setText(self.model.knobs[name].text(self.model.ghosts[name]))
        self.show_note()

    def cancel(self, names: Iterable[KnobName]) -> None:
        """Drop the ghosts of some knobs."""
        for name in names:
            self.model.cancel(name)
            self.rows[name].edit.restore()
        self.show_note()

    def refresh(self) -> None:
        """Show the light that the session has."""
        self.show_light(self.bridge.session.light())

    def undo(self) -> None:
        """Set the light of before the last change."""
        if self.model.held_by is not None or self.light_sender.busy or not self.model.past:
            return
        state = self.model.past.pop()
        self.light_sender.send("undo the light", state, f"session.set_light({state!r})")

    def show_status(self, status: SessionStatus) -> None:
        """Show the feedback gate and the growth rate."""
        growth = growth_text(status)
        self.growth.setVisible(bool(growth))
        self.growth.setText(growth)
        # Growth that feedback holds is what such a light does; it is abnormal where nothing holds.
        unstable = growth.startswith("UNSTABLE")
        color = self.theme.color("error") if unstable else self.theme.text
        restyle(self.growth, f"color: {color}; font-weight: {600 if unstable else 400}")
        has_gate = self.bridge.session.rig.gate is not None
        states = {d.family: d.state.value for d in status.devices}
        ready = states.get("gate") in ("ready", "running") and has_gate
        self.gate.setEnabled(ready and status.held_by is None)
        if not ready:  # what it did when it was last asked is not what it does
            self.feedback = None
        elif status.feedback is not None:
            self.feedback = status.feedback
        self._show_gate(status)

    def _show_gate(self, status: SessionStatus) -> None:
        held = status.held_by is not None
        off = "off – a release" if held else "OFF – particles heat up"
        text = {True: "on – cooling", False: off, None: "state unknown"}[self.feedback]
        if self.bridge.session.rig.gate is None:
            text = "this rig has no feedback gate"
        holder = "" if status.held_by is None else f"; held by {status.held_by}"
        self.gate_word.show_text(text, text + holder)
        tone = {True: "good", False: "info" if held else "warning", None: "info"}[self.feedback]
        restyle(self.gate_word, f"color: {self.theme.color(tone)}")
        self.gate.setChecked(bool(self.feedback))

    def take_events(self, events: list[Event]) -> None:
        """Follow the gate through the events of a run."""
        for event in events:
            if event.kind is EventKind.GATE:
                self.feedback = bool(event.payload.get("closed"))
            elif event.kind is EventKind.RELEASE:
                self.feedback = False
            elif event.kind is EventKind.RECAPTURE:
                self.feedback = True

    def _toggle_gate(self) -> None:
        closed = not bool(self.feedback)

        def done(error: BaseException | None) -> None:
            if error is None:
                self.feedback = closed
            self._show_gate(self.bridge.status)

        self.bridge.submit(
            "switch feedback",
            lambda: self.bridge.session.set_feedback(closed),
            line=f"session.set_feedback({closed})",
            done=done,
        )

    def _limit_once(self) -> None:
        """Take the ranges of the device as soon as it states them."""
        if self._limited:
            return
        control = self.bridge.session.rig.light
        if self.bridge.recorded:  # what was recorded lies within what the device could do
            self._limited = True
            return
        if control is None:
            self.model.limit(None)
            self._limited = True
            return
        self.model.limit(control.capabilities)
        self._limited = True

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        for row in self.rows.values():
            row.slider.theme = theme
            row.slider.update()
        self.show_light(self.bridge.session.light())
        self.show_status(self.bridge.status)
