"""Reads run files: complete ones, live ones, and those of a writer that was killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import FileError, InputError
from .checksums import CheckedTables, DamagedRows
from .events import Event
from .hdf5_errors import one_line, reading
from .ranges import NO_END, Range, Ranges
from .releases import Release, rail_of, reaches_rail
from .run_digest import Progress, RunDigest, digest_of
from .runfile_checks import check_stretches, read_manifest
from .runfile_damage import damage_words, sample_ranges
from .runfile_format import SlowRecord, decode_events, decode_slow, in_order
from .runfile_results import read_results
from .slow_summary import summarise
from .swmr import left_open, open_swmr
from .worth import RunWorth, worth_of

__all__ = ["RunFile", "Stretch"]

_BLOCK_ROWS = 1 << 16
_EVENT_ROWS = 1 << 14
# Of the work on the events; the rest is judging the releases.
_SHARE_OF_READING = 0.9


@dataclass(frozen=True)
class Stretch:
    """Samples without a gap: first row in the file, index of the first sample, number."""

    row: int
    first_sample: int
    samples: int

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.first_sample + self.samples


class RunFile:
    """A run file open for reading; made by :meth:`open`, closed by ``with`` or :meth:`close`.

    Attributes
    ----------
    path : Path
        The file.
    manifest : dict
        All attributes, JSON decoded: schema, schema_version, sample_rate (Hz), channels, scale,
        unit, mode, config, plan, detectors, calibration, versions, seed, created and ended (s since
        the epoch), state, outcome, reason.
    sample_rate : float
        Hz.
    channels : tuple of str
        Names of the columns.
    scale : ndarray, shape (channels,)
        ``unit`` per count.
    unit : str
        Unit of scaled samples.

    Examples
    --------
    >>> import optobind as ob
    >>> with ob.RunFile.open("runs/first/run.h5") as run:  # of optobind demo --out runs/first
    ...     run.channels, run.unit, run.manifest["mode"]
    (('z1', 'z2'), 'V', 'SIM')
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self._file = file
        self._table: tuple[NDArray[np.int64], Ranges] | None = None
        self._digest: RunDigest | None = None
        self._rail: tuple[Range, NDArray[Any], float] | None = None
        with reading(path):
            self.manifest = read_manifest(path, file)
            self._tables = CheckedTables(file)
            self._samples = self._tables.datasets["samples"]
        self.sample_rate = float(self.manifest["sample_rate"])
        self.channels: tuple[str, ...] = tuple(self.manifest["channels"])
        self.scale: NDArray[np.float64] = np.asarray(self.manifest["scale"], np.float64)
        self.unit = str(self.manifest["unit"])

    @classmethod
    def open(cls, path: str | Path) -> RunFile:
        """Open a run file.

        Raises
        ------
        FileError
            If the file is missing, truncated, foreign or of a newer version.
        """
        path = Path(path)
        if not path.is_file():
            raise FileError(f"{path} does not exist" if not path.exists() else f"{path} is no file")
        file = None
        try:
            if not h5py.is_hdf5(path):
                raise FileError(
                    f"{path} is not a run file: it is no HDF5 file or lost its beginning"
                )
            file = open_swmr(path) if left_open(path) else h5py.File(path, "r", locking=False)
            return cls(path, file)
        except FileError:
            if file is not None:
                file.close()
            raise
        except (OSError, RuntimeError) as error:
            raise FileError(f"{path} cannot be read as a run file: {one_line(error)}") from None

    @classmethod
    def open_own(cls, path: Path) -> RunFile:
        """Open a file that this very process is writing; errors as :meth:`open`.

        HDF5 shares what it knows of the file; that needs the locking which the writer uses.
        """
        try:
            return cls(path, h5py.File(path, "r"))
        except OSError:  # nobody here writes it any more
            return cls.open(path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Look again at a file that is being written."""
        with reading(self.path):
            self._tables.refresh()
        self._table = self._digest = self._rail = None

    # -- what is in it -------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Number of samples in the file."""
        return int(self._samples.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples: int16 or float32."""
        stored: np.dtype[Any] = self._samples.dtype
        return stored

    @property
    def complete(self) -> bool:
        """Whether the writer closed the file in good order."""
        return str(self.manifest["state"]) == "complete"

    def info(self) -> dict[str, Any]:
        """Return the state and the numbers of the file as JSON values.

        ``state`` is "complete" when the writer closed the file in good order, else "interrupted"
        (or still being written); ``outcome`` says how the run ended.
        """
        recorded, worth, m = self.recorded(), self.worth(), self.manifest
        plan = m["plan"] or {}
        return {
            "path": str(self.path),
            "state": "complete" if self.complete else "interrupted",
            "outcome": m["outcome"] or None,
            "reason": m["reason"] or None,
            "samples": self.rows,
            "gaps": worth.gaps,
            "lost_samples": worth.lost_samples,
            "worth": worth.words() or None,
            "releases": None if worth.releases is None else worth.releases.to_dict(),
            "steps": [step.to_dict() for step in worth.steps],
            "sample_rate": self.sample_rate,
            "channels": list(self.channels),
            "duration": self.rows / self.sample_rate,
            "first_sample": recorded[0][0] if recorded else 0,
            "events": dict(self.digest().counts),
            "slow": int(self._tables.datasets["slow"].shape[0]),
            "readings": summarise(self.slow()),
            "results": sorted(self.results()),
            "plan": plan.get("kind"),
            "mode": m["mode"],
            "unit": self.unit,
            "dtype": str(self.dtype),
            "seed": m["seed"],
            "created": m["created"],
            "schema_version": m["schema_version"],
            "recovered": bool(m.get("recovered", False)),
        }

    def recorded(self) -> Ranges:
        """Return the ranges of sample indices without a gap, in order."""
        return self._rows_and_ranges()[1]

    def stretches(self) -> list[Stretch]:
        """Return the stretches without a gap, in order."""
        rows, ranges = self._rows_and_ranges()
        return [Stretch(row, a, b - a) for row, (a, b) in zip(rows.tolist(), ranges, strict=True)]

    def events(self) -> list[Event]:
        """Return the events in the order of their samples: all at once, 1 kB each."""
        return sorted(self._decoded(), key=lambda event: event.sample)

    def each_event(self, progress: Progress = lambda share: None) -> Iterator[Event]:
        """Iterate over the events in the order of their samples, in bounded memory.

        Parameters
        ----------
        progress : callable, optional
            Called with the share of the events that were read, 0 … 1.
        """
        return in_order(self._decoded(progress))

    def digest(self, progress: Progress = lambda share: None) -> RunDigest:
        """Return what the events say, releases judged, in bounded memory; read them once.

        Parameters
        ----------
        progress : callable, optional
            Called with the share of the work that is done, 0 … 1: millions of events take a minute.
        """
        if self._digest is None:
            events = self.each_event(lambda share: progress(_SHARE_OF_READING * share))
            found, recorded = digest_of(events), self.recorded()
            end = recorded[-1][1] if recorded else 0
            found.judge(lambda a, b: recorded.holding(a, b) is not None, end, self._at_rail)
            self._digest = found
            progress(1.0)
        return self._digest

    def slow(self) -> list[SlowRecord]:
        """Return the slow readings in the order in which they were written."""
        return [reading for piece in self.records("slow") for reading in decode_slow(piece)]

    def results(self) -> dict[str, Any]:
        """Return what :func:`~.runfile_results.write_results` stored; empty before that."""
        with reading(self.path):
            return read_results(self.path, self._file)

    @property
    def checksums(self) -> bool:
        """Whether the file holds checksums; those of older versions hold none."""
        return self._tables.present

    @property
    def file(self) -> Any:
        """The HDF5 file itself; what is read of it is not compared with the checksums."""
        return self._file

    def records(
        self, table: str, progress: Progress = lambda share: None
    ) -> Iterator[NDArray[Any]]:
        """Iterate over pieces of "events" or "slow" as they are stored."""
        total = self._tables.datasets[table].shape[0]
        for start in range(0, total, _EVENT_ROWS):
            yield self._read(table, start, start + _EVENT_ROWS)
            progress(min(1.0, (start + _EVENT_ROWS) / total))

    def each_damage(self) -> Iterator[DamagedRows | int]:
        """Read everything once, see :func:`~.runfile_damage.verify`."""
        with reading(self.path):
            yield from self._tables.damage()

    # -- samples -------------------------------------------------------------------------

    def samples(self, start: int, stop: int, channels: Sequence[int] | None = None) -> NDArray[Any]:
        """Return stored counts of the samples with start ≤ index < stop, shape (n, channels).

        Raises
        ------
        InputError
            If the range is empty, is not recorded or holds a gap, or a channel does not exist.
        """
        row = self._row_of(start, stop)
        counts = self._read("samples", row, row + stop - start)
        if counts.shape[0] != stop - start:
            raise FileError(f"{self.path} ends before sample {stop}")
        return counts if channels is None else counts[:, self._columns(channels)]

    def volts(
        self, start: int, stop: int, channels: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Return scaled samples (``unit``, normally V); arguments and errors as :meth:`samples`."""
        scale = self.scale if channels is None else self.scale[self._columns(channels)]
        return np.asarray(self.samples(start, stop, channels) * scale, np.float64)

    def blocks(
        self, start: int | None = None, stop: int | None = None, rows: int = _BLOCK_ROWS
    ) -> Iterator[Block]:
        """Iterate over blocks of counts in a range of sample indices; gaps show as jumps."""
        number = 0
        first = True
        for begin, end in self.recorded():
            low = begin if start is None else max(start, begin)
            high = end if stop is None else min(stop, end)
            status = BlockStatus.OK if first else BlockStatus.GAP_BEFORE
            for position in range(low, high, rows):
                counts = self.samples(position, min(position + rows, high))
                yield Block(position, counts, self.scale, number, 0.0, status)
                number, status, first = number + 1, BlockStatus.OK, False

    def releases(self) -> list[Release]:
        """Return the usable releases of reheating steps."""
        return [r for r in self.digest().releases if r.excluded is None]

    def all_releases(self) -> list[Release]:
        """Return all releases; ``excluded`` says why one cannot be used."""
        return list(self.digest().releases)

    def worth(self, end: int | None = None) -> RunWorth:
        """Return how much of what was planned can be used.

        Parameters
        ----------
        end : int, optional
            Samples taken, for a run that has not noted its end.
        """
        digest, recorded = self.digest(), self.recorded()
        return worth_of(self.manifest["plan"], digest, recorded, self.sample_rate, end)

    # -- inside --------------------------------------------------------------------------

    def _read(self, table: str, start: int, stop: int) -> NDArray[Any]:
        """Rows of a dataset that are what was recorded."""
        try:
            with reading(self.path):
                return self._tables.read(table, start, stop)
        except DamagedRows as damaged:
            ranges = damaged.ranges
            if table == "samples":
                ranges = tuple(sample_ranges(self.stretches(), ranges))
            raise FileError(damage_words(self.path, table, ranges)) from None

    def _row_of(self, start: int, stop: int) -> int:
        """Row of a range that lies within one stretch."""
        if not start < stop:
            raise InputError(f"range of samples {start} … {stop} is empty")
        rows, recorded = self._rows_and_ranges()
        index = recorded.holding(start, stop)
        if index is not None:
            return int(rows[index]) + start - recorded[index][0]
        known = ", ".join(f"{a} … {b}" for a, b in recorded[:5])
        raise InputError(
            f"samples {start} … {stop} are not recorded without a gap; recorded: {known}"
        )

    def _rows_and_ranges(self) -> tuple[NDArray[np.int64], Ranges]:
        """First row of each stretch, and its samples."""
        if self._table is None:
            total = self.rows  # before the table: what it announces may not be there yet
            table = self._read("stretches", 0, NO_END)
            rows, first = table["row"].astype(np.int64), table["sample"].astype(np.int64)
            check_stretches(self.path, rows, first, total)
            rows = np.minimum(rows, total)
            held = np.diff(rows, append=total)
            self._table = rows[held > 0], Ranges.of(first, first + held)
        return self._table

    def _decoded(self, progress: Progress = lambda share: None) -> Iterator[Event]:
        """Events in the order of their records, read piece by piece."""
        return decode_events(self.records("events", progress))

    def _columns(self, channels: Sequence[int]) -> list[int]:
        """Check channel numbers."""
        for channel in channels:
            if not 0 <= channel < len(self.channels):
                raise InputError(f"channel {channel} does not exist: 0 … {len(self.channels) - 1}")
        return list(channels)

    def _at_rail(self, block: Range, start: int, stop: int) -> bool:
        """Whether samples start … stop reach the largest value of a block known to saturate."""
        if self._rail is None or self._rail[0] != block:  # many releases may lie in one
            counts = self.samples(*block)
            self._rail = block, counts, rail_of(counts)
        _, counts, rail = self._rail
        return reaches_rail(counts[max(0, start - block[0]) : stop - block[0]], rail)
