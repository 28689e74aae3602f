"""Run control: plan, start, pause, stop after this repetition, abort, progress."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QWidget,
)

from ...acquisition.plans import Plan
from ...acquisition.snapshots import SessionStatus
from ...models.errors import InputError, OptobindError
from ..bridge import Bridge
from ..plain import PlainLabel, plain_tip
from ..theme import Theme
from ..viewmodels import run as vm
from ..viewmodels.rig import connected
from ..widgets.elided_label import ElidedLabel
from ..widgets.quantity_edit import QuantityEdit, with_reason
from ..widgets.restyle import restyle
from .base import Panel, hint

__all__ = ["RunPanel"]

_ESTIMATE_SECONDS = 2.0
_STEPS = 200  # of the progress bar: each one repaints the window at once


class RunPanel(Panel):
    """The run panel."""

    name = "run"
    title = "Run"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.model = vm.RunModel()
        self._outcome = ""
        self._active = False
        self._estimated = 0.0
        self.edits: dict[str, QuantityEdit] = {}
        self.kind = QComboBox()
        self.kind.addItems(vm.kinds())
        gate = bridge.session.rig.gate
        self.kind.setCurrentText("monitor" if gate is None else "reheating")
        self.kind.currentTextChanged.connect(self._build_form)
        self.form_host = QWidget()
        self.form = QFormLayout(self.form_host)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(4)
        self.allow_unstable = QCheckBox("allow an unstable model")
        self.error = PlainLabel()
        self.error.setWordWrap(True)
        self.error.hide()
        top = QHBoxLayout()
        top.addWidget(PlainLabel("plan"))
        top.addWidget(self.kind, 1)
        self.body.addLayout(top)
        self.body.addWidget(self.form_host)
        self.body.addWidget(self.allow_unstable)
        self.estimate = hint()
        self.estimate.setToolTip("repeats of lost releases are not counted")
        self.body.addWidget(self.estimate)
        self.body.addWidget(self.error)
        self.body.addLayout(self._buttons())
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.message = PlainLabel("idle")
        self.message.setWordWrap(True)
        self.path = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.path.setObjectName("hint")
        self.body.addWidget(self.bar)
        self.body.addWidget(self.message)
        self.body.addWidget(self.path)
        self.body.addStretch(1)
        self._build_form(self.kind.currentText())
        bridge.status_changed.connect(self.show_status)
        self.show_status(bridge.status)

    def _buttons(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(5)
        self.start_button = QPushButton("Start")
        self.start_button.setObjectName("primary")
        self.pause_button = QPushButton("Pause")
        self.stop_button = QPushButton("Stop after this repetition")
        self.abort_button = QPushButton("Abort now")
        self.abort_button.setObjectName("danger")
        self.abort_button.setToolTip(
            "ends the run at once; its file is closed, feedback is switched on, "
            "trap light stays as it is"
        )
        self.start_button.clicked.connect(self.start)
        self.pause_button.clicked.connect(self._pause)
        self.stop_button.clicked.connect(self.stop)
        self.abort_button.clicked.connect(self.abort)
        grid.addWidget(self.start_button, 0, 0)
        grid.addWidget(self.pause_button, 0, 1)
        for row, button in enumerate((self.stop_button, self.abort_button)):
            grid.addWidget(button, 1, row)
            button.hide()  # they act through the toolbar, which no layout hides
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        return grid

    def _build_form(self, kind: str) -> None:
        while self.form.rowCount():
            self.form.removeRow(0)
        self.edits = {}
        for entry in vm.fields(kind):
            edit = QuantityEdit(entry.parse, entry.text)
            edit.setText(entry.default)
            edit.value = entry.parse(entry.default)
            edit.set_tip(entry.tip)
            edit.textChanged.connect(lambda _: self.show_estimate())
            if entry.optional:
                edit.setPlaceholderText(entry.blank)
            self.edits[entry.key] = edit
            self.form.addRow(entry.title, with_reason(edit))
        self.show_estimate()

    def _plan(self) -> Plan:
        """Plan of what the fields show; raises InputError."""
        return vm.build_plan(
            self.kind.currentText(),
            {key: edit.text() for key, edit in self.edits.items()},
            allow_unstable=self.allow_unstable.isChecked(),
        )

    def show_estimate(self) -> None:
        """Say what the run would take: time, size, disk, and what is refused."""
        text, severity = "", "info"
        # While a field is being typed, and before the rate is known, there is nothing to say.
        with suppress(OptobindError):
            text, severity = vm.estimate_text(self.bridge.session.estimate(self._plan()))
        self.estimate.setText(text)
        tone = self.theme.muted if severity == "info" else self.theme.color(severity)
        restyle(self.estimate, f"color: {tone}")

    def start(self) -> None:
        """Start the plan; what was typed and not committed counts, here and in the other panels."""
        refused = self._refused_texts()
        if refused:
            self._show_error(refused)
            return
        try:
            plan = self._plan()
        except InputError as error:
            self._show_error(str(error))
            return
        self._show_error("")
        self.start_button.setEnabled(False)
        self._outcome = ""
        started: list[Future[Any]] = []

        def command() -> Future[Any]:
            started.append(self.bridge.session.start(plan))
            return started[0]

        self.bridge.submit(
            f"{plan.kind} run",
            command,
            line=vm.python_line(plan),
            done=lambda error: self._ended(error, started),
        )

    def _refused_texts(self) -> str:
        """Commit what has been typed anywhere; say what is refused, "" when nothing is."""
        window = self.window() or self
        edits = window.findChildren(QuantityEdit)
        refused = [edit for edit in edits if edit.pending and not edit.settle()]
        if not refused:
            return ""
        return f"not started: {refused[0].text()!r} is refused, mend it or press Esc in its field"

    def stop(self) -> None:
        """Ask for the end after this repetition; does not wait."""
        self.bridge.stop_run()
        self.stop_button.setEnabled(False)
        self.bridge.acted.emit("session.stop_after_repetition()")

    def abort(self) -> None:
        """End now; does not wait."""
        self.bridge.abort_run()
        self.bridge.acted.emit("session.abort()")

    def _pause(self) -> None:
        paused = self.bridge.status.state == "paused"
        self.bridge.pause_run(not paused)
        self.bridge.acted.emit(f"session.{'resume' if paused else 'pause'}()")

    def _ended(self, error: BaseException | None, started: list[Future[Any]]) -> None:
        """Show how the run ended; the bridge has logged a failure already."""
        if error is not None or not started:
            self._show_error(str(error or ""))
            return
        outcome = started[0].result()
        self._outcome = vm.outcome_text(outcome)  # the session has logged it
        self.path.show_text(str(outcome.path))
        self.show_status(self.bridge.status)

    def _show_error(self, text: str) -> None:
        self.error.setVisible(bool(text))
        self.error.setText(text)
        restyle(self.error, f"color: {self.theme.color('error')}")

    def show_status(self, status: SessionStatus) -> None:
        """Show buttons, progress and the path of the run file."""
        acts = self.model.buttons(status, connected(status))
        self.start_button.setEnabled(acts["start"])
        self.start_button.setToolTip("" if acts["start"] else plain_tip(self._why(status)))
        self.pause_button.setEnabled(acts["pause"])
        self.pause_button.setText("Resume" if status.state == "paused" else "Pause")
        self.stop_button.setEnabled(acts["stop"])
        self.abort_button.setEnabled(acts["abort"])
        active = self.model.active(status)
        if active and not self._active:
            self._outcome = ""  # a run that others started, too, is not the one before
        self._active = active
        if not active and self.bridge.clock() - self._estimated > _ESTIMATE_SECONDS:
            self._estimated = self.bridge.clock()  # the disk fills also without us
            self.show_estimate()
        self.form_host.setEnabled(not active)
        self.kind.setEnabled(not active)
        self.allow_unstable.setEnabled(not active)
        progress = self.model.progress(status, self.bridge.clock())
        if progress.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(round(_STEPS * progress.fraction))
        text = " · ".join(t for t in (progress.text, progress.remaining) if t)
        self.message.setText(text if active or not self._outcome else self._outcome)
        if status.recording is not None:
            self.path.show_text(status.recording)

    @staticmethod
    def _why(status: SessionStatus) -> str:
        return f"a run is {status.state}" if status.held_by else "connect the devices first"
