"""Demodulators of Zurich Instruments lock-ins (HF2LI, MFLI, UHFLI) as a digitizer, through zhinst.

Subscribes to demodulator samples of a LabOne data server and changes no setting of the instrument:
what a demodulator measures, and how fast, is set in LabOne. Method names follow the published
zhinst-core documentation and poll example. Exercised on a scripted stand-in, not on an instrument.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities
from ..links.zurich import connected_server, server_errors
from ..protocols import DigitizerInfo
from .buffered import BufferedDigitizer, RowQueue

__all__ = ["ZurichDigitizer"]

_POLL = 0.02  # s in one poll
_COMPONENTS = ("x", "y")


class ZurichDigitizer(BufferedDigitizer):
    """Components of demodulators, in volts.

    The data server time-stamps every sample: what it drops is a gap of exactly known length.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Such as "dev1234".
    channels : sequence of str
        Demodulator and component, such as "0.x"; all demodulators must run at one rate.
    host, port : str, int
        Data server: port 8004, or 8005 for an HF2.
    api_level : int
        6, or 1 for an HF2.
    interface : str
        How the server reaches the device: "1GbE", "USB", "PCIe".
    names : sequence of str or None
        Names of the columns.
    timeout : float
        Longest wait beyond the duration of a block, s.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str,
        channels: tuple[str, ...] | list[str] = ("0.x", "0.y"),
        host: str = "localhost",
        port: int = 8004,
        api_level: int = 6,
        interface: str = "1GbE",
        names: tuple[str, ...] | list[str] | None = None,
        timeout: float = 2.0,
    ) -> None:
        super().__init__(name, timeout)
        self._channels = [self._parse(channel) for channel in channels]
        if not self._channels or len(set(self._channels)) < len(self._channels):
            raise InputError(f"channels must be some different ones, got {tuple(channels)}")
        self._demods = sorted({demod for demod, _ in self._channels})
        self._names = tuple(names) if names is not None else tuple(channels)
        if len(self._names) != len(self._channels):
            raise InputError(f"names must hold {len(self._channels)}, got {len(self._names)}")
        self._device, self._interface = device.lower(), interface
        self._server = (host, int(require_range("port", port, 1, 65535)), int(api_level))
        self._daq: Any = None
        self._ticks = 0
        self._origin: int | None = None
        self._offsets: dict[int, int] = {}  # of a demodulator's grid from the first one's, ticks
        self._waiting: dict[int, list[tuple[NDArray[Any], NDArray[Any]]]] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know."""
        if len(self._demods) < 2:
            return ()
        return (
            f"{self._name}: samples of different demodulators are joined to the nearest one in "
            "time; a constant delay of less than half a sample between them is not corrected",
        )

    @staticmethod
    def _parse(channel: str) -> tuple[int, str]:
        demod, _, component = channel.partition(".")
        if not demod.isdigit() or component not in _COMPONENTS:
            raise InputError(f"channel {channel!r} must be like 0.x or 2.y")
        return int(demod), component

    def _path(self, demod: int, leaf: str) -> str:
        return f"/{self._device}/demods/{demod}/{leaf}"

    def _open(self) -> str:
        self._daq = connected_server(self._server, self._device, self._interface)
        with server_errors("connecting"):
            clock = int(self._daq.getInt(f"/{self._device}/clockbase"))
            enabled = [int(self._daq.getInt(self._path(d, "enable"))) for d in self._demods]
            rates = [float(self._daq.getDouble(self._path(d, "rate"))) for d in self._demods]
        if not all(enabled):
            off = [d for d, on in zip(self._demods, enabled, strict=True) if not on]
            raise DeviceError(f"enable the demodulators {off} in LabOne")
        if max(rates) - min(rates) > 1e-6 * max(rates) or min(rates) <= 0.0:
            raise DeviceError(f"set one rate for the demodulators, found {rates} Hz")
        self._ticks = round(clock / rates[0])
        rate = clock / self._ticks
        self._capabilities = DigitizerCapabilities(
            channels=len(_COMPONENTS) * len(self._demods),
            sample_rate_range=(rate, rate),
            full_scales=(),
            bits=32,
        )
        self._info = DigitizerInfo(
            sample_rate=rate,
            channels=self._names,
            scale=(1.0,) * len(self._names),
            dtype="float32",
        )
        return f"Zurich Instruments {self._device} at {self._server[0]}:{self._server[1]}"

    def _close(self) -> None:
        daq, self._daq = self._daq, None
        if daq is not None:
            with contextlib.suppress(Exception):
                daq.unsubscribe("*")
            with contextlib.suppress(Exception):
                daq.disconnect()

    def _begin(self) -> None:
        self._origin, self._offsets = None, {}
        self._waiting = {demod: [] for demod in self._demods}
        with server_errors("subscribing"):
            self._daq.unsubscribe("*")
            self._daq.sync()
            for demod in self._demods:
                self._daq.subscribe(self._path(demod, "sample"))

    def _fetch(self, queue: RowQueue) -> None:
        with server_errors("polling"):
            data = self._daq.poll(_POLL, round(1e3 * self._timeout), 0, True)
        for demod in self._demods:
            part = data.get(self._path(demod, "sample"))
            if part is not None and len(part["timestamp"]):
                stamps = np.asarray(part["timestamp"], dtype=np.int64)
                values = np.stack([np.asarray(part[c]) for c in _COMPONENTS], axis=1)
                self._waiting[demod].append((stamps, values))
        self._join(queue)

    def _join(self, queue: RowQueue) -> None:
        """Put into the queue the samples that all demodulators have, by their time stamps.

        Demodulators of one rate tick alike, but not always at the same moment: each has its own
        grid, whose offset stays, and samples belong together that are nearest in time.
        """
        if not all(self._waiting.values()):
            return
        indices, values = {}, {}
        for demod, parts in self._waiting.items():
            stamps = np.concatenate([s for s, _ in parts])
            values[demod] = np.concatenate([v for _, v in parts])
            indices[demod] = self._indices(demod, stamps)
        last = min(int(i[-1]) for i in indices.values())
        common = indices[self._demods[0]]
        for demod in self._demods[1:]:
            common = np.intersect1d(common, indices[demod])
        common = common[(common <= last) & (common >= 0)]
        columns = []
        for demod, component in self._channels:
            at = np.searchsorted(indices[demod], common)
            columns.append(values[demod][at, _COMPONENTS.index(component)])
        for demod in self._demods:
            rest = indices[demod] > last
            stamps = np.concatenate([s for s, _ in self._waiting[demod]])
            self._waiting[demod] = [(stamps[rest], values[demod][rest])] if rest.any() else []
        if not common.size:
            return
        rows = np.stack(columns, axis=1).astype(np.float32)
        breaks = np.flatnonzero(np.diff(common) != 1) + 1
        for first, piece in zip(np.split(common, breaks), np.split(rows, breaks), strict=True):
            queue.put(int(first[0]), piece)

    def _indices(self, demod: int, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of each sample on the common grid.

        Raises
        ------
        DeviceError
            If the demodulator has left its grid: its rate is another one.
        """
        if self._origin is None:
            self._origin = max(int(parts[0][0][0]) for parts in self._waiting.values())
        ticks = self._ticks
        if demod not in self._offsets:
            apart = int(stamps[0]) - self._origin
            self._offsets[demod] = (apart + ticks // 2) % ticks - ticks // 2
        index, remainder = np.divmod(stamps - self._origin - self._offsets[demod], ticks)
        if remainder.any():
            raise DeviceError("the rate of the demodulators has changed: reconnect")
        return np.asarray(index, dtype=np.int64)

    def _halt(self) -> None:
        if self._daq is not None:
            with contextlib.suppress(Exception):  # whatever it says, no more is read
                self._daq.unsubscribe("*")
