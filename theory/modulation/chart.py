"""Stability charts: the growth rate of many models at many modulation frequencies at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.reprs import short_repr
from .drift import ModulatedModel
from .propagation import fastest_rate

__all__ = ["StabilityChart", "stability_chart"]

Array: TypeAlias = NDArray[np.float64]

_CELLS = 2048  # cells whose matrices fit into the cache together
_STEP = 0.4  # rad of the fastest motion
_PROBES = 24


@dataclass(frozen=True)
class StabilityChart:
    """Growth rates over rows (models) and columns (modulation frequencies).

    Attributes
    ----------
    frequencies : ndarray, shape (f,)
        Repetition frequency of the light, Hz: Δν, or the modulation frequency.
    multipliers : ndarray, shape (r, f, n)
        Floquet multipliers.
    error : float
        Largest error of the trace of a monodromy, found by doubling the steps in some cells.
    """

    frequencies: Array
    multipliers: NDArray[np.complex128]
    error: float

    __repr__ = short_repr

    @property
    def growth(self) -> Array:
        """Largest growth rate max Re μ of an amplitude, shape (r, f), 1/s."""
        return np.asarray(np.log(np.abs(self.multipliers).max(axis=-1)) * self.frequencies)

    @property
    def damping_needed(self) -> Array:
        """Energy damping needed for stability beside the model's own, shape (r, f), 1/s."""
        return np.asarray(np.maximum(0.0, 2.0 * self.growth))

    def stable(self, tolerance: float = 1e-6) -> NDArray[np.bool_]:
        """Whether no multiplier exceeds 1 by more than a tolerance, shape (r, f).

        Without damping the multipliers of stable cells lie *on* the unit circle, to rounding and
        to its square root near the edge of a tongue: hence a tolerance.
        """
        return np.asarray(np.abs(self.multipliers).max(axis=-1) <= 1.0 + tolerance)


def stability_chart(
    models: Sequence[ModulatedModel], frequencies: ArrayLike, *, steps: int | None = None
) -> StabilityChart:
    """Play the light of each model at each frequency and find the Floquet multipliers.

    Fourth-order Magnus steps, vectorised over the cells.

    Parameters
    ----------
    models : sequence of ModulatedModel
        Rows: models with periodic light without jumps, of one number of states; for example of
        growing coupling or depth. The period of the light itself does not matter.
    frequencies : array_like, shape (f,)
        Columns: repetition frequencies, Hz, positive.
    steps : int, optional
        Steps per period; by default 0.4 rad of the fastest motion each, at least 24.

    Returns
    -------
    StabilityChart
        Multipliers (r, f, n) and growth rates (r, f).

    Raises
    ------
    InputError
        For no model, light without a period or with breaks, or a frequency that is not positive.

    Examples
    --------
    The first tongue of Mathieu's equation opens at 2ω.

    >>> import optobind as ob
    >>> wave = ob.theory.power_modulation(0.05, 6e5)
    >>> model = ob.theory.single_model(omega=6.283185e5, D=1e3, power=wave)  # 100 kHz
    >>> ob.theory.stability_chart([model], [1.8e5, 2e5, 2.2e5]).stable().tolist()
    [[True, False, True]]
    """
    columns = np.ravel(np.asarray(frequencies, dtype=np.float64))
    if not models or columns.size == 0 or len({model.states for model in models}) != 1:
        raise InputError("a chart needs models of one number of states, and frequencies")
    if not (np.isfinite(columns).all() and columns.min() > 0.0):
        raise InputError("frequencies must be positive, in Hz")
    for model in models:
        if model.weights.breaks(0.0, model.require_period()).size:
            raise InputError(
                "a chart needs light without jumps, and beams that interfere must not fall to 0 W: "
                "propagate such light instead"
            )
    if steps is None:
        steps = max(24, *(_steps(model, float(columns.min())) for model in models))
    found = _multipliers(models, columns, steps)
    probe = np.unique(np.linspace(0, columns.size - 1, _PROBES).astype(int))
    chosen = np.unique(np.linspace(0, len(models) - 1, _PROBES // 4).astype(int))
    fine = _multipliers([models[row] for row in chosen], columns[probe], 2 * steps)
    traces = found[np.ix_(chosen, probe)].sum(axis=-1) - fine.sum(axis=-1)
    error = float(np.abs(traces).max())
    return StabilityChart(columns, found, error)


def _steps(model: ModulatedModel, lowest: float) -> int:
    """Steps that resolve both the motion at the lowest frequency and the light."""
    light = model.weights.rate * model.require_period()
    return math.ceil(max(fastest_rate(model.played_at(lowest)) / lowest, light) / _STEP)


def _multipliers(
    models: Sequence[ModulatedModel], columns: Array, steps: int
) -> NDArray[np.complex128]:
    """Multipliers of each model at each frequency, shape (r, f, n)."""
    rows = max(1, _CELLS // columns.size)
    found = []
    for low in range(0, len(models), rows):
        batch = [_generators(model, steps) for model in models[low : low + rows]]
        mean, bracket = (np.stack(parts, axis=-1) for parts in zip(*batch, strict=True))
        found.append(_monodromies(mean, bracket, 1.0 / (steps * columns)))
    stack = np.concatenate(found)
    values = np.linalg.eigvals(stack).astype(np.complex128)
    return values.reshape(len(models), columns.size, -1)


def _generators(model: ModulatedModel, steps: int) -> tuple[Array, Array]:
    """Terms of the Magnus exponent in h and h², each of shape (steps, n, n)."""
    period = model.require_period()
    offset = math.sqrt(3.0) / 6.0
    middle = (np.arange(steps) + 0.5) / steps
    first = model.drift(period * (middle - offset / steps))
    second = model.drift(period * (middle + offset / steps))
    bracket = math.sqrt(3.0) / 12.0 * (second @ first - first @ second)
    return 0.5 * (first + second), bracket


def _monodromies(mean: Array, bracket: Array, h: Array) -> Array:
    """Monodromy matrices, shape (rows·f, n, n), from terms (steps, n, n, rows) and steps h (f,)."""
    n, rows = mean.shape[1], mean.shape[-1]
    total = np.repeat(np.eye(n)[..., None], rows * h.size, axis=-1)
    for constant, twist in zip(mean, bracket, strict=True):
        exponent = constant[..., None] * h + twist[..., None] * h**2
        total = _applied(exponent.reshape(n, n, -1), total)
    return np.moveaxis(total, -1, 0)


def _applied(x: Array, matrix: Array) -> Array:
    """e^x M with the cells in the last axis: the series up to x⁹ in powers of x³."""
    square = _product(x, x)
    cube = _product(square, x)
    one = np.eye(len(x))[..., None]
    outer = one / 720.0 + x / 5040.0 + square / 40320.0 + cube / 362880.0
    middle = one / 6.0 + x / 24.0 + square / 120.0 + _product(cube, outer)
    return _product(one + x + 0.5 * square + _product(cube, middle), matrix)


def _product(left: Array, right: Array) -> Array:
    """Matrix product with the cells in the last axis: long loops over cells, short over states."""
    return np.asarray(np.einsum("ikc,kjc->ijc", left, right))
