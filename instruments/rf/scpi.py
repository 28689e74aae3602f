"""Two-channel SCPI generators: one core, dialects of Keysight and Rigol.

Amplitudes are sent in Vpp into 50 Ω and phases in degrees. Whether the device's own settings agree
is read when connecting and before every change, and refused otherwise: in dBm, or with the load set
to high impedance, the same number is another power. What else somebody may have left (polarity,
offset, modulation, coupling: :mod:`.scpi_states`) is read when connecting and before a run.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import ClassVar, Unpack

from ...models.errors import DeviceError
from ..capabilities import RFCapabilities
from ..links.answers import NUMBER, SCIENTIFIC, decimal, match, number
from ..links.base import LinkError
from ..protocols import RFTone
from ..setpoints import wrapped_phase
from .base import TextRFOptions, TextRFSource
from .expected import Expected, ask_if_known, off
from .scpi_states import ANGLE, KEYSIGHT, MEANING, RIGOL

__all__ = ["KeysightSource", "RigolDG1000ZSource", "RigolDG4000Source", "ScpiSource"]

# Entries read from an error queue before it counts as endless; devices keep 20 … 30.
_DEEPEST = 40
_MOST_REMARKS = 8
_MODEL = re.compile(r"\s*,\s*")


class ScpiSource(TextRFSource):
    """Core of the dialects; options as :class:`~.base.TextRFSource` and this.

    Parameters
    ----------
    allow_autorange : bool
        Change amplitudes of outputs that are on though the device may switch its attenuators: the
        light may be interrupted then.
    """

    maker: ClassVar[str]
    models: ClassVar[dict[str, tuple[float, int]]]  # model: (highest frequency in Hz, channels)
    lead: ClassVar[str] = ":"
    align_command: ClassVar[str]
    digits: ClassVar[int] = 7  # of the frequencies that the device reports
    meaning: ClassVar[tuple[Expected, ...]] = MEANING  # asked before every change
    states: ClassVar[tuple[Expected, ...]]  # asked when connecting and before a run

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        allow_autorange: bool = False,
        **options: Unpack[TextRFOptions],
    ) -> None:
        super().__init__(name, address, **options)
        self._allow_autorange = allow_autorange
        self._autoranged: list[int] = []
        self._unknown: set[str] = set()

    def _open(self) -> str:
        self._link.open()
        identity = self._link.query("*IDN?").strip()
        parts = _MODEL.split(identity)
        if not re.search(self.maker, identity, re.IGNORECASE) or len(parts) < 2:
            raise self._other_device(identity, f"a source that {type(self).__name__} drives")
        self._set_model(self._limits(parts[1]))
        self._look()
        for channel in range(self._channels):
            self._remark_off(channel, self._sound_tone(channel))
        return identity

    def _limits(self, model: str) -> RFCapabilities:
        """Limits of a model; those of the family for an unknown one, whose own errors then tell."""
        highest, channels = self.models.get(
            model.upper(), (self.widest.frequency_range[1], self.widest.channels)
        )
        low = self.widest.frequency_range[0]
        return replace(self.widest, channels=channels, frequency_range=(low, highest))

    def _prepare(self, channel: int) -> None:
        """Refuse a device whose units, load or function give our numbers another meaning."""
        self._drain()  # what is left in the queue was not caused here
        for expected in self.meaning:
            query = self.lead + expected.query.format(n=channel + 1)
            answer = self._link.query(query).strip()
            match(f"(?i:[A-Z]+)|{NUMBER}", answer, query, self._link.address)
            if not expected.good(answer):
                raise expected.refusal(self._name, channel, answer, self.lead)

    def _look(self) -> None:
        super()._look()
        for channel in range(self._channels):
            self._prepare(channel)
            for expected in self.states:
                answer = self._ask_if_known(expected.query.format(n=channel + 1))
                if answer is not None and not expected.good(answer):
                    raise expected.refusal(self._name, channel, answer, self.lead)
        self._look_at_ranges()
        if self._autoranged and not self._allow_autorange:
            self._remarks.append(f"{self._name}: {self._about_ranges()}")

    def _ask_if_known(self, query: str) -> str | None:
        """Ask for a setting that not all models have."""
        return ask_if_known(self._link, self.lead + query, self._unknown, self._require_refusal)

    def _require_refusal(self) -> None:
        """Raise LinkError unless the error queue tells why a question got no answer."""
        if not self._errors():
            raise LinkError(f"{self._link.address} did not answer in time, and names no error")

    def _drain(self) -> None:
        """Empty the error queue before a command of ours; say what somebody else left there."""
        left = self._errors()
        if left:
            self._remarks = self._remarks[-_MOST_REMARKS:]
            self._remarks.append(
                f"{self._name} had errors in its queue that were not caused here: "
                f"{'; '.join(left)}: check what else uses it"
            )

    def _look_at_ranges(self) -> None:
        """Renew which channels (from 1) range their output attenuators by themselves."""
        self._autoranged = []
        for n in range(1, self._channels + 1):
            answer = self._ask_if_known(f"SOUR{n}:VOLT:RANG:AUTO?")
            if answer is not None and not off(answer):
                self._autoranged.append(n)

    def _about_ranges(self) -> str:
        channels = " and ".join(map(str, self._autoranged))
        command = f"{self.lead}SOUR{self._autoranged[0]}:VOLT:RANG:AUTO"
        return (
            f"the output range of channel {channels} is automatic ({command}? is ON, not OFF): the "
            "output is interrupted for a moment where an amplitude crosses a range, and a particle "
            f"is lost; set the largest amplitude in use, send {command} OFF, or say "
            "allow_autorange = true in the rig file if nothing is trapped"
        )

    def _check_range(self, tone: RFTone, now: RFTone) -> None:
        """Refuse to change the amplitude of light that is on while any range may switch."""
        moved = abs(tone.amplitude - now.amplitude) > 0.5 * self.widest.amplitude_resolution
        if self._allow_autorange or not (
            self._autoranged and moved and tone.enabled and now.enabled
        ):
            return
        self._look_at_ranges()  # it may have been mended by hand
        if self._autoranged:
            raise DeviceError(f"{self._name} keeps its amplitude: {self._about_ranges()}")

    def _read_tone(self, channel: int) -> RFTone:
        source = f"{self.lead}SOUR{channel + 1}"
        return RFTone(
            frequency=self._value(f"{source}:FREQ?"),
            amplitude=0.5 * self._value(f"{source}:VOLT?"),
            phase=wrapped_phase(math.radians(self._value(f"{source}:PHAS?"))),
            enabled=self._output(channel),
        )

    def _value(self, query: str) -> float:
        return number(self._link.query(query), query, self._link.address, SCIENTIFIC)

    def _output(self, channel: int) -> bool:
        query = f"{self.lead}OUTP{channel + 1}?"
        answer = match("ON|OFF|1|0", self._link.query(query), query, self._link.address)[0]
        return answer in ("ON", "1")

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        """Send what differs, and the phase always: aligning may have reset it."""
        source, output = f"{self.lead}SOUR{channel + 1}", f"{self.lead}OUTP{channel + 1}"
        if not tone.enabled and (now is None or now.enabled):
            self._send(f"{output} OFF")
        if now is None or not self._same_frequency(tone.frequency, now.frequency):
            self._send(f"{source}:FREQ {decimal(tone.frequency, 6)}")
        volts = decimal(2.0 * tone.amplitude, 5)
        if now is None or volts != decimal(2.0 * now.amplitude, 5):
            self._send(f"{source}:VOLT {volts}")
        self._send(f"{source}:PHAS {decimal(math.degrees(tone.phase) % 360.0, 4)}")
        if tone.enabled and (now is None or not now.enabled):
            self._send(f"{output} ON")

    def _send(self, command: str) -> None:
        """Send a command and read what the device has to say about it.

        Raises
        ------
        DeviceError
            With the device's codes and texts.
        """
        self._link.write(command)
        errors = self._errors()
        if errors:
            raise DeviceError(f"{self._name} refused {command!r}: {'; '.join(errors)}")

    def _errors(self) -> list[str]:
        """Read the error queue to its end."""
        query, found = f"{self.lead}SYST:ERR?", list[str]()
        for _ in range(_DEEPEST):
            entry = match(
                r'([+-]?\d+)\s*,\s*"?([^"]*)"?', self._link.query(query), query, self._link.address
            )
            if int(entry[1]) == 0:
                return found
            found.append(f"{int(entry[1])} {entry[2]}".strip())
        raise DeviceError(f"{self._name}: the error queue does not end: {found[0]}")

    def _same_frequency(self, a: float, b: float) -> bool:
        return abs(a - b) <= self._printed_step(a)

    def _printed_step(self, frequency: float) -> float:
        """Half a unit of the last digit that the device reports, Hz."""
        exponent = math.floor(math.log10(max(frequency, 1e-6)))
        return max(0.51 * math.pow(10.0, exponent - self.digits + 1), 0.5e-6)

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        return (
            self._printed_step(tone.frequency) + self.widest.frequency_resolution,
            1e-3 * tone.amplitude + self.widest.amplitude_resolution,
            self.widest.phase_resolution,
        )

    def _align(self) -> None:
        self._send(self.align_command)


class KeysightSource(ScpiSource):
    """Keysight/Agilent 33500B and 33600A; see :class:`~.base.TextRFSource` for the options."""

    maker = r"Keysight|Agilent"
    models: ClassVar[dict[str, tuple[float, int]]] = {
        "33509B": (20e6, 1), "33510B": (20e6, 2), "33511B": (20e6, 1), "33512B": (20e6, 2),
        "33519B": (30e6, 1), "33520B": (30e6, 2), "33521A": (30e6, 1), "33521B": (30e6, 1),
        "33522A": (30e6, 2), "33522B": (30e6, 2), "33611A": (80e6, 1), "33612A": (80e6, 2),
        "33621A": (120e6, 1), "33622A": (120e6, 2),
    }  # fmt: skip
    widest = RFCapabilities(
        channels=2,
        frequency_range=(1e-6, 120e6),
        amplitude_range=(0.5e-3, 5.0),
        phase="relative",
        phase_resolution=math.radians(0.1),
        frequency_resolution=1e-6,
        amplitude_resolution=5e-5,
        update_rate=20.0,
    )
    lead = ""
    align_command = "PHAS:SYNC"
    digits = 13
    meaning = (*MEANING, ANGLE)
    states = KEYSIGHT


_RIGOL = RFCapabilities(
    channels=2,
    frequency_range=(1e-6, 60e6),
    amplitude_range=(0.5e-3, 5.0),
    phase="relative",
    phase_resolution=math.radians(0.1),
    frequency_resolution=1e-6,
    amplitude_resolution=5e-5,
    update_rate=10.0,
)


class RigolDG1000ZSource(ScpiSource):
    """Rigol DG1000Z; see :class:`~.base.TextRFSource` for the options.

    It reports frequencies with seven digits: 10 Hz at 80 MHz.
    """

    maker = r"Rigol"
    models: ClassVar[dict[str, tuple[float, int]]] = {
        "DG1022Z": (25e6, 2), "DG1032Z": (30e6, 2), "DG1062Z": (60e6, 2),
    }  # fmt: skip
    widest = _RIGOL
    align_command = ":SOUR1:PHAS:SYNC"
    states = RIGOL


class RigolDG4000Source(ScpiSource):
    """Rigol DG4000; see :class:`~.base.TextRFSource` for the options.

    It reports frequencies with seven digits: 10 Hz at 80 MHz.
    """

    maker = r"Rigol"
    models: ClassVar[dict[str, tuple[float, int]]] = {
        "DG4062": (60e6, 2), "DG4102": (100e6, 2), "DG4162": (160e6, 2), "DG4202": (200e6, 2),
    }  # fmt: skip
    widest = replace(_RIGOL, frequency_range=(1e-6, 200e6))
    align_command = ":SOUR1:PHAS:INIT"
    states = RIGOL
