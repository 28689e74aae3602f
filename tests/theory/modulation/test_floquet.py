import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import mathieu_a, mathieu_b

from optobind.models.errors import InputError, UnstableModelError
from optobind.theory.modulation.chart import stability_chart
from optobind.theory.modulation.drift import ModulatedModel
from optobind.theory.modulation.drives import detuned, parametric, power_modulation
from optobind.theory.modulation.floquet import driven_mean, floquet, periodic_steady_state
from optobind.theory.modulation.pair_model import single_model
from optobind.theory.modulation.propagation import propagate
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Sinusoid

OMEGA = 2 * math.pi * 50e3


def _mathieu_stable(frequencies, depths):
    """z̈ = −ω²(1 + m cos Ωt)z is y″ + (a − 2q cos 2x)y = 0 with x = Ωt/2."""
    stable = np.zeros((len(depths), len(frequencies)), dtype=bool)
    margin = np.full(stable.shape, np.inf)
    ratio = OMEGA / (2 * math.pi * frequencies)
    a, q = 4 * ratio[None, :] ** 2, 2 * ratio[None, :] ** 2 * depths[:, None]
    for order in range(12):
        low, high = mathieu_a(order, q), mathieu_b(order + 1, q)
        stable |= (a > low) & (a < high)
        margin = np.minimum(margin, np.minimum(np.abs(a - low), np.abs(a - high)) / a)
    return stable, margin


def test_chart_of_a_modulated_power_is_that_of_the_mathieu_equation():
    frequencies = np.linspace(0.35, 3.0, 60) * 50e3
    depths = np.linspace(0.02, 0.98, 25)
    models = [
        single_model(omega=OMEGA, D=1.0, power=power_modulation(m, 2 * math.pi)) for m in depths
    ]
    chart = stability_chart(models, frequencies)
    expected, margin = _mathieu_stable(frequencies, depths)
    clear = margin > 1e-5
    assert clear.mean() > 0.99
    assert np.array_equal(chart.stable()[clear], expected[clear])
    assert 0.2 < chart.stable().mean() < 0.95


def test_characteristic_values_are_where_the_trace_reaches_two():
    depth = 0.4
    # Edges of the first tongue: a = b_1(q) and a_1(q), solved for Ω by bisection.
    for characteristic in (mathieu_b, mathieu_a):

        def gap(ratio, value=characteristic):
            return 4 * ratio**2 - value(1, 2 * ratio**2 * depth)

        low, high = 0.3, 0.7
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if gap(low) * gap(middle) <= 0 else (middle, high)
        model = single_model(omega=OMEGA, D=1.0, power=power_modulation(depth, OMEGA / low))
        # A mode of period 2π in x: the monodromy has trace −2 there.
        assert np.trace(floquet(model).monodromy) == pytest.approx(-2.0, abs=1e-8)


def test_weak_modulation_of_the_power_grows_at_a_quarter_of_its_depth():
    model = single_model(omega=OMEGA, D=1.0, power=power_modulation(0.01, 2 * OMEGA))
    assert floquet(model).growth_rate == pytest.approx(0.0025 * OMEGA, rel=1e-4)


def test_monodromy_is_that_of_a_direct_integration(far_pair):
    model = far_pair(Sinusoid(0.4, 1.1, 1.3 * OMEGA), coupling=0.05, kd=17.3, damping=0.3)
    analysis = floquet(model, start=2e-6)

    def slope(t, y):
        return (model.drift([t])[0] @ y.reshape(4, 4)).ravel()

    span = (2e-6, 2e-6 + model.period)
    end = solve_ivp(slope, span, np.eye(4).ravel(), method="DOP853", rtol=1e-12, atol=1e-12)
    expected = end.y[:, -1].reshape(4, 4)
    assert np.abs(analysis.monodromy - expected).max() < 1e-9
    found = np.sort_complex(analysis.multipliers)
    assert found == pytest.approx(np.sort_complex(np.linalg.eigvals(expected)), abs=1e-8)
    turned = analysis.monodromy @ analysis.modes
    assert turned == pytest.approx(analysis.modes * analysis.multipliers, abs=1e-9)


def test_multipliers_do_not_depend_on_where_the_period_begins(far_pair):
    model = far_pair(Sinusoid(0.4, 1.1, 1.3 * OMEGA), coupling=0.05, kd=17.3)
    first, second = (floquet(model, start=t).multipliers for t in (0.0, 5.1e-6))
    assert np.sort_complex(first) == pytest.approx(np.sort_complex(second), abs=1e-9)


def test_reciprocal_undamped_pairs_have_symplectic_multipliers(far_pair):
    # kd = nπ: no antireciprocity, the flow is Hamiltonian and multipliers come as ρ, 1/ρ.
    analysis = floquet(far_pair(parametric(OMEGA), coupling=0.03))
    form = np.kron(np.eye(2), [[0, 1], [-1, 0]])
    phi = analysis.monodromy
    assert np.abs(phi.T @ form @ phi - form).max() < 1e-10
    sizes = np.sort(np.abs(analysis.multipliers))
    assert sizes * sizes[::-1] == pytest.approx(np.ones(4), abs=1e-9)


def test_light_at_rest_has_the_eigenvalues_of_the_linear_model(far_pair):
    steps = Sampled([0.0, 4e-6, 1e-5], [0.4, 0.4, 0.4], "rad", "steps", "repeat")
    model = far_pair(steps, kd=17.3, damping=0.4)
    analysis = floquet(model)
    expected = np.exp(model.frozen(0.0).eigenvalues * 1e-5)
    assert np.sort_complex(analysis.multipliers) == pytest.approx(np.sort_complex(expected))
    assert analysis.growth_rate == pytest.approx(model.frozen(0.0).growth_rate, rel=1e-6)
    assert np.abs(analysis.quasi_frequencies).max() <= math.pi / 1e-5 * (1 + 1e-12)


def test_damping_needed_is_the_threshold(far_pair):
    free = floquet(far_pair(parametric(OMEGA), coupling=0.005))
    rate = 0.005 * OMEGA
    needed = free.damping_needed / rate
    assert needed == pytest.approx(2.0, rel=1e-3)
    for factor, stable in ((0.999, False), (1.001, True)):
        damped = far_pair(parametric(OMEGA), coupling=0.005, damping=factor * needed)
        assert floquet(damped).is_stable is stable


def test_fast_beats_leave_the_particles_uncoupled(far_pair):
    """Two tones of an AOD MHz apart: the interaction averages out as 1/Δν²."""
    exact = far_pair(detuned(1e6), coupling=0.05, kd=17.3).averaged().eigenvalues
    gaps = []
    for delta in (5e5, 1e6, 2e6):
        model = far_pair(detuned(delta), coupling=0.05, kd=17.3)
        found = floquet(model).exponents
        turn = 2j * math.pi * delta
        nearest = [min(abs(mu - e - n * turn) for e in exact for n in (-1, 0, 1)) for mu in found]
        gaps.append(max(nearest) / OMEGA)
    assert gaps[0] < 1e-3
    assert gaps[2] < 0.08 * gaps[0]


def test_beats_near_twice_the_frequency_are_equation_13(far_pair):
    grown = [
        floquet(far_pair(detuned(f * OMEGA / math.pi), coupling=0.01)).growth_rate
        for f in (0.97, 1.0, 1.03)
    ]
    assert grown[1] == pytest.approx(0.01 * OMEGA, rel=1e-3)
    assert max(grown[0], grown[2]) < 1e-8 * OMEGA


def test_periodic_state_is_where_any_start_tends(far_pair):
    model = far_pair(parametric(OMEGA), coupling=0.02, kd=17.3, damping=4.0)
    parts = np.zeros((5, 4))
    parts[3, 1], parts[0, 3] = 3e5, 1e5
    model = ModulatedModel(
        model.weights, model.drift_parts, model.noise_parts, model.output, model.omega, parts
    )
    steady = periodic_steady_state(model, [0.0, 3.3e-6, 3.3e-6 + 40 * model.period])
    late = 4000 * model.period
    found = propagate(model, np.eye(4), late + steady.times[:2], mean=np.ones(4))
    scale = np.abs(found.covariance).max()
    assert np.abs(steady.covariance[:2] - found.covariance).max() < 1e-8 * scale
    assert np.abs(steady.mean[:2] - found.mean).max() < 1e-8 * np.abs(found.mean).max()
    assert np.allclose(steady.covariance[2], steady.covariance[1], rtol=1e-9)
    assert periodic_steady_state(model).covariance.shape == (64, 4, 4)
    means = driven_mean(model, 8)
    assert means[0] == pytest.approx(steady.mean[0], rel=1e-8)


def test_weak_damping_costs_no_digits():
    # γ = 1e-9 ω: the lossless part of the flow must not drown the slow approach.
    model = single_model(
        omega=OMEGA, D=0.0, power=power_modulation(0.1, 0.77 * OMEGA), gamma=1e-9 * OMEGA,
        n_thermal=7.0,
    )  # fmt: skip
    steady = periodic_steady_state(model, tolerance=1e-13)
    # Far from resonance the cycle-averaged energy is that of the bath.
    energy = 0.5 * np.trace(steady.covariance.mean(axis=0))
    assert energy == pytest.approx(7.5, rel=0.05)


def test_a_resonant_drive_without_damping_has_no_periodic_mean():
    power = power_modulation(1e-6, OMEGA)
    base = single_model(omega=OMEGA, D=1.0, power=power)
    force = np.array([[0.0, -1e12], [0.0, 1e12]])
    model = ModulatedModel(
        base.weights, base.drift_parts, base.noise_parts, base.output, OMEGA, force
    )
    assert np.abs(driven_mean(model)).max() > 1e6


def test_growing_models_have_no_periodic_state(far_pair):
    with pytest.raises(UnstableModelError, match="a periodic state does not exist") as caught:
        periodic_steady_state(far_pair(parametric(OMEGA)))
    assert caught.value.growth_rate == pytest.approx(0.01 * OMEGA, rel=1e-3)


def test_light_without_a_period_has_no_multipliers(far_pair):
    with pytest.raises(InputError, match="the light rests, it has no period"):
        floquet(far_pair(0.3))
    wave = Sinusoid(0.0, 1.0, OMEGA) + Sinusoid(0.0, 1.0, math.sqrt(2) * OMEGA)
    with pytest.raises(InputError, match="the light is not periodic"):
        floquet(far_pair(wave))
