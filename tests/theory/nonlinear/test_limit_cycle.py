import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.errors import ConvergenceError, InputError
from optobind.models.pair import PairConstants
from optobind.theory.nonlinear.limit_cycle import bessel_argument, bessel_gain, limit_cycle
from optobind.theory.nonlinear.orbit import PeriodicOrbit, periodic_orbit
from optobind.theory.nonlinear.reduced import FarFieldPair, simulate_far_field
from optobind.theory.nonlinear.settings import TrajectorySettings
from optobind.theory.nonlinear.simulate import simulate_full_field

OMEGA = 2 * math.pi * 60e3
MASS, K_PRIME = 2.66e-18, 0.92 * 2 * math.pi / 1064e-9


def far_pair(*, kd=5.5 * math.pi, phi=-0.5 * math.pi, ratio=2.0, damping=0.6, g_a=0.01, **changes):
    """A pair with δω = ratio·g_a and γ = damping·g_a, g_a in units of ω."""
    rate = g_a * OMEGA
    values = {
        "omegas": (OMEGA - 0.5 * ratio * rate, OMEGA + 0.5 * ratio * rate),
        "kd": kd,
        "phi": phi,
        "G": rate * kd / (math.sin(kd) * math.sin(phi)),
        "k_prime": K_PRIME,
        "masses": (MASS, MASS),
        "gamma": (damping * rate, damping * rate),
    }
    return FarFieldPair(**{**values, **changes})


def amplitude(values):
    """Half peak to peak, shape (...,)."""
    return 0.5 * np.ptp(values, axis=0)


@pytest.mark.parametrize(("kd", "phi"), [(17.0, 0.4), (20.3, -1.9)])
def test_reduced_forces_have_the_far_field_couplings_as_slopes(kd, phi):
    pair = far_pair(kd=kd, phi=phi, masses=(2e-18, 3e-18))
    constants = PairConstants.far_field(
        omega=pair.omega, kd=kd, phi=phi, G=pair.G, D11=abs(pair.G), D22=abs(pair.G)
    )
    assert pair.couplings == pytest.approx((constants.g_r, constants.g_a))
    step = 1e-12
    first = (pair.binding_forces(0, step)[0] - pair.binding_forces(0, -step)[0]) / (2 * step)
    second = (pair.binding_forces(step, 0)[1] - pair.binding_forces(-step, 0)[1]) / (2 * step)
    scale = 2 * math.sqrt(6e-36) * pair.omega
    assert first / scale == pytest.approx(constants.g_r + constants.g_a, rel=1e-6)
    assert second / scale == pytest.approx(constants.g_r - constants.g_a, rel=1e-6)


def test_reduced_pair_of_an_array_has_its_forces_along_z(make_pair):
    # At kd = 60 the far field is the binding force to about 1/kd.
    trap = make_pair(kd=60.3, phi=0.9, pressure=10.0)
    pair = FarFieldPair.of_trap(trap)
    constants = trap.pair_constants().constants
    scale = 0.03 * pair.G / pair.kd
    assert pair.couplings == pytest.approx((constants.g_r, constants.g_a), abs=scale)
    assert pair.gamma == constants.gamma
    rest = trap.equilibrium()
    alone = [
        trap.forces(rest + np.array([[0, 0, a], [0, 0, b]]))
        for a, b in ((0.0, 1e-8), (0.0, -1e-8), (1e-8, 0.0), (-1e-8, 0.0))
    ]
    shift = K_PRIME * 1e-8
    assert shift < 0.1
    found = np.array([alone[0][0, 2] - alone[1][0, 2], alone[2][1, 2] - alone[3][1, 2]])
    error = 0.05 * 2.0 * shift * pair.force_amplitude
    near = [pair.binding_forces(0.0, z)[0] for z in (1e-8, -1e-8)]
    far = [pair.binding_forces(z, 0.0)[1] for z in (1e-8, -1e-8)]
    assert found == pytest.approx([near[0] - near[1], far[0] - far[1]], abs=error)


def test_gain_of_the_bessel_function_is_the_fundamental_of_the_force():
    phases = np.arange(64) * 2 * math.pi / 64
    for x in (1e-6, 0.3, 1.7, 3.2):
        wave = np.sin(0.8 + x * np.cos(phases))
        fundamental = 2 * (wave * np.cos(phases)).mean()
        assert fundamental == pytest.approx(x * bessel_gain(x) * math.cos(0.8), rel=1e-8)
        assert bessel_argument(bessel_gain(x)) == pytest.approx(x, abs=1e-5)
    assert bessel_argument(1.0) == 0.0
    with pytest.raises(InputError, match="gain must lie in 0 … 1, got 2"):
        bessel_argument(2)


@pytest.mark.parametrize("ratio", [0.7, 2.0, 3.2])
def test_balance_in_the_rotating_wave_is_the_closed_form(ratio):
    # 2J_1(x)/x = (δω² + γ²)/(4g_aδω) up to g/ω.
    pair = far_pair(ratio=ratio, g_a=1e-3)
    gamma, detuning = pair.gamma[0], pair.delta_omega
    expected = (detuning**2 + gamma**2) / (4 * pair.couplings[1] * detuning)
    assert limit_cycle(pair).gain == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{}, {"kd": 17.0, "phi": -1.3, "duffing": (-7e22, -9e22), "masses": (MASS, 1.2 * MASS)}],
)
def test_work_of_the_light_equals_the_loss_to_the_gas_in_the_limit_cycle(changes):
    pair = far_pair(**changes)
    cycle = limit_cycle(pair)
    t = np.arange(256) * 2 * math.pi / 256
    z = [
        cycle.offsets[0] + cycle.amplitudes[0] * np.cos(t),
        cycle.offsets[1] + cycle.amplitudes[1] * np.cos(t - cycle.phase),
    ]
    v = [
        -cycle.omega * cycle.amplitudes[0] * np.sin(t),
        -cycle.omega * cycle.amplitudes[1] * np.sin(t - cycle.phase),
    ]
    forces = pair.binding_forces(*z)
    for force, speed, mass, gamma in zip(forces, v, pair.masses, pair.gamma, strict=True):
        # Each particle is paid for what it loses: the frequency is locked.
        work = (force * speed).mean()
        assert work == pytest.approx(mass * gamma * (speed**2).mean(), rel=1e-6, abs=0)
    assert cycle.relative_amplitude == pytest.approx(np.ptp(z[1] - z[0]) / 2, rel=1e-3, abs=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"damping": 1.2},
        {"ratio": 1.0},
        {"ratio": 3.0},
        {"kd": 5.4 * math.pi, "phi": -1.2},
        {"duffing": (-7.9e22, -7.9e22)},
    ],
)
def test_reduced_pair_settles_at_the_bessel_balance(changes):
    pair = far_pair(**changes)
    cycle = limit_cycle(pair)
    record = simulate_far_field(pair, 80.0 / (0.01 * OMEGA), start=(1e-9, 0.0), sample_every=3)
    late = record.positions[record.times > 0.85 * record.times[-1]]
    assert amplitude(late[:, 1] - late[:, 0]) == pytest.approx(
        cycle.relative_amplitude, rel=0.01, abs=0
    )
    assert amplitude(late) == pytest.approx(cycle.amplitudes, rel=0.01, abs=0)
    crossings = np.nonzero(np.diff(np.signbit(late[:, 0] - late[:, 0].mean())))[0]
    turns = 0.5 * (len(crossings) - 1)
    omega = 2 * math.pi * turns / (record.times[1] * (crossings[-1] - crossings[0]))
    # Verlet runs (ωdt)²/24 fast, 7e-4 at fifty steps a period.
    assert omega == pytest.approx(cycle.omega, rel=1.5e-3)


def test_reduced_pair_grows_at_the_linear_rate_first():
    pair = far_pair()
    record = simulate_far_field(pair, 8.0 / (0.01 * OMEGA), start=(1e-12, 0.0), sample_every=3)
    energy = (record.positions**2 + (record.velocities / OMEGA) ** 2).sum(axis=1)
    half, end = np.interp(np.array([0.6, 0.99]) * record.times[-1], record.times, energy)
    rate = 0.5 * math.log(end / half) / (0.39 * record.times[-1])
    # δω = 2g_a, g_r = 0: the growth is g_a − γ/2 (rotating wave).
    assert rate == pytest.approx(0.7 * 0.01 * OMEGA, rel=0.02)


def test_force_noise_heats_the_reduced_pair_at_its_rate():
    pair = far_pair(damping=0.0, ratio=0.0, G=1e-3)
    noise = np.array([[2.0, 1.2], [1.2, 3.0]]) * 1e-45
    ends = []
    for seed in range(400):
        record = simulate_far_field(
            pair,
            40 * math.pi / OMEGA,
            start=(0.0, 0.0),
            force_noise=noise,
            seed=seed,
            sample_every=1000,
        )
        ends.append(record.velocities[-1] * MASS)
    found = np.cov(np.array(ends).T)
    # Half of the energy is kinetic in the mean over whole periods.
    expected = 0.5 * noise * record.times[-1]
    assert np.abs(found / expected - 1).max() < 0.35


def test_below_the_threshold_the_pair_rests():
    assert limit_cycle(far_pair(damping=2.1)) is None
    assert limit_cycle(far_pair(ratio=4.5)) is None
    pair = far_pair(damping=1.95)
    assert 0 < limit_cycle(pair).argument < 0.7


@pytest.mark.slow
def test_a_jump_of_the_locked_motion_is_not_a_balance():
    # At −2 and −1·10²³ 1/(m²s²) a trajectory ends at A_− = 86 nm, far below where the branch ends.
    kd, phi, G, omega = 5.5 * math.pi, 1.3, 2 * math.pi * 26e3, 2 * math.pi * 60e3
    half = G / kd * math.sin(kd) * math.sin(phi)
    pair = FarFieldPair(
        (omega - half, omega + half), kd, phi, G, 5.4e6, (2e-18, 3e-18), (3e3, 3e3), (-2e23, -1e23)
    )
    with pytest.raises(ConvergenceError, match="do not balance but jump"):
        limit_cycle(pair)
    assert limit_cycle(replace(pair, duffing=(-2e23, -2e23))).argument == pytest.approx(
        5.4e6 * 4.689e-7, rel=1e-3
    )


def test_a_pair_that_light_pushes_far_has_no_cycle_where_the_trajectory_rests():
    # A fixed-point iteration for the mean positions diverges here and made up an unstable balance.
    pair = FarFieldPair(
        (4.3e5, 3.24e5), 16.026, 1.2855, 3.074e6, 5.4e6, (2e-18, 2.18e-18), (3.5e4, 4.9e4)
    )
    record = simulate_far_field(pair, 3e-3, start=(1e-7, 0.0), sample_every=3)
    late = record.positions[record.times > 0.8 * record.times[-1]]
    assert np.ptp(late, axis=0).max() * pair.k_prime < 1e-6
    assert np.abs(late).max() * pair.k_prime > 0.5
    assert limit_cycle(pair) is None


def test_mean_positions_are_where_traps_and_mean_forces_balance():
    rng = np.random.default_rng(6)
    for _ in range(20):
        rates = {"g_a": rng.uniform(0.05, 0.4), "phi": rng.uniform(-2.2, -0.9), "damping": 0.3}
        pair = far_pair(ratio=rng.uniform(1.0, 2.0), **rates)
        try:
            cycle = limit_cycle(pair)
        except ConvergenceError:
            continue
        if cycle is None:
            continue
        t = np.arange(512) * 2 * math.pi / 512
        z = [
            cycle.offsets[0] + cycle.amplitudes[0] * np.cos(t),
            cycle.offsets[1] + cycle.amplitudes[1] * np.cos(t - cycle.phase),
        ]
        for force, place, mass, omega in zip(
            pair.binding_forces(*z), cycle.offsets, pair.masses, pair.omegas, strict=True
        ):
            rest = abs(float(force.mean()) - mass * omega**2 * place)
            assert rest < 1e-9 * pair.force_amplitude


@pytest.mark.parametrize("changes", [{}, {"ratio": 3.0}, {"duffing": (-7.9e22, -7.9e22)}])
def test_deviations_from_the_cycle_die_out_at_its_rate(changes):
    pair = far_pair(g_a=0.003, **changes)
    cycle = limit_cycle(pair)
    span = 12.0 / cycle.recovery_rate
    record = simulate_far_field(pair, 2.0 * span, start=(1e-7, 0.0), sample_every=3)
    z = record.positions[:, 1] - record.positions[:, 0]
    width = round(8.0 * math.pi / cycle.omega / record.times[1])  # four periods
    swing = z[: len(z) // width * width].reshape(-1, width).std(axis=1)
    gap = swing / swing[len(swing) // 2 :].mean() - 1.0
    smooth = np.convolve(gap, np.ones(5) / 5, "valid")
    begin = np.nonzero(np.abs(smooth) > 0.1)[0][-1] + 1
    stop = begin + round(4.0 / cycle.recovery_rate / (width * record.times[1]))
    # A damped beat obeys y_{n+2} = ay_{n+1} + by_n with b = −e^{−2·rate·step} (Prony).
    skip = 5
    y = [smooth[begin + k * skip : stop - (2 - k) * skip] for k in range(3)]
    coefficients = np.linalg.lstsq(np.stack([y[1], y[0]], axis=1), y[2], rcond=None)[0]
    rate = -0.5 * math.log(-coefficients[1]) / (skip * width * record.times[1])
    assert rate == pytest.approx(cycle.recovery_rate, rel=0.25)


@pytest.mark.slow
def test_a_balance_of_strongly_anharmonic_traps_is_refused():
    weak = limit_cycle(far_pair(duffing=(-2e23, -2e23)))
    assert 0.02 < weak.anharmonicity < 0.1
    expected = 0.75 * 2e23 * (np.array(weak.amplitudes) / np.array(far_pair().omegas)) ** 2
    assert weak.anharmonicity == pytest.approx(expected.max())
    with pytest.raises(ConvergenceError, match=r"strongly anharmonic, 3β\|Z\|²/4ω² = 0\.\d+"):
        limit_cycle(far_pair(duffing=(-1e24, -1e24)))


def test_a_limit_cycle_needs_friction():
    with pytest.raises(InputError, match="gamma must be positive for a limit cycle, got 0 and 0"):
        limit_cycle(far_pair(damping=0.0))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"omegas": (1e5,)}, "omegas needs two values"),
        ({"masses": (0.0, 1e-18)}, "masses must lie in .* kg, got 0 kg"),
        ({"k_prime": -1.0}, "k_prime must lie in"),
        ({"kd": 0.0}, "kd must lie in"),
    ],
)
def test_impossible_pairs_are_refused(change, text):
    with pytest.raises(InputError, match=text):
        replace(far_pair(), **change)


def test_a_far_field_pair_needs_light_along_z(make_pair):
    trap = make_pair()
    beams = tuple(
        replace(beam, direction=way) for beam, way in zip(trap.tweezers, (1, -1), strict=True)
    )
    with pytest.raises(InputError, match="needs light along \\+z at both particles"):
        FarFieldPair.of_trap(replace(trap, tweezers=beams))


def test_impossible_runs_of_the_reduced_pair_are_refused():
    with pytest.raises(InputError, match="dt must lie in"):
        simulate_far_field(far_pair(), 1e-4, start=(0, 0), dt=1e-5)
    with pytest.raises(InputError, match="force_noise must be a symmetric 2 × 2 matrix"):
        simulate_far_field(far_pair(), 1e-4, start=(0, 0), force_noise=[1.0, 2.0])


@pytest.fixture
def unstable_pair(make_pair):
    """Pair whose local kd = 5.5π and φ = −π/2 make g_r = 0, with δω = 2g_a = 0.12 ω."""
    return make_pair(
        kd=17.27908919, phi=-1.58168021, balance=0.11889502, pressure=100.0, temperature=1.0
    )


def test_the_unstable_pair_is_antireciprocal_and_past_the_exceptional_point(unstable_pair):
    pair = unstable_pair.pair_constants()
    rates = pair.constants
    assert pair.kd == pytest.approx(5.5 * math.pi, rel=1e-6)
    assert pair.phi_local == pytest.approx(-0.5 * math.pi, abs=1e-6)
    assert rates.delta_omega == pytest.approx(2.0 * rates.g_a, rel=1e-5)
    assert abs(rates.g_r) < 0.01 * rates.g_a
    assert rates.g_a / rates.omega == pytest.approx(0.06, abs=0.001)
    assert rates.symmetry_broken


@pytest.mark.slow
def test_full_field_settles_at_the_bessel_balance_and_at_its_periodic_orbit(unstable_pair):
    trap = unstable_pair
    pair = FarFieldPair.of_trap(trap)
    cycle = limit_cycle(pair)
    orbit = periodic_orbit(trap, cycle)
    start = trap.equilibrium()
    start[0, 2] += 5e-8
    settings = TrajectorySettings(recoil=False, thermal_noise=False, sample_every=7)
    record = simulate_full_field(trap, 4e-3, settings, start=(start, np.zeros((2, 3))))
    assert not record.losses
    late = record.positions[record.times > 3e-3]
    relative = late[:, 1, 2] - late[:, 0, 2]
    found = math.sqrt(2.0) * relative.std()
    # Far-field, first-harmonic theory within 5 %; the full balance is exact to the integrator's dt.
    assert found == pytest.approx(cycle.relative_amplitude, rel=0.05, abs=0)
    assert found == pytest.approx(orbit.relative_amplitude(), rel=3e-3, abs=0)
    spread = math.sqrt(2.0) * late.std(axis=0)
    assert spread[:, 2] == pytest.approx(orbit.amplitudes[:, 2], rel=3e-3, abs=0)
    assert cycle.omega == pytest.approx(orbit.omega, rel=0.01)
    # The linear model would have grown by e^{g_a t/2} from 50 nm.
    assert trap.linearize(axes="xyz").growth_rate * 4e-3 > 40


def test_noise_leaves_the_limit_cycle_where_it_is(unstable_pair):
    cycle = limit_cycle(FarFieldPair.of_trap(unstable_pair))
    record = simulate_full_field(
        unstable_pair, 4e-3, TrajectorySettings(sample_every=7), start="rest", seed=2
    )
    late = record.positions[record.times > 2e-3]
    found = math.sqrt(2.0) * (late[:, 1, 2] - late[:, 0, 2]).std()
    assert found == pytest.approx(cycle.relative_amplitude, rel=0.06, abs=0)


@pytest.mark.slow
def test_orbit_solves_the_equations_of_motion_between_its_samples(unstable_pair):
    trap = unstable_pair
    guess = limit_cycle(FarFieldPair.of_trap(trap))
    fine, coarse = (periodic_orbit(trap, guess, harmonics=h) for h in (6, 4))
    assert fine.relative_amplitude() == pytest.approx(coarse.relative_amplitude(), rel=1e-3, abs=0)
    orders = np.arange(7)[:, None, None]
    for t in (0.3, 1.1, 4.0):
        waves = fine.coefficients * np.exp(-1j * orders * t)
        places = trap.equilibrium() + waves.sum(axis=0).real
        speed = (-1j * orders * fine.omega * waves).sum(axis=0).real
        pull = (-((orders * fine.omega) ** 2) * waves).sum(axis=0).real
        gamma = trap.gas.damping_rate(trap.spheres[0])
        mass = trap.masses[:, None]
        rest = trap.forces(places) - mass * (pull + gamma * speed)
        assert np.abs(rest[:, 2]).max() < 2e-3 * np.abs(mass * pull).max()


@pytest.mark.slow
def test_deviations_from_the_orbit_die_out_as_those_from_the_bessel_balance(unstable_pair):
    # Floquet exponents in the full field against the slowly varying phasors of the far field.
    cycle = limit_cycle(FarFieldPair.of_trap(unstable_pair))
    rate = periodic_orbit(unstable_pair, cycle).growth_rate(unstable_pair)
    assert rate == pytest.approx(-cycle.recovery_rate, rel=0.05)


@pytest.mark.slow
def test_deviations_from_a_tiny_orbit_grow_as_those_from_rest(unstable_pair, monkeypatch):
    cycle = limit_cycle(FarFieldPair.of_trap(unstable_pair))
    orbit = periodic_orbit(unstable_pair, cycle)
    tiny = replace(orbit, coefficients=1e-6 * orbit.coefficients)
    growth = unstable_pair.linearize(axes="xyz").growth_rate
    # The direction along the orbit is left out, which is no eigenvector where it is no solution.
    assert tiny.growth_rate(unstable_pair) == pytest.approx(growth, rel=0.05)
    monkeypatch.setattr(PeriodicOrbit, "growth_rate", lambda self, trap: growth)
    with pytest.raises(ConvergenceError, match=r"orbit is unstable, deviations grow at 1\S+ 1/s"):
        periodic_orbit(unstable_pair, cycle)


@pytest.mark.slow
def test_an_orbit_far_from_the_guess_is_not_invented(make_pair, unstable_pair):
    guess = limit_cycle(FarFieldPair.of_trap(unstable_pair))
    stable = make_pair(kd=17.0, phi=0.1, pressure=1000.0)
    with pytest.raises(ConvergenceError, match="no periodic orbit was found"):
        periodic_orbit(stable, guess)
    with pytest.raises(InputError, match="pair must name two of the particles 0 … 1"):
        periodic_orbit(stable, guess, pair=(0, 2))


@pytest.mark.slow
def test_an_orbit_does_not_depend_on_the_order_of_the_particles(unstable_pair):
    trap = unstable_pair
    turned = replace(trap, tweezers=trap.tweezers[::-1])
    first, second = (
        periodic_orbit(array, limit_cycle(FarFieldPair.of_trap(array, pair)), pair=pair)
        for array, pair in ((trap, (0, 1)), (turned, (1, 0)))
    )
    assert second.omega == pytest.approx(first.omega, rel=1e-9)
    assert second.amplitudes[::-1, 2] == pytest.approx(first.amplitudes[:, 2], rel=1e-6, abs=0)
