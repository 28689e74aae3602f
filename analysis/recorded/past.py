"""A stretch of a run that is still being recorded, or of any record: its samples and its fit.

Both are read and computed in a process of its own, so that nobody waits; a stretch is as short as
it must be to be looked at at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...acquisition.fit_process import FitProcess
from ...acquisition.records.opening import open_record
from ...models.errors import InputError
from ...models.reprs import short_repr
from .tasks import FittedStretch, StretchTask, fit_stretch

__all__ = ["LONGEST", "PastStretch", "PastStretches", "look_back", "middle_of"]

LONGEST = 0.25
"""Seconds of a stretch that is fitted: as long as a live spectrum chooses its segment from."""
_TRACE_SECONDS = 0.002
_SEGMENTS = 8  # fewest of a stretch whose segment is given


@dataclass(frozen=True)
class PastStretch:
    """What a stretch holds.

    Attributes
    ----------
    first_sample, last_sample : int
        The stretch that was fitted, half-open.
    sample_rate : float
        Hz.
    channels : tuple of str
        Names of the columns of ``samples``.
    samples : ndarray, shape (n, c)
        The beginning of it, in ``unit``.
    unit : str
        Normally V.
    fitted : FittedStretch
        Spectra and fit, or why there is none.
    """

    first_sample: int
    last_sample: int
    sample_rate: float
    channels: tuple[str, ...]
    samples: NDArray[np.float32]
    unit: str
    fitted: FittedStretch

    __repr__ = short_repr


def middle_of(start: int, stop: int, sample_rate: float) -> tuple[int, int]:
    """The middle of a stretch, ``LONGEST`` long at most."""
    most = max(64, round(LONGEST * sample_rate))
    if stop - start <= most:
        return start, stop
    first = (start + stop - most) // 2
    return first, first + most


def look_back(task: StretchTask) -> PastStretch:
    """Read and fit the middle of a stretch.

    Raises
    ------
    InputError
        If nothing was recorded there.
    FileError
        If the file cannot be read.
    """
    record = open_record(task.path, **dict(task.options))
    try:
        start, stop = middle_of(task.start, task.stop, record.sample_rate)
        met = record.recorded().overlapping(start, stop)
        if not len(met):
            raise InputError(f"{task.path} holds no samples in {start} … {stop}")
        first = max(start, met[0][0])
        rows = max(64, round(_TRACE_SECONDS * record.sample_rate))
        last = min(stop, met[0][1], first + rows)
        columns = tuple(record.usual)
        counts = record.source.counts(first, last, columns)
        samples = (counts * record.stored_scale[list(columns)]).astype(np.float32)
        names = tuple(record.names[column] for column in columns)
        unit, rate = record.stored_unit, record.sample_rate
    finally:
        record.close()
    few = task.segment is None or not 8 <= task.segment <= (stop - start) // _SEGMENTS
    segment = None if few else task.segment
    fitted = fit_stretch(replace(task, start=start, stop=stop, segment=segment))
    return PastStretch(start, stop, rate, names, samples, unit, fitted)


def _is_awake(_: None) -> None:
    """Answer: the process has loaded what a look back takes."""


class PastStretches:
    """Looks back on behalf of a window; one question at a time.

    Parameters
    ----------
    on_lost : callable
        Called when the process died, with whether a new one takes over.
    """

    def __init__(self, on_lost: Callable[[bool], object] = lambda replaced: None) -> None:
        self._fits = FitProcess(on_lost)

    def warm(self) -> None:
        """Start the process: its first answer would take seconds."""
        self._fits.task(_is_awake, None)

    def look(
        self,
        path: Path,
        start: int,
        stop: int,
        segment: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Future[PastStretch]:
        """Have the middle of a stretch read and fitted; the future fails with the reason.

        Parameters
        ----------
        path : Path
            The file, which may still be written.
        start, stop : int
            Samples, half-open.
        segment : int, optional
            That of the live spectra of then, chosen by the rule of every fit: to choose it again
            takes as long as the fit. One that is too long for the stretch does not count.
        options : mapping, optional
            How a foreign file is read.
        """
        task = StretchTask(path, dict(options or {}), start, stop, segment=segment)
        return self._fits.task(look_back, task)

    def close(self) -> None:
        """End the process at once."""
        self._fits.close()
