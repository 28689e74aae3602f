"""Agilent XGS-600: ``#000F`` asks for all pressures; answers begin with ``>`` or are ``?FF``."""

from __future__ import annotations

import re
from typing import ClassVar, Unpack

from ...models.errors import DeviceError, InputError
from ..links.answers import match
from ..links.base import LinkError
from .base import PASCALS, GaugeDriver, GaugeOptions

__all__ = ["AgilentGauge"]

_UNITS = {"00": "torr", "01": "mbar", "02": "pascal"}
_VALUE = re.compile(r"[+-]?\d\.\d{1,4}[Ee][+-]\d{2}")
_STATUS = {"OPEN": "no sensor", "OFF": "sensor off", "NOCBL": "no sensor"}


class AgilentGauge(GaugeDriver):
    """One sensor of an XGS-600 on RS-232; options as :class:`~.base.GaugeDriver` and these.

    Parameters
    ----------
    channel : int
        Place of the sensor in the list of all pressures, from the left, from 1.
    code : str, optional
        Code of the sensor, such as ``T1`` (first convection gauge) or ``I2`` (second ion gauge):
        with it the gas that is set for a convection gauge is checked.
    """

    ends: ClassVar[tuple[str, str]] = ("\r", "\r")
    channels = 12

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        code: str | None = None,
        **options: Unpack[GaugeOptions],
    ) -> None:
        super().__init__(name, address, **options)
        if code is not None and re.fullmatch(r"[TI][1-9]", code) is None:
            raise InputError(f"code must be T1 … T9 or I1 … I9, got {code!r}")
        self._code = code

    def _greet(self) -> str:
        version = self._ask("05")
        self._unit()
        self._entries()
        if self._code is not None and self._code.startswith("T") and not self._device_corrects:
            gas = match("[01]", self._ask(f"4E{self._code}"), "4E", self._link.address)[0]
            if gas != "0":
                raise DeviceError(
                    f"{self._name} sensor {self._code} is set to argon: set it to nitrogen/air at "
                    "the controller, or say device_corrects = true"
                )
        return f"Agilent XGS-600, version {version}, sensor {self._channel}"

    def _ask(self, command: str) -> str:
        """Ask.

        Raises
        ------
        DeviceError
            If the controller answers ?FF.
        """
        question = f"#00{command}"
        answer = self._link.query(question).strip()
        if answer == "?FF":
            raise DeviceError(f"{self._name} refused {question!r}: ?FF")
        return match(r">\s*(\S.*)", answer, question, self._link.address)[1]

    def _unit(self) -> float:
        """Pa in the unit that the controller uses now."""
        code = match(r"0?([0-2])", self._ask("13"), "#0013", self._link.address)[1]
        return PASCALS[_UNITS[f"0{code}"]]

    def _entries(self) -> list[str]:
        """Readings of all sensors."""
        entries = [entry.strip() for entry in self._ask("0F").split(",")]
        if len(entries) < self._channel:
            raise DeviceError(
                f"{self._name} lists {len(entries)} sensors, number {self._channel} is configured: "
                "correct the rig file"
            )
        return entries

    def _measure(self) -> tuple[float | None, str]:
        unit = self._unit()
        entry = self._entries()[self._channel - 1]
        if _VALUE.fullmatch(entry):
            return unit * float(entry), "ok"
        if not re.fullmatch(r"[A-Z][A-Z0-9_ <>-]*", entry):
            raise LinkError(f"{self._link.address} answered {entry[:60]!r} to '#000F': no reading")
        return None, _STATUS.get(entry, entry.lower())
