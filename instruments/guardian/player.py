"""The program's end of a pattern player that lives with the gate in the guardian's process."""

from __future__ import annotations

from typing import Any

from ...models.errors import DeviceError
from ..driver import NamedDevice
from ..patterns import Pattern, PatternCapabilities
from ..protocols import DeviceState
from .gate import GuardedGate

__all__ = ["GuardedPlayer"]

_CONNECT_SECONDS = 60.0
_ARM_SECONDS = 20.0
_CALL_SECONDS = 4.0


class GuardedPlayer(NamedDevice):
    """A pattern player like any other, whose device the guardian of the gate owns.

    If this program dies while a pattern is played, the guardian ends the pattern and closes the
    gate. The gate is to be connected before.

    Parameters
    ----------
    gate : GuardedGate
        Made of a :class:`~.played.PlayedGate`.
    name : str
        Name of the player in the rig.
    """

    def __init__(self, gate: GuardedGate, name: str) -> None:
        super().__init__(name)
        self._gate = gate
        self._facts: tuple[PatternCapabilities, int, tuple[str, ...]] | None = None

    @property
    def capabilities(self) -> PatternCapabilities:
        """What it can play; complete after ``connect``."""
        return self._known()[0]

    @property
    def offset(self) -> int:
        """Samples by which an edge acts later in the record than it stands in the pattern."""
        return self._known()[1]

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about what the card cannot play."""
        return self._known()[2]

    def _known(self) -> tuple[PatternCapabilities, int, tuple[str, ...]]:
        if self._facts is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._facts

    def connect(self) -> str:
        """Ask the card what it can play; makes no task.

        Raises
        ------
        InputError, DeviceError
            As the driver raises them; the device is faulted then.
        """
        self._state = DeviceState.CONNECTING
        try:
            identity, *facts = self._ask("connect", _CONNECT_SECONDS)
        except BaseException:
            self._state = DeviceState.FAULTED
            raise
        self._facts = (facts[0], facts[1], facts[2])
        self._state = DeviceState.READY
        return f"{identity}, with the guardian of {self._gate.name}"

    def disconnect(self) -> None:
        """Close the link; what is played is ended, its line then at the idle level or the last."""
        linked = self._state in (DeviceState.READY, DeviceState.RUNNING)
        self._state = DeviceState.DISCONNECTED
        if linked and self._gate.state in (DeviceState.READY, DeviceState.RUNNING):
            self._ask("disconnect", _CALL_SECONDS)

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        """Raise InputError, with what it can play, if it cannot play this; sends nothing."""
        self._known()
        self._ask("check", _ARM_SECONDS, pattern, sample_rate)

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Load it: sample 0 of the pattern is the first sample of the digitizer's next start.

        Raises
        ------
        InputError
            If it cannot be played.
        DeviceError
            If the card refuses, or the gate has not been lent; the guardian closes the gate then.
        """
        self._known()
        self._ask("arm", _ARM_SECONDS, pattern, sample_rate)
        self._state = DeviceState.RUNNING

    def played(self) -> int | None:
        """Samples played so far, as far as the card tells; None where it cannot."""
        played: int | None = self._ask("played", _CALL_SECONDS)
        return played

    def halt(self) -> None:
        """End it at once, write the idle levels and read them back. Safe to call in any state."""
        if self._state is DeviceState.DISCONNECTED:
            return
        self._ask("halt", _CALL_SECONDS)
        self._state = DeviceState.READY

    def _ask(self, method: str, seconds: float, *arguments: Any) -> Any:
        return self._gate.ask_player(method, seconds, arguments)
