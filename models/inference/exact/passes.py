"""One pass over records: their log-likelihood, and its score from a few sums per gain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gains import Gains
from .kernels import LANES, SUMS, adjoint, buffers, fill, innovations
from .plain import PlainSums, plain_innovations, plain_pass

__all__ = ["Pass"]

_Array = NDArray[np.float64]


class Pass:
    """Sums over records of one length and one pattern of missing samples.

    Parameters
    ----------
    gains : Gains
        Of such a record.
    scale, offset : ndarray, shape (c,)
        What turns a stored value into a sample of zero mean: value·scale − offset.
    """

    def __init__(self, gains: Gains, scale: _Array, offset: _Array) -> None:
        self.gains, self._scale, self._offset = gains, scale, offset
        self.records = 0
        self._length = int(gains.runs[-1, 2])
        channels = gains.model.channels
        self._observer = gains.observer if channels <= 2 else None
        if self._observer is None:
            self._plain = PlainSums.empty(gains)
            return
        table = self._observer.gains
        if channels == 1:
            table = table * np.eye(2)
        self._table = np.ascontiguousarray(table.reshape(len(table), 20))
        self._sums = np.zeros((len(table), SUMS))
        self._y, self._v, self._work, self._costate = buffers(self._length)

    def add(self, data: NDArray[Any]) -> None:
        """Filter records (M, T, c) and add up what the score needs."""
        self.records += len(data)
        if self._observer is None:
            plain_pass(self.gains, data, self._scale, self._offset, self._plain)
            return
        together = LANES * (3 - data.shape[2])
        for first in range(0, len(data), together):
            fill(data, first, self._scale, self._offset, self._y)
            innovations(self._y, self.gains.runs, self._table, self._work, self._v)
            adjoint(
                self._y, self._v, self.gains.runs, self._table, self._work, self._costate,
                self._sums,
            )  # fmt: skip

    def innovations(self, data: NDArray[Any]) -> Iterator[_Array]:
        """What was not foreseen of records (M, T, c), lanes by lanes (T, c, L); 0 beyond them."""
        channels = self.gains.model.channels
        if self._observer is None:
            yield from plain_innovations(self.gains, data, self._scale, self._offset)
            return
        for first in range(0, len(data), LANES * (3 - channels)):
            fill(data, first, self._scale, self._offset, self._y)
            innovations(self._y, self.gains.runs, self._table, self._work, self._v)
            yield self._v.reshape(self._length, channels, -1)

    @property
    def log_likelihood(self) -> float:
        """Of all records added."""
        counts, channels = self.records * self.gains.counts, self.gains.model.channels
        squares = float(np.einsum("kij,kij->", self.gains.weight, self.squares))
        log_det = float(counts @ (self.gains.log_det + channels * math.log(2.0 * math.pi)))
        return -0.5 * (log_det + squares)

    @property
    def squares(self) -> _Array:
        """Σ v vᵀ of every gain, shape (k, c, c)."""
        if self._observer is None:
            return self._plain.squares
        found = self._sums[:, :3]
        if self.gains.model.channels == 1:
            return np.asarray((found[:, 0] + found[:, 2])[:, None, None])
        return np.asarray(found[:, [[0, 1], [1, 2]]])

    def score(self) -> _Array:
        """∂ ln L by all parameters, shape (P,)."""
        gains = self.gains
        w, counts = gains.weight, self.records * gains.counts
        inner = counts[:, None, None] * w - w @ self.squares @ w
        slope = 0.5 * np.einsum("kij,kijp->p", inner, gains.d_cov)
        if self._observer is None:
            return np.asarray(-slope - self._plain.score(gains))
        c = gains.model.channels
        blocks = self._sums[:, 3:].reshape(len(w), 4, 2, 2)
        if c == 1:
            blocks = np.trace(blocks, axis1=2, axis2=3)[:, :, None, None]
        slope += np.einsum("ksij,ksijp->p", blocks[:, :2], self._observer.d_gain)
        slope += np.einsum("sij,sijp->p", blocks[:, 2:].sum(axis=0), self._observer.d_flow)
        return np.asarray(-slope)
