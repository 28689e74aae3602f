"""Slow envelopes: effective models in a rotating wave, and the rates that the light drives.

In frames a_j = (z_j√(ω̃_j/ω) + ip_j√(ω/ω̃_j))e^{iω_rj t}/√2, with the lines ω̃_j of the averaged light
as scales, only those harmonics of A(t) act on slow times that meet
a resonance: the entry of A between two mode operators with frame frequencies ν_i, ν_j (−ω_r for
a†) turns as e^{i(2πn/T + ν_i − ν_j)t} and is kept where this is at rest. What is left out is
O(g/ω). The rates are defined by

    ȧ_1 = −(iΔ_1 + γ/2)a_1 + iκ_12 a_2 + iλ_12 a_2† + iσ_1 a_1†

κ: beam splitter, 2πn/T = ω_r2 − ω_r1 (or static light); λ: two-mode squeezing,
2πn/T = ±(ω_r1 + ω_r2); σ: one-mode squeezing, 2πn/T = ±2ω_rj. For φ = 2ωt and kd = nπ they are
σ_j = −g/2, λ = g/2 with g = G cos kd/kd, the Hamiltonian (ħg/2)(a_−² + a_−†²) of Eq. (13).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.special import jv

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.ranges import require_count, require_finite, require_range
from .drift import ModulatedModel

__all__ = [
    "EffectiveRates",
    "effective_rates",
    "far_field_harmonics",
    "jacobi_anger",
    "mean_lines",
    "rotating_model",
]

Complex: TypeAlias = NDArray[np.complex128]

_AT_REST = 1e-9  # of the largest frame frequency


@dataclass(frozen=True)
class EffectiveRates:
    """Rates of the slow envelopes of a pair, rad/s; conventions of :mod:`.rotating`.

    Attributes
    ----------
    frame : tuple of float
        (ω_r1, ω_r2), rad/s.
    detunings : tuple of float
        Δ_j = (line of particle j) − ω_rj.
    damping : tuple of float
        γ_j, 1/s.
    beam_splitter : tuple of complex
        (κ_12, κ_21).
    two_mode : tuple of complex
        (λ_12, λ_21).
    one_mode : tuple of complex
        (σ_1, σ_2).
    """

    frame: tuple[float, float]
    detunings: tuple[float, float]
    damping: tuple[float, float]
    beam_splitter: tuple[complex, complex]
    two_mode: tuple[complex, complex]
    one_mode: tuple[complex, complex]

    @property
    def exchange(self) -> complex:
        """√(κ_12κ_21): on resonance energy swaps at its real part and grows at its imaginary part.

        ȧ = i(κ_12, κ_21) has the eigenvalues ±i√(κ_12κ_21); a state is swapped after π/(2 Re).
        """
        return cmath.sqrt(self.beam_splitter[0] * self.beam_splitter[1])

    @property
    def two_mode_gain(self) -> complex:
        """√(λ_12λ_21*): on resonance amplitudes grow at its real part and turn at the imaginary."""
        return cmath.sqrt(self.two_mode[0] * self.two_mode[1].conjugate())


def mean_lines(model: ModulatedModel) -> NDArray[np.float64]:
    """Lines ω̃_j of the coordinates in the averaged light, without mutual coupling, rad/s.

    Raises
    ------
    InputError
        If the averaged light does not hold a coordinate, or has no period.
    """
    stiffness = -np.diag(model.averaged().drift[1::2, 0::2]) * model.omega
    if stiffness.min() <= 0.0:
        raise InputError("the averaged light does not hold every particle: ω̃² is not positive")
    return np.asarray(np.sqrt(stiffness))


def _to_modes(model: ModulatedModel) -> Complex:
    """Matrix from (z_1, p_1, …) to (a_1, a_1†, …), each with its own line as scale."""
    blocks = []
    for line in mean_lines(model):
        scale = math.sqrt(line / model.omega)
        blocks.append(np.array([[scale, 1j / scale], [scale, -1j / scale]]) / math.sqrt(2.0))
    return np.asarray(block_diag(*blocks), dtype=np.complex128)


def rotating_model(model: ModulatedModel, frame: Sequence[float]) -> LinearModel:
    """Time-independent model of the slow quadratures X_j + iY_j = √2 a_j.

    Parameters
    ----------
    model : ModulatedModel
        Periodic light or light at rest.
    frame : sequence of float
        ω_rj, one for each coordinate, rad/s; on resonance with the harmonics that are meant to act.

    Returns
    -------
    LinearModel
        States (X_1, Y_1, X_2, Y_2, …) in units of the zero-point motion at their lines (vacuum ½);
        every quadrature is a channel.

    Raises
    ------
    InputError
        For a wrong number of frames, or light without a period.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (11) and (13).

    Examples
    --------
    Under Eq. (13) at kd = nπ one quadrature of a_− grows at g, the other decays at g.

    >>> import math
    >>> import optobind as ob
    >>> kd = 6.0 * math.pi
    >>> model = ob.theory.far_field_model(
    ...     omega=3e6, kd=kd, G=1e3 * kd, D11=4e2, D22=4e2, phi=ob.theory.parametric(3e6)
    ... )
    >>> rates = ob.theory.rotating_model(model, (3e6, 3e6)).eigenvalues.real
    >>> round(float(rates.max()), 3), round(float(rates.min()), 3)
    (1000.0, -1000.0)
    """
    drift, noise = _averaged(model, frame)
    # Back from (a, a†) to (X, Y), each with the vacuum variance ½ of its own line.
    back = np.kron(np.eye(model.states // 2), np.array([[1.0, 1.0], [-1j, 1j]]) / math.sqrt(2.0))
    slow = back @ drift @ np.linalg.inv(back)
    spread = back @ noise @ back.conj().T
    return LinearModel(slow.real, spread.real, np.eye(model.states))


def _averaged(model: ModulatedModel, frame: Sequence[float]) -> tuple[Complex, Complex]:
    """Resonant part of A and N in the rotating frame of the mode operators (a_1, a_1†, …)."""
    if np.shape(frame) != (model.states // 2,):
        raise InputError(f"{model.states // 2} frame frequencies are needed, got {frame!r}")
    for value in frame:
        require_range("frame", value, 1e-9, 1e12, "rad/s")
    to_modes = _to_modes(model)
    turn = np.array([sign * value for value in frame for sign in (1.0, -1.0)])
    mismatch = np.subtract.outer(turn, turn)
    largest = float(np.abs(mismatch).max())
    period = model.period
    if period is None:
        model.require_period()
    base = 2.0 * math.pi / period if period else 0.0
    orders = math.ceil(largest / base) + 1 if base else 0
    drift, noise = model.harmonics(orders)
    slow = np.zeros_like(to_modes)
    spread = np.zeros_like(to_modes)
    inverse = np.linalg.inv(to_modes)
    for n, a, q in zip(range(-orders, orders + 1), drift, noise, strict=True):
        kept = np.abs(n * base + mismatch) <= _AT_REST * largest
        slow += np.where(kept, to_modes @ a @ inverse, 0.0)
        spread += np.where(kept, to_modes @ q @ to_modes.conj().T, 0.0)
    return slow + np.diag(1j * turn), spread


def effective_rates(model: ModulatedModel, frame: tuple[float, float]) -> EffectiveRates:
    """Rates of a pair in given frames.

    Parameters
    ----------
    model : ModulatedModel
        Four states, with periodic light or light at rest.
    frame : tuple of float
        (ω_r1, ω_r2), rad/s.

    Raises
    ------
    InputError
        If the model has other than four states.
    """
    if model.states != 4:
        raise InputError(f"rates are those of a pair, 4 states; the model has {model.states}")
    slow, _ = _averaged(model, frame)
    own = (-1j * slow[0, 0], -1j * slow[2, 2])
    return EffectiveRates(
        frame=(float(frame[0]), float(frame[1])),
        detunings=(float(-own[0].real), float(-own[1].real)),
        damping=(float(-2.0 * slow[0, 0].real), float(-2.0 * slow[2, 2].real)),
        beam_splitter=(complex(-1j * slow[0, 2]), complex(-1j * slow[2, 0])),
        two_mode=(complex(-1j * slow[0, 3]), complex(-1j * slow[2, 1])),
        one_mode=(complex(-1j * slow[0, 1]), complex(-1j * slow[2, 3])),
    )


def jacobi_anger(phi_0: float, depth: float, orders: int, phase: float = 0.0) -> Complex:
    """Coefficients of e^{i[φ_0 + β cos(Ωt + θ)]} = Σ c_n e^{inΩt}.

    c_n = e^{iφ_0}(ie^{iθ})ⁿJ_n(β).

    Parameters
    ----------
    phi_0, depth, phase : float
        φ_0, β and θ, rad.
    orders : int
        Highest |n|.

    Returns
    -------
    ndarray, shape (2·orders + 1,)
    """
    for name, value in (("phi_0", phi_0), ("depth", depth), ("phase", phase)):
        require_finite(name, value, "rad")
    require_count("orders", orders, 0, 10**6)
    n = np.arange(-orders, orders + 1)
    return np.asarray(
        cmath.exp(1j * phi_0) * np.exp(1j * n * (0.5 * math.pi + phase)) * jv(n, depth)
    )


def far_field_harmonics(coefficients: Complex, rate: float, kd: float) -> tuple[Complex, Complex]:
    """Harmonics of g_r ± g_a = (G/kd)cos(kd ∓ φ) from those of e^{iφ(t)} = Σ c_n e^{inΩt}.

    Parameters
    ----------
    coefficients : ndarray, shape (2·orders + 1,)
        c_n, n = −orders … orders, for example by :func:`jacobi_anger`.
    rate : float
        G/kd, rad/s.
    kd : float
        Dimensionless distance.

    Returns
    -------
    plus, minus : ndarray
        Harmonics of g_r + g_a and g_r − g_a, in the same order.
    """
    mirrored = coefficients[::-1].conj()  # of e^{−iφ}
    ahead, behind = cmath.exp(1j * kd), cmath.exp(-1j * kd)
    return (
        0.5 * rate * (ahead * mirrored + behind * coefficients),
        0.5 * rate * (ahead * coefficients + behind * mirrored),
    )
