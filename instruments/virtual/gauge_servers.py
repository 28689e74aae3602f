"""Pfeiffer, MKS and Agilent gauge controllers as a client sees them.

A gauge is adjusted for air: in another gas it shows the air equivalent of the true pressure.
"""

from __future__ import annotations

import re
import threading
from typing import ClassVar

from ...models.errors import DeviceError, InputError
from ..gauges.base import PASCALS
from ..gauges.species import SENSORS, indicated_pressure
from ..protocols import DeviceState, Gauge
from .conversation import LineConversation

__all__ = ["MksInstrument", "PfeifferInstrument", "XgsInstrument"]


class _Controller:
    """What the controllers share: the gauge and what its sensor shows.

    Parameters
    ----------
    gauge : Gauge
        What measures; connected if it is not.
    sensor : str
        Kind of sensor, a key of :data:`~..gauges.species.SENSORS`.
    """

    def __init__(self, gauge: Gauge, *, sensor: str = "full-range") -> None:
        if sensor not in SENSORS:
            raise InputError(f"unknown sensor {sensor!r}; known: {', '.join(sorted(SENSORS))}")
        if gauge.state is DeviceState.DISCONNECTED:
            gauge.connect()
        self._gauge, self._sensor = gauge, sensor
        self._lock = threading.RLock()

    def _shown(self, unit: str) -> tuple[float | None, str]:
        """Shown pressure in a unit, and the status."""
        try:
            reading = self._gauge.read()
        except DeviceError:
            return None, "sensor error"
        if reading.pressure is None:
            return None, reading.status
        pascals = indicated_pressure(reading.species, self._sensor, reading.pressure)
        return pascals / PASCALS[unit], "ok"


class PfeifferInstrument(_Controller):
    """A Pfeiffer TPG 262 with one gauge; see :class:`_Controller`."""

    units: ClassVar[tuple[str, ...]] = ("mbar", "torr", "pascal")
    _STATUS = ("ok", "under range", "over range", "sensor error", "off", "no sensor")
    _IDENTITY: ClassVar[dict[str, str]] = {
        "full-range": "PKR", "pirani": "TPR", "cold-cathode": "IKR", "hot-cathode": "IMR",
        "capacitance": "CMR",
    }  # fmt: skip

    # What it keeps without acting on it, with forms of what may be set: baud rate, channel and
    # digits of the display, filters, sensors on or off, errors, thresholds of relays and gauges.
    _KEPT: ClassVar[dict[str, tuple[str, ...]]] = {
        "BAU": ("0",), "SCT": ("0",), "DCD": ("2",), "FIL": ("1", "1"), "SEN": ("0", "0"),
        "RES": ("0",), "SAV": ("0",), "DGS": ("0", "0"), "OFC": ("0", "0"),
        "SPS": ("0", "0", "0", "0"),
        **{f"SP{n}": ("0", "1.0000E-11", "9.0000E-11") for n in range(1, 5)},
        **{f"SC{n}": ("0", "0", "1.0000E-11", "9.0000E-11") for n in (1, 2)},
    }  # fmt: skip

    def __init__(self, gauge: Gauge, *, sensor: str = "full-range") -> None:
        super().__init__(gauge, sensor=sensor)
        self._unit, self._factor = 0, 1.0
        self._kept = dict(self._KEPT)

    def converse(self) -> _PfeifferConversation:
        """Start to talk with a client."""
        return _PfeifferConversation(self)

    def ask(self, mnemonic: str) -> str | None:
        """Answer to a mnemonic, None if it is not known or has a bad parameter."""
        with self._lock:
            name, *parameters = [part.strip() for part in mnemonic.upper().split(",")]
            if name == "UNI":
                return self._set_unit(parameters)
            if name == "CAL":
                return self._set_factor(parameters)
            if name in self._kept:
                return self._keep(name, parameters)
            if parameters:
                return None
            if name == "PR1":
                return self.reading()
            fixed = {
                "PR2": "5,+2.0000E-02",
                "PNR": "302-510-A",
                "TID": f"{self._IDENTITY[self._sensor]},noSEn",
                "ERR": "0000",
            }
            return fixed.get(name)

    def reading(self) -> str:
        """Status and value of the gauge."""
        value, status = self._shown(self.units[self._unit])
        if value is None:
            code = self._STATUS.index(status) if status in self._STATUS else 3
            return f"{code},+0.0000E+00"
        return f"0,{self._factor * value:+.4E}"

    def _keep(self, name: str, parameters: list[str]) -> str | None:
        """Ask or change what does not act; as many values as it has, of their form."""
        if parameters and name != "SPS":
            numbers = [re.fullmatch(r"\d(\.\d+)?(E[+-]?\d{1,2})?|0\.\d+", p) for p in parameters]
            if name in ("RES", "SAV"):  # an action: nothing is kept
                return self._kept[name][0] if len(parameters) == 1 and all(numbers) else None
            if len(parameters) != len(self._kept[name]) or not all(numbers):
                return None
            self._kept[name] = tuple(parameters)
        elif parameters:
            return None
        return ",".join(self._kept[name])

    def _set_unit(self, parameters: list[str]) -> str | None:
        if parameters:
            if parameters[0] not in ("0", "1", "2"):
                return None
            self._unit = int(parameters[0])
        return str(self._unit)

    def _set_factor(self, parameters: list[str]) -> str | None:
        if parameters:
            if re.fullmatch(r"\d\.\d{1,3}", parameters[0]) is None:
                return None
            self._factor = float(parameters[0])
        return f"{self._factor:.3f},1.000"


class _PfeifferConversation:
    """ACK, NAK and ENQ; readings come by themselves until the client speaks."""

    def __init__(self, instrument: PfeifferInstrument) -> None:
        self._instrument = instrument
        self._line, self._answer = b"", "0000"
        self.greeting = f"{instrument.reading()}\r\n".encode("ascii")

    def receive(self, data: bytes) -> bytes:
        """Take bytes and return what the controller sends."""
        sent = b""
        for byte in (data[i : i + 1] for i in range(len(data))):
            if byte == b"\x03":
                self._line = b""
            elif byte == b"\x05":
                sent += f"{self._answer}\r\n".encode("ascii")
            elif byte == b"\r":
                sent += self._acknowledge()
            elif byte != b"\n" and len(self._line) < 64:
                self._line += byte
        return sent

    def _acknowledge(self) -> bytes:
        line, self._line = self._line.decode("latin-1"), b""
        answer = self._instrument.ask(line)
        self._answer = "0001" if answer is None else answer
        return b"\x15\r\n" if answer is None else b"\x06\r\n"


class MksInstrument(_Controller):
    """An MKS 937B with one gauge on channel 1.

    Parameters
    ----------
    gauge, sensor
        As for the other controllers.
    unit_address : int
        Address to which it answers.
    """

    units: ClassVar[dict[str, str]] = {
        "TORR": "torr",
        "MBAR": "mbar",
        "PASCAL": "pascal",
        "MICRON": "micron",
    }

    def __init__(
        self, gauge: Gauge, *, sensor: str = "full-range", unit_address: int = 253
    ) -> None:
        super().__init__(gauge, sensor=sensor)
        self._address, self._unit, self._gas = unit_address, "TORR", "NITROGEN"
        self._kept: dict[str, str] = {}

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._message, end=b";FF", answer_end=b"")

    def _message(self, line: str) -> str | None:
        found = re.fullmatch(rf"@{self._address:03d}([A-Z]+?)(\d*|Z)([?!])(.*)", line)
        if found is None:
            return None  # for another unit, or not understood: silence on the bus
        with self._lock:
            answer = self._answer(found[1], found[2], found[4] if found[3] == "!" else None)
        return f"@{self._address:03d}{answer};FF"

    def _answer(self, name: str, number: str, value: str | None) -> str:
        if name == "U" and value is not None:
            if value.upper() not in self.units:
                return "NAK169"
            self._unit = value.upper()
        if name == "GT" and value is not None:
            self._gas = value.upper()
        if name in self._KEPT:
            return self._keep(name, number, value)
        if value is not None and name not in ("U", "GT"):
            return "NAK160"
        if name in ("PR", "PC"):
            return self._readings(number)
        if name == "T":
            return "ACKG" if number == "1" else "NAK152"
        fixed = {"U": self._unit, "GT": self._gas, "MD": "937B", "SN": "0000000001"}
        return f"ACK{fixed[name]}" if name in fixed else "NAK160"

    # Power of a channel; relays: setpoint, reset, direction, whether they act, state. With default
    # and the form of what may be set.
    _KEPT: ClassVar[dict[str, tuple[str, str]]] = {
        "CP": ("ON", "ON|OFF"),
        "SP": ("1.00E-09", r"\d+(\.\d+)?(E[+-]?\d+)?"),
        "SH": ("1.10E-09", r"\d+(\.\d+)?(E[+-]?\d+)?"),
        "SD": ("BELOW", "ABOVE|BELOW"),
        "EN": ("CLEAR", "CLEAR|ENABLE|SET"),
        "SS": ("CLEAR", "(?!)"),
    }

    def _keep(self, name: str, number: str, value: str | None) -> str:
        default, form = self._KEPT[name]
        if not number.isdigit() or not 1 <= int(number) <= (6 if name == "CP" else 12):
            return "NAK160"
        if value is not None:
            if re.fullmatch(form, value.strip().upper()) is None:
                return "NAK169"
            self._kept[f"{name}{number}"] = value.strip().upper()
        return f"ACK{self._kept.get(f'{name}{number}', default)}"

    def _readings(self, number: str) -> str:
        """Reading of a channel, or of all in one answer."""
        if number == "Z":
            return " ".join([self._reading(), *["NO_GAUGE"] * 5])
        return self._reading() if number == "1" else "NAK151"

    def _reading(self) -> str:
        value, status = self._shown(self.units[self._unit])
        if value is None:
            shown = {"under range": "LO<E-11", "over range": "ATM", "off": "OFF"}
            return f"ACK{shown.get(status, 'MISCONN')}"
        mantissa, exponent = f"{value:.3E}".split("E")
        return f"ACK{mantissa}E{int(exponent):+d}"


class XgsInstrument(_Controller):
    """An Agilent XGS-600 whose first sensor is the gauge; the second slot is open."""

    units: ClassVar[dict[str, str]] = {"00": "torr", "01": "mbar", "02": "pascal"}

    def __init__(self, gauge: Gauge, *, sensor: str = "full-range") -> None:
        super().__init__(gauge, sensor=sensor)
        self._unit, self._gas = "00", "0"

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line, end=b"\r", answer_end=b"\r")

    def _line(self, line: str) -> str | None:
        found = re.fullmatch(r"#00([0-9A-F]{2})(.*)", line.strip())
        if found is None:
            return None
        command, argument = found[1], found[2]
        with self._lock:
            if command == "0F" and not argument:
                return f">{self._reading()},OPEN"
            if command in ("10", "11", "12") and not argument:
                self._unit = f"0{int(command) - 10}"
                return ">"
            if command == "4F" and re.fullmatch(r"T1[01]", argument):
                self._gas = argument[-1]
                return ">"
            fixed = {"13": self._unit, "05": "0300,0300", "01": "4010FE", "4ET1": self._gas}
            answer = fixed.get(command + argument)
            return "?FF" if answer is None else f">{answer}"

    def _reading(self) -> str:
        value, status = self._shown(self.units[self._unit])
        if value is None:
            return "OFF" if status == "off" else "OPEN"
        return f"{value:.3E}"
