"""Sums that do not grow give the averages of repetitions that are kept."""

import dataclasses
import itertools

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.inference.reheating.estimate import ReheatingAccumulator
from optobind.models.inference.reheating.sums import RepetitionSums

FIELDS = ("E1", "E2", "C", "lag", "pairs", "stderr", "mean_amplitude", "noise_floor", "lines")


def amplitudes(count, seed=1):
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, count, 7, 2))
    mixed = (real + 1j * imaginary) @ np.array([[1.0, 0.4], [0.2j, 2.0]])
    return mixed + 3.0, rng.exponential(size=(count, 5, 2))


def test_sums_are_the_moments_written_out():
    a, powers = amplitudes(50)
    sums = RepetitionSums.of(a, powers)
    cross = a[..., 0].conj() * a[..., 1]
    rows = [np.abs(a[..., 0]) ** 2, np.abs(a[..., 1]) ** 2, cross.real, cross.imag]
    for row, mean, error in zip(rows, sums.mean, sums.stderr, strict=True):
        np.testing.assert_allclose(mean, row.mean(axis=0))
        np.testing.assert_allclose(error, row.std(axis=0, ddof=1) / np.sqrt(50))
    y = np.stack([a.real, a.imag], axis=-1).reshape(50, 7, 4)
    both = np.concatenate([y[:, 2], y[:, 3]], axis=1)
    np.testing.assert_allclose(sums.pairs[2], both.T @ both)
    np.testing.assert_allclose(sums.lag[4, 1], np.vdot(a[:, 4, 1], a[:, 5, 1]))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_sums_of_parts_are_those_of_the_whole_without_cancellation(offset):
    a, powers = amplitudes(1000)
    a = a + offset
    whole = RepetitionSums.of(a, powers)
    edges = [0, 1, 2, 70, 700, 1000]
    parts = [RepetitionSums.of(a[i:j], powers[i:j]) for i, j in itertools.pairwise(edges)]
    added = parts[0]
    for part in parts[1:]:
        added = added + part
    for field in dataclasses.fields(whole):
        one, two = getattr(added, field.name), getattr(whole, field.name)
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12 * np.abs(two).max())


def released(count=300, samples=400):
    rng = np.random.default_rng(3)
    time = np.arange(samples)[None, :, None] / 5e5
    a, b = rng.normal(size=(2, count, 1, 2))
    growth = np.sqrt(1.0 + 2e3 * time)
    omega = 2.0 * np.pi * np.array([45e3, 47e3])
    z = growth * (a * np.cos(omega * time) + b * np.sin(omega * time))
    return z + 0.05 * rng.normal(size=z.shape)


def test_a_stream_gives_what_kept_repetitions_give():
    data = released()
    streamed, kept = (ReheatingAccumulator(5e5, keep=keep) for keep in (False, True))
    for low, high in ((0, 100), (100, 101), (101, 300)):
        assert streamed.add(data[low:high]) == kept.add(data[low:high]) == len(streamed) == high
    one, two = streamed.estimate(), kept.estimate()
    assert one.repetitions == two.repetitions == 300
    for name in FIELDS:
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(two, name))
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max(), err_msg=name)


def test_a_stream_holds_no_repetition_and_says_so():
    streamed = ReheatingAccumulator(5e5, keep=False)
    streamed.add(released(20))
    with pytest.raises(InputError, match="cannot be left out of sums"):
        streamed.exclude(3)
    assert streamed.latest_energies(5).shape == (0, 2, 0)
    assert streamed.included == 20


def test_one_repetition_is_no_average():
    streamed = ReheatingAccumulator(5e5, keep=False)
    with pytest.raises(InputError, match="too few repetitions: 0"):
        streamed.estimate()
    streamed.add(released(1))
    with pytest.raises(InputError, match="too few repetitions: 1, an average needs at least 2"):
        streamed.estimate()
