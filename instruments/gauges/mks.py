"""MKS 937B: ``@253PR1?;FF`` is answered with ``@253ACK7.602E+2;FF``, without a line end.

What is no number is a status: LO<E-10, ATM, OFF, WAIT, NO_GAUGE.
"""

from __future__ import annotations

import re
from typing import ClassVar, Unpack

from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..links.base import LinkError
from .base import PASCALS, GaugeDriver, GaugeOptions, unless_refused

__all__ = ["MksGauge"]

_UNITS = {"TORR": "torr", "MBAR": "mbar", "PASCAL": "pascal", "MICRON": "micron"}
_ERRORS = {"152": "not an ion gauge", "160": "unknown command"}
_VALUE = re.compile(r"[+-]?\d\.\d{1,3}[Ee][+-]?\d{1,2}")
# What a status begins with.
_STATUS = {
    "LO": "under range", "HI": "over range", "ATM": "over range", ">": "over range",
    "OFF": "sensor off", "RP_OFF": "sensor off", "CTRL_OFF": "sensor off", "WAIT": "starting",
    "NO": "no sensor", "MISCONN": "no sensor", "PROT": "protected", "LOW": "low emission",
}  # fmt: skip


class MksGauge(GaugeDriver):
    """One channel of an MKS 937B; options as :class:`~.base.GaugeDriver` and this.

    Parameters
    ----------
    unit_address : int
        Address that is set on the controller, 1 … 254.
    """

    ends: ClassVar[tuple[str, str]] = (";FF", ";FF")
    channels = 6

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        unit_address: int = 253,
        **options: Unpack[GaugeOptions],
    ) -> None:
        super().__init__(name, address, **options)
        self._unit_address = int(require_range("unit_address", unit_address, 1, 254))

    def _greet(self) -> str:
        model, serial = unless_refused(self._ask, "MD?"), unless_refused(self._ask, "SN?")
        self._unit()
        if not self._device_corrects:
            self._refuse_own_correction()
        return f"MKS {model or '937B'} sn {serial or 'unknown'}, channel {self._channel}"

    def _ask(self, question: str) -> str:
        """Ask.

        Raises
        ------
        DeviceError
            With the device's code after a NAK.
        """
        start = f"@{self._unit_address:03d}"
        self._link.write(f"{start}{question}")
        answer = self._link.read_until(b";", extra=2)
        found = re.fullmatch(rf"{start}(ACK|NAK)([ -~]+);FF".encode("ascii"), answer)
        if found is None:
            raise LinkError(
                f"{self._link.address} answered {answer[:60]!r} to {question!r}: check the unit's "
                "address, baud rate and cable"
            )
        text = found[2].decode("ascii").strip()
        if found[1] == b"NAK":
            meaning = _ERRORS.get(text, "see the manual")
            raise DeviceError(f"{self._name} refused {question!r}: NAK{text} ({meaning})")
        return text

    def _refuse_own_correction(self) -> None:
        """Refuse a channel that corrects for a gas by itself."""
        gas = unless_refused(self._ask, f"GT{self._channel}?")
        factor = unless_refused(self._ask, f"GC{self._channel}?")
        neutral = gas is None or gas.upper().startswith(("NITROGEN", "AIR"))
        if not neutral or (factor is not None and not re.fullmatch(r"1(\.0+)?", factor)):
            raise DeviceError(
                f"{self._name} channel {self._channel} corrects for {gas}, factor {factor}: set "
                "it to nitrogen with factor 1, or say device_corrects = true"
            )

    def _unit(self) -> float:
        """Pa in the unit that the controller uses now."""
        unit = self._ask("U?").upper()
        if unit not in _UNITS:
            raise LinkError(f"{self._link.address} answered {unit[:60]!r} to 'U?': no known unit")
        return PASCALS[_UNITS[unit]]

    def _measure(self) -> tuple[float | None, str]:
        unit = self._unit()
        answer = self._ask(f"PR{self._channel}?")
        if _VALUE.fullmatch(answer):
            return unit * float(answer), "ok"
        for start, status in sorted(_STATUS.items(), key=lambda item: -len(item[0])):
            if answer.upper().startswith(start):
                return None, status
        return None, answer.lower()
