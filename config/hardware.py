"""Schema of ``[devices.rf]``, ``[devices.gauge]`` and ``[devices.gate]`` for real devices.

A table holds what a rig file may say, with units; ``options`` are what the driver is made with, in
SI. Drivers of other packages take their table as it stands, see :mod:`.plugins`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .fields import (
    Accuracy,
    Amplitude,
    BaudRate,
    Channel,
    Delay,
    Ordinal,
    Pressure,
    RadioFrequency,
    Table,
    Text,
    Timeout,
    Voltage,
)

__all__ = [
    "AaTable",
    "AgilentTable",
    "GaugeTable",
    "HardwareTable",
    "MksTable",
    "NiGateTable",
    "NovatechTable",
    "RFTable",
    "ScpiTable",
    "SpectrumDdsTable",
]

Frequencies = Annotated[list[RadioFrequency], Field(min_length=2, max_length=2)]
Amplitudes = Annotated[list[Amplitude], Field(min_length=2, max_length=2)]
Pressures = Annotated[list[Pressure], Field(min_length=2, max_length=2)]
Sensor = Literal["pirani", "cold-cathode", "hot-cathode", "full-range", "capacitance"]


class HardwareTable(Table):
    """A real device: the driver's name and its options."""

    driver: str

    def options(self) -> dict[str, Any]:
        """Options of the driver, in SI; those that are not given are left to the driver."""
        given = self.model_dump(exclude={"driver"})
        return {key: value for key, value in given.items() if value is not None}


class _Linked(HardwareTable):
    """A device on a VISA address."""

    address: Text
    timeout: Timeout = 2.0
    baud_rate: BaudRate | None = None
    backend: str | None = None


class _RFKeys(HardwareTable):
    """Keys of every RF source: channels in use, limits narrower than the model's."""

    channels: Channel | None = None
    frequency_range: Frequencies | None = None
    amplitude_range: Amplitudes | None = None


class RFTable(_RFKeys, _Linked):
    """A Siglent generator, or a MOGLabs source."""

    driver: Literal["siglent", "moglabs"]


class ScpiTable(_RFKeys, _Linked):
    """A two-channel generator of Keysight or Rigol.

    ``allow_autorange`` lets amplitudes change though its output range may switch.
    """

    driver: Literal["keysight", "rigol-dg1000z", "rigol-dg4000"]
    allow_autorange: bool | None = None


class NovatechTable(_RFKeys, _Linked):
    """Novatech 409B; ``full_scale`` is the amplitude of its largest code."""

    driver: Literal["novatech-409b"]
    full_scale: Voltage | None = None


class AaTable(_RFKeys, _Linked):
    """AA MDSnC; ``internal`` says that it may be taken over from external mode."""

    driver: Literal["aa-mdsnc"]
    internal: bool | None = None


class SpectrumDdsTable(_RFKeys):
    """Spectrum M4i with DDS firmware; a core and an output for each channel."""

    driver: Literal["spectrum-dds"]
    address: Text | None = None
    cores: list[Ordinal] | None = None
    outputs: list[Ordinal] | None = None
    full_scale: Voltage | None = None


class _GaugeKeys(_Linked):
    """Keys of every gauge; the gas is that of ``[gas]`` unless given.

    ``pressure_range`` is that of the sensor's data sheet, in air equivalents; ``accuracy`` the
    relative standard error of a reading, which fits take for the damping by the gas.
    """

    channel: Channel | None = None
    gas: Text | None = None
    sensor: Sensor | None = None
    device_corrects: bool | None = None
    pressure_range: Pressures | None = None
    accuracy: Accuracy | None = None

    def options(self) -> dict[str, Any]:
        """Options of the driver; the accuracy is for fits."""
        return {key: value for key, value in super().options().items() if key != "accuracy"}


class GaugeTable(_GaugeKeys):
    """Pfeiffer TPG 26x/36x."""

    driver: Literal["pfeiffer-tpg"]


class MksTable(_GaugeKeys):
    """MKS 937B; ``unit_address`` is set on the controller."""

    driver: Literal["mks-937b"]
    unit_address: Channel | None = None


class AgilentTable(_GaugeKeys):
    """Agilent XGS-600; ``code`` names the sensor instead of its position."""

    driver: Literal["agilent-xgs600"]
    code: Text | None = None


class NiGateTable(HardwareTable):
    """Digital output lines of an NI card; ``delay`` and ``jitter`` as measured."""

    driver: Literal["ni"]
    device: Text = "Dev1"
    line: Text | list[Text] = "port0/line0"
    active_high: bool = True
    delay: Delay = 0.0
    jitter: Delay | None = None
    grpc: Text | None = None
    timeout: Timeout = 5.0
