import cmath
import math

import numpy as np
import pytest
from scipy.special import jv

from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.light import Site, TweezerState
from optobind.theory.modulation.array_drift import averaged_positions
from optobind.theory.modulation.array_model import array_model
from optobind.theory.modulation.array_points import (
    array_working_point,
    static_beam_splitter,
)
from optobind.theory.modulation.drives import detuned, power_modulation
from optobind.theory.modulation.floquet import floquet, periodic_steady_state
from optobind.theory.modulation.pair_model import single_model
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.propagation import propagate
from optobind.theory.modulation.rotating import mean_lines
from optobind.theory.modulation.waveform import Sinusoid
from optobind.theory.modulation.working_points import find_working_point

OMEGA = 2 * math.pi * 50e3
SPLIT = 0.06 * OMEGA
SQUEEZERS = ("one_mode_squeezing", "two_mode_squeezing")


@pytest.fixture
def unbalanced(far_pair):
    """Return a builder of pairs with lines apart, under two tones."""

    def build(coupling=0.004, kd=6 * math.pi, phi=None, **options):
        wave = detuned(1e3) if phi is None else phi
        return far_pair(wave, coupling=coupling, kd=kd, delta_omega=SPLIT, **options)

    return build


def _growth(model, frequency):
    return floquet(model.undamped().played_at(frequency)).growth_rate


@pytest.mark.parametrize("kind", SQUEEZERS)
@pytest.mark.parametrize("kd", [6 * math.pi, 6.2 * math.pi])
def test_located_frequency_grows_fastest(unbalanced, kind, kd):
    model = unbalanced(kd=kd)
    point = find_working_point(model, kind)
    step = 0.05 * point.rate / (2 * math.pi)
    around = [_growth(model, point.frequency + n * step) for n in (-8, -2, -1, 0, 1, 2, 8)]
    assert max(around) == around[3]
    assert around[3] == pytest.approx(point.growth_rate, rel=1e-6)
    # Growth is √(rate² − Δ²): the curve is flat at its top.
    assert around[2] == pytest.approx(around[4], rel=1e-3)
    assert point.damping_needed == 2 * point.growth_rate


@pytest.mark.parametrize("kind", ["beam_splitter", *SQUEEZERS])
def test_rates_of_the_rotating_wave_are_met_to_first_order(unbalanced, kind):
    gaps = []
    for coupling in (0.004, 0.001):
        point = find_working_point(unbalanced(coupling), kind)
        # Two tones drive every resonance at half the static rate, G/2kd at kd = nπ.
        assert point.rate == pytest.approx(0.5 * coupling * OMEGA, rel=0.1)
        gaps.append(abs(point.rotating_rate / point.rate - 1))
    assert gaps[0] < 0.004
    assert gaps[1] < 0.4 * gaps[0] + 1e-6


@pytest.mark.parametrize("kd", [6 * math.pi, 6.2 * math.pi, 5.4 * math.pi])
def test_beam_splitter_is_where_the_hybrid_modes_are_closest(unbalanced, kd):
    point = find_working_point(unbalanced(kd=kd), "beam_splitter")
    rate = 0.002 * OMEGA
    assert point.rate == pytest.approx(rate * abs(math.cos(kd)), rel=0.02)
    # √(κ_12κ_21) = (G/2kd)e^{∓ikd}: away from kd = nπ it also amplifies.
    assert point.growth_rate == pytest.approx(rate * abs(math.sin(kd)), abs=0.02 * rate)
    assert point.frequency == pytest.approx(SPLIT / (2 * math.pi), rel=0.01)


def test_beam_splitter_swaps_the_states_after_the_transfer_time(far_pair):
    """A cold and a hot particle exchange their occupations, without noise, in the full dynamics."""
    model = far_pair(detuned(1e3), coupling=0.002, recoil=1e-6, delta_omega=SPLIT)
    point = find_working_point(model, "beam_splitter")
    start = np.diag([20.5, 20.5, 0.5, 0.5])
    times = point.transfer_time * np.array([0.5, 1.0, 2.0])
    found = propagate(point.model, start, times).covariance
    energy = 0.5 * np.array([[np.trace(v[:2, :2]), np.trace(v[2:, 2:])] for v in found])
    # Quanta are counted at the common scale: ±δω/2ω of them.
    assert energy[1] == pytest.approx([0.5, 20.5], rel=0.1, abs=0.15)
    assert energy[2] == pytest.approx([20.5, 0.5], rel=0.1, abs=0.2)
    assert energy[0] == pytest.approx([10.5, 10.5], rel=0.1)
    wrong = propagate(point.model.played_at(0.9 * point.frequency), start, times[1:2]).covariance
    assert 0.5 * np.trace(wrong[0, :2, :2]) > 5.0


def test_sinusoidal_phases_follow_jacobi_and_anger(unbalanced):
    for beta in (0.8, 1.84):
        model = unbalanced(coupling=0.002, phi=Sinusoid(0.5 * math.pi, beta, 1e4))
        point = find_working_point(model, "two_mode_squeezing")
        # cos φ = −sin(β cos Ωt): harmonics J_1(β) of either sign.
        assert point.rate == pytest.approx(0.002 * OMEGA * jv(1, beta), rel=0.01)


def test_higher_harmonics_meet_the_resonance_at_a_fraction_of_its_frequency(unbalanced):
    model = unbalanced(coupling=0.004, phi=Sinusoid(0.0, 3.05, 1e4))
    second = find_working_point(model, "two_mode_squeezing", order=2)
    assert second.frequency == pytest.approx(0.5 * 2 * OMEGA / (2 * math.pi), rel=0.01)
    assert second.rate == pytest.approx(second.rotating_rate, rel=0.02)


def test_the_second_particle_has_a_resonance_of_its_own(unbalanced):
    first, second = (
        find_working_point(unbalanced(), "one_mode_squeezing", particle=j) for j in (0, 1)
    )
    assert second.frequency - first.frequency == pytest.approx(SPLIT / math.pi, rel=0.03)
    assert first.model.output.shape == (2, 4)


def test_threshold_and_squeezed_variance_are_those_of_the_damped_pair(far_pair):
    coupling = 0.004
    point = find_working_point(far_pair(detuned(1e3), coupling=coupling), "two_mode_squeezing")
    g = coupling * OMEGA
    assert point.damping_needed == pytest.approx(2 * g, rel=1e-3)
    assert not point.stable
    assert point.squeezed_variance == pytest.approx(1.5 / 2, rel=1e-3)  # D/(2g)
    damped = far_pair(detuned(1e3), coupling=coupling, damping=2.1)
    point = find_working_point(damped, "two_mode_squeezing")
    assert point.stable
    covariance = periodic_steady_state(point.model).covariance
    smallest = np.mean([np.linalg.eigvalsh(value)[0] for value in covariance])
    assert smallest == pytest.approx(point.squeezed_variance, rel=0.02)
    assert point.transfer_time == math.inf


def test_a_beam_splitter_has_a_transfer_time_and_no_squeezing(unbalanced):
    point = find_working_point(unbalanced(), "beam_splitter")
    assert point.transfer_time == math.pi / (2 * point.rate)
    assert math.isnan(point.squeezed_variance)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "squeezing"}, "unknown kind 'squeezing' of working point; known: beam_splitter"),
        ({"particle": 2}, "particle must be a whole number in 0 … 1, got 2"),
        ({"order": 0}, "order must be a whole number of at least 1"),
        ({"order": 2}, "harmonic 2 of the light does not drive two mode squeezing"),
    ],
)
def test_working_points_that_cannot_be_are_refused(unbalanced, options, text):
    with pytest.raises(InputError, match=text):
        find_working_point(unbalanced(), **{"kind": "two_mode_squeezing", **options})


def test_pairs_that_hold_no_working_point_are_told(far_pair):
    with pytest.raises(InputError, match="the two lines coincide"):
        find_working_point(far_pair(detuned(1e3)), "beam_splitter")
    near = far_pair(detuned(1e3), coupling=0.02, delta_omega=0.02 * OMEGA)
    with pytest.raises(InputError, match="is not small against the distance of the lines"):
        find_working_point(near, "beam_splitter")
    single = single_model(omega=OMEGA, D=1.0, power=power_modulation(0.1, 1e4))
    with pytest.raises(InputError, match="a working point needs a pair"):
        find_working_point(single, "one_mode_squeezing")
    with pytest.raises(InputError, match="the light rests"):
        find_working_point(far_pair(0.3), "one_mode_squeezing")


def _at_phase(array, phi):
    first, second = array.tweezers
    return TweezerState(
        (Site(first.position, first.power, phi), Site(second.position, second.power, 0.0))
    )


@pytest.mark.parametrize("kind", ["beam_splitter", *SQUEEZERS])
def test_a_real_rig_has_its_working_points_at_two_tones(trap_pair, kind):
    """70 nm spheres, 0.17 W, first principles: Floquet against the rotating wave."""
    array = trap_pair(kd=30 * math.pi, balance=0.2, gas=Gas(1e-4))
    rig = array_working_point(array, kind)
    point = rig.point
    assert rig.doubts == ()
    # The light to set has the model of the point.
    fresh = array_model(array, rig.program).model
    assert np.allclose(fresh.drift([3e-6]), point.model.drift([3e-6]), rtol=1e-9, atol=1e-6)
    # Amplitudes over φ of the exact couplings at those positions, from the static array.
    places = averaged_positions(array, LightProgram.pair(detuned(1e3)))
    still = [
        array.with_light(_at_phase(array, phi)).pair_constants(places).constants
        for phi in (0.0, 0.5 * math.pi)
    ]
    plus, minus, shift = (
        0.5 * complex(f(still[0]), -f(still[1]))
        for f in (lambda c: c.g_r + c.g_a, lambda c: c.g_r - c.g_a, lambda c: c.shift_1)
    )
    expected = {
        "beam_splitter": abs(cmath.sqrt(plus * minus.conjugate()).real),
        "two_mode_squeezing": abs(cmath.sqrt(plus.conjugate() * minus).real),
        "one_mode_squeezing": abs(shift),
    }[kind]
    # In quanta of the lines instead of the common scale.
    lines = mean_lines(point.model)
    own = lines[0] if kind == "one_mode_squeezing" else math.sqrt(lines[0] * lines[1])
    expected *= still[0].omega / own
    coupling = expected / point.model.omega
    assert 0.001 < coupling < 0.02
    assert point.rate == pytest.approx(point.rotating_rate, rel=coupling)
    assert point.rate == pytest.approx(expected, rel=coupling)
    if kind == "beam_splitter":
        assert point.transfer_time == pytest.approx(math.pi / (2 * point.rotating_rate), rel=0.01)
    else:
        assert not point.stable
        assert point.damping_needed > array.gas.damping_rate(array.spheres[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["beam_splitter", *SQUEEZERS])
def test_best_phase_modulation_beats_two_tones_by_twice_the_bessel_function(trap_pair, kind):
    array = trap_pair(kd=30 * math.pi, balance=0.2)
    tones = array_working_point(array, kind).point
    rig = array_working_point(array, kind, drive="phase")
    best, phi_0, beta = rig.point, rig.phi_0, rig.depth
    # 2J_1(1.84) = 1.164, and e^{iφ_0} on the better quadrature of kd.
    assert best.rate / tones.rate == pytest.approx(1.164, rel=0.02)
    assert beta == pytest.approx(1.84, abs=0.03)
    assert abs(math.sin(phi_0)) == pytest.approx(1.0, abs=0.05)
    worse = array_model(array, LightProgram.pair(Sinusoid(phi_0, 0.6 * beta, 1e4))).model
    assert find_working_point(worse, kind).rate < 0.9 * best.rate


def test_power_modulation_squeezes_one_particle_of_a_rig(trap_pair):
    array = trap_pair(kd=30 * math.pi, balance=0.2)
    for particle in (0, 1):
        point = array_working_point(
            array, "one_mode_squeezing", drive="power", depth=0.02, particle=particle
        ).point
        line = math.pi * point.frequency
        assert point.rate == pytest.approx(0.005 * line, rel=0.02)
    with pytest.raises(InputError, match="a power drives one-mode squeezing only"):
        array_working_point(array, "beam_splitter", drive="power")


def test_a_static_beam_splitter_balances_the_lines(trap_pair):
    array = trap_pair(kd=30 * math.pi, balance=0.1, radii=(7e-8, 6.9e-8))
    point = static_beam_splitter(array)
    lit = array.with_light(point.state)
    constants = lit.pair_constants().constants
    assert constants.line_frequencies[0] == pytest.approx(constants.line_frequencies[1], rel=1e-9)
    assert point.rate == pytest.approx(point.rotating_rate, rel=1e-3)
    assert point.transfer_time == pytest.approx(math.pi / (2 * point.rate))
    # Any other balance splits the modes more.
    for change in (-0.01, 0.01):
        other = array.with_light(point.state.with_pair(balance=point.balance + change)).linearize()
        lines = np.sort(other.eigenvalues.imag)[-2:]
        assert 0.5 * (lines[1] - lines[0]) > point.rate
    # And the phase is the best: g_r² − g_a² falls on either side.
    for change in (-0.5, 0.5):
        assert static_beam_splitter(array, point.phi + change).rate < point.rate


def test_static_light_that_amplifies_is_no_beam_splitter(trap_pair):
    array = trap_pair(kd=20.5 * math.pi)
    with pytest.raises(InputError, match=r"the coupling is antireciprocal at phi = 1\.571 rad"):
        static_beam_splitter(array, 0.5 * math.pi)
    unequal = trap_pair(radii=(7e-8, 7e-8), balance=0.0)
    wide = type(unequal)(
        unequal.spheres,
        (unequal.tweezers[0], type(unequal.tweezers[1])((3e-6, 0, 0), 0.17, 1.3e-6, 1.3e-6)),
    )
    with pytest.raises(InputError, match="the two lines do not meet"):
        static_beam_splitter(wide)


def test_rigs_that_do_not_fit_are_refused(trap_pair):
    pair = trap_pair()
    single = type(pair)(pair.spheres[:1], pair.tweezers[:1])
    with pytest.raises(InputError, match="a working point needs a pair, got 1 particles"):
        array_working_point(single, "beam_splitter")
    with pytest.raises(InputError, match="unknown drive 'frequency'"):
        array_working_point(pair, "beam_splitter", drive="frequency")
