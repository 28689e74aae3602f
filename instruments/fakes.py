"""Scripted fakes of the device families: they do as they are told and fail on cue.

Each fake takes a script of faults: at the n-th call of a method it raises, falls short or stalls.
The same contract tests run on fakes, on the simulated laboratory and on real devices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import BlockStatus
from ..models.errors import DeviceError, InputError
from .driver import NamedDevice
from .patterns import FEEDBACK, Pattern, PatternCapabilities
from .protocols import (
    DeviceState,
    DigitizerInfo,
    GaugeReading,
    ReadResult,
    RFCapabilities,
    RFTone,
    SlmCapabilities,
    SpotPattern,
)

__all__ = [
    "FakeDigitizer",
    "FakeGate",
    "FakeGauge",
    "FakePatternPlayer",
    "FakeRFSource",
    "FakeSLM",
    "Fault",
    "Scripted",
]

_PATIENCE = 0.25  # s that a read waits for a sample


@dataclass(frozen=True)
class Fault:
    """What goes wrong at one call.

    Attributes
    ----------
    kind : {"timeout", "disconnect", "short", "silent", "overflow", "saturated", "end"}
        "timeout" and "disconnect" raise DeviceError, the latter leaves the device faulted;
        "short" ends the recording within this read; "silent" brings a part, or nothing, after the
        longest wait; "overflow" loses samples before it; "saturated" clips; "end" finishes with
        nothing.
    samples : int
        Rows of a short or silent read, or samples lost by an overflow.
    """

    kind: Literal["timeout", "disconnect", "short", "silent", "overflow", "saturated", "end"]
    samples: int = 0


class Scripted(NamedDevice):
    """Counts calls and raises the faults that concern every family."""

    def __init__(self, name: str, faults: Mapping[str, Mapping[int, Fault]] | None) -> None:
        super().__init__(name)
        self._faults = dict(faults or {})
        self._calls: dict[str, int] = {}

    @property
    def calls(self) -> dict[str, int]:
        """How often each method was called."""
        return dict(self._calls)

    def connect(self) -> str:
        """Open the link."""
        self._next("connect")
        self._state = DeviceState.READY
        return f"fake {self._name}"

    def disconnect(self) -> None:
        """Close the link."""
        self._state = DeviceState.DISCONNECTED

    def _next(self, method: str, *, linked: bool = False) -> Fault | None:
        """Count a call; raise if a fault is due that raises, else return the fault."""
        number = self._calls.get(method, 0)
        self._calls[method] = number + 1
        if linked and self._state in (DeviceState.DISCONNECTED, DeviceState.FAULTED):
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        fault = self._faults.get(method, {}).get(number)
        if fault is not None and fault.kind == "timeout":
            raise DeviceError(f"{self._name} did not answer in time: check its cable and power")
        if fault is not None and fault.kind == "disconnect":
            self._state = DeviceState.FAULTED
            raise DeviceError(f"{self._name} was disconnected: check its cable, then reconnect")
        return fault


class FakeDigitizer(Scripted):
    """Plays an array of int16 counts, over and over or once.

    Parameters
    ----------
    samples : ndarray of int16, shape (n, channels)
        What is read.
    sample_rate : float
        Hz.
    faults : mapping, optional
        Faults by method ("connect", "start", "read_into") and number of the call, from 0.
    volts_per_count : float
        Scale of all channels.
    loop : bool
        Begin anew at the end; otherwise the recording finishes.
    pause : float
        Waiting time of each read, s.
    trigger : Event, optional
        Samples begin when it is set.
    """

    def __init__(
        self,
        samples: NDArray[np.int16],
        sample_rate: float = 1e6,
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        volts_per_count: float = 1.0 / 32768.0,
        loop: bool = True,
        pause: float = 0.0,
        trigger: threading.Event | None = None,
        name: str = "digitizer",
    ) -> None:
        super().__init__(name, faults)
        self._samples, self._loop, self._pause = samples, loop, pause
        self._trigger = trigger
        channels = samples.shape[1]
        self._info = DigitizerInfo(
            sample_rate=sample_rate,
            channels=tuple(f"channel {i + 1}" for i in range(channels)),
            scale=(volts_per_count,) * channels,
            real_time=False,
            mode="SIM",
        )
        self._index = 0

    @property
    def info(self) -> DigitizerInfo:
        """Set-up."""
        return self._info

    def start(self) -> None:
        """Start; the next sample has index 0."""
        self._next("start", linked=True)
        self._index = 0
        self._state = DeviceState.RUNNING

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill the buffer, or fail as the script says."""
        fault = self._next("read_into", linked=True)
        if self._state is not DeviceState.RUNNING:
            raise DeviceError(f"{self.name} is not running: start it before reading")
        time.sleep(self._pause)
        if self._trigger is not None and not self._trigger.wait(_PATIENCE):
            return ReadResult(0, self._index, waiting="the trigger of the script")
        rows, status, last = len(buffer), BlockStatus.OK, False
        if fault is not None and fault.kind == "overflow":
            self._index += fault.samples
            status = BlockStatus.GAP_BEFORE
        elif fault is not None and fault.kind == "saturated":
            status = BlockStatus.SATURATED
        elif fault is not None and fault.kind == "silent":
            time.sleep(_PATIENCE)
            rows = min(rows, fault.samples)
        elif fault is not None:
            rows, last = (min(rows, fault.samples) if fault.kind == "short" else 0), True
        if not self._loop and self._index + rows >= len(self._samples):
            rows, last = max(0, len(self._samples) - self._index), True
        first = self._index
        at = (first + np.arange(rows)) % len(self._samples)
        buffer[:rows] = self._samples[at]
        self._index += rows
        return ReadResult(rows, first, status, finished=last)

    def present_sample(self) -> int:
        """Index of the next sample: time passes by reading."""
        return self._index

    def stop(self) -> None:
        """Stop sampling."""
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY


class FakeSLM(Scripted):
    """Keeps the pattern shown last, without rounding."""

    def __init__(
        self,
        pattern: SpotPattern,
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        capabilities: SlmCapabilities | None = None,
        name: str = "slm",
    ) -> None:
        super().__init__(name, faults)
        self._pattern = pattern
        self._capabilities = capabilities or SlmCapabilities(field_of_view=60e-6)

    @property
    def capabilities(self) -> SlmCapabilities:
        """Limits."""
        return self._capabilities

    def show(self, pattern: SpotPattern) -> SpotPattern:
        """Take a pattern over."""
        self._next("show", linked=True)
        self._pattern = pattern
        return pattern

    def read(self) -> SpotPattern:
        """Return the pattern shown last."""
        self._next("read", linked=True)
        return self._pattern


class FakeRFSource(Scripted):
    """Keeps the tones set last."""

    def __init__(
        self,
        tones: Sequence[RFTone],
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        capabilities: RFCapabilities | None = None,
        name: str = "rf",
    ) -> None:
        super().__init__(name, faults)
        self._tones = list(tones)
        self._capabilities = capabilities or RFCapabilities(
            channels=len(tones), frequency_range=(1e6, 2e8), amplitude_range=(0.0, 1.0)
        )

    @property
    def capabilities(self) -> RFCapabilities:
        """Limits."""
        return self._capabilities

    def set_tone(self, channel: int, tone: RFTone) -> None:
        """Set one channel."""
        self._next("set_tone", linked=True)
        self._require_channel(channel)
        self._tones[channel] = tone

    def align(self) -> None:
        """Count an alignment."""
        self._next("align", linked=True)

    def read_tone(self, channel: int) -> RFTone:
        """Read one channel back."""
        self._next("read_tone", linked=True)
        self._require_channel(channel)
        return self._tones[channel]

    def _require_channel(self, channel: int) -> None:
        if not 0 <= channel < len(self._tones):
            raise InputError(f"{self.name} has channels 0 … {len(self._tones) - 1}, got {channel}")


class FakeGauge(Scripted):
    """Returns readings one after the other, the last one for ever."""

    def __init__(
        self,
        readings: Sequence[GaugeReading],
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "gauge",
    ) -> None:
        super().__init__(name, faults)
        self._readings = list(readings)

    def read(self) -> GaugeReading:
        """Return the next reading."""
        self._next("read", linked=True)
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


class FakeGate(Scripted):
    """A gate that remembers every switching."""

    def __init__(
        self,
        *,
        closed: bool = True,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "gate",
    ) -> None:
        super().__init__(name, faults)
        self.history = [closed]

    def set(self, closed: bool) -> None:
        """Switch."""
        self._next("set", linked=True)
        self.history.append(closed)

    def read(self) -> bool:
        """Return whether the gate is closed."""
        self._next("read", linked=True)
        return self.history[-1]


class FakePatternPlayer(Scripted):
    """Keeps what it is armed with and says that it was played, or fails as the script says."""

    def __init__(
        self,
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "pattern",
    ) -> None:
        super().__init__(name, faults)
        self.armed: Pattern | None = None

    @property
    def capabilities(self) -> PatternCapabilities:
        """One line at any usual rate."""
        return PatternCapabilities(lines=(FEEDBACK,), max_rate=1e8)

    @property
    def offset(self) -> int:
        """Edges act where they stand."""
        return 0

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        """Refuse other lines, and waveforms."""
        unknown = ({*pattern.levels} - {FEEDBACK}) | {*pattern.waveforms}
        if unknown:
            raise InputError(f"{self.name} has no {', '.join(sorted(unknown))}")

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Take a pattern over."""
        self._next("arm", linked=True)
        self.check(pattern, sample_rate)
        self.armed = pattern
        self._state = DeviceState.RUNNING

    def played(self) -> int | None:
        """Nothing is known."""
        self._next("played", linked=True)
        return None

    def halt(self) -> None:
        """Forget the pattern."""
        self._next("halt")
        self.armed = None
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY
