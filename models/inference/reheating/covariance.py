"""What the averaged curves are expected to be, and how their points correlate.

Observables are means over M repetitions of quadratic forms O = yᵀWy of the Gaussian amplitudes, so
Cov[O_A, O_B] = 2 tr(W_A K W_B K)/M exactly (Isserlis). For circular amplitudes this is
Cov[E_j(t), E_k(t′)] = |Γ_jk(t,t′)|²/M and so on; the anomalous ⟨ââ⟩ that fast motion, image and
coupling leave behind is kept, since it costs nothing.

Beside E_1, E_2, Re C, Im C of every window there is one *phase statistic* per particle,
ψ_j = Σ_b w_b Im[e^{−iθ_b} â_j,b* â_j,b+1]: the curves alone know the common frequency of the pair
hardly at all, the advance of the phases from window to window knows it well, and only together
with the curves can the pull of the coupling on the phases be told from a detuning.

The *anomalous statistics* ⟨â_jâ_l⟩ of the first window, six real numbers, measure what a closed
loop leaves of V_zz ≠ V_pp at the release, to about E/√M: no assumption about it has to be made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moments import AmplitudeMoments

__all__ = [
    "ANOMALOUS_COUNT",
    "anomalous_covariance",
    "anomalous_means",
    "curve_covariance",
    "curve_means",
    "lag_products",
    "phase_covariance",
    "phase_means",
    "phase_weights",
]

_Array = NDArray[np.float64]

# E_1, E_2, Re C, Im C as symmetric forms of y = (Re a_1, Im a_1, Re a_2, Im a_2), C = a_1* a_2.
_FORMS = np.zeros((4, 4, 4))
_FORMS[0, [0, 1], [0, 1]] = 1.0
_FORMS[1, [2, 3], [2, 3]] = 1.0
_FORMS[2, [0, 1, 2, 3], [2, 3, 0, 1]] = 0.5
_FORMS[3, [0, 3, 1, 2], [3, 0, 2, 1]] = [0.5, 0.5, -0.5, -0.5]


# Re and Im of â_1², â_2², â_1â_2 as symmetric forms of the same y.
_ANOMALOUS = np.zeros((6, 4, 4))
_ANOMALOUS[0, [0, 1], [0, 1]] = [1.0, -1.0]
_ANOMALOUS[1, [0, 1], [1, 0]] = 1.0
_ANOMALOUS[2, [2, 3], [2, 3]] = [1.0, -1.0]
_ANOMALOUS[3, [2, 3], [3, 2]] = 1.0
_ANOMALOUS[4, [0, 1, 2, 3], [2, 3, 0, 1]] = [0.5, -0.5, 0.5, -0.5]
_ANOMALOUS[5, [0, 3, 1, 2], [3, 0, 2, 1]] = 0.5

ANOMALOUS_COUNT = len(_ANOMALOUS)
"""Anomalous statistics of a release."""


def curve_means(equal: _Array) -> _Array:
    """Expected E_1, E_2, Re C, Im C from K_bb of shape (t, 4, 4), shape (4, t)."""
    return np.asarray(np.einsum("aij,bij->ab", _FORMS, equal))


def curve_covariance(full: _Array) -> _Array:
    """Covariance of the curves of *one* repetition, shape (4t, 4t), blocks E_1, E_2, Re C, Im C.

    Parameters
    ----------
    full : ndarray, shape (t, t, 4, 4)
        K_bc = ⟨y_b y_cᵀ⟩.
    """
    bins = len(full)
    # tr(W_a K_bc W_d K_bcᵀ) = Σ (W_a K_bc) ∘ (K_bc W_d).
    left = np.matmul(_FORMS[:, None, None], full[None]).reshape(4, bins * bins, 16)
    right = np.matmul(full[None], _FORMS[:, None, None]).reshape(4, bins * bins, 16)
    traces = np.matmul(left.transpose(1, 0, 2), right.transpose(1, 2, 0))
    blocks = traces.reshape(bins, bins, 4, 4).transpose(2, 0, 3, 1)
    return np.asarray(2.0 * blocks.reshape(4 * bins, 4 * bins))


def anomalous_means(first: _Array) -> _Array:
    """Re, Im of ⟨â_1²⟩, ⟨â_2²⟩, ⟨â_1â_2⟩ from ⟨y yᵀ⟩ of the first window, shape (6,)."""
    return np.asarray(np.einsum("aij,ij->a", _ANOMALOUS, first))


def anomalous_covariance(full: _Array, weights: NDArray[np.complex128]) -> tuple[_Array, _Array]:
    """Covariances of the anomalous statistics with curves and ψ, and with themselves.

    Parameters
    ----------
    full : ndarray, shape (t, t, 4, 4)
        K_bc = ⟨y_b y_cᵀ⟩.
    weights : ndarray of complex, shape (t−1, 2)
        Weights of the phase statistics.

    Returns
    -------
    cross : ndarray, shape (4t+2, 6)
    own : ndarray, shape (6, 6)
        For one repetition.
    """
    begin = full[:, 0]  # ⟨y_b y_0ᵀ⟩
    # K W K between all windows and the first one's form: 2 tr(W_A K_b0 W_X K_0b).
    spread = begin[:, None] @ _ANOMALOUS[None] @ begin.swapaxes(1, 2)[:, None]
    curves = 2.0 * np.einsum("aij,bxji->abx", _FORMS, spread).reshape(-1, len(_ANOMALOUS))
    own = 2.0 * np.einsum("aij,xji->ax", _ANOMALOUS, spread[0])
    phases = []
    for particle in (0, 1):
        forms = _phase_forms(weights[:, particle], particle)
        # y_bᵀ F y_{b+1} against y_0ᵀ W y_0: 2 tr(F K_{b+1,0} W K_{0,b}).
        ahead = begin[1:, None] @ _ANOMALOUS[None] @ begin[:-1].swapaxes(1, 2)[:, None]
        phases.append(2.0 * np.einsum("bij,bxji->x", forms, ahead))
    return np.concatenate([curves, np.stack(phases)]), np.asarray(own)


def lag_products(lagged: _Array) -> NDArray[np.complex128]:
    """Expected ⟨â_j,b* â_j,b+1⟩ from ⟨y_b y_{b+1}ᵀ⟩ of shape (t−1, 4, 4), shape (t−1, 2)."""
    columns = []
    for at in (0, 2):
        real = lagged[:, at, at] + lagged[:, at + 1, at + 1]
        imag = lagged[:, at, at + 1] - lagged[:, at + 1, at]
        columns.append(real + 1j * imag)
    return np.stack(columns, axis=1)


def phase_weights(moments: AmplitudeMoments, times: _Array) -> NDArray[np.complex128]:
    """Weights c_b of ψ_j = Σ_b Im[c_b* â_j,b* â_j,b+1], shape (t−1, 2).

    c_b = w_b e^{iθ_b} with θ_b the expected phase, and w_b = (signal per detuning)/(variance) =
    τ_b|L_b|/[(E_bE_{b+1} − |L_b|²)/2], the best weights for independent phase steps.
    """
    lags = lag_products(moments.lagged)
    energies = np.stack([curve_means(moments.equal)[j] for j in (0, 1)], axis=1)
    product = energies[:-1] * energies[1:]
    variance = np.maximum(product - np.abs(lags) ** 2, 1e-9 * product)
    weights = np.diff(times)[:, None] * lags / variance
    scale = np.abs(weights).max(axis=0)
    return np.asarray(weights / np.where(scale > 0.0, scale, 1.0))


def phase_means(lags: NDArray[np.complex128], weights: NDArray[np.complex128]) -> _Array:
    """ψ_1, ψ_2 from (expected or measured) lag products of shape (t−1, 2)."""
    return np.asarray((weights.conj() * lags).imag.sum(axis=0))


def phase_covariance(full: _Array, weights: NDArray[np.complex128]) -> tuple[_Array, _Array]:
    """Covariances of ψ with the curves, (4t, 2), and with itself, (2, 2), for one repetition."""
    bins = len(full)
    dense = full.transpose(0, 2, 1, 3).reshape(4 * bins, 4 * bins)
    products, contracted = [], []
    for particle in (0, 1):
        forms = _phase_forms(weights[:, particle], particle)
        # W has blocks forms[b]/2 at (b, b+1) and their transposes below the diagonal.
        rows = full.transpose(0, 2, 1, 3).reshape(bins, 4, 4 * bins)
        applied = np.zeros((bins, 4, 4 * bins))
        applied[:-1] += 0.5 * forms @ rows[1:]
        applied[1:] += 0.5 * forms.swapaxes(1, 2) @ rows[:-1]
        product = applied.reshape(4 * bins, 4 * bins)
        products.append(product)
        # Diagonal blocks of K W K, contracted with the forms of the curves.
        left = dense.reshape(bins, 4, 4 * bins)
        right = product.reshape(4 * bins, bins, 4).transpose(1, 0, 2)
        contracted.append(np.einsum("aij,bji->ab", _FORMS, left @ right).ravel())
    own = np.array([[np.sum(p * q.T) for q in products] for p in products])
    return 2.0 * np.stack(contracted, axis=1), 2.0 * own


def _phase_forms(weights: NDArray[np.complex128], particle: int) -> _Array:
    """Bilinear forms of Im[c* â_b* â_{b+1}] between y_b and y_{b+1}, shape (t−1, 4, 4)."""
    forms = np.zeros((len(weights), 4, 4))
    at = 2 * particle
    # â_b* â_{b+1} = (uu′ + vv′) + i(uv′ − vu′)
    forms[:, at, at] = forms[:, at + 1, at + 1] = -weights.imag
    forms[:, at, at + 1] = weights.real
    forms[:, at + 1, at] = -weights.real
    return forms
