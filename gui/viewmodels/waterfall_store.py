"""Hours of spectra in bounded memory: ten rows a second for a minute, then ever fewer.

Each age is a ring of rows in slots of time. A slot without a spectrum, because the stream stood,
was saturated or lost, stays empty; one within which a set-point changed holds the newer spectra.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...acquisition.events import Event
from .waterfall_marks import OpenSpans, TimeMark, mark_of
from .waterfall_rows import COLUMNS, PLANES, Grid, RowSum, decode

if TYPE_CHECKING:
    from ...acquisition.snapshots import SpectrumSnapshot
    from ...models.spectra import CsdEstimate

__all__ = ["AGES", "MAX_BYTES", "Age", "PastRow", "WaterfallStore"]

_ROWS = 600
AGES = (0.1, 1.0, 10.0, 60.0)
"""Seconds of a row of each ring; each holds 600 of them: 1 min, 10 min, 100 min, 10 h."""
MAX_BYTES = len(AGES) * _ROWS * PLANES * COLUMNS * 2
"""Of the numbers, for four channels and more; of two channels two thirds."""
_AVERAGED = 1.0  # s, which a live spectrum reaches back at most
_SHOWN = 5  # times that a row is shown while it is being averaged
_MOST_MARKS, _MOST_GRIDS, _MOST_FILES = 4000, 500, 500
_LATEST_EVENT = 5.0  # s, after which an event is told at the latest


@dataclass(frozen=True)
class PastRow:
    """A pixel's row.

    Attributes
    ----------
    csd : CsdEstimate
        Its spectra.
    channels : tuple of str
        Names of those.
    at, wall : float
        Monotonic s of the row's end; s since the epoch of its newest spectrum.
    period : float
        s that the row is the mean of.
    first_sample, last_sample : int
        Samples that entered, half-open.
    path : str
        The run file that holds them; empty where nothing was recorded.
    """

    csd: CsdEstimate
    channels: tuple[str, ...]
    at: float
    wall: float
    period: float
    first_sample: int
    last_sample: int
    path: str


class Age:
    """A ring of rows, ``period`` (s) each.

    Attributes
    ----------
    data : ndarray, shape (planes, rows, columns)
        Numbers of 16 bits; memory is taken as rows come.
    grid_of : ndarray, shape (rows,)
        Index of the grid of a row, -1 for an empty one.
    stamp : ndarray, shape (rows,)
        Changes whenever the row does.
    slot : int
        Number of the newest slot, floor(monotonic time/period).
    """

    def __init__(self, period: float, rows: int = _ROWS) -> None:
        self.period, self.rows = period, rows
        self.data = np.zeros((PLANES, rows, COLUMNS), np.int16)
        self.grid_of = np.full(rows, -1)
        self.stamp = np.zeros(rows, np.int64)
        self.slot: int | None = None
        self.open: RowSum | None = None
        self._meta: list[tuple[float, int, int, str, float]] = [(0.0, 0, 0, "", 0.0)] * rows

    def slot_at(self, now: float) -> int:
        """Slot of a time; a clock that goes back stays in the newest one."""
        slot = math.floor(now / self.period)
        return slot if self.slot is None else max(slot, self.slot)

    @property
    def middle(self) -> float:
        """Middle of the newest slot, monotonic s."""
        return ((self.slot or 0) + 0.5) * self.period

    def advance(self, slot: int, version: int) -> None:
        """Go on to a slot; those that are passed over are empty."""
        if self.slot is not None and slot <= self.slot:
            return
        start = slot if self.slot is None else max(self.slot + 1, slot - self.rows + 1)
        for passed in range(start, slot + 1):
            self.grid_of[passed % self.rows] = -1
            self.stamp[passed % self.rows] = version
        self.slot = slot

    def keep(self, number: int, version: int) -> None:
        """Write the sum of the newest slot into the ring; ``number`` is that of its grid."""
        row, total = (self.slot or 0) % self.rows, self.open
        if total is None:
            return
        for plane, values in total.encode().items():
            self.data[plane, row, : values.size] = values
        self.grid_of[row] = number
        self.stamp[row] = version
        path = str(getattr(total.basis, "path", ""))
        self._meta[row] = (
            total.wall,
            total.first_sample,
            total.last_sample,
            path,
            total.averages,
        )

    def row(self, slot: int, grids: list[Grid]) -> PastRow | None:
        """The row of a slot; None for an empty one or one that is gone."""
        if self.slot is None or not self.slot - self.rows < slot <= self.slot:
            return None
        row = slot % self.rows
        if self.grid_of[row] < 0:
            return None
        grid = grids[int(self.grid_of[row])]
        wall, first, last, path, averages = self._meta[row]
        planes = {p: self.data[p, row, : grid.count].copy() for p in grid.planes()}
        csd = decode(grid, planes, averages)
        end = (slot + 1) * self.period
        names = grid.channels[: grid.autos]
        return PastRow(csd, names, end, wall, self.period, first, last, path)


@dataclass(frozen=True)
class _Basis:
    """What all spectra of a row agree in."""

    light: int
    stream: int
    path: str


class WaterfallStore:
    """Takes spectra as they come.

    Attributes
    ----------
    ages : tuple of Age
        The rings, the finest first.
    grids : list of Grid
        Of all rows.
    newest : Grid or None
        Of the newest spectrum.
    marks : deque of TimeMark
        What happened meanwhile, bounded; when feedback was off is in ``released``.
    released : OpenSpans
        Feedback off, by a release or by hand.
    version : int
        Grows with every change.
    """

    def __init__(self, rows: int = _ROWS, periods: tuple[float, ...] = AGES) -> None:
        self.ages = tuple(Age(period, rows) for period in periods)
        self.grids: list[Grid] = []
        self.newest: Grid | None = None
        self.marks: deque[TimeMark] = deque(maxlen=_MOST_MARKS)
        self.released = OpenSpans()
        self.version = 0
        self._stream = 0
        self._before: tuple[int, int] | None = None
        self._path, self._begun = "", True
        self._kept_at = [-math.inf] * len(self.ages)
        self._kept_count = [0] * len(self.ages)

    @property
    def empty(self) -> bool:
        """Whether nothing has come yet."""
        return not self.grids

    def add(
        self,
        snapshot: SpectrumSnapshot,
        now: float,
        wall: float,
        path: str | None = None,
        position: int | None = None,
    ) -> None:
        """Take a spectrum.

        Parameters
        ----------
        snapshot : SpectrumSnapshot
            Not taken before.
        now, wall : float
            Monotonic s; s since the epoch.
        path : str, optional
            The run file that is being written.
        position : int, optional
            Samples of the stream so far: a spectrum of later ones is of the stream before.
        """
        grid = Grid.of(snapshot)
        if grid is None:
            return
        csd = snapshot.csd
        held = self._follow(snapshot.sequence, csd.last_sample, path or "", position)
        number = self._grid_number(grid)
        back = csd.last_sample - round(_AVERAGED * csd.sample_rate)
        self.newest = self.grids[number]
        total = RowSum(self.newest, _Basis(snapshot.basis.light, self._stream, held))
        total.add(snapshot, max(csd.first_sample, back), wall)
        self.version += 1
        self._take(0, total, now)

    def _follow(self, sequence: int, last: int, path: str, position: int | None) -> str:
        """Whose samples these are: the file, "" where that is not certain.

        A run begins the stream anew, some time after its file is named: until then, spectra are of
        the stream before.
        """
        before, self._before = self._before, (sequence, last)
        renewed = before is None or sequence < before[0] or last < before[1]
        self._stream += bool(renewed)
        if path != self._path:
            self._path, self._begun = path, False
        self._begun = self._begun or renewed
        late = position is not None and last > position
        return path if self._begun and not late else ""

    def _take(self, level: int, total: RowSum, now: float) -> None:
        """Add to the newest slot of a ring; what closes goes on to the next, coarser one."""
        age = self.ages[level]
        slot, held = age.slot_at(now), age.open
        if held is not None and (
            slot != age.slot or held.basis != total.basis or held.grid != total.grid
        ):
            self._keep(level, now)
            age.open, self._kept_count[level] = None, 0
            if level + 1 < len(self.ages):
                self._take(level + 1, held, age.middle)
        age.advance(slot, self.version)
        fresh = age.open is None
        if age.open is None:
            age.open = RowSum(total.grid, total.basis)
        age.open.merge(total)
        if fresh or level == 0 or now - self._kept_at[level] >= age.period / _SHOWN:
            self._keep(level, now)

    def _keep(self, level: int, now: float) -> None:
        """Write what the newest slot of a ring holds so far, if it is not written yet."""
        held = self.ages[level].open
        if held is not None and held.count != self._kept_count[level]:
            self._kept_at[level], self._kept_count[level] = now, held.count
            self.ages[level].keep(self._grid_number(held.grid), self.version)

    def _grid_number(self, grid: Grid) -> int:
        for number in range(len(self.grids) - 1, -1, -1):
            if self.grids[number] == grid:
                return number
        if len(self.grids) >= _MOST_GRIDS:
            self._forget_grids()
        self.grids.append(grid)
        return len(self.grids) - 1

    def _forget_grids(self) -> None:
        """Drop grids that no row has any more; those of the oldest rows where all are in use."""
        used = np.unique(np.concatenate([age.grid_of for age in self.ages]))
        kept = used[used >= 0][-_MOST_GRIDS // 2 :].tolist()
        new = {old: number for number, old in enumerate(kept)}
        for age in self.ages:
            age.grid_of[:] = [new.get(int(old), -1) for old in age.grid_of]
        self.grids[:] = [self.grids[old] for old in kept]

    def take_events(self, events: Iterable[Event], now: float, wall: float) -> None:
        """Remember what happened; events come soon after they happened."""
        for event in events:
            mark = mark_of(event, now - min(max(0.0, wall - event.host_time), _LATEST_EVENT))
            if mark is None:
                continue
            if mark.kind in ("open", "closed"):
                self.released.take(mark)
            else:
                self.marks.append(mark)
            self.version += 1

    @property
    def bytes(self) -> int:
        """Of the numbers that are kept at most."""
        return sum(int(age.data.nbytes) for age in self.ages)
