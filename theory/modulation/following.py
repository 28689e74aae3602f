"""An equilibrium that follows slow light, and models whose entries are splines in time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from ...models.array import TrapArray
from ...models.equilibrium import force_balance
from ...models.errors import InputError
from .array_drift import LightParts
from .program import LightProgram
from .waveform import time_array

__all__ = ["SplineWeights", "follow", "spline_parts"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SplineWeights:
    """Weights (1, w_1(t), …) that are cubic splines through samples.

    Attributes
    ----------
    times : ndarray, shape (t,)
        s, increasing.
    table : ndarray, shape (t, k − 1)
        Weights but for the first.
    rate : float
        Bound on how fast the light turns, rad/s.
    repeats : bool
        Whether they repeat with the period times[−1] − times[0].
    """

    times: Array
    table: Array
    rate: float
    repeats: bool

    @cached_property
    def _spline(self) -> CubicSpline:
        if not self.repeats:
            return CubicSpline(self.times, self.table)
        table = self.table.copy()
        table[-1] = table[0]
        return CubicSpline(self.times, table, bc_type="periodic")

    @property
    def count(self) -> int:
        """Number of weights."""
        return 1 + int(self.table.shape[1])

    @property
    def period(self) -> float | None:
        """Period, s, or None."""
        return float(self.times[-1] - self.times[0]) if self.repeats else None

    @property
    def stepwise(self) -> bool:
        """False."""
        return False

    def breaks(self, start: float, stop: float) -> Array:
        """None: the splines stand for something smooth."""
        return np.zeros(0)

    def __call__(self, times: ArrayLike) -> Array:
        """Weights at times (s), shape (t, k).

        Raises
        ------
        InputError
            For a time outside the samples, unless they repeat.
        """
        t = time_array(times)
        first, last = float(self.times[0]), float(self.times[-1])
        if self.repeats:
            t = first + np.mod(t - first, last - first)
        elif t.size and (t.min() < first or t.max() > last):
            raise InputError(
                f"the equilibrium was followed from {first:g} to {last:g} s, asked for "
                f"{t.min():g} … {t.max():g} s"
            )
        return np.concatenate([np.ones((t.size, 1)), self._spline(t)], axis=1)


def follow(
    array: TrapArray, light: LightProgram, span: tuple[float, float], samples: int
) -> tuple[Array, Array, LightParts]:
    """Equilibrium of the frozen light at equidistant times, and what acts there.

    Parameters
    ----------
    array : TrapArray
        Particles and beams.
    light : LightProgram
        Powers as factors.
    span : pair of float
        First and last time, s.
    samples : int
        Intervals, 8 … 100000.

    Returns
    -------
    times : ndarray, shape (samples + 1,)
    positions : ndarray, shape (samples + 1, n, 3)
        m.
    parts : LightParts
        With the times as leading dimension in place of the weights.

    Raises
    ------
    InputError
        For light that jumps, to which no equilibrium can follow.
    NotTrappedError
        If a particle is not held at some time.
    """
    if not 8 <= samples <= 100_000:
        raise InputError(f"samples must lie in 8 … 100000, got {samples}")
    if light.stepwise and light.breaks(*span).size:
        raise InputError("no equilibrium follows light that jumps, use at='averaged' or positions")
    times = np.linspace(*span, samples + 1)
    phases = np.stack([wave(times) for wave in light.phases], axis=-1)
    powers = np.stack([wave(times) for wave in light.powers], axis=-1)
    count = len(array.spheres)
    where, found = array.equilibrium(), []
    for phase, power in zip(phases, powers, strict=True):
        beams = tuple(
            replace(
                beam, phase=math.remainder(p, 2.0 * math.pi), power=f * beam.power, detuning=0.0
            )
            for beam, p, f in zip(array.tweezers, phase.tolist(), power.tolist(), strict=True)
        )
        mechanics = array.mechanics(beams)
        where = force_balance(mechanics, where)
        forces, stiffness = mechanics.forces_and_stiffness(where)
        spread = mechanics.diffusion(where).reshape(count, 3, count, 3)
        found.append((where, forces, stiffness, mechanics.alone(where), spread))
    places, forces, stiffness, alone, spread = map(np.stack, zip(*found, strict=True))
    return times, places, LightParts(forces, stiffness, alone, spread)


def spline_parts(
    times: Array, drift: Array, noise: Array, light: LightProgram
) -> tuple[SplineWeights, Array, Array]:
    """Turn sampled A and N, shape (t, n, n), into weights and parts: one for each moving entry."""
    n = drift.shape[-1]
    entries: list[tuple[Array, tuple[int, int], bool]] = []
    for i in range(1, n, 2):
        entries += [(drift[:, i, j], (i, j), True) for j in range(0, n, 2)]
        entries += [(noise[:, i, j], (i, j), False) for j in range(i, n, 2)]
    parts = np.zeros((2, 1 + len(entries), n, n))
    for index, (_, (i, j), moves) in enumerate(entries, start=1):
        parts[0 if moves else 1, index, i, j] = 1.0
        if not moves:
            parts[1, index, j, i] = 1.0
    table = np.stack([values for values, _, _ in entries], axis=-1)
    weights = SplineWeights(times, table, light.rate, bool(light.period))
    return weights, parts[0], parts[1]
