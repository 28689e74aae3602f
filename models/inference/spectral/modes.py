"""Normal modes of a stable linear model and their derivatives with respect to parameters.

R(τ) = ⟨y(t+τ)yᵀ(t)⟩ = Σ_k c_k e^{a_kτ}: a_k are the drift's eigenvalues, c_k complex c×c matrices.
Because the drift is real, modes come in conjugate pairs; only those with Im a > 0 are kept.
Eigenvectors fail where two eigenvalues meet (exceptional points, identical uncoupled particles)
and for overdamped motion: :func:`modal_form` then returns None and the caller takes the route
without eigenvectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UnstableModelError
from ..matrices import DriftDerivatives

__all__ = ["Modes", "modal_form"]

# Derivatives lose (δa/linewidth)^−3 in digits: five digits of the gradient are still right here.
_MERGED = 3e-3


@dataclass(frozen=True)
class Modes:
    """Modes with Im a > 0.

    Attributes
    ----------
    rates : ndarray, shape (k,)
        a, 1/s.
    residues : ndarray, shape (k, c, c)
        c_k, unit².
    d_rates : ndarray, shape (P, k)
        Derivatives of the rates.
    d_residues : ndarray, shape (P, k, c, c)
        Derivatives of the residues.
    """

    rates: NDArray[np.complex128]
    residues: NDArray[np.complex128]
    d_rates: NDArray[np.complex128]
    d_residues: NDArray[np.complex128]


def _upper(rates: NDArray[np.complex128], resolution: float) -> NDArray[np.intp] | None:
    """Indices of the modes with Im a > 0, or None where eigenvectors are no safe basis."""
    scale = np.abs(rates).max()
    upper = np.flatnonzero(rates.imag > 1e-6 * scale)
    if 2 * len(upper) != len(rates):
        return None
    width = max(float(np.abs(rates.real).max()), resolution)
    closest = float(rates[upper].imag.min())
    if len(upper) == 2:
        closest = min(closest, abs(rates[upper[0]] - rates[upper[1]]))
    return None if closest < _MERGED * width else upper


def modal_form(model: DriftDerivatives, resolution: float) -> Modes | None:
    """Diagonalise a stable model.

    Parameters
    ----------
    model : DriftDerivatives
        Matrices and their derivatives.
    resolution : float
        Angular frequency below which two lines count as one for this spectrum, rad/s.

    Returns
    -------
    Modes or None
        None where two eigenvalues (nearly) meet or a mode does not oscillate.

    Raises
    ------
    UnstableModelError
        If the model grows.
    """
    rates, right = np.linalg.eig(model.drift)
    rates = rates.astype(np.complex128)
    growth = float(rates.real.max())
    if not growth < 0.0:
        raise UnstableModelError(growth, "it has no stationary spectrum")
    upper = _upper(rates, resolution)
    if upper is None:
        return None
    left = np.linalg.inv(right)
    total = rates[:, None] + rates[None, :]
    gap = rates[None, :] - rates[:, None]
    np.fill_diagonal(gap, 1.0)
    force = left @ model.noise @ left.T
    moments = -force / total
    # First-order perturbation: dT = T Y with Y_jk = X_jk/(a_k − a_j), X = T⁻¹ dA T.
    x = left @ model.d_drift @ right
    diagonal = np.arange(len(rates))
    d_rates = x[:, diagonal, diagonal]
    y = x / gap
    y[:, diagonal, diagonal] = 0.0
    d_force = left @ model.d_noise @ left.T - y @ force - force @ y.swapaxes(-1, -2)
    d_total = d_rates[:, :, None] + d_rates[:, None, :]
    d_moments = -(d_force + moments * d_total) / total
    seen = model.output @ right
    d_seen = seen @ y
    source = moments @ seen.T
    d_source = d_moments @ seen.T + moments @ d_seen.swapaxes(-1, -2)
    residues = seen.T[:, :, None] * source[:, None, :]
    d_residues = (
        d_seen.swapaxes(-1, -2)[:, :, :, None] * source[None, :, None, :]
        + seen.T[None, :, :, None] * d_source[:, :, None, :]
    )
    return Modes(rates[upper], residues[upper], d_rates[:, upper], d_residues[:, upper])
