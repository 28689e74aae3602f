"""What the virtual NI card plays on the clock of its inputs: levels, voltages and pulses.

Tick k of an output is the tick with which the inputs take their sample k, counted from the start
of the output or, if it waits for the inputs, from theirs. The level that it brings is seen
``latency`` samples later: by sample k + 1, or k + 2, as on real cards.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .ni_server_stream import DaqFault

__all__ = ["Buffer", "Clocked", "OutputWave", "PlayedLines", "PlayedVolts", "Pulses"]

_LOOK = 1024  # ticks looked ahead for the next change at first, then twice as many
_SOON = -200292
UNDERFLOW = -200290


class Buffer:
    """The output buffer of a task: what has been written of it, and what becomes of its end.

    Parameters
    ----------
    columns : int
        Lines or outputs.
    finite : int or None
        Samples after which the task is done.
    again : bool
        Whether what was written is played over and over; otherwise it must be written ahead.
    """

    def __init__(self, columns: int, finite: int | None, again: bool) -> None:
        self.columns, self.finite, self.again = columns, finite, again
        self.capacity = 0  # 0: the first write decides
        self.written = 0
        self._ring = np.zeros((0, columns))

    def write(self, rows: NDArray[np.float64], played: int) -> None:
        """Take rows (samples, columns) behind those written before.

        Raises
        ------
        DaqFault
            -200292 if there is no room for them.
        """
        if not len(self._ring):
            self.capacity = self.capacity or len(rows)
            self._ring = np.zeros((self.capacity, self.columns))
        if len(rows) > self.room(played):
            raise DaqFault(_SOON, "Some or all of the samples could not be written to the buffer")
        at = (self.written + np.arange(len(rows))) % self.capacity
        self._ring[at] = rows
        self.written += len(rows)

    def room(self, played: int) -> int:
        """Rows that can be written now."""
        if not len(self._ring):
            return self.capacity
        return self.capacity - (self.written - min(played, self.written))

    def rows(self, first: int, count: int) -> NDArray[np.float64]:
        """What is played at ticks from ``first`` on; the last row beyond the end."""
        ticks = np.maximum(first + np.arange(count), 0)
        if self.finite is not None:
            ticks = np.minimum(ticks, self.finite - 1)
        if not self.again:
            ticks = np.minimum(ticks, self.written - 1)
        there = min(self.written, self.capacity)
        return self._ring[ticks % there]  # type: ignore[no-any-return]

    def starved(self, tick: int) -> bool:
        """Whether a tick finds nothing to play."""
        if self.finite is not None and tick >= self.finite:
            return False
        return not self.again and tick >= self.written


class Clocked(ABC):
    """Something that is played.

    Parameters
    ----------
    names : sequence of str
        Lines or outputs, in the order of the columns.
    latency : int
        Samples from a tick until its level is seen.

    Attributes
    ----------
    origin : int
        Sample of the inputs with whose tick it begins; it may lie in an earlier acquisition.
    failed : DaqFault or None
        What has ended it.
    """

    def __init__(self, names: Sequence[str], latency: int) -> None:
        self.names, self.latency = list(names), latency
        self.origin = 0
        self.waits = False
        self.failed: DaqFault | None = None

    def begin(self, sample: int) -> None:
        """Begin with the tick of a sample."""
        self.origin, self.waits = sample, False

    def ticks(self, total: int) -> int:
        """Ticks that have come when the inputs have ``total`` samples."""
        return 0 if self.waits else max(0, total - self.origin)

    @abstractmethod
    def done(self, total: int) -> bool:
        """Whether it is over."""

    @abstractmethod
    def generated(self, total: int) -> int:
        """Samples played."""

    @abstractmethod
    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` that sees another level; ``stop`` if none before."""

    @abstractmethod
    def values(self, sample: int) -> dict[str, float] | None:
        """What a sample sees; None before the first tick is seen."""

    def starved(self, total: int) -> bool:
        """Whether it has run out of samples to be played."""
        return False

    @property
    def resting(self) -> dict[str, float]:
        """What it returns to when it is stopped; empty if it stays as it is."""
        return {}


class _Played(Clocked):
    """Rows of a buffer, one a tick."""

    def __init__(self, names: Sequence[str], latency: int, buffer: Buffer) -> None:
        super().__init__(names, latency)
        self.buffer = buffer

    def done(self, total: int) -> bool:
        """After the last sample one more tick is needed."""
        finite = self.buffer.finite
        return finite is not None and self.ticks(total) > finite

    def generated(self, total: int) -> int:
        """Samples played."""
        finite = self.buffer.finite
        return self.ticks(total) if finite is None else min(self.ticks(total), finite)

    def starved(self, total: int) -> bool:
        """Whether a tick has come for which nothing was written."""
        ticks = self.ticks(total)
        return ticks > 0 and self.buffer.starved(ticks - 1)

    def values(self, sample: int) -> dict[str, float] | None:
        """Row that a sample sees."""
        tick = sample - self.latency - self.origin
        if self.waits or tick < 0:
            return None
        return dict(zip(self.names, self.buffer.rows(tick, 1)[0].tolist(), strict=True))

    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` that sees another row, or finds none."""
        if self.waits:
            return stop
        empty = self.origin + self.buffer.written
        if empty > sample and self.buffer.starved(self.buffer.written):
            stop = min(stop, empty)
        first = sample - self.latency - self.origin
        if first < 0:
            return min(stop, sample - first)
        look, done = _LOOK, 0
        now = self.buffer.rows(first, 1)
        while sample + done < stop:
            rows = self.buffer.rows(first + done + 1, min(look, stop - sample - done))
            changed = np.flatnonzero((rows != now).any(axis=1))
            if len(changed):
                return min(stop, sample + done + 1 + int(changed[0]))
            done, look = done + len(rows), 2 * look
        return stop


class PlayedLines(_Played):
    """Levels (0 or 1) of digital lines."""


class PlayedVolts(_Played):
    """Voltages of analogue outputs.

    Attributes
    ----------
    watched : bool
        Whether each step is to be carried out at its sample.
    begins_light : bool
        Whether its first row is, and the world is handed the waveform then.
    """

    watched = begins_light = False

    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` that sees another voltage, if anybody watches."""
        if self.watched:
            return super().next_change(sample, stop)
        first = self.origin + self.latency
        return min(stop, first) if self.begins_light and not self.waits and first > sample else stop

    def column(self, name: str, first: int, count: int, held: float) -> NDArray[np.float64]:
        """Voltages that samples from ``first`` on see; ``held`` before the first tick is seen."""
        start = first - self.latency - self.origin
        if self.waits:
            return np.full(count, held)
        volts = self.buffer.rows(start, count)[:, self.names.index(name)].copy()
        volts[: max(0, -start)] = held
        return volts


class Pulses(Clocked):
    """Pulses of a counter.

    Parameters
    ----------
    line : str
        Line that shares the counter's pin.
    latency : int
        Samples from a tick until its level is seen.
    idle : bool
        Level between the pulses.
    delay, active, rest : float
        Before the first pulse, of a pulse, and between two, in samples of the inputs.
    count : int or None
        Pulses after a trigger; None for ever.
    needs_clock : bool
        Whether the counter counts the inputs' clock and stands still without it; otherwise it
        counts a clock of its own and ends its pulses whatever becomes of the inputs.
    """

    def __init__(
        self,
        line: str,
        latency: int,
        *,
        idle: bool,
        delay: float,
        active: float,
        rest: float,
        count: int | None,
        needs_clock: bool,
    ) -> None:
        super().__init__((line,), latency)
        self.idle, self.needs_clock = idle, needs_clock
        self._delay, self._active, self._period = delay, active, active + rest
        self._count = math.inf if count is None else count
        # A clock of the card's own is not asked when it ticks: an edge is seen by the next sample.
        self._seen: Callable[[float], int] = (
            (lambda at: math.floor(at) + latency) if not needs_clock
            else (lambda at: math.ceil(at) - 1 + latency)
        )  # fmt: skip

    @property
    def length(self) -> float:
        """Samples from the trigger to the end of the last pulse."""
        return self._delay + self._period * (self._count - 1) + self._active

    def done(self, total: int) -> bool:
        """Whether the last pulse is over."""
        return not self.waits and total - self.origin > self.length

    def generated(self, total: int) -> int:
        """Pulses made."""
        through = self.ticks(total) - self._delay - self._active
        return 0 if through < 0 else int(min(self._count, through // self._period + 1))

    def _edges(self, number: int) -> tuple[int, int]:
        """Samples that first see a pulse, and its end."""
        begin = self.origin + self._delay + number * self._period
        return self._seen(begin), self._seen(begin + self._active)

    def _pulse(self, sample: int) -> int:
        """Number of the pulse that is or was the last one at a sample; −1 before the first."""
        number = math.floor((sample - self.origin - self._delay) / self._period) + 1
        number = int(min(max(number, 0), self._count - 1))
        while number >= 0 and self._edges(number)[0] > sample:
            number -= 1
        return int(number)

    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` that sees another level."""
        if self.waits:
            return stop
        number = self._pulse(sample)
        edges = self._edges(number) if number >= 0 else ()
        if number + 1 < self._count:
            edges = (*edges, *self._edges(number + 1))
        return min([stop, *(edge for edge in edges if edge > sample)])

    def values(self, sample: int) -> dict[str, float] | None:
        """Level that a sample sees."""
        if self.waits:
            return self.resting
        number = self._pulse(sample)
        inside = number >= 0 and sample < self._edges(number)[1]
        return {self.names[0]: float(inside is not self.idle)}

    @property
    def resting(self) -> dict[str, float]:
        """The idle level."""
        return {self.names[0]: float(self.idle)}


@dataclass
class OutputWave:
    """What an analogue output plays on a clock of its own: volts, rate (Hz), once or for ever."""

    volts: NDArray[np.float64]
    rate: float
    continuous: bool
    begin: float = field(default_factory=time.monotonic)
    begin_sample: int | None = None

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voltage at times since the beginning; 0 V before it, the last value after it."""
        index = np.floor(seconds * self.rate + 1e-6).astype(np.int64)
        if self.continuous:
            index = np.where(index < 0, -1, index % len(self.volts))
        values = self.volts[np.clip(index, 0, len(self.volts) - 1)]
        return np.where(index < 0, 0.0, values)

    @property
    def done(self) -> bool:
        """Whether it has been played to its end."""
        return not self.continuous and time.monotonic() - self.begin >= len(self.volts) / self.rate
