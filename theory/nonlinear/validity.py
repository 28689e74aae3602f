"""When the linear model may be believed: spreads against the scales of trap and interference.

Four things are compared with a tolerance (a share, 0.1 by default):

- *anharmonic trap*: change of a particle's stiffness along an axis, averaged over the Gaussian
  spread along x, y and z (three-point Gauss–Hermite quadrature of the analytic stiffness). In a
  Gaussian beam it is about −6⟨x²⟩/w² or −6⟨z²⟩/z_R² from the own axis. Variances are wrong by this
  share, to first order.
- *binding phase*: for Gaussian spreads the coupling ∝ cos(kd ∓ φ) is weakened by e^{−θ²/2}, θ the
  standard deviation of k|r_jl| ∓ (arg E_j − arg E_l); along z it is k′ times the relative motion.
- *growth*: an unstable model has no steady state; after a finite time its spreads decide.
- *Duffing shift*: frequencies of different amplitudes spread by δΩ = ¾β⟨z²⟩/ω. Lines are smeared
  where this exceeds the tolerance times the linewidth (−2 Re λ, or the resolution 2π/t).

The first three bear on moments, all four on spectra.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.constants import HBAR
from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.ranges import require_range
from ...models.reprs import short_repr
from .anharmonic import trap_anharmonicity, trap_sizes

__all__ = ["LinearValidity", "linear_validity"]

_Array = NDArray[np.float64]
_AXIS = "xyz"
_MOST_GROWTH = 100.0  # e-foldings of an amplitude beyond which numbers lose their meaning


@dataclass(frozen=True)
class LinearValidity:
    """Whether a linear model describes an array, and why not.

    Attributes
    ----------
    moments : bool
        Whether variances and covariances may be believed, to the tolerance.
    spectra : bool
        Whether line shapes may be believed too.
    reasons : tuple of str
        One sentence with numbers for each doubt; empty if everything is valid.
    spreads : ndarray, shape (n, 3)
        Standard deviations along x, y, z, m; infinite without a steady state.
    relative_spreads : ndarray, shape (n, 3)
        The same over the waists and the (shorter) Rayleigh range.
    stiffness_change : ndarray, shape (n, 3)
        Relative change of the stiffness by the spreads.
    phase_spread : float
        Largest standard deviation θ of an interference phase, rad.
    frequency_shift : ndarray, shape (n, 3)
        Mean Duffing shift, rad/s.
    linewidth : float
        Narrowest line (FWHM), or the resolution 2π/t if that is wider, rad/s.
    growth_rate : float
        Largest growth rate of an amplitude, 1/s.
    """

    moments: bool
    spectra: bool
    reasons: tuple[str, ...]
    spreads: _Array
    relative_spreads: _Array
    stiffness_change: _Array
    phase_spread: float
    frequency_shift: _Array
    linewidth: float
    growth_rate: float

    __repr__ = short_repr

    @property
    def valid(self) -> bool:
        """Whether there is no doubt at all."""
        return self.moments and self.spectra


def linear_validity(
    trap: TrapArray,
    time: float | None = None,
    *,
    start: ArrayLike | None = None,
    tolerance: float = 0.1,
) -> LinearValidity:
    """Judge the linear model of all axes, ``trap.linearize(axes="xyz")``.

    Parameters
    ----------
    trap : TrapArray
        The array.
    time : float, optional
        Judge the state after this time (s); None judges the steady state.
    start : array_like, shape (6n, 6n), optional
        Covariance at time 0 in the quadratures of the model; the vacuum, ½, by default.
    tolerance : float
        Share up to which a deviation is accepted, 1e-6 … 1.

    Returns
    -------
    LinearValidity
        The verdict, with the spreads (m) and rates (rad/s) it rests on.

    Raises
    ------
    InputError
        For a start without a time, a covariance of another shape, or values outside their range.
    NotTrappedError
        If the array has no equilibrium.

    Examples
    --------
    The ground state grown by a millisecond of recoil is linear, the hot steady state is not.

    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> ob.theory.linear_validity(trap, 1e-3).valid, ob.theory.linear_validity(trap).valid
    (True, False)
    """
    require_range("tolerance", tolerance, 1e-6, 1.0)
    if time is None and start is not None:
        raise InputError("start needs a time: a steady state has forgotten it")
    if time is not None:
        time = require_range("time", time, 1e-12, 1e6, "s")
    model = trap.linearize(axes="xyz")
    growth = model.growth_rate
    # Eigenvalues of an undamped model are imaginary to rounding.
    rounding = 1e-11 * float(np.abs(model.eigenvalues).max())
    growth = 0.0 if abs(growth) < rounding else growth
    width = max(-2.0 * growth, 0.0)
    if (time is None and growth >= 0.0) or (time is not None and growth * time > _MOST_GROWTH):
        return _endless(trap, growth)
    covariance = _covariance(trap, model, time, start)
    if time is not None:
        width = max(width, 2.0 * math.pi / time)
    n = len(trap.spheres)
    variance = np.diag(covariance).reshape(n, 3)
    spreads = np.sqrt(variance)
    change = _stiffness_change(trap, spreads)
    phase, pair = _phase_spread(trap, covariance)
    shift = trap_anharmonicity(trap).frequency_shift(variance)
    relative = spreads / trap_sizes(trap)
    reasons = _trap_doubts(change, relative, tolerance)
    if 1.0 - math.exp(-0.5 * phase**2) > tolerance:
        reasons.append(
            f"particles {pair[0] + 1} and {pair[1] + 1}: the interference phase spreads by "
            f"{phase:.2g} rad and weakens the binding by "
            f"{100.0 * (1.0 - math.exp(-0.5 * phase**2)):.2g} %"
        )
    moments = not reasons
    smeared = _smeared(shift, width, tolerance)
    return LinearValidity(
        moments=moments,
        spectra=moments and not smeared,
        reasons=(*reasons, *smeared),
        spreads=spreads,
        relative_spreads=relative,
        stiffness_change=change,
        phase_spread=phase,
        frequency_shift=shift,
        linewidth=width,
        growth_rate=growth,
    )


def _covariance(
    trap: TrapArray, model: LinearModel, time: float | None, start: ArrayLike | None
) -> _Array:
    """Covariance of the positions, shape (3n, 3n), m²."""
    if time is None:
        quanta = model.steady_state()
    else:
        first = 0.5 * np.eye(model.states) if start is None else np.asarray(start, dtype=np.float64)
        if first.shape != (model.states, model.states):
            raise InputError(
                f"start must have shape ({model.states}, {model.states}), got {first.shape}"
            )
        if not np.isfinite(first).all() or np.linalg.eigvalsh(first + first.T)[0] < (
            -1e-9 * np.abs(first).max()
        ):
            raise InputError("start must be a covariance: finite and positive semidefinite")
        quanta = model.propagate(first, [time])[0]
    omega = float(trap.axial_omegas(trap.equilibrium()).mean())
    length = np.repeat(np.sqrt(HBAR / (trap.masses * omega)), 3)
    return np.asarray(quanta[0::2, 0::2] * np.outer(length, length))


def _endless(trap: TrapArray, growth: float) -> LinearValidity:
    """Verdict on a model without a steady state."""
    n = len(trap.spheres)
    endless = np.full((n, 3), np.inf)
    reason = (
        f"amplitudes grow at {growth:.4g} 1/s: there is no steady state, the anharmonic forces "
        "limit the motion; give a shorter time, or simulate"
        if growth > 0.0
        else "nothing damps the motion: there is no steady state; give a time"
    )
    return LinearValidity(
        moments=False,
        spectra=False,
        reasons=(reason,),
        spreads=endless,
        relative_spreads=endless.copy(),
        stiffness_change=-endless,
        phase_spread=math.inf if n > 1 else 0.0,
        frequency_shift=-endless,
        linewidth=0.0,
        growth_rate=growth,
    )


def _stiffness_change(trap: TrapArray, spreads: _Array) -> _Array:
    """Relative change of each diagonal stiffness, averaged over the spreads, shape (n, 3)."""
    n = len(spreads)
    places = trap.equilibrium()
    spreads = np.minimum(spreads, 10.0 * trap_sizes(trap))  # far outside all is dark

    def diagonal(positions: _Array) -> _Array:
        return np.diag(trap.stiffness(positions, binding=False)).reshape(n, 3)

    middle = diagonal(places)
    total = np.zeros((n, 3))
    for axis, sign in itertools.product(range(3), (-1.0, 1.0)):
        moved = places.copy()
        # Gauss–Hermite with three points: ±√3σ with weight 1/6 each, the centre with 2/3.
        moved[:, axis] += sign * math.sqrt(3.0) * spreads[:, axis]
        total += (diagonal(moved) - middle) / 6.0
    return np.asarray(total / middle)


def _phase_spread(trap: TrapArray, covariance: _Array) -> tuple[float, tuple[int, int]]:
    """Largest spread of k|r_jl| ∓ (arg E_j − arg E_l), rad, and its pair."""
    places = trap.equilibrium()
    field = trap.field(places)
    product = np.einsum("gni,gnai->na", field.value.conj(), field.first)
    wave = product.imag / field.intensity[:, None]  # ∂ arg E
    worst, where = 0.0, (0, 0)
    for j, other in itertools.combinations(range(len(places)), 2):
        line = places[j] - places[other]
        line = trap.k * line / np.linalg.norm(line)
        for sign in (-1.0, 1.0):
            slope = np.zeros_like(places)
            slope[j] = line + sign * wave[j]
            slope[other] = -line - sign * wave[other]
            spread = math.sqrt(max(float(slope.ravel() @ covariance @ slope.ravel()), 0.0))
            if spread > worst:
                worst, where = spread, (j, other)
    return worst, where


def _trap_doubts(change: _Array, relative: _Array, tolerance: float) -> list[str]:
    """Sentences on traps that are left too far."""
    scale = ("w_x", "w_y", "z_R")
    return [
        f"particle {j + 1}: its spread along {_AXIS[a]} is {relative[j, a]:.2g} {scale[a]}; the "
        f"spreads change the stiffness there by {100.0 * change[j, a]:.2g} %"
        for j, a in np.argwhere(np.abs(change) > tolerance)
    ]


def _smeared(shift: _Array, width: float, tolerance: float) -> list[str]:
    """Sentences on lines that are smeared."""
    return [
        f"particle {j + 1}: along {_AXIS[a]} the Duffing shift "
        f"{shift[j, a] / (2.0 * math.pi):.3g} Hz exceeds "
        f"{tolerance:g} linewidths of {width / (2.0 * math.pi):.3g} Hz"
        for j, a in np.argwhere(np.abs(shift) > tolerance * width)
    ]
