"""One wrapper for all set-points, outside the drivers: range, slew, settle, read-back.

A step of power or position faster than a trap can follow loses its particle; a set-point that a
device took differently than asked spoils a run without a word. Both end here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..models.errors import DeviceError, InputError
from ..models.light import Site, TweezerState
from ..models.ranges import require_range
from .protocols import AppliedLight, LightCapabilities, TweezerControl

__all__ = ["GuardedLight", "GuardedSetPoint", "LightLimits", "SetPointLimits"]


@dataclass(frozen=True)
class SetPointLimits:
    """What a knob may do.

    Attributes
    ----------
    low, high : float
        Allowed range.
    unit : str
        Its unit, for messages.
    slew : float
        Largest change a second; infinite for any.
    settle : float
        Wait after the last step, s.
    tolerance : float
        Allowed difference between asked and read back.
    longest : float
        A ramp that takes longer is refused, s.
    """

    low: float
    high: float
    unit: str
    slew: float = math.inf
    settle: float = 0.0
    tolerance: float = math.inf
    longest: float = 1.0


class GuardedSetPoint:
    """A number that is set within its limits and read back.

    Parameters
    ----------
    name : str
        For messages.
    limits : SetPointLimits
        Range, slew, settle, tolerance.
    write, read : callable
        Of the device.
    step_time : float
        Time between the steps of a ramp, s.
    sleep : callable
        Waits, s.
    """

    def __init__(
        self,
        name: str,
        limits: SetPointLimits,
        write: Callable[[float], None],
        read: Callable[[], float],
        *,
        step_time: float = 0.02,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self.limits = name, limits
        self._write, self._read = write, read
        self._step_time, self._sleep = step_time, sleep

    def set(self, value: float) -> float:
        """Ramp to a value, wait, read back and return what the device has.

        Raises
        ------
        InputError
            Outside the range, or for a ramp that takes too long; nothing is sent then.
        DeviceError
            If the device fails or has another value afterwards.
        """
        limits = self.limits
        require_range(self._name, value, limits.low, limits.high, limits.unit)
        start = self._read()
        steps = _steps([abs(value - start) / limits.slew], self._step_time, limits.longest)
        for step in range(1, steps + 1):
            self._write(value if step == steps else start + (value - start) * step / steps)
            if step < steps:
                self._sleep(self._step_time)
        if limits.settle > 0.0:
            self._sleep(limits.settle)
        found = self._read()
        if not abs(found - value) <= limits.tolerance:
            raise DeviceError(
                f"{self._name} was set to {value:g} {limits.unit} but reads back {found:g} "
                f"{limits.unit} (tolerance {limits.tolerance:g}): check the device"
            )
        return found


def _steps(seconds: list[float], step_time: float, longest: float) -> int:
    """Number of steps of a ramp whose parts take so long."""
    duration = max(seconds)
    if duration > longest:
        raise InputError(
            f"this change takes {duration:.3g} s at the allowed slew rate, at most {longest:g} s: "
            "move in smaller steps"
        )
    return max(1, math.ceil(duration / step_time - 1e-9))


@dataclass(frozen=True)
class LightLimits:
    """Slew rates and tolerances of the light; the ranges are those of the control.

    Attributes
    ----------
    power_slew : float
        W/s per site.
    position_slew : float
        m/s per site.
    power_tolerance : float
        Allowed relative difference between asked and read back.
    position_tolerance : float
        m.
    phase_tolerance : float
        rad, of φ; not checked while the light beats.
    longest : float
        A ramp that takes longer is refused, s: the thread that ramps also reads the digitizer.
    step_time : float
        Time between the steps of a ramp, s.
    """

    power_slew: float = math.inf
    position_slew: float = math.inf
    power_tolerance: float = 0.05
    position_tolerance: float = 5e-8
    phase_tolerance: float = 0.1
    longest: float = 1.0
    step_time: float = 0.02


class GuardedLight:
    """A TweezerControl whose light moves no faster than allowed and is read back.

    Parameters
    ----------
    control : TweezerControl
        What is guarded.
    limits : LightLimits
        Slew rates and tolerances.
    sleep : callable
        Waits, s.
    """

    def __init__(
        self,
        control: TweezerControl,
        limits: LightLimits,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._control, self.limits, self._sleep = control, limits, sleep

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        return self._control.capabilities

    def apply(self, state: TweezerState) -> AppliedLight:
        """Ramp to a state of the light and read it back.

        Raises
        ------
        InputError
            If a value is out of range, cannot be set here, or would take too long to reach.
        DeviceError
            If a device fails (the light stays at the last step that held) or has other values
            afterwards.
        """
        start = self._control.read().state
        if len(start.sites) != len(state.sites):
            return self._control.apply(state)  # refused there, with its message
        pairs = list(zip(start.sites, state.sites, strict=True))
        limits = self.limits
        seconds = [abs(b.power - a.power) / limits.power_slew for a, b in pairs]
        seconds += [math.dist(a.position, b.position) / limits.position_slew for a, b in pairs]
        steps = _steps(seconds, limits.step_time, limits.longest)
        for step in range(1, steps):
            share = step / steps
            self._control.apply(TweezerState(tuple(_between(a, b, share) for a, b in pairs)))
            self._sleep(limits.step_time)
        applied = self._control.apply(state)
        self._compare(state, applied)
        return applied

    def read(self) -> AppliedLight:
        """Read the light back from the devices."""
        return self._control.read()

    def release(self) -> None:
        """Turn the trap light off: the particles are lost."""
        self._control.release()

    def _compare(self, wanted: TweezerState, applied: AppliedLight) -> None:
        """Raise DeviceError if the devices have other values than asked for."""
        limits = self.limits
        for number, (asked, found) in enumerate(
            zip(wanted.sites, applied.state.sites, strict=True), start=1
        ):
            if abs(found.power - asked.power) > limits.power_tolerance * asked.power:
                raise DeviceError(
                    f"power of tweezer {number} was set to {asked.power:.4g} W but reads back "
                    f"{found.power:.4g} W: check source and calibration"
                )
            distance = math.dist(asked.position, found.position)
            if distance > limits.position_tolerance:
                raise DeviceError(
                    f"tweezer {number} stands {distance:.3g} m from where it was set: "
                    "check device and calibration"
                )
        if applied.beat == 0.0 and applied.phase_error > limits.phase_tolerance:
            raise DeviceError(
                f"φ is off by {applied.phase_error:.3g} rad (tolerance "
                f"{limits.phase_tolerance:g} rad): check that the source is aligned"
            )


def _between(a: Site, b: Site, share: float) -> Site:
    """Site on the way from a to b; phase and detuning are those of the goal."""
    x, y, z = (p + (q - p) * share for p, q in zip(a.position, b.position, strict=True))
    return replace(b, position=(x, y, z), power=a.power + (b.power - a.power) * share)
