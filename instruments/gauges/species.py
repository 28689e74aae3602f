"""How gauges that are adjusted for air read other gases: p = C · indicated.

Mean values of the manufacturer for a Pirani and a hot cathode: INFICON BCG450 operating manual
tina40e1-b (2011-04), p. 54. Cold cathodes are taken to behave as hot ones; a gauge's own manual
knows better. Count on 10 … 30 %.
"""

from __future__ import annotations

import math

from ...models.errors import InputError
from ...models.gas import GAS_SPECIES

__all__ = ["SENSORS", "check_sensor", "correction", "indicated_pressure"]

_PIRANI = {"air": 1.0, "N2": 1.0, "He": 0.8, "Ne": 1.4, "Ar": 1.7, "Xe": 3.0}
_IONISATION = {"air": 1.0, "N2": 1.0, "He": 5.9, "Ne": 4.1, "Ar": 0.8, "Xe": 0.4}

# Indicated pressures up to which the factors hold, Pa. Above 1 mbar a Pirani is not proportional
# any more; a full-range gauge mixes its two sensors between 1e-3 and 1e-2 mbar.
_PIRANI_TOP = 100.0
_IONISATION_TOP = 0.1
_PIRANI_BOTTOM_OF_FULL_RANGE = 1.0

SENSORS: dict[str, tuple[float, float]] = {
    "pirani": (0.05, 1e5),
    "cold-cathode": (1e-9, 1.0),
    "hot-cathode": (1e-9, 1.0),
    "full-range": (5e-7, 1e5),
    "capacitance": (1e-2, 1.1e5),
}
"""Kinds of sensor, with the pressures that such gauges usually measure, Pa."""


def check_sensor(gas: str, sensor: str | None) -> None:
    """Refuse an unknown gas or sensor, and a gas that needs a sensor to be named.

    Raises
    ------
    InputError
        Lists the known names.
    """
    if gas not in GAS_SPECIES:
        raise InputError(f"unknown gas {gas!r}; known: {', '.join(sorted(GAS_SPECIES))}")
    if sensor is not None and sensor not in SENSORS:
        raise InputError(f"unknown sensor {sensor!r}; known: {', '.join(sorted(SENSORS))}")


def correction(gas: str, sensor: str | None, indicated: float) -> float | None:
    """Factor C of p = C · indicated.

    Parameters
    ----------
    gas : str
        A key of :data:`~optobind.models.gas.GAS_SPECIES`.
    sensor : str or None
        A key of :data:`SENSORS`; None if not known.
    indicated : float
        Reading in air equivalents, Pa.

    Returns
    -------
    float or None
        None where no single factor holds at this pressure, or for a sensor that is not known.
    """
    if sensor == "capacitance" or _PIRANI[gas] == _IONISATION[gas] == 1.0:
        return 1.0
    if sensor == "pirani":
        return _PIRANI[gas] if indicated <= _PIRANI_TOP else None
    if sensor in ("cold-cathode", "hot-cathode"):
        return _IONISATION[gas] if indicated <= _IONISATION_TOP else None
    if sensor == "full-range":
        if indicated <= _IONISATION_TOP:
            return _IONISATION[gas]
        if _PIRANI_BOTTOM_OF_FULL_RANGE <= indicated <= _PIRANI_TOP:
            return _PIRANI[gas]
    return None


def indicated_pressure(gas: str, sensor: str, pressure: float) -> float:
    """Reading in air equivalents, Pa, of a gauge at a true pressure in Pa.

    Between the ranges of the two factors of a full-range gauge the reading is interpolated in the
    logarithm, beyond the range of a Pirani it follows its factor.
    """
    if sensor == "capacitance":
        return pressure
    if sensor == "pirani":
        return pressure / _PIRANI[gas]
    if sensor in ("cold-cathode", "hot-cathode"):
        return pressure / _IONISATION[gas]
    low, high = _IONISATION_TOP * _IONISATION[gas], _PIRANI_BOTTOM_OF_FULL_RANGE * _PIRANI[gas]
    if pressure <= low:
        return pressure / _IONISATION[gas]
    if pressure >= high:
        return pressure / _PIRANI[gas]
    share = math.log(pressure / low) / math.log(high / low)
    return _IONISATION_TOP * math.pow(_PIRANI_BOTTOM_OF_FULL_RANGE / _IONISATION_TOP, share)
