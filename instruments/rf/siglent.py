"""Siglent SDG generators: ``C1:BSWV FRQ,80000000`` and its kin.

The amplitude is Vpp and the load part of the output's state. There is no error queue that all
models share: what was set is read back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Unpack

from ..capabilities import RFCapabilities
from ..links.answers import decimal, match, number
from ..links.base import LinkError
from ..protocols import RFTone
from ..setpoints import wrapped_phase
from .base import TextRFOptions, TextRFSource
from .expected import Expected, ask_if_known, normal, wrong_state, zero

__all__ = ["SiglentSource"]

_AMPLITUDES = "amplitudes (Vpp of a sine into 50 Ω) would mean something else"
_VARIES = "frequency or amplitude would change by themselves"
_ALWAYS = ("WVTP", "LOAD")  # told by every model
_FIELDS: tuple[tuple[str, Callable[[str], bool], str, str], ...] = (
    ("WVTP", lambda value: value == "SINE", "BSWV WVTP,SINE", _AMPLITUDES),
    ("LOAD", lambda value: value == "50", "OUTP LOAD,50", _AMPLITUDES),
    ("PLRT", normal, "OUTP PLRT,NOR", "the phase of the light would be turned by π"),
    ("OFST", lambda value: zero(value.removesuffix("V")), "BSWV OFST,0",
     "a direct voltage would reach amplifier and modulator"),
)  # fmt: skip


def _all_off(answer: str) -> bool:
    """Whether no item of an answer is ON."""
    return "ON" not in re.split(r"[ ,]+", answer)


_STATES = (
    Expected("the modulation", "C{n}:MDWV?", lambda a: "STATE,ON" not in a, "STATE,OFF",
             "C{n}:MDWV STATE,OFF", _VARIES),
    Expected("the sweep", "C{n}:SWWV?", lambda a: "STATE,ON" not in a, "STATE,OFF",
             "C{n}:SWWV STATE,OFF", _VARIES),
    Expected("the burst", "C{n}:BTWV?", lambda a: "STATE,ON" not in a, "STATE,OFF",
             "C{n}:BTWV STATE,OFF", "the light would be interrupted"),
    Expected("the other channel added to this one", "C{n}:CMBN?", _all_off, "OFF",
             "C{n}:CMBN OFF", "the light would carry both tones"),
    Expected("coupling of the channels", "COUP?", _all_off, "OFF",
             "COUP TRACE,OFF (then COUP FCOUP,OFF, COUP PCOUP,OFF, COUP ACOUP,OFF)",
             "a change of one channel would change the other one"),
    Expected("the phase mode", "MODE?", lambda a: "INDEPENDENT" not in a, "PHASE-LOCKED",
             "MODE PHASE-LOCKED", "the phase between the channels would drift"),
)  # fmt: skip


class SiglentSource(TextRFSource):
    """Siglent SDG with two channels; see :class:`~.base.TextRFSource` for the options.

    Its channels must be phase-locked (``MODE PHASE-LOCKED``), which is checked where a model tells.
    """

    models: ClassVar[dict[str, float]] = {  # highest frequency of a sine, Hz
        "SDG1032X": 30e6, "SDG1062X": 60e6, "SDG2042X": 40e6, "SDG2082X": 80e6,
        "SDG2122X": 120e6, "SDG5082": 80e6, "SDG5112": 110e6, "SDG5122": 120e6, "SDG5162": 160e6,
        "SDG6022X": 200e6, "SDG6032X": 350e6, "SDG6052X": 500e6,
    }  # fmt: skip
    widest = RFCapabilities(
        channels=2,
        frequency_range=(1e-6, 500e6),
        amplitude_range=(1e-3, 5.0),
        phase="relative",
        phase_resolution=math.radians(0.1),
        frequency_resolution=1e-6,
        amplitude_resolution=5e-4,
        update_rate=10.0,
    )

    def __init__(
        self, name: str, address: str | None = None, **options: Unpack[TextRFOptions]
    ) -> None:
        super().__init__(name, address, **options)
        self._unknown: set[str] = set()
        self._known_as = ""

    def _open(self) -> str:
        self._link.open()
        identity = self._link.query("*IDN?").strip()
        found = re.search(r"SDG\w+", identity, re.IGNORECASE)
        if found is None or "siglent" not in identity.lower():
            raise self._other_device(identity, "a Siglent SDG")
        low, high = self.widest.frequency_range
        highest = self.models.get(found[0].upper(), high)
        self._set_model(replace(self.widest, frequency_range=(low, highest)))
        self._known_as = identity
        self._look()
        for channel in range(self._channels):
            self._remark_off(channel, self._sound_tone(channel))
        return identity

    def _look(self) -> None:
        super()._look()
        for channel in range(self._channels):
            for expected in _STATES:
                query = expected.query.format(n=channel + 1)
                answer = ask_if_known(self._link, query, self._unknown, self._require_alive)
                if answer is None:
                    continue
                match(rf"{re.escape(query.rstrip('?'))} \S.*", answer, query, self._link.address)
                if not expected.good(answer.upper()):
                    raise expected.refusal(self._name, channel, answer)

    def _require_alive(self) -> None:
        """Raise LinkError unless the device says who it is, as before."""
        answer = self._link.query("*IDN?").strip()
        if answer != self._known_as:
            raise LinkError(f"{self._link.address} answered {answer[:60]!r} to '*IDN?'")

    def _fields(self, query: str) -> dict[str, str]:
        """Ask, and return the answer's pairs; the first item of an output's state is "STATE"."""
        answer = self._link.query(query)
        header = re.escape(query.rstrip("?"))
        body = match(rf"{header} (\S.*)", answer, query, self._link.address)[1]
        items = [item.strip() for item in body.split(",")]
        if "OUTP" in query:
            items.insert(0, "STATE")
        if len(items) % 2 or not all(items):
            raise LinkError(f"{self._link.address} answered {answer[:60]!r} to {query!r}: cut off")
        return dict(zip(items[0::2], items[1::2], strict=True))

    def _value(self, fields: dict[str, str], key: str, unit: str, query: str) -> float:
        text = fields.get(key, "nothing")
        return number(text, f"{query} ({key})", self._link.address, unit=unit)

    def _read_tone(self, channel: int) -> RFTone:
        wave, output = f"C{channel + 1}:BSWV?", f"C{channel + 1}:OUTP?"
        values, state = self._fields(wave), self._fields(output)
        self._check_setup(channel, values, state)
        on = match("ON|OFF", state["STATE"], output, self._link.address)[0]
        return RFTone(
            frequency=self._value(values, "FRQ", "HZ", wave),
            amplitude=0.5 * self._value(values, "AMP", "V", wave),
            phase=wrapped_phase(math.radians(self._value(values, "PHSE", "", wave))),
            enabled=on == "ON",
        )

    def _check_setup(self, channel: int, wave: dict[str, str], output: dict[str, str]) -> None:
        """Refuse what makes another light of the same numbers, with every tone that is read."""
        n, fields = channel + 1, wave | output
        for key, good, remedy, means in _FIELDS:
            value = fields.get(key)
            if (value is None and key in _ALWAYS) or (value is not None and not good(value)):
                raise wrong_state(
                    f"{self._name} channel {n}", key, str(value), remedy.rpartition(",")[2],
                    f"C{n}:{remedy}", means,
                )  # fmt: skip

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        """Send what differs, and the phase always: EQPHASE may have reset it."""
        n = channel + 1
        if not tone.enabled and (now is None or now.enabled):
            self._link.write(f"C{n}:OUTP OFF")
        if now is None or tone.frequency != now.frequency:
            self._link.write(f"C{n}:BSWV FRQ,{decimal(tone.frequency, 6)}")
        volts = decimal(2.0 * tone.amplitude, 4)
        if now is None or volts != decimal(2.0 * now.amplitude, 4):
            self._link.write(f"C{n}:BSWV AMP,{volts}")
        degrees = decimal(math.degrees(tone.phase) % 360.0, 3)
        self._link.write(f"C{n}:BSWV PHSE,{degrees}")
        if tone.enabled and (now is None or not now.enabled):
            self._link.write(f"C{n}:OUTP ON")

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        return (
            1e-9 * tone.frequency + 0.1,
            1e-3 * tone.amplitude + self.widest.amplitude_resolution,
            self.widest.phase_resolution,
        )

    def _align(self) -> None:
        self._link.write("EQPHASE")
