"""The tracker: samples of a stretch in, filtered and retrodicted states out, in bounded memory.

A sample is given out as soon as all that later ones could add is below 1e-9 of what they said: its
retrodicted state is then that of the whole stretch. At the end of a stretch the rest follows, with
the larger errors that the last samples have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kernels import backward, forward
from .steady import SteadyFilter

__all__ = ["TrackedSamples", "Tracker"]

_Array = NDArray[np.float64]
# Samples that are swept backward together at least: what is swept twice stays a small share.
_CHUNK = 1 << 14


@dataclass(frozen=True)
class TrackedSamples:
    """States of some samples of a stretch.

    Attributes
    ----------
    first : int
        First sample, counted from the begin of the stretch.
    filtered : ndarray, shape (m, n)
        ⟨x⟩ given all samples up to each.
    retrodicted : ndarray, shape (m, n)
        ⟨x⟩ given those behind it as well.
    innovations : ndarray, shape (m, c)
        What each sample brought that was not foreseen, white with unit covariance.
    """

    first: int
    filtered: _Array
    retrodicted: _Array
    innovations: _Array

    def __len__(self) -> int:
        return len(self.filtered)


class Tracker:
    """Follows one stretch of samples without a gap; make a new one behind a gap.

    Parameters
    ----------
    steady : SteadyFilter
        Of the model.
    chunk : int
        Samples that are given out together at least, but at the end.
    """

    def __init__(self, steady: SteadyFilter, chunk: int = _CHUNK) -> None:
        self.steady = steady
        self._chunk = max(chunk, steady.lag)
        self._x = np.zeros(steady.flow.shape[1])
        self._first = 0
        self._kept: list[tuple[_Array, _Array, _Array]] = []
        self._waiting = 0

    @property
    def seen(self) -> int:
        """Samples that were taken in."""
        return self._first + self._waiting

    def add(self, samples: _Array) -> TrackedSamples | None:
        """Take in the next samples (m, c), in the model's unit; what is complete comes out."""
        self._filter(samples)
        if self._waiting < self._chunk + self.steady.lag:
            return None
        return self._swept(self._waiting - self.steady.lag)

    def end(self) -> TrackedSamples:
        """No sample follows: the rest."""
        return self._swept(self._waiting)

    def _filter(self, samples: _Array) -> None:
        """Sweep forward."""
        s = self.steady
        y = np.ascontiguousarray(samples, dtype=np.float64)
        m, n = len(y), s.flow.shape[1]
        before, after, e = np.empty((m, n)), np.empty((m, n)), np.empty((m, y.shape[1]))
        forward(
            y, self.seen, s.flow, s.gain, s.correct, s.root, s.dynamics.space.output, self._x,
            before, after, e,
        )  # fmt: skip
        self._kept.append((before, after, e))
        self._waiting += m

    def _swept(self, count: int) -> TrackedSamples:
        """Sweep backward and give out the first of what waits."""
        n = self.steady.flow.shape[1]
        if not self._kept:
            nothing = np.zeros((0, n))
            return TrackedSamples(self._first, nothing, nothing, np.zeros((0, 1)))
        before, after, e = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
        out = np.empty((count, n))
        s = self.steady
        backward(before, e, self._first, s.flow, s.seen, s.before, out)
        found = TrackedSamples(self._first, after[:count], out, e[:count])
        # Copied, so that what was given out is not held.
        self._kept = [(before[count:].copy(), after[count:].copy(), e[count:].copy())]
        self._first, self._waiting = self._first + count, self._waiting - count
        return found
