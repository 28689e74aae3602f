"""A run file as a record: calibrated as its rig says, read on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError, InputError
from ..release_setting import Setting, require_one_setting
from ..run_digest import Progress
from ..runfile import RunFile
from .record import Ranges, Record

__all__ = ["RunSource", "run_record"]


class RunSource:
    """The samples of a run file; the file is opened for each use unless it is held open.

    Parameters
    ----------
    run : RunFile
        The run file. It may be closed afterwards.
    """

    def __init__(self, run: RunFile) -> None:
        self._path, self._dtype = run.path, run.dtype
        digest = run.digest()
        self._recorded = run.recorded()
        self._steady = digest.steady(self._recorded)
        releases = digest.releases
        self._releases = {one: releases.usable(one) for one in releases.settings()}
        self._made = run.worth().releases
        self._asked = ""  # the light that was asked for, if only other ones have releases
        self._run: RunFile | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples: int16 or float32."""
        return self._dtype

    @property
    def jumps(self) -> bool:
        """A run file tells missing samples by their indices."""
        return True

    @property
    def release_index(self) -> int | None:
        """A run file records each release by itself."""
        return None

    def recorded(self) -> Ranges:
        """Stretches without a gap, releases included."""
        return self._recorded

    def steady(self) -> Ranges:
        """Monitor steps without gaps, saturated blocks and what follows a lost particle."""
        if not self._steady:
            raise InputError(
                f"{self._path} holds no usable steady record (monitor step): "
                "releases are fitted with optobind fit reheating"
            )
        return self._steady

    def releases(self, release_index: int | None) -> Ranges:
        """Usable releases of the reheating steps."""
        if release_index is not None:
            raise InputError(
                f"{self._path} is a run file and records its releases: leave --release-index out"
            )
        require_one_setting(self.settings, str(self._path))
        if not self._releases:
            if self._asked:
                raise InputError(
                    f"{self._path} holds no usable release at {self._asked}: leave --phase and "
                    "--power out, or choose another one"
                )
            raise InputError(
                f"{self._path} holds no usable release: {self._made.words()}"
                if self._made is not None and self._made.made
                else f"{self._path} holds no releases: it is a plain record, fit it as spectra"
            )
        (found,) = self._releases.values()
        return found

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Light of the usable releases, each once."""
        return tuple(self._releases)

    def released_in(self, light: Callable[[Setting], bool], words: str) -> RunSource:
        """Return the same with the releases in some light alone; ``words`` say which."""
        one, releases = copy(self), self._releases
        kept = {setting: found for setting, found in releases.items() if light(setting)}
        vars(one)["_releases"] = kept
        if releases and not kept:
            vars(one)["_asked"] = words
        return one

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch."""
        with self.held() as run:
            counts = np.ascontiguousarray(run.samples(start, stop, columns))
        if counts.dtype.kind == "f" and not np.isfinite(counts).all():
            raise FileError(f"{self._path}: samples {start} … {stop - 1} are not all finite")
        return counts

    @contextmanager
    def held(self) -> Iterator[RunFile]:
        """Keep the file open meanwhile; uses within share it."""
        if self._run is not None:
            yield self._run
            return
        with RunFile.open(self._path) as run:
            self._run = run
            try:
                yield run
            finally:
                self._run = None

    def close(self) -> None:
        """Close the file if it is held open."""
        run, self._run = self._run, None
        if run is not None:
            run.close()


def run_record(path: Path, progress: Progress = lambda share: None) -> Record:
    """Describe a run file; in metres when its rig was calibrated.

    Parameters
    ----------
    path : Path
        The run file.
    progress : callable, optional
        Called with the share of its events that were read, 0 … 1.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    with RunFile.open(path) as run:
        run.digest(progress)
        manifest, names, stored = run.manifest, run.channels, run.scale
        rate, stored_unit, worth = run.sample_rate, run.unit, run.worth()
        source = RunSource(run)
    detectors = {int(entry["channel"]): entry for entry in manifest["detectors"]}
    config = manifest["config"]
    calibrated = bool(config.get("calibrated", False)) and len(detectors) == len(names)
    known = config.get("masses") or []
    scale = stored.copy()
    masses: list[float | None] = [None] * len(names)
    for column, detector in detectors.items():
        if calibrated:
            scale[column] *= detector["polarity"] / detector["volts_per_metre"]
        particle = detector.get("particle")
        if particle is not None and particle < len(known) and known[particle] is not None:
            masses[column] = float(known[particle])
    return Record(
        path=path,
        kind="run",
        sample_rate=rate,
        names=names,
        unit="m" if calibrated else stored_unit,
        scale=scale,
        stored_unit=stored_unit,
        stored_scale=stored,
        masses=tuple(masses),
        usual=_usual_columns(detectors.values(), len(names)),
        source=source,
        delays=tuple(float(detectors.get(c, {}).get("delay", 0.0)) for c in range(len(names))),
        lowpass=tuple(detectors.get(c, {}).get("lowpass") for c in range(len(names))),
        provenance={
            "file": str(path),
            "format": "run",
            "rig": config.get("name"),
            "gaps": worth.gaps,
            "lost_samples": worth.lost_samples,
        },
        worth=worth,
    )


def _usual_columns(detectors: Any, count: int) -> tuple[int, ...]:
    """Out-of-loop columns ordered by particle, one each; all but monitors where there are none."""
    chosen: dict[int, int] = {}
    for detector in detectors:
        if detector.get("role") == "out_of_loop" and detector.get("particle") is not None:
            chosen.setdefault(int(detector["particle"]), int(detector["channel"]))
    if chosen:
        return tuple(column for _, column in sorted(chosen.items()))
    monitors = {int(d["channel"]) for d in detectors if d.get("role") == "monitor"}
    return tuple(column for column in range(count) if column not in monitors)
