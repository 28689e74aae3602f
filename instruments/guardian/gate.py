"""A gate behind a guardian: a Gate like any other, whose device lives in a process of its own."""

from __future__ import annotations

import math
import pickle
import threading
import time
from dataclasses import replace
from typing import Any

from ...models.errors import DeviceError
from ..capabilities import GateCapabilities
from ..driver import NamedDevice
from ..links.base import LinkError
from ..protocols import DeviceState, Gate
from .hand import Hand
from .line import GuardianLine
from .messages import Report, Verb, error_of

__all__ = ["GuardedGate", "why_unguarded"]

_CONNECT_SECONDS = 90.0
_CALL_SECONDS = 4.0
_LEAVE_SECONDS = 5.0
_PIPE_JITTER = 1e-3  # s: measured 0.7–0.9 ms a call more than in this process, computer busy
_RESCUE_SECONDS = 30.0


class GuardedGate(NamedDevice):
    """A gate that is closed within a second when this program dies or hangs while it is open.

    Parameters
    ----------
    device : Gate
        The driver, not connected; a copy of it is connected in the guardian's process, this object
        never is.

    Raises
    ------
    DeviceError
        If the driver cannot be pickled, see :func:`why_unguarded`.
    """

    def __init__(self, device: Gate) -> None:
        reason = why_unguarded(device)
        if reason:
            raise DeviceError(f"{device.name} cannot be guarded: {reason}")
        super().__init__(device.name)
        self._packed = pickle.dumps(device)
        limits = getattr(device, "capabilities", GateCapabilities())
        self._capabilities = replace(limits, jitter=limits.jitter + _PIPE_JITTER)
        self._line: GuardianLine | None = None
        self._open = False
        self._struggling = False  # the guardian has failed to close and goes on trying
        self._incidents: list[str] = []
        self._fallen = ""
        self._remarks: tuple[str, ...] = ()
        self._lock = threading.Lock()  # of the incidents
        self._rescuing = threading.Lock()

    @property
    def capabilities(self) -> GateCapabilities:
        """Delay and jitter of the driver, and the pipe's."""
        return self._capabilities

    @property
    def state(self) -> DeviceState:
        """State of the gate; faulted from the moment on in which its guardian is dead."""
        dead = self._line is not None and not self._line.alive
        return DeviceState.FAULTED if dead and self._state is DeviceState.READY else self._state

    @property
    def guardian(self) -> int | None:
        """Process id of the guardian; None when there is none."""
        return self._line.process_id if self._line is not None and self._line.alive else None

    @property
    def fallen(self) -> str:
        """What happened if the guardian has died while the gate was open; empty otherwise."""
        return self._fallen

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the driver says that its user should know; newest answer of the guardian."""
        return self._remarks

    @property
    def may_be_open(self) -> bool:
        """Whether the gate was opened from here and is not known to be closed again."""
        return self._open

    def take_incidents(self) -> list[str]:
        """Remove and return what the guardian has done by itself since."""
        with self._lock:
            taken, self._incidents = self._incidents, []
        return taken

    # -- Gate -----------------------------------------------------------------------------------

    def connect(self) -> str:
        """Start the guardian, connect the device there and return its identity.

        Raises
        ------
        InputError, DeviceError
            As the driver raises them; the device is faulted then.
        """
        self._state = DeviceState.CONNECTING
        try:
            busy = self._struggling and self._line is not None and self._line.alive
            identity = self._ask("connect", _CALL_SECONDS if busy else _CONNECT_SECONDS)
        except LinkError as error:
            self._state = DeviceState.FAULTED
            if self.guardian is None:  # it did not live to answer
                raise LinkError(
                    f"{error}: a script that uses a guarded gate needs "
                    "if __name__ == '__main__' around its main part"
                ) from error
            raise
        except BaseException:
            self._state = DeviceState.FAULTED
            raise
        if self._open:  # its former guardian died, and it could not be closed
            self._close()
        return f"{identity}, guarded by process {self.guardian}"

    def disconnect(self) -> None:
        """Close the link; the gate stays as it is. The guardian ends unless it has to close it."""
        line = self._line
        self._state = DeviceState.DISCONNECTED
        if line is None or not line.alive:
            self._line = None
            return
        line.watch(False)
        self._open = False
        try:
            busy = line.ask("disconnect", _LEAVE_SECONDS).value
        except LinkError:
            busy = True
        if not busy:
            self._line = None
            line.hang_up()

    def set(self, closed: bool) -> None:
        """Switch and read back, in the guardian.

        Raises
        ------
        DeviceError
            As the driver raises it; also if the guardian is dead or does not answer.
        """
        if closed:
            self._close()
        else:
            self.open_for(math.inf)

    def open_for(self, seconds: float) -> None:
        """Open; the guardian closes it unasked if it is still open after ``seconds``.

        A program that gives signs of life may all the same wait for another device.

        Raises
        ------
        DeviceError
            As for :meth:`set`.
        """
        line = self._ready()
        self._open = True
        line.watch(True)
        self._ask("open", _CALL_SECONDS, seconds)

    def lend(self) -> None:
        """Let a pattern player have the line; the guardian takes it back if the program ends.

        Raises
        ------
        DeviceError
            As the driver raises it.
        """
        line = self._ready()
        self._open = True
        line.watch(True)
        self._ask("lend", _CALL_SECONDS)

    def ask_player(self, method: str, seconds: float, arguments: tuple[Any, ...]) -> Any:
        """Call the pattern player that shares the line, in the guardian.

        Raises
        ------
        InputError, DeviceError
            As the player raises them; also if the gate is not connected.
        """
        self._ready()
        return self._ask("player", seconds, call=(method, arguments))

    def _close(self) -> None:
        if self._line is not None and not self._line.alive:
            self._mourn()
        if self._fallen:
            if not self._rescue():
                raise LinkError(f"{self._name}: {self._fallen}")
            return
        try:
            self._ask("close", _CALL_SECONDS)
        except DeviceError:
            line = self._line
            if line is not None and line.alive and line.silent and not self._struggling:
                line.kill()  # it hangs itself: its death makes this process close the gate
            self._struggling = True
            raise
        self._struggling = False
        self._opened(False)

    def read(self) -> bool:
        """Return whether the gate is closed."""
        return bool(self._ask("read", _CALL_SECONDS))

    # -- the guardian ---------------------------------------------------------------------------

    def _ready(self) -> GuardianLine:
        """The line to a living guardian; one that died in between is replaced."""
        if self._line is None or not self._line.alive:
            if self._state is not DeviceState.CONNECTING:
                self._require_link()
            fresh = self._line is not None and self._state is not DeviceState.CONNECTING
            self._mourn()
            if fresh and not self._fallen:
                self._note("the guardian of the gate died while feedback was on: a new one watches")
            self._line = GuardianLine(self._packed, self._on_report, self._on_death)
            self._fallen = ""
            if fresh:
                self._ask("connect", _CONNECT_SECONDS)
        return self._line

    def _require_link(self) -> None:
        if self._state is DeviceState.DISCONNECTED:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")

    def _ask(
        self,
        verb: Verb,
        seconds: float,
        at_most: float = math.inf,
        call: tuple[str, tuple[Any, ...]] = ("", ()),
    ) -> Any:
        line = self._line
        if line is None or not line.alive or verb not in ("connect", "close"):
            if verb != "connect":
                self._require_link()
            line = self._ready()
        try:
            answer = line.ask(verb, seconds, at_most, call)
        except LinkError as error:
            self._state = DeviceState.FAULTED
            raise LinkError(f"{self._name}: {error}") from error
        self._state = DeviceState(answer.state)
        found = error_of(answer)
        if found is not None:
            raise found
        self._remarks = answer.remarks
        return answer.value

    def _opened(self, on: bool) -> None:
        self._open = on
        if self._line is not None:
            self._line.watch(on)

    def _note(self, text: str) -> None:
        with self._lock:
            self._incidents.append(text)

    def _on_report(self, report: Report) -> None:
        if report.closed:
            self._opened(False)
        self._note(report.text)

    def _mourn(self) -> None:
        """Note that the guardian has died while the gate was open; once."""
        with self._lock:
            if self._line is not None and self._open and not self._fallen:
                self._fallen = "the guardian of the gate died while feedback was off"
                self._incidents.append(self._fallen)

    def _on_death(self, line: GuardianLine) -> None:
        """From the line's thread: close a gate that was open at once, through a driver here."""
        if line is not self._line:  # it has been replaced
            return
        self._state = DeviceState.FAULTED
        self._mourn()
        deadline = time.monotonic() + _RESCUE_SECONDS
        while line is self._line and self._fallen and not self._rescue():
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)

    def _rescue(self) -> bool:
        """One attempt to close the gate through a driver in this process."""
        with self._rescuing:
            if not self._open or not self._fallen:
                return True
            try:
                hand = Hand(self._packed)
            except DeviceError:
                return False
            try:
                hand.call(hand.device.connect, _LEAVE_SECONDS)
                hand.call(lambda: hand.device.set(True), _CALL_SECONDS)
                closed = bool(hand.call(hand.device.read, _CALL_SECONDS))
                if closed:  # else its line would stay reserved on a server, for nobody
                    hand.call(hand.device.disconnect, _CALL_SECONDS)
            except Exception:  # whatever a driver raises; it is tried again
                closed = False
            finally:
                hand.let_go()
            if closed:
                self._open = False
                self._fallen = f"{self._fallen}; it was closed from here"
        return closed


def why_unguarded(device: Any) -> str:
    """Why a driver cannot live in another process; empty if it can.

    Parameters
    ----------
    device : Gate
        Not connected.
    """
    try:
        pickle.loads(pickle.dumps(device))
    except Exception as error:  # pickling runs the driver's code
        return f"its driver cannot be pickled ({error})"
    if type(device).__module__ == "__main__":
        return "its driver is defined in the program's main script"
    return ""
