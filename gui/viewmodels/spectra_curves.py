"""Spectra as logarithms at full resolution, computed once per snapshot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prepared", "prepare"]

Floats = NDArray[np.float64]


def log_of(values: Floats) -> Floats:
    """log10 that maps 0 to something finite far below anything physical."""
    return np.log10(np.maximum(values, 1e-300))


def coherence_of(matrix: NDArray[np.complex128]) -> tuple[Floats, Floats, Floats]:
    """|S_12|, coherence and phase of a CSD matrix."""
    cross = matrix[:, 0, 1]
    modulus = np.abs(cross)
    product = np.maximum(matrix[:, 0, 0].real * matrix[:, 1, 1].real, 1e-300)
    return modulus, np.minimum(modulus**2 / product, 1.0), np.angle(cross)


@dataclass
class Prepared:
    """Full-resolution curves of one matrix, computed once per snapshot."""

    log_f: Floats
    autos: tuple[Floats, ...]
    modulus: Floats
    log_modulus: Floats
    coherence: Floats
    phase: Floats


def prepare(frequencies: Floats, matrix: NDArray[np.complex128]) -> Prepared:
    """Make the curves of a CSD matrix, unit²/Hz, over its frequencies above zero, Hz."""
    keep = frequencies > 0.0
    f, s = frequencies[keep], matrix[keep]
    autos = tuple(log_of(s[:, j, j].real) for j in range(s.shape[1]))
    none = np.empty(0)
    if s.shape[1] < 2:
        return Prepared(np.log10(f), autos, none, none, none, none)
    modulus, coherence, phase = coherence_of(s)
    return Prepared(np.log10(f), autos, modulus, log_of(modulus), coherence, phase)
