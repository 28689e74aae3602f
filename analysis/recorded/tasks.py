"""What is computed of the spectra of a stretch of a record, in the process of the fits.

They are averaged and fitted by the one road, :mod:`..spectrum`; releases are, by
:mod:`.released`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.opening import open_record
from ...acquisition.records.record import Record
from ...acquisition.records.selected import stretch_of
from ...models.errors import OptobindError
from ...models.inference.convention import own_scale
from ...models.inference.result import FitResult
from ...models.reprs import short_repr
from ...models.spectra import CsdEstimate
from ..averaging import average_spectra
from ..figures.spectrum_view import spectrum_view
from ..quanta import csd_in_metres
from ..spectrum import analyse_spectrum

__all__ = [
    "FittedStretch",
    "StretchTask",
    "average_stretch",
    "fit_stretch",
    "opened_record",
    "stretch_record",
]


@dataclass(frozen=True)
class StretchTask:
    """A stretch of a file and what to do with it.

    Attributes
    ----------
    path : Path
        The file.
    options : mapping
        How a foreign file is to be read: keywords of ``open_record``.
    start, stop : int
        Samples, half-open.
    model : {"single", "pair"} or None
        None for what the channels suggest.
    band : (float, float) or None
        Hz; None for a band around the lines.
    exclude : tuple of (float, float)
        Ranges left out, Hz.
    setting : int
        Which light of the releases, where a run has several.
    segment : int or None
        Samples per segment of spectra; None for one that resolves the lines.
    without : tuple of int
        First samples of releases that are left out.
    """

    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    start: int = 0
    stop: int = 0
    model: Literal["single", "pair"] | None = None
    band: tuple[float, float] | None = None
    exclude: tuple[tuple[float, float], ...] = ()
    setting: int = 0
    segment: int | None = None
    without: tuple[int, ...] = ()


@dataclass(frozen=True)
class FittedStretch:
    """Spectra of a stretch and their fit, or why there is none.

    ``curve``, shape (n, c, c), is the expected CSD on ``frequencies`` (Hz), in the unit of ``csd``.
    """

    csd: CsdEstimate | None
    channels: tuple[str, ...] = ()
    result: FitResult | None = None
    frequencies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    curve: NDArray[np.complex128] | None = None
    error: str = ""

    __repr__ = short_repr


def fit_stretch(task: StretchTask) -> FittedStretch:
    """Average and fit the spectra of a stretch; where the fit fails, the spectra alone."""
    try:
        record = stretch_record(task)
    except OptobindError as error:
        return FittedStretch(None, error=str(error))
    try:
        found = analyse_spectrum(
            record,
            model=task.model,
            band=task.band,
            segment=task.segment,
            exclude=task.exclude,
        )
    except OptobindError as error:
        return _unfitted(record, str(error))
    result, columns = found.result, tuple(found.result.input["channels"])
    names = tuple(record.names[column] for column in columns)
    view = spectrum_view(found.csd, result)
    shown, model = found.csd, replace(view.csd, matrix=view.model)
    masses = record.masses_of(columns)
    if shown.unit == "quanta" and record.unit == "m" and masses is not None:
        scale = own_scale(result)  # the averages alone are in m: the picture keeps its unit
        shown, model = (csd_in_metres(csd, masses, scale) for csd in (shown, model))
    return FittedStretch(shown, names, result, model.frequencies, model.matrix)


def average_stretch(task: StretchTask) -> FittedStretch:
    """Average the spectra of a stretch."""
    try:
        return _unfitted(stretch_record(task), "")
    except OptobindError as error:
        return FittedStretch(None, error=str(error))


def _unfitted(record: Record, why: str) -> FittedStretch:
    """Spectra without a fit."""
    names = tuple(record.names[column] for column in record.usual)
    try:
        return FittedStretch(average_spectra(record), names, error=why)
    except OptobindError as error:
        return FittedStretch(None, names, error=why or str(error))


def stretch_record(task: StretchTask) -> Record:
    """Open the stretch of a task.

    Raises
    ------
    FileError, InputError
        If the file cannot be read or the stretch holds nothing.
    """
    record = opened_record(task.path, task.options)
    return stretch_of(record, task.start, task.stop)


def opened_record(path: Path, options: Mapping[str, Any]) -> Record:
    """Open a file, or take it as it was opened while it did not change.

    Raises
    ------
    FileError, InputError
        If it cannot be read.
    """
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _opened(path, tuple(sorted(options.items())), stamp)


@lru_cache(maxsize=2)
def _opened(path: Path, options: tuple[tuple[str, Any], ...], stamp: int) -> Record:
    """Open a file once for all of its stretches: a run of a night has millions of events."""
    return open_record(path, **dict(options))
