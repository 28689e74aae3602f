"""Closing the window: ask while a run records, stop orderly, never touch the light."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QMessageBox, QWidget

from ..models.errors import OptobindError

if TYPE_CHECKING:
    from .bridge import Bridge

__all__ = ["CloseChoice", "Closer", "ask_close"]

_ACTIVE = ("preparing", "running", "paused", "stopping")


class CloseChoice(Enum):
    """What the user wants of a run under way."""

    STOP = "stop orderly, then close"
    KEEP = "let the run end, then close"
    ABORT = "abort now, then close"
    CANCEL = "keep the window open"


def ask_close(parent: QWidget, stopping: bool) -> CloseChoice:
    """Ask what to do with the run; a second attempt while stopping offers to abort."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("A run is recording")
    box.setText("A run is recording.")
    box.setInformativeText(
        "Closing ends the run orderly: its file is closed and feedback is switched on. "
        "The trap light stays as it is in any case."
    )
    roles = QMessageBox.ButtonRole
    if stopping:
        box.setText("The run is being stopped.")
        first = box.addButton("Abort now and close", roles.DestructiveRole)
        choices = {first: CloseChoice.ABORT}
    else:
        first = box.addButton("Stop orderly and close", roles.AcceptRole)
        keep = box.addButton("Keep recording, close at the end", roles.ActionRole)
        choices = {first: CloseChoice.STOP, keep: CloseChoice.KEEP}
    cancel = box.addButton("Cancel", roles.RejectRole)
    box.setDefaultButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    return next((c for b, c in choices.items() if b is clicked), CloseChoice.CANCEL)


class Closer:
    """Brings the session down in steps that the bridge's timer polls.

    Parameters
    ----------
    bridge : Bridge
        Its status tells when the run has ended.
    ask : callable
        Asks the user; takes whether the run is stopping already.
    finished : callable
        Called once, when the session is closed.
    """

    def __init__(
        self,
        bridge: Bridge,
        ask: Callable[[bool], CloseChoice],
        finished: Callable[[], object],
    ) -> None:
        self.bridge = bridge
        self.ask = ask
        self.finished = finished
        self.waiting = False
        self.done = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._error: OptobindError | None = None

    @property
    def recording(self) -> bool:
        """Whether a run is under way."""
        status = self.bridge.look()
        return status.state in _ACTIVE or status.recording is not None

    @property
    def closing(self) -> bool:
        """Whether the session is being closed, or closed."""
        return self.done or self._thread is not None

    @property
    def message(self) -> str:
        """What the window waits for; empty when nothing."""
        if self._thread is not None:
            return "closing the session …"
        if self.waiting:
            return "stopping the run, then closing …" if self._stopping else "closing after the run"
        return ""

    def request(self, *, unasked: bool = False, at_once: bool = False) -> bool:
        """The user wants to close; True if the window may close at once.

        ``unasked`` stops a run orderly, and aborts it when that is under way already or ``at_once``
        is wanted.
        """
        if self.done:
            return True
        if self._thread is not None:
            return False
        if not self.recording:
            self._close_session()
            return False
        usual = CloseChoice.ABORT if self._stopping or at_once else CloseChoice.STOP
        choice = usual if unasked else self.ask(self._stopping)
        if choice is CloseChoice.CANCEL:
            return False
        if self.bridge.owner is not None:
            self.bridge.owner.finish()  # nothing follows
        if choice is CloseChoice.STOP:
            self._stopping = True
            self.bridge.stop_run()
        elif choice is CloseChoice.ABORT:
            self._stopping = True
            self.bridge.abort_run()
        self.waiting = True
        return False

    def poll(self) -> None:
        """Go on when the run has ended, or the session is closed."""
        if self._thread is not None:
            if not self._thread.is_alive() and not self.done:
                self._thread.join()
                self.done = True
                self.finished()
            return
        if self.waiting and not self.recording:
            self._close_session()

    def _close_session(self) -> None:
        if self.bridge.owner is not None:
            self.bridge.owner.leave()
        # Session.close may wait for devices; a frozen window would look like a crash.
        self._thread = threading.Thread(target=self._work, name="close-session")
        self._thread.start()

    def _work(self) -> None:
        try:
            self.bridge.session.close()
        except OptobindError as error:
            self._error = error
