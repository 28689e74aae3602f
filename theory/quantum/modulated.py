"""The relative phase modulated at twice the mechanical frequency, φ = 2ωt, Eq. (13).

At kd = nπ only g_r(t) = g cos 2ωt is left, g = (G/kd) cos kd. Coupling and shifts add up to
H/ħ = 2g cos(2ωt) z_−² ≃ (g/2)(a_−² + a_−†²), z_− = (z_1 − z_2)/√2: the differential mode is
squeezed at the rate 2|g|, the common one only heats. In the rotating wave, with g for |g|,
V_−(t) = D/2g + (½ − D/2g)e^{−2gt} and V_+(t) = ½ + Dt, and particles that start in their ground
states are entangled iff 4V_−V_+ < 1.
Corrections of the full dynamics are of the order g/ω.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ...models.errors import InputError
from ...models.pair import PairConstants
from ...models.ranges import require_finite, require_range

__all__ = [
    "EntanglementWindow",
    "ModulationThresholds",
    "at_twice_the_frequency",
    "conditional_differential_variance",
    "differential_variance",
    "entanglement_window",
    "modulated_log_negativity",
    "modulated_pair",
    "modulation_thresholds",
]


def at_twice_the_frequency(
    pair_at_phase: Callable[[float], PairConstants], *, phase: float = 0.0
) -> Callable[[float], PairConstants]:
    """Constants as a function of time for φ(t) = 2ωt + φ_0.

    Parameters
    ----------
    pair_at_phase : callable
        Constants for a phase φ in rad, for example from :func:`.free_space.free_space_pair`.
    phase : float
        φ_0, rad.

    Returns
    -------
    callable
        For :func:`.evolution.evolve`.
    """
    omega = pair_at_phase(phase).omega
    return lambda time: pair_at_phase(2.0 * omega * time + phase)


def modulated_pair(
    *, omega: float, g: float, D: float, delta_omega: float = 0.0, phase: float = 0.0
) -> Callable[[float], PairConstants]:
    """Pair of the ideal case kd = nπ: g_r(t) = g cos(2ωt + φ_0), g_a = Re D_12 = 0.

    Parameters
    ----------
    omega : float
        ω, rad/s.
    g : float
        (G/kd) cos kd, rad/s.
    D : float
        Recoil rate of each particle, 1/s.
    delta_omega : float
        δω, rad/s.
    phase : float
        φ_0, rad.

    Returns
    -------
    callable
        PairConstants at a time in s, for :func:`.evolution.evolve`.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    >>> import math
    >>> import optobind as ob
    >>> pair_at = ob.theory.modulated_pair(omega=3e5, g=1e3, D=4e2)
    >>> [round(pair_at(turn * math.pi / 3e5).g_r, 6) for turn in (0.0, 0.5, 1.0)]
    [1000.0, -1000.0, 1000.0]
    """
    for name, value in (("omega", omega), ("g", g)):
        require_finite(name, value, "rad/s")
    require_range("D", D, 0.0, 1e15, "1/s")

    def at_phase(phi: float) -> PairConstants:
        return PairConstants(omega, delta_omega, g * math.cos(phi), 0.0, D, D, 0.0)

    return at_twice_the_frequency(at_phase, phase=phase)


def _ratio(D: float, g: float) -> float:
    """D/|g|, both checked."""
    D = require_range("D", D, 0.0, 1e15, "1/s")
    if require_finite("g", g, "rad/s") == 0.0:
        raise InputError("g must be finite and not zero, got 0 rad/s")
    return D / abs(g)


def _elapsed(times: ArrayLike) -> NDArray[np.float64]:
    """Times at least 0 s; infinity is the steady state."""
    try:
        elapsed = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"times must be numbers, got {times!r}") from None
    if not (elapsed >= 0.0).all():
        raise InputError("times must be at least 0 s")
    return elapsed


def differential_variance(D: float, g: float, times: ArrayLike = math.inf) -> NDArray[np.float64]:
    """Squeezed variance of a_− from the vacuum, D/2g + (½ − D/2g)e^{−2gt}; D/(2g) in the end.

    Parameters
    ----------
    D, g : float
        Recoil rate and coupling, 1/s; only |g| matters.
    times : array_like
        s.

    Returns
    -------
    ndarray, shape of times
        Quanta²; vacuum ½.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    >>> import optobind as ob
    >>> [round(float(v), 6) for v in ob.theory.differential_variance(4e2, 1e3, [0.0, 1.0])]
    [0.5, 0.2]
    """
    final = 0.5 * _ratio(D, g)
    decay = np.exp(-2.0 * abs(g) * _elapsed(times))
    return np.asarray(final + (0.5 - final) * decay)


def modulated_log_negativity(D: float, g: float, times: ArrayLike) -> NDArray[np.float64]:
    """E_N of the particles from the vacuum, max(0, −½ log2[4V_−V_+]), rotating wave, ebits.

    Parameters
    ----------
    D, g : float
        Recoil rate and coupling, 1/s; only |g| matters.
    times : array_like
        s.

    Returns
    -------
    ndarray, shape of times
        Ebits.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    Two vacua become entangled for D < g/2 only, and only for a while.

    >>> import optobind as ob
    >>> weak, strong = (ob.theory.modulated_log_negativity(D, 1e3, [1e-4, 1.0]) for D in (1e2, 6e2))
    >>> (weak > 0.0).tolist(), (strong > 0.0).tolist()
    ([True, False], [False, False])
    """
    t = _elapsed(times)
    product = 2.0 * differential_variance(D, g, t) * (1.0 + 2.0 * D * t)
    return np.asarray(np.maximum(0.0, -0.5 * np.log2(product)))


@dataclass(frozen=True)
class EntanglementWindow:
    """The transient entanglement of two vacua under φ = 2ωt.

    Attributes
    ----------
    peak : float
        Largest E_N, ebits.
    peak_time : float
        When, s.
    end_time : float
        When it is gone, s.
    """

    peak: float
    peak_time: float
    end_time: float


def entanglement_window(D: float, g: float) -> EntanglementWindow | None:
    """Peak and end of the transient entanglement; None for D ≥ g/2, where none arises.

    Parameters
    ----------
    D, g : float
        Recoil rate and coupling, 1/s; only |g| matters.

    Returns
    -------
    EntanglementWindow or None
        Peak in ebits, times in s.

    Raises
    ------
    InputError
        For D = 0, where it lasts for ever.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    >>> import optobind as ob
    >>> window = ob.theory.entanglement_window(1e2, 1e3)
    >>> 0.0 < window.peak_time < window.end_time, ob.theory.entanglement_window(5e2, 1e3) is None
    (True, True)
    """
    ratio = _ratio(D, g)
    if ratio >= 0.5:
        return None
    if ratio < 1e-9:
        raise InputError(f"D must be at least 1e-9 g for entanglement to end, got {ratio:g} g")

    def product(tau: float) -> float:
        return (ratio + (1.0 - ratio) * math.exp(-2.0 * tau)) * (1.0 + 2.0 * ratio * tau)

    def slope(tau: float) -> float:
        decay = (1.0 - ratio) * math.exp(-2.0 * tau)
        return ratio * (ratio + decay) - decay * (1.0 + 2.0 * ratio * tau)

    # V_− > D/2g, so at this time 4V_−V_+ > 1 for certain.
    latest = (1.0 / ratio - 1.0) / (2.0 * ratio)
    peak = float(brentq(slope, 0.0, latest, xtol=1e-14))
    end = float(brentq(lambda tau: product(tau) - 1.0, peak, latest * (1.0 + 1e-9), xtol=1e-14))
    return EntanglementWindow(-0.5 * math.log2(product(peak)), peak / abs(g), end / abs(g))


def conditional_differential_variance(
    D: float, g: float, efficiency: float, *, gas: float = 0.0
) -> float:
    """Squeezed variance of a_− under φ = 2ωt and homodyne detection, steady and rotating wave.

    Averaged over a period detection at θ = 0 learns 4ηDV² of each quadrature from the scattered
    light, while light and gas heat: 0 = −2gV + D + γ(n̄ + ½) − 4ηDV².

    Parameters
    ----------
    D, g : float
        Recoil rate and coupling, 1/s.
    efficiency : float
        η, 1e-9 … 1.
    gas : float
        Heating by the gas, γ(n̄ + ½), 1/s.

    Returns
    -------
    float
        Quanta²; vacuum ½.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    Detection squeezes below the D/2g of :func:`differential_variance`.

    >>> import optobind as ob
    >>> seen = ob.theory.conditional_differential_variance(4e2, 1e3, 0.5)
    >>> seen < float(ob.theory.differential_variance(4e2, 1e3))
    True
    """
    recoil, total = _ratio(D, g), _ratio(_heating(D, gas), g)
    eta = require_range("efficiency", efficiency, 1e-9, 1.0)
    return total / (1.0 + math.sqrt(1.0 + 4.0 * eta * recoil * total))


def _heating(D: float, gas: float) -> float:
    """Recoil and gas together, 1/s, both checked."""
    return require_range("D", D, 0.0, 1e15, "1/s") + require_range("gas", gas, 0.0, 1e15, "1/s")


@dataclass(frozen=True)
class ModulationThresholds:
    """What a pair with recoil D and |g| = G/kd achieves under φ = 2ωt at kd = nπ.

    Attributes
    ----------
    ratio : float
        D/|g|, recoil and gas together.
    efficiency : float
        Detection efficiency η.
    recoil_share : float
        Share of D that is recoil, the only part that detection learns of.
    """

    ratio: float
    efficiency: float = 0.0
    recoil_share: float = 1.0

    @property
    def squeezes(self) -> bool:
        """Whether D < g: a_− falls below the vacuum (the Letter's "smaller than the coupling")."""
        return self.ratio < 1.0

    @property
    def entangles(self) -> bool:
        """Whether D < g/2: vacuum inputs become entangled on times ≫ 1/ω, for a while."""
        return self.ratio < 0.5

    @property
    def entangles_conditionally(self) -> bool:
        """Whether the steady conditional state at θ = 0 is entangled: D(1 − η²) < g√η.

        From 4V_−V_+ < 1 with V_+ = 1/(2√η) and V_− of :func:`conditional_differential_variance`;
        with gas η stands for η times the share of the recoil.
        """
        eta = self.efficiency * self.recoil_share
        return self.ratio * (1.0 - eta**2) < math.sqrt(eta)


def modulation_thresholds(
    D: float, g: float, efficiency: float = 0.0, *, gas: float = 0.0
) -> ModulationThresholds:
    """Thresholds of squeezing, D < g, and entanglement, D < g/2, and with detection.

    Parameters
    ----------
    D, g : float
        Recoil rate and coupling, 1/s.
    efficiency : float
        η, 0 … 1.
    gas : float
        Heating by the gas, γ(n̄ + ½), 1/s; it counts with D.

    Returns
    -------
    ModulationThresholds
        The ratio D/|g| and what it allows.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13), and docs/theory/errata.md.

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.theory.modulation_thresholds(8e2, 1e3)
    >>> found.squeezes, found.entangles
    (True, False)
    """
    total = _heating(D, gas)
    return ModulationThresholds(
        ratio=_ratio(total, g),
        efficiency=require_range("efficiency", efficiency, 0.0, 1.0),
        recoil_share=D / total if total > 0.0 else 1.0,
    )
