"""MOGLabs, Novatech and AA sources as a client sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ...models.errors import DeviceError, InputError
from ..links.answers import NUMBER
from ..protocols import RFSource
from ..rf.base import dbm_of, volts_of
from .conversation import LineConversation
from .rf_registers import ToneRegisters

__all__ = ["AaInstrument", "MoglabsInstrument", "NovatechInstrument"]

_CLOCK = 1e9


class _Refused(Exception):
    """What the instrument answers instead of obeying."""


class MoglabsInstrument:
    """A MOGLabs XRF; every line is answered, with OK, a value or ERR.

    Parameters
    ----------
    device : RFSource
        What acts.
    model : str
        Model that it passes for.
    limit : float
        LIMIT of all channels, dBm.
    """

    def __init__(self, device: RFSource, *, model: str = "XRF421", limit: float = 33.0) -> None:
        self._tones = ToneRegisters(device)
        self._model = model
        self._limit = [limit for _ in range(self._tones.channels)]
        self._mode = ["NSB" for _ in range(self._tones.channels)]
        self._external = ["OFF" for _ in range(self._tones.channels)]
        # Signal and amplifier as they were switched: light needs both.
        self._parts = [{"SIG": True, "POW": True} for _ in range(self._tones.channels)]
        self._actions: dict[str, Callable[[int, list[str]], str]] = {
            "FREQ": self._frequency,
            "POW": self._power,
            "PHASE": self._phase,
            "LIMIT": self._set_limit,
            "MODE": self._set_mode,
            "STATUS": self._status,
            "ON": self._switch_on,
            "OFF": self._switch_off,
        }

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line, end=b"\r\n", answer_end=b"\r\n")

    def _line(self, line: str) -> str:
        name, *arguments = [item.strip() for item in line.strip().split(",")]
        with self._tones.lock:
            try:
                return self._command(name.upper(), arguments)
            except (_Refused, InputError, DeviceError) as error:
                return f"ERR: {error}"

    def _command(self, name: str, arguments: list[str]) -> str:
        if name == "INFO":
            return f"MOGLabs {self._model} rev1, serial A00001 (virtual)"
        if name == "ALIGNPH":
            for text in arguments:
                self._channel(text)
            self._tones.align()
            return "OK: phases aligned"
        if name == "EXTIO":
            return self._switched_outside(arguments)
        if name not in self._actions:
            raise _Refused(f"Unrecognised command {name}")
        if not arguments:
            raise _Refused("Channel missing")
        return self._actions[name](self._channel(arguments[0]), arguments[1:])

    def _channel(self, text: str) -> int:
        if not text.isdigit() or not 1 <= int(text) <= self._tones.channels:
            raise _Refused(f"Invalid channel {text}")
        return int(text) - 1

    def _value(self, text: str, unit: str) -> float:
        found = re.fullmatch(rf"({NUMBER})(?: ?{unit})?", text, re.IGNORECASE)
        if found is None:
            raise _Refused(f"Invalid value {text}")
        return float(found[1])

    def _frequency(self, channel: int, arguments: list[str]) -> str:
        if arguments:
            value = 1e6 * self._value(arguments[0], "MHz")
            low, high = self._tones.frequency_range
            if not low <= value <= high:
                raise _Refused(f"Frequency {1e-6 * value:.2f} MHz out of range")
            self._tones.change(channel, frequency=value)
        word = round(self._tones.tone(channel).frequency / _CLOCK * 2**32)
        text = f"{word * _CLOCK / 2**32 * 1e-6:.8f} MHz (0x{word:08X})"
        return f"OK: CH{channel + 1} freq now {text}" if arguments else text

    def _power(self, channel: int, arguments: list[str]) -> str:
        if arguments:
            value = self._value(arguments[0], "dBm")
            if value > self._limit[channel]:
                raise _Refused(f"Power {value:.2f} dBm exceeds limit")
            self._tones.change(channel, amplitude=volts_of(value))
        text = f"{dbm_of(max(self._tones.tone(channel).amplitude, 1e-6)):+.3f} dBm"
        return f"OK: CH{channel + 1} power now {text}" if arguments else text

    def _phase(self, channel: int, arguments: list[str]) -> str:
        if arguments:
            degrees = self._value(arguments[0], "deg") % 360.0
            word = round(degrees / 360.0 * 65536.0) % 65536
            self._tones.change(channel, phase=2.0 * math.pi * word / 65536.0)
        turns = self._tones.tone(channel).phase / (2.0 * math.pi) % 1.0
        text = f"{360.0 * turns:.4f} deg (0x{round(65536.0 * turns) % 65536:04X})"
        return f"OK: CH{channel + 1} phase now {text}" if arguments else text

    def _set_limit(self, channel: int, arguments: list[str]) -> str:
        if arguments:
            self._limit[channel] = self._value(arguments[0], "dBm")
        text = f"{self._limit[channel]:+.2f} dBm"
        return f"OK: CH{channel + 1} limit now {text}" if arguments else text

    def _set_mode(self, channel: int, arguments: list[str]) -> str:
        if arguments:
            if arguments[0].upper() not in ("NSB", "NSA", "TSB", "TSA"):
                raise _Refused(f"Invalid mode {arguments[0]}")
            self._mode[channel] = arguments[0].upper()
        text = self._mode[channel]
        return f"OK: CH{channel + 1} mode now {text}" if arguments else text

    def _switched_outside(self, arguments: list[str]) -> str:
        """Whether an external input switches a channel; of it only ENABLE is served."""
        if len(arguments) < 2 or arguments[0].upper() != "ENABLE":
            raise _Refused("Unrecognised command EXTIO")
        channel = self._channel(arguments[1])
        if arguments[2:] and arguments[2].upper() in ("ON", "OFF"):
            self._external[channel] = arguments[2].upper()
            return f"OK: CH{channel + 1} external control {self._external[channel]}"
        return self._external[channel]

    def _status(self, channel: int, arguments: list[str]) -> str:
        parts = self._parts[channel]
        if self._tones.tone(channel).enabled:  # light there is: both are on
            parts = {"SIG": True, "POW": True}
        elif all(parts.values()):
            parts = {"SIG": False, "POW": True}
        told = ", ".join(f"{part}: {'ON' if on else 'OFF'}" for part, on in parts.items())
        return f"CH{channel + 1} {told}, MODE: {self._mode[channel]}"

    def _switch_on(self, channel: int, arguments: list[str]) -> str:
        return self._switch(channel, arguments, True)

    def _switch_off(self, channel: int, arguments: list[str]) -> str:
        return self._switch(channel, arguments, False)

    def _switch(self, channel: int, arguments: list[str], on: bool) -> str:
        what = arguments[0].upper() if arguments else "ALL"
        if what not in ("SIG", "POW", "ALL"):
            raise _Refused(f"Invalid output {what}")
        parts = self._parts[channel]
        for part in parts if what == "ALL" else (what,):
            parts[part] = on
        self._tones.change(channel, enabled=all(parts.values()))
        return f"OK: CH{channel + 1} {what} {'on' if on else 'off'}"


class NovatechInstrument:
    """A Novatech 409B on its internal clock.

    Parameters
    ----------
    device : RFSource
        What acts; channels beyond its own are there but drive nothing.
    full_scale : float
        V peak at amplitude word 1023.
    echo : bool
        Whether commands are echoed, as after power-up.
    """

    def __init__(self, device: RFSource, *, full_scale: float = 0.5, echo: bool = True) -> None:
        self._tones = ToneRegisters(device)
        self._full, self._echo = full_scale, echo
        self._by_hand, self._clears = False, False
        # Channel function registers: bits 22, 23 modulate, bit 14 sweeps; byte commands set them.
        self.registers = [0x000301 for _ in range(4)]
        self._waiting: dict[int, dict[str, int]] = {}

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line, end=b"\r\n", answer_end=b"\r\n")

    def _line(self, line: str) -> str:
        with self._tones.lock:
            echo = f"{line}\r\n" if self._echo else ""
            try:
                return echo + self._command(line.strip())
            except _Refused as error:
                return echo + str(error)

    def _command(self, line: str) -> str:
        if line.upper() == "QUE":
            return "\r\n".join([*(self._words_line(n) for n in range(4)), "80 BC0000 0000 0102 21"])
        mode = re.fullmatch(r"([IME]) ([A-Z])", line.upper())
        if mode is not None:
            return self._mode(mode[1], mode[2])
        found = re.fullmatch(r"([FPV])([0-3]) (\d+(?:\.\d+)?)", line.upper())
        if found is None:
            raise _Refused("?0")
        self._store(found[1], int(found[2]), float(found[3]))
        if not self._by_hand:
            self._update()
        return "OK"

    def _mode(self, kind: str, value: str) -> str:
        if kind == "I" and value in "AM":
            self._by_hand = value == "M"
        elif kind == "I" and value == "P":
            self._update()
        elif kind == "M" and value in "AN":
            self._clears = value == "A"
        elif kind == "E" and value in "DE":
            self._echo = value == "E"
        else:
            raise _Refused("?6" if kind == "M" else "?0")
        return "OK"

    def _store(self, kind: str, channel: int, value: float) -> None:
        """Keep a word until the next update."""
        words = self._waiting.setdefault(channel, {})
        if kind == "F":
            if not 0.0 <= value <= 171.1276031:
                raise _Refused("?1")
            words["frequency"] = round(1e7 * value)
        elif kind == "P":
            if value > 16383:
                raise _Refused("?4")
            words["phase"] = int(value)
        else:
            if value > 1023:
                raise _Refused("?7")
            words["level"] = int(value)

    def _words(self, channel: int) -> dict[str, int]:
        """Words of a channel as it acts."""
        if channel >= self._tones.channels:
            return {"frequency": 0, "phase": 0, "level": 0}
        tone = self._tones.tone(channel)
        level = round(tone.amplitude / self._full * 1023) if tone.enabled else 0
        return {
            "frequency": round(10.0 * tone.frequency),
            "phase": round(tone.phase / (2.0 * math.pi) * 16384) % 16384,
            "level": min(1023, level),
        }

    def _words_line(self, channel: int) -> str:
        words = self._words(channel) | self._waiting.get(channel, {})
        return (
            f"{words['frequency']:08X} {words['phase']:04X} {words['level']:04X} 0000 "
            f"00000000 00000000 {self.registers[channel]:06X}"
        )

    def _update(self) -> None:
        """Let what waits act, and clear the phase registers if so set."""
        waiting, self._waiting = self._waiting, {}
        try:
            for channel, changed in waiting.items():
                if channel < self._tones.channels:
                    self._apply(channel, changed)
            if self._clears:
                self._tones.align()
        except (InputError, DeviceError):
            raise _Refused("?1") from None

    def _apply(self, channel: int, changed: dict[str, int]) -> None:
        """Let words act that differ from those that do."""
        now = self._words(channel)
        values: dict[str, float | bool] = {}
        for key, word in changed.items():
            if word == now[key]:
                continue
            if key == "frequency":
                values["frequency"] = 0.1 * word
            elif key == "phase":
                values["phase"] = 2.0 * math.pi * word / 16384
            else:
                values |= {"amplitude": word * self._full / 1023, "enabled": word > 0}
        self._tones.change(channel, **values)


class AaInstrument:
    """An AA MDSnC; it has no phase, and what is out of range it passes over.

    Parameters
    ----------
    device : RFSource
        What acts.
    external : bool
        Whether it is in external mode, as after power-up.
    shows_mode : bool
        Whether its status list tells the mode; old firmware does not.
    """

    def __init__(
        self, device: RFSource, *, external: bool = False, shows_mode: bool = True
    ) -> None:
        self._tones = ToneRegisters(device)
        self._external, self._shows_mode = external, shows_mode

    def converse(self) -> LineConversation:
        """Start to talk with a client."""
        return LineConversation(self._line, end=b"\r", answer_end=b"")

    def _line(self, line: str) -> str:
        with self._tones.lock:
            return self._command(line.strip().upper())

    def _command(self, line: str) -> str:
        if line == "S":
            lines = [self._status(channel) for channel in range(self._tones.channels)]
            return "\n\r" + "\n\r".join(lines) + "\n\r?"
        if line in ("I0", "I1"):
            self._external = line == "I1"
            return "\n\r?"
        found = re.fullmatch(r"L(\d)((?:[FDPO]\d+(?:\.\d+)?)+)E?", line)
        if found is not None and 1 <= int(found[1]) <= self._tones.channels:
            for key, text in re.findall(r"([FDPO])(\d+(?:\.\d+)?)", found[2]):
                self._set(int(found[1]) - 1, key, float(text))
            return "\n\r" + self._status(int(found[1]) - 1) + "\n\r?"
        return "\n\r?"

    def _status(self, channel: int) -> str:
        tone = self._tones.tone(channel)
        mode = (" EXT" if self._external else " INT") if self._shows_mode else ""
        power = dbm_of(max(tone.amplitude, 1e-3))
        return (
            f"L{channel + 1} F={1e-6 * tone.frequency:.3f} P={power:.2f} "
            f"{'ON' if tone.enabled else 'OFF'}{mode}"
        )

    def _set(self, channel: int, key: str, value: float) -> None:
        try:
            if key == "F":
                self._tones.change(channel, frequency=round(1e6 * value, 3))
            elif key == "D":
                self._tones.change(channel, amplitude=volts_of(value))
            elif key == "P" and value <= 1023:
                top = self._tones.amplitude_range[1]
                self._tones.change(channel, amplitude=top * value / 1023)
            elif key == "O" and value in (0, 1):
                self._tones.change(channel, enabled=value == 1)
        except (InputError, DeviceError):
            return  # out of range: nothing happens
