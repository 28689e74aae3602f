"""Schema of ``[devices.digitizer]`` for real devices."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .fields import Buffer, SampleRate, Text, Timeout, Voltage
from .hardware import HardwareTable

__all__ = ["NiDigitizerTable"]

Inputs = Annotated[list[Text], Field(min_length=1, max_length=64)]


class NiDigitizerTable(HardwareTable):
    """Analogue inputs of a National Instruments card; ``grpc`` is the address of a device server.

    ``clock = "fast"`` is for a virtual laboratory whose clock waits for the reader.
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

    def options(self) -> dict[str, Any]:
        """Options of the driver, in SI."""
        options = super().options()
        options["buffer_seconds"] = options.pop("buffer")
        options["real_time"] = options.pop("clock") == "real-time"
        return options
