"""Stability maps: how fast amplitudes grow, over any two parameters of an array's light.

Settings that hold no particle carry a reason, not a NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.errors import InputError, NotTrappedError
from ...models.families import LightFamily, pair_family
from ...models.family_coefficients import Reason
from ...models.linear import LinearModel
from ...models.ranges import require_vector
from ...models.reprs import short_repr
from .chains import chain_family

__all__ = ["StabilityMap", "family_growth", "growth_map", "stability_map"]

Array = NDArray[np.float64]
At: TypeAlias = Literal["equilibrium", "focus"]

_PAIR = ("phi", "separation", "balance", "total_power")
_CHAIN = ("phase_step", "spacing", "power")
_UNITS = {
    "phi": "rad",
    "separation": "m",
    "balance": "",
    "total_power": "W",
    "phase_step": "rad",
    "spacing": "m",
    "power": "W",
    "pressure": "Pa",
}


@dataclass(frozen=True)
class StabilityMap:
    """Growth rates on a grid of two parameters.

    Attributes
    ----------
    names, units : tuple of str
        Of the two parameters.
    first, second : ndarray, shapes (p,) and (q,)
        Their values.
    growth_rate : ndarray, shape (p, q)
        Largest real part of the eigenvalues, 1/s: amplitudes grow where it is positive; 0 where
        there is no model.
    frequency : ndarray, shape (p, q)
        Frequency of the fastest growing (or slowest decaying) motion, rad/s; 0 without a model.
    reason : ndarray, shape (p, q)
        :class:`Reason` why there is no model, as uint8; 0 where there is one.
    """

    names: tuple[str, str]
    units: tuple[str, str]
    first: Array
    second: Array
    growth_rate: Array
    frequency: Array
    reason: NDArray[np.uint8]

    __repr__ = short_repr

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where the particles are held and there is a model, (p, q)."""
        return np.asarray(self.reason == Reason.HELD)

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Where particles are held and every amplitude decays, (p, q)."""
        return np.asarray(self.valid & (self.growth_rate < 0.0))

    @property
    def masked(self) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
        """Growth rates as a masked array, for plots."""
        return np.ma.masked_array(self.growth_rate, ~self.valid)

    @property
    def counts(self) -> dict[str, int]:
        """Number of settings for each reason, by its name in lower case."""
        return {r.name.lower(): int((self.reason == r).sum()) for r in Reason}


def family_growth(
    family: LightFamily, *, at: At = "equilibrium", axes: str = "z"
) -> tuple[Array, Array, NDArray[np.uint8]]:
    """Growth rate (1/s), frequency (rad/s) and :class:`Reason` of every setting of a family.

    Parameters
    ----------
    family : LightFamily
        Any settings.
    at : {"equilibrium", "focus"}
        Where to linearise.
    axes : str
        Which axes move.
    """
    parts = family.coefficients(at)
    drifts = parts.held.drift(axes)
    if not len(drifts):
        empty = np.zeros(family.shape)
        return empty, empty.copy(), parts.reason
    values = np.linalg.eigvals(drifts)
    fastest = values.real.argmax(axis=1)
    chosen = np.take_along_axis(values, fastest[:, None], axis=1)[:, 0]
    growth = np.ascontiguousarray(chosen.real, dtype=np.float64)
    frequency = np.ascontiguousarray(np.abs(chosen.imag), dtype=np.float64)
    return parts.spread(growth), parts.spread(frequency), parts.reason


def stability_map(
    array: TrapArray, *, at: At = "equilibrium", axes: str = "z", **parameters: ArrayLike
) -> StabilityMap:
    """Scan two parameters of the light; equilibria and eigenvalues are found side by side.

    Parameters
    ----------
    array : TrapArray
        Of Gaussian beams.
    at : {"equilibrium", "focus"}
        Where to linearise.
    axes : str
        Which axes move.
    **parameters
        Two one-dimensional arrays, in the order of the axes of the map, of
        ``phi`` (rad), ``separation`` (m), ``balance``, ``total_power`` (W) of the first two
        tweezers, or ``phase_step`` (rad), ``spacing`` (m), ``power`` (W) of the whole array, and
        ``pressure`` (Pa) with either.

    Returns
    -------
    StabilityMap

    Raises
    ------
    InputError
        For other parameters, or values out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> found = ob.theory.stability_map(trap, phi=np.linspace(0.0, 3.0, 5), balance=[0.0, 0.1])
    >>> found.growth_rate.shape, found.units, bool(found.valid.all())
    ((5, 2), ('rad', ''), True)
    """
    (one, first), (two, second) = _two(parameters)
    grid: dict[str, ArrayLike] = {one: first[:, None], two: second[None, :]}
    names = {one, two} - {"pressure"}
    if names <= set(_PAIR):
        family = pair_family(array, **grid)
    elif names <= set(_CHAIN):
        family = chain_family(array, **grid)
    else:
        raise InputError(
            f"{one} and {two} cannot be varied together: take two of {', '.join(_PAIR)}, or two "
            f"of {', '.join(_CHAIN)}, or pressure with either"
        )
    growth, frequency, reason = family_growth(family, at=at, axes=axes)
    units = (_UNITS[one], _UNITS[two])
    return StabilityMap((one, two), units, first, second, growth, frequency, reason)


def _two(parameters: Mapping[str, ArrayLike]) -> list[tuple[str, Array]]:
    """Check that two known parameters are given, as finite vectors."""
    for name in parameters:
        if name not in _UNITS:
            raise InputError(f"unknown parameter {name!r}; known: {', '.join(sorted(_UNITS))}")
    if len(parameters) != 2:
        raise InputError(f"a map needs two parameters, got {len(parameters)}")
    return [(name, require_vector(name, values)) for name, values in parameters.items()]


def growth_map(
    build: Callable[[float, float], TrapArray | LinearModel],
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: tuple[str, str] = ("first", "second"),
    units: tuple[str, str] = ("", ""),
    at: At = "equilibrium",
    axes: str = "z",
) -> StabilityMap:
    """Scan any two parameters of anything that can be built, point by point.

    Parameters
    ----------
    build : callable
        Makes an array or a linear model of the two values.
    first, second : array_like, shapes (p,) and (q,)
        Values.
    names, units : tuple of str
        Of the parameters.
    at, axes
        As for :func:`stability_map`, for arrays.

    Returns
    -------
    StabilityMap
        Points where ``build`` or the equilibrium raises NotTrappedError, or any other InputError,
        are marked NOT_TRAPPED or IMPOSSIBLE.

    Examples
    --------
    Reciprocal coupling does not grow, antireciprocal coupling does at δω = 2g_a.

    >>> import optobind as ob
    >>> def build(g_r, g_a):
    ...     return ob.PairConstants(3e5, 2.0 * g_a, g_r, g_a, 2e3, 2e3, 0.0).to_linear()
    >>> found = ob.theory.growth_map(build, [0.0, 2e3], [0.0, 1e3], names=("g_r", "g_a"))
    >>> (found.growth_rate > 1.0).tolist()
    [[False, True], [False, False]]
    """
    one, two = require_vector(names[0], first), require_vector(names[1], second)
    growth, frequency = np.zeros((one.size, two.size)), np.zeros((one.size, two.size))
    reason = np.zeros((one.size, two.size), dtype=np.uint8)
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            try:
                built = build(float(a), float(b))
                model = built.linearize(at, axes) if isinstance(built, TrapArray) else built
            except NotTrappedError:
                reason[i, j] = Reason.NOT_TRAPPED
            except InputError:
                reason[i, j] = Reason.IMPOSSIBLE
            else:
                fastest = model.eigenvalues[model.eigenvalues.real.argmax()]
                growth[i, j], frequency[i, j] = fastest.real, abs(fastest.imag)
    return StabilityMap(names, units, one, two, growth, frequency, reason)
