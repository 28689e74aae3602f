"""The simulated feedback controller: a window onto the loops of the world."""

from __future__ import annotations

import math

from ..controller_protocol import (
    ControllerCapabilities,
    LoopSetting,
    require_loop,
    require_setting,
)
from .device import SimulatedDevice
from .world import SimulatedWorld

__all__ = ["SimulatedController"]

_MOST_GAIN = math.tau * 500e3  # 1/s


class SimulatedController(SimulatedDevice):
    """Sets gain, phase, centre and band of the world's loops, from the next sample on.

    The gain is a damping rate; the loops have hidden errors of gain and phase, as real ones do. Its
    bandwidth is the corner of the low-pass in front of the loop.
    """

    def __init__(self, world: SimulatedWorld, name: str = "controller") -> None:
        super().__init__(name)
        self._world = world

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Limits."""
        return ControllerCapabilities(
            loops=len(self._world.lost),
            gain_range=(0.0, _MOST_GAIN),
            gain_unit="1/s",
            timing="phase",
            centre_range=(1e3, 0.4 * self._world.settings.sample_rate),
            bandwidth_range=(1e3, 1e9),
            follows=True,
        )

    def check(self, loop: int, setting: LoopSetting) -> None:
        """Raise InputError for a setting that :meth:`set` would refuse; changes nothing."""
        require_setting(self.name, loop, setting, self.capabilities)

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set one loop; it acts from the next sample on."""
        self._require_link()
        self.check(loop, setting)
        self._world.retune(loop, setting.gain, setting.phase, setting.centre, setting.bandwidth)
        return self.read(loop)

    def read(self, loop: int) -> LoopSetting:
        """Read one loop back."""
        self._require_link()
        require_loop(self.name, loop, self.capabilities)
        feedback = self._world.settings.feedback
        return LoopSetting(
            gain=feedback.gain_of(loop),
            phase=feedback.phase_of(loop),
            centre=feedback.centre_of(loop),
            bandwidth=feedback.corner_of(loop),
        )

    def enabled(self, loop: int) -> bool:
        """Whether the loop's output is on: always, the gate is what opens it."""
        self._require_link()
        require_loop(self.name, loop, self.capabilities)
        return True

    def growth(self, loop: int, setting: LoopSetting) -> float:
        """Growth rate of the world if a loop were set so, 1/s; negative if stable."""
        return self._world.retuned_growth(
            loop, setting.gain, setting.phase, setting.centre, setting.bandwidth
        )
