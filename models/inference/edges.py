"""Edges of a climb: a cross moment that two variances bound, free between them or fixed.

A free cross moment c may not be larger than its variances allow; a fixed one, as on the way along
its profile, does not let them become smaller. On an edge that the likelihood presses on, the climb
goes along it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .space import Space

__all__ = ["CrossMoment", "Edge", "Guard", "edges_of"]

_Array = NDArray[np.float64]
_TINY = 1e-300


@dataclass(frozen=True)
class CrossMoment:
    """A cross moment that two variances bound: |c| ≤ limit·√((v_1 + offset)(v_2 + offset)).

    Attributes
    ----------
    names : tuple of str
        One real parameter, or real and imaginary part.
    variances : (str, str)
        v_1 and v_2.
    limit : float
        Largest correlation, below 1.
    offset : float
        Added to the variances (½ for occupations).
    """

    names: tuple[str, ...]
    variances: tuple[str, str]
    limit: float
    offset: float = 0.0


@dataclass(frozen=True)
class Guard:
    """What a climb respects beside the bounds.

    Attributes
    ----------
    cross : tuple of CrossMoment
        Bounded cross moments; they count where all their parts are fitted, or all are fixed, and
        none is tied.
    longest : mapping of str to float
        Largest change of a parameter in one step.
    """

    cross: tuple[CrossMoment, ...] = ()
    longest: Mapping[str, float] = field(default_factory=dict)


class Edge(Protocol):
    """One edge; x are the fitted parameters, values all of the model."""

    def admit(self, x: _Array, values: _Array, *, onto: bool = False) -> None:
        """Bring x within the edge, or ``onto`` it, in place; values are those at x."""

    def pressed(self, values: _Array, slope: _Array) -> bool:
        """Whether the values lie on the edge and the score pushes beyond it."""

    def follow(self, values: _Array, moving: _Array) -> None:
        """Let ∂(all)/∂(fitted) move along the edge, in place."""

    @property
    def columns(self) -> NDArray[np.intp]:
        """Fitted parameters that the edge holds."""


class _Cross(NamedTuple):
    """A cross moment that is fitted: places of its parts among all and among the fitted."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    variances: tuple[int, int]
    limit: float
    offset: float

    def _size(self, values: _Array) -> float:
        """Largest |c| that the variances allow."""
        one, two = (values[v] + self.offset for v in self.variances)
        return self.limit * math.sqrt(max(one * two, 0.0))

    def admit(self, x: _Array, values: _Array, *, onto: bool = False) -> None:
        size, cross = self._size(values), x[self.columns]
        length = float(np.hypot.reduce(cross))
        if onto or length > size:
            x[self.columns] = cross * (size / max(length, _TINY))

    def pressed(self, values: _Array, slope: _Array) -> bool:
        cross, size = values[self.rows], self._size(values)
        on_edge = float(np.hypot.reduce(cross)) >= size * (1.0 - 1e-9)
        return size > 0.0 and on_edge and float(cross @ slope[self.rows]) > 0.0

    def follow(self, values: _Array, moving: _Array) -> None:
        """Let c follow its variances along the edge; it keeps only its phase to itself."""
        cross = values[self.rows]
        relative = [moving[v] / (values[v] + self.offset) for v in self.variances]
        turn = np.eye(len(cross)) - np.outer(cross, cross) / float(cross @ cross)
        moving[self.rows] = 0.5 * np.outer(cross, relative[0] + relative[1])
        moving[np.ix_(self.rows, self.columns)] += turn


class _Variances(NamedTuple):
    """Variances under a fixed cross moment: (v_1 + offset)(v_2 + offset) ≥ product.

    ``rows`` and ``columns`` are the places of those of the two that are fitted; the last of them
    is the one that follows.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    variances: tuple[int, int]
    product: float
    offset: float

    def admit(self, x: _Array, values: _Array, *, onto: bool = False) -> None:
        one, two = (float(values[v]) + self.offset for v in self.variances)
        share = self.product / max(one * two, _TINY)
        if onto:
            x[self.columns[-1]] = (x[self.columns[-1]] + self.offset) * share - self.offset
        elif share > 1.0:
            each = share ** (1.0 / len(self.columns))
            x[self.columns] = (x[self.columns] + self.offset) * each - self.offset

    def pressed(self, values: _Array, slope: _Array) -> bool:
        one, two = (values[v] + self.offset for v in self.variances)
        inwards = float((values[self.rows] + self.offset) @ slope[self.rows])
        return bool(one * two <= self.product * (1.0 + 1e-9)) and inwards < 0.0

    def follow(self, values: _Array, moving: _Array) -> None:
        last = self.rows[-1]
        moving[last] = 0.0
        for other in self.rows[:-1]:
            share = (values[last] + self.offset) / (values[other] + self.offset)
            moving[last] -= share * moving[other]


def edges_of(space: Space, guard: Guard) -> list[Edge]:
    """The edges of a guard in the places of a space."""
    found: list[Edge] = []
    for cross in guard.cross:
        if not {*cross.names, *cross.variances} <= set(space.names):
            continue  # of another model
        variances = tuple(space.names.index(name) for name in cross.variances)
        pair = (variances[0], variances[1])
        if all(name in space.free for name in cross.names):
            rows = np.array([space.names.index(name) for name in cross.names])
            columns = np.array([space.free.index(name) for name in cross.names])
            found.append(_Cross(rows, columns, pair, cross.limit, cross.offset))
            continue
        free = [name for name in cross.variances if name in space.free]
        if free and not any(name in space.moving for name in cross.names):
            size = math.hypot(*(float(space.params[name].value) for name in cross.names))
            rows = np.array([space.names.index(name) for name in free])
            columns = np.array([space.free.index(name) for name in free])
            product = (size / cross.limit) ** 2
            if product > 0.0:
                found.append(_Variances(rows, columns, pair, product, cross.offset))
    return found
