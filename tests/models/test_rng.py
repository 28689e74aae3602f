from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from optobind.models.rng import fill_normal, new_stream


def draw(n: int, seed: int = 5) -> np.ndarray:
    out = np.empty(n)
    fill_normal(out, new_stream(np.random.SeedSequence(seed)))
    return out


def test_deviates_are_normal_in_centre_and_tail():
    x = draw(4_000_000)
    n = x.size
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((x**power).mean() - mean) < 4.0 * np.sqrt(variance / n)
    assert stats.kstest(x[:500_000], "norm").pvalue > 1e-3
    # Beyond the base layer's edge the tail algorithm takes over.
    for edge in (3.6541528853610088, 4.2):
        expected = 2.0 * stats.norm.sf(edge) * n
        assert abs((np.abs(x) > edge).sum() - expected) < 4.0 * np.sqrt(expected)


def test_deviates_are_white():
    x = draw(1_000_000)
    for lag in (1, 2, 3, 7, 64):
        assert abs((x[lag:] * x[:-lag]).mean()) < 4.0 / np.sqrt(x.size)


def test_streams_of_a_spawned_seed_differ_and_repeat():
    first, second = np.random.SeedSequence(1).spawn(2)
    assert not np.array_equal(new_stream(first), new_stream(second))
    assert np.array_equal(draw(100), draw(100))
    assert abs(np.corrcoef(draw(100_000, 1), draw(100_000, 2))[0, 1]) < 0.015


@pytest.mark.parametrize("cut", [1, 17, 999])
def test_a_stream_goes_on_where_it_stopped(cut: int):
    stream = new_stream(np.random.SeedSequence(5))
    parts = np.empty(1000)
    fill_normal(parts[:cut], stream)
    fill_normal(parts[cut:], stream)
    assert np.array_equal(parts, draw(1000))
