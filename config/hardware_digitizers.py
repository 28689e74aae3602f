"""Schema of ``[devices.digitizer]`` for real devices."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .fields import Bits, Buffer, Latency, Ordinal, Port, SampleRate, Text, Timeout, Voltage
from .hardware import HardwareTable

__all__ = [
    "DigitizerTable",
    "NiDigitizerTable",
    "PicoScopeTable",
    "RedPitayaTable",
    "SpectrumTable",
    "ZurichTable",
]

Inputs = Annotated[list[Text], Field(min_length=1, max_length=64)]
Numbers = Annotated[list[Ordinal], Field(min_length=1, max_length=64)]


class DigitizerTable(HardwareTable):
    """Keys of every digitizer: its inputs, which are the columns of the samples."""

    channels: Inputs | Numbers

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in the order of the columns."""
        return [str(channel) for channel in self.channels]


class NiDigitizerTable(DigitizerTable):
    """Analogue inputs of a National Instruments card; ``grpc`` is the address of a device server.

    ``clock = "fast"`` is for a virtual laboratory whose clock waits for the reader; ``latency`` is
    the age of the card's count of samples when it arrives here (USB, network), as measured.
    """

    driver: Literal["ni"]
    device: Text = "Dev1"
    channels: Inputs
    sample_rate: SampleRate
    full_scale: Voltage = 10.0
    terminal: Literal["default", "RSE", "NRSE", "Diff", "PseudoDiff"] = "default"
    start_trigger: Text | None = None
    trigger_edge: Literal["rising", "falling"] = "rising"
    sample_clock: Text | None = None
    buffer: Buffer = 4.0
    raw: bool = True
    transfer: Literal["auto", "binary", "bytes"] = "auto"
    grpc: Text | None = None
    timeout: Timeout = 5.0
    clock: Literal["real-time", "fast"] = "real-time"
    latency: Latency = 0.0

    def options(self) -> dict[str, Any]:
        """Options of the driver, in SI."""
        options = super().options()
        options["buffer_seconds"] = options.pop("buffer")
        options["real_time"] = options.pop("clock") == "real-time"
        return options


class RedPitayaTable(DigitizerTable):
    """Fast inputs of a Red Pitaya, from its SCPI server; ``clock`` is the model's."""

    driver: Literal["redpitaya"]
    host: Text
    port: Port | None = None
    channels: Numbers
    sample_rate: SampleRate
    full_scale: Voltage = 1.0
    clock: SampleRate | None = None
    timeout: Timeout = 2.0


class PicoScopeTable(DigitizerTable):
    """PicoScope 5000A, streamed over USB."""

    driver: Literal["picoscope"]
    serial: Text | None = None
    channels: Inputs
    sample_rate: SampleRate
    full_scale: Voltage = 1.0
    bits: Bits | None = None
    coupling: Literal["DC", "AC"] = "DC"
    timeout: Timeout = 2.0


class SpectrumTable(DigitizerTable):
    """Spectrum card, streamed by DMA."""

    driver: Literal["spectrum"]
    address: Text | None = None
    channels: Numbers
    sample_rate: SampleRate
    full_scale: Voltage = 1.0
    termination: Literal["50", "1M"] = "1M"
    external_trigger: bool = False
    timeout: Timeout = 2.0


class ZurichTable(DigitizerTable):
    """Demodulators of a Zurich Instruments lock-in; their rate is set in LabOne."""

    driver: Literal["zurich"]
    device: Text
    channels: Inputs
    host: Text | None = None
    port: Port | None = None
    api_level: Literal[1, 6] | None = None
    interface: Text | None = None
    timeout: Timeout = 2.0
