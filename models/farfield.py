"""Far-field couplings of a pair (Eqs. (6), (8)) from the local fields, and the noise kernel.

With Λ_j = ∂_z ln E_j/(ik) at the particle (A at the focus), local amplitudes and local φ,
G_0 = α_1α_2E_1E_2k⁵cos²ϑ/(16πε0√(m_1m_2)ω):
g_r + g_a = (G_0/kd) Re[Λ_1*Λ_2 e^{i(kd−φ)}], g_r − g_a = (G_0/kd) Re[Λ_1Λ_2* e^{i(kd+φ)}],
D_12 = (G_0/kd) Λ_1Λ_2* e^{iφ} sin kd, D_jj = α_j²E_j²k⁵(|Λ_j|² + 2/5)/(24πε0m_jω).
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import spherical_jn

from .constants import EPSILON_0
from .errors import InputError
from .reprs import short_repr
from .tweezer import LocalField

__all__ = ["FarFieldCouplings", "far_field_couplings", "local_phase", "noise_kernel"]


@dataclass(frozen=True)
class FarFieldCouplings:
    """Couplings of two particles in the limit kd ≫ 1.

    Attributes
    ----------
    g_r, g_a : float
        Reciprocal and antireciprocal coupling, rad/s.
    D : ndarray, shape (2, 2)
        Diffusion, hermitian, 1/s.
    G : float
        G_0 Re(Λ_1*Λ_2), rad/s; Eq. (6) with it holds at the foci.
    kd : float
        k|r_12|.
    phi : float
        Local phase arg E_1 − arg E_2, rad.
    slopes : tuple of complex
        (Λ_1, Λ_2).
    """

    g_r: float
    g_a: float
    D: NDArray[np.complex128]
    G: float
    kd: float
    phi: float
    slopes: tuple[complex, complex]

    __repr__ = short_repr


def local_phase(field: LocalField, pair: tuple[int, int] = (0, 1)) -> float:
    """Phase arg E_1 − arg E_2 at the particles, rad, −π … π; polarisations as they overlap."""
    first, second = field.value[:, pair[0]], field.value[:, pair[1]]
    return cmath.phase(complex(np.vdot(second, first)))


def far_field_couplings(
    field: LocalField,
    alpha: NDArray[np.complex128],
    positions: NDArray[np.float64],
    masses: tuple[float, float],
    omega: float,
    k: float,
) -> FarFieldCouplings:
    """Evaluate the far-field formulas for two particles.

    Parameters
    ----------
    field : LocalField
        Field at the two particles.
    alpha : ndarray, shape (2,)
        Polarizabilities, C m²/V; the radiative correction adds arg α_1α_2 to kd in g_r ± g_a.
    positions : ndarray, shape (2, 3)
        m; separated across the beams.
    masses : tuple of float
        kg.
    omega : float
        Common scale ω, rad/s.
    k : float
        Wave number, 1/m.

    Raises
    ------
    InputError
        If the particles are separated along the beams rather than across.
    """
    r = positions[0] - positions[1]
    across = math.hypot(r[0], r[1])
    if across <= abs(r[2]):
        raise InputError(
            f"the far-field formulas need a separation across the beams, got {across:g} m across "
            f"and {abs(r[2]):g} m along z"
        )
    kd = k * float(np.linalg.norm(r))
    # Radiation leaves only what is transverse to the line of centres: cos²ϑ for the x axis.
    line = np.array([r[0], r[1], 0.0]) / across
    transverse = np.eye(3) - np.outer(line, line)
    overlap = complex(
        np.einsum("gi,ij,gj->", field.value[:, 1].conj(), transverse, field.value[:, 0])
    )
    phi = cmath.phase(overlap) if overlap else local_phase(field)
    square = field.intensity
    upward = np.einsum("gni,gni->n", field.value.conj(), field.first[:, :, 2])
    one, two = (complex(value) for value in upward / (1j * k * square))
    mean = math.sqrt(masses[0] * masses[1])
    scale = k**5 / (16.0 * math.pi * EPSILON_0 * omega)
    rate = abs(alpha[0] * alpha[1]) * abs(overlap) * scale / mean
    lag = cmath.phase(complex(alpha[0] * alpha[1]))
    mutual = one.conjugate() * two
    plus = rate / kd * (mutual * cmath.exp(1j * (kd + lag - phi))).real
    minus = rate / kd * (mutual.conjugate() * cmath.exp(1j * (kd + lag + phi))).real
    turn = cmath.exp(1j * (phi + cmath.phase(complex(alpha[0] * alpha[1].conjugate()))))
    cross = rate / kd * mutual.conjugate() * turn * math.sin(kd)
    slopes = np.abs(np.array([one, two])) ** 2
    local = np.abs(alpha) ** 2 * square * (slopes + 0.4) * scale / (1.5 * np.array(masses))
    diffusion = np.array([[local[0], cross], [cross.conjugate(), local[1]]])
    return FarFieldCouplings(
        g_r=float(0.5 * (plus + minus)),
        g_a=float(0.5 * (plus - minus)),
        D=diffusion,
        G=float(rate * mutual.real),
        kd=kd,
        phi=phi,
        slopes=(one, two),
    )


def noise_kernel(kd: ArrayLike, propagation_factor: float = 1.0) -> NDArray[np.float64]:
    """Recoil correlation I(kd)/I(0) of two y-polarised foci a distance d apart along x.

    D_12 = √(D_11D_22) e^{iφ} I(kd)/I(0) at any distance, with
    I(x) = 2π∫_{−1}^{1} cos(xμ)[A²(1+μ²)/2 + (1−μ²)/2 − (1−μ²)²/8] dμ; here in closed form by
    ∫cos(xμ)P_l(μ)dμ = 2(−1)^{l/2} j_l(x). It tends to Eq. (8) for large kd.

    Parameters
    ----------
    kd : array_like
        Dimensionless distance.
    propagation_factor : float
        A.

    Returns
    -------
    ndarray
        Of the shape of ``kd``; 1 at kd = 0.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (8).

    Examples
    --------
    >>> import optobind as ob
    >>> ob.noise_kernel([0.0, 100.0]).round(2)
    array([ 1.  , -0.01])
    """
    x = np.abs(np.asarray(kd, dtype=np.float64))
    square = propagation_factor**2
    # The bracket in Legendre polynomials: μ² = (1 + 2P_2)/3, μ⁴ = (7 + 20P_2 + 8P_4)/35.
    constant = 0.5 * square + 0.5 - 0.125
    quadratic = 0.5 * square - 0.5 + 0.25
    weights = (
        constant + quadratic / 3.0 - 0.125 * 7.0 / 35.0,
        2.0 * quadratic / 3.0 - 0.125 * 20.0 / 35.0,
        -0.125 * 8.0 / 35.0,
    )
    total = sum(w * (-1.0) ** n * spherical_jn(2 * n, x) for n, w in enumerate(weights))
    return np.asarray(total / weights[0])
