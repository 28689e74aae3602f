"""MOGLabs QRF, ARF and XRF sources: MHz, dBm and degrees; every command is answered OK or ERR."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import ClassVar

from ...models.errors import DeviceError
from ..capabilities import RFCapabilities
from ..links.answers import decimal, number
from ..links.base import LinkError
from ..protocols import RFTone
from ..setpoints import wrapped_phase
from .base import TextRFSource, dbm_of, volts_of
from .expected import wrong_state

__all__ = ["MoglabsSource"]

# The read-back of a power may differ by this, dB.
_DECIBEL = 0.1
_TUNING_STEP = 1e9 / 2**32  # of a DDS with 32 bits at 1 GHz, Hz


class MoglabsSource(TextRFSource):
    """MOGLabs QRF (four channels), ARF and XRF (two); see :class:`~.base.TextRFSource`.

    The largest amplitude is the LIMIT that is set on the device.
    """

    widest = RFCapabilities(
        channels=4,
        frequency_range=(1e6, 400e6),
        amplitude_range=(volts_of(-50.0), volts_of(36.0)),
        phase="relative",
        phase_resolution=2.0 * math.pi / 65536.0,
        frequency_resolution=_TUNING_STEP,
        amplitude_resolution=1e-3,
        update_rate=50.0,
    )
    ends: ClassVar[tuple[str, str]] = ("\r\n", "\r\n")
    baud = 115200

    def _open(self) -> str:
        self._link.open()
        identity = self._ask("INFO")
        if re.search(r"QRF|ARF|XRF", identity, re.IGNORECASE) is None:
            raise self._other_device(identity, "a MOGLabs QRF, ARF or XRF")
        channels = 4 if "QRF" in identity.upper() else 2
        self._set_model(replace(self.widest, channels=channels))
        self._look()
        limits = []
        for n in range(1, self._channels + 1):
            limits.append(volts_of(self._value(f"LIMIT,{n}", "dBm")))
            self._remark_off(n - 1, self._sound_tone(n - 1))
        top = min(self.widest.amplitude_range[1], *limits)
        low = self.widest.amplitude_range[0]
        self._set_model(replace(self._model, amplitude_range=(low, top)))
        return identity

    def _ask(self, query: str) -> str:
        """Ask.

        Raises
        ------
        DeviceError
            With the device's own text if it answers ERR.
        """
        answer = self._link.query(query).strip()
        if answer.upper().startswith("ERR"):
            raise DeviceError(f"{self._name} refused {query!r}: {answer}")
        return answer

    def _send(self, command: str) -> None:
        answer = self._ask(command)
        if not answer.startswith("OK"):
            raise LinkError(f"{self._link.address} answered {answer[:60]!r} to {command!r}, not OK")

    def _value(self, query: str, unit: str) -> float:
        """Value in a unit; the device adds its register in brackets."""
        return number(self._ask(query), query, self._link.address, unit=rf" ?{unit}(?:\s.*)?")

    def _look(self) -> None:
        """Refuse a channel that plays a table (it takes no tones) or that its inputs switch."""
        super()._look()
        for n in range(1, self._channels + 1):
            where = f"{self._name} channel {n}"
            mode = self._ask(f"MODE,{n}")
            if re.search(r"\bT[SP][AB]\b|TABLE", mode, re.IGNORECASE):
                raise wrong_state(
                    where, "its mode", mode[:40], "NSB", f"MODE,{n},NSB",
                    "it plays a table and takes no tones",
                )  # fmt: skip
            switched = self._if_known(f"EXTIO,ENABLE,{n}")
            if switched is not None and re.search(r"\b(ON|ENABLED)\b", switched, re.IGNORECASE):
                raise wrong_state(
                    where, "control by its external input", switched[:40], "OFF",
                    f"EXTIO,ENABLE,{n},OFF", "a voltage at its input would switch the light",
                )  # fmt: skip

    def _if_known(self, query: str) -> str | None:
        """Ask what not every firmware knows: it answers ERR then."""
        try:
            return self._ask(query)
        except LinkError:
            raise
        except DeviceError:
            return None

    def _read_tone(self, channel: int) -> RFTone:
        n = channel + 1
        return RFTone(
            frequency=1e6 * self._value(f"FREQ,{n}", "MHz"),
            amplitude=volts_of(self._value(f"POW,{n}", "dBm")),
            phase=wrapped_phase(math.radians(self._value(f"PHASE,{n}", "deg"))),
            enabled=self._output(n),
        )

    def _output(self, n: int) -> bool:
        """Whether signal and amplifier are on."""
        query = f"STATUS,{n}"
        answer = self._ask(query)
        flags = {
            key.upper(): value.upper() == "ON"
            for key, value in re.findall(r"\b(SIG|POW)\s*:\s*(ON|OFF)\b", answer, re.IGNORECASE)
        }
        if set(flags) != {"SIG", "POW"}:
            raise LinkError(
                f"{self._link.address} answered {answer[:60]!r} to {query!r}: no state of SIG, POW"
            )
        if flags["SIG"] and not flags["POW"]:
            remark = (
                f"{self._name} channel {n}: its signal is on but its amplifier is off: no light; "
                f"send ON,{n},ALL"
            )
            if remark not in self._remarks:
                self._remarks.append(remark)
        return all(flags.values())

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        """Send what differs, and the phase always: aligning restarts it."""
        n = channel + 1
        if not tone.enabled and (now is None or now.enabled):
            self._send(f"OFF,{n},SIG")
        if now is None or abs(tone.frequency - now.frequency) > _TUNING_STEP:
            self._send(f"FREQ,{n},{decimal(1e-6 * tone.frequency, 8, 1)}")
        power = decimal(dbm_of(tone.amplitude), 2, 1)
        if now is None or power != decimal(dbm_of(now.amplitude), 2, 1):
            self._send(f"POW,{n},{power}")
        self._send(f"PHASE,{n},{decimal(math.degrees(tone.phase) % 360.0, 4)}")
        if tone.enabled and (now is None or not now.enabled):
            self._send(f"ON,{n},ALL")

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        decibel = tone.amplitude * (math.pow(10.0, _DECIBEL / 20.0) - 1.0)
        return (_TUNING_STEP, decibel, math.radians(0.02))

    def _align(self) -> None:
        self._send("ALIGNPH," + ",".join(str(n + 1) for n in range(self._channels)))
