import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.quantum.entanglement import occupation
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.occupation import (
    damped_mode,
    damped_mode_occupation,
    far_field_saturation,
    growing_mode,
    rotating_wave_occupation,
)
from optobind.theory.quantum.states import thermal_state, vacuum_state


def _pair(ratio, recoil, sign=1):
    """g_r = 0, δω = 2g_a, D = recoil·|g_a|."""
    g = ratio * sign
    return PairConstants(1.0, 2 * g, 0.0, g, recoil * ratio, recoil * ratio, 0.0)


def _averaged(pair, start, time, mode_occupation):
    """Mean over a mechanical period, which removes what the rotating wave drops."""
    times = time + np.linspace(0, 2 * math.pi, 17)[:-1] / pair.omega
    return mode_occupation(pair, start, times).mean()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("start", [0.0, 10.0])
@pytest.mark.parametrize("recoil", [1.5, 8.0])
def test_damped_mode_saturates_in_the_full_dynamics(statements, sign, start, recoil):
    assert "D11/(2 g_a) - 1/2" in statements["saturation"]["formula"]
    pair = _pair(0.002, recoil, sign)
    initial = thermal_state(start, start)
    for turns in (0.5, 1.5, 3.0):
        time = turns / abs(pair.g_a)
        found = _averaged(pair, initial, time, damped_mode_occupation)
        expected = rotating_wave_occupation(pair, start, time)
        assert found == pytest.approx(float(expected), abs=0.02 * (1 + start + recoil))
    final = rotating_wave_occupation(pair, start, 50 / abs(pair.g_a))
    assert final == pytest.approx(pair.saturation_occupation())


def test_gas_heats_the_damped_mode_and_helps_to_damp_it():
    # γ(n̄ + ½) twice the recoil, γ half the damping by binding.
    g = 0.002
    pair = PairConstants(
        1.0, 2 * g, 0.0, g, 3 * g, 3 * g, 0.0, gamma=(g, g), n_thermal=(5.5, 5.5)
    )  # fmt: skip
    assert pair.saturation_occupation() == pytest.approx(9.0 / 3.0 - 0.5)
    for turns in (0.5, 2.0):
        found = _averaged(pair, thermal_state(0.0, 0.0), turns / g, damped_mode_occupation)
        expected = rotating_wave_occupation(pair, 0.0, turns / g)
        assert found == pytest.approx(float(expected), rel=0.05)


def test_no_damping_reaches_the_ground_state_in_free_space():
    # D > G/kd ≥ |g_a|, so that n > 0 for every distance of the far field.
    for kd in (2.0, 17.3, 40.0):
        for factor in (0.8, 1.0):
            assert far_field_saturation(kd, factor) > 0.0


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.0])
def test_far_field_saturation_is_that_of_the_pair_at_its_best_phase(statements, factor):
    assert statements["saturation"]["dipole_far_field"].startswith("(kd/3)(1 + 0.4/A^2) - 1/2")
    kd = 5.5 * math.pi
    G = 1.5 * factor**2 / (factor**2 + 0.4)
    pair = PairConstants.far_field(omega=100.0, kd=kd, phi=math.pi / 2, G=G, D11=1.0, D22=1.0)
    assert pair.saturation_occupation() == pytest.approx(far_field_saturation(kd, factor))
    assert far_field_saturation(kd, factor) == pytest.approx(kd / 3 * (1 + 0.4 / factor**2) - 0.5)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_other_mode_grows(sign):
    pair = _pair(0.002, 3.0, sign)
    time = 2.0 / abs(pair.g_a)
    state = evolve(pair, vacuum_state(), [time])[0]
    # d⟨n⟩/dt = 2|g_a|(n + ½) + D: (n + ½ + D/2|g_a|) e^{2|g_a|t}.
    expected = (0.5 + 1.5) * math.exp(4.0) - 1.5 - 0.5
    assert occupation(state, growing_mode(pair.g_a)) == pytest.approx(expected, rel=0.02)


def test_unequal_recoil_saturates_at_the_mean():
    pair = PairConstants(1.0, 0.004, 0.0, 0.002, 0.01, 0.004, 0.0)
    found = _averaged(pair, vacuum_state(), 3.0 / pair.g_a, damped_mode_occupation)
    assert found == pytest.approx(0.007 / 0.004 - 0.5, abs=0.08)
    assert rotating_wave_occupation(pair, 0.0, 1e6) == pytest.approx(1.25)


def test_modes_are_orthogonal_and_mirror_with_the_sign():
    for g_a in (0.3, -0.3):
        assert np.vdot(damped_mode(g_a), growing_mode(g_a)) == pytest.approx(0.0)
    assert damped_mode(1.0)[1] == -1j * math.sqrt(0.5)
    assert damped_mode(-1.0) == growing_mode(1.0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: damped_mode(0.0), "no mode is damped unless g_a"),
        (lambda: far_field_saturation(0.5), "kd must lie in 1 …"),
        (lambda: rotating_wave_occupation(_pair(0.1, 2.0), -1.0, 1.0), "initial occupation must"),
    ],
)
def test_values_out_of_range_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
