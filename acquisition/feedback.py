"""The feedback gate of a session: what is known of it, and closing it come what may.

Opening is tried once, and closed again when its answer is lost. Closing is tried over fresh links
for a bounded time and read back; where it fails, "GATE STILL OPEN" is said in log, window and
terminal, and it is tried again in the background until the gate is closed or the user ends it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..instruments.guardian.gate import GuardedGate
from ..instruments.patterns import Pattern, PatternPlayer
from ..instruments.protocols import DeviceState, Gate, LendsLine
from ..models.errors import DeviceError, OptobindError
from .pattern_line import PatternLine
from .reserved import when_free
from .slots import LogBook

__all__ = ["FeedbackGate", "GateState", "GateStillOpenError", "ReleaseRefusedError"]

RUN_SECONDS = 5.0
"""Longest time that a run waits for its gate to close, s."""

CLOSING_SECONDS = 10.0
"""Longest time that a session that is being closed waits for it, s."""

_AGAIN_SECONDS = 2.0
_RETRY_SECONDS = 0.05
_BACKGROUND_SECONDS = 0.5
_GOOD = (DeviceState.READY, DeviceState.RUNNING)


class GateStillOpenError(DeviceError):
    """The gate could not be closed within the bound; it is tried again in the background."""


class ReleaseRefusedError(DeviceError):
    """The gate did not open as asked; it is known to be closed again: feedback is on."""


@dataclass(frozen=True)
class GateState:
    """What is known of the gate.

    Attributes
    ----------
    closed : bool or None
        Whether feedback acts; None when that is not known.
    opened : bool
        Whether this session opened it and it is not known to be closed again.
    trouble : str
        The line "GATE STILL OPEN …" while it has to be closed and cannot; else empty.
    """

    closed: bool | None = None
    opened: bool = False
    trouble: str = ""


class FeedbackGate:
    """What a session does with the gate.

    Parameters
    ----------
    gate : Gate or None
        The device; without one, feedback is not switched and nothing is known of it.
    log : LogBook
        Receives what happened, in words.
    on_state : callable
        Called with the new GateState whenever it changes.
    player : PatternPlayer or None
        Plays releases on the line that the gate lends it.
    clock, sleep : callable
        Monotonic time, s, and waiting.

    Attributes
    ----------
    line : PatternLine
        The player, as a session uses it.
    """

    def __init__(
        self,
        gate: Gate | None,
        log: LogBook,
        on_state: Callable[[GateState], None] = lambda state: None,
        *,
        player: PatternPlayer | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gate, self._log = gate, log
        self.line = PatternLine(player)
        self._clock, self._sleep = clock, sleep
        self._on_state = on_state
        self._state = GateState()
        self._due = 0.0
        self._told: set[str] = set()  # remarks of the gate that were said
        self._given_up = threading.Event()

    @property
    def closed(self) -> bool | None:
        """Whether feedback acts; None when that is not known."""
        return self._state.closed

    @property
    def trouble(self) -> str:
        """The line "GATE STILL OPEN …" while the gate has to be closed and cannot; else empty."""
        return self._state.trouble

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user of the gate should know, such as what does not watch it."""
        return tuple(getattr(self._gate, "remarks", ()))

    def _become(self, closed: bool | None, opened: bool, trouble: str = "") -> None:
        before, self._state = self._state, GateState(closed, opened, trouble)
        if self._state != before:
            self._on_state(self._state)

    def connected(self, unwanted: Callable[[], bool] = lambda: False) -> None:
        """Read the gate after it was connected, as soon as its lines are free; writes nothing.

        Parameters
        ----------
        unwanted : callable
            Ends a wait for lines that somebody else holds.

        Raises
        ------
        DeviceError
            If it does not tell.
        """
        if self._gate is None:
            return
        closed = when_free(self._gate.read, self._log, unwanted)
        if closed and self.trouble:
            self._solved()
        else:
            self._become(closed, self._state.opened, self.trouble)
        if not closed:
            self._log.add(
                "warning",
                f"feedback is off: {self._gate.name} was found open and stays so until feedback is "
                "switched on or a run begins",
            )

    # -- switching ------------------------------------------------------------------------------

    def set(self, closed: bool, seconds: float | None = None, *, at_most: float = math.inf) -> str:
        """Open or close the gate.

        Parameters
        ----------
        closed : bool
            Whether feedback is to act.
        seconds : float, optional
            Longest time of closing, s; that of a run if left out.
        at_most : float
            Time after which a guardian closes an opened gate unasked, s.

        Returns
        -------
        str
            What went wrong on the way though the gate is now as asked; empty if nothing did.

        Raises
        ------
        ReleaseRefusedError
            If the gate did not open; it is closed again.
        GateStillOpenError
            If the gate may be open and cannot be closed.
        """
        if self._gate is None:
            return ""
        return self.close(seconds) if closed else self._open(seconds, at_most)

    def _open(self, seconds: float | None, at_most: float) -> str:
        assert self._gate is not None
        incidents = self._incidents()
        if self.trouble:
            raise GateStillOpenError("feedback is not on and cannot be switched on: see the log")
        self._become(None, opened=True)  # until it is known to be closed
        self._given_up.clear()
        try:
            if isinstance(self._gate, GuardedGate):
                self._gate.open_for(at_most)
            else:
                self._gate.set(False)
        except Exception as error:
            self.close(seconds)
            if not isinstance(error, OptobindError):
                raise
            raise ReleaseRefusedError(
                f"feedback was not switched off: {error} (feedback is on)"
            ) from error
        self._become(False, opened=True)
        self._tell_remarks()
        return "; ".join(incidents + self._incidents())

    def _tell_remarks(self) -> None:
        """Say each remark once, on the terminal as well: feedback is off."""
        for remark in self.remarks:
            if remark not in self._told:
                self._told.add(remark)
                self._log.shout("warning", remark)

    # -- played by a card -----------------------------------------------------------------------

    def lend(self, pattern: Pattern, sample_rate: float) -> None:
        """Close the gate, read it back, and have the player hold its line, armed with a pattern.

        From then on closing means halting the player first, whoever asks for it.

        Raises
        ------
        GateStillOpenError
            If the gate is not closed; nothing is armed then.
        InputError, DeviceError
            If the player refuses; feedback is on again.
        """
        assert self._gate is not None
        if incident := self.close():
            self._log.add("warning", incident)
        self._become(None, opened=True)
        self._given_up.clear()
        try:
            if isinstance(self._gate, LendsLine):
                self._gate.lend()
            self.line.arm(pattern, sample_rate)
        except BaseException:
            self.close()
            raise
        self._tell_remarks()

    def played(self, closed: bool) -> None:
        """Note a level that the pattern has."""
        self._become(closed, opened=True)

    def close(self, seconds: float | None = None) -> str:
        """Close the gate, over fresh links for at most ``seconds``, and read it back.

        Returns
        -------
        str
            As for :meth:`set`.

        Raises
        ------
        GateStillOpenError
            If it cannot be closed; it is tried again by :meth:`tend`.
        """
        if self._gate is None:
            return ""
        bound = RUN_SECONDS if seconds is None else seconds
        if self.trouble:  # it has been tried for long enough
            bound = min(bound, _AGAIN_SECONDS)
        begin, attempts = self._clock(), 0
        first: Exception | None = None
        while True:
            attempts += 1
            try:
                self._attempt(fresh=attempts > 1)
                break
            except Exception as error:  # whatever a driver raises, feedback has to come back
                first = first or error
                if self._clock() - begin >= bound or self._given_up.is_set():
                    raise self._still_open(error) from error
            self._sleep(_RETRY_SECONDS)
        incidents = self._incidents()
        if first is not None:
            took = self._clock() - begin
            incidents.append(
                f"feedback was switched on at attempt {attempts}, {took:.2g} s late ({first})"
            )
        if self.trouble:
            self._solved()
        self._become(True, opened=False)
        return "; ".join(incidents)

    def _attempt(self, *, fresh: bool) -> None:
        """Halt what is played, close and read back; ``fresh`` makes the link anew first.

        A player that does not answer keeps nobody from trying the gate itself.
        """
        failure: Exception | None = None
        try:
            self.line.halt()
        except Exception as error:
            failure = error
        self._close_gate(fresh=fresh)
        if failure is not None:
            raise failure

    def _close_gate(self, *, fresh: bool) -> None:
        """Close the gate itself and read it back."""
        gate = self._gate
        assert gate is not None
        if isinstance(gate, GuardedGate):  # makes links anew and reads back by itself
            if gate.state is DeviceState.DISCONNECTED:
                gate.connect()
            gate.set(True)
            return
        if fresh or gate.state not in _GOOD:
            gate.disconnect()
            gate.connect()
        gate.set(True)
        if gate.read() is not True:
            raise DeviceError(f"{gate.name} was closed but reads open: check its wiring")

    def _still_open(self, error: Exception) -> Exception:
        """Say it; the error to raise is the driver's own if that is a bug."""
        assert self._gate is not None
        trouble = (
            f"GATE STILL OPEN: feedback could not be switched on by {self._gate.name} ({error}); "
            "it is tried again until it succeeds: check the link and the power of the gate, or "
            "switch feedback on by hand"
        )
        self._due = self._clock() + _BACKGROUND_SECONDS
        if not self.trouble:
            self._log.shout("error", trouble)
        self._become(None, opened=True, trouble=trouble)
        if not isinstance(error, OptobindError):
            return error
        return GateStillOpenError(f"feedback could not be switched on again: {error}")

    def _solved(self) -> None:
        self._become(True, opened=False)
        self._log.shout("info", "feedback is on again: the gate was closed and reads closed")

    # -- afterwards -----------------------------------------------------------------------------

    def tend(self) -> None:
        """Try again if the gate is still to be closed and it is time to; never raises.

        Outside of runs it tells as well what a guardian has done by itself.
        """
        for text in self._incidents():
            self._log.add("warning", text)
        guarded = isinstance(self._gate, GuardedGate) and not self._gate.may_be_open
        if guarded and self._state.opened and self.closed is False:
            self._become(True, opened=False, trouble=self.trouble)
            self._log.add("info", "feedback is on again: the gate was closed by its guard")
        if not self.trouble or self._given_up.is_set() or self._clock() < self._due:
            return
        self._due = self._clock() + _BACKGROUND_SECONDS
        try:
            self._attempt(fresh=True)
        except Exception:
            return
        self._solved()

    def restore(self, seconds: float | None = None) -> None:
        """Close the gate if this session opened it; one found open stays open. Never raises."""
        if self._gate is None or not self._state.opened:
            return
        try:
            self.close(0.0 if self._given_up.is_set() else seconds)
        except Exception:  # it has been said; the last steps of closing follow in any case
            return
        self._log.add("info", "feedback switched on again")

    def give_up(self) -> None:
        """End trying, as the user wishes; call from any thread."""
        self._given_up.set()

    def require_guardian(self) -> None:
        """Raise if the guardian has died while the gate was open.

        Raises
        ------
        DeviceError
            Says what has become of the gate.
        """
        fallen = self._gate.fallen if isinstance(self._gate, GuardedGate) else ""
        if fallen:
            raise DeviceError(f"{fallen}: the release is lost")

    def _incidents(self) -> list[str]:
        """What a guardian has done by itself since the last time."""
        if not isinstance(self._gate, GuardedGate):
            return []
        return self._gate.take_incidents()
