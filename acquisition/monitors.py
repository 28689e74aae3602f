"""Monitor channels with limits, such as the laser's power: watched, and told when they leave them.

The power enters every frequency (Ω ∝ √P) and the depth of the traps. What counts is the mean over
a millisecond, so that neither noise nor the length of a block decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instruments.rig import DetectorChannel
from .slots import LogBook

__all__ = ["MonitorWatch"]

_PIECE_SECONDS = 1e-3
_QUIET_SECONDS = 1.0  # within the limits before it counts as having returned


@dataclass
class _Channel:
    """A monitor and how it stands.

    ``since`` is the sample at which it left its limits, None while it is within; ``back`` the one
    from which it has been within again; ``worst`` the voltage farthest out.
    """

    detector: DetectorChannel
    volts_per_count: float
    low: float
    high: float
    since: int | None = None
    back: int | None = None
    worst: float = 0.0

    @property
    def limits(self) -> str:
        """The limits in words."""
        if math.isinf(self.high):
            return f"at least {self.low:g} V"
        if math.isinf(self.low):
            return f"at most {self.high:g} V"
        return f"{self.low:g} … {self.high:g} V"


class MonitorWatch:
    """Watches the monitors of one stream.

    Parameters
    ----------
    detectors : sequence of DetectorChannel
        Those that have ``low`` or ``high`` are watched.
    scale : sequence of float
        V per count of each column.
    sample_rate : float
        Hz.
    log : LogBook
        Receives a line when a monitor leaves its limits, and one when it is back.
    """

    def __init__(
        self,
        detectors: Sequence[DetectorChannel],
        scale: Sequence[float],
        sample_rate: float,
        log: LogBook,
    ) -> None:
        self._log, self._rate = log, sample_rate
        self._channels = [
            _Channel(
                detector,
                scale[detector.channel],
                -math.inf if detector.low is None else detector.low,
                math.inf if detector.high is None else detector.high,
            )
            for detector in detectors
            if detector.low is not None or detector.high is not None
        ]
        self._told: list[tuple[int, dict[str, object]]] = []

    @property
    def out(self) -> tuple[str, ...]:
        """Monitors that are out of their limits now, in words."""
        return tuple(
            f"{channel.detector.name} is out of its limits ({channel.limits})"
            for channel in self._channels
            if channel.since is not None
        )

    def take(self) -> list[tuple[int, dict[str, object]]]:
        """Return (sample, payload of a FAULT event) for each limit passed since the last call."""
        told, self._told = self._told, []
        return told

    def see(self, samples: NDArray[np.int16] | NDArray[np.float32], first: int) -> None:
        """Take in samples (n, columns) in counts; ``first`` is the index of the first one."""
        rows = max(1, round(_PIECE_SECONDS * self._rate))
        for channel in self._channels:
            starts = np.arange(0, len(samples), rows)
            column = samples[:, channel.detector.channel].astype(np.float64)
            sizes = np.diff(np.append(starts, len(samples)))
            volts = np.add.reduceat(column, starts) / sizes * channel.volts_per_count
            outside = np.maximum(volts - channel.high, channel.low - volts)
            if channel.since is None and not np.any(outside > 0.0):
                continue  # as almost always
            for start, level, excess in zip(starts, volts, outside, strict=True):
                self._judge(channel, first + int(start), float(level), float(excess))

    def _judge(self, channel: _Channel, sample: int, volts: float, excess: float) -> None:
        """Take in the mean of one piece; ``excess`` is how far it is outside, V."""
        if excess > 0.0:
            channel.back = None
            if channel.since is None:
                channel.since, channel.worst = sample, volts
                self._leaves(channel, volts)
            elif excess > max(channel.worst - channel.high, channel.low - channel.worst):
                channel.worst = volts
        elif channel.since is not None:
            channel.back = sample if channel.back is None else channel.back
            if sample - channel.back >= _QUIET_SECONDS * self._rate:
                self._returns(channel)

    def _leaves(self, channel: _Channel, volts: float) -> None:
        assert channel.since is not None
        name = channel.detector.name
        text = (
            f"{name} is {volts:.4g} V from sample {channel.since} on, out of its limits "
            f"({channel.limits}): check laser and fibre; recording goes on, frequencies and trap "
            "depth follow the power"
        )
        self._log.add("warning", text)
        self._told.append((channel.since, {"device": name, "message": text, "returned": False}))

    def _returns(self, channel: _Channel) -> None:
        assert channel.since is not None
        assert channel.back is not None
        name, seconds = channel.detector.name, (channel.back - channel.since) / self._rate
        text = (
            f"{name} is within its limits again from sample {channel.back} on ({channel.limits}); "
            f"it was out for {seconds:.3g} s, at worst {channel.worst:.4g} V"
        )
        self._log.add("info", text)
        self._told.append((channel.back, {"device": name, "message": text, "returned": True}))
        channel.since = channel.back = None
