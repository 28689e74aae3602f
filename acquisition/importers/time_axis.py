"""The one policy for time: which column is time, and which sample rate holds.

A stated rate (of the user, or in a header) wins; a column of time that contradicts it by more than
its own resolution is said, by more than 1 % refused. A column that grows evenly is time or a
counter whatever its name: no detector gives a ramp of hundreds of samples. Its unit must stand
somewhere; only a column that is called time may do without (seconds, which is said). A counter
gives no rate: where none is stated, that is a question to the user, never 1 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from .growth import Growth, growth_of
from .names import is_frequency_name

__all__ = ["Axis", "Stated", "TimeColumn", "agreed_rate", "find_axis", "no_rate"]

# Largest relative deviation of two statements of one rate; of the mean step of a column of time.
_AGREES = 0.01
# Rows from which an evenly growing column without a telling name is time or a counter.
_LEAST_ROWS = 8
# Shift of a column of time, in steps, below which it is the same.
_SIMULTANEOUS = 0.02
_PREFIXES = {1e-3: "ms", 1e-6: "µs", 1e-9: "ns"}


@dataclass(frozen=True)
class Stated:
    """A rate that is written down: by whom, and how much, Hz."""

    by: str
    rate: float


@dataclass(frozen=True)
class TimeColumn:
    """A column as the policy sees it.

    Attributes
    ----------
    name : str
        For messages.
    values : ndarray, shape (n,)
        As read.
    unit : float or None
        Seconds per unit where a unit of time is stated.
    called : bool
        Whether the name says time.
    """

    name: str
    values: NDArray[np.floating]
    unit: float | None = None
    called: bool = False


@dataclass(frozen=True)
class Axis:
    """What the columns and statements say of time.

    Attributes
    ----------
    rate : float
        Hz.
    columns : frozenset of int
        Columns that are time or counters, not samples.
    start : float or None
        Time of the first sample, s, where a column says it.
    warnings : tuple of str
        What the user should know.
    shifts : mapping of int to float
        By how many samples further columns of time are behind the first, where they are.
    """

    rate: float
    columns: frozenset[int]
    start: float | None
    warnings: tuple[str, ...]
    shifts: Mapping[int, float] = field(default_factory=dict)

    def delays(self, samples: Sequence[int]) -> tuple[float, ...]:
        """By how much each column of samples is later, s, as the column of time beside it says.

        Empty where all columns of time are one.
        """
        if not self.shifts:
            return ()
        ahead = min(self.columns) < min(samples)
        own = [
            max((t for t in self.columns if t < j), default=None)
            if ahead
            else min((t for t in self.columns if t > j), default=None)
            for j in samples
        ]
        return tuple(0.0 if t is None else self.shifts.get(t, 0.0) / self.rate for t in own)


def no_rate(source: str, hint: str = "") -> FileError:
    """The question that is asked where nothing says the rate."""
    return FileError(
        f"{source} states no rate: give it (--rate HZ), or add '# sample_rate = …' or a column of "
        f"time with its unit, 'time (ms)'{hint}"
    )


def agreed_rate(
    source: str, stated: Sequence[Stated], given: float | None
) -> tuple[Stated | None, list[str]]:
    """The rate that is written down, and what is to be said of statements that differ.

    Raises
    ------
    FileError
        If two of them differ by more than 1 %.
    """
    said: list[str] = []
    every = [*stated, *([] if given is None else [Stated("--rate", given)])]
    if not every:
        return None, said
    first = every[0]
    for other in every[1:]:
        apart = abs(other.rate / first.rate - 1.0)
        if apart > _AGREES and other.by == "--rate":
            raise FileError(
                f"{source} was recorded at {first.rate:g} Hz, not at {other.rate:g} Hz "
                f"({first.by} in the file, --rate)"
            )
        if apart > _AGREES:
            raise FileError(
                f"{source} states two rates: {first.by} {first.rate:g} Hz, {other.by} "
                f"{other.rate:g} Hz"
            )
        if apart > 1e-6:
            said.append(
                f"the file states {first.rate:.9g} Hz ({first.by}), {other.by} says "
                f"{other.rate:.9g} Hz: the file's is used"
            )
    return first, said


def find_axis(
    source: str,
    columns: Sequence[TimeColumn],
    stated: Sequence[Stated],
    given: float | None,
    chosen: int | None = None,
    samples: Collection[int] | None = None,
) -> Axis:
    """Find the columns of time and settle the rate.

    Parameters
    ----------
    source : str
        The file, for messages.
    columns : sequence of TimeColumn
        All columns of a table, of one length.
    stated : sequence of Stated
        Rates in the file beside the columns.
    given : float or None
        Rate that the user gave, Hz.
    chosen : int, optional
        The column that the user named as time.
    samples : collection of int, optional
        The columns that the user named as samples.

    Raises
    ------
    FileError
        If rates contradict each other, time runs unevenly, or nothing says the rate.
    """
    written, said = agreed_rate(source, stated, given)
    found = _growing(source, columns, chosen, samples, written is not None)
    if not found:
        if written is None:
            raise no_rate(source)
        return Axis(written.rate, frozenset(), None, tuple(said))
    main = _main_column(source, columns, found, chosen)
    column, growth = columns[main], found[main]
    shifts = _shifts(source, columns, found, main)
    said += [
        f"column {_named(columns, late)} says that its samples come {abs(shift):.3g} of a sample "
        f"{'after' if shift > 0.0 else 'before'} those of the first: fits take it into account"
        for late, shift in shifts.items()
    ]
    if growth.jitter:
        said.append(f"the steps of column {_named(columns, main)} scatter: only their mean is used")
    rate, unit, more = _rate_of(source, column, growth, written)
    start = None if unit is None else float(column.values[0]) * unit
    return Axis(rate, frozenset(found), start, (*said, *more), shifts)


def _growing(
    source: str,
    columns: Sequence[TimeColumn],
    chosen: int | None,
    samples: Collection[int] | None,
    rate_known: bool,
) -> dict[int, Growth]:
    """Columns of time and counters; those that run unevenly are refused."""
    found = {}
    for index, column in enumerate(columns):
        is_time = index == chosen or column.called or column.unit is not None
        growth = growth_of(column.values)
        if not is_time and (growth is None or len(column.values) < _LEAST_ROWS):
            continue
        if not is_time and growth is not None and growth.fault and samples is not None:
            if index not in samples:
                continue  # of no use, and said to be so
        name = _named(columns, index)
        if not is_time and is_frequency_name(column.name):
            raise FileError(
                f"{source}: column {name} grows evenly and is a frequency: a spectrum is no record "
                "of samples; save the signal itself"
            )
        if growth is None:
            raise FileError(
                f"{source}: the column of time {name} must grow evenly; if it holds samples, "
                "rename it or choose with --columns"
            )
        if growth.fault and not (growth.jitter and rate_known):
            what = "the column of time" if is_time else "column"
            raise FileError(f"{source}: {what} {name} must grow evenly, {growth.fault}")
        if samples is not None and index in samples:
            raise FileError(
                f"{source}: column {name} grows evenly: it is time or a counter, not samples"
            )
        found[index] = growth
    return found


def _main_column(
    source: str, columns: Sequence[TimeColumn], found: dict[int, Growth], chosen: int | None
) -> int:
    """The column that is time: the one named or with a unit, else one that is no counter."""
    if chosen is not None:
        return chosen
    tests: tuple[Callable[[int], bool], ...] = (
        lambda j: columns[j].unit is not None,
        lambda j: columns[j].called,
        lambda j: not found[j].counts,
    )
    for suits in tests:
        fitting = [j for j in found if suits(j)]
        if fitting:
            return fitting[0]
    return next(iter(found))


def _shifts(
    source: str, columns: Sequence[TimeColumn], found: dict[int, Growth], main: int
) -> dict[int, float]:
    """Samples by which other columns of time are behind: X,Y,X,Y tables of a multiplexed card.

    Refuses those of other clocks, and shifts of a sample or more.
    """
    first, unit = found[main], columns[main].unit or 1.0
    shifts = {}
    for index, growth in found.items():
        column = columns[index]
        if index == main or (growth.counts and column.unit is None):
            continue
        other = column.unit or (1.0 if column.called or columns[main].unit is None else unit)
        step, reach = first.step * unit, 2.0 * (first.resolution + growth.resolution)
        shift = float(column.values[0]) * other - float(columns[main].values[0]) * unit
        # Digits that give the same step every time are exact; others blur the beginning.
        blur = first.quantum * unit * first.rounded + growth.quantum * other * growth.rounded
        if abs(growth.step * other / step - 1.0) > reach + 1e-6 or abs(shift) >= step + blur:
            raise FileError(
                f"{source}: columns {_named(columns, main)} and {_named(columns, index)} grow "
                f"evenly and differ (steps {first.step:g} and {growth.step:g}, starts "
                f"{float(columns[main].values[0]):g} and {float(column.values[0]):g}): name time "
                "and samples, --columns t=0,1,2"
            )
        if abs(shift) > _SIMULTANEOUS * step + blur:
            shifts[index] = shift / step
    return shifts


def _rate_of(
    source: str, column: TimeColumn, growth: Growth, written: Stated | None
) -> tuple[float, float | None, list[str]]:
    """Rate, seconds per unit of the column (None for a counter), and what is to be said."""
    assumed = column.unit is None
    if assumed and (growth.counts or not column.called):
        if written is not None:
            text = f"column {column.name!r} states no unit: only the stated rate is used"
            return written.rate, _matching_unit(growth, written.rate), [text] * column.called
        raise no_rate(source, _hint(column, growth))
    unit = 1.0 if column.unit is None else column.unit
    rate = 1.0 / (growth.step * unit)
    if written is None:
        return rate, unit, _said_of_steps(source, column, growth, rate, assumed)
    apart = abs(rate / written.rate - 1.0)
    if apart > max(_AGREES, growth.resolution):
        fitting = _matching_unit(growth, written.rate) if assumed else None
        if fitting is None:
            raise FileError(
                f"{source}: its column of time says {rate:g} Hz, the stated rate is "
                f"{written.rate:g} Hz ({written.by})"
            )
        text = f"column {column.name!r} states no unit: read as {_PREFIXES[fitting]}"
        return written.rate, fitting, [f"{text}, as {written.by} {written.rate:g} Hz says"]
    if apart > growth.resolution + 1e-9:
        text = f"the column of time says {rate:.9g} Hz, {written.by} {written.rate:.9g} Hz"
        return written.rate, unit, [f"{text}: the stated rate is used"]
    return written.rate, unit, []


def _matching_unit(growth: Growth, rate: float) -> float | None:
    """Unit of time in which the steps agree with a rate, s; None if no usual one does."""
    for unit in (1.0, *_PREFIXES):
        if abs(1.0 / (growth.step * unit * rate) - 1.0) <= max(_AGREES, growth.resolution):
            return unit
    return None


def _said_of_steps(
    source: str, column: TimeColumn, growth: Growth, rate: float, assumed: bool
) -> list[str]:
    """What a rate rests on that only a column of time says; refused if that is too little."""
    if growth.rounded and growth.resolution > _AGREES:
        raise FileError(
            f"{source}: the digits of its column of time {column.name!r} are too few for a rate "
            f"(steps of {growth.quantum:g}): give it, --rate HZ"
        )
    said = []
    if growth.rounded:
        said.append(
            f"column {column.name!r} has few digits: the rate {rate:.6g} Hz is that of the mean "
            f"step, known to {100.0 * growth.resolution:.1g} %; --rate states it"
        )
    if assumed:
        said.append(
            f"column {column.name!r} states no unit: seconds are assumed, {rate:.6g} Hz; --rate or "
            "a unit in its name, 'time (ms)', says otherwise"
        )
    return said


def _hint(column: TimeColumn, growth: Growth) -> str:
    """What a column would mean that grows evenly in no stated unit."""
    name = repr(column.name)
    if growth.counts and math.isclose(growth.step, 1.0):
        return f"; column {name} counts the samples"
    return (
        f"; column {name} grows evenly by {growth.step:.6g} and states no unit: "
        f"{1.0 / growth.step:.6g} Hz if these are seconds"
    )


def _named(columns: Sequence[TimeColumn], index: int) -> str:
    """Number and name of a column."""
    name = columns[index].name
    return f"{index} ({name!r})" if name else str(index)
