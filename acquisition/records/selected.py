"""A record of which only some stretches are used, or with releases that somebody chose."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ..release_setting import Setting
from .record import Ranges, Record
from .source import SampleSource

__all__ = [
    "ChosenSource",
    "SelectedSource",
    "StretchSource",
    "WithoutReleases",
    "block_borders",
    "stretch_of",
    "with_steady",
    "without_releases",
]


class SelectedSource:
    """The samples of another source, of which other ranges are steady.

    Parameters
    ----------
    inner : SampleSource
        Where the samples come from.
    steady : Ranges
        What may be read as a steady record.
    """

    def __init__(self, inner: SampleSource, steady: Ranges) -> None:
        self._inner, self._steady = inner, steady

    @property
    def inner(self) -> SampleSource:
        """Where the samples come from."""
        return self._inner

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self._inner.dtype

    @property
    def jumps(self) -> bool:
        """As of the record."""
        return self._inner.jumps

    @property
    def release_index(self) -> int | None:
        """As of the record."""
        return self._inner.release_index

    def recorded(self) -> Ranges:
        """As of the record."""
        return self._inner.recorded()

    def steady(self) -> Ranges:
        """The ranges that are used."""
        return self._steady

    def releases(self, release_index: int | None) -> Ranges:
        """As of the record."""
        return self._inner.releases(release_index)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """As of the record."""
        return self._inner.settings

    def released_in(self, light: Callable[[Setting], bool], words: str) -> Self:
        """Return the same with the releases in some light alone."""
        one = copy(self)
        vars(one)["_inner"] = self._inner.released_in(light, words)
        return one

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch."""
        return self._inner.counts(start, stop, columns)

    def held(self) -> AbstractContextManager[object]:
        """As of the record."""
        return self._inner.held()

    def close(self) -> None:
        """As of the record."""
        self._inner.close()


class ChosenSource(SelectedSource):
    """The samples of another source, with releases and steady stretches of their own.

    Parameters
    ----------
    path : Path
        The file, for messages.
    inner : SampleSource
        Where the samples come from.
    releases, steady : Ranges
        What was chosen of them.
    """

    def __init__(self, path: Path, inner: SampleSource, releases: Ranges, steady: Ranges) -> None:
        super().__init__(inner, steady)
        self._path, self._releases = path, releases

    @property
    def release_index(self) -> int | None:
        """Each release was told by itself."""
        return None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Whoever chose the releases knows their light."""
        return ()

    def released_in(self, light: Callable[[Setting], bool], words: str) -> Self:
        """Refuse: the releases are chosen already."""
        raise InputError(f"the releases of {self._path} are told already, not by their light")

    def steady(self) -> Ranges:
        """The chosen steady stretches."""
        if not len(self._steady):
            raise InputError(f"{self._path}: feedback is never on, there is no steady record")
        return self._steady

    def releases(self, release_index: int | None) -> Ranges:
        """The chosen releases."""
        if release_index is not None:
            raise InputError(
                f"the releases of {self._path} are told already: leave --release-index out"
            )
        if not len(self._releases):
            raise InputError(f"{self._path}: there are no releases in this part")
        return self._releases


class StretchSource(SelectedSource):
    """The samples of another source between two indices.

    Parameters
    ----------
    path : Path
        The file, for messages.
    inner : SampleSource
        Where the samples come from.
    start, stop : int
        The stretch, half-open; releases that lie in it only partly are left out.
    """

    def __init__(self, path: Path, inner: SampleSource, start: int, stop: int) -> None:
        super().__init__(inner, Ranges())
        self._path, self._stretch = path, Ranges([(start, stop)])
        self._words = f"{start} … {stop}"

    def recorded(self) -> Ranges:
        """What was recorded of the stretch."""
        return self._inner.recorded().cut_to(self._stretch)

    def steady(self) -> Ranges:
        """The steady part of the stretch."""
        found = self._inner.steady().cut_to(self._stretch)
        if not len(found):
            raise InputError(
                f"{self._path}: nothing of samples {self._words} can be read as a steady record: "
                "choose a stretch with feedback on, without gaps"
            )
        return found

    def releases(self, release_index: int | None) -> Ranges:
        """The usable releases that lie within the stretch."""
        found = self._inner.releases(release_index)
        start, stop = self._stretch[0]
        inside = (found.starts >= start) & (found.stops <= stop)
        if not inside.any():
            raise InputError(f"{self._path}: no usable release lies in samples {self._words}")
        return Ranges(found.array[inside])


class WithoutReleases(SelectedSource):
    """The samples of another source, of whose releases some are left out.

    Parameters
    ----------
    path : Path
        The file, for messages.
    inner : SampleSource
        Where the samples come from.
    first_samples : sequence of int
        First samples of the releases that are left out.
    """

    def __init__(self, path: Path, inner: SampleSource, first_samples: Sequence[int]) -> None:
        super().__init__(inner, Ranges())
        self._path, self._first = path, np.array(sorted(first_samples), np.int64)

    def steady(self) -> Ranges:
        """As of the record."""
        return self._inner.steady()

    def releases(self, release_index: int | None) -> Ranges:
        """The usable releases that are not left out."""
        found = self._inner.releases(release_index)
        kept = ~np.isin(found.starts, self._first)
        if not kept.any():
            raise InputError(f"{self._path}: every release is left out: take one back")
        return Ranges(found.array[kept])


def without_releases(record: Record, first_samples: Sequence[int]) -> Record:
    """Return a record of which some releases are left out.

    Parameters
    ----------
    record : Record
        With releases.
    first_samples : sequence of int
        First samples of those that are left out; the record itself for none.

    Returns
    -------
    Record
        Its fits, averages and notebooks know nothing of what is left out; no file is changed.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> first = record.releases().starts[0]
    >>> len(record.releases()) - len(ob.without_releases(record, [first]).releases())
    1
    """
    if not first_samples:
        return record
    source = WithoutReleases(record.path, record.source, first_samples)
    left_out = sorted(int(n) for n in first_samples)
    return replace(record, source=source, worth=None).with_provenance(left_out=left_out)


def stretch_of(record: Record, start: int, stop: int) -> Record:
    """Return what a record holds between two sample indices, half-open.

    What the whole run is worth says nothing of a part of it, and is left out.

    Parameters
    ----------
    record : Record
        Of any format.
    start, stop : int
        Sample indices.

    Returns
    -------
    Record
        Fits, tracks and exports as the whole one does.

    Raises
    ------
    InputError
        If the stretch is empty or holds no samples.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> first = record.recorded()[0][0]
    >>> low, high = ob.stretch_of(record, first, first + 100_000).recorded()[0]
    >>> high - low
    100000
    """
    if not start < stop:
        raise InputError(f"the stretch {start} … {stop} is empty: its end must be later")
    if not record.recorded().within(start, stop):
        raise InputError(f"{record.path} holds no samples in {start} … {stop}")
    source = StretchSource(record.path, record.source, start, stop)
    return replace(record, source=source, worth=None).with_provenance(stretch=[start, stop])


def block_borders(record: Record, seconds: float) -> list[tuple[int, int]]:
    """Borders of blocks of one length, in samples; the last one may be half longer or shorter.

    Parameters
    ----------
    record : Record
        Of any format; blocks without a sample are left out.
    seconds : float
        Length of a block, s.

    Raises
    ------
    InputError
        For a length that is not positive and finite, or below one sample.
    """
    if not (math.isfinite(seconds) and seconds * record.sample_rate >= 1.0):
        raise InputError(
            f"blocks must be at least a sample long, {1.0 / record.sample_rate:.3g} s, got "
            f"{seconds:g} s"
        )
    ranges = record.recorded()
    first, end = int(ranges.starts[0]), int(ranges.stops[-1])
    size = round(seconds * record.sample_rate)
    count = max(1, round((end - first) / size))
    edges = [first + number * size for number in range(count)] + [end]
    return [(low, high) for low, high in itertools.pairwise(edges) if ranges.within(low, high)]


def with_steady(record: Record, steady: Ranges) -> Record:
    """Return the record with other steady ranges."""
    return replace(record, source=SelectedSource(record.source, steady))
