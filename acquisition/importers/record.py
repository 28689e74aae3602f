"""A record as the fits and the replay see it, whatever file it came from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import Block, BlockStatus
from ...models.errors import FileError, InputError
from ..runfile import RunFile

__all__ = ["Record", "checked_rate"]

_BLOCK_ROWS = 1 << 16
_SLOWEST, _FASTEST = 1e-3, 1e12  # Hz


@dataclass(frozen=True)
class Record:
    """Samples with what is needed to read them.

    Attributes
    ----------
    kind : {"run", "lecroy", "npz", "csv"}
        Format of the file.
    source : str
        Path of the file.
    sample_rate : float
        Hz.
    channels : tuple of str
        Names of the columns.
    unit : str
        Unit of scaled samples: "V", "m", or "quanta" (the dimensionless z_j).
    scale : ndarray, shape (c,)
        ``unit`` per count; 1 for floating-point data.
    data : ndarray, shape (n, c) or (r, n, c), or None
        Counts (int16) or samples; None for a run file, which is read on demand.
    release_index : int or None
        First sample of each repetition with feedback off; None when not stated.
    run : RunFile or None
        The open run file.
    """

    kind: Literal["run", "lecroy", "npz", "csv"]
    source: str
    sample_rate: float
    channels: tuple[str, ...]
    unit: str
    scale: NDArray[np.float64]
    data: NDArray[Any] | None = None
    release_index: int | None = None
    run: RunFile | None = field(default=None, repr=False)

    @property
    def repetitions(self) -> int | None:
        """Number r of repetitions of (r, n, c) data; None for a plain record."""
        return self.data.shape[0] if self.data is not None and self.data.ndim == 3 else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        if self.run is not None:
            return self.run.dtype
        return self._array().dtype

    @property
    def samples(self) -> NDArray[Any]:
        """All samples in ``unit``, shape (n, c) or (r, n, c), floating point.

        Raises
        ------
        InputError
            For a run file of more or less than one steady stretch: read these by :meth:`read`.
        """
        if self.data is not None:
            floating = self.data.dtype.kind == "f"
            return self.data if floating else self.data * self.scale
        stretches = self.stretches()
        if len(stretches) != 1:
            raise InputError(
                f"{self.source} holds {len(stretches)} steady stretches; one was expected"
            )
        return self.read(*stretches[0])

    def stretches(self) -> list[tuple[int, int]]:
        """Return ranges (start, stop) of sample indices without a gap, to be read as steady.

        Repetitions count as stretches; their indices are n + 1 apart.
        """
        if self.run is not None:
            return self.run.monitor_stretches()
        data = self._array()
        if data.ndim == 2:
            return [(0, data.shape[0])]
        n = data.shape[1]
        return [(r * (n + 1), r * (n + 1) + n) for r in range(data.shape[0])]

    def read(
        self, start: int, stop: int, channels: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Return samples in ``unit`` of a range within one stretch, shape (n, c).

        Raises
        ------
        InputError
            If the range is not within one stretch.
        """
        columns = slice(None) if channels is None else list(channels)
        scaled = self.counts(start, stop) * self.scale
        return np.asarray(scaled[:, columns], np.float64)

    def counts(self, start: int, stop: int) -> NDArray[Any]:
        """Return stored samples of a range within one stretch; errors as :meth:`read`."""
        if self.run is not None:
            return self.run.samples(start, stop)
        data = self._array()
        n = data.shape[-2]
        repetition, low = divmod(start, n + 1) if data.ndim == 3 else (0, start)
        rows = data[repetition] if data.ndim == 3 else data
        if not 0 <= low < low + stop - start <= n:
            raise InputError(f"samples {start} … {stop} do not lie within one stretch")
        counts: NDArray[Any] = rows[low : low + stop - start]
        return counts

    def blocks(self, rows: int = _BLOCK_ROWS) -> Iterator[Block]:
        """Iterate over blocks of stored samples; each stretch begins with a jump of the index."""
        number, status = 0, BlockStatus.OK
        for low, high in self.stretches():
            for position in range(low, high, rows):
                counts = self.counts(position, min(high, position + rows))
                yield Block(position, counts, self.scale, number, 0.0, status)
                number, status = number + 1, BlockStatus.OK
            status = BlockStatus.GAP_BEFORE

    def close(self) -> None:
        """Close the file of a run."""
        if self.run is not None:
            self.run.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _array(self) -> NDArray[Any]:
        assert self.data is not None
        return self.data


def checked_rate(source: str, rate: float) -> float:
    """Return the rate.

    Raises
    ------
    FileError
        Unless it is positive, finite and within what a clock could give.
    """
    if not (math.isfinite(rate) and rate > 0.0):
        raise FileError(f"{source}: sample_rate must be positive and finite, got {rate:g} Hz")
    if not _SLOWEST <= rate <= _FASTEST:
        raise FileError(
            f"{source}: sample_rate must lie in {_SLOWEST:g} … {_FASTEST:g} Hz, got {rate:g} Hz"
        )
    return float(rate)
