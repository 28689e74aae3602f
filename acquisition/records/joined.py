"""Several files as one record: runs one after the other, imported files side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ..release_setting import Setting, require_one_setting
from .array_source import ArraySource, array_record
from .record import Ranges, Record
from .source import SampleSource

__all__ = ["joined_record"]

# Of a sample: a phase of milliradians at a quarter of the sample rate.
_NEGLIGIBLE_DELAY = 1e-3


def joined_record(records: Sequence[Record]) -> Record:
    """Join records.

    Parameters
    ----------
    records : sequence of Record
        Run files that agree in rate, channels and calibration, or imported files that agree in
        rate, unit and shape.

    Raises
    ------
    InputError
        If they do not belong together; names what differs.
    """
    _check_each_once(records)
    if all(record.kind == "run" for record in records):
        return _one_after_the_other(records)
    if any(record.kind == "run" for record in records):
        raise InputError("run files and other records cannot be joined: fit them one by one")
    return _side_by_side(records)


def _check_each_once(records: Sequence[Record]) -> None:
    """Refuse a file that is named twice: its samples would count twice, or be their own pair."""
    seen = set()
    for record in records:
        place = record.path.resolve()
        if place in seen:
            raise InputError(f"{record.path} is named twice: give each file once")
        seen.add(place)


def _agree(records: Sequence[Record], what: str, of: Callable[[Record], Any]) -> None:
    """Raise InputError unless all records have the same property."""
    first = of(records[0])
    for record in records[1:]:
        if of(record) != first:
            raise InputError(
                f"{records[0].path} and {record.path} cannot be joined: their {what} differ, "
                f"{first} and {of(record)}"
            )


def _one_after_the_other(records: Sequence[Record]) -> Record:
    """Join runs of one rig in time."""
    _agree(records, "sample rates", lambda r: r.sample_rate)
    _agree(records, "channels", lambda r: r.names)
    _agree(records, "units", lambda r: r.unit)
    _agree(records, "calibrations", lambda r: tuple(r.scale.tolist()))
    _agree(records, "types of samples", lambda r: str(r.dtype))
    _agree(records, "masses", lambda r: r.masses)
    source = _Sequence([record.source for record in records])
    files = {"files": [str(record.path) for record in records]}
    provenance = {**records[0].provenance, **files}
    return replace(records[0], source=source, provenance=provenance, worth=None)


def _side_by_side(records: Sequence[Record]) -> Record:
    """Join imported files of one length as channels."""
    _agree(records, "sample rates", lambda r: r.sample_rate)
    _agree(records, "units", lambda r: r.unit)
    _agree(records, "release indices", lambda r: r.release_index)
    _agree(records, "times of the trigger", lambda r: r.provenance.get("trigger_time") or "none")
    sources = [r.source for r in records if isinstance(r.source, ArraySource)]
    arrays = [source.data for source in sources]
    shapes = {a.shape[:-1] for a in arrays}
    if len(shapes) != 1:
        raise InputError(
            f"{records[0].path} and others cannot be joined: their lengths differ, "
            f"{', '.join(str(a.shape[:-1]) for a in arrays)}"
        )
    names = [name for record in records for name in record.names]
    if len(set(names)) != len(names):
        names = [f"{r.path.stem}:{name}" for r in records for name in r.names]
    first = records[0]
    joined = array_record(
        first.kind,
        first.path,
        first.sample_rate,
        names,
        first.unit,
        np.concatenate([record.scale for record in records]),
        np.concatenate(arrays, axis=-1),
        first.release_index,
        [*(text for record in records for text in record.warnings), *_delays(records)],
        segments=all(source.segments for source in sources),
        delays=_own_delays(records),
    )
    files = {"files": [str(record.path) for record in records]}
    return replace(joined, provenance={**joined.provenance, **files})


def _own_delays(records: Sequence[Record]) -> tuple[float, ...]:
    """Delays of the joined channels: within their files, and of a file behind the first."""
    late = [_late(records, record) for record in records]
    late = [seconds if abs(seconds) * r.sample_rate < 1.0 else 0.0
            for seconds, r in zip(late, records, strict=True)]  # fmt: skip
    if not any(late) and not any(record.delays for record in records):
        return ()
    return tuple(
        d + seconds
        for r, seconds in zip(records, late, strict=True)
        for d in (r.delays or (0.0,) * len(r.names))
    )


def _late(records: Sequence[Record], record: Record) -> float:
    """By how much the channels of a file begin after those of the first, s."""
    first, begin = records[0].provenance.get("begin"), record.provenance.get("begin")
    if first is None or begin is None:
        return 0.0
    late = float(begin) - float(first)
    return late if abs(late) * record.sample_rate > _NEGLIGIBLE_DELAY else 0.0


def _delays(records: Sequence[Record]) -> list[str]:
    """Say where scopes began the channels of one acquisition at different times."""
    said = []
    for record in records[1:]:
        late = _late(records, record) * record.sample_rate
        if not late:
            continue
        what = (
            "fits take the delay into account"
            if abs(late) < 1.0
            else "more than a sample, which fits do not take into account: --delay states it"
        )
        said.append(
            f"{record.path.name} begins {late:.3g} samples after {records[0].path.name}: {what}"
        )
    return said


class _Sequence:
    """Sources one after the other; the indices of each begin behind those of the one before."""

    def __init__(self, sources: Sequence[SampleSource]) -> None:
        self._sources = list(sources)
        self._begins = [0]
        for source in self._sources:
            last = int(source.recorded().stops.max(initial=0))
            self._begins.append(self._begins[-1] + last + 1)  # no stretch runs across

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self._sources[0].dtype

    @property
    def jumps(self) -> bool:
        """As in a run file."""
        return True

    @property
    def release_index(self) -> int | None:
        """Run files record their releases by themselves."""
        return None

    def recorded(self) -> Ranges:
        """Everything recorded, file by file."""
        return self._shifted(lambda source: source.recorded())

    def steady(self) -> Ranges:
        """Steady ranges of those files that have some."""
        return self._shifted(lambda source: source.steady())

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Light of the usable releases of all files, each once."""
        return tuple(sorted({one for source in self._sources for one in source.settings}))

    def releases(self, release_index: int | None) -> Ranges:
        """Releases of those files that have some.

        Raises
        ------
        InputError
            If they were made in different light.
        """
        require_one_setting(self.settings, "the joined files")
        return self._shifted(lambda source: source.releases(release_index))

    def released_in(self, light: Callable[[Setting], bool], words: str) -> _Sequence:
        """Return the same with the releases in some light alone; ``words`` say which."""
        one = copy(self)
        vars(one)["_sources"] = [source.released_in(light, words) for source in self._sources]
        return one

    def _shifted(self, of: Callable[[SampleSource], Ranges]) -> Ranges:
        found: list[Ranges] = []
        refusal: InputError | None = None
        for begin, source in zip(self._begins, self._sources, strict=False):
            try:
                found.append(of(source).shifted(begin))
            except InputError as error:
                refusal = error
        if not found and refusal is not None:
            raise refusal
        return Ranges(np.concatenate([ranges.array for ranges in found]))

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch of one file."""
        number = int(np.searchsorted(self._begins, start, side="right")) - 1
        begin = self._begins[number]
        return self._sources[number].counts(start - begin, stop - begin, columns)

    @contextmanager
    def held(self) -> Iterator[object]:
        """Keep all files open meanwhile."""
        with ExitStack() as stack:
            for source in self._sources:
                stack.enter_context(source.held())
            yield self

    def close(self) -> None:
        """Close all files."""
        for source in self._sources:
            source.close()
