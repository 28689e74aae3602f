"""Recorded data of any format, as the fits want them: stretches, columns, unit, masses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.events import EventKind
from ..acquisition.runfile import RunFile
from ..acquisition.worth import RunWorth
from ..models.errors import FileError, InputError

__all__ = ["Record", "is_run_file", "open_record"]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Record:
    """A record whose samples are read when they are asked for.

    Attributes
    ----------
    path : Path
        The file.
    sample_rate : float
        Hz.
    names : tuple of str
        Names of the columns.
    unit : str
        Unit of scaled samples: "V", "m" or "quanta".
    scale : ndarray, shape (columns,)
        ``unit`` per stored value, polarity included.
    masses : tuple of float or None
        Mass of the particle that each column sees, kg, None where unknown.
    usual : tuple of int
        Columns that are fitted unless others are chosen: out-of-loop detectors, by particle.
    worth : RunWorth or None
        What of a run's plan can be used; None for other formats.
    """

    path: Path
    sample_rate: float
    names: tuple[str, ...]
    unit: str
    scale: NDArray[np.float64]
    masses: tuple[float | None, ...]
    usual: tuple[int, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    samples: NDArray[Any] | None = None
    release_index: int | None = None
    worth: RunWorth | None = None

    def masses_of(self, columns: Sequence[int]) -> tuple[float, ...] | None:
        """Masses of the particles that some columns see, kg; None unless all are known."""
        known = [self.masses[column] for column in columns]
        masses = tuple(mass for mass in known if mass is not None)
        return masses if len(masses) == len(known) else None

    def check_columns(self, columns: Sequence[int]) -> tuple[int, ...]:
        """Return the columns if all exist and differ.

        Raises
        ------
        InputError
            Otherwise.
        """
        for column in columns:
            if not 0 <= column < len(self.names):
                raise InputError(
                    f"channel {column} does not exist: {self.path} has channels 0 … "
                    f"{len(self.names) - 1} ({', '.join(self.names)})"
                )
        if len(set(columns)) != len(columns):
            raise InputError(f"channels {','.join(map(str, columns))}: each may be named once only")
        return tuple(columns)

    def steady(self, columns: Sequence[int]) -> Iterator[NDArray[Any]]:
        """Stretches of stored values with feedback on and without gaps, shape (n, len(columns)).

        Raises
        ------
        InputError
            If the record holds repetitions of releases, or no steady stretch.
        """
        if self.samples is None:
            yield from _steady_of_run(self.path, columns)
            return
        if self.samples.ndim == 3:
            raise InputError(
                f"{self.path} holds repetitions, samples of shape {self.samples.shape}: "
                "fit it with optobind fit reheating"
            )
        yield np.ascontiguousarray(self.samples[:, list(columns)])

    def longest(self) -> int:
        """Samples of the longest stretch of :meth:`steady`; errors as there for a run file."""
        if self.samples is None:
            with RunFile.open(self.path) as run:
                return max(high - low for low, high in _steady_ranges(run, self.path))
        return int(self.samples.shape[-2])

    def require_releases(self) -> None:
        """Raise InputError for an imported record without repetitions."""
        if self.samples is not None and self.samples.ndim != 3:
            raise InputError(
                f"{self.path} holds a plain record, samples of shape {self.samples.shape}: a "
                "reheating fit needs (repetitions, n, channels)"
            )

    def released(self, columns: Sequence[int], release_index: int | None) -> NDArray[np.float64]:
        """Released stretches in ``unit``, shape (repetitions, n, len(columns)), row 0 the release.

        Raises
        ------
        InputError
            If the record holds no releases, or the index lies outside.
        """
        if self.samples is None:
            if release_index is not None:
                raise InputError(
                    f"{self.path} is a run file and records its releases: leave --release-index out"
                )
            raw = _releases_of_run(self.path, columns)
            return np.asarray(raw * self.scale[list(columns)])
        self.require_releases()
        index = release_index if release_index is not None else self.release_index or 0
        length = self.samples.shape[1]
        if not 0 <= index < length:
            raise InputError(f"release index must lie in 0 … {length - 1}, got {index}")
        return np.asarray(self.samples[:, index:, list(columns)] * self.scale[list(columns)])


def is_run_file(path: Path) -> bool:
    """Whether a file is HDF5: no other format that we read is.

    Raises
    ------
    FileError
        If it is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except FileNotFoundError:
        raise FileError(f"{path} does not exist") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None


def open_record(path: Path, sample_rate: float | None = None) -> Record:
    """Open a run file or import another record.

    Parameters
    ----------
    path : Path
        Run file, NPZ, LeCroy ``.raw``/``.trc`` or CSV.
    sample_rate : float, optional
        Hz, for CSV.

    Raises
    ------
    FileError
        If the file is missing, truncated, foreign or holds nothing usable.
    """
    if is_run_file(path):
        if sample_rate is not None:
            raise InputError(f"{path} is a run file and records its sample rate: leave --rate out")
        return _run_record(path)
    from ..acquisition.importers import load_record

    imported = load_record(path, sample_rate=sample_rate)
    columns = len(imported.channels)
    return Record(
        path=path,
        sample_rate=imported.sample_rate,
        names=imported.channels,
        unit=imported.unit,
        scale=np.asarray(imported.scale, dtype=np.float64),
        masses=(None,) * columns,
        usual=tuple(range(columns)),
        provenance={"file": str(path), "format": imported.kind},
        samples=imported.data,
        release_index=imported.release_index,
    )


def _run_record(path: Path) -> Record:
    """Describe a run file; calibrated when the rig said so."""
    with RunFile.open(path) as run:
        manifest, names, scale = run.manifest, run.channels, run.scale.copy()
        provenance = {"file": str(path), "format": "run", "rig": manifest["config"].get("name")}
        rate, worth = run.sample_rate, run.worth()
    detectors = {int(entry["channel"]): entry for entry in manifest["detectors"]}
    config = manifest["config"]
    calibrated = bool(config.get("calibrated", False)) and len(detectors) == len(names)
    known = config.get("masses") or []
    masses: list[float | None] = [None] * len(names)
    for column, detector in detectors.items():
        if calibrated:
            scale[column] *= detector["polarity"] / detector["volts_per_metre"]
        particle = detector["particle"]
        if particle is not None and 0 <= particle < len(known):
            masses[column] = float(known[particle])
    return Record(
        path=path,
        sample_rate=rate,
        names=names,
        unit="m" if calibrated else "V",
        scale=scale,
        masses=tuple(masses),
        usual=_usual_columns(detectors.values(), len(names)),
        provenance={**provenance, "gaps": worth.gaps, "lost_samples": worth.lost_samples},
        worth=worth,
    )


def _usual_columns(detectors: Any, count: int) -> tuple[int, ...]:
    """Out-of-loop columns ordered by particle, one each; all but monitors where there are none."""
    chosen: dict[int, int] = {}
    for detector in detectors:
        if detector["role"] == "out_of_loop" and detector["particle"] is not None:
            chosen.setdefault(int(detector["particle"]), int(detector["channel"]))
    if chosen:
        return tuple(column for _, column in sorted(chosen.items()))
    monitors = {int(d["channel"]) for d in detectors if d["role"] == "monitor"}
    return tuple(column for column in range(count) if column not in monitors)


def _steady_of_run(path: Path, columns: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Stored values of the steady ranges of a run."""
    with RunFile.open(path) as run:
        for low, high in _steady_ranges(run, path):
            yield np.ascontiguousarray(run.samples(low, high, columns))


def _steady_ranges(run: RunFile, path: Path) -> list[tuple[int, int]]:
    """Monitor steps of a run without gaps, saturated blocks and what follows a lost particle."""
    ranges = run.monitor_stretches()
    for event in run.events():
        if event.kind is EventKind.PARTICLE_LOST:
            ranges = _without(ranges, event.sample, None)
        elif event.kind is EventKind.SATURATED:
            samples = int(event.payload.get("samples", 1))
            ranges = _without(ranges, event.sample, event.sample + samples)
    if not ranges:
        raise InputError(
            f"{path} holds no usable steady record (monitor step): "
            "releases are fitted with optobind fit reheating"
        )
    return ranges


def _without(ranges: list[tuple[int, int]], start: int, stop: int | None) -> list[tuple[int, int]]:
    """Cut start … stop (None: to the end) out of ranges."""
    kept = []
    for low, high in ranges:
        if low < min(start, high):
            kept.append((low, min(start, high)))
        if stop is not None and max(stop, low) < high:
            kept.append((max(stop, low), high))
    return kept


def _releases_of_run(path: Path, columns: Sequence[int]) -> NDArray[Any]:
    """Stored values of the usable releases of a run, cut to the shortest."""
    with RunFile.open(path) as run:
        releases = run.releases()
        if not releases:
            count = run.worth().releases
            raise InputError(
                f"{path} holds no usable release: {count.words()}"
                if count is not None and count.made
                else f"{path} holds no releases: it is a plain record, fit it as spectra"
            )
        length = min(release.samples for release in releases)
        return np.stack(
            [
                run.samples(release.first_sample, release.first_sample + length, columns)
                for release in releases
            ]
        )
