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


def findings(x: np.ndarray, block: int = 1 << 14) -> tuple[str, ...]:
    watch = SampleWatch(["z1"])
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
