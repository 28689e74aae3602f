"""A waterfall ready to draw: colours of the visible frequencies, made a few rows at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from .waterfall_rows import CROSS, MOST_AUTOS, NONE, PER_DECADE, PER_RADIAN, PHASE, Grid
from .waterfall_store import AGES, Age, PastRow, WaterfallStore

__all__ = ["QUANTITIES", "SHADES", "Quantity", "WaterfallModel", "span_label"]

SHADES = 255
"""Colours of numbers; the colour before the first one is that of nothing."""
_CHUNK = 24  # rows that are made at once
_BUDGET = 4e-3  # s of an update for rows that are new to the view
_LEVEL_STEP = 0.5  # decades to which the range of the colours is rounded


@dataclass(frozen=True)
class Quantity:
    """What is shown: a name, and the fixed range of its colours; None where the data decide."""

    key: str
    label: str
    levels: tuple[float, float] | None = None


QUANTITIES = (
    *(Quantity(f"auto{j}", f"S{j + 1}{j + 1}") for j in range(MOST_AUTOS)),
    Quantity("cross", "|S12|"),
    Quantity("phase", "arg S12", (-math.pi, math.pi)),
    Quantity("coherence", "coherence", (0.0, 1.0)),
)
"""Everything that can be shown, where there are the channels for it."""


def span_label(level: int, rows: int) -> str:
    """Length of time of a ring of a laboratory in words: "10 min"."""
    seconds = AGES[level] * rows
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if seconds % size == 0.0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"


class WaterfallModel:
    """View of a store: a quantity, an age, a range of frequencies.

    Parameters
    ----------
    store : WaterfallStore
        What is shown.
    clock : callable
        s, to keep the budget of an update.

    Attributes
    ----------
    level : int
        Ring that is shown.
    levels : tuple of float or None
        Ends of the colours: log10 of densities, rad, or coherence; None until there are data.
    pending : bool
        Whether rows are still to be made.
    """

    def __init__(
        self, store: WaterfallStore, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.store, self._clock = store, clock
        self.quantity = QUANTITIES[0]
        self.level = 0
        self.levels: tuple[float, float] | None = None
        self.pending = False
        self._x = (4.0, 5.0)
        self._width = 100
        self._values = np.zeros((0, 0), np.float32)
        self._stamps = np.zeros(0, np.int64)
        self._shades = np.zeros((0, 0), np.uint8)
        self._unshaded = np.zeros(0, bool)
        self._shaded: tuple[float, float] | None = None
        self._cuts: dict[int, tuple[NDArray[np.intp], NDArray[np.bool_], int]] = {}
        self._unit = ""

    # -- what is chosen ---------------------------------------------------------------------------

    @property
    def age(self) -> Age:
        """The ring that is shown."""
        return self.store.ages[self.level]

    @property
    def span(self) -> float:
        """Seconds that are shown."""
        return self.age.period * self.age.rows

    @property
    def grid(self) -> Grid | None:
        """Grid of the newest spectra."""
        return self.store.newest

    @property
    def unit(self) -> str:
        """Unit of what is shown."""
        if self.quantity.key == "phase":
            return "rad"
        if self.quantity.key == "coherence":
            return ""
        return "V²/Hz" if self.grid is None else f"{self.grid.unit}²/Hz"

    @property
    def logarithmic(self) -> bool:
        """Whether values are log10 of what is named."""
        return self.quantity.levels is None

    def parse_level(self, text: str) -> float:
        """Read an end of the colours; densities become log10.

        Raises
        ------
        InputError
            For what is no number, or none that can be shown.
        """
        try:
            value = float(text.strip().replace("−", "-"))
        except ValueError:
            raise InputError(f"colours: {text!r} is no number; for example 1e-6") from None
        if not math.isfinite(value) or (self.logarithmic and value <= 0.0):
            raise InputError(f"colours: {text} must be finite and above zero")
        return math.log10(value) if self.logarithmic else value

    def level_text(self, value: float | None) -> str:
        """Write an end of the colours."""
        if value is None:
            return ""
        number = 10.0**value if self.logarithmic else value
        return f"{number:.3g}".replace("-", "−")

    def offered(self) -> tuple[Quantity, ...]:
        """What the newest spectra can show."""
        count = 1 if self.grid is None else self.grid.autos
        return QUANTITIES[:count] + (QUANTITIES[MOST_AUTOS:] if count > 1 else ())

    def choose(self, key: str) -> None:
        """Show another quantity."""
        self.quantity = next(q for q in QUANTITIES if q.key == key)
        self.levels = self.quantity.levels
        self._forget()

    def choose_age(self, level: int) -> None:
        """Show another ring."""
        self.level = level
        self._forget()

    def look(self, low: float, high: float, width: int) -> None:
        """Show a range of log10 f in columns of the screen."""
        view = (low, high), max(1, width)
        if view != (self._x, self._width):
            self._x, self._width = view
            self._forget()

    def _forget(self) -> None:
        self._values = np.full((self.age.rows, self._width), np.nan, np.float32)
        self._stamps = np.full(self.age.rows, -1, np.int64)
        self._shades = np.zeros(self._values.shape, np.uint8)
        self._unshaded = np.ones(self.age.rows, bool)
        self._cuts = {}

    # -- picture ----------------------------------------------------------------------------------

    def update(self) -> bool:
        """Make rows that changed, the newest first, as many as an update may; whether any was."""
        age = self.age
        if self._values.shape != (age.rows, self._width):
            self._forget()
        unit = "" if self.grid is None else self.grid.unit
        if unit != self._unit:  # other numbers: another range
            self._unit, self.levels = unit, self.quantity.levels
        changed = np.flatnonzero(self._stamps != age.stamp)
        if not changed.size or age.slot is None:
            self.pending = False
            return False
        ages = (age.slot - changed) % age.rows
        changed = changed[np.argsort(ages)]
        began, done = self._clock(), 0
        while done < changed.size and (done == 0 or self._clock() - began < _BUDGET):
            self._make(changed[done : done + _CHUNK])
            done += _CHUNK
        self.pending = done < changed.size
        return True

    def _make(self, rows: NDArray[np.intp]) -> None:
        age = self.age
        self._stamps[rows] = age.stamp[rows]
        self._unshaded[rows] = True
        self._values[rows] = np.nan
        for number in np.unique(age.grid_of[rows]).tolist():
            if number >= 0:
                own = rows[age.grid_of[rows] == number]
                self._values[own] = self._resampled(own, self.store.grids[number])

    def _resampled(self, rows: NDArray[np.intp], grid: Grid) -> NDArray[np.float32]:
        """Each column shows the largest density within it, or phase and coherence of its line."""
        key, width = self.quantity.key, self._width
        plane = int(key[4:]) if key.startswith("auto") else CROSS
        if plane not in grid.planes():
            return np.full((rows.size, width), np.nan, np.float32)
        starts, inside, end = self._cut(grid)
        if not inside.any():
            return np.full((rows.size, width), np.nan, np.float32)
        data = self.age.data
        stored = data[plane, rows, :end]
        if plane != CROSS or key == "cross":
            top = np.maximum.reduceat(stored, starts, axis=1)
            values = np.where(top == NONE, np.nan, top / PER_DECADE)
            return np.where(inside, values, np.nan).astype(np.float32)
        # The number of the bin in the lower half: the largest tells where it is.
        keys = (stored.astype(np.int32) << 16) | np.arange(end, dtype=np.int32)
        best = np.maximum.reduceat(keys, starts, axis=1)
        top, place = best >> 16, best & 0xFFFF
        if key == "phase":
            values = np.take_along_axis(data[PHASE, rows, :end], place, 1) / PER_RADIAN
        else:
            autos = [np.take_along_axis(data[j, rows, :end], place, 1) for j in (0, 1)]
            ratio = 2.0 * top - autos[0].astype(float) - autos[1]
            values = np.minimum(10.0 ** (ratio / PER_DECADE), 1.0)
        return np.where(inside & (top != NONE), values, np.nan).astype(np.float32)

    def _cut(self, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.bool_], int]:
        """First bin of each column, which columns lie within the grid, end of the last one."""
        held = self._cuts.get(id(grid))
        if held is None:
            edges = np.linspace(*self._x, self._width + 1)
            place = (10.0**edges - grid.first) / grid.step + 0.5
            starts = np.floor(place[:-1])
            inside = (place[1:] > 0.0) & (starts < grid.count)
            starts = np.clip(starts, 0, grid.count - 1).astype(np.intp)
            end = int(np.clip(math.ceil(place[-1]), starts[-1] + 1, grid.count))
            held = self._cuts[id(grid)] = starts, inside, end
        return held

    def find_levels(self) -> None:
        """Take the range of the colours from what is seen, in half decades; fixed until asked."""
        if self.quantity.levels is not None:
            self.levels = self.quantity.levels
            return
        seen = self._values[np.isfinite(self._values)]
        if seen.size:
            low, high = np.percentile(seen[:: max(1, seen.size // 50_000)], (10.0, 99.95))
            low = math.floor(float(low) / _LEVEL_STEP) * _LEVEL_STEP
            high = math.ceil(float(high) / _LEVEL_STEP) * _LEVEL_STEP
            self.levels = low, max(high, low + _LEVEL_STEP)

    def shades(self) -> NDArray[np.uint8]:
        """Picture, shape (rows, columns), the oldest row first; 0 is nothing, then low to high."""
        if self._values.shape != (self.age.rows, self._width):
            self._forget()
        if self.levels is None:
            self.find_levels()
        if self.levels != self._shaded:  # all rows have other colours
            self._shaded = self.levels
            self._unshaded = np.ones(len(self._values), bool)
        rows = np.flatnonzero(self._unshaded)
        self._shades[rows] = self._coloured(self._values[rows])
        self._unshaded[:] = False
        first = 0 if self.age.slot is None else (self.age.slot + 1) % self.age.rows
        return np.concatenate((self._shades[first:], self._shades[:first]))

    def _coloured(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        low, high = self.levels or (0.0, 1.0)
        scaled = (values - np.float32(low)) * np.float32((SHADES - 1) / (high - low))
        np.clip(scaled, 0.0, SHADES - 1, out=scaled)
        scaled += 1.5
        np.nan_to_num(scaled, copy=False, nan=0.0)
        return np.asarray(scaled.astype(np.uint8))

    def extent(self, now: float) -> tuple[float, float]:
        """Seconds before now of the lower and the upper edge of the picture."""
        age = self.age
        top = 0.0 if age.slot is None else (age.slot + 1) * age.period - now
        return top - self.span, top

    # -- looking back -----------------------------------------------------------------------------

    def row_before(self, seconds: float, now: float) -> PastRow | None:
        """The row of a time before now (s, negative); None where there is none."""
        slot = math.floor((now + seconds) / self.age.period)
        return self.age.row(slot, self.store.grids)
