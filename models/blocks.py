"""A block of detector samples with everything needed to place it in time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from .reprs import short_repr

__all__ = ["Block", "BlockStatus"]


class BlockStatus(IntFlag):
    """What is known to be wrong with a block."""

    OK = 0
    SATURATED = 1
    GAP_BEFORE = 2
    PARTICLE_LOST = 4
    FEEDBACK_OFF = 8


@dataclass(frozen=True)
class Block:
    """Consecutive samples of all channels.

    Attributes
    ----------
    first_sample : int
        Index of the first sample since the start of the acquisition.
    samples : ndarray, shape (n, channels)
        int16 counts or float32 volts.
    scale : ndarray, shape (channels,)
        Volts per count (1 for float samples).
    sequence : int
        Running number of the block.
    host_time : float
        Host's monotonic clock when the block was complete, s.
    status : BlockStatus
        Flags; saturation is set by the digitizer.
    """

    first_sample: int
    samples: NDArray[np.int16] | NDArray[np.float32]
    scale: NDArray[np.float64]
    sequence: int = 0
    host_time: float = 0.0
    status: BlockStatus = BlockStatus.OK

    __repr__ = short_repr

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.first_sample + len(self.samples)

    def volts(self) -> NDArray[np.float64]:
        """Samples in volts, shape (n, channels)."""
        return self.samples * self.scale
