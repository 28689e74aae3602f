import math

import numpy as np
import pytest
from fock_judge import dissipator, quadratures

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.free_space import free_space_pair
from optobind.theory.quantum.locc import LoccChannel, locc_channel
from optobind.theory.quantum.modulated import modulated_pair
from optobind.theory.quantum.separability import locc_sufficient, separability
from optobind.theory.quantum.states import squeezed_state

DT = 1e-3


def _measure_and_push(channel, source):
    """One step of measuring a particle with fresh light and pushing the other, as a linear map.

    Rows of (F, Q): x → Fx + noise with covariance Q, exactly, for the light mode b in vacuum with
    U = exp[√dt(L b† − L†b)], the record √dt(b + b†) and the impulse μ times the record.
    """
    c, gain = complex(channel.measured[source]), channel.gains[1 - source]
    z, p, pushed = 2 * source, 2 * source + 1, 2 * (1 - source) + 1
    step, light = np.eye(4), np.zeros((4, 2))
    # Momentum kick −i√dt(c b† − c*b) = √(2dt)(Im c X − Re c Y).
    light[p] = math.sqrt(2 * DT) * np.array([c.imag, -c.real])
    # Record √dt·√2 X after the interaction, X → X + √(dt/2)·2 Re c·z.
    step[pushed, z] += gain * 2 * c.real * DT
    light[pushed, 0] += gain * math.sqrt(2 * DT)
    return step, 0.5 * light @ light.T


def _average(channel, pair):
    """A and N of measuring, pushing and local heating, from the maps of one step."""
    local = PairConstants(
        pair.omega,
        pair.delta_omega,
        0.0,
        0.0,
        *channel.local_diffusion,
        0.0,
        gamma=pair.gamma,
        n_thermal=pair.n_thermal,
        shift_1=pair.shifts[0],
        shift_2=pair.shifts[1],
    ).to_linear()
    drift, noise = local.drift.copy(), local.noise.copy()
    for source in (0, 1):
        step, added = _measure_and_push(channel, source)
        drift += (step - np.eye(4)) / DT
        noise += added / DT
    return drift, noise


def test_measured_and_pushed_particles_obey_the_master_equation(draw_pair):
    rng = np.random.default_rng(1)
    for _ in range(100):
        pair = draw_pair(rng)
        channel, model = locc_channel(pair), pair.to_linear()
        assert min(*channel.rates, *channel.gains, *channel.local_diffusion) >= 0.0
        for drift, noise in (_average(channel, pair), channel.drift_and_noise(pair)):
            assert np.allclose(drift, model.drift, rtol=0, atol=1e-12)
            assert np.allclose(noise, model.noise, rtol=0, atol=1e-12)
        assert np.allclose(channel.diffusion, pair.diffusion, rtol=0, atol=1e-14)
        assert channel.reciprocal_coupling == pytest.approx(pair.g_r, abs=1e-14)


def test_feedback_master_equation_is_that_of_optical_binding_in_fock_space():
    import qutip as qt

    pair = PairConstants(1.0, 0.0, 0.05, -0.03, 0.09, 0.07, 0.02)
    channel = locc_channel(pair)
    x = quadratures(4, 4)
    z = (x[0], x[2])
    total = -1j * (qt.spre(z[0] * z[1]) - qt.spost(z[0] * z[1])) * 0
    for source in (0, 1):
        c = complex(channel.measured[source]) * z[source]
        force = -channel.gains[1 - source] * z[1 - source]
        energy = 0.5 * (c.dag() * force + force * c)
        total = total - 1j * (qt.spre(energy) - qt.spost(energy))
        total = total + qt.lindblad_dissipator(c - 1j * force)
    for left, operator in zip(channel.local_diffusion, z, strict=True):
        total = total + 2 * left * qt.lindblad_dissipator(operator)
    # Eq. (7) beyond the local H_0 and δH_0.
    coupling = -2 * pair.g_r * z[0] * z[1]
    expected = -1j * (qt.spre(coupling) - qt.spost(coupling)) + dissipator(pair, x)
    assert np.abs((total - expected).full()).max() < 1e-13


def test_a_construction_exists_exactly_where_nothing_entangles(draw_pair):
    rng = np.random.default_rng(2)
    outcomes = []
    for _ in range(300):
        g_r, g_a, correlation = rng.normal(size=3)
        floor = math.hypot(g_a, correlation)
        recoil = floor * (1 + rng.exponential(0.5))
        pair = PairConstants(10.0, 0.0, g_r, g_a, 2 * recoil, recoil / 2, correlation)
        if separability(pair).separable:
            assert min(locc_channel(pair).local_diffusion) >= 0
        else:
            with pytest.raises(InputError, match="no LOCC description"):
                locc_channel(pair)
        outcomes.append(separability(pair).separable)
    assert 50 < sum(outcomes) < 250


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_the_boundary_is_sharp(correlation):
    coupling = math.hypot(1.0, correlation)
    at = PairConstants(10.0, 0.0, 1.0, 0.2, coupling, coupling, correlation)
    # Nothing is left at the boundary, and a millionth less is too little.
    assert max(locc_channel(at).local_diffusion) < 1e-12
    recoil = coupling * (1 - 1e-6)
    below = PairConstants(10.0, 0.0, 1.0, 0.2, recoil, recoil, correlation)
    with pytest.raises(InputError, match=r"√\(D11·D22\) = .* is smaller than .* 1/s"):
        locc_channel(below)


def test_the_simpler_bound_is_sufficient_but_not_sharp(draw_pair):
    rng = np.random.default_rng(3)
    for _ in range(200):
        pair = draw_pair(rng, excess=rng.uniform(1.0, 3.0))
        if locc_sufficient(pair):
            locc_channel(pair)
    between = PairConstants(10.0, 0.0, 1.0, 0.0, 1.2, 1.2, 0.5)
    assert not locc_sufficient(between)
    assert min(locc_channel(between).local_diffusion) > 0


def test_tilted_homodyne_angles_make_the_correlation():
    straight = locc_channel(PairConstants(1.0, 0.0, 0.05, 0.0, 0.1, 0.1, 0.0))
    assert straight.angles == (0.0, 0.0)
    tilted = locc_channel(PairConstants(1.0, 0.0, 0.05, 0.0, 0.1, 0.1, 0.05))
    assert tilted.angles == pytest.approx((math.pi / 4, math.pi / 4))


def test_unidirectional_binding_needs_one_measurement_only():
    channel = locc_channel(PairConstants(1.0, 0.0, 0.05, 0.05, 0.1, 0.1, 0.0))
    # Particle 2 drives particle 1: no record of particle 1 is used.
    assert channel.rates[0] == 0.0
    assert channel.gains[1] == 0.0
    assert channel.rates[1] > 0 < channel.gains[0]


def test_particles_without_coupling_are_heated_locally():
    channel = locc_channel(PairConstants(1.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.0))
    assert channel == LoccChannel((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.1, 0.2))
    only_noise = PairConstants(1.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.05)
    assert np.allclose(locc_channel(only_noise).diffusion, only_noise.diffusion)


def test_every_instant_of_modulated_free_space_light_is_locc():
    for kd in (2.0, 6 * math.pi, 19.7):
        for phi in np.linspace(0, 2 * math.pi, 17):
            pair = free_space_pair(omega=1.0, kd=kd, phi=phi, D=0.1)
            assert min(locc_channel(pair).local_diffusion) > 0


def test_modulated_coupling_below_the_recoil_is_not_locc_at_its_peak_only():
    pair_at = modulated_pair(omega=1.0, g=0.1, D=0.05)
    with pytest.raises(InputError, match="no LOCC"):
        locc_channel(pair_at(0.0))
    locc_channel(pair_at(math.pi / 4))


@pytest.mark.slow
def test_averaged_records_of_single_runs_give_the_moments_of_the_master_equation():
    # Conditional runs with explicit records: a Monte Carlo of both measurements and both forces.
    pair = PairConstants(1.0, 0.1, 0.15, 0.05, 0.3, 0.25, 0.08)
    channel, rng = locc_channel(pair), np.random.default_rng(4)
    runs, steps, end = 20_000, 400, 2.0
    dt = end / steps
    start = np.kron(np.eye(2), squeezed_state(0.3))
    x = rng.multivariate_normal(np.zeros(4), start, runs)
    local = pair.to_linear().drift.copy()
    local[1, 2] = local[3, 0] = 0.0
    flow = np.eye(4) + local * dt + local @ local * dt**2 / 2
    for _ in range(steps):
        records, kicks = [], []
        for j in (0, 1):
            c = complex(channel.measured[j])
            light = rng.normal(0.0, math.sqrt(0.5), (2, runs))
            records.append(math.sqrt(2 * dt) * light[0] + 2 * c.real * x[:, 2 * j] * dt)
            kicks.append(math.sqrt(2 * dt) * (c.imag * light[0] - c.real * light[1]))
        x = x @ flow.T
        for j in (0, 1):
            heat = rng.normal(0.0, math.sqrt(2 * channel.local_diffusion[j] * dt), runs)
            x[:, 2 * j + 1] += kicks[j] + channel.gains[j] * records[1 - j] + heat
    expected = evolve(pair, start, [end])[0]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    # √(2/runs) is 1 %, the step another 0.5 %.
    assert np.abs((np.cov(x.T) - expected) / scale).max() < 0.05
