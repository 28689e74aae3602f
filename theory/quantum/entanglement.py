"""What a Gaussian state is worth: purity, occupation, entanglement, squeezing of any mode.

Every function checks the uncertainty relation of what it is given, to a ``tolerance`` that states
of limited accuracy may need wider: see :func:`.states.require_physical`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from .states import (
    TOLERANCE,
    require_physical,
    symplectic_eigenvalues,
    uncertainty_margin,
)

__all__ = [
    "COMMON",
    "DIFFERENTIAL",
    "log_negativity",
    "minimum_variance",
    "mode_covariance",
    "occupation",
    "partial_transpose",
    "purity",
    "reduced_state",
]

Matrix = NDArray[np.float64]

#: Coefficients of a_± = (a_1 ± a_2)/√2.
COMMON: tuple[complex, ...] = (math.sqrt(0.5), math.sqrt(0.5))
DIFFERENTIAL: tuple[complex, ...] = (math.sqrt(0.5), -math.sqrt(0.5))


def purity(covariance: ArrayLike, *, tolerance: float = TOLERANCE) -> Matrix:
    """Purity tr ρ² = Π 1/(2ν_k), shape (…); 1 for a pure state.

    Parameters
    ----------
    covariance : array_like, shape (…, 2n, 2n)
        V, quanta².
    tolerance : float
        As for :func:`.states.require_physical`.

    Returns
    -------
    ndarray, shape (…)
        0 … 1.

    Examples
    --------
    A thermal state has the purity 1/(2n + 1).

    >>> import optobind as ob
    >>> round(float(ob.theory.purity(ob.theory.thermal_state(2.0))), 6)
    0.2
    """
    array = require_physical(covariance, tolerance=tolerance)
    return np.asarray(np.prod(0.5 / symplectic_eigenvalues(array), axis=-1))


def reduced_state(
    covariance: ArrayLike, modes: Sequence[int], *, tolerance: float = TOLERANCE
) -> Matrix:
    """Covariance of some modes, counted from 0, in the order given, shape (…, 2m, 2m)."""
    array = require_physical(covariance, tolerance=tolerance)
    kept = _mode_indices(modes, array.shape[-1] // 2)
    rows = np.ravel([(2 * mode, 2 * mode + 1) for mode in kept])
    return np.asarray(array[..., rows[:, None], rows[None, :]])


def _mode_indices(modes: Sequence[int], count: int) -> list[int]:
    try:
        chosen = [operator.index(mode) for mode in modes]
    except TypeError:
        raise InputError(f"modes must be whole numbers such as (0,), got {modes!r}") from None
    if not chosen or len(set(chosen)) != len(chosen) or not all(0 <= m < count for m in chosen):
        raise InputError(f"modes must be different numbers of 0 … {count - 1}, got {modes!r}")
    return chosen


def partial_transpose(
    covariance: ArrayLike, party: Sequence[int] = (0,), *, tolerance: float = TOLERANCE
) -> Matrix:
    """Covariance after transposing the modes of one party, p → −p; not a state in general."""
    array = require_physical(covariance, tolerance=tolerance)
    signs = np.ones(array.shape[-1])
    signs[[2 * mode + 1 for mode in _mode_indices(party, array.shape[-1] // 2)]] = -1.0
    return np.asarray(signs[:, None] * array * signs)


def log_negativity(
    covariance: ArrayLike, party: Sequence[int] = (0,), *, tolerance: float = TOLERANCE
) -> Matrix:
    """Logarithmic negativity E_N = Σ max(0, −log2 2ν̃_k) across a bipartition, ebits, shape (…).

    ν̃_k are the symplectic eigenvalues of the partial transpose (Vidal and Werner, PRA 65, 032314).
    For 1 + n modes E_N > 0 if and only if the parties are entangled.

    Parameters
    ----------
    covariance : array_like, shape (…, 2n, 2n)
        V of at least 2 modes.
    party : sequence of int
        Modes of one party, counted from 0; the others form the second.
    tolerance : float
        A partial transpose that obeys the uncertainty relation to this much
        (see :func:`.states.uncertainty_margin`) counts as separable: E_N is exactly 0. The
        state itself is checked to the same tolerance.

    Returns
    -------
    ndarray, shape (…)
        E_N, ebits; 0 for separable states of 1 + n modes.

    Raises
    ------
    QuantumStateError
        If a state is not physical.
    InputError
        If a party is empty or names a mode that is not there.

    References
    ----------
    G. Vidal and R. F. Werner, PRA 65, 032314 (2002).
    R. Simon, PRL 84, 2726 (2000).

    Examples
    --------
    Two-mode squeezing by r is worth 2r/ln 2.

    >>> import math
    >>> import optobind as ob
    >>> c, s = 0.5 * math.cosh(1.0), 0.5 * math.sinh(1.0)  # r = 1/2
    >>> state = [[c, 0, s, 0], [0, c, 0, -s], [s, 0, c, 0], [0, -s, 0, c]]
    >>> round(float(ob.theory.log_negativity(state)) * math.log(2.0), 6)
    1.0
    """
    transposed = partial_transpose(covariance, party, tolerance=tolerance)
    if len(party) == transposed.shape[-1] // 2:
        raise InputError(f"party {party!r} holds every mode: nothing is left to be entangled with")
    negative = np.asarray(uncertainty_margin(transposed) < -tolerance)
    logs = -np.log2(2.0 * symplectic_eigenvalues(transposed))
    return np.asarray(np.where(negative, np.maximum(logs, 0.0).sum(axis=-1), 0.0))


def mode_covariance(
    covariance: ArrayLike, coefficients: Sequence[complex], *, tolerance: float = TOLERANCE
) -> Matrix:
    """Covariance (…, 2, 2) of the quadratures of a mode b = Σ c_j a_j with Σ|c_j|² = 1.

    With a_j = (z_j + ip_j)/√2 the quadratures of b are Re and Im of Σ c_j(z_j + ip_j).

    Raises
    ------
    InputError
        If there is not one coefficient per mode, or they are not normalised.
    """
    array = require_physical(covariance, tolerance=tolerance)
    c = np.asarray(coefficients, dtype=np.complex128).ravel()
    if len(c) != array.shape[-1] // 2:
        raise InputError(f"{array.shape[-1] // 2} modes need as many coefficients, got {len(c)}")
    if abs(np.vdot(c, c).real - 1.0) > 1e-9:
        raise InputError(f"Σ|c_j|² must be 1, it is {np.vdot(c, c).real:.9g}")
    rows = np.empty((2, 2 * len(c)))
    rows[0, 0::2], rows[0, 1::2] = c.real, -c.imag
    rows[1, 0::2], rows[1, 1::2] = c.imag, c.real
    return np.asarray(rows @ array @ rows.T)


def minimum_variance(
    covariance: ArrayLike,
    coefficients: Sequence[complex] = DIFFERENTIAL,
    *,
    tolerance: float = TOLERANCE,
) -> Matrix:
    """Variance of the most squeezed quadrature of a mode Σ c_j a_j, shape (…); vacuum ½.

    The smallest eigenvalue of the 2 × 2 covariance does not change under rotation: it is the same
    in every frame in which both particles rotate alike.

    Parameters
    ----------
    covariance : array_like, shape (…, 2n, 2n)
        V, quanta².
    coefficients : sequence of complex
        c_j of the mode, Σ|c_j|² = 1; a_− = (a_1 − a_2)/√2 by default.
    tolerance : float
        As for :func:`.states.require_physical`.

    Returns
    -------
    ndarray, shape (…)
        Variance, quanta².

    Examples
    --------
    Two particles squeezed alike squeeze their differential motion alike.

    >>> import math
    >>> import optobind as ob
    >>> one = ob.theory.squeezed_state(0.5 * math.log(2.0))
    >>> round(float(ob.theory.minimum_variance(ob.theory.product_state(one, one))), 6)
    0.25
    """
    block = mode_covariance(covariance, coefficients, tolerance=tolerance)
    return np.asarray(np.linalg.eigvalsh(block)[..., 0])


def occupation(
    covariance: ArrayLike,
    coefficients: Sequence[complex] | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> Matrix:
    """Occupation ⟨b†b⟩ = (⟨x²⟩ + ⟨y²⟩)/2 − ½ at zero mean.

    Parameters
    ----------
    covariance : array_like, shape (…, 2n, 2n)
        V, quanta².
    coefficients : sequence of complex, optional
        c_j of a mode b = Σ c_j a_j; without them every mode's own.
    tolerance : float
        As for :func:`.states.require_physical`.

    Returns
    -------
    ndarray, shape (…) with coefficients, (…, n) without
        Quanta.

    Examples
    --------
    The common and the differential mode share the quanta of two unequal particles.

    >>> import math
    >>> import optobind as ob
    >>> state, root = ob.theory.thermal_state(1.0, 3.0), math.sqrt(0.5)
    >>> [round(float(ob.theory.occupation(state, (root, sign * root))), 6) for sign in (1, -1)]
    [2.0, 2.0]
    """
    if coefficients is not None:
        block = mode_covariance(covariance, coefficients, tolerance=tolerance)
        return np.asarray(0.5 * (block[..., 0, 0] + block[..., 1, 1]) - 0.5)
    array = require_physical(covariance, tolerance=tolerance)
    variances = np.diagonal(array, axis1=-2, axis2=-1)
    return np.asarray(0.5 * (variances[..., 0::2] + variances[..., 1::2]) - 0.5)
