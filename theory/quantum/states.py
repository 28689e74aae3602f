"""Covariance matrices of Gaussian states, and the uncertainty relation that each must obey.

Modes are ordered (z_1, p_1, z_2, p_2, …) with [x_i, x_j] = iΩ_ij and vacuum variance 1/2, so a
state is physical if and only if V + iΩ/2 ≥ 0 (Simon, Mukunda and Dutta, PRA 49, 1567 (1994)).
First moments play no part in any statement of the Letter and are left out.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = [
    "QuantumStateError",
    "product_state",
    "require_physical",
    "squeezed_state",
    "symplectic_eigenvalues",
    "symplectic_form",
    "thermal_state",
    "two_mode_squeezed_state",
    "uncertainty_margin",
    "vacuum_state",
]

Matrix = NDArray[np.float64]

# Rounding of moments propagated over many periods must pass, a violation must not.
TOLERANCE = 1e-10


class QuantumStateError(InputError):
    """A covariance matrix that no quantum state can have (exit code 2)."""


@lru_cache(maxsize=32)
def symplectic_form(modes: int) -> Matrix:
    """Ω of [x_i, x_j] = iΩ_ij, shape (2n, 2n), read-only, in the order (z_1, p_1, z_2, p_2, …).

    Raises
    ------
    InputError
        For fewer than one mode.
    """
    if modes < 1:
        raise InputError(f"a state needs at least 1 mode, got {modes}")
    form = np.kron(np.eye(modes), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    form.setflags(write=False)
    return form


def covariance_stack(covariance: ArrayLike) -> Matrix:
    """Return a checked float copy of shape (…, 2n, 2n): finite and symmetric to rounding."""
    array = np.array(covariance, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] % 2:
        raise InputError(f"a covariance must have shape (…, 2n, 2n), its shape is {array.shape}")
    if array.shape[-1] == 0 or not np.isfinite(array).all():
        raise InputError("the covariance is empty or holds a value that is not finite")
    transposed = array.swapaxes(-1, -2)
    scale = np.abs(array).max(axis=(-1, -2), keepdims=True)
    if (np.abs(array - transposed) > 1e-9 * scale).any():
        raise InputError("the covariance must be symmetric")
    return 0.5 * (array + transposed)


def uncertainty_margin(covariance: ArrayLike) -> Matrix:
    """Smallest eigenvalue of V + iΩ/2 with V scaled to unit variances, shape (…).

    The congruence by diag(V_ii^−½) leaves the sign alone and makes the margin insensitive to
    squeezing and to hot modes: entries of V that are wrong by a relative δ move it by about nδ.
    A state is physical if the margin is not negative; −1 is returned if a variance is not positive.
    """
    array = covariance_stack(covariance)
    variances = np.diagonal(array, axis1=-2, axis2=-1)
    positive = (variances > 0.0).all(axis=-1)
    scale = 1.0 / np.sqrt(np.where(variances > 0.0, variances, 1.0))
    matrix = array + 0.5j * symplectic_form(array.shape[-1] // 2)
    scaled = scale[..., :, None] * matrix * scale[..., None, :]
    return np.asarray(np.where(positive, np.linalg.eigvalsh(scaled)[..., 0], -1.0))


def require_physical(covariance: ArrayLike, *, tolerance: float = TOLERANCE) -> Matrix:
    """Return the covariance, or stack of them, if every one obeys V + iΩ/2 ≥ 0.

    Parameters
    ----------
    covariance : array_like, shape (…, 2n, 2n)
        V, quanta².
    tolerance : float
        How far :func:`uncertainty_margin` may fall below 0; 0 … 1e-3.

    Returns
    -------
    ndarray, shape (…, 2n, 2n)
        Exactly symmetric.

    Raises
    ------
    InputError
        For a wrong shape, a value that is not finite or a matrix that is not symmetric.
    QuantumStateError
        If the uncertainty relation is violated; the text names the state and the violation.

    References
    ----------
    R. Simon, N. Mukunda and B. Dutta, PRA 49, 1567 (1994).

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.require_physical(ob.theory.thermal_state(3.0)).shape
    (2, 2)
    >>> try:
    ...     ob.theory.require_physical(0.4 * ob.theory.vacuum_state(1))
    ... except ob.theory.QuantumStateError as error:
    ...     print("1/2" in str(error))
    True
    """
    require_range("tolerance", tolerance, 0.0, 1e-3)
    array = covariance_stack(covariance)
    margin = uncertainty_margin(array)
    if (margin < -tolerance).any():
        place = np.unravel_index(int(np.argmin(margin)), margin.shape)
        name = f"state {', '.join(map(str, place))}" if place else "the state"
        raise QuantumStateError(f"{name} is not physical: {_violation(array[place])}")
    return array


def _violation(matrix: Matrix) -> str:
    """Name what is wrong with one covariance matrix."""
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest <= 0.0:
        return f"its covariance has the eigenvalue {smallest:.4g}, not positive"
    for mode in range(len(matrix) // 2):
        block = matrix[2 * mode : 2 * mode + 2, 2 * mode : 2 * mode + 2]
        root = math.sqrt(max(float(np.linalg.det(block)), 0.0))
        if root < 0.5 * (1.0 - TOLERANCE):
            return f"√det V of mode {mode + 1} alone is {root:.6g}, allowed at least 1/2"
    nu = float(symplectic_eigenvalues(matrix).min())
    return f"its smallest symplectic eigenvalue is {nu:.6g}, allowed at least 1/2"


def symplectic_eigenvalues(covariance: ArrayLike) -> Matrix:
    """Symplectic eigenvalues ν_k, ascending, shape (…, n); at least 1/2 for a physical state.

    Raises
    ------
    QuantumStateError
        If the covariance is not positive definite.
    """
    array = covariance_stack(covariance)
    modes = array.shape[-1] // 2
    balanced = _balance(array)
    try:
        root = np.linalg.cholesky(balanced)
    except np.linalg.LinAlgError:
        raise QuantumStateError("the covariance is not positive definite") from None
    # iΩV and the hermitian iLᵀΩL share their spectrum ±ν.
    hermitian = 1j * (root.swapaxes(-1, -2) @ symplectic_form(modes) @ root)
    return np.asarray(np.linalg.eigvalsh(hermitian)[..., modes:])


def _balance(array: Matrix) -> Matrix:
    """Undo local squeezing: each 2 × 2 block becomes √det times 1.

    Symplectic eigenvalues do not change, but their rounding falls from eps·‖V‖ to that of the
    occupations alone.
    """
    modes = array.shape[-1] // 2
    balance = np.zeros_like(array)
    for mode in range(modes):
        own = slice(2 * mode, 2 * mode + 2)
        block = array[..., own, own]
        determinant = np.linalg.det(block)
        if not ((determinant > 0.0) & (block[..., 0, 0] > 0.0)).all():
            raise QuantumStateError("the covariance is not positive definite")
        # S⁻¹ = det^¼ L⁻¹ with L the Cholesky root: unit determinant, hence symplectic.
        root = np.linalg.cholesky(block)
        balance[..., own, own] = np.linalg.inv(root) * (determinant**0.25)[..., None, None]
    balanced = balance @ array @ balance.swapaxes(-1, -2)
    return np.asarray(0.5 * (balanced + balanced.swapaxes(-1, -2)))


def vacuum_state(modes: int = 2) -> Matrix:
    """Vacuum of n modes, V = 1/2.

    Parameters
    ----------
    modes : int
        Number n of modes, at least 1.

    Returns
    -------
    ndarray, shape (2n, 2n)
        V, quanta².

    Examples
    --------
    >>> import optobind as ob
    >>> vacuum = ob.theory.vacuum_state()
    >>> vacuum.shape, round(float(ob.theory.purity(vacuum)), 6)
    ((4, 4), 1.0)
    """
    return 0.5 * np.eye(len(symplectic_form(modes)))


def thermal_state(*occupations: float) -> Matrix:
    """Product of thermal states, V_j = (n_j + ½)·1.

    Parameters
    ----------
    *occupations : float
        n_j of each mode, at least 0.

    Returns
    -------
    ndarray, shape (2n, 2n)
        V, quanta².

    Examples
    --------
    >>> import optobind as ob
    >>> hot = ob.theory.thermal_state(0.0, 2.0)
    >>> [round(float(n), 6) for n in ob.theory.occupation(hot)]
    [0.0, 2.0]
    """
    return product_state(*(squeezed_state(0.0, occupation=n) for n in occupations))


def squeezed_state(r: float, angle: float = 0.0, *, occupation: float = 0.0) -> Matrix:
    """Squeezed thermal state of one mode, shape (2, 2).

    Parameters
    ----------
    r : float
        Squeezing: the quadrature z cos θ + p sin θ has the variance (n + ½)e^{−2r}; −6 … 6
        (52 dB), beyond which double precision does not hold a rotated state.
    angle : float
        θ, rad.
    occupation : float
        n before squeezing, at least 0.

    Returns
    -------
    ndarray, shape (2, 2)
        V, quanta².

    Examples
    --------
    >>> import math
    >>> import optobind as ob
    >>> squeezed = ob.theory.squeezed_state(0.5 * math.log(10.0))  # 10 dB
    >>> [round(float(variance), 6) for variance in squeezed.diagonal()]
    [0.05, 5.0]
    """
    r = require_range("squeezing r", r, -6.0, 6.0)
    angle = require_range("angle", angle, -1e6, 1e6, "rad")
    occupation = require_range("occupation", occupation, 0.0, 1e12)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    spread = (occupation + 0.5) * np.array([math.exp(-2.0 * r), math.exp(2.0 * r)])
    return np.asarray((turn * spread) @ turn.T)


def product_state(*states: ArrayLike) -> Matrix:
    """Covariance of independent states: the direct sum of theirs.

    Parameters
    ----------
    *states : array_like, shape (2m, 2m) each
        V of the factors, quanta².

    Returns
    -------
    ndarray, shape (2n, 2n)
        V of all modes together, in the order given, quanta².

    Raises
    ------
    InputError
        Without a state, or if one has a wrong shape.
    QuantumStateError
        If one is not physical.

    Examples
    --------
    A product is never entangled.

    >>> import optobind as ob
    >>> state = ob.theory.product_state(ob.theory.squeezed_state(1.0), ob.theory.vacuum_state(1))
    >>> state.shape, float(ob.theory.log_negativity(state))
    ((4, 4), 0.0)
    """
    if not states:
        raise InputError("a product needs at least 1 state, got none")
    parts = [require_physical(state) for state in states]
    for part in parts:
        if part.ndim != 2:
            raise InputError(f"each factor must be one (2n, 2n) matrix, its shape is {part.shape}")
    return np.asarray(linalg.block_diag(*parts), dtype=np.float64)


def two_mode_squeezed_state(r: float, angle: float = 0.0) -> Matrix:
    """Two-mode squeezed vacuum, shape (4, 4); its log negativity is 2|r|/ln 2.

    Parameters
    ----------
    r : float
        Squeezing; at θ = 0 (z_1 ∓ z_2)/√2 has the variance e^{∓2r}/2; −6 … 6.
    angle : float
        θ of ⟨a_1a_2⟩ = ½ sinh(2r) e^{iθ}, rad.
    """
    r = require_range("squeezing r", r, -6.0, 6.0)
    angle = require_range("angle", angle, -1e6, 1e6, "rad")
    cosine, sine = math.cos(angle), math.sin(angle)
    cross = 0.5 * math.sinh(2.0 * r) * np.array([[cosine, sine], [sine, -cosine]])
    same = 0.5 * math.cosh(2.0 * r) * np.eye(2)
    return np.block([[same, cross], [cross, same]])
