"""Moments and state-transition matrices under time-dependent light.

Light that is constant between its breaks is propagated exactly, one exponential per piece.
Otherwise the fourth-order Magnus expansion is used, for drift and noise at once: [[A, N], [0, −Aᵀ]]
generates a linear flow whose Magnus exponent has the same block form. Steps are refined until two
step sizes agree within the tolerance. Of periodic light only one period is integrated; longer
times are powers of its map.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import ConvergenceError, InputError
from ...models.ranges import require_finite, require_range
from ...models.reprs import short_repr
from .drift import ModulatedModel
from .maps import GaussianMap, exponential_steps
from .waveform import time_array

__all__ = ["Moments", "autocovariance", "propagate", "step_maps", "transition"]

Array: TypeAlias = NDArray[np.float64]

_CHUNK = 20_000  # steps held in memory at once
_FIRST_STEP = 0.5  # rad of the fastest motion or waveform
_MOST_STEPS = 50_000_000
_MOST_REFINED = 2048


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of the state at given times.

    Attributes
    ----------
    times : ndarray, shape (t,)
        s.
    mean : ndarray, shape (t, n)
        ⟨x⟩.
    covariance : ndarray, shape (t, n, n)
        V, unit².
    error : float
        Estimated relative error of the maps, from the last refinement of the steps.
    """

    times: Array
    mean: Array
    covariance: Array
    error: float

    __repr__ = short_repr


def magnus_maps(model: ModulatedModel, edges: Array) -> GaussianMap:
    """One fourth-order step between each pair of neighbouring edges (s), a stack of maps.

    With A_1, A_2 at the Gauss nodes, Ω = (h/2)(A_1+A_2) + (√3h²/12)[A_2, A_1], and for the noise
    likewise with A_2N_1 + N_1A_2ᵀ − A_1N_2 − N_2A_1ᵀ in place of the commutator.
    """
    h = np.diff(edges)
    offset = math.sqrt(3.0) / 6.0
    middle = 0.5 * (edges[1:] + edges[:-1])
    first, second = middle - offset * h, middle + offset * h
    width = h[:, None, None]
    (a1, n1, b1), (a2, n2, b2) = model.at(first), model.at(second)
    weight = math.sqrt(3.0) / 12.0 * width**2
    drift = 0.5 * width * (a1 + a2)
    noise = 0.5 * width * (n1 + n2)
    force = 0.5 * h[:, None] * (b1 + b2)
    if not model.weights.stepwise:
        drift = drift + weight * (a2 @ a1 - a1 @ a2)
        mixed = a2 @ n1 - a1 @ n2
        noise = noise + weight * (mixed + mixed.swapaxes(-1, -2))
        cross = a2 @ b1[..., None] - a1 @ b2[..., None]
        force = force + weight[:, 0] * cross[..., 0]
    return exponential_steps(drift, noise, force)


def fastest_rate(model: ModulatedModel) -> float:
    """Rate that a first step must resolve, rad/s: of the motion and of the light."""
    bound = np.abs(model.drift_parts).sum(axis=(0, 2)).max()
    return max(float(bound), model.weights.rate)


def _piece_maps(
    model: ModulatedModel, nodes: Array, counts: NDArray[np.int64], ends: NDArray[np.int64]
) -> GaussianMap:
    """Stack of maps between the nodes ``ends``, with ``counts`` steps after each node."""
    total = int(counts.sum())
    if total > _MOST_STEPS:
        raise ConvergenceError(
            f"{total:.3g} steps would be needed for {nodes[-1] - nodes[0]:g} s; ask for less time "
            "or a larger tolerance"
        )
    share = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    width = np.repeat(np.diff(nodes) / counts, counts)
    grid = np.append(np.repeat(nodes[:-1], counts) + share * width, nodes[-1])
    # A run is what lies between two ends; long runs are cut so that a chunk fits into memory.
    steps = np.add.reduceat(counts, ends[:-1])
    cuts = np.unique(np.concatenate([np.cumsum(steps), np.arange(0, total + 1, _CHUNK), [0]]))
    parts = []
    block = np.searchsorted(cuts, np.unique([*range(0, total, _CHUNK), total]))
    for low, high in itertools.pairwise(block.tolist()):
        runs = np.diff(cuts[low : high + 1])
        parts.append(magnus_maps(model, grid[cuts[low] : cuts[high] + 1]).reduced(runs))
    pieces = GaussianMap(
        *(np.concatenate([getattr(m, f) for m in parts]) for f in ("step", "added", "shift"))
    )
    # Cut runs are put together again.
    return pieces.reduced(np.diff(np.searchsorted(cuts, np.append(0, np.cumsum(steps)))))


def step_maps(
    model: ModulatedModel, edges: ArrayLike, tolerance: float = 1e-11
) -> tuple[GaussianMap, float]:
    """Stack of maps between neighbouring edges, and their estimated relative error.

    Parameters
    ----------
    model : ModulatedModel
        The model.
    edges : array_like, shape (e,)
        Increasing times, s; at least two.
    tolerance : float
        Relative error to reach, 1e-13 … 1e-2.

    Raises
    ------
    InputError
        For edges that do not increase.
    ConvergenceError
        If refining the steps does not reach the tolerance.
    """
    grid = time_array(edges)
    if grid.size < 2 or not (np.diff(grid) > 0.0).all():
        raise InputError("edges must be at least two increasing times, in s")
    require_range("tolerance", tolerance, 1e-13, 1e-2)
    nodes = np.union1d(grid, model.weights.breaks(float(grid[0]), float(grid[-1])))
    ends = np.searchsorted(nodes, grid)
    counts = np.ones(len(nodes) - 1, dtype=np.int64)
    if model.weights.stepwise:
        return _piece_maps(model, nodes, counts, ends), 0.0
    step = _FIRST_STEP / fastest_rate(model)
    counts = np.maximum(1, np.ceil(np.diff(nodes) / step)).astype(np.int64)
    coarse, previous = _piece_maps(model, nodes, counts, ends), math.inf
    refined, factor = 1, 2
    while refined * factor <= _MOST_REFINED:
        refined, counts = refined * factor, factor * counts
        fine = _piece_maps(model, nodes, counts, ends)
        # The fourth-order error falls by the fourth power of the factor.
        error = fine.distance(coarse) / (factor**4 - 1)
        if error <= tolerance:
            return fine, error
        if error < 1e-10 and error > 0.5 * previous:
            return fine, error  # rounding, not the step, limits the maps
        coarse, previous = fine, error
        factor = 4 if error > 16.0 * tolerance else 2
    raise ConvergenceError(
        f"refining the steps does not converge (error {error:.2g}, asked {tolerance:g}); use a "
        "larger tolerance, or a smoother waveform: powers that fall to 0 have kinks in √P"
    )


def transition(model: ModulatedModel, start: float, stop: float, tolerance: float = 1e-11) -> Array:
    """State-transition matrix Φ(stop, start), shape (n, n), for times in s, start ≤ stop."""
    begin, end = require_finite("start", start, "s"), require_finite("stop", stop, "s")
    return _maps_to(model, begin, np.array([end]), tolerance)[0][0].step


def _maps_to(
    model: ModulatedModel, start: float, times: Array, tolerance: float
) -> tuple[list[GaussianMap], float]:
    """Maps from ``start`` to each time (any order, none before the start)."""
    require_range("tolerance", tolerance, 1e-13, 1e-2)
    if times.size and times.min() < start:
        raise InputError(f"times must not precede the start, {start:g} s; got {times.min():g} s")
    elapsed, period = times - start, model.period
    cycles = np.zeros(times.shape, dtype=np.int64)
    if period and elapsed.max(initial=0.0) > 2.0 * period:
        cycles = np.floor(elapsed / period).astype(np.int64)
        elapsed = np.maximum(elapsed - cycles * period, 0.0)
    most = int(cycles.max(initial=0))
    edges = np.unique(np.concatenate([[0.0], elapsed, [period] if most and period else []]))
    if period:
        # Times that differ by rounding share one map, for which they are no farther than that.
        edges = edges[np.append(True, np.diff(edges) > 1e-13 * period)]
    chain = [GaussianMap.identity(model.states)]
    if edges.size < 2:
        return chain * len(times), 0.0
    pieces, error = step_maps(model, start + edges, max(tolerance / max(most, 1), 1e-13))
    for index in range(len(pieces)):
        chain.append(chain[-1].then(pieces[index]))
    turns = _powers(chain[-1], cycles)
    nearest = np.searchsorted(edges, elapsed, side="right") - 1
    found = [turns[int(n)].then(chain[i]) for n, i in zip(cycles, nearest, strict=True)]
    return found, error * max(most, 1)


def _powers(base: GaussianMap, counts: NDArray[np.int64]) -> dict[int, GaussianMap]:
    """Powers of a map, each found from the one before."""
    done, last = 0, GaussianMap.identity(base.step.shape[-1])
    turns = {0: last}
    for count in np.unique(counts[counts > 0]).tolist():
        last, done = last.then(base.power(count - done)), count
        turns[count] = last
    return turns


def propagate(
    model: ModulatedModel,
    covariance: ArrayLike,
    times: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    start: float = 0.0,
    tolerance: float = 1e-11,
) -> Moments:
    """Mean and covariance at given times.

    Parameters
    ----------
    model : ModulatedModel
        The model.
    covariance : array_like, shape (n, n)
        V(start), unit²; symmetric.
    times : array_like, shape (t,)
        s, in any order, none before ``start``.
    mean : array_like, shape (n,), optional
        ⟨x⟩(start); 0 by default.
    start : float
        Time at which the moments are given, s.
    tolerance : float
        Relative error of the maps to reach.

    Returns
    -------
    Moments
        Mean (t, n) and covariance (t, n, n) at the times.

    Raises
    ------
    InputError
        For a wrong shape, or times before the start or outside a sampled waveform.
    ConvergenceError
        If the steps cannot be made small enough.

    References
    ----------
    S. Blanes et al., Phys. Rep. 470, 151 (2009).

    Examples
    --------
    Under Eq. (13) at kd = nπ and D = 0.4g the differential mode of two vacua is squeezed to D/2g.

    >>> import math
    >>> import optobind as ob
    >>> kd = 6.0 * math.pi
    >>> model = ob.theory.far_field_model(
    ...     omega=3e6, kd=kd, G=1e3 * kd, D11=4e2, D22=4e2, phi=ob.theory.parametric(3e6)
    ... )
    >>> found = ob.theory.propagate(model, ob.theory.vacuum_state(), [3e-3])
    >>> round(float(ob.theory.minimum_variance(found.covariance[0])), 2)
    0.2
    """
    n = model.states
    begin = np.array(covariance, dtype=np.float64)
    if begin.shape != (n, n) or not np.isfinite(begin).all():
        raise InputError(f"covariance must be finite, shape ({n}, {n}); got shape {begin.shape}")
    centre = np.zeros(n) if mean is None else np.array(mean, dtype=np.float64)
    if centre.shape != (n,) or not np.isfinite(centre).all():
        raise InputError(f"mean must be finite, shape ({n},); got shape {centre.shape}")
    moments = time_array(times)
    maps, error = _maps_to(model, require_finite("start", start, "s"), moments, tolerance)
    return Moments(
        times=moments,
        mean=np.array([m.mean(centre) for m in maps]).reshape(-1, n),
        covariance=np.array([m.covariance(begin) for m in maps]).reshape(-1, n, n),
        error=error,
    )


def autocovariance(
    model: ModulatedModel,
    covariance: ArrayLike,
    time: float,
    lags: ArrayLike,
    *,
    start: float = 0.0,
    tolerance: float = 1e-11,
) -> Array:
    """R(t+τ, t) = ⟨y(t+τ) yᵀ(t)⟩ − means = C Φ(t+τ, t) V(t) Cᵀ, without imprecision.

    Parameters
    ----------
    model : ModulatedModel
        The model.
    covariance : array_like, shape (n, n)
        V(start), unit².
    time : float
        t, s, at least ``start``.
    lags : array_like, shape (l,)
        τ ≥ 0, s.

    Returns
    -------
    ndarray, shape (l, c, c)
    """
    now_at = require_finite("time", time, "s")
    now = propagate(model, covariance, [now_at], start=start, tolerance=tolerance).covariance[0]
    taus = time_array(lags)
    maps, _ = _maps_to(model, float(now_at), now_at + taus, tolerance)
    return np.array([model.output @ m.step @ now @ model.output.T for m in maps])
