import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.theory.nonlinear.anharmonic import trap_anharmonicity
from optobind.theory.nonlinear.kernels import forces_along
from optobind.theory.nonlinear.packing import make_work, pack_beams, pack_particles
from optobind.theory.nonlinear.settings import TrajectorySettings
from optobind.theory.nonlinear.simulate import simulate_full_field
from optobind.theory.nonlinear.validity import linear_validity


def test_coefficients_of_a_gaussian_trap_are_those_of_its_potential(make_single):
    # U = −U_0/(1 + ζ²) e^{−2ρ²/w²(1 + ζ²)}: F = −kz(1 − 2ζ²) and −kx(1 − 2x²/w²).
    trap = make_single(waists=(2e-6, 2e-6))
    found = trap_anharmonicity(trap, "focus")
    rayleigh = trap.tweezers[0].rayleigh_ranges(trap.k)[0]
    assert found.cubic[0, 2] == pytest.approx(-2 * found.squares[0, 2] / rayleigh**2, rel=0.01)
    assert found.cubic[0, 0] == pytest.approx(-2 * found.squares[0, 0] / (2e-6) ** 2, rel=0.01)
    assert abs(found.quadratic[0, 0]) < 1e-6 * found.squares[0, 0] / 2e-6


def test_duffing_coefficient_is_the_shift_of_a_swinging_particle(make_single):
    # Off the focus the trap is lopsided: the quadratic term shifts as well.
    trap = make_single()
    anharmonic = trap_anharmonicity(trap)
    size = 6e-8
    start = trap.equilibrium() + np.array([0, 0, size])
    settings = TrajectorySettings(dt=5e-9, gas=False, recoil=False)
    omegas = []
    for scale in (0.1, 1.0):
        shift = scale * (start - trap.equilibrium())
        record = simulate_full_field(
            trap, 2e-4, settings, start=(trap.equilibrium() + shift, np.zeros((1, 3)))
        )
        z = record.positions[:, 0, 2] - trap.equilibrium()[0, 2]
        # Times of the crossings, by straight lines.
        up = np.nonzero((z[:-1] < 0) & (z[1:] >= 0))[0]
        times = record.times[up] + record.dt * z[up] / (z[up] - z[up + 1])
        omegas.append(2 * math.pi * (len(up) - 1) / (times[-1] - times[0]))
    omega = math.sqrt(anharmonic.squares[0, 2])
    expected = 0.375 * anharmonic.duffing[0, 2] * (size**2 * 0.99) / omega
    assert anharmonic.quadratic[0, 2] ** 2 > 0.1 * abs(anharmonic.cubic[0, 2]) * omega**2
    assert omegas[1] - omegas[0] == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize(("power", "valid"), [(0.17, True), (0.03, False)])
def test_variances_are_right_where_valid_and_wrong_by_more_than_ten_percent_where_not(
    make_single, power, valid
):
    trap = make_single(power=power, pressure=5e3)
    verdict = linear_validity(trap)
    assert verdict.moments is valid
    settings = TrajectorySettings(sample_every=5)
    record = simulate_full_field(trap, 5e-3, settings, start="thermal", seed=2, trajectories=40)
    late = record.times > 5e-5
    runs = np.array(
        [
            places[alive & late].var(axis=0)
            for places, alive in zip(record.positions[:, :, 0], record.alive, strict=True)
        ]
    )
    ratio = runs.mean(axis=0) / verdict.spreads[0] ** 2
    error = runs.std(axis=0) / math.sqrt(40) / verdict.spreads[0] ** 2
    if valid:
        assert (np.abs(ratio - 1) < 0.1 + 2 * error).all()
        # To first order the variance grows by what the stiffness loses.
        assert (np.abs(ratio * (1 + verdict.stiffness_change[0]) - 1) < 0.02 + 3 * error).all()
    else:
        assert (ratio - 1 > 0.1 + 3 * error).all()
        text = "its spread along z is 0.19 z_R; the spreads change the stiffness there by -28 %"
        assert f"particle 1: {text}" in verdict.reasons


@pytest.mark.slow
@pytest.mark.parametrize(("pressure", "valid"), [(2000.0, True), (20.0, False)])
def test_lines_have_the_linear_width_where_valid_and_are_smeared_where_not(
    make_single, pressure, valid
):
    trap = make_single(pressure=pressure)
    verdict = linear_validity(trap)
    assert verdict.moments
    assert verdict.spectra is valid
    assert verdict.valid is valid
    gamma = trap.gas.damping_rate(trap.spheres[0])
    settings = TrajectorySettings(sample_every=10)
    record = simulate_full_field(
        trap, 3.0 / gamma, settings, start="thermal", seed=3, trajectories=120
    )
    states = record.quadratures(trap)
    wave = states[..., 0] + 1j * states[..., 1]
    lag = round(1.0 / gamma / (record.times[1]))
    product = (wave[:, lag:] * wave[:, :-lag].conj()).mean()
    coherence = abs(product) / (np.abs(wave) ** 2).mean()
    model = trap.linearize()
    root = np.array([1.0, 1j])
    steady = model.steady_state()
    step = model.discretise(lag * record.times[1])[0]
    linear = abs(root @ step @ steady @ root.conj()) / (root @ steady @ root.conj()).real
    assert linear == pytest.approx(math.exp(-0.5), rel=0.05)
    if valid:
        assert coherence == pytest.approx(linear, rel=0.1)
    else:
        assert coherence < 0.7 * linear
        assert "particle 1: along z the Duffing shift" in verdict.reasons[-1]


def _coupling(trap, record):
    """Slope of the binding force on particle 1 with z_2, by regression on all coordinates."""
    places = record.positions.reshape(-1, 2, 3)
    beams = pack_beams(trap)
    forces = []
    for binding in (True, False):
        out = np.empty_like(places)
        particles = pack_particles(trap, binding=binding)
        forces_along(beams, particles, make_work(beams, 2), places, np.zeros(len(places)), out)
        forces.append(out)
    push = (forces[0] - forces[1])[:, 0, 2]
    moved = places.reshape(-1, 6) - places.reshape(-1, 6).mean(axis=0)
    return np.linalg.lstsq(moved, push - push.mean())[0][5]


@pytest.mark.parametrize(("temperature", "valid"), [(2.0, True), (293.0, False)])
def test_binding_is_weakened_where_the_interference_phase_spreads(make_pair, temperature, valid):
    # At kd = 6π and φ = 0 the coupling is at its crest, where no mean shift can raise it.
    trap = make_pair(kd=6 * math.pi, phi=0.0, pressure=1000.0, temperature=temperature)
    verdict = linear_validity(trap)
    assert verdict.moments is valid
    record = simulate_full_field(
        trap, 5e-4, TrajectorySettings(sample_every=10), start="thermal", seed=5, trajectories=60
    )
    linear = -trap.stiffness(trap.equilibrium()).reshape(2, 3, 2, 3)[0, 2, 1, 2]
    share = _coupling(trap, record) / linear
    weakened = math.exp(-0.5 * verdict.phase_spread**2)
    if valid:
        assert weakened > 0.9
        assert share == pytest.approx(1.0, abs=0.1)
    else:
        assert weakened == pytest.approx(0.5, abs=0.05)
        # Fields off the axis and the larger spreads of softer traps take another tenth.
        assert weakened - 0.15 < share < weakened
        assert "particles 1 and 2: the interference phase spreads by 1.1 rad" in verdict.reasons[0]


@pytest.mark.slow
def test_growth_past_the_threshold_is_flagged_when_it_has_gone_too_far(make_pair):
    # kd = 5.5π, φ = −π/2, δω = 2g_a: amplitudes grow until the Bessel balance.
    trap = make_pair(
        kd=17.27908919, phi=-1.58168021, balance=0.11889502, pressure=100.0, temperature=1.0
    )
    steady = linear_validity(trap)
    assert not steady.moments
    assert not steady.spectra
    assert "amplitudes grow at 1.2" in steady.reasons[0]
    assert np.isinf(steady.spreads).all()
    assert linear_validity(trap, 1.0).reasons == steady.reasons
    early, late = 5e-5, 5e-4
    start = np.zeros((12, 12))
    record = simulate_full_field(
        trap, late, TrajectorySettings(sample_every=10), seed=1, trajectories=300
    )
    for time, valid in ((early, True), (late, False)):
        verdict = linear_validity(trap, time, start=start)
        assert verdict.moments is valid
        index = np.argmin(np.abs(record.times - time))
        variance = record.positions[:, index, :, 2].var(axis=0)
        ratio = variance / verdict.spreads[:, 2] ** 2
        if valid:
            assert ratio == pytest.approx(np.ones(2), abs=0.3)  # 300 runs: 8 % each
        else:
            assert (ratio < 0.5).all()


def test_without_friction_a_time_is_needed(make_pair):
    trap = make_pair()
    endless = linear_validity(trap)
    assert endless.reasons == ("nothing damps the motion: there is no steady state; give a time",)
    short, long = linear_validity(trap, 1e-3), linear_validity(trap, 1e4)
    assert short.valid
    assert short.reasons == ()
    assert short.linewidth == pytest.approx(2 * math.pi / 1e-3)
    assert not long.moments
    assert (long.spreads > short.spreads).all()
    assert np.allclose(long.relative_spreads[:, 0], long.spreads[:, 0] / 8e-7)


def test_a_long_time_is_the_steady_state(make_pair):
    trap = make_pair(pressure=100.0, temperature=2.0)
    steady, late = linear_validity(trap), linear_validity(trap, 0.1)
    assert late.spreads == pytest.approx(steady.spreads, rel=1e-6, abs=0)
    assert late.phase_spread == pytest.approx(steady.phase_spread, rel=1e-6)


def test_impossible_questions_are_refused(make_pair):
    trap = make_pair()
    with pytest.raises(InputError, match="tolerance must lie in 1e-06 … 1, got 2"):
        linear_validity(trap, tolerance=2.0)
    with pytest.raises(InputError, match="start needs a time"):
        linear_validity(trap, start=np.eye(12))
    with pytest.raises(InputError, match=r"start must have shape \(12, 12\), got \(4, 4\)"):
        linear_validity(trap, 1e-3, start=np.eye(4))
    for wrong in (-np.eye(12), np.full((12, 12), np.nan)):
        with pytest.raises(InputError, match="start must be a covariance"):
            linear_validity(trap, 1e-3, start=wrong)
    with pytest.raises(InputError, match="time must lie in"):
        linear_validity(trap, -1.0)
