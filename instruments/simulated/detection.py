"""Detectors of the simulated world: imprecision, cross-talk, dark noise, and the ADC's numbers."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...models.detection import imprecision_psd, record_noise_std
from ...models.lowpass import keep_of
from .kernels import Chain
from .mechanics import OperatingPoint
from .settings import DetectorSettings, WorldSettings

__all__ = ["all_detectors", "detection_chain", "in_loop_detectors", "lower_root", "white_level"]


def all_detectors(settings: WorldSettings, particles: int) -> tuple[DetectorSettings, ...]:
    """Digitised detectors, then a hidden in-loop one for each particle that has none of its own."""
    hidden = []
    for particle in range(particles):
        mine = [d for d in settings.detectors if d.particle == particle]
        if not any(d.role == "in_loop" for d in mine):
            template = mine[0] if mine else DetectorSettings("hidden", particle)
            hidden.append(
                replace(
                    template,
                    name=f"in loop {particle + 1}",
                    role="in_loop",
                    efficiency=settings.feedback.efficiency,
                    gain_error=0.0,
                    offset=0.0,
                    delay=0.0,
                )
            )
    return settings.detectors + tuple(hidden)


def in_loop_detectors(detectors: Sequence[DetectorSettings], particles: int) -> NDArray[np.int64]:
    """Index of the detector that feeds each particle's feedback, shape (N,)."""
    return np.array(
        [
            next(i for i, d in enumerate(detectors) if d.particle == j and d.role == "in_loop")
            for j in range(particles)
        ],
        dtype=np.int64,
    )


def _gain(detector: DetectorSettings) -> float:
    """Return the true gain, V/m, with its sign."""
    return detector.volts_per_metre * detector.polarity * (1.0 + detector.gain_error)


def detection_chain(
    settings: WorldSettings,
    detectors: Sequence[DetectorSettings],
    point: OperatingPoint,
    floor: NDArray[np.float64],
    present: Sequence[bool],
    gate: bool,
) -> tuple[Chain, NDArray[np.float64]]:
    """Arrays of the detection kernel at an operating point.

    Parameters
    ----------
    settings : WorldSettings
        ADC, cross-talk and sample rate.
    detectors : sequence of DetectorSettings
        From :func:`all_detectors`.
    point : OperatingPoint
        Scale and recoil rates.
    floor : ndarray, shape (c,)
        Imprecision in V per sample while the particles were there: what remains of a lost one.
    present : sequence of bool
        Which particles are there.
    gate : bool
        Whether the feedback gate is closed, for the monitors.

    Returns
    -------
    chain : Chain
    floor : ndarray, shape (c,)
        Imprecision of this operating point, V per sample.
    """
    count, rate = len(detectors), settings.sample_rate
    signal, sigma = np.zeros((count, len(present))), floor.copy()
    skew = np.zeros_like(signal)
    dark, keep, offset = np.zeros(count), np.zeros(count), np.zeros(count)
    for c, detector in enumerate(detectors):
        j = detector.particle
        if j is not None and present[j]:
            signal[c, j] = _gain(detector) * point.lengths[j]
            turn, pull = _later(detector.delay, j, point)
            psd = imprecision_psd(detector.efficiency, float(point.recoil[j]))
            sigma[c] = abs(signal[c, j]) * record_noise_std(psd, rate)
            signal[c, j], skew[c, j] = signal[c, j] * turn, signal[c, j] * pull
        dark[c] = record_noise_std(detector.electronic_noise**2, rate)
        offset[c] = detector.offset
        if j is None and gate:
            offset[c] += 0.5 * settings.adc_range
        if detector.bandwidth is not None:
            keep[c] = keep_of(detector.bandwidth, rate)
    mixer = np.eye(count)
    if settings.cross_talk:
        size = len(settings.detectors)
        mixer[:size, :size] = settings.cross_talk
    covariance = (mixer * sigma**2) @ mixer.T
    # Without a low-pass both white noises are one: half the random numbers.
    flat = keep == 0.0
    covariance[flat, flat] += dark[flat] ** 2
    dark[flat] = 0.0
    is_diagonal = not np.any(covariance - np.diag(np.diag(covariance)))
    root = np.sqrt(np.diag(covariance))
    mixing = np.diag(root) if is_diagonal else lower_root(covariance)
    top = 2.0 ** (settings.adc_bits - 1)
    chain = Chain(
        response=mixer @ signal,
        skew=mixer @ skew,
        mixing=mixing,
        diagonal=root,
        is_diagonal=is_diagonal,
        keep=keep,
        dark=dark,
        offset=offset,
        per_volt=top / settings.adc_range,
        top=top - 1.0,
    )
    return chain, sigma


def _later(delay: float, j: int, point: OperatingPoint) -> tuple[float, float]:
    """Weights of z_j and p_j in z_j(t + delay), by its own line: 1 and 0 without a delay."""
    line = math.sqrt(max(0.0, -float(point.model.drift[2 * j + 1, 2 * j]) * point.omega))
    if delay == 0.0 or line == 0.0:
        return 1.0, 0.0
    return math.cos(line * delay), math.sin(line * delay) * point.omega / line


def lower_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangular L with LLᵀ = a positive semidefinite matrix; zero pivots are allowed."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    unit = np.where(scale > 0.0, scale, 1.0)
    matrix = covariance / np.outer(unit, unit)
    size = len(matrix)
    root = np.zeros((size, size))
    for i in range(size):
        pivot = matrix[i, i] - root[i, :i] @ root[i, :i]
        if pivot > 1e-13:
            root[i, i] = math.sqrt(pivot)
            below = matrix[i + 1 :, i] - root[i + 1 :, :i] @ root[i, :i]
            root[i + 1 :, i] = below / root[i, i]
    return np.asarray(root * unit[:, None])


def white_level(chain: Chain, c: int, j: int, line: float, rate: float) -> float:
    """White noise of detector c referred to z_j, quanta²/Hz, one-sided, near a line."""
    before = float((chain.mixing[c] ** 2).sum())
    turn = cmath.exp(-1j * line / rate)
    passed = abs((1.0 - chain.keep[c]) / (1.0 - chain.keep[c] * turn)) ** 2
    after = float(chain.dark[c]) ** 2
    gain = float(chain.response[c, j]) ** 2 + float(chain.skew[c, j]) ** 2
    return float((before + after / passed) * 2.0 / rate / gain)
