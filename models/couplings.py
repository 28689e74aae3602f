"""The constants of Eqs. (6)–(9) of two particles of an array, from its coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coefficients import ArrayCoefficients
from .errors import InputError
from .pair import PairConstants
from .reprs import short_repr

__all__ = ["PairCouplings", "pair_constants"]


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

    __repr__ = short_repr

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
    two = coefficients.of(pair)
    omegas, gamma, shifts = two.omegas.tolist(), two.gamma.tolist(), two.shifts.tolist()
    diffusion = two.rates
    plus, minus = float(two.couplings[0, 1]), float(two.couplings[1, 0])
    constants = PairConstants(
        omega=float(two.omega),
        delta_omega=omegas[1] - omegas[0],
        g_r=0.5 * (plus + minus),
        g_a=0.5 * (plus - minus),
        D11=float(diffusion[0, 0].real),
        D22=float(diffusion[1, 1].real),
        re_D12=float(diffusion[0, 1].real),
        gamma=(gamma[0], gamma[1]),
        n_thermal=(float(two.thermal_occupation),) * 2,
        shift_1=shifts[0],
        shift_2=shifts[1],
    )
    return constants, diffusion
