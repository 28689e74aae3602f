"""The virtual NI card: what it says of itself, its lines and outputs and their wiring."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..protocols import Digitizer, Gate
from .ni_server_stream import Acquisition, DaqFault

__all__ = ["Card", "OutputWave", "Timer", "TimerMaker", "wall_timer"]

_HALF = 32768.0
_PORT_LINES = 8
_OUTPUTS = ("ao0", "ao1")
_OUTPUT_RANGE = 10.0
_OUTPUT_RATE = 2.86e6

WaveformHook = Callable[[str, NDArray[np.float64], float, bool], None]


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


@dataclass
class OutputWave:
    """What an analogue output plays: volts, rate (Hz), for ever or once, and since when."""

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


class Card:
    """An X-series card whose inputs see a digitizer and whose first line drives a gate.

    Parameters
    ----------
    digitizer : Digitizer
        Its channels are ai0, ai1, …
    gate : Gate or None
        Driven by ``gate_line``.
    device : str
        Name of the card.
    gate_line : str
        Line that drives the gate.
    gate_high_closes : bool
        Polarity of that line.
    gate_delay : float
        From the switching of the line until the gate acts, s.
    wires : mapping
        Further inputs: "ai4" → the output ("ao0") or line ("port0/line1") it is wired to.
    on_waveform : callable or None
        Called with (output, volts, rate, continuous) when an output starts to play.
    watchdog : bool
        Whether it has a watchdog timer.
    make_timer : callable
        Keeps the time of the watchdog.
    """

    def __init__(
        self,
        digitizer: Digitizer,
        gate: Gate | None,
        *,
        device: str = "Dev1",
        gate_line: str = "port0/line0",
        gate_high_closes: bool = True,
        gate_delay: float = 0.0,
        wires: Mapping[str, str] | None = None,
        on_waveform: WaveformHook | None = None,
        watchdog: bool = True,
        make_timer: TimerMaker = wall_timer,
    ) -> None:
        info = self.info = digitizer.info
        self.device, self._digitizer, self._gate = device, digitizer, gate
        self.sample_rate = info.sample_rate
        self.wires = dict(wires or {})
        self.inputs = [f"ai{i}" for i in range(len(info.channels))] + list(self.wires)
        self.scales = list(info.scale) + [_OUTPUT_RANGE / _HALF] * len(self.wires)
        self.outputs = list(_OUTPUTS)
        self.lines = [f"port0/line{i}" for i in range(_PORT_LINES)]
        self.gate_line, self.gate_high_closes = gate_line, gate_high_closes
        self._delay = gate_delay
        self.levels = dict.fromkeys(self.lines, False)
        self.watchdog, self.make_timer, self.locked = watchdog, make_timer, set[str]()
        if gate is not None:
            self.levels[gate_line] = gate.read() is gate_high_closes
        self.waveforms: dict[str, OutputWave] = {}
        self._on_waveform = on_waveform
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

    def begin(self, capacity: int, overwrite: bool, finite: int | None) -> Acquisition:
        """Make the acquisition that a task starts."""
        wires = [self._wire(source) for source in self.wires.values()]
        for waveform in self.waveforms.values():
            elapsed = time.monotonic() - waveform.begin
            waveform.begin_sample = -round(elapsed * self.sample_rate)
        self.acquisition = Acquisition(
            self._digitizer, wires, capacity=capacity, overwrite=overwrite, finite=finite
        )
        return self.acquisition

    def end(self) -> None:
        """Stop the acquisition, if there is one."""
        acquisition, self.acquisition = self.acquisition, None
        if acquisition is not None:
            acquisition.stop()

    def _wire(self, source: str) -> Callable[[int, int], NDArray[np.int16]]:
        """What an input sees that is wired to an output or a line."""

        def line(_first: int, rows: int) -> NDArray[np.int16]:
            level = 5.0 if self.levels[source] else 0.0
            return np.full(rows, round(level / _OUTPUT_RANGE * _HALF), dtype=np.int16)

        def output(first: int, rows: int) -> NDArray[np.int16]:
            waveform = self.waveforms.get(source)
            if waveform is None:
                return np.zeros(rows, dtype=np.int16)
            since = first - (waveform.begin_sample or 0) + np.arange(rows)
            counts = np.rint(waveform.at(since / self.sample_rate) / _OUTPUT_RANGE * _HALF)
            return counts.clip(-_HALF, _HALF - 1.0).astype(np.int16)

        return line if source in self.lines else output

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

        def switch() -> None:
            self.levels.update(levels)

        with self.lock:
            self._at(0.0, switch)
            if self._gate is not None and self.gate_line in levels:
                gate, closed = self._gate, levels[self.gate_line] is self.gate_high_closes
                self._at(self._delay, lambda: gate.set(closed))

    def _at(self, delay: float, action: Callable[[], None]) -> None:
        if self.acquisition is None:
            action()
        else:
            self.acquisition.at(delay, action)

    def play(self, name: str, waveform: OutputWave) -> None:
        """Let an output play from the present sample on."""
        with self.lock:
            if self.acquisition is not None:
                self.acquisition.catch_up()
                waveform.begin_sample = self.acquisition.total
            self.waveforms[name] = waveform
        if self._on_waveform is not None:
            self._on_waveform(name, waveform.volts, waveform.rate, waveform.continuous)

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
        listed = {
            "ai": ", ".join(f"{self.device}/{name}" for name in self.inputs),
            "ao": ", ".join(f"{self.device}/{name}" for name in self.outputs),
            "do": ", ".join(f"{self.device}/{name}" for name in self.lines),
        }
        return {
            0x0631: "PCIe-6374",  # product type
            0x0632: 0x0B1D,  # serial number
            0x22CA: True,  # is simulated
            0x231E: listed["ai"],
            0x231F: listed["ao"],
            0x2320: listed["do"],
            0x2322: listed["do"],
            0x298C: self.sample_rate,  # fastest single-channel rate
            0x298D: self.sample_rate,  # fastest multi-channel rate
            0x298E: self.sample_rate,  # slowest rate
            0x298F: True,  # simultaneous sampling
            0x2990: ranges,
            0x2985: True,  # digital triggers
            0x2984: False,  # analogue triggers
            0x2997: _OUTPUT_RATE,
            0x2998: 1e-2,
            0x2996: True,  # outputs have a sample clock
            0x299B: [-_OUTPUT_RANGE, _OUTPUT_RANGE],
        }
