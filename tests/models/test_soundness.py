"""Samples that prove by themselves that they are clipped, held or copied are named; others not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from optobind.models.soundness import SampleWatch, same_signal
from optobind.models.spectra import CsdEstimate


def line(seed: int, samples: int = 1 << 16) -> np.ndarray:
    """A thermal line with detector noise, (n, 1)."""
    rng = np.random.default_rng(seed)
    pole = np.exp(2j * np.pi * 0.06 - 0.003)
    driven = signal.lfilter(
        [1.0], [1.0, -2 * pole.real, abs(pole) ** 2], rng.standard_normal(samples)
    )
    return (driven / driven.std() + 0.05 * rng.standard_normal(samples))[:, None]


def coarse(seed: int, steps: float, period: float, q: float, noise: float = 0.0) -> np.ndarray:
    """A thermal line of so many rms steps of a converter, in steady state from the start."""
    rng = np.random.default_rng(seed)
    omega = 2.0 * np.pi / period
    pole = np.exp((1j - 0.5 / q) * omega)
    drive = rng.standard_normal((2, 1 << 17)) * np.sqrt(1.0 - abs(pole) ** 2)
    begin = pole * complex(*rng.standard_normal(2))
    z, _ = signal.lfilter([1.0], [1.0, -pole], drive[0] + 1j * drive[1], zi=[begin])
    x = steps * z.real + noise * rng.standard_normal(len(z)) + rng.uniform(-3.0, 3.0)
    return np.rint(x).astype(np.int16)[:, None]


def findings(x: np.ndarray, block: int = 1 << 14, period: float | None = None) -> tuple[str, ...]:
    watch = SampleWatch(["z1"], [period])
    for start in range(0, len(x), block):
        watch.add(x[start : start + block])
    return watch.findings()


@pytest.mark.parametrize("kind", ["float", "16 bits", "8 bits", "few levels", "tone"])
def test_clean_records_raise_no_alarm(kind):
    for seed in range(25):
        x = line(seed)
        if kind == "16 bits":
            x = np.round(5e3 * x).astype(np.int16)
        if kind == "8 bits":
            x = np.round(30 * x).astype(np.int8)
        if kind == "few levels":
            x = np.round(2 * x).astype(np.int16)
        if kind == "tone":
            x = np.round(40 * np.sin(0.37 * np.arange(len(x)))[:, None] + x).astype(np.int16)
        assert findings(x) == (), (kind, seed)


@pytest.mark.parametrize("period", [4.37, 37.3, 101.3])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_lines_of_few_steps_without_noise_rest_and_recur_by_nature(period, noise):
    for seed, steps in enumerate((0.3, 1.0, 2.0, 5.0, 30.0)):
        for q in (50.0, 1e4, 1e6):
            x = coarse(seed, steps, period, q, noise)
            assert findings(x) == (), (steps, q)
            assert findings(x, period=period) == (), (steps, q, "period known")


@pytest.mark.parametrize("sigma", [1.2, 2.0])
@pytest.mark.parametrize("steps", [2.0, 3.0, 5.0])
def test_clipping_of_a_line_of_few_steps_is_named_where_its_period_is_known(steps, sigma):
    for seed in range(4):
        x = coarse(seed, steps, 11.3, 200.0, 0.1 * steps).astype(float)
        middle, rail = np.round(x.mean()), np.round(sigma * steps)
        (found,) = findings(np.clip(x, middle - rail, middle + rail), period=11.3)
        assert "clipped" in found, seed


def test_noise_between_two_steps_is_not_clipped():
    rng = np.random.default_rng(0)
    x = np.rint(0.7 + 0.15 * rng.standard_normal((1 << 16, 1))).astype(np.int16)
    assert findings(x) == ()


@pytest.mark.parametrize("stop", [62_000, None])
def test_held_stretches_of_few_steps_and_across_blocks_are_named(stop):
    for seed in range(10):
        x = coarse(seed, 30.0, 37.3, 1e3, 0.3)
        x[40_000:stop] = x[40_000]
        (found,) = findings(x)
        assert "first at sample 40000: dead or held" in found or "first at sample 3999" in found


def test_a_dead_channel_is_named():
    assert "dead or held" in findings(np.zeros((1 << 16, 1), np.int16))[0]


@pytest.mark.parametrize("sigma", [1.5, 2.0, 2.5])
@pytest.mark.parametrize("bits", [None, 8])
def test_clipping_is_named_with_its_share(sigma, bits):
    for seed in range(20):
        x = np.clip(line(seed), -sigma, sigma)
        x = x if bits is None else np.round(100 * x / sigma).astype(np.int8)
        (found,) = findings(x)
        assert "clipped" in found, seed


@pytest.mark.parametrize("value", [0.0, None])
def test_dead_and_held_stretches_are_named_with_their_place(value):
    for seed in range(20):
        x = line(seed)
        x[20_000:30_000] = x[20_000] if value is None else value
        (found,) = findings(x)
        assert "dead or held" in found
        assert "20000" in found


def test_copied_stretches_are_named():
    for seed in range(20):
        x = line(seed)
        x[16384:24576] = x[8192:16384]
        (found,) = findings(x)
        assert "occur twice" in found


def test_both_rails_of_a_long_record_are_seen_in_some_of_its_blocks():
    x = np.clip(line(1, 1 << 21), -10.0, 1.5)
    (found,) = findings(x, 1 << 16)
    assert "clipped" in found


def test_one_signal_in_two_channels_is_recognised():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 64)) + 1j * rng.standard_normal((200, 64))
    y = rng.standard_normal((200, 64)) + 1j * rng.standard_normal((200, 64))

    def csd(a, b):
        rows = np.stack([a, b], axis=-1)
        matrix = np.einsum("kfi,kfj->fij", rows, rows.conj()) / len(rows)
        return CsdEstimate(np.arange(64.0), matrix, 200, np.ones(126), 0, 126.0, "V")

    assert same_signal(csd(x, -0.3 * x))
    assert not same_signal(csd(x, x + 0.01 * y))
    assert not same_signal(csd(x, y))
