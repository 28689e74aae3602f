"""The simulated pattern player: the world plays what it is armed with, sample by sample."""

from __future__ import annotations

from dataclasses import replace

from ...models.errors import DeviceError, InputError
from ..patterns import FEEDBACK, Pattern, PatternCapabilities
from ..protocols import DeviceState
from .device import SimulatedDevice
from .world import SimulatedWorld

__all__ = ["SimulatedPatternPlayer"]


class SimulatedPatternPlayer(SimulatedDevice):
    """Plays on the sample clock of the simulated digitizer.

    Parameters
    ----------
    world : SimulatedWorld
        Plays it.
    offset : int
        Samples by which an edge acts later than it stands in the pattern, as on real cards.
    name : str
        Name in the rig.
    """

    def __init__(self, world: SimulatedWorld, offset: int = 0, name: str = "pattern") -> None:
        super().__init__(name)
        self._world, self._offset = world, offset

    @property
    def capabilities(self) -> PatternCapabilities:
        """What it can play."""
        return PatternCapabilities(
            lines=(FEEDBACK,),
            waveforms=self._world.signals,
            max_rate=self._world.settings.sample_rate,
            returns_to_idle=True,
        )

    @property
    def offset(self) -> int:
        """Samples by which an edge acts later in the record than it stands in the pattern."""
        return self._offset

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        """Raise InputError, with what it can play, if it cannot play this; sends nothing."""
        limits = self.capabilities
        names = {*pattern.levels, *pattern.waveforms}
        if unknown := sorted(names - {*limits.lines, *limits.waveforms}):
            has = ", ".join((*limits.lines, *limits.waveforms))
            raise InputError(f"{self.name} has no {', '.join(unknown)}; it plays {has}")
        if sample_rate != limits.max_rate:
            raise InputError(
                f"{self.name} plays at the sample rate of its world, {limits.max_rate:g} Hz, "
                f"not {sample_rate:g} Hz"
            )
        if FEEDBACK in pattern.levels and not pattern.levels[FEEDBACK].idle:
            raise InputError(f"{self.name}: the idle level of {FEEDBACK} must be on")

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Load it: sample 0 of the pattern is the first sample of the digitizer's next start."""
        self._require_link()
        self.check(pattern, sample_rate)
        self._world.play(None)
        self._world.armed = replace(pattern, lead=pattern.lead + self._offset)
        self._state = DeviceState.RUNNING

    def played(self) -> int | None:
        """Samples played so far."""
        self._require_link()
        return 0 if self._world.armed is not None else self._world.played

    def halt(self) -> None:
        """End it at once: the lines are idle from the next sample on.

        Raises
        ------
        DeviceError
            If it is not connected while it plays.
        """
        if self._state is DeviceState.DISCONNECTED and self._world.held:
            raise DeviceError(f"{self.name} is not connected: the pattern goes on")
        self._world.armed = None
        self._world.play(None)
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY

    def disconnect(self) -> None:
        """Close the link; what is played goes on."""
        super().disconnect()
