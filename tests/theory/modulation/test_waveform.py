import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from optobind.models.errors import InputError
from optobind.models.light import Site, TweezerState
from optobind.theory.modulation.drives import detuned, parametric, power_modulation
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Constant, Ramp, Sinusoid, Sum, common_period

TURN = 2 * math.pi
GRID = np.array([0.0, 0.3, 0.5, 1.0])


@pytest.mark.parametrize(("delta", "time", "phi_0"), [(3e5, 7e-4, 0.3), (-2e3, 1e-3, -2.0)])
def test_detuned_tones_turn_the_phase_as_frozen_light_does(trap_pair, delta, time, phi_0):
    # TrapArray.with_light freezes sites with detunings at a time, with e^{−iω_Lt}.
    array = trap_pair()
    first, second = array.tweezers
    state = TweezerState(
        (
            Site(first.position, first.power, phi_0, 1e4),
            Site(second.position, second.power, 0.0, 1e4 + delta),
        )
    )
    frozen = array.with_light(state, time=time)
    expected = frozen.tweezers[0].phase - frozen.tweezers[1].phase
    found = detuned(delta, phi_0)([time])[0]
    assert math.remainder(found - expected, TURN) == pytest.approx(0.0, abs=1e-9)


def test_parametric_phase_turns_at_twice_the_frequency():
    wave = parametric(3.0, 0.4)
    assert wave([0.0, 2.0]) == pytest.approx([0.4, 12.4])
    assert wave.period == pytest.approx(math.pi / 3.0)


def test_sinusoid_is_a_cosine_with_bounds():
    wave = Sinusoid(0.2, -0.7, 5.0, 0.3)
    times = np.linspace(0, 3, 50)
    assert wave(times) == pytest.approx(0.2 - 0.7 * np.cos(5 * times + 0.3))
    assert wave.bounds == pytest.approx((-0.5, 0.9))
    assert wave(times + wave.period) == pytest.approx(wave(times))


def test_power_modulation_reaches_from_dark_to_twice_the_power():
    wave = power_modulation(1.0, 2.0)
    assert wave.unit == "1"
    assert wave.bounds == (0.0, 2.0)


def test_a_sum_adds_values_breaks_and_rates():
    steps = Sampled(GRID, [0.0, 1.0, 2.0, 3.0], kind="steps", outside="hold")
    total = Ramp(0.1, 2.0) + Sinusoid(0.0, 0.5, 7.0) + steps
    times = np.array([0.1, 0.4, 0.9])
    expected = 0.1 + 2 * times + 0.5 * np.cos(7 * times) + [0, 1, 2]
    assert total(times) == pytest.approx(expected)
    assert total.rate == 9.0
    assert total.breaks(0.0, 2.0) == pytest.approx([0.3, 0.5, 1.0])
    assert not total.stepwise
    assert total.period is None


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([0.0, 0.0], 0.0),
        ([2.0, 0.0, 3.0], 6.0),
        ([0.4, 0.6], 1.2),
        ([1.0, 1.0 / 7.0], 1.0),
        ([1.0, math.sqrt(2.0)], None),
        ([1.0, None], None),
        ([1.0, 1e-7], None),
    ],
)
def test_common_period_is_the_least_common_multiple(periods, expected):
    assert common_period(periods) == (None if expected is None else pytest.approx(expected))


@given(time=st.floats(0.001, 0.999))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_samples_are_joined_as_told(time):
    values = np.array([0.2, 1.0, -0.5, 0.2])
    index = int(np.searchsorted(GRID, time, side="right")) - 1
    assert Sampled(GRID, values, kind="steps")([time])[0] == values[index]
    assert Sampled(GRID, values)([time])[0] == pytest.approx(np.interp(time, GRID, values))
    assert Sampled(GRID, values, kind="cubic")([time])[0] == pytest.approx(
        CubicSpline(GRID, values)(time)
    )
    periodic = float(CubicSpline(GRID, values, bc_type="periodic")(time))
    repeated = Sampled(GRID, values, kind="cubic", outside="repeat")
    assert repeated([time - 3.0, time, time + 5.0]) == pytest.approx([periodic] * 3)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_a_repeated_phase_may_wind(kind):
    wave = Sampled(GRID, [0.1, 2.0, 4.0, 0.1 + TURN], kind=kind, outside="repeat")
    times = np.linspace(0.0, 1.0, 23)
    assert wave(times + 2.0) == pytest.approx(wave(times) + 2 * TURN)
    assert wave.period == 1.0
    assert wave.bounds == (-math.inf, math.inf)


def test_held_samples_rest_outside():
    wave = Sampled(GRID, [1.0, 2.0, 3.0, 4.0], outside="hold", unit="1")
    assert wave([-5.0, 7.0]) == pytest.approx([1.0, 4.0])
    assert wave.period is None


def test_breaks_of_repeated_samples_repeat():
    wave = Sampled(GRID, [1.0, 2.0, 3.0, 4.0], kind="steps", outside="repeat")
    assert wave.breaks(0.4, 1.6) == pytest.approx([0.5, 1.0, 1.3, 1.5])
    assert wave([1.0, 1.31, 2.6]) == pytest.approx([1.0, 2.0, 3.0])


def test_scaling_turns_watts_into_factors():
    for wave in (
        Constant(0.3, "W"),
        Sinusoid(0.3, 0.1, 5.0, unit="W"),
        Sampled(GRID, [0.1, 0.2, 0.3, 0.1], "W"),
        Sum((Constant(0.1, "W"), Constant(0.2, "W"))),
    ):
        found = wave.scaled(5.0, "1")
        assert found.unit == "1"
        assert found([0.25]) == pytest.approx(5 * wave([0.25]))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Constant(1.0, "mW"), "unknown unit 'mW' of a waveform; known: rad, W, 1"),
        (lambda: Constant(-0.1, "W"), r"value must lie in 0 … 100 W, got -0.1 W"),
        (lambda: Ramp(0.0, math.nan), "slope must lie in"),
        (lambda: Ramp(0.0, 1.0).scaled(2.0, "1"), "a ramp is a phase in rad"),
        (lambda: Sinusoid(1.0, 1.5, 5.0, unit="1"), "amplitude must lie in -1 … 1"),
        (lambda: Sinusoid(0.0, 1.0, 0.0), "omega must lie in"),
        (lambda: power_modulation(1.1, 5.0), "depth must lie in 0 … 1, got 1.1"),
        (lambda: detuned(2e12), r"delta_nu must lie in -1e\+12 … 1e\+12 Hz, got 2e\+12 Hz"),
        (lambda: Constant(1.0) + Constant(1.0, "1"), "a sum needs waveforms of one unit, got 1, r"),
        (lambda: Sampled([0.0], [1.0]), r"got \(1,\) and \(1,\)"),
        (lambda: Sampled([0.0, 0.0], [1.0, 1.0]), "must be finite and increase"),
        (lambda: Sampled(GRID, [1, 2, -3, 4], "1"), "samples must lie in 0 … 1000 1"),
        (lambda: Sampled(GRID, [0, 1, 2, 3], kind="spline"), "known: steps, linear, cubic"),
        (lambda: Sampled(GRID, [0, 1, 2, 3], outside="wrap"), "known: error, hold, repeat"),
        (lambda: Sampled(GRID, [0, 1, 2, 3], outside="repeat"), "must end where it began"),
        (lambda: Sampled(GRID, [0, 0, 5, 0], "1", "cubic"), "the spline .* falls to"),
        (lambda: Sampled(GRID, [0, 1, 2, 3])([2.0]), "the samples reach from 0 to 1 s"),
        (lambda: Constant(1.0)([math.inf]), "times must be finite"),
        (
            lambda: Sampled(GRID, [0, 1, 2, 0], outside="repeat").breaks(0.0, 1e8),
            "repetitions of 3 samples are too many",
        ),
    ],
)
def test_waveforms_that_cannot_be_are_refused(make, text):
    with pytest.raises(InputError, match=text):
        make()
