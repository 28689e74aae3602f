"""Which releases of a record count while it is looked at, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.record import Ranges, Record
from ...acquisition.releases import LeftOut, ReleaseCount
from ...acquisition.snapshots import ReheatingSnapshot
from ...models.errors import InputError, OptobindError
from .released import FittedReleases
from .story import RecordStory

__all__ = ["ReleaseChoice"]


@dataclass
class ReleaseChoice:
    """Releases by their numbers on screen, those that are left out by hand, and their curves.

    What is left out here is left out of what is looked at: the file stays as it is.

    Attributes
    ----------
    releases : Ranges
        Usable ones of the record.
    numbers : ndarray of int, shape (n,)
        Of each, from 1.
    left_out : dict of int to str
        Number to reason.
    """

    releases: Ranges
    numbers: NDArray[np.int64]
    left_out: dict[int, str] = field(default_factory=dict)
    _found: FittedReleases | None = None
    _stretch: tuple[int, int] = (0, 0)
    _of: tuple[int, ...] = ()  # what was left out of what was found
    _words: str = ""

    @classmethod
    def of(cls, record: Record, story: RecordStory) -> ReleaseChoice:
        """Return all releases of a record, those of a foreign file counted from 1."""
        if record.kind == "run":
            return cls(story.releases, story.numbers)
        try:
            found = record.releases()
        except OptobindError:
            found = Ranges()
        return cls(found, np.arange(1, len(found) + 1))

    def leave_out(self, number: int, reason: str) -> None:
        """Leave a release out.

        Raises
        ------
        InputError
            If the record has no such release, or every other one is left out.
        """
        if number not in self.numbers:
            raise InputError(f"the record holds no usable repetition {number}; {self._known()}")
        if len(self.left_out) + 1 >= len(self.numbers):
            raise InputError(f"repetition {number} is the last one that counts")
        self.left_out[number] = reason

    def take_back(self, number: int) -> None:
        """Let a release count again.

        Raises
        ------
        InputError
            If it is not left out by hand.
        """
        if number not in self.left_out:
            names = ", ".join(map(str, sorted(self.left_out))) or "none"
            raise InputError(f"repetition {number} is not left out by hand; those are: {names}")
        del self.left_out[number]

    def _known(self) -> str:
        if not len(self.numbers):
            return "it has no releases"
        return f"usable are {len(self.numbers)} of 1 to {int(self.numbers.max())}"

    @property
    def first_samples(self) -> tuple[int, ...]:
        """Where those begin that are left out."""
        out = np.isin(self.numbers, list(self.left_out))
        return tuple(int(start) for start in self.releases.starts[out])

    def within(self, start: int, stop: int) -> int:
        """Usable releases within a stretch, those left out by hand among them."""
        return int(self._inside(start, stop).sum())

    def _inside(self, start: int, stop: int) -> NDArray[np.bool_]:
        return np.asarray((self.releases.starts >= start) & (self.releases.stops <= stop))

    def take(
        self, found: FittedReleases, stretch: tuple[int, int], without: tuple[int, ...]
    ) -> None:
        """Take what was computed of a stretch without some releases."""
        self._found, self._stretch, self._of, self._words = found, stretch, without, found.error

    def say(self, words: str) -> None:
        """Say what is being done about the curves."""
        self._words = words

    def snapshot(self, sequence: int, stretch: tuple[int, int]) -> ReheatingSnapshot | None:
        """What is shown: a fit only where it is of what is chosen now; None before any curve."""
        found = self._found
        if found is None:
            return None
        fresh = stretch == self._stretch and set(self._of) == set(self.first_samples)
        inside = self.numbers[self._inside(*stretch)]
        by_hand = tuple(sorted(n for n in self.left_out if n in inside))
        names: Mapping[int, int] = dict(
            zip(self.releases.starts.tolist(), self.numbers.tolist(), strict=True)
        )
        out = {LeftOut.EXCLUDED: len(by_hand)} if by_hand else {}
        used = len(inside) - len(by_hand)
        words = self._words or ("" if fresh else _OLD)
        return ReheatingSnapshot(
            sequence,
            found.estimate,
            len(inside),
            0,
            found.single,
            found.result if fresh else None,
            words,
            tuple(names.get(first, 0) for first in found.first_samples),
            by_hand,
            by_hand,
            ReleaseCount(len(inside), len(inside), used, out),
        )


_OLD = "these curves are of what was chosen before: press Fit releases"
