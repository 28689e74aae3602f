"""From stiffness and diffusion of an array to pair constants and linear models.

g_r ± g_a = ∂F_{1,2}/∂z_{2,1}/(2√(m_1m_2)ω), D_jl = P_jl/(ħω√(m_jm_l)) and local shifts
s_j = [K_jj − K_jj(alone)]/(2m_jω), with ω the mean of the axial frequencies without interaction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import HBAR, bose_occupation
from .errors import InputError
from .linear import LinearModel
from .pair import PairConstants

__all__ = ["ArrayCoefficients", "PairCouplings", "linear_model", "pair_constants"]

_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class ArrayCoefficients:
    """Everything linear about an array at fixed positions.

    Attributes
    ----------
    masses : ndarray, shape (n,)
        kg.
    omegas : ndarray, shape (n,)
        Axial frequencies without interaction, rad/s.
    alone : ndarray, shape (n, 3, 3)
        Stiffness of each particle without interaction, N/m.
    stiffness : ndarray, shape (n, 3, n, 3)
        −∂F_ja/∂r_lb with interaction, N/m.
    diffusion : ndarray, shape (n, 3, n, 3)
        P, (kg m/s)²/s.
    gamma : ndarray, shape (n,)
        Gas damping rates, 1/s.
    temperature : float
        Temperature of the gas, K; 0 without gas.
    """

    masses: NDArray[np.float64]
    omegas: NDArray[np.float64]
    alone: NDArray[np.float64]
    stiffness: NDArray[np.float64]
    diffusion: NDArray[np.complex128]
    gamma: NDArray[np.float64]
    temperature: float = 0.0

    @property
    def omega(self) -> float:
        """Mean axial frequency ω, the common scale of all quadratures, rad/s."""
        return float(self.omegas.mean())

    def thermal_occupation(self, omega: float) -> float:
        """n̄ of the gas at the common scale ω (rad/s), so that ⟨p²⟩ tends to kT/(ħω)."""
        return bose_occupation(omega, self.temperature)


@dataclass(frozen=True)
class PairCouplings:
    """The pair constants of two particles of an array, and where they were taken.

    Attributes
    ----------
    at : str
        "equilibrium", "focus" or "positions".
    positions : ndarray, shape (2, 3)
        m.
    omegas : tuple of float
        Axial frequencies without interaction, rad/s.
    masses : tuple of float
        kg.
    constants : PairConstants
        Rates with the true local shifts and the gas.
    phi : float
        Set phase: difference of the phases at the foci, rad.
    phi_local : float
        Phase arg E_1 − arg E_2 at the particles, rad, −π … π.
    kd : float
        k|r_12| at the positions.
    kd_set : float
        k times the distance of the foci.
    D : ndarray, shape (2, 2)
        D_jl, hermitian, 1/s; Im D_12 = g_a for real polarizabilities.
    """

    at: str
    positions: NDArray[np.float64]
    omegas: tuple[float, float]
    masses: tuple[float, float]
    constants: PairConstants
    phi: float
    phi_local: float
    kd: float
    kd_set: float
    D: NDArray[np.complex128]

    @property
    def heating_rate_difference(self) -> float:
        """(D_+ − D_−)/D_11 = 2 Re D_12/D_11, the Letter's 10–15 % (a fraction)."""
        return 2.0 * self.constants.re_D12 / self.constants.D11


def pair_constants(
    coefficients: ArrayCoefficients, pair: tuple[int, int]
) -> tuple[PairConstants, NDArray[np.complex128]]:
    """Constants and D (2, 2) of two particles along z.

    Raises
    ------
    InputError
        For indices that are equal or out of range.
    """
    count = len(coefficients.masses)
    first, second = pair
    if first == second or not all(0 <= index < count for index in pair):
        raise InputError(f"pair must name two of the particles 0 … {count - 1}, got {pair}")
    index = np.array(pair)
    masses, omegas = coefficients.masses[index], coefficients.omegas[index]
    omega = float(omegas.mean())
    stiffness = coefficients.stiffness[index][:, 2, index, 2]
    alone = coefficients.alone[index, 2, 2]
    mean = math.sqrt(masses[0] * masses[1])
    plus, minus = -stiffness[0, 1], -stiffness[1, 0]
    shifts = (np.diag(stiffness) - alone) / (2.0 * masses * omega)
    root = np.sqrt(np.outer(masses, masses))
    diffusion = coefficients.diffusion[index][:, 2, index, 2] / (HBAR * omega * root)
    constants = PairConstants(
        omega=omega,
        delta_omega=float(omegas[1] - omegas[0]),
        g_r=float(plus + minus) / (4.0 * mean * omega),
        g_a=float(plus - minus) / (4.0 * mean * omega),
        D11=float(diffusion[0, 0].real),
        D22=float(diffusion[1, 1].real),
        re_D12=float(diffusion[0, 1].real),
        gamma=(float(coefficients.gamma[first]), float(coefficients.gamma[second])),
        n_thermal=(coefficients.thermal_occupation(omega),) * 2,
        shift_1=float(shifts[0]),
        shift_2=float(shifts[1]),
    )
    return constants, np.asarray(diffusion)


def linear_model(coefficients: ArrayCoefficients, axes: str) -> LinearModel:
    """Quadratures with one scale ω; states (x_1, p_x1, y_1, …) of the axes asked, x before y, z.

    Raises
    ------
    InputError
        If ``axes`` is not a subset of "xyz".
    """
    if not axes or len(set(axes)) != len(axes) or not set(axes) <= set(_AXES):
        raise InputError(f"axes must be some of 'xyz', for example 'z', got {axes!r}")
    kept = sorted(_AXES[name] for name in axes)
    count = len(coefficients.masses)
    size = count * len(kept)
    omega = coefficients.omega
    masses = np.repeat(coefficients.masses, len(kept))
    gamma = np.repeat(coefficients.gamma, len(kept))
    root = np.sqrt(np.outer(masses, masses)) * omega
    stiffness = coefficients.stiffness[:, kept][:, :, :, kept].reshape(size, size)
    recoil = coefficients.diffusion[:, kept][:, :, :, kept].reshape(size, size).real
    drift = np.zeros((2 * size, 2 * size))
    drift[0::2, 1::2] = omega * np.eye(size)
    drift[1::2, 0::2] = -stiffness / root
    drift[1::2, 1::2] = -np.diag(gamma)
    noise = np.zeros((2 * size, 2 * size))
    thermal = gamma * (2.0 * coefficients.thermal_occupation(omega) + 1.0)
    noise[1::2, 1::2] = 2.0 * recoil / (HBAR * root) + np.diag(thermal)
    output = np.zeros((size, 2 * size))
    output[:, 0::2] = np.eye(size)
    return LinearModel(drift, noise, output)
