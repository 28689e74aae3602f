"""A task of the virtual NI card: what a client has described, and its attributes by number."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .ni_server_card import Card
from .ni_server_generation import INPUT_CLOCK, Generation
from .ni_server_outputs import OutputWave
from .ni_server_stream import Acquisition, DaqFault

__all__ = ["CONTINUOUS", "FINITE", "CardTask"]

FINITE, CONTINUOUS = 10178, 10123
_OVERWRITE, _KEEP = 10252, 10159
_CURRENT, _MOST_RECENT, _FIRST = 10425, 10428, 10424
_REGENERATE = 10097
_CHANNEL_TYPES = {"ai": 10100, "ao": 10102, "di": 10151, "do": 10153, "co": 10132}
_VOLTS = _ONCE = 1
_HALF = 32768.0

Kind = Literal["", "ai", "ao", "di", "do", "co"]


@dataclass
class CardTask:
    """A task.

    Attributes
    ----------
    name : str
        Its name.
    card : Card
        Where it runs.
    peer : str
        Client that made it.
    kind : str
        What its channels are.
    names : list of str
        Virtual channels.
    places : list
        Column of an input, name of an output, or lines of a channel.
    """

    name: str
    card: Card
    peer: str
    kind: Kind = ""
    names: list[str] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    rate: float = 0.0
    mode: int = FINITE
    samples: int = 1000
    clock: str = ""
    trigger: str = ""
    buffer: int = 0
    settings: dict[int, int] = field(
        default_factory=lambda: {0x1211: _KEEP, 0x190A: _CURRENT, 0x190B: 0, 0x1453: _REGENERATE}
    )
    running: bool = False
    volts: NDArray[np.float64] | None = None
    acquisition: Acquisition | None = None
    generation: Generation | None = None

    # -- description ------------------------------------------------------------------------------

    def add(self, kind: Kind, name: str, place: Any) -> None:
        """Add a channel.

        Raises
        ------
        DaqFault
            For channels of different kinds in one task, or one that is there already.
        """
        if self.running:
            raise DaqFault(-200557, "Specified operation cannot be performed while the task runs")
        if self.kind not in ("", kind):
            raise DaqFault(-200559, "Task cannot contain channels of different types")
        if name in self.names:
            raise DaqFault(-200489, f"Specified channel cannot be added to the task: {name}")
        self.kind = kind
        self.names.append(name)
        self.places.append(place)

    def time(self, rate: float, source: str, mode: int, samples: int) -> None:
        """Set the sample clock.

        Raises
        ------
        DaqFault
            -200077 for a rate, a mode or a clock that this kind of channel does not have here.
        """
        own, model = self.kind == "ai" and not source, self.card.model
        if own and abs(rate / self.card.sample_rate - 1.0) > 1e-9:
            raise _unsupported(
                f"rate {rate:g} Hz, this card samples at {self.card.sample_rate:g} Hz only"
            )
        if mode not in (FINITE, CONTINUOUS):
            raise _unsupported(f"sample mode {mode}")
        if self.kind == "do" and not all(model.clocked(line) for line in self.lines):
            raise _unsupported(f"{', '.join(self.lines)} cannot be clocked on a {model.product}")
        if self.kind == "do" and INPUT_CLOCK not in source.lower():
            raise _unsupported("digital lines of this card play on the clock of its inputs only")
        if self.kind in ("ao", "do"):
            fastest = model.line_rate if self.kind == "do" else model.output_rate
            if not 0.0 < rate <= fastest:
                raise _unsupported(f"rate {rate:g} Hz, up to {fastest:g} Hz on a {model.product}")
            if INPUT_CLOCK in source.lower():
                names = self.lines if self.kind == "do" else self.places
                self.generation = Generation(self.card, self.kind, list(names))
                self.generation.capacity = self.buffer
        self.rate, self.clock, self.mode, self.samples = rate, source, mode, samples
        if not self.buffer and self.kind == "ai":
            self.buffer = samples

    @property
    def lines(self) -> list[str]:
        """Digital lines of all channels."""
        if self.kind == "co":
            return [self.card.model.pins[place] for place in self.places]
        return [line for place in self.places for line in place] if "d" in self.kind[:1] else []

    @property
    def holds(self) -> bool:
        """Whether it has reserved its lines: it runs, or has been written to."""
        return self.running or (self.generation is not None and self.generation.holds)

    @property
    def finite(self) -> int | None:
        """Samples or pulses of a finite operation; None for a continuous one."""
        return self.samples if self.mode == FINITE else None

    # -- running ----------------------------------------------------------------------------------

    def start_input(self) -> None:
        """Start the acquisition."""
        if self.card.acquisition is not None:
            raise DaqFault(-50103, "The specified resource is reserved by another task")
        finite = self.samples if self.mode == FINITE else None
        capacity = max(2, self.buffer, finite or 0)
        overwrite = self.settings[0x1211] == _OVERWRITE
        self.acquisition = self.card.begin(capacity, overwrite, finite)
        self.running = True

    def write(self, rows: NDArray[np.float64], timeout: float) -> None:
        """Write rows (samples, columns) of a clocked output.

        Raises
        ------
        DaqFault
            As :meth:`.Generation.write` raises it.
        """
        assert self.generation is not None
        again = self.settings[0x1453] == _REGENERATE
        self.generation.write(rows, self.finite, again, timeout)

    def start_clocked(self) -> None:
        """Start a clocked output."""
        assert self.generation is not None
        self.generation.start(self.finite, self.trigger)
        self.running = True

    def start_output(self) -> list[tuple[str, OutputWave]]:
        """What the outputs are to play.

        Raises
        ------
        DaqFault
            If nothing has been written.
        """
        if self.volts is None:
            raise DaqFault(-200462, "Generation cannot be started: no samples have been written")
        self.running = True
        again = self.mode == CONTINUOUS and self.settings[0x1453] == _REGENERATE
        return [
            (name, OutputWave(self.volts[:, k].copy(), self.rate or 1.0, again))
            for k, name in enumerate(self.places)
        ]

    def stop(self) -> None:
        """Stop; outputs keep what they have."""
        if self.acquisition is not None:
            if self.card.acquisition is self.acquisition:
                self.card.end()
            self.acquisition = None
        if self.generation is not None:
            self.generation.stop()
        self.running = False

    @property
    def done(self) -> bool:
        """Whether a finite operation is over, or nothing runs."""
        if not self.running:
            return True
        if self.generation is not None:
            return self.generation.done
        if self.kind == "ao":
            played = [self.card.waveforms.get(place) for place in self.places]
            return all(waveform is not None and waveform.done for waveform in played)
        return self.acquisition is not None and self.acquisition.done

    @property
    def again(self) -> bool:
        """Whether it takes its trigger again and again."""
        return self.generation is not None and self.generation.retriggerable

    def ending(self) -> int | None:
        """Code with which it has come to its end, 0 for a good one; None while it runs."""
        try:
            return 0 if self.done else None
        except DaqFault as fault:
            return fault.code

    def wait_done(self, timeout: float) -> bool:
        """Wait until done."""
        deadline = time.monotonic() + (3600.0 if timeout < 0 else timeout)
        while not self.done:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def require_acquisition(self) -> Acquisition:
        """Return the running acquisition, moved to where the next read begins."""
        if self.acquisition is None:
            raise DaqFault(-200983, "The task is not running: start it before reading")
        relative, offset = self.settings[0x190A], self.settings[0x190B]
        if relative == _FIRST:
            offset -= self.acquisition.position
        elif relative == _MOST_RECENT:
            self.acquisition.catch_up()
            offset += self.acquisition.arrived - self.acquisition.position
        self.acquisition.offset = offset
        return self.acquisition

    # -- attributes -------------------------------------------------------------------------------

    def attribute(self, number: int, channel: str = "") -> Any:
        """Value of an attribute.

        Raises
        ------
        DaqFault
            -200452 for one that this card does not have.
        """
        if number in self.settings:
            return self.settings[number]
        for table in (self._task_attributes, self._read_attributes, self._channel_attributes):
            values = table(channel)
            if number in values:
                return values[number]
        raise DaqFault(
            -200452, f"Specified property is not supported by the virtual card: 0x{number:04X}"
        )

    def set_attribute(self, number: int, value: Any) -> None:
        """Set an attribute."""
        if number in (0x186C, 0x186D):
            self.buffer = int(value)
            if self.generation is not None:
                self.generation.capacity = self.buffer
        elif number == 0x190F and self.generation is not None:
            self.generation.retriggerable = bool(value)
        elif number in self.settings:
            self.settings[number] = int(value)
        elif number == 0x1344:
            self.time(float(value), self.clock, self.mode, self.samples)
        else:
            raise DaqFault(-200452, f"Property 0x{number:04X} cannot be set on the virtual card")

    def _task_attributes(self, _channel: str) -> dict[int, Any]:
        """Attributes of task, buffer, timing and trigger."""
        return {
            0x1276: self.name,
            0x1273: ", ".join(self.names),
            0x2181: len(self.names),
            0x230E: self.card.device if self.kind else "",
            0x29BA: 1 if self.kind else 0,
            0x1274: self.ending() is not None,
            0x186C: self.buffer,
            0x186D: self.buffer,
            0x230A: 4095,
            0x1344: self.rate,
            0x1300: self.mode,
            0x1310: self.samples,
            0x1852: self.clock or f"/{self.card.device}/{self.kind}/SampleClock",
            0x1848: self.card.model.conversion_rate or self.rate,
            0x1407: self.trigger,
            0x1393: 10150 if self.trigger else 10230,
        }

    def _read_attributes(self, _channel: str) -> dict[int, Any]:
        """Attributes of reading and writing."""
        running = self.acquisition
        if running is not None:
            running.catch_up()
        total = 0 if running is None else running.arrived
        position = 0 if running is None else running.position
        lines = len(self.places[0]) if self.kind in ("do", "di") else 0
        ready = self.samples if self.mode == FINITE else max(0, total - position)
        generated = {} if self.generation is None else self.generation.attributes()
        return {
            0x217B: len(self.names),
            0x217E: len(self.names),
            0x217A: 2 * len(self.names),
            0x217D: 2 * len(self.names),
            0x217C: lines,
            0x217F: lines,
            0x1223: max(0, total - position),
            0x31E8: ready if self.kind == "ai" else 1,
            0x1221: position,
            0x192A: total,
            0x1823: ", ".join(self.names),
            0x1215: False,
            0x1826: True,
            0x1460: self.buffer,
            0x190F: self.generation is not None and self.generation.retriggerable,
            **generated,
        }

    def _channel_attributes(self, channel: str) -> dict[int, Any]:
        """Attributes of one channel, or of all of them."""
        if not self.kind:
            return {}
        values: dict[int, Any] = {0x187F: _CHANNEL_TYPES[self.kind]}
        if self.kind == "co":
            pin = 12 + list(self.card.model.pins).index(self.places[0])
            values[0x18E1] = f"/{self.card.device}/PFI{pin}"
        if self.kind == "ai":
            column = self.places[self.names.index(channel)] if channel in self.names else 0
            scale = self.card.scales[column]
            full = scale * _HALF
            values |= {
                0x18F5: f"{self.card.device}/{self.card.inputs[column]}",
                0x1930: [0.0, scale, 0.0, 0.0],
                0x22DA: 16,
                0x1765: 16.0,
                0x1815: full,
                0x1816: -full,
                0x17DD: full,
                0x17DE: -full,
                0x1097: 10106,  # differential
                0x0695: 10322,  # voltage
            }
        return values


def _unsupported(what: str) -> DaqFault:
    return DaqFault(-200077, f"Requested value is not supported: {what}")
