"""Everything about a tracked stretch that does not depend on its samples: gains and covariances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..exact.gains import Gains, NoFilterError, gains_of
from .dynamics import Dynamics
from .kernels import spreads, weights

__all__ = ["Spread", "SteadyFilter", "filter_of"]

_Array = NDArray[np.float64]
# A covariance is steady when it changes less, relatively, from sample to sample.
_TIGHT = 1e-10
# Share of what a sample says that is left out where it is said to be forgotten.
_FORGOTTEN = 1e-9
# Samples within which gains must settle, and samples must be forgotten: memory is bounded by them.
_MOST_HEAD, _MOST_LAG = 1 << 17, 1 << 20


@dataclass(frozen=True)
class Spread:
    """Covariance of the state along a stretch: at its begin, steady, at its end.

    Attributes
    ----------
    length : int
        Samples of the stretch.
    head, tail : ndarray, shape (h, n, n) and (t, n, n)
        Of the first and of the last samples.
    steady : ndarray, shape (n, n)
        Of all between.
    """

    length: int
    head: _Array
    tail: _Array
    steady: _Array

    def at(self, samples: NDArray[np.integer]) -> _Array:
        """Covariances of samples of the stretch, counted from its begin, shape (m, n, n)."""
        where = np.asarray(samples)
        found = np.broadcast_to(self.steady, (len(where), *self.steady.shape)).copy()
        first = where < len(self.head)
        found[first] = self.head[where[first]]
        from_end = self.length - 1 - where
        last = ~first & (from_end < len(self.tail))
        found[last] = self.tail[len(self.tail) - 1 - from_end[last]]
        return found


@dataclass(frozen=True)
class SteadyFilter:
    """Gains from the begin of a stretch until they are steady; the last one serves on.

    Attributes
    ----------
    dynamics : Dynamics
        What is followed.
    gains : Gains
        As the exact likelihood has them.
    gain, correct : ndarray, shape (k, n, c)
        G = FK, and K.
    flow : ndarray, shape (k, n, n)
        L = F − GC.
    root : ndarray, shape (k, c, c)
        Lower Cholesky factor of W: e = rootᵀ v is white.
    seen : ndarray, shape (k, n, c)
        Cᵀ root.
    before, after : ndarray, shape (k, n, n)
        Covariance of the state before and after the sample.
    lag : int
        Samples after which a sample, or an error of the begin, is forgotten.
    """

    dynamics: Dynamics
    gains: Gains
    gain: _Array
    correct: _Array
    flow: _Array
    root: _Array
    seen: _Array
    before: _Array
    after: _Array
    lag: int

    @property
    def settled(self) -> int:
        """Samples after which gains are steady."""
        return len(self.gain)

    def filtered(self, length: int) -> Spread:
        """Covariance given all samples up to each, of a stretch of so many samples."""
        return Spread(length, self.after[:length], self.after[:0], self.after[-1])

    def retrodicted(self, length: int) -> Spread:
        """Covariance given all samples of a stretch of so many: P − PΛP."""
        head, lag = self.settled, self.lag
        if length <= head + lag:
            later = self._later(length, self._own(length - 1))
            table = self._reduced(later)
            return Spread(length, table, table[:0], self.after[-1])
        tail = self._tail
        later = self._later(head + 1, tail[0])[:-1]
        steady = self._reduced(tail[:1], steady=True)[0]
        return Spread(length, self._reduced(later), self._reduced(tail, steady=True), steady)

    @cached_property
    def _tail(self) -> _Array:
        """Λ of the last samples of a long stretch, all with steady gains."""
        later = np.empty((self.lag, *self.flow.shape[1:]))
        later[-1] = self._own(self.settled)
        weights(self.flow[-1:], self._owns[-1:], later)
        return later

    @cached_property
    def _owns(self) -> _Array:
        return np.ascontiguousarray(self.seen @ self.seen.swapaxes(1, 2))

    def _own(self, sample: int) -> _Array:
        """CᵀWC of a sample."""
        return np.asarray(self._owns[min(sample, self.settled - 1)])

    def _later(self, length: int, last: _Array) -> _Array:
        """Λ of the first samples of a stretch, of which the last one is known."""
        later = np.empty((length, *self.flow.shape[1:]))
        later[-1] = last
        weights(self.flow, self._owns, later)
        return later

    def _reduced(self, later: _Array, *, steady: bool = False) -> _Array:
        """P − PΛP."""
        at = np.minimum(np.arange(len(later)), self.settled - 1)
        before = self.before[-1:] if steady else self.before[at]
        found = before - before @ later @ before
        return np.asarray(0.5 * (found + found.swapaxes(1, 2)))


def filter_of(dynamics: Dynamics) -> SteadyFilter:
    """Run the covariances of a filter until they are steady.

    Raises
    ------
    InputError
        If it does not settle, or a motion neither decays nor shows in the record.
    """
    space = dynamics.space
    try:
        gains = gains_of(space, np.ones(_MOST_HEAD, dtype=bool), _TIGHT)
    except NoFilterError:
        raise InputError("this model is none: its innovations have no positive variance") from None
    found = len(gains.gain) - 1
    if found >= _MOST_HEAD:
        raise InputError(
            f"the filter does not settle within {_MOST_HEAD} samples "
            f"({_MOST_HEAD / dynamics.sample_rate:.3g} s): the motion hardly shows above the "
            "imprecision"
        )
    gain, weight = gains.gain[1:].copy(), gains.weight[1:]
    flow = space.step - gain @ space.output
    before = np.empty((found, *space.step.shape))
    before[0] = space.initial
    spreads(flow, gain, space.spread, np.ascontiguousarray(space.noise), before)
    root = np.asarray(np.linalg.cholesky(weight), np.float64)
    correct = before @ space.output.T @ weight
    after = before - correct @ np.linalg.inv(weight) @ correct.swapaxes(1, 2)
    seen = np.ascontiguousarray(space.output.T @ root)
    lag = _lag(flow[-1], dynamics)
    return SteadyFilter(
        dynamics, gains, gain, np.ascontiguousarray(correct), np.ascontiguousarray(flow), root,
        seen, before, after, lag,
    )  # fmt: skip


def _lag(flow: _Array, dynamics: Dynamics) -> int:
    """Steps after which nothing is left of an error of the state."""
    slowest = float(np.abs(np.linalg.eigvals(flow)).max())
    if not slowest < 1.0:
        raise InputError("a motion of this model neither decays nor shows in the record")
    lag = math.ceil(math.log(_FORGOTTEN) / math.log(slowest)) if slowest > 0.0 else 1
    if lag > _MOST_LAG:
        raise InputError(
            f"a motion of this model is forgotten within {lag / dynamics.sample_rate:.3g} s only, "
            f"{lag} samples, more than {_MOST_LAG} that are kept: it hardly shows in the record"
        )
    return max(lag, 1)
