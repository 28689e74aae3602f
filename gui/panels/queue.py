"""The queue: plans and sweeps that are measured one after the other, with what they take."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QCheckBox, QPushButton

from ...acquisition.snapshots import SessionStatus
from ...acquisition.sweeps.plan import SweepPlan
from ...models.errors import InputError, OptobindError
from ..background import in_background
from ..bridge import Bridge
from ..plain import PlainLabel
from ..services import RunServices
from ..theme import Theme
from ..viewmodels.plan_edits import new_plan
from ..viewmodels.queue import Entry, QueueModel
from ..viewmodels.queue_estimates import QueueEstimates
from ..viewmodels.queue_file import QueueStore, queue_text
from ..viewmodels.queue_runner import FAILED, QueueRunner
from ..viewmodels.queue_work import RunWork, SweepSitting, Work
from ..viewmodels.rig import connected
from ..viewmodels.run import python_line
from ..widgets.flow import FlowBox
from ..widgets.order_list import Line, OrderList
from ..widgets.restyle import restyle
from .base import Panel, hint
from .queue_entry import EntryEditor
from .queue_files import QueueFiles
from .queue_tools import QueueTools

if TYPE_CHECKING:
    from ...acquisition.plans import Plan

__all__ = ["QueuePanel"]


class QueuePanel(Panel):
    """Entries, their fields, and what starts them."""

    name = "queue"
    title = "Queue"

    sweep_begun = pyqtSignal(object, object)  # the sweep and its plan
    sweep_wanted = pyqtSignal(object)  # folder of a sweep that is to be shown
    run_wanted = pyqtSignal(object)  # run file that is to be opened
    previewed = pyqtSignal(object)  # plan of the sweep that is chosen and waits, or None

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.services: RunServices | None = None
        self.store: QueueStore | None = None
        self.model = QueueModel()
        self.estimates = QueueEstimates(self.model, bridge.session, in_background)
        self.runner = QueueRunner(self.model, bridge.session, self._begin, self.estimates.current)
        self.files = QueueFiles(self, bridge, self._added)
        self._seen = -1
        self._preview: SweepPlan | None = None
        self._kept: str | None = None  # what is on the disk; None before that is known
        self._running: Entry | None = None
        self._build()
        bridge.owner = self.runner
        bridge.status_changed.connect(lambda _: self.step())
        self.show_queue()

    # -- construction -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.start_button = QPushButton("Start queue")
        self.start_button.setObjectName("primary")
        self.finish_button = QPushButton("Stop after this one")
        self.finish_button.setToolTip("the entry under way ends as planned, no other begins")
        self.pause_button = QPushButton("Pause queue")
        self.pause_button.setToolTip(
            "holds what is under way, feedback on, and begins nothing until it is resumed"
        )
        self.start_button.clicked.connect(self.start)
        self.finish_button.clicked.connect(self.finish)
        self.pause_button.clicked.connect(self.pause)
        self.body.addWidget(FlowBox(self.start_button, self.finish_button, self.pause_button))
        self.go_on = QCheckBox("go on after a failure")
        self.go_on.setToolTip("an entry that fails or is incomplete does not stop the queue")
        self.go_on.toggled.connect(lambda on: setattr(self.runner, "go_on", on))
        self.body.addWidget(self.go_on)
        self.message = PlainLabel()
        self.message.setWordWrap(True)
        self.body.addWidget(self.message)
        self.list = OrderList()
        self.list.setAccessibleName("entries of the queue")
        self.list.setToolTip("drag a line, or Alt+Up and Alt+Down, to change the order")
        self.list.chosen.connect(lambda _: self._show_entry())
        self.list.dropped.connect(self._dropped)
        self.list.shifted.connect(self._shifted)
        self.list.itemActivated.connect(lambda _: self.open_entry())
        self.body.addWidget(self.list)
        self.summary = hint()
        self.body.addWidget(self.summary)
        self.tools = QueueTools(self.add, self.files)
        self.tools.shifted.connect(self._move)
        self.tools.copy.clicked.connect(self.duplicate)
        self.tools.drop.clicked.connect(self.remove)
        self.tools.again.clicked.connect(self.go_on_with)
        self.tools.clear.clicked.connect(self._clear)
        self.body.addWidget(self.tools)
        self.editor = EntryEditor(self._light)
        self.editor.edited.connect(self._edited)
        self.body.addWidget(self.editor)
        self.body.addStretch(1)
        delete = QShortcut(QKeySequence("Del"), self.list, self.remove)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)

    def attach(self, services: RunServices | None) -> None:
        """Take what opens plans and sweeps, and the queue that an earlier window left."""
        self.services = self.files.services = services
        if services is None:
            return
        self.store = QueueStore(services.folder, self.bridge.session.rig.name, in_background)
        future: Future[list[Entry]] = in_background(self.store.read)

        def done(error: BaseException | None) -> None:
            self._kept = ""
            self._take_back([] if error is not None else future.result())
            if self.store is not None and not self.store.own:
                self.bridge.log.write("warning", f"queue: {self.store.trouble}")
                self.show_queue()

        self.bridge.submit("queue of before", lambda: future, done=done)

    def _take_back(self, entries: list[Entry]) -> None:
        """Offer entries of before; nothing of them is started."""
        for old in entries:
            entry = self.model.add(old.plan, old.label, old.resumes)
            entry.reason = old.reason
        if self.model.entries:
            self.model.touch()
        if entries:
            count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
            self.bridge.log.write("info", f"queue: {count} of before, not started")

    # -- what is asked for ------------------------------------------------------------------------

    @property
    def entry(self) -> Entry | None:
        """The entry that is chosen."""
        key = self.list.key
        return None if key is None else self.model.at(key)

    def start(self) -> None:
        """Go on with the first entry that waits; what was typed and not committed counts."""
        self.editor.settle()
        self.runner.start()
        self.step()

    def finish(self) -> None:
        """Begin no other entry after this one."""
        self.runner.finish()
        self.show_queue()

    def pause(self) -> None:
        """Hold, or go on."""
        self.runner.pause(not self._paused)
        self.show_queue()

    @property
    def _paused(self) -> bool:
        return self.runner.paused or (self.runner.active and self.bridge.status.state == "paused")

    def add(self, kind: str) -> None:
        """Put a new plan of a kind at the end."""
        self._added(new_plan(kind, self._light()))

    def _added(self, plan: Plan | SweepPlan, label: str = "", resumes: Path | None = None) -> None:
        self.editor.settle()
        try:
            entry = self.model.add(plan, label, resumes)
        except InputError as error:
            self.bridge.log.write("error", f"queue: {error}")
            return
        self.show_queue()
        self.list.choose(entry.number)

    def duplicate(self) -> None:
        """Put the plan of the chosen entry in once more."""
        self.editor.settle()
        if self.entry is not None:
            copy = self.model.duplicate(self.entry)
            self.show_queue()
            self.list.choose(copy.number)

    def go_on_with(self) -> None:
        """Queue the rest of a sweep that ended before it was whole."""
        if self.entry is not None and self.entry.unfinished:
            again = self.model.go_on(self.entry)
            self.show_queue()
            self.list.choose(again.number)

    def remove(self) -> None:
        """Take the chosen entry out."""
        entry = self.entry
        if entry is None:
            return
        place = self.model.entries.index(entry)
        try:
            self.model.remove(entry)
        except InputError as error:
            self.bridge.log.write("error", f"queue: {error}")
            return
        self.show_queue()
        if self.model.entries:
            self.list.choose(self.model.entries[min(place, len(self.model.entries) - 1)].number)

    def open_entry(self) -> None:
        """Show what came of the chosen entry: a run in a window of its own, or a sweep."""
        entry = self.entry
        if entry is None or entry.path is None:
            return
        if isinstance(entry.plan, SweepPlan):
            self.sweep_wanted.emit(entry.path)
        elif entry.state != "running":
            self.run_wanted.emit(entry.path)

    def _clear(self) -> None:
        self.model.clear_ended()
        self.show_queue()

    def _move(self, step: int) -> None:
        if self.entry is not None:
            self._shifted(self.entry.number, step)

    def _shifted(self, number: int, step: int) -> None:
        entry = self.model.at(number)
        if entry is not None and self.model.shift(entry, step):
            self.show_queue()

    def _dropped(self, number: int, place: int) -> None:
        entry = self.model.at(number)
        if entry is not None and self.model.place(entry, place):
            self.show_queue()

    # -- the entry that is chosen -----------------------------------------------------------------

    def _show_entry(self) -> None:
        """Show the fields of the chosen entry."""
        entry = self.entry
        self.editor.show_entry(entry)
        self.tools.enable(entry, self.model)
        new = entry is not None and entry.waits and entry.resumes is None
        plan = entry.plan if entry is not None and new else None
        plan = plan if isinstance(plan, SweepPlan) else None
        if plan is not self._preview:
            self._preview = plan
            self.previewed.emit(plan)

    def _light(self) -> Any:
        applied = self.bridge.session.light().applied
        return None if applied is None else applied.state

    def _edited(self) -> None:
        self.model.touch()
        self.show_queue()

    # -- what goes on -----------------------------------------------------------------------------

    def _begin(self, entry: Entry) -> Work:
        """Make what carries an entry out.

        Raises
        ------
        InputError
            If this window cannot.
        """
        services = self.services
        if not isinstance(entry.plan, SweepPlan):
            return RunWork(self.bridge.session, entry.plan, entry.label)
        if services is None:
            raise InputError("this window carries out no sweeps: optobind run does")
        plan, resumes = entry.plan, entry.resumes
        if resumes is not None:
            return SweepSitting(lambda: services.resumed(resumes))
        return SweepSitting(lambda: services.sweep(plan, entry.label))

    def step(self) -> None:
        """Ten times a second: estimates, what is under way, what is next."""
        now, status = self.bridge.clock(), self.bridge.session.status()
        if connected(status):
            self.estimates.step(now)
        self.editor.keep_drafts()
        if self.runner.on and not self.runner.active and self.editor.entry is self.model.next():
            self.editor.settle()  # what was typed counts when its turn has come
        self.runner.step(status, now)
        self._tell()
        if self.model.version != self._seen:
            self.show_queue()
        self._enable_controls(status)

    def _tell(self) -> None:
        """Say in the log what began and what ended."""
        entry = self.runner.entry
        if entry is self._running:
            return
        before, self._running = self._running, entry
        if before is not None:
            said = f"queue: {before.title}: {before.line[0]}"
            self.bridge.log.write("error" if before.state in FAILED else "info", said)
        if entry is not None:
            self.bridge.log.write("info", f"queue: {entry.title}: started")
            if not isinstance(entry.plan, SweepPlan):
                self.bridge.acted.emit(python_line(entry.plan))
            if isinstance(self.runner.work, SweepSitting):
                self.sweep_begun.emit(self.runner.work.work, entry.plan)

    def show_queue(self) -> None:
        """Show entries, what is done with them, and keep them on the disk."""
        self._seen = self.model.version
        self.list.show_lines([self._line(entry) for entry in self.model.entries])
        self.summary.setText(self.model.summary())
        trouble = "" if self.store is None else self.store.trouble
        said = "; ".join(p for p in (self.runner.message, trouble) if p)
        self.message.setText(said)
        self.message.setVisible(bool(said))
        tone = "error" if trouble else self.runner.severity
        restyle(self.message, f"color: {self.theme.color(tone)}")
        self._show_entry()
        self._enable_controls(self.bridge.session.status())
        self._keep()

    def _line(self, entry: Entry) -> Line:
        said, severity = entry.line
        color = "" if severity == "info" else self.theme.color(severity)
        mark = "▶ " if entry.state == "running" else ""
        tip = "" if entry.path is None else str(entry.path)
        return Line(entry.number, f"{mark}{entry.title}\n{said}", color, tip, entry.waits)

    def _enable_controls(self, status: SessionStatus) -> None:
        runner = self.runner
        why = "" if connected(status) else "connect the devices first"
        why = why or ("" if self.model.waiting else "nothing waits in the queue")
        self.start_button.setEnabled(not runner.on and not why)
        self.start_button.setToolTip(why or "measure what waits, one after the other")
        self.finish_button.setEnabled(runner.on and not runner.ending)
        self.pause_button.setEnabled(runner.on or runner.active)
        self.pause_button.setText("Resume queue" if self._paused else "Pause queue")

    def _keep(self) -> None:
        if self.store is None or self._kept is None:
            return
        if not self._kept and not self.model.entries:
            return  # nothing was kept and nothing is to be
        try:
            text = queue_text(self.model, self.bridge.session.rig.name)
        except OptobindError as error:
            self.bridge.log.write("error", f"queue: {error}")
            return
        if text != self._kept:
            self._kept = text
            self.store.keep(text)

    def leave(self) -> None:
        """Let another window have the queue of the rig."""
        if self.store is not None:
            self.store.release()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.show_queue()
