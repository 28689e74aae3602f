"""Simulated records and spectra by routes that share no code with the fits."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import signal

from optobind.models.linear import LinearModel
from optobind.models.spectra import CsdEstimate


@njit(cache=True)
def _step(propagator, root, x, normals):
    size = len(x)
    out = np.empty((len(normals), size))
    for n in range(len(normals)):
        for i in range(size):
            out[n, i] = x[i]
        after = np.zeros(size)
        for i in range(size):
            for j in range(size):
                after[i] += propagator[i, j] * out[n, j] + root[i, j] * normals[n, j]
        x = after
    return out


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def record(model: LinearModel, samples: int, sample_rate: float, rng) -> np.ndarray:
    """Stationary record (samples, channels) with white imprecision, exactly discretised."""
    propagator, noise = model.discretise(1.0 / sample_rate)
    start = _root(model.steady_state()) @ rng.standard_normal(model.states)
    states = _step(
        np.ascontiguousarray(propagator), _root(noise), start,
        rng.standard_normal((samples, model.states)),
    )  # fmt: skip
    spread = np.sqrt(np.diag(model.imprecision) * sample_rate / 2)
    return states @ model.output.T + spread * rng.standard_normal((samples, model.channels))


def csd_of(
    samples: np.ndarray,
    sample_rate: float,
    segment: int,
    *,
    overlap: int | None = None,
    window: str = "hann",
    unit: str = "quanta",
) -> CsdEstimate:
    """CSD matrix by ``scipy.signal.csd``, conjugated into the project's convention."""
    overlap = segment // 2 if overlap is None else overlap
    taper = signal.get_window(window, segment)
    channels = samples.shape[1]
    options = {"window": taper, "nperseg": segment, "noverlap": overlap, "detrend": False}
    frequencies = np.fft.rfftfreq(segment, 1.0 / sample_rate)
    matrix = np.empty((len(frequencies), channels, channels), dtype=complex)
    for j in range(channels):
        for m in range(channels):
            pair = signal.csd(samples[:, j], samples[:, m], sample_rate, **options)[1]
            matrix[:, j, m] = pair.conj()
    averages = 1 + (len(samples) - segment) // (segment - overlap)
    return CsdEstimate(frequencies, matrix, averages, taper, overlap, sample_rate, unit)
