"""What tries of a feedback loop say: the phase of most damping, the gain of least energy.

At low gain a loop whose phase is off by φ − φ* damps with Γ(φ) = c + kg cos(φ − φ*), a plane in
(cos φ, sin φ): three phases determine it, and damping and heating phases say the same. The energy
of the motion goes as a/g where recoil dominates, and rises again as b g where the loop feeds its
own imprecision in, or faster where it comes near the edge of stability: ln E is a parabola in ln g
around its minimum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

__all__ = ["GainFit", "PhaseFit", "fit_gain", "fit_phase", "least_of_parabola"]

_NEAR = 1.8  # energies within this factor of the least count as near the minimum


@dataclass(frozen=True)
class PhaseFit:
    """Phase of most damping.

    Attributes
    ----------
    phase, stderr : float
        rad.
    amplitude, amplitude_stderr : float
        Damping at that phase less what is there without the loop, 1/s.
    """

    phase: float
    stderr: float
    amplitude: float
    amplitude_stderr: float

    @property
    def significance(self) -> float:
        """Amplitude over its error."""
        return self.amplitude / max(self.amplitude_stderr, 1e-300)


@dataclass(frozen=True)
class GainFit:
    """Gain of least energy; ``inside`` says whether both sides of it were tried."""

    gain: float
    energy: float
    inside: bool


def fit_phase(
    phases: Sequence[float],
    rates: Sequence[float],
    errors: Sequence[float],
    gains: Sequence[float] | None = None,
) -> PhaseFit:
    """Fit Γ = c + A (g/g_0) cos(φ − φ*) to three or more tries; g_0 is the last gain.

    Parameters
    ----------
    phases, rates, errors : sequence of float
        rad, and Γ with its standard errors in one unit.
    gains : sequence of float, optional
        All the same if left out.

    Raises
    ------
    InputError
        For fewer than three different phases.

    Examples
    --------
    >>> import math
    >>> phases = [0.0, 2.0, 4.0]
    >>> fit = fit_phase(phases, [50 * math.cos(p - 1.2) for p in phases], [1.0] * 3)
    >>> round(fit.phase, 6), round(fit.amplitude, 6)
    (1.2, 50.0)
    """
    if len({round(math.remainder(p, math.tau), 6) for p in phases}) < 3:
        raise InputError("three different phases are needed")
    angle, weight = np.asarray(phases), 1.0 / np.asarray(errors)
    share = np.ones_like(angle) if gains is None else np.asarray(gains) / gains[-1]
    design = np.column_stack([np.ones_like(angle), share * np.cos(angle), share * np.sin(angle)])
    rows = design * weight[:, None]
    covariance = np.linalg.inv(rows.T @ rows)
    _, a, b = covariance @ rows.T @ (np.asarray(rates) * weight)
    size = max(math.hypot(a, b), 1e-300)
    along, across = np.array([0.0, a, b]) / size, np.array([0.0, -b, a]) / size
    return PhaseFit(
        phase=math.atan2(b, a),
        stderr=math.sqrt(float(across @ covariance @ across)) / size,
        amplitude=size,
        amplitude_stderr=math.sqrt(float(along @ covariance @ along)),
    )


def fit_gain(gains: Sequence[float], energies: Sequence[float], errors: Sequence[float]) -> GainFit:
    """Find the gain of least energy among tries at one phase; never beyond what was tried.

    Parameters
    ----------
    gains, energies, errors : sequence of float
        Energies (⟨z²⟩, n̄ + ½) and their standard errors, in one unit.

    Examples
    --------
    >>> gains = [1, 2, 4, 8]
    >>> fit = fit_gain(gains, [10 / g + g for g in gains], [0.1] * 4)
    >>> 2.9 < fit.gain < 3.4, fit.inside
    (True, True)
    """
    g, e = np.asarray(gains, dtype=float), np.asarray(energies, dtype=float)
    best = int(np.argmin(e))
    near = e <= _NEAR * e[best]
    if near.sum() < 3:  # the three nearest to the minimum
        near = np.zeros(len(g), dtype=bool)
        near[np.argsort(np.abs(np.log(g / g[best])), kind="stable")[:3]] = True
    inside = bool((g > g[best]).any() and (g < g[best]).any())
    x, y = np.log(g[near] / g[best]), np.log(e[near])
    found = least_of_parabola(x, y, np.asarray(errors)[near] / e[near]) if near.sum() >= 3 else None
    if found is None:
        return GainFit(float(g[best]), float(e[best]), inside)
    place, value = found
    place = min(max(place, float(x.min())), float(x.max()))
    return GainFit(float(g[best]) * math.exp(place), math.exp(value), inside)


def least_of_parabola(
    x: Sequence[float], y: Sequence[float], errors: Sequence[float]
) -> tuple[float, float] | None:
    """Place and value of the minimum of a weighted parabola; None if it opens downwards."""
    places, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(places) < 3:
        return None
    weight = 1.0 / np.maximum(np.asarray(errors, dtype=float), 1e-6)
    c2, c1, c0 = np.polyfit(places, values, 2, w=weight)
    if not c2 > 0.0:
        return None
    place = -0.5 * c1 / c2
    return float(place), float(c0 + 0.5 * c1 * place)
