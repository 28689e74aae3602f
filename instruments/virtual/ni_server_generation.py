"""What an output task of the virtual NI card generates on the inputs' clock, from write to end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ni_server_card import Card
from .ni_server_outputs import Buffer, Clocked, PlayedLines, PlayedVolts, Pulses
from .ni_server_stream import DaqFault

__all__ = ["INPUT_CLOCK", "INPUT_START", "Generation", "PulseTrain", "pulse_train"]

INPUT_CLOCK, INPUT_START = "ai/sampleclock", "ai/starttrigger"
_LEAST_TICKS = 2
_SOON = -200292


@dataclass(frozen=True)
class PulseTrain:
    """Pulses as a channel describes them, in samples of the inputs; ``count`` None for ever."""

    line: str
    idle: bool
    delay: float
    active: float
    rest: float
    needs_clock: bool


def pulse_train(
    card: Card, line: str, source: str, *, idle: bool, delay: float, low: float, high: float
) -> PulseTrain:
    """Pulses of a counter that counts a clock.

    Parameters
    ----------
    card : Card
        The card.
    line : str
        Line that shares the counter's pin.
    source : str
        Terminal of the clock that it counts.
    idle : bool
        Level between the pulses.
    delay, low, high : float
        Ticks before the first pulse, of the low and of the high level.

    Raises
    ------
    DaqFault
        -200077 for fewer than two ticks, -89120 for a clock that there is not.
    """
    if min(delay, low, high) < _LEAST_TICKS and source:
        raise DaqFault(
            -200077, f"Requested value is not supported: fewer than {_LEAST_TICKS} ticks"
        )
    short = card.short(source) if source else ""
    rates = {name.lower(): rate for name, rate in card.model.timebases.items()}
    needs_clock = short == INPUT_CLOCK
    if not needs_clock and short not in rates:
        raise DaqFault(-89120, f"Source terminal to be routed could not be found: {source}")
    step = 1.0 if needs_clock else card.sample_rate / rates[short]
    active, rest = (high, low) if not idle else (low, high)
    return PulseTrain(line, idle, delay * step, active * step, rest * step, needs_clock)


class Generation:
    """The clocked output of one task.

    Parameters
    ----------
    card : Card
        Where it is played.
    kind : {"ao", "do", "co"}
        What its channels are.
    names : sequence of str
        Outputs or lines, in the order of the columns.
    """

    def __init__(self, card: Card, kind: str, names: list[str]) -> None:
        self._card, self._kind, self._names = card, kind, names
        self.buffer: Buffer | None = None
        self.capacity = 0  # set by the client; 0: the first write decides
        self.train: PulseTrain | None = None
        self.retriggerable = False
        self.output: Clocked | None = None

    @property
    def holds(self) -> bool:
        """Whether it has reserved what it needs."""
        return self.output is not None or self.buffer is not None

    def check(self) -> None:
        """Raise what has ended the generation.

        Raises
        ------
        DaqFault
            -200290 or -200621 after an underflow.
        """
        if self.output is not None and self.output.failed is not None:
            raise self.output.failed

    def write(
        self, rows: NDArray[np.float64], finite: int | None, again: bool, timeout: float
    ) -> None:
        """Write rows (samples, columns), waiting for room in a buffer that is being played.

        Raises
        ------
        DaqFault
            -200292 without room in time, -200290 when the end has been played already.
        """
        if self.buffer is None:
            self.buffer = Buffer(len(self._names), finite, again)
            self.buffer.capacity = self.capacity
        buffer, deadline = self.buffer, time.monotonic() + timeout
        while True:
            self.check()
            try:
                self._card.now(lambda: buffer.write(rows, self._generated()))
                return
            except DaqFault as fault:
                if fault.code != _SOON or self.output is None or time.monotonic() >= deadline:
                    raise
                time.sleep(0.002)

    def start(self, count: int | None, trigger: str) -> None:
        """Begin, or wait for the trigger.

        Raises
        ------
        DaqFault
            -200462 if nothing was written.
        """
        if self.train is not None:
            train = self.train
            self.output = Pulses(
                train.line,
                self._card.edge_samples,
                idle=train.idle,
                delay=train.delay,
                active=train.active,
                rest=train.rest,
                count=count,
                needs_clock=train.needs_clock,
            )
        elif self.buffer is None:
            raise DaqFault(-200462, "Generation cannot be started: no samples have been written")
        else:
            played = PlayedLines if self._kind == "do" else PlayedVolts
            self.output = played(self._names, self._card.edge_samples, self.buffer)
        self._card.start(self.output, triggered=bool(trigger))

    def stop(self) -> None:
        """Stop; what was written is gone."""
        output, self.output, self.buffer = self.output, None, None
        if output is not None:
            self._card.stop(output)

    @property
    def done(self) -> bool:
        """Whether it has come to its end; raises what has ended it before."""
        if self.output is None:
            return True
        if self._card.acquisition is not None:
            self._card.acquisition.catch_up()
        self.check()
        return self.output.done(self._card.total) or self.output not in self._card.playing

    def _generated(self) -> int:
        return 0 if self.output is None else self.output.generated(self._card.total)

    def attributes(self) -> dict[int, Any]:
        """Attributes of writing."""
        if self._card.acquisition is not None:
            self._card.acquisition.catch_up()
        self.check()
        played, buffer = self._generated(), self.buffer
        return {
            0x1458: 0 if buffer is None else buffer.written,
            0x1460: self.capacity if buffer is None else buffer.room(played),
            0x192B: played,
            0x190E: self.output is not None and self.output.done(self._card.total),
        }
