"""Samples of a record as a stream, cut to ranges and decimated behind an anti-alias filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.record import Ranges, Record
from ...models.errors import InputError

__all__ = ["Piece", "SampleStream"]

_ROWS = 1 << 18  # samples that are read at a time
_TAPS = 10  # of the filter to either side, times the factor
_PASSED = 0.8  # of the new Nyquist frequency
_KAISER = 8.0  # 80 dB
_MOST_FACTOR = 10_000

Piece = tuple[NDArray[np.int64], NDArray[np.floating]]
"""Indices of samples in the record, shape (n,), and values in its unit, shape (n, c)."""


@dataclass(frozen=True)
class SampleStream:
    """Samples of a record in order.

    Attributes
    ----------
    record : Record
        The record.
    columns : tuple of int
        Its columns.
    start, stop : int or None
        Samples of the record to begin and end with; everything by default.
    factor : int
        Every so many samples, behind a low-pass.
    """

    record: Record
    columns: tuple[int, ...]
    start: int | None = None
    stop: int | None = None
    factor: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= _MOST_FACTOR:
            raise InputError(f"decimation must lie in 1 … {_MOST_FACTOR}, got {self.factor}")
        if not self.rows:
            recorded, rate = self.record.recorded(), self.record.sample_rate
            begin, end = recorded.starts[0] / rate, recorded.stops[-1] / rate
            start = begin if self.start is None else self.start / rate
            stop = end if self.stop is None else self.stop / rate
            raise InputError(
                f"{self.record.path}: no samples to export between {start:g} s and {stop:g} s "
                f"with decimation {self.factor}; it holds {begin:g} … {end:g} s"
            )

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Type of the values: 32-bit where the record stores no more."""
        stored = self.record.dtype
        return np.dtype(np.float64 if stored.itemsize > 4 or stored == np.int32 else np.float32)

    @property
    def sample_rate(self) -> float:
        """Of the exported samples, Hz."""
        return self.record.sample_rate / self.factor

    @property
    def filter_text(self) -> str:
        """What was done to the samples."""
        if self.factor == 1:
            return "none"
        corner = 0.5 * _PASSED * self.sample_rate
        return (
            f"every {self.factor}th sample behind a linear-phase FIR low-pass of "
            f"{2 * _TAPS * self.factor + 1} taps (Kaiser {_KAISER:g}), half amplitude at "
            f"{corner:.6g} Hz; {_TAPS * self.factor} samples at each end of a stretch are left out"
        )

    def _ranges(self) -> Ranges:
        """Stretches, cut."""
        recorded = self.record.recorded()
        low = int(recorded.starts[0]) if self.start is None else self.start
        high = int(recorded.stops[-1]) if self.stop is None else self.stop
        return recorded.cut_to(Ranges([(low, high)])) if high > low else Ranges()

    def _outputs(self, length: int) -> int:
        """Samples that remain of a stretch."""
        if self.factor == 1:
            return length
        inner = length - 2 * _TAPS * self.factor
        return 0 if inner < 1 else (inner - 1) // self.factor + 1

    @property
    def rows(self) -> int:
        """Number of exported samples."""
        return sum(self._outputs(stop - start) for start, stop in self._ranges())

    def __iter__(self) -> Iterator[Piece]:
        with self.record.source.held():
            for start, stop in self._ranges():
                yield from self._stretch(start, stop)

    def _stretch(self, start: int, stop: int) -> Iterator[Piece]:
        """One stretch, piece by piece."""
        if self.factor == 1:
            for low in range(start, stop, _ROWS):
                high = min(stop, low + _ROWS)
                values = self.record.read(low, high, self.columns)
                yield np.arange(low, high), values.astype(self.dtype)
            return
        from scipy.signal import firwin, upfirdn

        n, reach = self.factor, _TAPS * self.factor
        taps = firwin(2 * reach + 1, _PASSED / n, window=("kaiser", _KAISER))
        count, many = self._outputs(stop - start), max(1, _ROWS // n)
        for first in range(0, count, many):
            some = min(many, count - first)
            low = start + first * n
            x = self.record.read(low, low + (some - 1) * n + 2 * reach + 1, self.columns)
            # Of the convolution, those outputs whose taps all lie on samples.
            y = upfirdn(taps, x, 1, n, axis=0)[2 * _TAPS : 2 * _TAPS + some]
            yield low + reach + n * np.arange(some), y.astype(self.dtype)
