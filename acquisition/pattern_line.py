"""The pattern player of a session: armed, watched and halted, each within a bounded time.

A driver that hangs must not keep feedback off: what takes longer than it may is left behind, and
the gate is closed all the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ..instruments.patterns import Pattern, PatternPlayer
from ..models.errors import DeviceError

__all__ = ["PatternLine"]

_T = TypeVar("_T")

_ARM_SECONDS = 20.0  # a long waveform takes its time on the way to the card
_HALT_SECONDS = 2.0
_LOOK_SECONDS = 0.2  # between two looks at what has been played
_SLACK_SECONDS = 0.1  # by which the card may be behind the record in what it tells


class PatternLine:
    """What a session does with its player.

    Parameters
    ----------
    player : PatternPlayer or None
        The device; without one nothing is played.
    clock : callable
        Monotonic time, s.

    Attributes
    ----------
    in_use : bool
        Whether the player holds its lines, or may hold them.
    """

    def __init__(
        self, player: PatternPlayer | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._player, self._clock = player, clock
        self._rate = 1.0
        self._looked = 0.0
        self.in_use = False

    @property
    def offset(self) -> int:
        """Samples by which an edge acts later in the record than it stands in the pattern."""
        return 0 if self._player is None else self._player.offset

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Have a pattern begin with the digitizer's next start.

        Raises
        ------
        InputError, DeviceError
            As the player raises them, or if it does not answer; it is to be halted then.
        """
        player = self._player
        assert player is not None
        self.in_use, self._rate, self._looked = True, sample_rate, self._clock()
        self._within(_ARM_SECONDS, "be armed", lambda: player.arm(pattern, sample_rate))

    def halt(self) -> None:
        """End what is played, idle levels read back; nothing happens where nothing is played.

        Raises
        ------
        DeviceError
            If the lines are not known to be idle.
        """
        player = self._player
        if player is None or not self.in_use:
            return
        self._within(_HALT_SECONDS, "be halted", player.halt)
        self.in_use = False

    def require_playing(self, sample: int) -> bool:
        """See now and then that the card has played as far as the record has come.

        Parameters
        ----------
        sample : int
            Sample of the pattern that has been read.

        Returns
        -------
        bool
            Whether it was looked: the card plays, and what has been read was played.

        Raises
        ------
        DeviceError
            If it has died or stands still.
        """
        now, player = self._clock(), self._player
        if player is None or now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        played = self._within(_HALT_SECONDS, "say what it has played", player.played)
        if played is not None and played < sample - _SLACK_SECONDS * self._rate:
            raise DeviceError(
                f"{player.name} stands still: it has played {played} samples where the record has "
                f"{sample}; feedback is not switched as planned"
            )
        return True

    def _within(self, seconds: float, what: str, call: Callable[[], _T]) -> _T:
        """Call on a thread of its own, which is left behind if it takes longer."""
        future: Future[_T] = Future()

        def work() -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # handed to whoever asked
                future.set_exception(error)

        threading.Thread(target=work, name="pattern", daemon=True).start()
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise
            assert self._player is not None
            raise DeviceError(
                f"{self._player.name} could not {what}: no answer within {seconds:g} s; check its "
                "cable and power"
            ) from None
