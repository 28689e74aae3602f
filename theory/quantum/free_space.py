"""Couplings and recoil of two equal foci in free space at any distance, with one free rate D.

For y-polarised foci a distance d apart along x, with E ∝ e^{ikAz}, Eq. (1) and Eq. (5) are the
real and the imaginary part of one function, k²A²G_yy − ∂_z²G_yy:
g_r = D R(kd) cos φ,  D_12 = D K(kd) e^{iφ},  g_a = D K(kd) sin φ.
K is the noise kernel I(kd)/I(0) of spherical Bessel functions j_l; R is the same sum of −y_l. As kd
grows, R → (G/D) cos(kd)/kd and K → (G/D) sin(kd)/kd with G/D = 1.5A²/(A² + 2/5): Eqs. (6), (8).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import spherical_yn

from ...models.farfield import noise_kernel
from ...models.pair import PairConstants
from ...models.ranges import require_finite, require_range

__all__ = [
    "coupling_to_recoil",
    "exact_separable_distance",
    "far_field_separable_distance",
    "free_space_pair",
    "reactive_kernel",
]


def coupling_to_recoil(propagation_factor: float = 1.0) -> float:
    """Ratio G/D_11 = 1.5A²/(A² + 2/5), free of any parameter but A (15/14 at A = 1).

    Parameters
    ----------
    propagation_factor : float
        A, 0.1 … 1.

    Returns
    -------
    float
        G/D_11.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (6) and (8).

    Examples
    --------
    >>> import optobind as ob
    >>> round(ob.theory.coupling_to_recoil() * 14.0, 9)
    15.0
    """
    square = require_range("propagation_factor", propagation_factor, 0.1, 1.0) ** 2
    return 1.5 * square / (square + 0.4)


def reactive_kernel(kd: ArrayLike, propagation_factor: float = 1.0) -> NDArray[np.float64]:
    """R(kd) of g_r = D R(kd) cos φ: the partner of :func:`models.farfield.noise_kernel`.

    Parameters
    ----------
    kd : array_like
        Dimensionless distance, positive.
    propagation_factor : float
        A, 0.1 … 1.
    """
    square = require_range("propagation_factor", propagation_factor, 0.1, 1.0) ** 2
    x = np.asarray(kd, dtype=np.float64)
    for value in np.ravel(x):
        require_range("kd", float(value), 1e-3, 1e7)
    # Legendre weights of A²(1+μ²)/2 + (1−μ²)/2 − (1−μ²)²/8, as for the noise kernel.
    quadratic = 0.5 * square - 0.25
    weights = (
        0.5 * square + 0.375 + quadratic / 3.0 - 0.125 * 7.0 / 35.0,
        2.0 * quadratic / 3.0 - 0.125 * 20.0 / 35.0,
        -0.125 * 8.0 / 35.0,
    )
    total = sum(w * (-1.0) ** n * -spherical_yn(2 * n, x) for n, w in enumerate(weights))
    return np.asarray(total / weights[0])


def free_space_pair(
    *,
    omega: float,
    kd: float,
    phi: float,
    D: float,
    propagation_factor: float = 1.0,
    delta_omega: float = 0.0,
    gamma: tuple[float, float] = (0.0, 0.0),
    n_thermal: tuple[float, float] = (0.0, 0.0),
) -> PairConstants:
    """Constants of two equal particles at their foci, exact in kd (Eqs. (6) and (8) for kd ≫ 1).

    Parameters
    ----------
    omega : float
        ω, rad/s.
    kd : float
        k times the distance, 1e-3 … 1e7; dipoles that touch are not points.
    phi : float
        φ, rad.
    D : float
        Recoil heating rate of each particle, 1/s.
    propagation_factor : float
        A, 0.1 … 1.
    delta_omega, gamma, n_thermal
        As for :class:`~models.pair.PairConstants`.

    Returns
    -------
    PairConstants
        Rates in rad/s and 1/s.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (1), (5), (6) and (8).

    Examples
    --------
    At kd = nπ the far field is reciprocal at every phase.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=6.0 * math.pi, phi=0.5, D=2e3)
    >>> abs(pair.g_a) < 0.02 * abs(pair.g_r), pair.D11 >= abs(pair.g_r)
    (True, True)
    """
    D = require_range("D", D, 0.0, 1e12, "1/s")
    require_finite("phi", phi, "rad")
    real, noise = _kernels(
        require_finite("kd", kd), require_finite("propagation_factor", propagation_factor)
    )
    return PairConstants(
        omega=omega,
        delta_omega=delta_omega,
        g_r=D * real * math.cos(phi),
        g_a=D * noise * math.sin(phi),
        D11=D,
        D22=D,
        re_D12=D * noise * math.cos(phi),
        gamma=gamma,
        n_thermal=n_thermal,
    )


@lru_cache(maxsize=256)
def _kernels(kd: float, propagation_factor: float) -> tuple[float, float]:
    """R and K at one distance; remembered, since φ(t) asks for the same again and again."""
    real = float(reactive_kernel(kd, propagation_factor))
    return real, float(noise_kernel(kd, propagation_factor))


def far_field_separable_distance(propagation_factor: float = 1.0) -> float:
    """Root kd of D_11 = G/kd, the far-field bound of the no-go: 1.07 at A = 1.

    Beyond it D_11 ≥ |g_r|, |g_a| and D_11² ≥ g_r² + (Re D_12)² for every φ and kd.
    """
    return coupling_to_recoil(propagation_factor)


def exact_separable_distance(propagation_factor: float = 1.0) -> float:
    """Distance kd beyond which D_11² ≥ g_r² + (Re D_12)² for every φ with the exact kernels.

    It is 1.40 at A = 1 and 1.42 at A = 0.8: the near field that Eq. (6) leaves out couples more
    strongly than its far field. Closer than that a pair of ideal dipoles is not covered by the
    no-go theorem; real spheres touch or scatter more than twice there.
    """
    factor = require_finite("propagation_factor", propagation_factor)

    def excess(kd: float) -> float:
        real, noise = _kernels(kd, factor)
        return real**2 + noise**2 - 1.0

    return float(brentq(excess, 1.0, 3.0, xtol=1e-12))
