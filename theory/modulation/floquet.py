"""Floquet analysis of periodically modulated models: growth, quasi-frequencies, periodic state.

Over one period T the state is mapped by the monodromy matrix Φ(t+T, t). Its eigenvalues are the
multipliers ρ = e^{μT}; Re μ is a growth rate of amplitudes and Im μ a quasi-frequency, defined up
to multiples of 2π/T. The model is stable iff every |ρ| < 1; it then has one periodic Gaussian
state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import UnstableModelError
from ...models.ranges import require_finite
from ...models.reprs import short_repr
from .drift import ModulatedModel
from .maps import GaussianMap
from .propagation import Moments, propagate, step_maps

__all__ = ["FloquetAnalysis", "driven_mean", "floquet", "periodic_steady_state"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class FloquetAnalysis:
    """What one period of the light does.

    Attributes
    ----------
    period : float
        T, s.
    start : float
        Phase of the light at which the period begins, s.
    cycle : GaussianMap
        Map over one period; its ``step`` is the monodromy matrix.
    multipliers : ndarray, shape (n,)
        Eigenvalues ρ of the monodromy matrix, largest first.
    modes : ndarray, shape (n, n)
        Right eigenvectors at ``start``, one per column.
    error : float
        Estimated relative error of the map.
    """

    period: float
    start: float
    cycle: GaussianMap
    multipliers: NDArray[np.complex128]
    modes: NDArray[np.complex128]
    error: float

    __repr__ = short_repr

    @property
    def monodromy(self) -> Array:
        """Φ(start + T, start), shape (n, n)."""
        return self.cycle.step

    @property
    def exponents(self) -> NDArray[np.complex128]:
        """μ = ln ρ/T, imaginary parts within ±π/T, 1/s."""
        return np.asarray(np.log(self.multipliers.astype(np.complex128)) / self.period)

    @property
    def quasi_frequencies(self) -> Array:
        """Quasi-frequencies Im μ within ±π/T, rad/s."""
        return np.asarray(self.exponents.imag)

    @property
    def growth_rate(self) -> float:
        """Largest growth rate of an amplitude, 1/s; negative if stable."""
        return math.log(float(np.abs(self.multipliers).max())) / self.period

    @property
    def is_stable(self) -> bool:
        """Whether every amplitude decays."""
        return bool(np.abs(self.multipliers).max() < 1.0)

    @property
    def damping_needed(self) -> float:
        """Further energy damping γ, equal for all particles, from which on it is stable, 1/s.

        Equal damping of every momentum shifts all exponents by −γ/2 up to O(γ/ω).
        """
        return max(0.0, 2.0 * self.growth_rate)

    def require_stable(self) -> None:
        """Raise :class:`UnstableModelError` unless every amplitude decays."""
        if not self.is_stable:
            raise UnstableModelError(
                self.growth_rate, "a periodic state does not exist, use finite times"
            )


def floquet(
    model: ModulatedModel, *, start: float = 0.0, tolerance: float = 1e-11
) -> FloquetAnalysis:
    """Analyse one period of the light.

    Parameters
    ----------
    model : ModulatedModel
        With periodic light.
    start : float
        Phase of the light at which the period begins, s; only the modes depend on it.
    tolerance : float
        Relative error of the map to reach.

    Returns
    -------
    FloquetAnalysis
        Multipliers, modes and growth rate.

    Raises
    ------
    InputError
        If the light has no period.

    Examples
    --------
    Without damping the multipliers multiply to 1 (Liouville).

    >>> import optobind as ob
    >>> model = ob.theory.far_field_model(
    ...     omega=3e5, kd=6.0, G=4e3, D11=2e3, D22=2e3, phi=ob.theory.parametric(3e5)
    ... )
    >>> found = ob.theory.floquet(model)
    >>> round(float(abs(found.multipliers.prod())), 6), found.is_stable
    (1.0, False)
    """
    period = model.require_period()
    start = require_finite("start", start, "s")
    maps, error = step_maps(model, [start, start + period], tolerance)
    values, vectors = np.linalg.eig(maps[0].step)
    order = np.argsort(-np.abs(values), kind="stable")
    return FloquetAnalysis(
        period,
        start,
        maps[0],
        values[order].astype(np.complex128),
        vectors[:, order].astype(np.complex128),
        error,
    )


def fixed_point(cycle: GaussianMap) -> tuple[Array, Array]:
    """Mean and covariance that a stable map leaves alone: V = FVFᵀ + Q (discrete Lyapunov).

    Smith's doubling, V ← V + FVFᵀ, F ← F²: only positive terms are added, so weak damping costs no
    digits.
    """
    step, covariance = cycle.step, cycle.added
    while True:
        gain = step @ covariance @ step.T
        covariance = covariance + gain
        if np.abs(gain).max() <= 1e-17 * np.abs(covariance).max():
            break
        step = step @ step
    n = len(cycle.step)
    mean = np.asarray(np.linalg.solve(np.eye(n) - cycle.step, cycle.shift), dtype=np.float64)
    return mean, 0.5 * (covariance + covariance.T)


def driven_mean(model: ModulatedModel, samples: int = 64) -> Array:
    """Periodic mean under the residual force, at equidistant times of a period, shape (t, n).

    It exists whenever no multiplier is exactly 1, be the model stable or not; entries are infinite
    where one is.

    Parameters
    ----------
    model : ModulatedModel
        With periodic light.
    samples : int
        Number t of times in a period.

    Returns
    -------
    ndarray, shape (t, n)
        ⟨x⟩ in quanta.

    Raises
    ------
    InputError
        If the light has no period.

    Examples
    --------
    Without a residual force the mean rests.

    >>> import optobind as ob
    >>> wave = ob.theory.power_modulation(0.1, 2e5)
    >>> model = ob.theory.single_model(omega=3e5, D=1e3, power=wave, gamma=1e3)
    >>> mean = ob.theory.driven_mean(model, 16)
    >>> mean.shape, round(float(abs(mean).max()), 6)
    ((16, 2), 0.0)
    """
    period = model.require_period()
    maps, _ = step_maps(model, period * np.arange(samples + 1) / samples)
    cycle = maps.reduced(np.array([samples]))[0]
    n = model.states
    try:
        mean = np.asarray(np.linalg.solve(np.eye(n) - cycle.step, cycle.shift), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full((samples, n), np.inf)
    means = [mean]
    for index in range(samples - 1):
        means.append(maps[index].mean(means[-1]))
    return np.array(means)


def periodic_steady_state(
    model: ModulatedModel, times: ArrayLike | None = None, *, tolerance: float = 1e-11
) -> Moments:
    """Periodic mean and covariance that any start tends to.

    Parameters
    ----------
    model : ModulatedModel
        With periodic light.
    times : array_like, shape (t,), optional
        Times ≥ 0, s; by default 64 equidistant times within one period.

    Returns
    -------
    Moments
        Mean (t, n) and covariance (t, n, n) at the times.

    Raises
    ------
    InputError
        If the light has no period.
    UnstableModelError
        If an amplitude grows.

    Examples
    --------
    It repeats with the light.

    >>> import numpy as np
    >>> import optobind as ob
    >>> wave = ob.theory.power_modulation(0.1, 2e5)
    >>> model = ob.theory.single_model(omega=3e5, D=1e3, power=wave, gamma=1e3)
    >>> first, later = ob.theory.periodic_steady_state(model, [0.0, model.period]).covariance
    >>> bool(np.allclose(first, later))
    True
    """
    analysis = floquet(model, tolerance=tolerance)
    analysis.require_stable()
    mean, covariance = fixed_point(analysis.cycle)
    if times is None:
        times = analysis.period * np.arange(64) / 64
    # The state repeats: fold the times, so that no error grows with them.
    folded = np.mod(np.ravel(np.asarray(times, dtype=np.float64)), analysis.period)
    found = propagate(model, covariance, folded, mean=mean, tolerance=tolerance)
    given = np.ravel(np.asarray(times, dtype=np.float64))
    return Moments(given, found.mean, found.covariance, max(analysis.error, found.error))
