"""One timer that pulls the newest snapshots and lets visible panels draw them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Protocol

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from ..acquisition.snapshots import SessionStatus
from ..models.errors import OptobindError
from .viewmodels.log import LogModel
from .viewmodels.port import SessionPort
from .viewmodels.standing import FitStanding

__all__ = ["TICK_MS", "Bridge", "Drawable", "RunOwner"]

TICK_MS = 33
_STATUS_PERIOD = 0.1


class Drawable(Protocol):
    """What the bridge asks of a panel."""

    period: float

    def pull(self, session: SessionPort) -> Any:
        """Take the newest snapshot; None when there is none."""
        ...

    def key(self, snapshot: Any) -> Hashable:
        """Return what changes when the snapshot does."""
        ...

    def draw(self, snapshot: Any) -> None:
        """Draw."""
        ...

    def wants_frames(self) -> bool:
        """Whether anything of the panel can be seen."""
        ...


class RunOwner(Protocol):
    """What starts runs by itself, such as a queue: stop, abort and pause are its business then."""

    @property
    def active(self) -> bool:
        """Whether something of it is under way."""
        ...

    def shown(self, status: SessionStatus) -> SessionStatus:
        """Return the status as it is to be shown."""
        ...

    def stop(self) -> None:
        """End what is under way in good order."""
        ...

    def abort(self) -> None:
        """End it now."""
        ...

    def pause(self, on: bool) -> None:
        """Hold it, or go on."""
        ...

    def finish(self) -> None:
        """Begin nothing else."""
        ...

    def leave(self) -> None:
        """End now: the session is being closed."""
        ...


@dataclass
class _Entry:
    """A panel with what it drew last."""

    panel: Drawable
    due: float = 0.0
    key: Hashable = None
    renders: int = 0


@dataclass
class _Pending:
    """A command on its way."""

    label: str
    future: Future[Any]
    done: Callable[[BaseException | None], None] | None
    asks: tuple[type[BaseException], ...] = ()


class Bridge(QObject):
    """Between the session and the panels.

    Parameters
    ----------
    session : SessionPort
        What is shown.
    log : LogModel
        Receives lines of the session and failures of commands.
    clock : callable
        Monotonic seconds; tests give their own.
    """

    status_changed = pyqtSignal(object)
    light_changed = pyqtSignal(object)
    logged = pyqtSignal()
    acted = pyqtSignal(str)
    events = pyqtSignal(list)

    def __init__(
        self,
        session: SessionPort,
        log: LogModel,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.log = log
        self.clock = clock
        self.owner: RunOwner | None = None
        self.status = session.status()
        self.standing = FitStanding()
        self.frozen = False  # traces and spectra hold their picture
        self.tick_times: deque[float] = deque(maxlen=600)
        self.tick_starts: deque[float] = deque(maxlen=600)
        self._entries: list[_Entry] = []
        self._pending: list[_Pending] = []
        self._status_due = 0.0
        self._light: Any = None
        self._log_version = -1
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)

    @property
    def recorded(self) -> bool:
        """Whether a record is looked at: nothing of it changes by itself, nothing can be set."""
        return self.status.mode == "RECORD"

    def look(self) -> SessionStatus:
        """Return the status of now, as it is to be shown."""
        status = self.session.status()
        return status if self.owner is None else self.owner.shown(status)

    def stop_run(self) -> None:
        """End what is under way after its repetition, or its point; does not wait."""
        if self.owner is not None and self.owner.active:
            self.owner.stop()
        else:
            self.session.stop_after_repetition()

    def abort_run(self) -> None:
        """End what is under way now; does not wait."""
        if self.owner is not None and self.owner.active:
            self.owner.abort()
        else:
            self.session.abort()

    def pause_run(self, on: bool) -> None:
        """Hold what is under way, or go on; does not wait."""
        if self.owner is not None and self.owner.active:
            self.owner.pause(on)
        else:
            (self.session.pause if on else self.session.resume)()

    def start(self) -> None:
        """Start to tick."""
        self._timer.start()

    def stop(self) -> None:
        """Stop to tick."""
        self._timer.stop()

    def register(self, panel: Drawable) -> None:
        """Draw a panel at its own rate."""
        self._entries.append(_Entry(panel))

    def renders(self, panel: Drawable) -> int:
        """How often a panel has drawn."""
        return next(e.renders for e in self._entries if e.panel is panel)

    def redraw(self, panel: Drawable) -> None:
        """Draw a panel at the next tick even if its snapshot is the same."""
        for entry in self._entries:
            if entry.panel is panel:
                entry.due, entry.key = 0.0, None

    def submit(
        self,
        label: str,
        command: Callable[[], Future[Any] | None],
        *,
        line: str = "",
        done: Callable[[BaseException | None], None] | None = None,
        asks: tuple[type[BaseException], ...] = (),
    ) -> None:
        """Send a command; its failure goes to the log, a toast and ``done``.

        Parameters
        ----------
        label : str
            What it does, for the log: "set φ".
        command : callable
            Returns a future, or None when it needs no answer.
        line : str
            The same as a line of Python, shown in the status bar.
        done : callable, optional
            Called from the timer with the error or None.
        asks : tuple of exception types
            Failures that ``done`` asks the user about: they are not logged as well.
        """
        try:
            future = command()
        except OptobindError as error:
            self._failed(label, error, done, asks)
            return
        if line:
            self.acted.emit(line)
        if future is None:
            if done is not None:
                done(None)
            return
        self._pending.append(_Pending(label, future, done, asks))

    @property
    def pending(self) -> int:
        """Commands that have not been answered."""
        return len(self._pending)

    def tick(self) -> None:
        """Pull, draw what is due, answer commands."""
        started = time.perf_counter()
        now = self.clock()
        self.tick_starts.append(now)
        self._poll_commands()
        self._pull_log()
        self._pull_status(now)
        for entry in self._entries:
            if now >= entry.due and entry.panel.wants_frames():
                self._draw(entry, now)
        self.tick_times.append(time.perf_counter() - started)

    def _draw(self, entry: _Entry, now: float) -> None:
        snapshot = entry.panel.pull(self.session)
        if snapshot is None:
            return
        key = entry.panel.key(snapshot)
        if key == entry.key:
            return
        entry.key, entry.due = key, now + entry.panel.period - 0.5e-3 * TICK_MS
        entry.panel.draw(snapshot)
        entry.renders += 1

    def _pull_status(self, now: float) -> None:
        status = self.look()
        stood = self.standing.now
        self.standing.update(self.session.fit(), status, now)
        before = (self.status.state, self.status.held_by, self.status.lost, stood)
        urgent = (status.state, status.held_by, status.lost, self.standing.now) != before
        self.status = status
        if now >= self._status_due or urgent:
            self._status_due = now + _STATUS_PERIOD
            light = self.session.light()
            self._light = light
            self.status_changed.emit(status)
            self.light_changed.emit(light)

    def _pull_log(self) -> None:
        for entry in self.session.take_log():
            self.log.add(entry)
        events = self.session.take_events()
        if events:
            self.events.emit(events)
        if self.log.version != self._log_version:
            self._log_version = self.log.version
            self.logged.emit()

    def _poll_commands(self) -> None:
        finished = [p for p in self._pending if p.future.done()]
        if not finished:
            return
        self._pending = [p for p in self._pending if not p.future.done()]
        for pending in finished:
            try:
                error = pending.future.exception()
            except CancelledError:
                error = None
            if error is not None:
                self._failed(pending.label, error, pending.done, pending.asks)
            elif pending.done is not None:
                pending.done(None)

    def _failed(
        self,
        label: str,
        error: BaseException,
        done: Callable[[BaseException | None], None] | None,
        asks: tuple[type[BaseException], ...] = (),
    ) -> None:
        kind = "" if isinstance(error, OptobindError) else f"{type(error).__name__}: "
        if not isinstance(error, asks):
            self.log.write("error", f"{label}: {kind}{error}")
        if done is not None:
            done(error)

    def frame_rate(self) -> float:
        """Ticks per second over the last few hundred."""
        if len(self.tick_starts) < 2:
            return 0.0
        span = self.tick_starts[-1] - self.tick_starts[0]
        return (len(self.tick_starts) - 1) / span if span > 0.0 else 0.0
