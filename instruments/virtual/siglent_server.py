"""A Siglent generator as a client sees it."""

from __future__ import annotations

import math
import re

from ...models.errors import DeviceError, InputError
from ..links.answers import decimal
from ..protocols import RFSource
from ..rf.siglent import SiglentSource
from .conversation import LineConversation
from .rf_registers import ToneRegisters

__all__ = ["SiglentInstrument"]


class SiglentInstrument:
    """A Siglent SDG6000X; what it does not understand it passes over in silence.

    Parameters
    ----------
    device : RFSource
        What acts.
    model : str
        Model that it passes for.
    """

    def __init__(self, device: RFSource, *, model: str = "SDG6052X") -> None:
        if model not in SiglentSource.models:
            known = ", ".join(sorted(SiglentSource.models))
            raise InputError(f"unknown model {model!r}; known: {known}")
        self._model = model
        self._tones = ToneRegisters(device, SiglentSource.models[model])
        self._load = ["50" for _ in range(self._tones.channels)]
        self._wave = ["SINE" for _ in range(self._tones.channels)]
        self._offset = [0.0 for _ in range(self._tones.channels)]
        self._polarity = ["NOR" for _ in range(self._tones.channels)]
        self._modes = {
            (channel, what): "OFF"
            for channel in range(self._tones.channels)
            for what in ("MDWV", "SWWV", "BTWV", "CMBN")
        }
        self._coupled = dict.fromkeys(("TRACE", "FCOUP", "PCOUP", "ACOUP"), "OFF")
        self._phases = "PHASE-LOCKED"

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line)

    def _line(self, line: str) -> str | None:
        command = line.strip()
        with self._tones.lock:
            if command.upper() == "*IDN?":
                return f"Siglent Technologies,{self._model},VIRTUAL0001,6.01.01.35R5"
            if command.upper() == "EQPHASE":
                self._tones.align()
                return None
            shared = re.fullmatch(r"(COUP|MODE)(\?| (.+))", command, re.IGNORECASE)
            if shared is not None:
                return self._both(shared[1].upper(), (shared[3] or "").upper())
            found = re.fullmatch(
                r"C(\d):(BSWV|OUTP|MDWV|SWWV|BTWV|CMBN)(\?| (.+))", command, re.IGNORECASE
            )
            if found is None or not 1 <= int(found[1]) <= self._tones.channels:
                return None
            channel, what = int(found[1]) - 1, found[2].upper()
            if what not in ("BSWV", "OUTP"):
                return self._mode(channel, what, (found[4] or "").upper())
            if found[3] == "?":
                return self._basic_wave(channel) if what == "BSWV" else self._output(channel)
            try:
                items = [item.strip().upper() for item in found[4].split(",")]
                (self._set_wave if what == "BSWV" else self._set_output)(channel, items)
            except (InputError, DeviceError, ValueError):
                return None  # out of range or no number: nothing happens, and nothing is said
        return None

    def _both(self, what: str, argument: str) -> str | None:
        """Coupling of the channels, and whether their phases are locked."""
        if what == "MODE":
            if argument in ("PHASE-LOCKED", "INDEPENDENT"):
                self._phases = argument
            return None if argument else f"MODE {self._phases}"
        key, _, value = argument.partition(",")
        if key in self._coupled and value in ("ON", "OFF"):
            self._coupled[key] = value
        if argument:
            return None
        if self._coupled["TRACE"] == "ON":  # it tells of nothing else then
            return "COUP TRACE,ON"
        return "COUP " + ",".join(f"{k},{v}" for k, v in self._coupled.items())

    def _mode(self, channel: int, what: str, argument: str) -> str | None:
        """Modulation, sweep, burst, and the sum of the channels."""
        value = argument.removeprefix("STATE,")
        if argument:
            if value in ("ON", "OFF"):
                self._modes[channel, what] = value
            return None
        state = self._modes[channel, what]
        if what == "CMBN":
            return f"C{channel + 1}:CMBN {state}"
        more = "" if state == "OFF" else ",AM,MDSP,SINE,SRC,INT" if what == "MDWV" else ",TIME,1S"
        return f"C{channel + 1}:{what} STATE,{state}{more}"

    def _basic_wave(self, channel: int) -> str:
        tone = self._tones.tone(channel)
        volts, degrees = 2.0 * tone.amplitude, math.degrees(tone.phase) % 360.0
        offset = self._offset[channel]
        if self._load[channel] == "HZ":
            volts *= 2.0
        return (
            f"C{channel + 1}:BSWV WVTP,{self._wave[channel]},FRQ,{decimal(tone.frequency, 6)}HZ,"
            f"PERI,{1.0 / tone.frequency:.6g}S,AMP,{decimal(volts, 4)}V,"
            f"AMPVRMS,{decimal(volts / math.sqrt(8.0), 4)}Vrms,OFST,{decimal(offset, 4)}V,"
            f"HLEV,{decimal(offset + 0.5 * volts, 4)}V,LLEV,{decimal(offset - 0.5 * volts, 4)}V,"
            f"PHSE,{decimal(degrees, 3)}"
        )

    def _output(self, channel: int) -> str:
        state = "ON" if self._tones.tone(channel).enabled else "OFF"
        return (
            f"C{channel + 1}:OUTP {state},LOAD,{self._load[channel]},PLRT,{self._polarity[channel]}"
        )

    def _set_wave(self, channel: int, items: list[str]) -> None:
        for key, text in zip(items[0::2], items[1::2], strict=True):
            if key == "WVTP":
                self._wave[channel] = text
                continue
            value = float(text.removesuffix("HZ").removesuffix("V"))
            scale = 1.0 if self._load[channel] == "50" else 0.5
            if key == "FRQ":
                self._tones.change(channel, frequency=value)
            elif key == "AMP":
                self._tones.change(channel, amplitude=0.5 * value * scale)
            elif key == "OFST":
                self._offset[channel] = value
            elif key == "PHSE":
                self._tones.change(channel, phase=math.radians(value))

    def _set_output(self, channel: int, items: list[str]) -> None:
        if items[0] in ("ON", "OFF"):
            self._tones.change(channel, enabled=items[0] == "ON")
        elif items[0] == "LOAD" and items[1:] in (["50"], ["HZ"]):
            self._load[channel] = items[1]
        elif items[0] == "PLRT" and items[1:] in (["NOR"], ["INVT"]):
            self._polarity[channel] = items[1]
