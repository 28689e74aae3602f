"""Keysight and Rigol generators as a client sees them.

Tones, units, loads and outputs act; what else they know is kept (:mod:`.scpi_tables`).
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from ...models.errors import DeviceError, InputError
from ..links.answers import NUMBER
from ..protocols import RFSource
from ..rf.base import dbm_of, volts_of
from ..rf.scpi import KeysightSource, RigolDG1000ZSource, RigolDG4000Source
from .conversation import LineConversation
from .rf_registers import ToneRegisters
from .scpi_settings import BOOLEAN, NUMERIC, TEXT, Setting, Settings, choose, header
from .scpi_tables import KEYSIGHT_SETTINGS, RIGOL_1000Z_SETTINGS, RIGOL_4000_SETTINGS

__all__ = [
    "KeysightInstrument",
    "RigolDG1000ZInstrument",
    "RigolDG4000Instrument",
    "ScpiInstrument",
]

_UNDEFINED = (-113, "Undefined header")
_MISSING = (-109, "Missing parameter")
_TYPE = (-104, "Data type error")
_ILLEGAL = (-224, "Illegal parameter value")
_RANGE = (-222, "Data out of range")
_CONFLICT = (-221, "Settings conflict")
_QUEUE = 20
_SHAPES = (
    "SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARBitrary", "DC", "USER",
    "HARMonic",
)  # fmt: skip
_UNITS = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "V": 1.0, "VPP": 1.0, "MV": 1e-3, "DEG": 1.0}


# Triggers, sounds, the display, uploads of waveforms: they change no tone.
_PASSED_OVER = re.compile(
    r"(?:\*(?:WAI|TRG)|:?SYST(?:EM)?:BEEP(?:ER)?|:?DISP(?:LAY)?:TEXT:CLE(?:AR)?"
    r"|:?(?:SOUR(?:CE)?[12]?:)?DATA:(?:VOL(?:ATILE)?:CLE(?:AR)?|ARB(?:ITRARY)?(?:[12])?(?::DAC)?)"
    r"|:?DATA)(\?)?",
    re.IGNORECASE,
)


class _ScpiError(Exception):
    """An entry for the error queue."""


class ScpiInstrument:
    """A two-channel SCPI generator.

    Parameters
    ----------
    device : RFSource
        What acts.
    model : str, optional
        Model that it passes for; its highest frequency holds.
    """

    maker: ClassVar[str]
    models: ClassVar[dict[str, tuple[float, int]]]
    model: ClassVar[str]
    align_header: ClassVar[re.Pattern[str]]
    number_format: ClassVar[str]
    no_error: ClassVar[str] = '0,"No error"'
    table: ClassVar[tuple[Setting, ...]]

    def __init__(self, device: RFSource, *, model: str | None = None) -> None:
        self._model = model or self.model
        if self._model not in self.models:
            known = ", ".join(sorted(self.models))
            raise InputError(f"unknown model {self._model!r}; known: {known}")
        self._tones = ToneRegisters(device, self.models[self._model][0])
        self._errors: deque[tuple[int, str]] = deque()
        channels = range(self._tones.channels)
        self._unit = ["VPP" for _ in channels]
        self._load = [50.0 for _ in channels]
        self._function = ["SIN" for _ in channels]
        source = "[SOURce#]"
        self._settings = Settings(self.table)
        self._own: tuple[tuple[re.Pattern[str], Callable[[int, str, bool], str | None]], ...] = (
            (re.compile(r"\*IDN(\?)", re.IGNORECASE), self._identify),
            (re.compile(r"\*CLS(\?)?", re.IGNORECASE), self._clear),
            (header("SYSTem", "ERRor"), self._next_error),
            (header(source, "FREQuency"), self._frequency),
            (header(source, "VOLTage"), self._voltage),
            (header(source, "VOLTage", "UNIT"), self._voltage_unit),
            (header(source, "PHASe"), self._phase),
            (header(source, "FUNCtion"), self._shape),
            (header(source, "VOLTage", "HIGH"), self._high),
            (header(source, "VOLTage", "LOW"), self._low),
            (header("OUTPut#", "[STATe]"), self._output),
            (header("OUTPut#", "LOAD"), self._output_load),
            (self.align_header, self._align),
            (re.compile(r"\*OPC(\?)?", re.IGNORECASE), lambda c, a, query: "1" if query else None),
            (re.compile(r"\*RST(\?)?", re.IGNORECASE), self._reset),
            (_PASSED_OVER, lambda c, a, query: None),
        )  # fmt: skip
        self._kept = self._settings.patterns()

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line)

    def _line(self, line: str) -> str | None:
        answers = []
        with self._tones.lock:
            for command in line.split(";"):
                answer = self._command(command.strip()) if command.strip() else None
                if answer is not None:
                    answers.append(answer)
        return ";".join(answers) if answers else None

    def _command(self, command: str) -> str | None:
        head, _, argument = command.partition(" ")
        try:
            for pattern, action in self._own:
                found = pattern.fullmatch(head)
                if found is not None:
                    *suffix, query = found.groups()
                    return action(self._channel(suffix), argument.strip(), query is not None)
            for pattern, setting in self._kept:
                found = pattern.fullmatch(head)
                if found is not None:
                    *suffix, query = found.groups()
                    return self._keep(setting, self._channel(suffix), argument, query is not None)
            raise _ScpiError(*_UNDEFINED)
        except _ScpiError as error:
            self._push(error.args[0], error.args[1])
        except InputError as error:
            out = "must lie in" in str(error)
            self._push(*(_RANGE if out else _CONFLICT), str(error))
        except DeviceError as error:
            self._push(-240, f"Hardware error; {error}")
        return None

    def _push(self, code: int, text: str, detail: str = "") -> None:
        """Add an entry; the last place of a full queue says that it is full."""
        if len(self._errors) >= _QUEUE:
            self._errors[-1] = (-350, "Queue overflow")
            return
        clean = f"{text}; {detail}" if detail else text
        self._errors.append((code, clean.replace('"', "'")))

    def _channel(self, suffix: list[str | None]) -> int:
        number = int(suffix[0]) if suffix and suffix[0] else 1
        if not 1 <= number <= self._tones.channels:
            raise _ScpiError(-114, "Header suffix out of range")
        return number - 1

    def _value(self, argument: str) -> float:
        if not argument:
            raise _ScpiError(*_MISSING)
        found = re.fullmatch(rf"({NUMBER})\s*([A-Za-z]*)", argument)
        if found is None or found[2].upper() not in {"", *_UNITS}:
            raise _ScpiError(*_TYPE)
        return float(found[1]) * _UNITS.get(found[2].upper(), 1.0)

    def _format(self, value: float) -> str:
        return format(value, self.number_format)

    def _keep(self, setting: Setting, channel: int, argument: str, query: bool) -> str | None:
        """Ask or change a setting that does not act."""
        if query:
            return self._settings.answer(setting, channel, self._state, self._format)
        value: str | float | None = argument.strip()
        if not value:
            raise _ScpiError(*_MISSING)
        if setting.kind == BOOLEAN:
            value = {"ON": 1.0, "1": 1.0, "OFF": 0.0, "0": 0.0}.get(argument.strip().upper())
        elif setting.kind == NUMERIC:
            value = self._value(argument.strip())
            if not setting.low <= value <= setting.high:
                raise _ScpiError(*_RANGE)
        elif setting.kind != TEXT:
            value = choose(argument, setting.kind)
        if value is None:
            raise _ScpiError(*_ILLEGAL)
        self._settings.values[setting.words, channel] = value
        return None

    # -- headers ----------------------------------------------------------------------------------

    def _identify(self, channel: int, argument: str, query: bool) -> str:
        return f"{self.maker},{self._model},VIRTUAL0001,1.00"

    def _clear(self, channel: int, argument: str, query: bool) -> None:
        self._errors.clear()

    def _next_error(self, channel: int, argument: str, query: bool) -> str:
        if not query:
            raise _ScpiError(*_UNDEFINED)
        if not self._errors:
            return self.no_error
        code, text = self._errors.popleft()
        return f'{code},"{text}"'

    def _frequency(self, channel: int, argument: str, query: bool) -> str | None:
        if query:
            return self._format(self._tones.tone(channel).frequency)
        self._tones.change(channel, frequency=round(self._value(argument), 6))
        return None

    def _voltage(self, channel: int, argument: str, query: bool) -> str | None:
        load, unit = self._load[channel], self._unit[channel]
        shown = 0.5 if math.isinf(load) else (load + 50.0) / (2.0 * load)  # V into 50 Ω per V shown
        if query:
            peak = self._tones.tone(channel).amplitude / shown
            scale = {"VPP": 2.0 * peak, "VRMS": peak / math.sqrt(2.0)}
            return self._format(scale[unit] if unit in scale else dbm_of(max(peak, 1e-9)))
        value = self._value(argument)
        peaks = {"VPP": 0.5 * value, "VRMS": value * math.sqrt(2.0)}
        peak = peaks[unit] if unit in peaks else volts_of(value)
        self._tones.change(channel, amplitude=peak * shown)
        return None

    def _voltage_unit(self, channel: int, argument: str, query: bool) -> str | None:
        return self._choice(self._unit, channel, argument, query, ("VPP", "VRMS", "DBM"))

    def _shape(self, channel: int, argument: str, query: bool) -> str | None:
        return self._choice(self._function, channel, argument, query, _SHAPES)

    def _choice(
        self, store: list[str], channel: int, argument: str, query: bool, known: tuple[str, ...]
    ) -> str | None:
        if query:
            return store[channel]
        chosen = choose(argument, known) if argument else None
        if chosen is None:
            raise _ScpiError(*(_ILLEGAL if argument else _MISSING))
        store[channel] = chosen
        return None

    def _high(self, channel: int, argument: str, query: bool) -> str | None:
        return self._level(channel, argument, query, 1.0)

    def _low(self, channel: int, argument: str, query: bool) -> str | None:
        return self._level(channel, argument, query, -1.0)

    def _level(self, channel: int, argument: str, query: bool, sign: float) -> str | None:
        """Upper or lower level: amplitude and offset in other words."""
        key = ("[SOURce#] VOLTage OFFSet", channel)
        offset, amplitude = float(self._settings.get(*key)), self._tones.tone(channel).amplitude
        if query:
            return self._format(offset + sign * amplitude)
        level, other = self._value(argument), offset - sign * amplitude
        if sign * (level - other) <= 0.0:
            raise _ScpiError(*_CONFLICT)
        self._tones.change(channel, amplitude=0.5 * abs(level - other))
        self._settings.values[key] = 0.5 * (level + other)
        return None

    def _reset(self, channel: int, argument: str, query: bool) -> None:
        """Go to the state after power-up: outputs off."""
        self._settings.reset()
        for n in range(self._tones.channels):
            self._unit[n], self._load[n], self._function[n] = "VPP", 50.0, "SIN"
            self._tones.change(n, enabled=False)

    def _phase(self, channel: int, argument: str, query: bool) -> str | None:
        if query:
            return self._format(round(math.degrees(self._tones.tone(channel).phase), 3))
        degrees = self._value(argument)
        if not -360.0 <= degrees <= 360.0:
            raise _ScpiError(*_RANGE)
        self._tones.change(channel, phase=math.radians(round(degrees, 3)))
        return None

    def _output(self, channel: int, argument: str, query: bool) -> str | None:
        if query:
            return self._state(self._tones.tone(channel).enabled)
        if argument.upper() not in ("ON", "OFF", "1", "0"):
            raise _ScpiError(*(_ILLEGAL if argument else _MISSING))
        self._tones.change(channel, enabled=argument.upper() in ("ON", "1"))
        return None

    def _state(self, enabled: bool) -> str:
        return "ON" if enabled else "OFF"

    def _output_load(self, channel: int, argument: str, query: bool) -> str | None:
        if query:
            load = self._load[channel]
            return self._format(9.9e37 if math.isinf(load) else load)
        infinite = argument.upper().startswith("INF")
        load = math.inf if infinite else self._value(argument)
        if not infinite and not 1.0 <= load <= 1e4:
            raise _ScpiError(*_RANGE)
        self._load[channel] = load
        return None

    def _align(self, channel: int, argument: str, query: bool) -> None:
        if query:
            raise _ScpiError(*_UNDEFINED)
        self._tones.align()


class KeysightInstrument(ScpiInstrument):
    """A Keysight 33600A; see :class:`ScpiInstrument`."""

    maker = "Keysight Technologies"
    models: ClassVar[dict[str, tuple[float, int]]] = KeysightSource.models
    model = "33622A"
    table = KEYSIGHT_SETTINGS
    align_header: ClassVar[re.Pattern[str]] = header("[SOURce#]", "PHASe", "SYNChronize")
    number_format = "+.15E"
    no_error = '+0,"No error"'

    def __init__(self, device: RFSource, *, model: str | None = None) -> None:
        super().__init__(device, model=model)
        self._angle = ["DEG"]
        self._own += ((header("UNIT", "ANGLe"), self._angle_unit),)

    def _angle_unit(self, channel: int, argument: str, query: bool) -> str | None:
        return self._choice(self._angle, 0, argument, query, ("DEGree", "RADian", "SECond"))

    def _state(self, enabled: bool) -> str:
        return "1" if enabled else "0"


class RigolInstrument(ScpiInstrument):
    """What Rigol's have in common: coupling in one answer, ``APPLy?``, impedance for load."""

    maker = "Rigol Technologies"
    number_format = ".6E"

    def __init__(self, device: RFSource, *, model: str | None = None) -> None:
        super().__init__(device, model=model)
        self._coupled = dict.fromkeys(("FREQ", "PHASE", "AMPL"), False)
        self._own += (
            (header("COUPling", "[STATe]"), self._couple),
            (header("COUPling", "FREQuency", "[STATe]"), partial(self._couple, only="FREQ")),
            (header("COUPling", "PHASe", "[STATe]"), partial(self._couple, only="PHASE")),
            (header("COUPling", "AMPL", "[STATe]"), partial(self._couple, only="AMPL")),
            (header("OUTPut#", "IMPedance"), self._output_load),
            (header("[SOURce#]", "APPLy"), self._apply),
        )

    def _couple(
        self, channel: int, argument: str, query: bool, only: str | None = None
    ) -> str | None:
        kinds = tuple(self._coupled) if only is None else (only,)
        if query and only is not None:
            return self._state(self._coupled[only])
        if query:
            return ",".join(f"{kind}:{self._state(on)}" for kind, on in self._coupled.items())
        if argument.upper() not in ("ON", "OFF", "1", "0"):
            raise _ScpiError(*(_ILLEGAL if argument else _MISSING))
        self._coupled |= dict.fromkeys(kinds, argument.upper() in ("ON", "1"))
        return None

    def _apply(self, channel: int, argument: str, query: bool) -> str | None:
        """Function, frequency, amplitude, offset and phase; setting them so is not served."""
        if not query:
            raise _ScpiError(*_UNDEFINED)
        numbers = (
            self._frequency(channel, "", True),
            self._voltage(channel, "", True),
            self._format(float(self._settings.get("[SOURce#] VOLTage OFFSet", channel))),
            self._phase(channel, "", True),
        )
        return f'"{",".join([self._function[channel], *map(str, numbers)])}"'

    def _reset(self, channel: int, argument: str, query: bool) -> None:
        super()._reset(channel, argument, query)
        self._coupled = dict.fromkeys(self._coupled, False)


class RigolDG1000ZInstrument(RigolInstrument):
    """A Rigol DG1000Z; see :class:`ScpiInstrument`."""

    models: ClassVar[dict[str, tuple[float, int]]] = RigolDG1000ZSource.models
    model = "DG1062Z"
    align_header: ClassVar[re.Pattern[str]] = header("[SOURce#]", "PHASe", "SYNChronize")
    table = RIGOL_1000Z_SETTINGS


class RigolDG4000Instrument(RigolInstrument):
    """A Rigol DG4000; see :class:`ScpiInstrument`."""

    models: ClassVar[dict[str, tuple[float, int]]] = RigolDG4000Source.models
    model = "DG4202"
    align_header: ClassVar[re.Pattern[str]] = header("[SOURce#]", "PHASe", "INITiate")
    table = RIGOL_4000_SETTINGS
