"""Pfeiffer TPG 26x and 36x: mnemonics, acknowledged one by one, answers on enquiry.

``PR1<CR>`` is acknowledged with ``<ACK><CR><LF>``; ``<ENQ>`` then fetches the answer. After a
``<NAK>`` it fetches the error word. INFICON's VGC controllers speak the same.
"""

from __future__ import annotations

from typing import ClassVar

from ...models.errors import DeviceError
from ..links.answers import match
from ..links.base import LinkError
from .base import PASCALS, GaugeDriver, unless_refused

__all__ = ["PfeifferGauge"]

_ETX, _ENQ, _ACK, _NAK = b"\x03", b"\x05", b"\x06", b"\x15"
_STATUS = {
    "0": "ok", "1": "under range", "2": "over range", "3": "sensor error", "4": "sensor off",
    "5": "no sensor", "6": "identification error", "7": "gauge error",
}  # fmt: skip
_UNITS = {"0": "mbar", "1": "torr", "2": "pascal", "3": "micron", "4": "hpascal"}
_ERROR_WORDS = {
    "1000": "controller error, see its display", "0100": "hardware not installed",
    "0010": "inadmissible parameter", "0001": "syntax error",
}  # fmt: skip
# What the sensor's identification begins with.
_SENSORS = {
    "TPR": "pirani", "PSG": "pirani", "IKR": "cold-cathode", "PEG": "cold-cathode",
    "PKR": "full-range", "MPG": "full-range", "CMR": "capacitance", "CDG": "capacitance",
}  # fmt: skip


class PfeifferGauge(GaugeDriver):
    """One channel of a TPG 261, 262, 361, 362, 366; see :class:`~.base.GaugeDriver`."""

    ends: ClassVar[tuple[str, str]] = ("\r", "\r\n")
    channels = 6

    def _greet(self) -> str:
        # After power-up the controller sends readings by itself, until spoken to.
        self._link.write_raw(_ETX)
        self._link.flush()
        firmware = self._ask("PNR").strip()
        sensor = self._items("TID")
        self._unit()
        if not self._device_corrects:
            self._refuse_own_correction()
        for start, kind in _SENSORS.items():
            if self._sensor is None and sensor.upper().startswith(start):
                self._sensor = kind
        return f"Pfeiffer TPG, firmware {firmware}, channel {self._channel}: {sensor}"

    def _ask(self, mnemonic: str) -> str:
        """Ask and fetch the answer.

        Raises
        ------
        DeviceError
            With the error word if the controller does not acknowledge.
        """
        self._link.write(mnemonic)
        answer = self._link.read_until(b"\r\n")
        if answer == _NAK + b"\r\n":
            self._link.write_raw(_ENQ)
            word = match(r"[01]{4}|\d{1,4}", self._link.read(), mnemonic, self._link.address)[0]
            text = _ERROR_WORDS.get(word, "unknown error word")
            raise DeviceError(f"{self._name} refused {mnemonic!r}: {word} ({text})")
        if answer != _ACK + b"\r\n":
            raise LinkError(
                f"{self._link.address} answered {answer[:40]!r} to {mnemonic!r}, neither ACK nor "
                "NAK: check baud rate and cable"
            )
        self._link.write_raw(_ENQ)
        return self._link.read()

    def _items(self, mnemonic: str) -> str:
        """Item of this channel in an answer that lists all channels."""
        answer = self._ask(mnemonic)
        items = [item.strip() for item in answer.split(",")]
        if not all(items):
            raise LinkError(f"{self._link.address} answered {answer[:60]!r} to {mnemonic!r}")
        if len(items) < self._channel:
            raise DeviceError(
                f"{self._name} has {len(items)} channel(s), channel {self._channel} is configured: "
                "correct the rig file"
            )
        return items[self._channel - 1]

    def _refuse_own_correction(self) -> None:
        """Refuse a controller that corrects for a gas, or scales, by itself."""
        for mnemonic, neutral, what in (
            ("CAL", r"1(\.0*)?", "calibration factor"),
            ("GAS", r"0", "gas type"),
        ):
            value = unless_refused(self._items, mnemonic)
            if value is None:
                continue
            match(r"\d+(\.\d+)?", value, mnemonic, self._link.address)
            if match(f"({neutral})|.*", value, mnemonic, self._link.address)[1] is None:
                raise DeviceError(
                    f"{self._name} channel {self._channel} has the {what} {value} ({mnemonic}): "
                    "set the controller to air/N2 with factor 1, or say device_corrects = true"
                )

    def _unit(self) -> float:
        """Pa in the unit that the controller uses now."""
        code = match(r"\d", self._ask("UNI"), "UNI", self._link.address)[0]
        if code not in _UNITS:
            raise DeviceError(
                f"{self._name} shows unit {code}, which is no pressure: set it to mbar, Torr or Pa"
            )
        return PASCALS[_UNITS[code]]

    def _measure(self) -> tuple[float | None, str]:
        unit = self._unit()
        query = f"PR{self._channel}"
        answer = match(
            r"(\d), ?([+-]?\d\.\d{1,4}E[+-]\d{2})", self._ask(query), query, self._link.address
        )
        status = _STATUS.get(answer[1], f"status {answer[1]}")
        if status != "ok":
            return None, status
        return unit * float(answer[2]), "ok"
