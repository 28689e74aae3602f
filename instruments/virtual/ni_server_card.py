"""The virtual NI card: its inputs, lines and outputs, their wiring, and what plays on its clock."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..protocols import Digitizer, Gate
from .ni_server_light import LightOutputs
from .ni_server_models import MODELS
from .ni_server_outputs import UNDERFLOW, Clocked, OutputWave, PlayedVolts, Pulses
from .ni_server_stream import Acquisition, DaqFault

__all__ = ["Card", "StepHook", "Timer", "TimerMaker", "wall_timer"]

_HALF = 32768.0
_OUTPUT_RANGE = 10.0
_LOGGED = 200_000  # changes of lines kept

WaveformHook = Callable[[str, NDArray[np.float64], float, bool], None]
StepHook = Callable[[float], None]


class Timer(Protocol):
    """Something that acts once, later, unless it is cancelled before."""

    def start(self) -> None:
        """Let its time begin."""

    def cancel(self) -> None:
        """Have it not act."""


TimerMaker = Callable[[float, Callable[[], None]], Timer]
"""Makes a timer of a time, s, and of what is done when it has passed."""


def wall_timer(seconds: float, action: Callable[[], None]) -> Timer:
    """Return a timer of real time, on a thread of its own that does not keep the program."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    return timer


class Card:
    """A card whose inputs see a digitizer and whose lines and outputs drive the laboratory.

    Parameters
    ----------
    digitizer : Digitizer
        Its channels are ai0, ai1, …
    gate : Gate or None
        Driven by ``gate_line``.
    device : str
        Name of the card.
    model : str
        Which card it is, of :data:`~.ni_server_models.MODELS`.
    gate_line : str
        Line that drives the gate.
    gate_high_closes : bool
        Polarity of that line.
    gate_delay : float
        From the switching of the line until the gate acts, s.
    wires : mapping
        Further inputs: "ai4" → what it is wired to: an output ("ao0"), a line ("port0/line1") or
        "generator".
    generator : tuple of float
        Frequency (Hz) and amplitude (V) of a generator of sine waves beside the card.
    edge_samples : int
        Samples after its tick with which a played level is seen, 1 or 2 on real cards.
    latency : float
        Age of samples when they reach the computer, s: the card takes them so much earlier.
    steps : mapping
        Outputs ("ao0") and what is called with each new voltage, at its sample.
    light : LightOutputs or None
        Outputs that modulate the light of the world.
    on_waveform : callable or None
        Called with (output, volts, rate, continuous) when an output starts on a clock of its own.
    watchdog : bool
        Whether it has a watchdog timer.
    make_timer : callable
        Keeps the time of the watchdog.

    Attributes
    ----------
    history : deque of (float, int, str, bool)
        Changes of lines: time of the monotonic clock (s), sample, line, level.
    """

    def __init__(
        self,
        digitizer: Digitizer,
        gate: Gate | None,
        *,
        device: str = "Dev1",
        model: str = "x-series",
        gate_line: str = "port0/line0",
        gate_high_closes: bool = True,
        gate_delay: float = 0.0,
        wires: Mapping[str, str] | None = None,
        generator: tuple[float, float] = (1e4, 1.0),
        edge_samples: int = 1,
        latency: float = 0.0,
        steps: Mapping[str, StepHook] | None = None,
        light: LightOutputs | None = None,
        on_waveform: WaveformHook | None = None,
        watchdog: bool = True,
        make_timer: TimerMaker = wall_timer,
    ) -> None:
        info = self.info = digitizer.info
        self.device, self._digitizer, self._gate = device, digitizer, gate
        self.model = MODELS[model]
        self.sample_rate, self.edge_samples = info.sample_rate, edge_samples
        self._transfer = round(latency * info.sample_rate)
        self.wires, self._generator = dict(wires or {}), generator
        self.inputs = [f"ai{i}" for i in range(len(info.channels))] + list(self.wires)
        self.scales = list(info.scale) + [_OUTPUT_RANGE / _HALF] * len(self.wires)
        self.outputs = [f"ao{k}" for k in range(self.model.outputs)]
        self.lines = self.model.lines
        self.gate_line, self.gate_high_closes = gate_line, gate_high_closes
        self._delay = gate_delay
        self.levels = dict.fromkeys(self.lines, False)
        self.history: deque[tuple[float, int, str, bool]] = deque(maxlen=_LOGGED)
        self.watchdog, self.make_timer, self.locked = watchdog, make_timer, set[str]()
        if gate is not None:
            self.levels[gate_line] = gate.read() is gate_high_closes
        self.waveforms: dict[str, OutputWave] = {}
        self.volts = dict.fromkeys(self.outputs, 0.0)  # of outputs that play nothing
        self._steps, self._light, self._on_waveform = dict(steps or {}), light, on_waveform
        self.playing: list[Clocked] = []
        self.acquisition: Acquisition | None = None
        self.lock = threading.RLock()

    # -- inputs -----------------------------------------------------------------------------------

    def require_input(self, name: str, low: float, high: float) -> int:
        """Column of an input whose range is not exceeded."""
        short = self.short(name)
        if short not in self.inputs:
            raise DaqFault(-200170, f"Physical channel specified does not exist: {name}")
        column = self.inputs.index(short)
        full = self.scales[column] * _HALF
        if max(abs(low), abs(high)) > full * (1.0 + 1e-9):
            raise DaqFault(
                -200077, f"Requested value is not supported: ±{full:g} V is the range of {name}"
            )
        return column

    @property
    def total(self) -> int:
        """Samples that the inputs have taken since their start."""
        return 0 if self.acquisition is None else self.acquisition.total

    def begin(self, capacity: int, overwrite: bool, finite: int | None) -> Acquisition:
        """Make the acquisition that a task starts."""
        wires = [self._wire(name, source) for name, source in self.wires.items()]
        for waveform in self.waveforms.values():
            elapsed = time.monotonic() - waveform.begin
            waveform.begin_sample = -round(elapsed * self.sample_rate)
        self.acquisition = Acquisition(
            self._digitizer,
            wires,
            capacity=capacity,
            overwrite=overwrite,
            finite=finite,
            clock=self,
            transfer=self._transfer,
        )
        return self.acquisition

    def end(self) -> None:
        """Stop the acquisition, if there is one: what it clocks stands still."""
        acquisition, self.acquisition = self.acquisition, None
        if acquisition is None:
            return
        acquisition.stop()
        with self.lock:
            for output in list(self.playing):
                output.origin -= acquisition.total
                if isinstance(output, Pulses) and not output.needs_clock and not output.waits:
                    self.playing.remove(output)  # it counts a clock of its own: it ends its pulse
                    self._apply(output.resting, 0)

    def _wire(self, name: str, source: str) -> Callable[[int, int], NDArray[np.int16]]:
        """What an input sees that is wired to something; a multiplexed one sees it later."""
        rate = self.model.conversion_rate
        late = self.inputs.index(name) / rate * self.sample_rate if rate else 0.0

        def line(first: int, rows: int) -> NDArray[np.float64]:
            return np.full(rows, 5.0 if self.levels[source] else 0.0)

        def output(first: int, rows: int) -> NDArray[np.float64]:
            for playing in self.playing:
                if isinstance(playing, PlayedVolts) and source in playing.names:
                    return playing.column(source, first, rows, self.volts[source])
            waveform = self.waveforms.get(source)
            if waveform is None:
                return np.full(rows, self.volts[source])
            since = first - (waveform.begin_sample or 0) + np.arange(rows)
            return waveform.at(since / self.sample_rate)

        def sine(first: int, rows: int) -> NDArray[np.float64]:
            frequency, amplitude = self._generator
            turns = (first + late + np.arange(rows)) * (frequency / self.sample_rate)
            return np.asarray(amplitude * np.sin(math.tau * turns))

        volts = sine if source == "generator" else line if source in self.lines else output

        def counts(first: int, rows: int) -> NDArray[np.int16]:
            scaled = np.rint(volts(first, rows) / _OUTPUT_RANGE * _HALF)
            return scaled.clip(-_HALF, _HALF - 1.0).astype(np.int16)

        return counts

    # -- outputs ----------------------------------------------------------------------------------

    def require_unlocked(self, lines: Iterable[str]) -> None:
        """Refuse lines that an expired watchdog holds.

        Raises
        ------
        DaqFault
            -200678.
        """
        if locked := sorted(self.locked & set(lines)):
            raise DaqFault(-200678, f"The watchdog timer has expired: {', '.join(locked)}")

    def set_lines(self, levels: Mapping[str, bool]) -> None:
        """Switch lines at the present sample; the gate follows after its delay."""
        with self.lock:
            self.now(lambda: self._apply({k: float(v) for k, v in levels.items()}, self.total))

    def set_volts(self, name: str, volts: float) -> None:
        """Hold a voltage from the present sample on."""
        with self.lock:
            self.now(lambda: self._apply({name: volts}, self.total))

    def now(self, action: Callable[[], None]) -> None:
        """Carry out an action at the present sample; no sample is taken meanwhile."""
        if self.acquisition is None:
            action()
        else:
            self.acquisition.now(action)

    def _apply(self, values: Mapping[str, float], sample: int) -> None:
        """Let lines and outputs have values from a sample on."""
        for name, value in values.items():
            if name in self.volts:
                self.waveforms.pop(name, None)
                if value != self.volts[name] and name in self._steps:
                    self._steps[name](value)
                self.volts[name] = value
                if self._light is not None and name in self._light.wires:
                    self._light.hold(self.volts)
            elif self.levels[name] is not bool(value) and name not in self.locked:
                self.levels[name] = bool(value)
                self.history.append((time.monotonic(), sample, name, bool(value)))
                if name == self.gate_line and self._gate is not None:
                    self._switch_gate(bool(value) is self.gate_high_closes, sample)

    def _switch_gate(self, closed: bool, sample: int) -> None:
        assert self._gate is not None
        gate, later = self._gate, round(self._delay * self.sample_rate)
        if self.acquisition is None or later <= 0:
            gate.set(closed)
        else:
            self.acquisition.schedule(sample + later, lambda: gate.set(closed))

    def play(self, name: str, waveform: OutputWave) -> None:
        """Let an output play on a clock of its own from the present sample on."""
        with self.lock:
            if self.acquisition is not None:
                self.acquisition.catch_up()
                waveform.begin_sample = self.acquisition.total
            self.waveforms[name] = waveform
        if self._on_waveform is not None:
            self._on_waveform(name, waveform.volts, waveform.rate, waveform.continuous)

    # -- what is played on the inputs' clock ------------------------------------------------------

    def start(self, output: Clocked, *, triggered: bool) -> None:
        """Let an output play from the next tick on, or from the inputs' start."""

        def begin() -> None:
            output.begin(self.total)
            output.waits = triggered
            if isinstance(output, PlayedVolts):
                self._prepare(output)
            self.playing.append(output)
            self._apply(output.resting, self.total)

        with self.lock:
            self.now(begin)

    def stop(self, output: Clocked) -> None:
        """Stop it; lines and voltages stay as they are, a counter returns to its idle level."""

        def finish() -> None:
            if output in self.playing:
                self._apply(output.values(self.total - 1) or {}, self.total)
                self._take_out(output)
            self._apply(output.resting, self.total)

        with self.lock:
            self.now(finish)

    def _prepare(self, output: PlayedVolts) -> None:
        """See whether each step of an output is to be carried out, or its waveform handed on."""
        light = self._light
        output.begins_light = light is not None and light.follows(output)
        known = set(self._steps) | (
            set() if light is None or output.begins_light else set(light.wires)
        )
        output.watched = bool(known & set(output.names))

    def _take_out(self, output: Clocked) -> None:
        """End what an output plays; its voltages rest where they are."""
        self.playing.remove(output)
        if isinstance(output, PlayedVolts) and self._light is not None:
            self._light.end(output, self.volts)

    def trigger(self, outputs: Iterable[Clocked]) -> None:
        """Begin those of the outputs that wait for a trigger, or whose last pulses are over."""

        def begin() -> None:
            for output in outputs:
                if output.waits or output.done(self.total):
                    output.begin(self.total)

        self.now(begin)

    def reach(self, sample: int) -> None:
        """Let everything that is played act on a sample; called before it is taken."""
        for output in list(self.playing):
            if output.starved(sample + 1):
                output.failed = DaqFault(
                    UNDERFLOW, "The generation has stopped to prevent the regeneration of old "
                    "samples: the application does not write fast enough"
                )  # fmt: skip
                self._take_out(output)
            values = output.values(sample)
            if values is not None:
                if isinstance(output, PlayedVolts) and output.begins_light and self._light:
                    output.begins_light = False
                    self._light.begin(output)
                self._apply(values, sample)

    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` on which something else acts, ``stop`` at the latest."""
        return min([stop, *(output.next_change(sample, stop) for output in self.playing)])

    def break_output(self, code: int = -200621) -> None:
        """Let all that is played end with an error, as an underflow of a card's memory does."""

        def fail() -> None:
            for output in list(self.playing):
                output.failed = DaqFault(code, "Onboard device memory underflow")
                self._take_out(output)

        with self.lock:
            self.now(fail)

    # -- what it says of itself -------------------------------------------------------------------

    def short(self, name: str) -> str:
        """Name of a channel or line without the device.

        Raises
        ------
        DaqFault
            -200220 for another device.
        """
        device, _, short = name.lstrip("/").partition("/")
        if device.lower() != self.device.lower():
            raise DaqFault(-200220, f"Device identifier is invalid: {device}")
        return short.lower()

    def attributes(self) -> dict[int, Any]:
        """Attributes of the device by number (DAQmx_Dev_…)."""
        full = sorted({scale * _HALF for scale in self.scales})
        ranges = [bound for value in full for bound in (-value, value)]
        return self.model.attributes(self.device, self.inputs, ranges, self.sample_rate)
