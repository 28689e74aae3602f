"""Calibration by thermal motion, against lines that are made from a known particle."""

from __future__ import annotations

import numpy as np
import pytest

from optobind.models.constants import BOLTZMANN, HBAR
from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.thermal import ThermalLine, calibrate_lines

SPHERE, OMEGA, SCALE, HEAT = Sphere(70e-9, 1850.0), 2 * np.pi * 55e3, 4e6, 3e4
ERRORS = np.array([0.01, 0.012])


def line(pressure, rng=None, heat=0.0):
    gamma = Gas(pressure, 293.0, "N2").damping_rate(SPHERE)
    variance = SCALE**2 * BOLTZMANN * 293.0 / (SPHERE.mass * OMEGA**2)
    diffusion = gamma * variance + SCALE**2 * HBAR / (SPHERE.mass * OMEGA) * heat
    values = np.array([gamma, diffusion])
    covariance = np.diag((ERRORS * values) ** 2)
    if rng is not None:
        values = values * (1.0 + ERRORS * rng.standard_normal(2))
    return ThermalLine(OMEGA, values[0], values[1], covariance, pressure)


def fitted(lines, **options):
    return calibrate_lines(lines, temperature=293.0, density=1850.0, species="N2", **options)


def test_exact_lines_give_back_particle_detector_and_heating():
    known = fitted([line(p, heat=HEAT) for p in (1e-3, 1e-2, 1.0)])
    assert known.radius.value == pytest.approx(70e-9, rel=1e-6)
    assert known.mass.value == pytest.approx(SPHERE.mass, rel=1e-6)
    assert known.volts_per_metre.value == pytest.approx(SCALE, rel=1e-6)
    assert known.heating.value == pytest.approx(HEAT, rel=1e-3)
    assert known.chi2 < 1e-6
    assert known.dof == 3


def test_one_pressure_gives_the_particle_and_says_what_it_takes_for_granted():
    known = fitted([line(100.0)], volts_per_metre=SCALE)
    assert known.volts_per_metre.value == pytest.approx(SCALE, rel=1e-6)
    assert known.temperature.value == pytest.approx(293.0, rel=1e-5)
    assert known.heating is None
    assert any("one pressure" in text for text in known.warnings)


@pytest.mark.slow
def test_statistical_errors_are_those_of_repeated_measurements():
    rng = np.random.default_rng(1)
    sets = [fitted([line(p, rng) for p in (30.0, 100.0, 300.0)]) for _ in range(300)]
    for name, truth in (("radius", 70e-9), ("mass", SPHERE.mass), ("volts_per_metre", SCALE)):
        pulls = np.array(
            [(getattr(k, name).value - truth) / getattr(k, name).statistical for k in sets]
        )
        assert abs(pulls.mean()) < 4.0 / np.sqrt(300), name
        assert abs(pulls.std() - 1.0) < 4.0 / np.sqrt(600), name


def test_a_wrong_gauge_shifts_by_the_systematic_error():
    lines = [line(p) for p in (0.1, 1.0)]
    known = fitted(lines, gauge_error=0.1, temperature_error=0.0)
    off = [
        ThermalLine(x.omega, x.gamma, x.diffusion, x.covariance, 0.9 * x.pressure) for x in lines
    ]
    moved = fitted(off)
    for name in ("radius", "mass", "volts_per_metre"):
        shift = abs(getattr(moved, name).value - getattr(known, name).value)
        assert shift == pytest.approx(getattr(known, name).systematic, rel=0.2), name
    assert known.contributions["radius"]["temperature"] == 0.0


def test_records_that_do_not_belong_together_are_named():
    stray = line(100.0)
    wrong = ThermalLine(stray.omega, stray.gamma, 2.0 * stray.diffusion, stray.covariance, 100.0)
    known = fitted([line(30.0), wrong, line(300.0)])
    assert any("not the same in all records" in text for text in known.warnings)


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="at least one"):
        fitted([])
    with pytest.raises(InputError, match="gauge_error"):
        fitted([line(100.0)], gauge_error=3.0)
    with pytest.raises(InputError, match="gamma must lie"):
        fitted([ThermalLine(OMEGA, 1e9, 1.0, np.eye(2), 100.0)])


def test_the_temperature_of_the_motion_does_not_lean_on_that_of_the_gas_twice():
    lines = [line(p) for p in (30.0, 300.0)]
    options = {"density": 1850.0, "species": "N2", "volts_per_metre": SCALE, "gauge_error": 0.0}
    known = calibrate_lines(lines, temperature=293.0, temperature_error=5.0, **options)
    moved = calibrate_lines(lines, temperature=298.0, temperature_error=5.0, **options)
    shift = abs(moved.temperature.value - known.temperature.value)
    assert known.temperature.value == pytest.approx(293.0, rel=1e-6)
    assert known.temperature.systematic == pytest.approx(shift, rel=0.05)
    assert known.contributions["temperature"]["temperature"] == known.temperature.systematic
