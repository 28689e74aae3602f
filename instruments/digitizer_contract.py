"""What every digitizer promises: samples counted from start, and reads that return in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..models.blocks import BlockStatus
from ..models.errors import DeviceError
from .contract_base import ContractError, Make, connected, refuses, require
from .protocols import DeviceState

__all__ = ["check_digitizer", "check_trigger"]

_SENTINEL = 12345
_SILENT_READS = 240  # in a row, each of 0.25 s: a minute without a sample
_LONGEST_READ = 2.0  # s; 0.25 s are promised, the rest is for a busy machine


def check_digitizer(make: Make, *, rows: int | None = None, strict: bool = True) -> None:
    """Samples are counted from start, of the type that ``info`` says, and none is repeated.

    Parameters
    ----------
    make : callable
        Makes the digitizer.
    rows : int, optional
        Rows of a block; by default those of about 10 ms, at most 4096.
    strict : bool
        Whether a second start and a buffer that does not fit must be refused.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    device = make()
    refuses(DeviceError, "a digitizer that is not connected does not start", device.start)
    device.stop()
    with connected(make) as device:
        info = device.info
        require(len(info.channels) == len(info.scale) > 0, "each channel has a name and a scale")
        scales = all(math.isfinite(s) and s > 0.0 for s in info.scale)
        require(scales, "scales are positive")
        require(info.sample_rate > 0.0, "the sample rate is positive")
        require(0.0 <= info.latency < math.inf, "the latency is known or 0")
        count = rows or int(min(max(16, 0.01 * info.sample_rate), 4096))
        buffer: Any = np.empty((count, len(info.channels)), dtype=info.dtype)
        refuses(
            DeviceError, "a digitizer that is not started does not read",
            lambda: device.read_into(buffer),
        )  # fmt: skip
        for _ in range(2):
            device.start()
            try:
                require(device.state is DeviceState.RUNNING, "a started digitizer is running")
                if strict:
                    refuses(DeviceError, "a running digitizer does not start again", device.start)
                _read_blocks(device, buffer, strict)
            finally:
                device.stop()
                device.stop()
            require(device.state is DeviceState.READY, "a stopped digitizer is ready")


def _read_blocks(device: Any, buffer: Any, strict: bool) -> None:
    """Read some blocks; each begins where the last one ended, or says that samples are lost."""
    expected = 0
    for number in range(4):
        buffer[...] = _SENTINEL
        result = _next_samples(device, buffer, expected)
        require(0 <= result.samples <= len(buffer), "a read brings at most what was asked for")
        gap = bool(result.status & BlockStatus.GAP_BEFORE)
        good = result.first_sample > expected if gap else result.first_sample == expected
        require(good, f"block {number} begins at sample {expected}, or says that there is a gap")
        if result.finished:
            return
        stale = (buffer[: result.samples] == _SENTINEL).all(axis=0)
        require(not stale.any(), "every column is filled")
        expected = result.first_sample + result.samples
        present = device.present_sample()
        ahead = present is None or (isinstance(present, int) and present >= expected)
        require(ahead, "the present sample is none that has been read already, or not known (None)")
    if not strict:
        return
    wrong: Any = np.empty((len(buffer), buffer.shape[1] + 1), dtype=buffer.dtype)
    refuses(DeviceError, "a buffer that does not fit is refused", lambda: device.read_into(wrong))


def _next_samples(device: Any, buffer: Any, expected: int) -> Any:
    """Read until samples come; reads without one leave the index where it was."""
    for _ in range(_SILENT_READS):
        result = device.read_into(buffer)
        if result.samples or result.finished:
            return result
        require(result.first_sample == expected, "a read without samples leaves the index alone")
    raise ContractError(f"samples come: there was none in {_SILENT_READS} reads")


def check_trigger(make: Make, fire: Callable[[], object], *, reads: int = 4) -> None:
    """Waiting for a trigger can be interrupted: each read returns soon and says what it waits for.

    Parameters
    ----------
    make : callable
        Makes a digitizer that waits for a trigger.
    fire : callable
        Brings the trigger.
    reads : int
        How often it is read in vain before.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    with connected(make) as device:
        info = device.info
        buffer: Any = np.empty((64, len(info.channels)), dtype=info.dtype)
        device.start()
        try:
            for _ in range(reads):
                begin = time.monotonic()
                result = device.read_into(buffer)
                soon = time.monotonic() - begin < _LONGEST_READ
                require(soon, "a read returns soon while the trigger is awaited")
                nothing = (result.samples, result.first_sample, result.finished) == (0, 0, False)
                require(nothing, "without a trigger there is no sample, and no end")
                require(bool(result.waiting), "a read in vain says what is awaited")
                require(device.state is DeviceState.RUNNING, "who waits for a trigger is running")
            fire()
            result = _next_samples(device, buffer, 0)
            require(result.first_sample == 0, "the first sample after the trigger has index 0")
            require(result.samples > 0 and not result.waiting, "after the trigger samples come")
        finally:
            device.stop()
