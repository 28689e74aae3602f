"""What the suite asks of a feedback controller: one loop for each particle, set and read back.

A loop turns the in-loop detector's record into a force: around a centre frequency, with a gain, a
phase (or a delay) and a band. What switches feedback off is the gate, never a controller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

from ..models.errors import InputError
from ..models.ranges import require_range
from .protocols import Device

__all__ = [
    "ControllerCapabilities",
    "FeedbackController",
    "LoopSetting",
    "differences",
    "require_loop",
    "require_setting",
]


@dataclass(frozen=True)
class LoopSetting:
    """How one loop is set.

    Attributes
    ----------
    gain : float
        In the unit of :attr:`ControllerCapabilities.gain_unit`, never negative: a sign is a phase.
    phase : float
        Lead of the force, rad; 0 where the controller is set by its delay.
    delay : float
        Time by which the force lags, s; 0 where the controller is set by its phase.
    centre : float or None
        Frequency at which gain and phase hold, Hz; None where the controller follows the line.
    bandwidth : float
        Of the loop's filter, Hz: full width of a band-pass, corner of a low-pass.
    """

    gain: float
    phase: float = 0.0
    delay: float = 0.0
    centre: float | None = None
    bandwidth: float = 0.0

    def to_dict(self) -> dict[str, float | None]:
        """Values by name, for run files and tables."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class ControllerCapabilities:
    """Limits of a controller.

    Attributes
    ----------
    loops : int
        How many there are; loop j acts on particle j.
    gain_range : tuple of float
        In ``gain_unit``.
    gain_unit : {"1/s", "V/V"}
        "1/s": the energy damping rate Γ that a loop gives a line at its centre frequency when its
        phase is right (full width of the line Γ/2π). "V/V": output over input amplitude at the
        centre frequency; what rate that makes is found by tuning.
    timing : {"phase", "delay"}
        Which of the two is set; the other stays 0.
    phase_range, delay_range, centre_range, bandwidth_range : tuple of float
        rad, s, Hz, Hz.
    follows : bool
        Whether the centre may be left to the controller (None).
    gain_step, phase_step, delay_step, centre_step, bandwidth_step : float
        Resolution: a read-back may differ by so much; 0 for exact. That of the gain is relative.
    settling : float
        Time from the command until the loop acts as set, at most, s.
    """

    loops: int
    gain_range: tuple[float, float]
    gain_unit: Literal["1/s", "V/V"] = "1/s"
    timing: Literal["phase", "delay"] = "phase"
    phase_range: tuple[float, float] = (-math.tau, math.tau)
    delay_range: tuple[float, float] = (0.0, 0.0)
    centre_range: tuple[float, float] = (1.0, 1e9)
    bandwidth_range: tuple[float, float] = (0.0, 1e9)
    follows: bool = False
    gain_step: float = 0.0
    phase_step: float = 0.0
    delay_step: float = 0.0
    centre_step: float = 0.0
    bandwidth_step: float = 0.0
    settling: float = 0.0


@runtime_checkable
class FeedbackController(Device, Protocol):
    """A feedback controller. ``connect`` writes nothing, ``disconnect`` leaves everything on."""

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Limits, valid after ``connect``."""
        ...

    def check(self, loop: int, setting: LoopSetting) -> None:
        """Raise InputError for a setting that ``set`` would refuse; sends nothing."""
        ...

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set one loop (counted from 0) and return what is read back.

        Raises
        ------
        InputError
            For a setting out of range; nothing was sent.
        DeviceError
            If the device does not take it, or holds something else afterwards.
        """
        ...

    def read(self, loop: int) -> LoopSetting:
        """Read one loop back from the device."""
        ...

    def enabled(self, loop: int) -> bool:
        """Whether the loop's output is on at the controller; it is never switched from here."""
        ...


def require_loop(name: str, loop: int, limits: ControllerCapabilities) -> None:
    """Raise InputError for a loop that does not exist."""
    if isinstance(loop, bool) or not isinstance(loop, int) or not 0 <= loop < limits.loops:
        raise InputError(f"{name} has loops 0 … {limits.loops - 1}, got {loop!r}")


def require_setting(
    name: str, loop: int, setting: LoopSetting, limits: ControllerCapabilities
) -> None:
    """Raise InputError for a setting outside the limits; names the loop and the value."""
    require_loop(name, loop, limits)
    where = f"{name}: loop {loop}: "
    require_range(where + "gain", setting.gain, *limits.gain_range, limits.gain_unit)
    wanted, other = ("phase", "delay") if limits.timing == "phase" else ("delay", "phase")
    if getattr(setting, other) != 0.0:
        raise InputError(f"{where}is set by its {wanted}: leave the {other} 0")
    require_range(where + "phase", setting.phase, *limits.phase_range, "rad")
    require_range(where + "delay", setting.delay, *limits.delay_range, "s")
    if setting.centre is not None:
        require_range(where + "centre", setting.centre, *limits.centre_range, "Hz")
    elif not limits.follows:
        raise InputError(f"{where}needs a centre frequency: it does not follow the line")
    require_range(where + "bandwidth", setting.bandwidth, *limits.bandwidth_range, "Hz")


def differences(
    asked: LoopSetting, found: LoopSetting, limits: ControllerCapabilities
) -> Iterator[str]:
    """What was read back differently from what was asked for, beyond the device's steps."""
    steps = {
        "gain": limits.gain_step * abs(asked.gain),
        "phase": limits.phase_step,
        "delay": limits.delay_step,
        "centre": limits.centre_step,
        "bandwidth": limits.bandwidth_step,
    }
    for name, step in steps.items():
        wanted, got = getattr(asked, name), getattr(found, name)
        if wanted is None or got is None:
            if wanted is not got:
                yield f"{name} {got!r}, asked for {wanted!r}"
            continue
        apart = abs(wanted - got)
        if name == "phase":
            apart = abs(math.remainder(wanted - got, math.tau))
        if not apart <= 1.001 * step + 1e-9 * abs(wanted):
            yield f"{name} {got:.6g}, asked for {wanted:.6g}"
