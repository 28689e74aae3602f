"""What every device of a family promises, as checks that a driver's author can run.

>>> from optobind.instruments.contracts import check_contract
>>> check_contract("rf", lambda: MySource("rf", link=my_fake_link()))

Each call of ``make`` must give an object for the *same* device, not connected: a new one, or the
one that it gave before. A broken promise
raises :class:`ContractError`, which is an AssertionError: the checks serve in any test framework.
With ``writes=False`` nothing is set, for a device that must not be disturbed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..models.errors import DeviceError, InputError
from .catalogue import Family
from .contract_base import ContractError, Make, connected, refuses, require
from .controller_contract import check_controller
from .digitizer_contract import check_digitizer, check_trigger
from .knob_contract import check_knob, check_sensor
from .pattern_contract import check_pattern_player
from .protocols import (
    ChecksPattern,
    ChecksTones,
    DeviceState,
    GaugeReading,
    RFTone,
    SpotPattern,
    StepsTones,
)
from .setpoints import wrapped_phase

__all__ = [
    "ContractError",
    "check_contract",
    "check_controller",
    "check_digitizer",
    "check_gate",
    "check_gauge",
    "check_knob",
    "check_life_cycle",
    "check_pattern_player",
    "check_rf_source",
    "check_sensor",
    "check_slm",
    "check_trigger",
]


def check_contract(family: Family, make: Make, *, writes: bool = True, strict: bool = True) -> None:
    """Check everything that a family promises.

    Parameters
    ----------
    family : str
        Kind of device.
    make : callable
        Makes a device object, not connected.
    writes : bool
        Whether settings may be changed; they are put back.
    strict : bool
        Whether wrong use and values out of range must be refused (a scripted fake may not).

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    check_life_cycle(make)
    if family == "digitizer":
        check_digitizer(make, strict=strict)
    elif family == "rf":
        check_rf_source(make, writes=writes, strict=strict)
    elif family == "slm":
        check_slm(make, writes=writes, strict=strict)
    elif family == "gauge":
        check_gauge(make)
    elif family == "knob":
        check_knob(make, writes=writes, strict=strict)
    elif family == "sensor":
        check_sensor(make)
    elif family == "pattern":
        check_pattern_player(make, writes=writes)
    elif family == "controller":
        check_controller(make, writes=writes, strict=strict)
    else:
        check_gate(make, writes=writes)


def check_life_cycle(make: Make) -> None:
    """States, repeated calls and identity.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    device = make()
    try:
        require(device.state is DeviceState.DISCONNECTED, "a new device is disconnected")
        require(bool(device.name), "a device has a name")
        device.disconnect()
        require(device.state is DeviceState.DISCONNECTED, "disconnect is safe in any state")
        for _ in range(2):
            identity = device.connect()
            told = isinstance(identity, str) and bool(identity.strip())
            require(told, "connect returns the identity")
            require(device.state is DeviceState.READY, "a connected device is ready")
            device.connect()
            require(device.state is DeviceState.READY, "connecting twice does no harm")
            device.disconnect()
            device.disconnect()
            require(device.state is DeviceState.DISCONNECTED, "disconnect ends in disconnected")
    finally:
        device.disconnect()


# -- RF source ------------------------------------------------------------------------------------


def check_rf_source(make: Make, *, writes: bool = True, strict: bool = True) -> None:
    """Connecting changes nothing, what is set is read back, what is out of range is refused.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(
        DeviceError, "a source that is not connected reads no tone", lambda: make().read_tone(0)
    )
    with connected(make) as device:
        limits = device.capabilities
        require(limits.channels >= 1, "a source has channels")
        before = [device.read_tone(i) for i in range(limits.channels)]
        require(
            before == [device.read_tone(i) for i in range(limits.channels)],
            "reading changes nothing",
        )
        for channel in (-1, limits.channels):
            refuses(
                InputError, f"channel {channel} is refused",
                partial(device.read_tone, channel),
            )  # fmt: skip
        if strict and writes:
            _refuse_bad_tones(device, before[0])
    with connected(make) as device:
        after = [device.read_tone(i) for i in range(limits.channels)]
        require(after == before, "connecting and disconnecting change no tone")
        if writes:
            for channel, tone in enumerate(before):
                _set_and_put_back(device, channel, tone)


def _refuse_bad_tones(device: Any, tone: RFTone) -> None:
    limits = device.capabilities
    # Only a little too large: a driver that sends it all the same is to break nothing.
    bad = [
        replace(tone, frequency=2.0 * limits.frequency_range[1] + 1.0),
        replace(tone, frequency=math.nan),
        replace(tone, amplitude=1.02 * limits.amplitude_range[1] + 1e-3),
        replace(tone, amplitude=-1.0),
        replace(tone, phase=math.inf),
    ]
    for wrong in bad:
        if isinstance(device, ChecksTones):
            refuses(InputError, f"{wrong} is found", partial(device.check_tones, [wrong]))
        refuses(InputError, f"{wrong} is refused", partial(device.set_tone, 0, wrong))
        require(device.read_tone(0) == tone, f"{wrong} is refused before anything is sent")


def _set_and_put_back(device: Any, channel: int, old: RFTone) -> None:
    """Change amplitude and phase by a little; frequency and output stay."""
    limits = device.capabilities
    amplitude = max(limits.amplitude_range[0], 0.95 * old.amplitude)
    turn = 0.0 if limits.phase == "absent" else 0.1
    wanted = replace(old, amplitude=amplitude, phase=wrapped_phase(old.phase + turn))
    try:
        device.set_tone(channel, wanted)
        device.align()
        device.set_tone(channel, wanted)  # aligning may have reset the phase
        found = device.read_tone(channel)
        quick = isinstance(device, StepsTones)
        if quick:
            device.step_tone(channel, replace(wanted, amplitude=old.amplitude), wanted)
            device.step_tone(channel, wanted, replace(wanted, amplitude=old.amplitude))
            stepped = device.read_tone(channel)
            require(stepped == found, "a step sets what set_tone sets")
    finally:
        device.set_tone(channel, old)
    step = max(limits.amplitude_resolution, 0.012 * amplitude)
    require(found.frequency == old.frequency, "a frequency that stays is read back as it was")
    require(abs(found.amplitude - amplitude) <= step, "the amplitude is read back")
    error = abs(wrapped_phase(found.phase - wanted.phase))
    require(error <= max(limits.phase_resolution, 2e-3), "the phase is read back")
    require(found.enabled == old.enabled, "the output stays as it was")


# -- SLM ------------------------------------------------------------------------------------------


def check_slm(make: Make, *, writes: bool = True, strict: bool = True) -> None:
    """What ``show`` returns is what ``read`` gives, and showing it again changes nothing.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(DeviceError, "an SLM that is not connected reads no pattern", lambda: make().read())
    with connected(make) as device:
        before = device.read()
        require(device.read() == before, "reading changes nothing")
        if not writes:
            return
        half = min(1.3e-6, 0.25 * device.capabilities.field_of_view)
        pattern = SpotPattern(((-half, 0.0, 0.0), (half, 0.0, 0.0)), (0.5, 0.5), (0.4, 0.0))
        shown = device.show(pattern)
        require(device.read() == shown, "read gives what show returned")
        require(device.show(shown) == shown, "what was shown can be shown again")
        near = np.allclose(shown.positions, pattern.positions, rtol=0.0, atol=5e-8)
        require(near, "spots stand where they were asked for")
        if device.capabilities.phase_per_spot:
            (a, b), (p, q) = shown.phases, pattern.phases
            step = 2.0 * math.pi / device.capabilities.phase_levels
            error = abs(wrapped_phase(a - b - p + q))
            require(error <= max(step, 0.02), "the relative phase is as asked for")
        if strict:
            out = 10.0 * device.capabilities.field_of_view
            wrong = replace(pattern, positions=((out, 0.0, 0.0), (0.0, 0.0, 0.0)))
            if isinstance(device, ChecksPattern):
                device.check_pattern(shown)
                refuses(
                    InputError, "a spot outside the field is found",
                    lambda: device.check_pattern(wrong),
                )  # fmt: skip
            refuses(InputError, "a spot outside the field is refused", lambda: device.show(wrong))
            require(device.read() == shown, "a refused pattern changes nothing")
        if len(before.positions) > 0:
            device.show(before)


# -- gauge and gate -------------------------------------------------------------------------------


def check_gauge(make: Make) -> None:
    """A reading is a pressure with status ok, or a status without one.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(DeviceError, "a gauge that is not connected reads nothing", lambda: make().read())
    with connected(make) as device:
        for _ in range(2):
            _check_reading(device.read())


def _check_reading(reading: GaugeReading) -> None:
    valid = reading.pressure is not None
    require(valid == (reading.status == "ok"), "a value comes with status ok, and only then")
    require(bool(reading.species), "a reading says for which gas it holds")
    if reading.pressure is not None:
        good = math.isfinite(reading.pressure) and reading.pressure > 0.0
        require(good, "a pressure is positive, in Pa")


def check_gate(make: Make, *, writes: bool = True) -> None:
    """The gate is read back and stays as it is when disconnected.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    refuses(DeviceError, "a gate that is not connected reads nothing", lambda: make().read())
    if writes:
        refuses(DeviceError, "a gate that is not connected sets nothing", lambda: make().set(True))
    with connected(make) as device:
        before = device.read()
        require(isinstance(before, bool), "a gate is open (False) or closed (True)")
    with connected(make) as device:
        require(device.read() is before, "connecting and disconnecting do not switch")
        if not writes:
            return
        try:
            for closed in (not before, before, before):
                device.set(closed)
                require(device.read() is closed, "the gate is read back")
            device.set(not before)
        except BaseException:
            device.set(before)
            raise
    with connected(make) as device:
        stayed = device.read() is not before
        device.set(before)
        require(stayed, "a gate stays as it is when disconnected")
