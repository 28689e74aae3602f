import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.constants import HBAR
from optobind.models.errors import InputError, NotTrappedError
from optobind.models.gas import Gas
from optobind.models.light import Site, TweezerState
from optobind.models.oscillators import oscillator_model
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.modulation.array_drift import averaged_positions, light_parts
from optobind.theory.modulation.array_model import array_model
from optobind.theory.modulation.drives import detuned, power_modulation
from optobind.theory.modulation.pair_model import far_field_model
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Constant, Ramp, Sinusoid


def _state(array, phases, powers, detunings=None):
    detunings = detunings or [0.0] * len(phases)
    return TweezerState(
        tuple(
            Site(beam.position, beam.power * p, phase, nu)
            for beam, phase, p, nu in zip(array.tweezers, phases, powers, detunings, strict=True)
        )
    )


def _rescaled(array, light, places, omega, axes="z"):
    """The static linearisation at given positions, in quanta of another scale ω."""
    coefficients = array.with_light(light).coefficients(places)
    model = oscillator_model(coefficients.drift(axes), coefficients.total_diffusion(axes))
    ratio = coefficients.omega / omega
    drift, noise = np.array(model.drift), np.array(model.noise)
    drift[0::2, 1::2] /= ratio
    drift[1::2, 0::2] *= ratio
    # Momenta in quanta: p/√(ħmω).
    noise[1::2, 1::2] *= ratio
    return drift, noise


def _same(model, time, drift, noise):
    scale = np.abs(drift).max()
    assert np.abs(model.drift([time])[0] - drift).max() < 1e-9 * scale
    assert np.abs(model.noise([time])[0] - noise).max() < 1e-9 * np.abs(noise).max()


@pytest.mark.parametrize("axes", ["z", "xyz"])
def test_frozen_light_is_the_static_linearisation_at_the_same_positions(trap_pair, axes):
    array = trap_pair(kd=11.0, radii=(7e-8, 6e-8), gas=Gas(1e-2))
    program = LightProgram.pair(
        Ramp(0.4, 3e5) + Sinusoid(0.0, 0.5, 6e5), power_modulation(0.2, 3e5), Constant(0.9, "1")
    )
    found = array_model(array, program, axes=axes)
    for time in (0.0, 2.2e-6, 1.4e-5):
        phi, p1 = (float(wave([time])[0]) for wave in (program.phases[0], program.powers[0]))
        light = _state(array, [phi, 0.0], [p1, 0.9])
        drift, noise = _rescaled(array, light, found.positions, found.model.omega, axes)
        # n̄ of the gas belongs to the scale; its share of the noise is γ(2n̄ + 1).
        for j, sphere in enumerate(array.spheres):
            gamma, count = array.gas.damping_rate(sphere), len(axes)
            other = array.with_light(light).coefficients(found.positions).omega
            change = [2 * array.gas.occupation(w) + 1 for w in (found.model.omega, other)]
            rows = 2 * (count * j + np.arange(count)) + 1
            noise[rows, rows] += gamma * (change[0] - change[1] * other / found.model.omega)
        _same(found.model, time, drift, noise)


def test_averaged_positions_balance_the_mean_force(trap_pair):
    array = trap_pair(kd=11.0, radii=(7e-8, 6e-8))
    program = LightProgram.pair(Sinusoid(0.4, 1.2, 2e6), power_modulation(0.3, 2e6))
    places = averaged_positions(array, program)
    period = 2 * math.pi / 2e6
    forces = [
        array.with_light(
            _state(
                array,
                [float(program.phases[0]([t])[0]), 0.0],
                [float(program.powers[0]([t])[0]), 1.0],
            )
        ).forces(places)
        for t in period * np.arange(24) / 24
    ]
    assert np.abs(np.mean(forces, axis=0)).max() < 1e-9 * np.abs(forces).max()
    model = array_model(array, program).model
    assert (
        np.abs(model.force(period * np.arange(24) / 24).mean(axis=0)).max()
        < 1e-8 * np.abs(model.force([0.0])).max()
    )
    # The residual force, in N, over √(ħmω).
    scale = math.sqrt(HBAR * array.masses[0] * model.omega)
    assert model.force([0.0])[0, 1] == pytest.approx(forces[0][0, 2] / scale, rel=1e-9)


def test_fast_detuned_tones_are_the_array_with_two_optical_frequencies(trap_pair):
    """At MHz the interaction averages out; TrapArray then adds the intensities of its beams."""
    array = trap_pair(kd=11.0)
    program = LightProgram.pair(detuned(1e6, 0.3))
    found = array_model(array, program)
    beats = trap_pair(kd=11.0, phi=0.3, detuning=1e6)
    expected = beats.linearize()
    assert np.allclose(found.positions, beats.equilibrium(), rtol=0, atol=1e-14)
    averaged = found.model.averaged()
    assert np.allclose(averaged.drift, expected.drift, rtol=1e-9, atol=1e-6)
    assert np.allclose(averaged.noise, expected.noise, rtol=1e-9, atol=1e-6)
    # Nothing of the mutual coupling is left but what the tail of the other beam carries.
    assert abs(averaged.drift[1, 2]) < 1e-3 * np.abs(found.model.drift_parts[3:, 1, 2]).max()


def test_far_apart_at_the_foci_the_model_is_the_far_field_one(trap_pair):
    array = trap_pair(kd=4000.3)
    far = array.far_field("focus")
    coefficients = array.coefficients("focus")
    program = LightProgram.pair(Ramp(0.2, 4e5), power_modulation(0.1, 4e5))
    found = array_model(array, program, at=array.foci).model
    ratio = coefficients.omega / found.omega
    expected = far_field_model(
        omega=coefficients.omega,
        kd=far.kd,
        G=far.G,
        D11=far.D[0, 0].real,
        D22=far.D[1, 1].real,
        phi=program.phases[0],
        power_1=program.powers[0],
    )
    times = np.array([0.0, 3.3e-6, 7e-6])
    rate = far.G / far.kd
    gap = found.drift(times)[:, 1::2, 0::2] - ratio * expected.drift(times)[:, 1::2, 0::2]
    # Eq. (9) holds up to the curvature of the focus, the rest to O(1/kd).
    assert np.abs(gap[:, [0, 1], [1, 0]]).max() < 2e-3 * rate
    assert np.abs(gap[:, [0, 1], [0, 1]]).max() < 0.1 * rate
    noise = found.noise(times) - ratio * expected.noise(times)
    assert np.abs(noise).max() < 2e-3 * rate


def test_parts_do_not_depend_on_the_arrays_own_phases(trap_pair):
    first, second = (trap_pair(phi=phi) for phi in (0.1, 2.0))
    places = first.equilibrium()
    for name in ("forces", "stiffness", "alone", "diffusion"):
        one, two = (getattr(light_parts(a, places), name) for a in (first, second))
        assert np.array_equal(one, two)


def test_charges_act_in_the_dark(trap_pair):
    array = trap_pair()
    spheres = tuple(Sphere(7e-8, charge=q) for q in (1.6e-17, -1.6e-17))
    charged = TrapArray(spheres, array.tweezers)
    places = array.equilibrium()
    dark = light_parts(charged, places).forces[0]
    assert np.allclose(dark, charged.forces(places) - array.forces(places), rtol=1e-6, atol=0)
    assert np.abs(dark[0, 0]) > 0


def test_three_particles_under_three_tones():
    k = 2 * math.pi / 1064e-9
    beams = tuple(Tweezer((j * 14.0 / k, 0, 0), 0.15, 8e-7, 8e-7) for j in range(3))
    array = TrapArray((Sphere(6e-8),) * 3, beams)
    program = LightProgram(
        (Ramp(0.1, 2e5), Ramp(0.0, 4e5), Constant(0.7)), (Constant(0.15, "W"),) * 3
    )
    found = array_model(array, program)
    assert found.model.states == 6
    time = 3.3e-6
    light = _state(array, [float(w([time])[0]) for w in program.phases], [1.0] * 3)
    drift, noise = _rescaled(array, light, found.positions, found.model.omega)
    _same(found.model, time, drift, noise)


def test_an_equilibrium_that_follows_is_that_of_frozen_light(trap_pair):
    array = trap_pair(kd=11.0, radii=(7e-8, 6e-8))
    program = LightProgram.pair(detuned(200.0, 0.3), power_modulation(0.1, 2 * math.pi * 200.0))
    found = array_model(array, program, at="instantaneous", samples=64)
    assert found.doubts() == ()
    for time in (0.0, 7.3e-4, 4.6e-3):
        # TrapArray's own quasi-static picture of a slow beat: sites with detunings, frozen.
        power = float(program.powers[0]([time])[0])
        sites = _state(array, [0.3, 0.0], [power, 1.0], [0.0, 200.0])
        frozen = array.with_light(sites, time=time)
        drift, noise = _rescaled(
            frozen, _frozen_state(frozen), frozen.equilibrium(), found.model.omega
        )
        assert np.abs(found.model.drift([time])[0] - drift).max() < 3e-6 * np.abs(drift).max()
        assert np.abs(found.model.noise([time])[0] - noise).max() < 1e-5 * np.abs(noise).max()


def _frozen_state(array):
    return TweezerState(
        tuple(Site(beam.position, beam.power, beam.phase) for beam in array.tweezers)
    )


def test_slow_and_fast_answers_agree_to_the_size_of_the_coupling(trap_pair):
    array = trap_pair(kd=60.0)
    program = LightProgram.pair(detuned(300.0, 0.3))
    fast = array_model(array, program).model
    slow = array_model(array, program, at="instantaneous", samples=32).model
    coupling = np.abs(fast.drift_parts[3:]).max() / fast.omega
    times = np.linspace(0, 3e-3, 7)
    gap = np.abs(slow.drift(times) - fast.drift(times)).max() / fast.omega
    assert gap < 0.5 * coupling < 0.02


def test_a_one_shot_waveform_is_followed_within_its_span(trap_pair):
    array = trap_pair()
    wave = Sampled([0.0, 5e-3, 1e-2], [0.0, 1.0, 1.5], kind="cubic")
    program = LightProgram.pair(wave)
    with pytest.raises(InputError, match="light without a period has no cycle average"):
        array_model(array, program)
    with pytest.raises(InputError, match="needs a span of times"):
        array_model(array, program, at="instantaneous")
    found = array_model(array, program, at="instantaneous", span=(0.0, 1e-2), samples=16)
    phi = float(wave([5e-3])[0])
    frozen = array.with_light(_state(array, [phi, 0.0], [1.0, 1.0]))
    drift, _ = _rescaled(frozen, _frozen_state(frozen), frozen.equilibrium(), found.model.omega)
    assert np.abs(found.model.drift([5e-3])[0] - drift).max() < 1e-5 * np.abs(drift).max()
    assert found.doubts() == ()
    with pytest.raises(InputError, match=r"the equilibrium was followed from 0 to 0\.01 s"):
        found.model.drift([0.02])
    fixed = array_model(array, program, at=array.equilibrium())
    assert fixed.at == "positions"


@pytest.mark.parametrize("at", ["averaged", "instantaneous"])
def test_measured_frequencies_replace_the_traps_and_follow_the_power(trap_pair, at):
    measured = (2.1e5, 2.3e5)
    array = trap_pair(kd=60.0, measured_omegas=measured)
    slow = 2 * math.pi * 100.0
    program = LightProgram.pair(detuned(100.0), power_modulation(0.2, slow))
    found = array_model(array, program, at=at, samples=32)
    assert found.omegas == pytest.approx(measured, rel=1e-9)
    assert found.model.omega == pytest.approx(2.2e5)
    # At full power: ω_1² grows by 1.2; averaged light alone leaves the measured values.
    line = -found.model.drift([0.0])[0, 1, 0] * found.model.omega
    shift = 2 * found.model.omega * abs(found.model.drift([0.0])[0, 1, 2])
    assert line == pytest.approx(1.2 * measured[0] ** 2, abs=2 * shift)


def test_the_residual_force_drives_the_particles_when_it_is_resonant(trap_pair):
    # Damped more than by the second-order shift of the line, g²/ω.
    array = trap_pair(kd=60.0, gas=Gas(100.0))
    program = LightProgram.pair(detuned(1e3, 0.3))
    base = array_model(array, program)
    lines = np.sqrt(-np.diag(base.model.averaged().drift[1::2, 0::2]) * base.model.omega)
    excursions = []
    for factor in (1.0, 2.0):
        beat = detuned(factor * lines[0] / (2 * math.pi), 0.3)
        found = array_model(array, LightProgram.pair(beat))
        excursions.append(found.excursion()[0])
        # Rings up to F/(mγω) on resonance, F/(3mω²) at twice the frequency.
        force = abs(found.model.force(np.linspace(0, found.model.period, 65))[:, 1]).max()
        gamma = array.gas.damping_rate(array.spheres[0])
        response = 1 / gamma if factor == 1.0 else 1 / (3 * lines[0])
        length = math.sqrt(HBAR / (array.masses[0] * found.model.omega))
        assert found.excursion()[0] == pytest.approx(force * response * length, rel=0.03)
        doubts = found.doubts()
        if factor == 1.0:
            assert "the light drives the particles by" in doubts[0]
        else:
            assert doubts == ()
    assert excursions[0] > 20 * excursions[1]


def test_time_scales_that_do_not_fit_are_doubted(trap_pair):
    array = trap_pair(kd=60.0, gas=Gas(10.0))
    slow = array_model(array, LightProgram.pair(detuned(2e3)))
    assert slow.doubts() == ()  # its excursions are small
    fast = array_model(array, LightProgram.pair(detuned(3e4)), at="instantaneous", samples=16)
    assert any("use at='averaged'" in sentence for sentence in fast.doubts())
    rest = array_model(array, LightProgram.pair(0.3))
    assert rest.doubts() == ()
    assert np.allclose(
        rest.model.frozen(0.0).drift,
        array.with_light(_state(array, [0.3, 0.0], [1.0, 1.0])).linearize().drift,
        rtol=1e-9,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"at": "focus"}, "at must be 'averaged', 'instantaneous' or positions, got 'focus'"),
        ({"axes": "q"}, "axes must be some of 'xyz'"),
        ({"at": [[0.0, 0.0]]}, "positions must be finite, shape"),
        ({"at": "instantaneous", "samples": 2}, "samples must lie in 8 … 100000, got 2"),
    ],
)
def test_wrong_requests_are_refused(trap_pair, options, text):
    with pytest.raises(InputError, match=text):
        array_model(trap_pair(), LightProgram.pair(detuned(1e3)), **options)


def test_programs_that_do_not_fit_the_array_are_refused(trap_pair):
    array = trap_pair()
    with pytest.raises(InputError, match="the array has 2 beams, the program has 1"):
        array_model(array, LightProgram((Constant(0.0),), (Constant(1.0, "1"),)))
    steps = Sampled([0.0, 1e-3, 2e-3], [0.0, 1.0, 0.0], kind="steps", outside="repeat")
    with pytest.raises(InputError, match="no equilibrium follows light that jumps"):
        array_model(array, LightProgram.pair(steps), at="instantaneous")
    wave = Sampled([0.0, 1e-3], [0.0, 1.0], outside="hold")
    with pytest.raises(InputError, match="span must be two increasing times"):
        array_model(array, LightProgram.pair(wave), at="instantaneous", span=(1.0, 0.0))


def test_light_too_weak_on_average_is_refused(trap_pair):
    array = trap_pair()
    with pytest.raises(NotTrappedError, match="does not hold every particle"):
        array_model(array, LightProgram.pair(detuned(1e6), 0.0))
