"""Homodyne detection of the scattered light: which Lindblad operators, how well, at which phase.

Which columns c of 2D = Σ_m c_mc_m† a detector sees is a matter of its spatial modes: every c with
cc† = 2D has the same unconditional dynamics, but not the same conditional state. What is not
detected, and the gas, stays in N as unobserved noise. See :mod:`.conditional` for the equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.pair import PairConstants
from ...models.ranges import require_range
from ...models.reprs import short_repr
from .riccati import flow_generator
from .states import symplectic_form

__all__ = ["HomodyneDetection", "joint_detection", "local_detection"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class HomodyneDetection:
    """Continuously detected Lindblad operators.

    Attributes
    ----------
    rows : ndarray, shape (m, 2n)
        l_mi of L_m = Σ_i l_mi x_i in the state order (z_1, p_1, …), √(1/s). The phase of a row is
        that of the local oscillator: a real row reads what L_m carries of x.
    efficiencies : ndarray, shape (m,)
        η_m, 0 … 1.

    Raises
    ------
    InputError
        For shapes that do not agree or an efficiency outside 0 … 1.

    Examples
    --------
    Detecting z with efficiency η writes dy = 2√(2ηD) z dt + dW.

    >>> import math
    >>> import optobind as ob
    >>> seen = ob.theory.HomodyneDetection([[math.sqrt(2.0 * 50.0), 0.0]], [0.25])
    >>> round(float(seen.output[0, 0]), 6)
    10.0
    """

    rows: NDArray[np.complex128]
    efficiencies: Matrix

    __repr__ = short_repr

    def __post_init__(self) -> None:
        rows = np.atleast_2d(np.array(self.rows, dtype=np.complex128))
        if rows.ndim != 2 or rows.shape[1] % 2 or not np.isfinite(rows).all():
            raise InputError(
                f"rows must be finite and of shape (m, 2n), their shape is {rows.shape}"
            )
        efficiencies = per_channel("efficiency", self.efficiencies, len(rows), 0.0, 1.0)
        rows.setflags(write=False)
        efficiencies.setflags(write=False)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "efficiencies", efficiencies)

    @cached_property
    def output(self) -> Matrix:
        """C, shape (m, 2n): the record is dy = Cx dt + dW."""
        return np.asarray(2.0 * np.sqrt(self.efficiencies)[:, None] * self.rows.real)

    @cached_property
    def correlation(self) -> Matrix:
        """Γ, shape (2n, m): correlation of the back-action with the noise of the record."""
        form = symplectic_form(self.rows.shape[1] // 2)
        return np.asarray(-form @ self.rows.imag.T * np.sqrt(self.efficiencies))

    @cached_property
    def back_action(self) -> Matrix:
        """Noise that the detected share of the light must have left in N, shape (2n, 2n)."""
        form = symplectic_form(self.rows.shape[1] // 2)
        weighted = self.rows.T * self.efficiencies @ self.rows.conj()
        return np.asarray(form @ weighted.real @ form.T)

    def generator(self, model: LinearModel) -> Matrix:
        """Generator of the Riccati flow, see :func:`.riccati.flow_generator`.

        Raises
        ------
        InputError
            If the states do not match, or the noise of the model does not hold the back-action.
        """
        if self.rows.shape[1] != model.states:
            raise InputError(
                f"rows need {model.states} columns for this model, they have {self.rows.shape[1]}"
            )
        left = model.noise - self.back_action
        if np.linalg.eigvalsh(left)[0] < -1e-9 * np.abs(model.noise).max():
            raise InputError(
                "the model's noise is smaller than the back-action of the detected light: rows "
                "must satisfy Σ η l l† ≤ 2D"
            )
        output, correlation = self.output, self.correlation
        return flow_generator(
            model.drift - correlation @ output,
            model.noise - correlation @ correlation.T,
            output.T @ output,
        )


def per_channel(name: str, value: ArrayLike, count: int, low: float, high: float) -> Matrix:
    """One number for all channels, or one for each, checked against a range."""
    try:
        numbers = np.broadcast_to(np.asarray(value, dtype=np.float64), (count,)).copy()
    except (TypeError, ValueError):
        raise InputError(f"{name} needs one number or {count}, got {value!r}") from None
    for number in numbers:
        require_range(name, float(number), low, high)
    return numbers


def _z_rows(columns: NDArray[np.complex128], angles: ArrayLike) -> NDArray[np.complex128]:
    """Rows of L_m = e^{−iθ_m} Σ_j c_jm z_j for columns c (2, m)."""
    turns = per_channel("angle", angles, columns.shape[1], -1e3, 1e3)
    rows = np.zeros((columns.shape[1], 4), dtype=np.complex128)
    rows[:, 0::2] = np.exp(-1j * turns)[:, None] * columns.T
    return rows


def joint_detection(
    pair: PairConstants,
    efficiency: ArrayLike = 1.0,
    angles: ArrayLike = 0.0,
    *,
    columns: ArrayLike | None = None,
) -> HomodyneDetection:
    """Detection of all light that the pair scatters, interference included, 2D = cc†.

    Parameters
    ----------
    pair : PairConstants
        The recoil D_jl, with Im D_12 = g_a.
    efficiency : float, or one per column
        η, 0 … 1.
    angles : float, or one per column
        Homodyne angle θ_m, rad: the operator detected is e^{−iθ_m}L_m.
    columns : array_like, shape (2, m), optional
        c of the detected modes; the hermitian root of 2D unless given.

    Returns
    -------
    HomodyneDetection
        One row per detected mode, two unless columns are given.

    Raises
    ------
    InputError
        If the columns do not satisfy cc† = 2D.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (7).

    Examples
    --------
    All light of both particles, seen perfectly, leaves a pure state.

    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> state = ob.theory.conditional_steady_state(pair, ob.theory.joint_detection(pair))
    >>> round(float(ob.theory.purity(state)), 6)
    1.0
    """
    twice = 2.0 * pair.diffusion
    if columns is None:
        values, vectors = np.linalg.eigh(twice)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.conj().T
        return HomodyneDetection(_z_rows(root, angles), np.asarray(efficiency))
    c = np.atleast_2d(np.asarray(columns, dtype=np.complex128))
    if c.shape[0] != 2 or not np.allclose(c @ c.conj().T, twice, 1e-6, 1e-9 * abs(twice).max()):
        raise InputError("columns must have shape (2, m) and satisfy cc† = 2D")
    return HomodyneDetection(_z_rows(c, angles), np.asarray(efficiency))


def local_detection(
    pair: PairConstants, efficiency: ArrayLike = 1.0, angles: ArrayLike = 0.0
) -> HomodyneDetection:
    """Independent detection of each particle: L_j = √(2D_jj) z_j with efficiency η_j.

    At θ = 0 the Riccati equation has the diagonal form V̇ = … − 8ηΣD_jj V e_je_jᵀV. The light
    that carries D_12 must be among what is not detected, hence the condition below.

    Parameters
    ----------
    pair : PairConstants
        The recoil D_jl.
    efficiency : float or (η_1, η_2)
        0 … 1.
    angles : float or (θ_1, θ_2)
        Homodyne angles, rad.

    Returns
    -------
    HomodyneDetection
        One row for each particle.

    Raises
    ------
    InputError
        Unless (1−η_1)(1−η_2)D_11D_22 ≥ |D_12|².

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024): D′ = D(1 − η).

    Examples
    --------
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> seen = ob.theory.local_detection(pair, 0.5)
    >>> seen.rows.shape, [round(float(rate), 6) for rate in seen.back_action.diagonal()[1::2]]
    ((2, 4), [2000.0, 2000.0])
    """
    eta = per_channel("efficiency", efficiency, 2, 0.0, 1.0)
    left = (1.0 - eta[0]) * (1.0 - eta[1]) * pair.D11 * pair.D22
    cross = pair.re_D12**2 + pair.g_a**2
    if left < cross * (1.0 - 1e-9):
        raise InputError(
            f"independent detection needs (1−η)²D11·D22 ≥ |D12|², got {left:.6g} < {cross:.6g}; "
            "lower the efficiency or use joint_detection"
        )
    columns = np.diag(np.sqrt(2.0 * np.array([pair.D11, pair.D22]))).astype(np.complex128)
    return HomodyneDetection(_z_rows(columns, angles), eta)
