import math

import numpy as np
import pytest
from scipy.special import jv

from optobind.models.errors import InputError
from optobind.models.light import Site, TweezerState
from optobind.theory.modulation.drives import detuned, power_modulation
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Constant, Ramp, Sinusoid
from optobind.theory.modulation.weights import Retimed, fourier_weights, mean_weights

TURN = 2 * math.pi


def test_weights_are_powers_and_interferences():
    program = LightProgram(
        (Ramp(0.3, 5.0), Constant(1.1), Sinusoid(0.0, 0.4, 3.0)),
        (power_modulation(0.5, 4.0), Constant(0.8, "1"), Constant(1.0, "1")),
    )
    times = np.array([0.0, 0.7, 2.9])
    phase = np.stack([wave(times) for wave in program.phases])
    power = np.stack([wave(times) for wave in program.powers])
    amplitude = np.sqrt(power) * np.exp(1j * phase)
    found = program(times)
    assert found.shape == (3, program.count) == (3, 10)
    assert found[:, 0] == pytest.approx(1.0)
    assert found[:, 1:4].T == pytest.approx(power)
    column = 4
    for m, n in ((0, 1), (0, 2), (1, 2)):
        beat = amplitude[m] * amplitude[n].conj()
        assert found[:, column] == pytest.approx(beat.real)
        assert found[:, column + 1] == pytest.approx(beat.imag)
        column += 2


def test_equal_detunings_leave_light_at_rest():
    program = LightProgram(
        (Ramp(0.3, 5e6), Ramp(0.0, 5e6)), (Constant(1.0, "1"), Constant(1.0, "1"))
    )
    assert program.period == 0.0
    shifted = LightProgram((Ramp(0.3, 5e6 + 4.0), Ramp(0.0, 5e6)), program.powers)
    assert shifted.period == pytest.approx(TURN / 4.0, rel=1e-8)


def test_a_state_of_the_light_becomes_a_program():
    state = TweezerState((Site((0, 0, 0), 0.1, 0.4, 2e3), Site((1e-5, 0, 0), 0.2, 0.1, -1e3)))
    program = LightProgram.from_state(state).relative_to([0.2, 0.2])
    found = program([0.0, 1e-4])
    phi = 0.3 + TURN * (-3e3) * np.array([0.0, 1e-4])
    assert found[:, 1:3] == pytest.approx(np.array([[0.5, 1.0]] * 2))
    assert found[:, 3] == pytest.approx(math.sqrt(0.5) * np.cos(phi))
    assert program.period == pytest.approx(1 / 3e3)


def test_interference_of_detuned_tones_averages_to_nothing():
    program = LightProgram.detuned_pair(1e6, 0.3)
    assert mean_weights(program) == pytest.approx([1, 1, 1, 0, 0], abs=1e-12)


def test_harmonics_of_a_phase_modulation_are_bessel_functions():
    beta, phi_0 = 1.7, 0.4
    program = LightProgram.pair(Sinusoid(phi_0, beta, 9.0))
    found = fourier_weights(program, 5)
    n = np.arange(-5, 6)
    turning = np.exp(1j * phi_0) * 1j**n * jv(n, beta)  # of e^{iφ}
    conjugate = turning[::-1].conj()
    assert found[:, 3] == pytest.approx((turning + conjugate) / 2, abs=1e-13)
    assert found[:, 4] == pytest.approx((turning - conjugate) / 2j, abs=1e-13)


def test_harmonics_of_steps_are_those_of_a_square_wave():
    wave = Sampled([0.0, 0.5, 1.0], [1.5, 0.5, 0.5], "1", "steps", "repeat")
    program = LightProgram((Constant(0.0),), (wave,))
    found = fourier_weights(program, 7)[:, 1]
    n = np.arange(-7, 8)
    expected = np.where(n % 2 != 0, 1.0 / (1j * np.pi * np.where(n, n, 1)), 0.0) + (n == 0)
    assert found == pytest.approx(expected, abs=1e-12)
    assert mean_weights(program)[1] == pytest.approx(1.0)


def test_light_played_faster_is_the_same_light():
    wave = Sampled([0.0, 0.2, 1.0], [1.0, 2.0, 1.0], "1", "linear", "repeat")
    program = LightProgram.pair(detuned(3.0), wave)
    fast = Retimed(program, 4.0)
    times = np.linspace(0, 1, 11)
    assert fast(times) == pytest.approx(program(4 * times))
    assert fast.period == pytest.approx(0.25)
    assert fast.rate == pytest.approx(4 * program.rate)
    assert fast.breaks(0.0, 0.3) == pytest.approx([0.05, 0.25, 0.3][:2])


def test_average_and_harmonics_of_light_at_rest_are_its_values():
    program = LightProgram.pair(0.4, 0.9)
    assert mean_weights(program) == pytest.approx(program([0.0])[0])
    found = fourier_weights(program, 1)
    assert found[1] == pytest.approx(program([0.0])[0])
    assert not found[[0, 2]].any()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LightProgram((), ()), "got 0 phases and 0 powers"),
        (
            lambda: LightProgram((Constant(1.0, "1"),), (Constant(1.0, "1"),)),
            "phase 1 must be in 'rad'",
        ),
        (lambda: LightProgram((Constant(1.0),), (Constant(1.0),)), "power 1 must be in '1' or 'W'"),
        (
            lambda: LightProgram((Constant(0.0),), (Constant(0.1, "W"),))([0.0]),
            "powers in W need the reference powers",
        ),
        (
            lambda: LightProgram((Constant(0.0),), (Constant(0.1, "W"),)).relative_to([0.0]),
            "a reference power must be positive, got 0.0 W",
        ),
        (lambda: LightProgram.pair().relative_to([1.0]), "2 beams need as many powers, got 1"),
        (lambda: Retimed(LightProgram.pair(), -1.0), "speed must be positive"),
        (lambda: fourier_weights(LightProgram.pair(), -1), "orders must be at least 0"),
        (
            lambda: mean_weights(LightProgram.pair(Ramp(0, 1.0) + Sinusoid(0, 1, math.sqrt(2)))),
            "the light has no period",
        ),
    ],
)
def test_programs_that_cannot_be_are_refused(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize("depth", [0.5, 0.99, 0.9999, 1.0])
def test_averages_hold_for_a_power_that_falls_to_the_dark(depth):
    # √P has a kink where P touches 0; E denotes a fine sum of its own.
    program = LightProgram.pair(0.3, power_modulation(depth, 2e5, 0.7))
    angle = 2.0 * math.pi * (np.arange(1_000_000) + 0.5) / 1_000_000
    amplitude = np.sqrt(1.0 + depth * np.cos(angle))
    assert mean_weights(program)[3] == pytest.approx(amplitude.mean() * math.cos(0.3), rel=2e-10)
    second = fourier_weights(program, 2)[4, 3] * np.exp(-1.4j)
    expected = (amplitude * np.cos(2.0 * angle)).mean() * math.cos(0.3)
    assert second == pytest.approx(expected, rel=1e-9)


def test_averages_hold_for_a_triangle_that_falls_to_the_dark():
    power = Sampled(np.array([0.0, 1e-5, 3e-5]), np.array([0.0, 1.5, 0.0]), "1", "linear", "repeat")
    program = LightProgram.pair(0.3, power)
    expected = 2.0 / 3.0 * math.sqrt(1.5) * math.cos(0.3)
    assert mean_weights(program)[3] == pytest.approx(expected, rel=1e-12)


def test_one_beam_that_falls_to_the_dark_has_no_kink():
    wave = power_modulation(1.0, 2.0)
    alone = LightProgram((Constant(0.0),), (wave,))
    pair = LightProgram.pair(0.0, wave)
    assert alone.breaks(0.0, TURN).size == 0
    assert pair.breaks(0.0, TURN) == pytest.approx([TURN / 4, 3 * TURN / 4])
