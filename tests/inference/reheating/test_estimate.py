"""Collecting repetitions, noise floors, and samples that cannot be used."""

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.inference.reheating.estimate import (
    ReheatingAccumulator,
    estimate_reheating,
)
from optobind.models.inference.reheating.fits import fit_reheating
from optobind.models.inference.reheating.samples import line_frequencies

RATE, OMEGA = 5e5, 2 * np.pi * 45e3


def oscillations(repetitions=30, samples=300, noise=0.0, seed=1, detuning=0.0):
    """Free oscillations with Gaussian amplitudes of variance 20 and white noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)[None, :, None] / RATE
    omega = np.array([OMEGA - 0.5 * detuning, OMEGA + 0.5 * detuning])
    a = rng.standard_normal((2, repetitions, 1, 2)) * np.sqrt(10.0)
    z = np.sqrt(2.0) * (a[0] * np.cos(omega * time) + a[1] * np.sin(omega * time))
    return z + noise * rng.standard_normal(z.shape)


def test_accumulator_filled_one_by_one_equals_the_average_at_once():
    data = oscillations(noise=0.3)
    collector = ReheatingAccumulator(RATE, omega_ref=OMEGA, window=44e-6)
    for record in data:
        collector.add(record)
    one, many = collector.estimate(), estimate_reheating(data, RATE, omega_ref=OMEGA, window=44e-6)
    assert len(collector) == one.repetitions == 30
    for name in ("E1", "E2", "C", "lag", "pairs", "stderr", "noise_floor"):
        assert np.allclose(getattr(one, name), getattr(many, name))


def test_excluded_repetitions_leave_no_trace_and_can_come_back():
    data = oscillations(noise=0.3)
    spoiled = data.copy()
    spoiled[4] *= 1e3
    collector = ReheatingAccumulator(RATE, omega_ref=OMEGA, window=44e-6)
    collector.add(spoiled)
    collector.exclude(4)
    clean = estimate_reheating(np.delete(data, 4, axis=0), RATE, omega_ref=OMEGA, window=44e-6)
    kept = collector.estimate()
    assert kept.excluded == (4,)
    assert kept.repetitions == collector.included == 29
    assert np.allclose(kept.E1, clean.E1)
    assert np.allclose(kept.noise_floor, clean.noise_floor)
    with pytest.raises(InputError, match="no repetition 30; known: 0 to 29"):
        collector.exclude(30)


def test_energies_and_their_errors_are_those_of_the_oscillations():
    estimate = estimate_reheating(oscillations(2000), RATE, omega_ref=OMEGA)
    assert np.allclose(estimate.E1, 20.0, rtol=0.1)
    assert np.allclose(estimate.stderr[0], 20.0 / np.sqrt(2000), rtol=0.1)


def test_noise_floor_is_found_beneath_strong_lines():
    sigma = 0.05
    estimate = estimate_reheating(oscillations(200, noise=sigma, detuning=9e3), RATE)
    expected = 2.0 * sigma**2 / RATE
    value, error = estimate.noise_floor.T
    assert np.all(np.abs(value - expected) < 4.0 * error)
    assert np.all(error < 0.05 * expected)
    assert np.allclose(
        estimate.noise_offset, estimate.layout.noise_gain * estimate.noise_floor[:, 0]
    )


def test_lines_are_found_from_the_advance_of_the_phases():
    estimate = estimate_reheating(oscillations(200, noise=0.1, detuning=9e3), RATE)
    assert np.allclose(estimate.lines, [OMEGA - 4.5e3, OMEGA + 4.5e3], atol=30.0)
    coarse = line_frequencies(oscillations(50), RATE, (30e3, 60e3))
    assert np.allclose(coarse, OMEGA, rtol=0.01)


@pytest.mark.slow
def test_a_coherent_kick_is_reported():
    data = oscillations(100, noise=0.3)
    data += 6.0 * np.cos(OMEGA * np.arange(300) / RATE)[None, :, None]
    result = fit_reheating(data, RATE)
    assert any("mean amplitude is not zero" in text for text in result.warnings)


def test_single_precision_and_integer_samples_are_accepted():
    data = oscillations(30, noise=0.3)
    reference = estimate_reheating(data, RATE, omega_ref=OMEGA, window=44e-6)
    single = estimate_reheating(data.astype(np.float32), RATE, omega_ref=OMEGA, window=44e-6)
    assert np.allclose(single.E1, reference.E1, rtol=1e-5)
    counts = estimate_reheating(
        np.rint(1e3 * data).astype(np.int16), RATE, omega_ref=OMEGA, window=44e-6, unit="V"
    )
    assert np.allclose(counts.E1, 1e6 * reference.E1, rtol=1e-2)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (oscillations(9), "too few repetitions: 9, at least 10"),
        (oscillations()[:, :, :1], "needs 2 channels"),
        (oscillations()[0], "needs repetitions"),
        (oscillations(samples=25), "release is too short"),
        (np.zeros((20, 300, 2)), "holds no signal"),
        (np.where(np.arange(30)[:, None, None] == 7, np.nan, oscillations()), "in repetition 7"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(data, text):
    with pytest.raises(InputError, match=text):
        estimate_reheating(data, RATE)


def test_releases_of_ten_periods_and_fewer_get_shorter_windows():
    short, longer = (estimate_reheating(oscillations(samples=n), RATE) for n in (90, 200))
    assert short.layout.length == 16
    assert longer.layout.length == 22


def test_wrong_options_are_refused():
    with pytest.raises(InputError, match="unit 'mV' of the record is unknown; known: quanta, m, V"):
        estimate_reheating(oscillations(), RATE, unit="mV")
    with pytest.raises(InputError, match="sample_rate must be positive"):
        estimate_reheating(oscillations(), 0.0)
    with pytest.raises(InputError, match="the band 300000 to 400000 Hz holds no frequency"):
        estimate_reheating(oscillations(), RATE, band=(3e5, 4e5))
    with pytest.raises(InputError, match="samples need their sample_rate"):
        fit_reheating(oscillations())
    collector = ReheatingAccumulator(RATE)
    collector.add(oscillations(1))
    with pytest.raises(InputError, match="too few repetitions: 1"):
        collector.estimate()
    with pytest.raises(InputError, match="needs 300 samples after the release, got 200"):
        collector.add(oscillations(1, samples=200))


def test_an_average_of_too_few_repetitions_is_not_fitted():
    collector = ReheatingAccumulator(RATE)
    collector.add(oscillations(5, noise=0.3))
    with pytest.raises(InputError, match="too few repetitions: 5"):
        fit_reheating(collector.estimate())
