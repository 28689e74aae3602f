"""The limits of a rig around a controller: how large a gain may be, and how fast it may change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ...models.errors import InputError
from ..controller_protocol import ControllerCapabilities, FeedbackController, LoopSetting
from ..protocols import DeviceState
from ..ramp import RampPace

__all__ = ["LimitedController", "LoopLimits"]

_STEP_SECONDS = 0.02


@dataclass(frozen=True)
class LoopLimits:
    """What a rig allows.

    Attributes
    ----------
    max_gain : float
        In the controller's unit; infinite for what the controller allows.
    gain_slew : float
        Fastest rise of the gain, in its unit a second; infinite for a jump. Falling is not slowed:
        it is what backing off does.
    """

    max_gain: float = math.inf
    gain_slew: float = math.inf

    def __post_init__(self) -> None:
        if not self.max_gain >= 0.0:
            raise InputError(f"max_gain must be at least 0, got {self.max_gain:g}")
        if not self.gain_slew > 0.0:
            raise InputError(f"gain_slew must be greater than 0, got {self.gain_slew:g}")


class LimitedController:
    """A controller within the limits of a rig.

    Parameters
    ----------
    inner : FeedbackController
        The device.
    limits : LoopLimits
        Of the rig.
    clock, sleep : callable
        Monotonic time, s, and waiting.
    """

    def __init__(
        self,
        inner: FeedbackController,
        limits: LoopLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.inner, self.limits = inner, limits
        self._clock, self._sleep = clock, sleep

    @property
    def name(self) -> str:
        """Name of the device in the rig."""
        return self.inner.name

    @property
    def state(self) -> DeviceState:
        """State of the device."""
        return self.inner.state

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know."""
        return tuple(getattr(self.inner, "remarks", ()))

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Limits of the device, the gain's cut by those of the rig."""
        told = self.inner.capabilities
        low, high = told.gain_range
        return replace(told, gain_range=(low, min(high, self.limits.max_gain)))

    def connect(self) -> str:
        """Connect the device; writes nothing."""
        return self.inner.connect()

    def disconnect(self) -> None:
        """Disconnect the device; everything stays on."""
        self.inner.disconnect()

    def check(self, loop: int, setting: LoopSetting) -> None:
        """Raise InputError for a setting that is not allowed; sends nothing."""
        self.inner.check(loop, setting)
        if setting.gain > self.limits.max_gain:
            unit = self.inner.capabilities.gain_unit
            raise InputError(
                f"{self.name}: loop {loop}: gain {setting.gain:.6g} {unit} is more than the rig "
                f"allows: at most {self.limits.max_gain:.6g} {unit} (devices.controller.max_gain)"
            )

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set one loop, a rising gain in steps, and return what is read back."""
        self.check(loop, setting)
        before = self.inner.read(loop)
        rise = setting.gain - before.gain
        if rise > 0.0 and math.isfinite(self.limits.gain_slew):
            pace = RampPace(
                rise / self.limits.gain_slew, _STEP_SECONDS, clock=self._clock, sleep=self._sleep
            )
            while (share := pace.wait()) < 1.0:
                self.inner.set(loop, replace(setting, gain=before.gain + share * rise))
                pace.written()
        return self.inner.set(loop, setting)

    def read(self, loop: int) -> LoopSetting:
        """Read one loop back."""
        return self.inner.read(loop)

    def enabled(self, loop: int) -> bool:
        """Whether the loop's output is on at the controller."""
        return self.inner.enabled(loop)
