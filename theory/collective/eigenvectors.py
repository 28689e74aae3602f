"""Biorthonormal eigenvectors of a real matrix, through degeneracies and exceptional points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.csgraph import connected_components

__all__ = ["Eigenvectors", "biorthonormal"]

Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]

_INDEPENDENT = 1e-3  # smallest singular value of unit vectors that span their space well
_INVERTIBLE = 1e13


@dataclass(frozen=True)
class Eigenvectors:
    """Eigenvalues with Im λ ≤ 0 (the others are their conjugates) and their vectors.

    Attributes
    ----------
    values : ndarray, shape (m,)
        λ.
    right : ndarray, shape (s, m)
        Norm 1, largest entry real and positive.
    left : ndarray, shape (m, s)
        left @ right = 1.
    petermann : ndarray, shape (m,)
        |L|²|R|².
    condition : float
        Of the matrix of all s right vectors.
    degenerate, defective : ndarray, shape (m,)
        Shares its eigenvalue within tolerance: with, or without, a vector of its own.
    """

    values: Complex
    right: Complex
    left: Complex
    petermann: NDArray[np.float64]
    condition: float
    degenerate: Flags
    defective: Flags


def biorthonormal(matrix: NDArray[np.float64], tolerance: float) -> Eigenvectors:
    """Diagonalise a real matrix as far as it can be.

    Parameters
    ----------
    matrix : ndarray, shape (s, s)
        Real.
    tolerance : float
        Eigenvalues closer than this, relative to the largest, count as equal.
    """
    found: Any = linalg.eig(matrix, left=True, right=True)
    values, lefts, rights = found
    kept = np.nonzero(values.imag <= 0.0)[0]
    values, lefts, rights = values[kept], lefts[:, kept], rights[:, kept].copy()
    overlap = np.einsum("sk,sk->k", lefts.conj(), rights)
    size = float(np.abs(values).max(initial=0.0))
    degenerate, defective = _untangle(matrix, values, rights, tolerance * max(size, 1e-300))
    turn = rights[np.abs(rights).argmax(axis=0), np.arange(len(kept))]
    rights *= np.abs(turn) / turn
    everything = np.concatenate([rights, rights[:, values.imag < 0.0].conj()], axis=1)
    singular = np.linalg.svd(everything, compute_uv=False)
    condition = float(singular[0] / singular[-1]) if singular[-1] > 0.0 else np.inf
    if condition < _INVERTIBLE:
        left = np.linalg.inv(everything)[: len(kept)]
    else:
        left = _rescaled(lefts, rights)
    # LAPACK's left vectors come from back substitution: their overlap stays exact where the
    # inverse has lost all digits.
    with np.errstate(divide="ignore"):
        direct = 1.0 / np.abs(overlap) ** 2
    norms = (np.abs(left) ** 2).sum(axis=1)
    petermann = np.maximum(np.where(degenerate, norms, direct), 1.0)
    return Eigenvectors(values, rights, left, petermann, condition, degenerate, defective)


def _rescaled(lefts: Complex, rights: Complex) -> Complex:
    """Left vectors as rows with L_kR_k = 1, or of norm 1 where they are orthogonal to R_k."""
    rows = lefts.conj().T
    overlap = np.einsum("ks,sk->k", rows, rights)
    return np.asarray(rows / np.where(overlap == 0.0, 1.0, overlap)[:, None])


def _untangle(
    matrix: NDArray[np.float64], values: Complex, rights: Complex, width: float
) -> tuple[Flags, Flags]:
    """Give equal eigenvalues orthonormal vectors (in place) where the matrix has them."""
    close = np.abs(values[:, None] - values[None, :]) <= width
    count, label = connected_components(close, directed=False)
    degenerate = np.zeros(len(values), dtype=bool)
    defective = np.zeros(len(values), dtype=bool)
    sizes = np.bincount(label, minlength=count)
    for cluster in np.nonzero(sizes > 1)[0]:
        index = np.nonzero(label == cluster)[0]
        basis = _eigenspace(matrix, complex(values[index].mean()), rights[:, index], width)
        if basis is None:
            defective[index] = True
        else:
            rights[:, index] = basis
            degenerate[index] = True
    return degenerate, defective


def _eigenspace(
    matrix: NDArray[np.float64], value: complex, vectors: Complex, width: float
) -> Complex | None:
    """Orthonormal basis of the space of equal eigenvalues; None if it is too small."""
    if np.linalg.svd(vectors, compute_uv=False)[-1] > _INDEPENDENT:
        return np.asarray(np.linalg.qr(vectors)[0])
    # Rounding may have made the vectors parallel although the matrix has independent ones.
    _, singular, rows = np.linalg.svd(matrix - value * np.eye(len(matrix)))
    count = vectors.shape[1]
    if singular[-count] > 10.0 * width:
        return None
    return np.asarray(rows[-count:].conj().T)
