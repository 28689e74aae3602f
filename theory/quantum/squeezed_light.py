"""Recoil under squeezed vacuum: D′ = D[1 − |ζ|²(1 − s)].

A particle scatters into one optical mode, L = √(2D) z, and is kicked by one quadrature of that
mode. If a squeezed mode overlaps it by ζ, the kicks have the variance |ζ|²s + (1 − |ζ|²) in units
of the vacuum's, with s the squeezed over the vacuum *variance*. For S = exp[r(b² − b†²)/2] it is
s = e^{−2r}; the Letter writes e^{−r} (docs/theory/errata.md). Each particle has its own squeezed
mode; D_12 is left as it is, which holds as long as these modes do not carry the interference.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ...models.errors import InputError
from ...models.pair import PairConstants
from ...models.ranges import require_range
from .homodyne import per_channel
from .separability import separability

__all__ = [
    "decibels",
    "squeezed_recoil",
    "squeezing_needed",
    "squeezing_parameter",
    "variance_from_decibels",
    "variance_from_parameter",
    "with_squeezed_light",
]


def variance_from_parameter(r: float) -> float:
    """Return s = e^{−2r} for the squeezing parameter r, −15 … 15 (negative: antisqueezed)."""
    return math.exp(-2.0 * require_range("squeezing r", r, -15.0, 15.0))


def squeezing_parameter(variance: float) -> float:
    """Return r = −½ ln s; 10 dB is r = 1.151."""
    return -0.5 * math.log(_variance(variance))


def variance_from_decibels(squeezing: float) -> float:
    """Return s = 10^(−dB/10) for squeezing in dB below the vacuum, −130 … 130 dB."""
    return math.pow(10.0, -require_range("squeezing", squeezing, -130.0, 130.0, "dB") / 10.0)


def decibels(variance: float) -> float:
    """Squeezing in dB below the vacuum, −10 log10 s."""
    return -10.0 * math.log10(_variance(variance))


def _variance(variance: float) -> float:
    return require_range("squeezed variance s", variance, 1e-13, 1e13)


def squeezed_recoil(D: float, variance: float, overlap: complex = 1.0) -> float:
    """Recoil rate D[1 − |ζ|²(1 − s)], 1/s.

    Parameters
    ----------
    D : float
        Rate in the vacuum, 1/s, at least 0.
    variance : float
        s, squeezed over vacuum variance of the quadrature that drives the particle; above 1 if
        the light is squeezed at the wrong phase.
    overlap : complex
        ζ of the squeezed mode with the scattered field, |ζ| at most 1.

    Returns
    -------
    float
        D′, 1/s.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), where s stands for e^{−2r} (docs/theory/errata.md);
    C. Gonzalez-Ballester et al., PRX Quantum 4, 030331 (2023).

    Examples
    --------
    10 dB, s = 0.1, take 9/10 of the recoil, and at an overlap of ½ a quarter of that.

    >>> import optobind as ob
    >>> [round(ob.theory.squeezed_recoil(2e3, 0.1, overlap), 6) for overlap in (0.0, 0.5, 1.0)]
    [2000.0, 1550.0, 200.0]
    """
    D = require_range("D", D, 0.0, 1e15, "1/s")
    share = require_range("|overlap|", abs(overlap), 0.0, 1.0) ** 2
    return D * (1.0 - share * (1.0 - _variance(variance)))


def with_squeezed_light(
    pair: PairConstants, variance: ArrayLike, overlap: ArrayLike = 1.0
) -> PairConstants:
    """Copy of a pair with D_jj under squeezed light; coupling, D_12 and gas stay.

    Parameters
    ----------
    pair : PairConstants
        In the vacuum.
    variance : float or (s_1, s_2)
        s_j.
    overlap : float or (|ζ_1|, |ζ_2|)
        0 … 1.

    Raises
    ------
    InputError
        If D′_11D′_22 falls below |D_12|²: the light that carries D_12 cannot be squeezed away.
    """
    s = per_channel("squeezed variance s", variance, 2, 1e-13, 1e13)
    zeta = per_channel("overlap", overlap, 2, 0.0, 1.0)
    return replace(
        pair,
        D11=squeezed_recoil(pair.D11, float(s[0]), float(zeta[0])),
        D22=squeezed_recoil(pair.D22, float(s[1]), float(zeta[1])),
    )


def squeezing_needed(pair: PairConstants, overlap: float = 1.0) -> float:
    """Variance s below which squeezed light lifts the no-entanglement criterion; the same for both.

    Parameters
    ----------
    pair : PairConstants
        In the vacuum.
    overlap : float
        |ζ|, 0 … 1.

    Returns
    -------
    float
        s, 0 … 1; 1 if the vacuum will do.

    Raises
    ------
    InputError
        If the overlap is too small, for even perfect squeezing leaves D[1 − |ζ|²]; or if no
        squeezing lifts the criterion: at |g_a| ≥ |g_r|, where D_11D_22 ≥ |D_12|² holds it, or
        against enough gas.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024).

    Examples
    --------
    With perfect overlap the recoil must fall to the coupling: s is their ratio.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=2.0 * math.pi, phi=0.0, D=2e3)
    >>> s = ob.theory.squeezing_needed(pair)
    >>> round(s, 6) == round(ob.theory.separability(pair).coupling / pair.D11, 6)
    True
    """
    share = require_range("overlap", overlap, 0.0, 1.0) ** 2
    found = separability(pair)
    wanted = found.recoil_needed
    if found.separable and not found.removable:
        raise InputError(
            f"no squeezing lifts the criterion: it needs {wanted:.4g} of the recoil, D11·D22 ≥ "
            f"|D12|² leaves at least {found.recoil_least:.4g}; use |g_a| < |g_r| and less gas"
        )
    if wanted <= 1.0 - share:
        raise InputError(
            f"overlap must exceed {np.sqrt(1.0 - wanted):.6g} for entanglement, got {overlap:g}: "
            "the light that misses the squeezed mode heats too much"
        )
    return 1.0 - (1.0 - wanted) / share
