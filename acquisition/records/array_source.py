"""Samples in memory: one plain record, or repetitions of one length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ..release_setting import Setting
from .record import Ranges, Record

__all__ = ["ArraySource", "array_record"]


class ArraySource:
    """An array of stored values.

    Parameters
    ----------
    path : Path
        The file, for messages.
    data : ndarray, shape (n, c) or (r, n, c)
        Stored values. Repetitions have indices n + 1 apart, so that none follows another.
    release_index : int or None
        First sample of each repetition with feedback off.
    segments : bool
        Whether the repetitions are a scope's segments, which may be steady stretches as well.
    """

    def __init__(
        self,
        path: Path,
        data: NDArray[Any],
        release_index: int | None = None,
        segments: bool = False,
    ) -> None:
        self._path, self.data, self._release_index = path, data, release_index
        self.segments = segments

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values."""
        return self.data.dtype

    @property
    def jumps(self) -> bool:
        """Nothing is missing between repetitions."""
        return False

    @property
    def release_index(self) -> int | None:
        """First sample of each repetition with feedback off, where the file states it."""
        return self._release_index

    def recorded(self) -> Ranges:
        """Everything, in order."""
        n = self.data.shape[-2]
        count = 1 if self.data.ndim == 2 else self.data.shape[0]
        first = np.arange(count, dtype=np.int64) * (n + 1)
        return Ranges.of(first, first + n)

    def steady(self) -> Ranges:
        """The record, a scope's segments one by one; raises InputError for repetitions."""
        if self.data.ndim == 3 and not self.segments:
            raise InputError(
                f"{self._path} holds repetitions, samples of shape {self.data.shape}: "
                "fit it with optobind fit reheating"
            )
        return self.recorded()

    def releases(self, release_index: int | None) -> Ranges:
        """The repetitions from the release on; raises InputError for a plain record."""
        if self.data.ndim != 3:
            raise InputError(
                f"{self._path} holds a plain record, samples of shape {self.data.shape}: a "
                "reheating fit needs (repetitions, n, channels), or the channel that says when it "
                "was released: --gate, --trigger"
            )
        index = release_index if release_index is not None else self._release_index or 0
        length = self.data.shape[1]
        if not 0 <= index < length:
            raise InputError(f"release index must lie in 0 … {length - 1}, got {index}")
        whole = self.recorded()
        return Ranges.of(whole.starts + index, whole.stops)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Not told."""
        return ()

    def released_in(self, light: Callable[[Setting], bool], words: str) -> Self:
        """Refuse: the light is not told."""
        raise InputError(f"{self._path} does not tell in which light it was released")

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch."""
        n = self.data.shape[-2]
        repetition, low = divmod(start, n + 1) if self.data.ndim == 3 else (0, start)
        rows = self.data[repetition] if self.data.ndim == 3 else self.data
        if not 0 <= low < low + stop - start <= n:
            raise InputError(f"samples {start} … {stop} do not lie within one stretch")
        counts: NDArray[Any] = rows[low : low + stop - start]
        return counts if columns is None else np.ascontiguousarray(counts[:, list(columns)])

    def held(self) -> AbstractContextManager[object]:
        """Nothing has to be kept open."""
        return nullcontext()

    def close(self) -> None:
        """Nothing is open."""


def array_record(
    kind: str,
    path: Path,
    sample_rate: float,
    names: Sequence[str],
    unit: str,
    scale: NDArray[np.float64],
    data: NDArray[Any],
    release_index: int | None = None,
    warnings: Sequence[str] = (),
    segments: bool = False,
    delays: Sequence[float] = (),
) -> Record:
    """Make the record of an imported file.

    Parameters
    ----------
    kind : str
        Format of the file.
    path : Path
        The file.
    sample_rate : float
        Hz.
    names : sequence of str
        Names of the columns.
    unit : str
        Unit of scaled samples.
    scale : ndarray, shape (c,)
        ``unit`` per stored value.
    data : ndarray, shape (n, c) or (r, n, c)
        Stored values.
    release_index : int, optional
        First sample of each repetition with feedback off.
    warnings : sequence of str
        What was noticed on import.
    segments : bool
        Whether repetitions are a scope's segments, which may be steady stretches as well.
    delays : sequence of float
        By how much each column is sampled later than the first, s; empty if nothing says so.
    """
    return Record(
        path=path,
        kind=kind,
        sample_rate=sample_rate,
        names=tuple(names),
        unit=unit,
        scale=scale,
        stored_unit=unit,
        stored_scale=scale,
        masses=(None,) * len(names),
        usual=tuple(range(len(names))),
        source=ArraySource(path, data, release_index, segments),
        delays=tuple(delays),
        provenance={"file": str(path), "format": kind},
        warnings=tuple(dict.fromkeys(warnings)),
    )
