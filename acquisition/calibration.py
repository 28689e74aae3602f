"""From detector counts to metres, as the rig states it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..instruments.rig import DetectorChannel
from ..models.array import TrapArray

__all__ = ["masses_of", "metres_per_volt"]


def metres_per_volt(detectors: Sequence[DetectorChannel]) -> NDArray[np.float64]:
    """Signed factor of each detector, m/V: polarity/volts_per_metre, shape (channels,)."""
    return np.array([d.polarity / d.volts_per_metre for d in detectors])


def masses_of(
    trap: TrapArray | None, detectors: Sequence[DetectorChannel]
) -> tuple[float, ...] | None:
    """Masses of the particles that the detectors see, kg; None when unknown."""
    if trap is None or any(d.particle is None for d in detectors):
        return None
    return tuple(trap.spheres[d.particle].mass for d in detectors if d.particle is not None)
