"""Reduction to what a screen shows; ticks of a log10 axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optobind.gui.viewmodels.curves import averaged, envelope, peak_curve, thin
from optobind.gui.viewmodels.ticks import decade_label, decade_ticks


@given(st.integers(1, 5000), st.integers(1, 300), st.integers(0, 99))
def test_an_envelope_keeps_extremes_and_the_pixel_budget(n, pixels, seed):
    samples = np.random.default_rng(seed).normal(size=n)
    curve = envelope(samples, 0.0, 1.0, pixels)
    assert curve.x.size == curve.y.size <= 2 * pixels
    assert curve.y.max() == samples.max()
    assert curve.y.min() == samples.min()
    assert np.all(np.diff(curve.x) >= 0.0)


@given(st.integers(1, 3000), st.integers(2, 300), st.integers(0, 99))
def test_thinning_keeps_extremes_inside_the_view(n, pixels, seed):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(0.0, 1.0, n)), rng.normal(size=n)
    curve = thin(x, y, 0.2, 0.8, pixels)
    inside = (x >= 0.2) & (x < 0.8)
    assert curve.x.size <= 2 * (pixels + 2)
    if inside.any():
        assert curve.y.max() >= y[inside].max()
        assert curve.y.min() <= y[inside].min()


def test_sparse_points_keep_their_place():
    x, y = np.array([0.1, 0.5, 0.9]), np.array([1.0, 2.0, 3.0])
    curve = thin(x, y, 0.0, 1.0, 500)
    np.testing.assert_array_equal(curve.x, x)
    np.testing.assert_array_equal(curve.y, y)


def test_a_phase_is_taken_where_the_power_is():
    x = np.linspace(0.0, 1.0, 1000)
    weight = np.ones(1000)
    weight[503] = 100.0
    phase = np.zeros(1000)
    phase[503] = 1.5
    curve = peak_curve(x, phase, weight, 0.0, 1.0, 20)
    assert 1.5 in curve.y


def test_averaging_shows_the_mean_of_noise_and_the_height_of_a_line():
    rng = np.random.default_rng(3)
    power = rng.exponential(size=20000)
    power[7000] = 1e4
    curve = averaged(np.linspace(0.0, 1.0, 20000), np.log10(power), 0.0, 1.0, 400)
    assert 10.0 ** np.median(curve.y) == pytest.approx(1.0, abs=0.05)
    assert curve.y.max() == pytest.approx(4.0, abs=1e-9)


def test_decades_are_labelled_and_minor_ticks_lie_between():
    levels = decade_ticks(-25.0, -20.0, 6)
    assert levels[0][1] == [-25.0, -24.0, -23.0, -22.0, -21.0, -20.0]
    minor = levels[-1][1]
    assert np.log10(2e-22) == pytest.approx(min(minor, key=lambda m: abs(m - np.log10(2e-22))))
    assert decade_label(-21.0) == "10⁻²¹"


def test_within_a_decade_round_values_are_ticked():
    positions = decade_ticks(np.log10(60e3), np.log10(90e3), 6)[0][1]
    labels = [decade_label(p, engineering=True) for p in positions]
    assert labels == ["60 k", "65 k", "70 k", "75 k", "80 k", "85 k", "90 k"]


@given(st.floats(-30.0, 9.0), st.floats(1e-4, 12.0), st.integers(2, 12))
def test_ticks_stay_in_range(low, span, room):
    for _, positions in decade_ticks(low, low + span, room):
        assert all(low - 1e-6 <= p <= low + span + 1e-6 for p in positions)


def test_absurd_ranges_have_no_ticks():
    assert decade_ticks(0.0, 0.0, 5) == []
    assert decade_ticks(float("nan"), 1.0, 5) == []
    assert decade_ticks(0.0, 1e5, 5) == []
