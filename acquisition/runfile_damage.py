"""What of a run file is damaged: found by its checksums, told in samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError
from .checksums import DamagedRows
from .ranges import Range

if TYPE_CHECKING:
    from .runfile import RunFile, Stretch

__all__ = ["Verification", "damage_words", "sample_ranges", "verify"]

_SHOWN = 3


@dataclass(frozen=True)
class Verification:
    """What a whole reading of a file found.

    Attributes
    ----------
    checksums : bool
        Whether the file holds checksums; older ones hold none, and nothing can be found.
    bytes : int
        Bytes that were read and compared.
    damaged : mapping of str to tuple of (int, int)
        Ranges (start, stop) that differ from their checksums: of sample indices for "samples", of
        rows for the other tables.
    unreadable : tuple of str
        What could not be read at all.
    """

    checksums: bool
    bytes: int
    damaged: dict[str, tuple[Range, ...]]
    unreadable: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.damaged and not self.unreadable

    def words(self) -> str:
        """Say what was found."""
        parts = [f"{table} {_listed(ranges)} are damaged" for table, ranges in self.damaged.items()]
        parts += self.unreadable
        if parts:
            return "; ".join(parts)
        if not self.checksums:
            return "no checksums (an older version or another format): damage cannot be found"
        return f"all checksums fit ({self.bytes / 1e6:.1f} MB)"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; ``ok`` is None where nothing could be found."""
        return {
            "ok": self.ok if self.checksums or not self.ok else None,
            "checksums": self.checksums,
            "bytes": self.bytes,
            "damaged": {table: [list(r) for r in found] for table, found in self.damaged.items()},
            "unreadable": list(self.unreadable),
        }


def verify(run: RunFile, progress: Callable[[float], None] | None = None) -> Verification:
    """Read all of a run file and compare it with its checksums.

    Parameters
    ----------
    run : RunFile
        Open.
    progress : callable, optional
        Told the share of the samples that is done, 0 … 1.
    """
    done, bad, unreadable = 0, dict[str, list[Range]](), list[str]()
    whole = max(1, run.rows * run.dtype.itemsize * len(run.channels))
    try:
        for found in run.each_damage():
            if isinstance(found, DamagedRows):
                bad.setdefault(found.table, []).extend(found.ranges)
            else:
                done += found
                if progress is not None:
                    progress(min(1.0, done / whole))
        if "samples" in bad and "stretches" not in bad:
            bad["samples"] = list(sample_ranges(run.stretches(), bad["samples"]))
        run.results()
    except FileError as error:
        unreadable.append(str(error))
    damaged = {table: tuple(_joined(ranges)) for table, ranges in bad.items()}
    return Verification(run.checksums, done, damaged, tuple(unreadable))


def damage_words(path: Path, table: str, ranges: Sequence[Range]) -> str:
    """Say what is damaged and what to do; ranges as in :class:`Verification`."""
    text = f"{path} is damaged: {table} {_listed(ranges)} differ from their checksums"
    return f"{text}; optobind recover {path} copies all others" if table == "samples" else text


def sample_ranges(stretches: Iterable[Stretch], rows: Sequence[Range]) -> Iterator[Range]:
    """Iterate over the indices of the samples that ranges of rows hold."""
    for s in stretches:
        for first, last in rows:
            low, high = max(first, s.row), min(last, s.row + s.samples)
            if low < high:
                yield s.first_sample + low - s.row, s.first_sample + high - s.row


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """Ranges in order, those that touch in one."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _listed(ranges: Sequence[Range]) -> str:
    """First and last of each range, the first few of many."""
    text = ", ".join(f"{a} … {b - 1}" for a, b in ranges[:_SHOWN])
    return f"{text} and {len(ranges) - _SHOWN} more" if len(ranges) > _SHOWN else text
