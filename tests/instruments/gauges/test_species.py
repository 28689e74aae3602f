from __future__ import annotations

from itertools import pairwise

import pytest

from optobind.instruments.gauges.species import (
    SENSORS,
    check_sensor,
    correction,
    indicated_pressure,
)
from optobind.models.errors import InputError
from optobind.models.gas import GAS_SPECIES


@pytest.mark.parametrize("gas", sorted(GAS_SPECIES))
@pytest.mark.parametrize("sensor", sorted(SENSORS))
@pytest.mark.parametrize("pressure", [1e-7, 1e-3, 5.0])
def test_correction_undoes_what_the_sensor_shows(gas: str, sensor: str, pressure: float):
    shown = indicated_pressure(gas, sensor, pressure)
    factor = correction(gas, sensor, shown)
    if factor is None:
        assert sensor in ("cold-cathode", "hot-cathode")
        assert shown > 0.1
    else:
        assert factor * shown == pytest.approx(pressure, rel=1e-12)


@pytest.mark.parametrize(
    ("gas", "sensor", "indicated", "factor"),
    [
        ("He", "cold-cathode", 1e-6, 5.9),
        ("Ar", "hot-cathode", 1e-6, 0.8),
        ("Xe", "pirani", 10.0, 3.0),
        ("He", "full-range", 1e-4, 5.9),
        ("He", "full-range", 10.0, 0.8),
        ("He", "full-range", 0.5, None),
        ("Ar", "pirani", 200.0, None),
        ("Ar", "cold-cathode", 0.2, None),
        ("Ar", None, 1e-6, None),
        ("air", None, 1e-6, 1.0),
        ("N2", "pirani", 1e5, 1.0),
        ("He", "capacitance", 1e5, 1.0),
    ],
)
def test_factors_hold_within_their_range(gas, sensor, indicated, factor):
    assert correction(gas, sensor, indicated) == factor


@pytest.mark.parametrize("gas", ["He", "Ar", "Xe"])
def test_full_range_reading_is_steady_where_the_sensors_change(gas: str):
    pressures = [1e-2 * 1.05**i for i in range(140)]
    shown = [indicated_pressure(gas, "full-range", p) for p in pressures]
    assert shown == sorted(shown)
    # The two factors meet within a quarter of a decade: no reading jumps, steep as it may be.
    assert max(b / a for a, b in pairwise(shown)) < 1.5


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"unknown gas 'SF6'; known: Ar, He"):
        check_sensor("SF6", None)
    with pytest.raises(InputError, match=r"unknown sensor 'baratron'; known: capacitance"):
        check_sensor("air", "baratron")
