"""What every knob and every sensor promises."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

from ..models.errors import DeviceError, InputError
from .contract_base import Make, connected, refuses, require
from .knob_protocol import KnobLimits, SensorLimits

__all__ = ["check_knob", "check_sensor"]

_STEP = 0.05  # of the range
_LOOK_SECONDS = 0.02


def check_knob(make: Make, *, writes: bool = True, strict: bool = True) -> None:
    """Connecting sets nothing, what is set is read back, what is out of range is refused.

    Parameters
    ----------
    make : callable
        Makes an object for the same knob, not connected.
    writes : bool
        Whether it may be turned, by a twentieth of its range; it is turned back.
    strict : bool
        Whether values out of range must be refused (a scripted fake may not).

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(DeviceError, "a knob that is not connected reads nothing", lambda: make().read_value())
    limits = make().limits
    require(isinstance(limits, KnobLimits), "a knob has KnobLimits, before it is connected")
    if writes:
        refuses(
            DeviceError, "a knob that is not connected sets nothing",
            lambda: make().set_value(limits.low),
        )  # fmt: skip
    with connected(make) as device:
        before = _number(device)
        require(_near(limits, before, _number(device)), "reading changes nothing")
        if strict and writes:
            _refuse_bad_values(device, limits, before)
    with connected(make) as device:
        require(_near(limits, before, _number(device)), "connecting and disconnecting set nothing")
        if not writes:
            return
    _turn_and_turn_back(make, limits, before)


def _number(device: Any) -> float:
    value = device.read_value()
    good = isinstance(value, float) and math.isfinite(value)
    require(good, f"a reading is a finite float in SI, not {value!r}")
    return float(value)


def _near(limits: KnobLimits, wanted: float, found: float) -> bool:
    """Whether two readings of one set-point agree: each may be off by the tolerance."""
    return abs(found - wanted) <= 2.0 * limits.margin(wanted)


def _refuse_bad_values(device: Any, limits: KnobLimits, before: float) -> None:
    width = limits.high - limits.low
    # Only a little out of range: a driver that sends it all the same is to break nothing.
    for wrong in (limits.high + 0.01 * width, limits.low - 0.01 * width, math.nan, math.inf):
        refuses(InputError, f"{wrong:g} is refused", partial(device.set_value, wrong))
        require(
            _near(limits, before, _number(device)), f"{wrong:g} is refused before anything is sent"
        )


def _turn_and_turn_back(make: Make, limits: KnobLimits, before: float) -> None:
    """Turn by a little, no faster than allowed; it stays so when disconnected."""
    step = min(_STEP * (limits.high - limits.low), limits.slew * 1.0)
    wanted = before + step if before + step <= limits.high else before - step
    with connected(make) as device:
        device.set_value(wanted)
        found = _settled(device, limits, wanted)
    with connected(make) as device:
        stayed = _number(device)
        device.set_value(min(max(before, limits.low), limits.high))
        back = _settled(device, limits, before)
    require(limits.agrees(wanted, found), f"what is set is read back: {wanted:g}, not {found:g}")
    require(_near(limits, wanted, stayed), "a knob stays as it is when disconnected")
    require(_near(limits, before, back), "a knob can be turned back")


def _settled(device: Any, limits: KnobLimits, wanted: float) -> float:
    """Read until it is near enough, or for as long as that may take."""
    deadline = time.monotonic() + limits.settle
    while not limits.agrees(wanted, found := _number(device)) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return found


def check_sensor(make: Make) -> None:
    """A reading is a number; nothing can be set.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(
        DeviceError, "a sensor that is not connected reads nothing", lambda: make().read_value()
    )
    limits = make().limits
    require(isinstance(limits, SensorLimits), "a sensor has SensorLimits, before it is connected")
    with connected(make) as device:
        for _ in range(2):
            _number(device)
