"""The laser-power monitor: a digitizer channel of role "monitor" in watts, its noise and drift.

A rig file gives the photodiode's scale in W/V. The power enters every prediction, and a drifting
power moves the mechanical frequencies (Ω ∝ √P): a drift that is seen here explains a line that
wanders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...models.blocks import Block, BlockStatus
from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = ["PowerMonitor", "PowerReading"]


@dataclass(frozen=True)
class PowerReading:
    """Power over some stretch of a record.

    Attributes
    ----------
    power : float
        Mean, W.
    std : float
        Standard deviation within the blocks, W: all noise between the block rate and the Nyquist
        frequency.
    intensity_noise : float
        std / power.
    drift : float
        Slope of the block means over the mean power, 1/s; 0 from fewer than three blocks.
    duration : float
        From the first to the last sample, s.
    saturated : bool
        Whether a block was marked saturated.
    """

    power: float
    std: float
    intensity_noise: float
    drift: float
    duration: float
    saturated: bool = False


class PowerMonitor:
    """Collects blocks of one channel.

    Parameters
    ----------
    channel : int
        Column of the samples.
    watts_per_volt : float
        Scale, W/V; its sign may be negative (inverting amplifier).
    dark_voltage : float
        Voltage without light, V.
    sample_rate : float
        Hz.
    """

    def __init__(
        self, channel: int, watts_per_volt: float, sample_rate: float, *, dark_voltage: float = 0.0
    ) -> None:
        if channel < 0:
            raise InputError(f"channel must be ≥ 0, got {channel}")
        scale = abs(require_range("watts_per_volt", watts_per_volt, -1e6, 1e6, "W/V"))
        require_range("size of watts_per_volt", scale, 1e-12, 1e6, "W/V")
        self._channel, self._scale = channel, float(watts_per_volt)
        self._dark = require_range("dark_voltage", dark_voltage, -1e3, 1e3, "V")
        self._rate = require_range("sample_rate", sample_rate, 1e-3, 1e12, "Hz")
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._times: list[float] = []
        self._means: list[float] = []
        self._sizes: list[int] = []
        self._within = 0.0
        self._span = (math.inf, -math.inf)
        self._saturated = False

    def add(self, block: Block) -> None:
        """Take in a block.

        Raises
        ------
        InputError
            If the block lacks the channel.
        """
        if block.samples.shape[1] <= self._channel:
            raise InputError(f"blocks have {block.samples.shape[1]} columns, not {self._channel}")
        rows = len(block.samples)
        volts = block.samples[:, self._channel] * block.scale[self._channel]
        watts = (np.asarray(volts, dtype=np.float64) - self._dark) * self._scale
        self._means.append(float(watts.mean()))
        self._within += float(watts.var()) * rows
        self._saturated |= bool(block.status & BlockStatus.SATURATED)
        self._sizes.append(rows)
        self._times.append((block.first_sample + 0.5 * rows) / self._rate)
        self._span = (
            min(self._span[0], block.first_sample / self._rate),
            max(self._span[1], (block.first_sample + rows) / self._rate),
        )

    def reading(self) -> PowerReading:
        """Return what the blocks say.

        Raises
        ------
        InputError
            Without a block.
        """
        if not self._means:
            raise InputError("the power monitor has not seen a block yet")
        sizes = np.array(self._sizes, dtype=np.float64)
        power = float(np.average(self._means, weights=sizes))
        std = math.sqrt(self._within / float(sizes.sum()))
        slope = 0.0
        if len(self._means) >= 3:
            slope = float(np.polyfit(self._times, self._means, 1, w=np.sqrt(sizes))[0])
        relative = abs(power) if power else math.inf
        duration = self._span[1] - self._span[0]
        return PowerReading(power, std, std / relative, slope / relative, duration, self._saturated)
