"""The exact likelihood of raw samples: value and score by one pass over them, information without.

Records are read anew for every evaluation, a batch at a time: memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..priors import Priors
from .gains import TIGHT, Gains, NoFilterError, gains_of
from .model import FilterModel
from .passes import Pass
from .statespace import StateSpace, discretised

__all__ = ["ExactLikelihood", "ExactPoint", "patterns"]

_Array = NDArray[np.float64]
Key = tuple[int, bytes]
"""Length of a record and its missing samples."""

# Lengths for which the information is computed; between them it is interpolated.
_MOST_LENGTHS = 8
# Information of more samples than this is extrapolated: by then it grows evenly.
_LONGEST = 1 << 17


def patterns(batch: NDArray[Any]) -> Iterator[tuple[Key, NDArray[Any]]]:
    """Split a batch (M, T, c) by missing samples, which are those where a channel is NaN.

    Yields
    ------
    (length, missing samples), records
        NaN replaced by 0, NaN at the end cut off.
    """
    length = batch.shape[1]
    if batch.dtype.kind in "iu" or np.isfinite(batch.sum(dtype=np.float64)):
        yield (length, b""), batch
        return
    valid = np.isfinite(batch.astype(np.float64)).all(axis=2)
    kinds, which = np.unique(valid, axis=0, return_inverse=True)
    for index, kind in enumerate(kinds):
        if not kind.any():
            continue
        end = int(np.flatnonzero(kind)[-1]) + 1
        records = np.where(kind[None, :end, None], batch[which.ravel() == index, :end], 0.0)
        yield (end, b"" if kind[:end].all() else kind[:end].tobytes()), records


def _valid(key: Key) -> NDArray[np.bool_]:
    length, missing = key
    return np.frombuffer(missing, dtype=bool) if missing else np.ones(length, dtype=bool)


@dataclass(frozen=True)
class ExactPoint:
    """The likelihood at given values.

    Attributes
    ----------
    likelihood : ExactLikelihood
        Whose point this is.
    values : ndarray, shape (P,)
        All parameters.
    model : StateSpace or None
        One step; None where there is no model.
    log_likelihood : float
        Priors included, up to a constant; −inf where there is no model.
    slope : ndarray, shape (P,)
        Score.
    passes : mapping
        Of every kind of record, with its number of records.
    """

    likelihood: ExactLikelihood
    values: _Array
    model: StateSpace | None
    log_likelihood: float
    slope: _Array
    passes: Mapping[Key, tuple[Gains, int]] = field(repr=False)

    def normal_equations(self) -> tuple[_Array, _Array]:
        """Score (P,) and expected Fisher information (P, P), priors included."""
        return self.slope, self.information

    @cached_property
    def information(self) -> _Array:
        """Expected Fisher information, shape (P, P)."""
        total = np.diag(self.likelihood.prior.weight)
        whole = {key[0]: (g, n) for key, (g, n) in self.passes.items() if not key[1]}
        for key, (gains, count) in self.passes.items():
            if key[1]:
                total = total + count * gains.information()
        return total + self._of_whole(whole) if whole else total

    def _of_whole(self, whole: Mapping[int, tuple[Gains, int]]) -> _Array:
        """That of records without gaps, interpolated between a few of many lengths."""
        lengths = np.array(sorted(whole))
        nodes = lengths
        if len(lengths) > _MOST_LENGTHS:
            picks = np.linspace(0, len(lengths) - 1, _MOST_LENGTHS).round().astype(int)
            nodes = lengths[picks]
        longest = int(nodes[-1])
        if longest > _LONGEST:
            nodes = np.append(nodes[nodes < _LONGEST // 2], [_LONGEST // 2, _LONGEST])
        found = np.stack([self._information_of(int(length), whole) for length in nodes])
        total = np.zeros(found.shape[1:])
        for length, (_, count) in whole.items():
            total += count * _between(nodes, found, length)
        return total

    def _information_of(self, length: int, whole: Mapping[int, tuple[Gains, int]]) -> _Array:
        if length in whole:
            return whole[length][0].information()
        assert self.model is not None
        return gains_of(self.model, np.ones(length, dtype=bool)).information()


def _between(nodes: NDArray[np.integer], found: _Array, length: int) -> _Array:
    """Information of a length, on the straight line through the nearest two nodes."""
    if len(nodes) == 1:
        return np.asarray(found[0])
    at = int(np.clip(np.searchsorted(nodes, length), 1, len(nodes) - 1))
    low, high = nodes[at - 1], nodes[at]
    share = (length - low) / (high - low)
    return np.asarray((1.0 - share) * found[at - 1] + share * found[at])


@dataclass(frozen=True)
class ExactLikelihood:
    """Likelihood of raw samples under one linear model.

    Attributes
    ----------
    model : FilterModel
        Parameters and what they make.
    records : iterable of ndarray, shape (M, T, c)
        Any real type; iterated over once an evaluation. Lengths may differ from batch to batch and
        NaN marks missing samples.
    sample_rate : float
        Hz.
    scale, offset : ndarray, shape (c,)
        What turns stored values into samples of zero mean: value·scale − offset.
    priors : mapping
        Name to (value, standard error).
    diffuse : float
        Variance of a state that is not known at the begin of a steady record, unit².
    tight : float
        Change a sample, relative, below which gains are frozen; 0 freezes none.
    tick : callable, optional
        Called with the number of records of every batch that was filtered.
    """

    model: FilterModel
    records: Iterable[NDArray[Any]]
    sample_rate: float
    scale: _Array
    offset: _Array
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    diffuse: float = 1.0
    tight: float = TIGHT
    tick: Callable[[int], object] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of values, score and Fisher information."""
        return self.model.names

    @property
    def prior(self) -> Priors:
        """What is known of the parameters beforehand."""
        return Priors(self.names, self.priors)

    def space(self, values: _Array) -> StateSpace | None:
        """One step of the model; None where there is none."""
        model = self.model.continuous(values)
        if model is None:
            return None
        found = discretised(model, self.sample_rate, self.diffuse)
        finite = all(np.isfinite(m).all() for m in (found.step, found.spread, found.initial))
        return found if finite else None

    def evaluate(self, values: _Array) -> ExactPoint:
        """Value and score, by one pass over the records."""
        values = np.asarray(values, dtype=np.float64)
        model = self.space(values)
        nothing = ExactPoint(self, values, None, -np.inf, np.zeros(len(values)), {})
        if model is None:
            return nothing
        passes: dict[Key, Pass] = {}
        try:
            for batch in self.records:
                for key, records in patterns(batch):
                    if key not in passes:
                        gains = gains_of(model, _valid(key), self.tight)
                        passes[key] = Pass(gains, self.scale, self.offset)
                    passes[key].add(records)
                if self.tick is not None:
                    self.tick(len(batch))
        except NoFilterError:
            return nothing
        total, slope = self.prior.at(values)
        for one in passes.values():
            total += one.log_likelihood
            slope = slope + one.score()
        if not (np.isfinite(total) and np.isfinite(slope).all()):
            return nothing
        kinds = {key: (one.gains, one.records) for key, one in passes.items()}
        return ExactPoint(self, values, model, total, slope, kinds)
