"""PicoScope 5000A in streaming mode, through picosdk.

Function names, their order of arguments and constants follow Pico's published Python wrappers.
Exercised on a scripted stand-in for the wrappers, not on an instrument.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from importlib import import_module
from typing import Any

import numpy as np

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities
from ..links.base import LinkError
from ..protocols import DigitizerInfo
from .buffered import BufferedDigitizer, RowQueue

__all__ = ["PicoScopeDigitizer"]

_RANGES = {
    0.01: "10MV", 0.02: "20MV", 0.05: "50MV", 0.1: "100MV", 0.2: "200MV", 0.5: "500MV",
    1.0: "1V", 2.0: "2V", 5.0: "5V", 10.0: "10V", 20.0: "20V",
}  # fmt: skip
_RESOLUTIONS = {8: "8BIT", 12: "12BIT", 14: "14BIT", 15: "15BIT", 16: "16BIT"}
_OK, _BUSY = 0, 39
_NEEDS_POWER = (282, 286)  # no supply, or a USB 2 port: to be confirmed before use
_NOT_THERE = (3, 7)  # PICO_NOT_FOUND, PICO_NOT_RESPONDING
_OVERVIEW = 0.25  # s of samples in the buffer that the driver fills
_PAUSE = 0.002


class PicoScopeDigitizer(BufferedDigitizer):
    """Inputs of a PicoScope 5000A, streamed over USB.

    Parameters
    ----------
    name : str
        Name in the rig.
    serial : str or None
        Serial number; None for the first instrument found.
    channels : sequence of str
        Inputs "A" … "D".
    sample_rate : float
        Hz; one over a whole number of ns.
    full_scale : float
        Range, ±V: 0.01 … 20 in steps of 1, 2, 5.
    bits : int
        Resolution: 8, 12, 14, 15 (two channels) or 16 (one channel).
    coupling : {"DC", "AC"}
        Coupling.
    names : sequence of str or None
        Names of the columns.
    timeout : float
        Longest wait beyond the duration of a block, s.
    """

    def __init__(
        self,
        name: str,
        *,
        serial: str | None = None,
        channels: tuple[str, ...] | list[str] = ("A", "B"),
        sample_rate: float = 1e6,
        full_scale: float = 1.0,
        bits: int = 14,
        coupling: str = "DC",
        names: tuple[str, ...] | list[str] | None = None,
        timeout: float = 2.0,
    ) -> None:
        super().__init__(name, timeout)
        self._channels = tuple(channels)
        if not self._channels or not set(self._channels) <= set("ABCD"):
            raise InputError(f"channels must be some of A, B, C, D, got {tuple(channels)}")
        self._names = tuple(names) if names is not None else self._channels
        if len(self._names) != len(self._channels):
            raise InputError(f"names must hold {len(self._channels)}, got {len(self._names)}")
        if full_scale not in _RANGES:
            listed = ", ".join(f"{value:g}" for value in _RANGES)
            raise InputError(f"full_scale must be one of {listed} V, got {full_scale!r} V")
        if bits not in _RESOLUTIONS or len(self._channels) > {15: 2, 16: 1}.get(bits, 4):
            raise InputError(f"{bits!r} bits are not possible with {len(self._channels)} channels")
        if coupling not in ("DC", "AC"):
            raise InputError(f"coupling {coupling!r} is not known; known: DC, AC")
        require_range("sample_rate", sample_rate, 1.0, 125e6, "Hz")
        self._interval = max(1, round(1e9 / sample_rate))
        self._rate = 1e9 / self._interval
        self._serial, self._full, self._bits = serial, full_scale, bits
        self._coupling = coupling
        self._ps: Any = None
        self._handle: ctypes.c_int16 | None = None
        self._buffers: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._callback: Any = None
        self._came: list[tuple[int, int, int]] = []
        self._place, self._looked = 0, 0.0  # where the driver goes on in its buffer; last look, s

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know."""
        return (
            f"{self._name}: samples that are lost inside the PicoScope's driver are noticed by "
            "their place in its buffer; how many they are is exact within a quarter of a second, "
            "and known from this computer's clock beyond",
        )

    def _check(self, status: int, what: str) -> None:
        """Raise unless the driver says OK."""
        if status == _OK:
            return
        kind = LinkError if status in _NOT_THERE else DeviceError
        raise kind(f"PicoScope error {status} ({what}): check USB and power")

    def _open(self) -> str:
        try:
            self._ps = import_module("picosdk.ps5000a").ps5000a
        except ImportError as error:
            raise DeviceError(
                "PicoScopes need picosdk: pip install optobind[picoscope], and the PicoSDK library "
                "from picotech.com"
            ) from error
        except Exception as error:  # the wrappers raise errors of their own without the library
            raise DeviceError(
                f"the PicoSDK library cannot be loaded ({error}): install PicoSDK from picotech.com"
            ) from error
        handle = ctypes.c_int16()
        serial = None if self._serial is None else self._serial.encode("ascii")
        resolution = self._ps.PS5000A_DEVICE_RESOLUTION[f"PS5000A_DR_{_RESOLUTIONS[self._bits]}"]
        status = self._ps.ps5000aOpenUnit(ctypes.byref(handle), serial, resolution)
        if status in _NEEDS_POWER:
            self._handle = handle
            status = self._ps.ps5000aChangePowerSource(handle, status)
        self._check(status, "open")
        self._handle = handle
        largest = ctypes.c_int16()
        self._check(self._ps.ps5000aMaximumValue(handle, ctypes.byref(largest)), "maximum value")
        if largest.value <= 0:
            raise LinkError(f"the largest count is {largest.value}")
        self._capabilities = DigitizerCapabilities(
            channels=4,
            sample_rate_range=(1.0, 125e6 / len(self._channels)),
            full_scales=tuple(_RANGES),
            bits=self._bits,
        )
        self._info = DigitizerInfo(
            sample_rate=self._rate,
            channels=self._names,
            scale=(self._full / largest.value,) * len(self._names),
        )
        return f"PicoScope 5000A {self._serial or 'first found'}, handle {handle.value}"

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(Exception):
                self._ps.ps5000aStop(handle)
            with contextlib.suppress(Exception):
                self._ps.ps5000aCloseUnit(handle)

    def _begin(self) -> None:
        ps, handle = self._ps, self._handle
        mode = ps.PS5000A_RATIO_MODE["PS5000A_RATIO_MODE_NONE"]
        size = max(1024, round(_OVERVIEW * self._rate))
        self._buffers = []
        for channel in "ABCD":
            status = ps.ps5000aSetChannel(
                handle,
                ps.PS5000A_CHANNEL[f"PS5000A_CHANNEL_{channel}"],
                int(channel in self._channels),
                ps.PS5000A_COUPLING[f"PS5000A_{self._coupling}"],
                ps.PS5000A_RANGE[f"PS5000A_{_RANGES[self._full]}"],
                0.0,
            )
            if channel in self._channels:
                self._check(status, f"channel {channel}")
        for channel in self._channels:
            buffer = np.zeros(size, dtype=np.int16)
            pointer = buffer.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
            source = ps.PS5000A_CHANNEL[f"PS5000A_CHANNEL_{channel}"]
            status = ps.ps5000aSetDataBuffers(handle, source, pointer, None, size, 0, mode)
            self._check(status, f"buffer of {channel}")
            self._buffers.append(buffer)
        self._came = []
        self._callback = ps.StreamingReadyType(self._ready)
        interval = ctypes.c_int32(self._interval)
        units = ps.PS5000A_TIME_UNITS["PS5000A_NS"]
        status = ps.ps5000aRunStreaming(
            handle, ctypes.byref(interval), units, 0, size, 0, 1, mode, size
        )
        self._check(status, "run streaming")
        self._place, self._looked = 0, time.monotonic()
        if interval.value != self._interval:
            self._halt()
            raise DeviceError(
                f"the device samples every {interval.value} ns, not every {self._interval} ns: "
                f"set sample_rate = {1e9 / interval.value:.9g} Hz"
            )

    def _ready(self, _handle: int, count: int, start: int, overflow: int, *_: Any) -> None:
        """Note what the driver has put into the buffers (called within ``_fetch``)."""
        self._came.append((start, count, overflow))

    def _fetch(self, queue: RowQueue) -> None:
        self._came.clear()
        status = self._ps.ps5000aGetStreamingLatestValues(self._handle, self._callback, None)
        if status != _BUSY:
            self._check(status, "latest values")
        for start, count, overflow in self._came:
            if start + count > len(self._buffers[0]):
                raise LinkError(f"{count} samples from {start} on leave the buffer")
            rows = np.stack([buffer[start : start + count] for buffer in self._buffers], axis=1)
            queue.put(queue.end + self._lost_before(start, count), rows)
            self._saturated |= bool(overflow)
        if not self._came:
            time.sleep(_PAUSE)

    def _lost_before(self, start: int, count: int) -> int:
        """Samples lost before a piece: the driver fills its buffer in turn, without leaving places.

        Whole turns that were overwritten do not show there: the computer's clock counts them.
        """
        size, now = len(self._buffers[0]), time.monotonic()
        skipped = (start - self._place) % size
        passed = (now - self._looked) * self._rate
        self._place, self._looked = (start + count) % size, now
        if passed < size:  # no turn can be missing
            return skipped
        return skipped + size * max(0, round((passed - count - skipped) / size))

    def _halt(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(Exception):  # whatever it says, no more is read
                self._ps.ps5000aStop(self._handle)
