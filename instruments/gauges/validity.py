"""What a gauge can have measured: a number outside its sensor's range is no reading.

Controllers fill their answer with something when a sensor is off, saturated or below its range:
0.00E+00, 9.9E+09, 1.0E+03. Most say so by a status, some do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...models.errors import InputError
from ...models.ranges import require_range
from .species import SENSORS

__all__ = ["WIDEST_RANGE", "judge", "sensor_range"]

WIDEST_RANGE = (1e-10, 1.2e5)
"""What any vacuum gauge measures, Pa: from an extractor gauge up to air at 1.2 bar."""


def sensor_range(sensor: str | None, given: Sequence[float] | None = None) -> tuple[float, float]:
    """Range in which readings are believed, Pa, in air equivalents.

    Parameters
    ----------
    sensor : str or None
        A key of :data:`~.species.SENSORS`; None if it is not known.
    given : (low, high), optional
        Range of the very sensor as its data sheet has it; goes before the usual one.

    Raises
    ------
    InputError
        For a range that is none, or goes beyond what gauges measure.
    """
    if given is None:
        return SENSORS.get(sensor or "", WIDEST_RANGE)
    if len(given) != 2:
        raise InputError(f"pressure_range needs two pressures, lowest and highest, got {given!r}")
    low, high = (require_range("pressure_range", value, 1e-12, 1e7, "Pa") for value in given)
    if not low < high:
        raise InputError(f"pressure_range must rise, got {low:g} … {high:g} Pa")
    return low, high


def judge(pascals: float, limits: tuple[float, float]) -> tuple[float | None, str]:
    """Return a pressure with "ok", or None and why the number is no pressure.

    Parameters
    ----------
    pascals : float
        What the gauge indicates, Pa.
    limits : (low, high)
        Range of its sensor, Pa.
    """
    low, high = limits
    if math.isnan(pascals):
        return None, "not a number"
    if pascals < low:
        return None, "under range"
    if pascals > high:
        return None, "over range"
    return pascals, "ok"
