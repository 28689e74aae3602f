"""What every feedback controller promises."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from ..models.errors import DeviceError, InputError
from .contract_base import Make, connected, refuses, require
from .controller_protocol import ControllerCapabilities, LoopSetting, differences

__all__ = ["check_controller"]


def check_controller(make: Make, *, writes: bool = True, strict: bool = True) -> None:
    """Connecting changes nothing, what is set is read back, what is out of range is refused.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(DeviceError, "a controller that is not connected reads no loop", lambda: make().read(0))
    with connected(make) as device:
        limits = device.capabilities
        require(limits.loops >= 1, "a controller has loops")
        before = [device.read(loop) for loop in range(limits.loops)]
        on = [device.enabled(loop) for loop in range(limits.loops)]
        require(all(isinstance(one, bool) for one in on), "an output is on (True) or off (False)")
        again = [device.read(loop) for loop in range(limits.loops)]
        require(before == again, "reading changes nothing")
        for loop in (-1, limits.loops):
            refuses(InputError, f"loop {loop} is refused", partial(device.read, loop))
            refuses(InputError, f"loop {loop} is refused", partial(device.check, loop, before[0]))
        if strict:
            _refuse_bad_settings(device, before[0], writes)
    with connected(make) as device:
        after = [device.read(loop) for loop in range(limits.loops)]
        require(after == before, "connecting and disconnecting change no loop")
        require(
            on == [device.enabled(loop) for loop in range(limits.loops)],
            "connecting and disconnecting switch no output",
        )
        if writes:
            for loop, setting in enumerate(before):
                _set_and_put_back(device, loop, setting)


def _refuse_bad_settings(device: Any, setting: LoopSetting, writes: bool) -> None:
    limits = device.capabilities
    bad = [
        replace(setting, gain=1.02 * limits.gain_range[1] + 1e-3),
        replace(setting, gain=-1.0),
        replace(setting, gain=math.nan),
        replace(setting, bandwidth=2.0 * limits.bandwidth_range[1] + 1.0),
        replace(setting, centre=2.0 * limits.centre_range[1] + 1.0),
        replace(setting, **{"delay" if limits.timing == "phase" else "phase": 1e-3}),
        replace(setting, phase=math.inf),
    ]
    for wrong in bad:
        refuses(InputError, f"{wrong} is found", partial(device.check, 0, wrong))
        if writes:
            refuses(InputError, f"{wrong} is refused", partial(device.set, 0, wrong))
        require(device.read(0) == setting, f"{wrong} is refused before anything is sent")


def _set_and_put_back(device: Any, loop: int, old: LoopSetting) -> None:
    """Change gain and phase (or delay) by a little, see it, and put it back."""
    limits: ControllerCapabilities = device.capabilities
    gain = max(limits.gain_range[0], 0.95 * old.gain)
    wanted = replace(old, gain=gain, **_turned(old, limits))
    others = [device.read(k) for k in range(limits.loops) if k != loop]
    try:
        told = device.set(loop, wanted)
        found = device.read(loop)
        stayed = others == [device.read(k) for k in range(limits.loops) if k != loop]
    finally:
        device.set(loop, old)
    require(told == found, "set returns what is read back")
    wrong = ", ".join(differences(wanted, found, limits))
    require(not wrong, f"what is set is read back: {wrong}")
    require(stayed, "a loop is set by itself")
    back = ", ".join(differences(old, device.read(loop), limits))
    require(not back, f"a setting can be put back: {back}")


def _turned(old: LoopSetting, limits: ControllerCapabilities) -> dict[str, float]:
    """Phase or delay, turned by a little within its range."""
    name = limits.timing
    low, high = limits.phase_range if name == "phase" else limits.delay_range
    by = min(0.1 if name == "phase" else 1e-7, 0.25 * (high - low))
    now = getattr(old, name)
    return {name: now + by if now + by <= high else now - by}
