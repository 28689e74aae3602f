"""A record as fits, figures and replay see it, whatever file it came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import Block, BlockStatus
from ...models.errors import FileError, InputError
from ..ranges import Ranges
from ..release_setting import Setting
from ..worth import RunWorth
from . import labelled
from .source import SampleSource

__all__ = ["Ranges", "Record", "checked_rate"]

_BLOCK_ROWS = 1 << 16
# Samples of all channels that one batch of releases holds at most: 32 MB as float64.
_BATCH_VALUES = 1 << 22
# Times the samples of a batch that are read at most to have them in one piece.
_MOST_BETWEEN = 4
_SLOWEST, _FASTEST = 0.1, 1e12  # Hz


@dataclass(frozen=True)
class Record:
    """Samples with what is needed to read them; made by :func:`~.opening.open_record`.

    Attributes
    ----------
    path : Path
        The file, the first one of several.
    kind : str
        Format of the file: "run", "csv", "lecroy", "npz", "npy", "matlab", "hdf5", "wav", "tdms",
        or the name of an importer of another package.
    sample_rate : float
        Hz.
    names : tuple of str
        Names of the columns.
    unit : str
        Unit of scaled samples: "V", "m", "quanta" (the dimensionless z_j), or another that the file
        states, "A", "counts".
    scale : ndarray, shape (c,)
        ``unit`` per stored value, calibration and polarity included.
    stored_unit : str
        Unit without the calibration.
    stored_scale : ndarray, shape (c,)
        ``stored_unit`` per stored value.
    masses : tuple of float or None
        Mass of the particle that each column sees, kg, None where unknown.
    usual : tuple of int
        Columns that are fitted unless others are chosen: out-of-loop detectors, by particle.
    delays : tuple of float
        By how much each column is sampled later than the sample clock says, s; empty if not known.
    lowpass : tuple of float or None
        Corner of each column's one-pole low-pass, Hz, None for a flat one; empty if not known.
    provenance : mapping
        Kept in the results of fits.
    worth : RunWorth or None
        What of a run's plan can be used; None for other formats and several files.
    warnings : tuple of str
        What was noticed when the file was read; fits repeat it.

    Examples
    --------
    >>> import numpy as np, optobind as ob, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npz"
    >>> np.savez(path, samples=np.zeros((8, 2)), sample_rate=1e6, unit="m")
    >>> record = ob.open_record(path)
    >>> record.sample_rate, record.unit, record.names
    (1000000.0, 'm', ('z1', 'z2'))
    """

    path: Path
    kind: str
    sample_rate: float
    names: tuple[str, ...]
    unit: str
    scale: NDArray[np.float64]
    stored_unit: str
    stored_scale: NDArray[np.float64]
    masses: tuple[float | None, ...]
    usual: tuple[int, ...]
    source: SampleSource = field(repr=False)
    delays: tuple[float, ...] = ()
    lowpass: tuple[float | None, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    worth: RunWorth | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        """File, format, channels, rate and unit in one line."""
        names = ", ".join(self.names[:4]) + (", …" if len(self.names) > 4 else "")
        masses = ", masses known" if all(mass is not None for mass in self.masses) else ""
        return (
            f"<Record {self.path}: {self.kind}, {len(self.names)} channels ({names}), "
            f"{self.sample_rate:.6g} Hz, {self.unit}{masses}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: file, format, channels, rate, length, and what was noticed."""
        recorded = self.recorded()
        cells = {
            "file": str(self.path),
            "format": self.kind,
            "channels": ", ".join(self.names),
            "sample rate": f"{self.sample_rate:.6g} Hz",
            "unit": self.unit,
            "samples": f"{recorded.samples} in {len(recorded)} stretches",
        }
        rows = "".join(f"<tr><td>{k}</td><td>{escape(v)}</td></tr>" for k, v in cells.items())
        warned = "".join(f"<li>{escape(text)}</li>" for text in self.warnings)
        return f"<table>{rows}</table>" + (f"<ul>{warned}</ul>" if warned else "")

    def with_provenance(self, **entries: Any) -> Record:
        """Return the record with more to keep in the results of fits."""
        return replace(self, provenance={**self.provenance, **entries})

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.source.dtype

    @property
    def release_index(self) -> int | None:
        """First sample of each repetition with feedback off; None when not stated."""
        return self.source.release_index

    # -- columns ----------------------------------------------------------------------------------

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

    # -- samples ----------------------------------------------------------------------------------

    def read(
        self, start: int, stop: int, columns: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Return samples in ``unit`` of a range within one stretch, shape (n, c).

        Raises
        ------
        InputError
            If the range does not lie within one stretch.
        """
        scale = self.scale if columns is None else self.scale[list(columns)]
        return np.asarray(self.source.counts(start, stop, columns) * scale, np.float64)

    @property
    def samples(self) -> NDArray[np.float64]:
        """All samples in ``unit``, shape (n, c); repetitions of one length (r, n, c).

        Raises
        ------
        InputError
            If the record has several stretches of different lengths: read these by :meth:`read`.
        """
        ranges = self.source.recorded()
        if len(np.unique(ranges.lengths)) != 1:
            raise InputError(
                f"{self.path} holds {len(ranges)} stretches of different lengths: read them one "
                "by one, record.read(start, stop) for each of record.recorded()"
            )
        with self.source.held():
            parts = [self.read(start, stop) for start, stop in ranges]
        return parts[0] if len(parts) == 1 else np.stack(parts)

    def to_xarray(self, start: int | None = None, stop: int | None = None) -> Any:
        """Return samples as an ``xarray.Dataset``, a variable a channel, units in attributes.

        Parameters
        ----------
        start, stop : int, optional
            Samples within one stretch; all of a record of one stretch by default.

        Raises
        ------
        InputError
            If xarray is not installed (extra ``tables``), or the range lies in several stretches.
        """
        return labelled.to_xarray(self, start, stop)

    def to_pandas(self, start: int | None = None, stop: int | None = None) -> Any:
        """Return samples as a ``pandas.DataFrame`` by time (s); units are in ``attrs``.

        Parameters and errors as of :meth:`to_xarray`.
        """
        return labelled.to_pandas(self, start, stop)

    def recorded(self) -> Ranges:
        """Return the ranges of sample indices that hold everything recorded."""
        return self.source.recorded()

    def steady(self) -> Ranges:
        """Return the ranges with feedback on and without gaps or saturation.

        Raises
        ------
        InputError
            If the record holds repetitions of releases, or no steady stretch.
        """
        return self.source.steady()

    def longest(self) -> int:
        """Samples of the longest range of :meth:`steady`; errors as there."""
        return int(self.steady().lengths.max())

    def steady_blocks(
        self, columns: Sequence[int] | None = None, rows: int = _BLOCK_ROWS
    ) -> Iterator[Block]:
        """Iterate over the stored values of the steady ranges in bounded memory.

        A jump of the index separates two ranges. Errors as :meth:`steady`.

        Parameters
        ----------
        columns : sequence of int, optional
            All by default.
        rows : int
            Most samples of a block.
        """
        scale = self.stored_scale if columns is None else self.stored_scale[list(columns)]
        ranges, number = self.steady(), 0
        with self.source.held():
            for start, stop in ranges:
                status = BlockStatus.GAP_BEFORE
                for low in range(start, stop, rows):
                    counts = self.source.counts(low, min(stop, low + rows), columns)
                    yield Block(low, counts, scale, number, 0.0, status)
                    number, status = number + 1, BlockStatus.OK

    def at_phase(self, phase: Literal["as-set", "reversed"]) -> Record:
        """Return the record with the releases of one phase alone.

        Parameters
        ----------
        phase : {"as-set", "reversed"}
            φ as it was set, or φ + π: of a plan with ``phase_reversal``.

        Raises
        ------
        InputError
            For a record that does not tell them apart.
        """
        turned = phase == "reversed"
        return self._released_in(
            lambda one: (one.phase != 0.0) is turned, "φ + π" if turned else "φ"
        )

    def at_power(self, power: float, trap: Literal["all", "1", "2"] | None = None) -> Record:
        """Return the record with the releases at one power alone.

        Parameters
        ----------
        power : float
            As a share of what was set, ``release_power`` of the plan; 1 for the power as it was
            set.
        trap : {"all", "1", "2"}, optional
            Whose power it was; needed where runs with different ones are joined.

        Raises
        ------
        InputError
            For a record that does not tell them apart.
        """
        return self._released_in(
            lambda one: math.isclose(one.power, power, rel_tol=1e-6) and trap in (None, one.trap),
            f"{power:g} × the set power",
        )

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Light of the usable releases, each once; empty for records that do not tell."""
        return self.source.settings

    def _released_in(self, light: Callable[[Setting], bool], words: str) -> Record:
        return replace(self, source=self.source.released_in(light, words))

    def releases(self, release_index: int | None = None) -> Ranges:
        """Return the usable stretches with feedback off, all as long as the shortest.

        Parameters
        ----------
        release_index : int, optional
            Sample of the release within each repetition, for records that do not state it.

        Raises
        ------
        InputError
            If the record holds no releases, or the index lies outside.
        """
        ranges = self.source.releases(release_index)
        return Ranges.of(ranges.starts, ranges.starts + ranges.lengths.min())

    def released_batches(
        self, columns: Sequence[int], ranges: Ranges
    ) -> Iterator[NDArray[np.float64]]:
        """Iterate over releases in ``unit`` in bounded memory, shape (m, n, columns) each.

        Parameters
        ----------
        columns : sequence of int
            Columns to read.
        ranges : Ranges
            Of one length, from :meth:`releases`.
        """
        length = ranges[0][1] - ranges[0][0]
        size = max(1, _BATCH_VALUES // (length * len(columns)))
        scale, recorded = self.scale[list(columns)], self.source.recorded()
        with self.source.held():
            for begin in range(0, len(ranges), size):
                counts = self._released(ranges[begin : begin + size], columns, recorded)
                yield np.asarray(counts * scale, np.float64)

    def _released(self, ranges: Ranges, columns: Sequence[int], recorded: Ranges) -> NDArray[Any]:
        """Stored values of ranges of one length, shape (m, n, columns)."""
        start, stop = int(ranges.starts.min()), int(ranges.stops.max())
        dense = stop - start <= _MOST_BETWEEN * ranges.samples
        if not dense or recorded.holding(start, stop) is None:
            return np.stack([self.source.counts(low, high, columns) for low, high in ranges])
        # A thousand short reads take longer than a long one of what lies between, too.
        whole = self.source.counts(start, stop, columns)
        rows = (ranges.starts - start)[:, None] + np.arange(ranges.lengths[0])
        return np.asarray(whole[rows])

    def close(self) -> None:
        """Close the file, if this record holds it open."""
        self.source.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
