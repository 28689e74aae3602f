import math

import pytest

from optobind.models.constants import BOLTZMANN
from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere


def test_damping_of_the_reference_sphere(statements):
    gamma = Gas(100.0, 293.0).damping_rate(Sphere(1e-7))
    expected = statements["gas"]["gamma_over_2pi_hz"]
    assert gamma / (2 * math.pi) == pytest.approx(expected, abs=0.5)


def test_damping_is_linear_in_pressure_to_one_percent_below_20_mbar():
    sphere = Sphere(1e-7)
    slope = Gas(1e-4).damping_rate(sphere) / 1e-4
    assert Gas(2000.0).damping_rate(sphere) / 2000.0 == pytest.approx(slope, rel=0.0101)


def test_free_molecular_limit_is_independent_of_viscosity():
    # Epstein with diffuse reflection: mγ = (8/3)(1 + π/8) R² p √(2πm_gas/kT).
    sphere, gas = Sphere(5e-8), Gas(1e-3, 293.0, "N2")
    thermal = math.sqrt(2 * math.pi * gas.molecular_mass / (BOLTZMANN * 293.0))
    epstein = 8 / 3 * (1 + math.pi / 8) * sphere.radius**2 * gas.pressure * thermal
    assert gas.damping_rate(sphere) * sphere.mass == pytest.approx(epstein, rel=0.02)


def test_continuum_limit_is_stokes():
    sphere, gas = Sphere(1e-5), Gas(1.1e5)
    stokes = 6 * math.pi * gas.viscosity * sphere.radius / sphere.mass
    assert gas.damping_rate(sphere) == pytest.approx(stokes, rel=0.02)


def test_mean_free_path_of_air():
    assert Gas(101325.0, 293.0).mean_free_path == pytest.approx(66e-9, rel=0.02)
    assert Gas(0.0).mean_free_path == math.inf


def test_no_gas_does_not_damp():
    assert Gas(0.0).damping_rate(Sphere(1e-7)) == 0.0


def test_crossover_pressure_of_the_reference_pair(silica_pair):
    pair = silica_pair.pair_constants()
    gas, sphere = Gas(0.0, 293.0), silica_pair.spheres[0]
    pressure = gas.crossover_pressure(sphere, pair.omegas[0], pair.constants.D11)
    assert pressure / 100 == pytest.approx(1.75e-6, rel=0.01)
    rate = Gas(pressure, 293.0).heating_rate(sphere, pair.omegas[0])
    assert rate == pytest.approx(pair.constants.D11, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-1.0,), "pressure must lie in 0 … 110000 Pa"),
        ((1.0, 0.0), "temperature must lie in 1 … 3000 K"),
        ((1.0, 293.0, "xenon"), "unknown gas species 'xenon'; known: .*Xe"),
    ],
)
def test_absurd_gas_is_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        Gas(*arguments)


def test_crossover_needs_a_recoil_rate():
    with pytest.raises(InputError, match="recoil_rate must be positive"):
        Gas(0.0).crossover_pressure(Sphere(1e-7), 1e5, 0.0)
