"""What the suite asks of each family of devices; drivers and simulated twins satisfy these.

``connect`` reads a device's state and writes nothing. No call waits without a timeout; a failure is
a :class:`~optobind.models.errors.DeviceError` whose text names the device and the remedy. A device
is driven by one thread at a time: the runner's, while the light changes the light's, a gauge by one
of its own; only ``disconnect`` of a gauge may come from another thread, to end a call that hangs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import BlockStatus
from .capabilities import (
    DigitizerCapabilities,
    GateCapabilities,
    GaugeCapabilities,
    LightCapabilities,
    RFCapabilities,
    SlmCapabilities,
)
from .light_protocol import AppliedLight, TweezerControl

__all__ = [
    "AppliedLight",
    "ChecksPattern",
    "ChecksTones",
    "Device",
    "DeviceReport",
    "DeviceState",
    "Digitizer",
    "DigitizerCapabilities",
    "DigitizerInfo",
    "Gate",
    "GateCapabilities",
    "Gauge",
    "GaugeCapabilities",
    "GaugeReading",
    "LendsLine",
    "LightCapabilities",
    "RFCapabilities",
    "RFSource",
    "RFTone",
    "ReadResult",
    "SlmCapabilities",
    "SpotPattern",
    "SpotSLM",
    "StepsTones",
    "TweezerControl",
]


class DeviceState(Enum):
    """Life cycle of a device."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    READY = "ready"
    RUNNING = "running"
    FAULTED = "faulted"


@runtime_checkable
class Device(Protocol):
    """Anything that can be connected."""

    @property
    def name(self) -> str:
        """Name of the device in the rig, for messages."""
        ...

    @property
    def state(self) -> DeviceState:
        """Where the device is in its life cycle."""
        ...

    def connect(self) -> str:
        """Open the link, read the identity and return it; writes no setting."""
        ...

    def disconnect(self) -> None:
        """Close the link; outputs stay as they are. Safe to call in any state."""
        ...


@dataclass(frozen=True)
class DigitizerInfo:
    """How a digitizer is set up.

    Attributes
    ----------
    sample_rate : float
        Hz, per channel.
    channels : tuple of str
        Names in the order of the columns.
    scale : tuple of float
        Volts per count of each channel (1.0 when ``dtype`` is "float32").
    dtype : {"int16", "float32"}
        Type of the samples that ``read_into`` writes.
    real_time : bool
        False for a virtual clock: samples come as fast as they are asked for and the source waits
        when nobody asks, so that consumers may hold it up without loss.
    mode : {"LIVE", "SIM", "REPLAY"}
        Where the samples come from; shown to the user at all times.
    unit : {"V", "m", "quanta"}
        Unit of scaled samples; anything but volts comes from a replayed record.
    latency : float
        Age of what the device says about itself when it arrives here (transfer over USB or a
        network), s, as far as known: so much has been sampled beyond ``present_sample``.
    delays : tuple of float
        By how much each column is sampled later than the sample clock says, s (a multiplexed card);
        empty where all are sampled at once, or that is not known.
    """

    sample_rate: float
    channels: tuple[str, ...]
    scale: tuple[float, ...]
    dtype: Literal["int16", "float32"] = "int16"
    real_time: bool = True
    mode: Literal["LIVE", "SIM", "REPLAY"] = "LIVE"
    unit: str = "V"
    latency: float = 0.0
    delays: tuple[float, ...] = ()


@dataclass(frozen=True)
class ReadResult:
    """What one ``read_into`` brought.

    Attributes
    ----------
    samples : int
        Rows written; fewer than asked for, perhaps none, where the rest did not come in time,
        before a gap and at the end of a recording.
    first_sample : int
        Index of the first row since ``start``; a jump is a gap (samples that the device lost).
        Without a row it is the index of the next one.
    status : BlockStatus
        Saturation and, for the simulated laboratory, a lost particle.
    finished : bool
        Whether no further sample will come.
    waiting : str
        What the device waits for before its first sample, such as "the start trigger at PFI0";
        empty when it runs.
    """

    samples: int
    first_sample: int
    status: BlockStatus = BlockStatus.OK
    finished: bool = False
    waiting: str = ""


class Digitizer(Device, Protocol):
    """A source of sampled detector voltages."""

    @property
    def info(self) -> DigitizerInfo:
        """Set-up, valid after ``connect``."""
        ...

    def start(self) -> None:
        """Start sampling; the next sample has index 0."""
        ...

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill ``buffer`` (rows, channels), C-contiguous, or its beginning.

        A read must not keep a run from being ended: it waits for the first sample, and for one that
        is late, 0.25 s at most, and returns with what has come, also with nothing. While a start
        trigger is awaited that goes on for ever and ``waiting`` says so.

        Raises
        ------
        DeviceError
            If the device was running and has been silent for longer than its own timeout.
        """
        ...

    def present_sample(self) -> int | None:
        """Index of the sample that is being taken now, as far as the device tells.

        A card is ahead of what has been read, and what software switches acts there: this index
        decides where a release lies in the record. None where the device cannot say; it is taken
        to be at the next sample to be read then.

        Raises
        ------
        DeviceError
            If the device does not answer.
        """
        ...

    def stop(self) -> None:
        """Stop sampling. Safe to call in any state."""
        ...


@dataclass(frozen=True)
class SpotPattern:
    """Spots of a hologram: what an SLM is asked for, or what it shows.

    Attributes
    ----------
    positions : tuple of (x, y, z)
        m.
    weights : tuple of float
        Shares of the diffracted power; they add up to at most 1.
    phases : tuple of float
        Optical phase of each spot, rad.
    """

    positions: tuple[tuple[float, float, float], ...]
    weights: tuple[float, ...]
    phases: tuple[float, ...]


class SpotSLM(Device, Protocol):
    """A phase SLM addressed by spots; the driver computes the hologram."""

    @property
    def capabilities(self) -> SlmCapabilities:
        """Limits."""
        ...

    def show(self, pattern: SpotPattern) -> SpotPattern:
        """Show a pattern and return the one that results (quantised), after settling."""
        ...

    def read(self) -> SpotPattern:
        """Return the pattern shown last."""
        ...


@runtime_checkable
class ChecksPattern(Protocol):
    """A :class:`SpotSLM` that knows beforehand which patterns it would refuse; optional."""

    def check_pattern(self, pattern: SpotPattern) -> None:
        """Raise InputError if ``show`` would; sends nothing."""
        ...


@dataclass(frozen=True)
class RFTone:
    """One channel of an RF source: frequency (Hz), amplitude (V peak), phase (rad), output on."""

    frequency: float
    amplitude: float
    phase: float = 0.0
    enabled: bool = True


class RFSource(Device, Protocol):
    """A multi-channel RF source for AOMs."""

    @property
    def capabilities(self) -> RFCapabilities:
        """Limits."""
        ...

    def set_tone(self, channel: int, tone: RFTone) -> None:
        """Set one channel (counted from 0)."""
        ...

    def align(self) -> None:
        """Align the phases of all channels; needed after every change of frequency."""
        ...

    def read_tone(self, channel: int) -> RFTone:
        """Read one channel back from the device."""
        ...


@runtime_checkable
class ChecksTones(Protocol):
    """An :class:`RFSource` with limits beyond the ranges of its capabilities; optional."""

    def check_tones(self, tones: Sequence[RFTone]) -> None:
        """Raise InputError if setting channel 0, 1, … one after the other would; sends nothing."""
        ...


@runtime_checkable
class StepsTones(Protocol):
    """An :class:`RFSource` that can set a channel without asking it before and after; optional.

    Ramps use it, since on a slow link the questions take longer than the step. A source without it
    is ramped by ``set_tone``.
    """

    def step_tone(self, channel: int, tone: RFTone, before: RFTone | None) -> None:
        """Send what differs from ``before``, everything if that is None; nothing is read back."""
        ...


@dataclass(frozen=True)
class GaugeReading:
    """A pressure: Pa (None unless valid), the gas it is corrected for, and what is wrong."""

    pressure: float | None
    species: str = "air"
    status: str = "ok"


class Gauge(Device, Protocol):
    """A pressure gauge."""

    def read(self) -> GaugeReading:
        """Read the pressure; a reading with status ≠ ok carries no value."""
        ...


class Gate(Device, Protocol):
    """A switch; the feedback gate is closed (True) while feedback cooling acts."""

    def set(self, closed: bool) -> None:
        """Switch; in the simulated laboratory it acts from the next sample on."""
        ...

    def read(self) -> bool:
        """Return whether the gate is closed."""
        ...


@runtime_checkable
class LendsLine(Protocol):
    """A :class:`Gate` on a line that a pattern player drives, too; optional."""

    def lend(self) -> None:
        """Let go of the line, closed as it is; ``connect`` or ``set`` take it back."""
        ...


@dataclass(frozen=True)
class DeviceReport:
    """One line of the rig panel: family, name, driver, state, identity or error."""

    family: str
    name: str
    driver: str
    state: DeviceState
    detail: str = ""
    extra: dict[str, str] = field(default_factory=dict)
