"""Trajectories in files: HDF5 as a stream, NPZ for what memory holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError, InputError
from ..models.inference.tracking.modes import amplitude_weights
from ..models.inference.tracking.tracker import TrackedSamples
from ..models.json_values import json_text
from .choice import Progress
from .track_summary import TrackSummary, summarise
from .tracking import Tracking

__all__ = ["check_destination", "write_track"]

# Values that an NPZ file may hold, in memory before it is written (1 GB as float32).
_MOST_VALUES = 1 << 28
_ROWS = 1 << 14  # of a chunk of a dataset
_SUFFIXES = (".h5", ".hdf5", ".npz")


def write_track(
    tracking: Tracking, path: Path, *, every: int = 1, progress: Progress | None = None
) -> TrackSummary:
    """Follow a record and write its trajectories, in bounded memory to an HDF5 file.

    The file holds, one row for every sample that is kept, ``sample`` (its index in the record),
    ``filtered`` and ``retrodicted`` (z_1, p_1, z_2, p_2, … as float32), ``amplitudes`` and
    ``modes`` (complex64, retrodicted); ``covariance`` as described in its attributes; and units,
    model and summary as attributes of the file.

    Parameters
    ----------
    tracking : Tracking
        From :func:`optobind.track`.
    path : Path
        Ends with .h5, .hdf5 or .npz. An existing file is replaced when the new one is complete.
    every : int
        Keep one sample of so many; all are followed.
    progress : callable, optional
        Called with the share of the samples that were followed, 0 … 1.

    Raises
    ------
    InputError
        For another suffix, the record itself, or more than an NPZ file should hold.
    FileError
        If the file cannot be written.
    """
    _check(tracking, path, every)
    with _replacing(path) as place:
        if path.suffix == ".npz":
            return _write_npz(tracking, place, every, progress)
        with h5py.File(place, "w") as file:
            sink = _Hdf5(file, tracking, every)
            summary = summarise(tracking, sink.add, progress)
            for name, table in _covariances(tracking).items():
                file.create_dataset(name, data=table)
            file.attrs.update(_attributes(tracking, every, summary))
        return summary


def check_destination(path: Path) -> None:
    """Refuse a file of another kind, before the work.

    Raises
    ------
    InputError
        Names the suffixes that there are.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: trajectories are written to {', '.join(_SUFFIXES)} files")
    if path.is_dir():
        raise InputError(f"{path} is a directory, not a file")


def _check(tracking: Tracking, path: Path, every: int) -> None:
    """Refuse what cannot be written before the work."""
    check_destination(path)
    if every < 1:
        raise InputError(f"every must be at least 1, got {every}")
    record = tracking.record.path
    if path.exists() and record.exists() and os.path.samefile(path, record):
        raise InputError(f"{path} is the record itself: choose another file")
    rows = tracking.ranges.samples // every
    states = tracking.dynamics.model.states
    if path.suffix == ".npz" and rows * 4 * states > _MOST_VALUES:
        raise InputError(
            f"{rows} samples are more than an NPZ file should hold: write {path.stem}.h5, or keep "
            "one sample of several, --every N"
        )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A place beside the file, which it takes when all is written."""
    place = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        yield place
        place.replace(path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def _rows(tracking: Tracking, start: int, part: TrackedSamples, every: int) -> dict[str, Any]:
    """What is kept of some samples of a stretch."""
    first = -part.first % every
    kept = np.arange(first, len(part), every)
    states = part.retrodicted[kept]
    return {
        "sample": start + part.first + kept,
        "filtered": part.filtered[kept].astype(np.float32),
        "retrodicted": states.astype(np.float32),
        "amplitudes": _turned(states, amplitude_weights(states.shape[1] // 2)),
        "modes": _turned(states, tracking.modes.weights),
    }


def _turned(states: NDArray[np.float64], weights: NDArray[Any]) -> NDArray[np.complex64]:
    """Amplitudes of states (m, n), without a large product of matrices."""
    found = np.zeros((len(states), len(weights)), np.complex128)
    for column, weight in enumerate(weights.T):
        found += states[:, column, None] * weight
    return found.astype(np.complex64)


class _Hdf5:
    """Datasets that grow."""

    def __init__(self, file: h5py.File, tracking: Tracking, every: int) -> None:
        self._file, self._tracking, self._every = file, tracking, every

    def add(self, start: int, _stop: int, part: TrackedSamples) -> None:
        """Append what is kept."""
        for name, values in _rows(self._tracking, start, part, self._every).items():
            if name not in self._file:
                tail = values.shape[1:]
                self._file.create_dataset(
                    name, (0, *tail), values.dtype, maxshape=(None, *tail), chunks=(_ROWS, *tail)
                )
            dataset = self._file[name]
            size = len(dataset)
            dataset.resize(size + len(values), axis=0)
            dataset[size:] = values


def _write_npz(
    tracking: Tracking, place: Path, every: int, progress: Progress | None
) -> TrackSummary:
    parts: list[dict[str, Any]] = []

    def keep(start: int, _stop: int, part: TrackedSamples) -> None:
        parts.append(_rows(tracking, start, part, every))

    summary = summarise(tracking, keep, progress)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    described = {key: np.asarray(v) for key, v in _attributes(tracking, every, summary).items()}
    np.savez(place, **arrays, **_covariances(tracking), **described)  # type: ignore[arg-type]
    return summary


_COVARIANCE = (
    "covariance/filtered_head[t] is that of the filtered state t samples after the begin of a "
    "stretch, its last entry that of all later ones. covariance/retrodicted/N is that of stretches "
    "of N samples, from the begin on; of longer ones covariance/retrodicted_head serves the first "
    "samples, _tail the last ones, _steady all between."
)


def _covariances(tracking: Tracking) -> dict[str, NDArray[np.float64]]:
    """Tables from which the covariance of every sample follows."""
    steady = tracking.steady
    tables = {"covariance/filtered_head": steady.after}
    for length in np.unique(tracking.ranges.lengths).tolist():
        spread = steady.retrodicted(length)
        if len(spread.head) == length:
            tables[f"covariance/retrodicted/{length}"] = spread.head
            continue
        tables["covariance/retrodicted_head"] = spread.head
        tables["covariance/retrodicted_steady"] = spread.steady
        tables["covariance/retrodicted_tail"] = spread.tail
        break  # longer ones share these
    return tables


def _attributes(tracking: Tracking, every: int, summary: TrackSummary) -> dict[str, Any]:
    """Units, model and what the trajectories say of themselves."""
    model, count = tracking.dynamics.model, tracking.dynamics.particles
    modes = tracking.modes
    fit = None if tracking.fit is None else tracking.fit.to_dict()
    return {
        "unit": tracking.unit,
        "states": [f"{name}{j + 1}" for j in range(count) for name in ("z", "p")],
        "metres_per_unit": np.array(tracking.metres or [np.nan] * count),
        "sample_rate": tracking.record.sample_rate,
        "every": every,
        "record": str(tracking.record.path),
        "stretches": tracking.ranges.array,
        "drift": model.drift,
        "noise": model.noise,
        "output": model.output,
        "imprecision": model.imprecision,
        "mode_frequencies": -modes.eigenvalues.imag / (2.0 * np.pi),
        "mode_dampings": -2.0 * modes.eigenvalues.real,
        "covariance_of": _COVARIANCE,
        "fit": json_text(fit),
        "summary": json_text(summary.to_dict()),
    }
