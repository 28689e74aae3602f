"""Novatech 409B: four DDS channels on a serial line, MHz and words of 10 and 14 bits.

New values wait in the device (``I m``) until ``I p`` makes them act together. There is no switch
for an output: off is amplitude 0.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar, Unpack

from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..capabilities import RFCapabilities
from ..links.answers import match
from ..protocols import RFTone
from ..setpoints import wrapped_phase
from .base import TextRFOptions, TextRFSource
from .expected import wrong_state

__all__ = ["NovatechSource"]

_ERRORS = {
    "?0": "unrecognised command", "?1": "bad frequency", "?2": "bad AM command",
    "?3": "line too long", "?4": "bad phase", "?5": "bad time", "?6": "bad mode",
    "?7": "bad amplitude", "?8": "bad constant", "?f": "bad byte",
}  # fmt: skip
_CHANNEL_LINE = (
    r"([0-9A-Fa-f]{8}) ([0-9A-Fa-f]{4}) ([0-9A-Fa-f]{4}) [0-9A-Fa-f]{4} "
    r"[0-9A-Fa-f]{8} [0-9A-Fa-f]{8} ([0-9A-Fa-f]{6})"
)
# Of the synthesizer's channel function register (AD9959): what is modulated, linear sweep.
_MODULATED = 0xC04000
_LAST_LINE = r"[0-9A-Fa-f]{2} [0-9A-Fa-f]{6} [0-9A-Fa-f]{4} [0-9A-Fa-f]{4} ([0-9A-Fa-f]{2})"
_TURN = 16384
_FULL = 1023


class NovatechSource(TextRFSource):
    """Novatech 409B on its internal clock; options as :class:`~.base.TextRFSource` and these.

    Parameters
    ----------
    full_scale : float
        V peak into 50 Ω at amplitude word 1023; 1e-3 … 10. The device gives about 0.5 V; measure
        it for calibrated powers.
    """

    widest = RFCapabilities(
        channels=4,
        frequency_range=(0.1, 171.1276031e6),
        amplitude_range=(0.0, 0.5),
        phase="relative",
        phase_resolution=2.0 * math.pi / _TURN,
        frequency_resolution=0.1,
        amplitude_resolution=0.5 / _FULL,
        update_rate=8.0,
    )
    ends: ClassVar[tuple[str, str]] = ("\r\n", "\r\n")
    baud = 19200

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        full_scale: float = 0.5,
        **options: Unpack[TextRFOptions],
    ) -> None:
        super().__init__(name, address, **options)
        self._full = require_range("full_scale", full_scale, 1e-3, 10.0, "V")
        self._widest = self._model = self._scaled()
        self._found: list[tuple[int, int, int]] = []

    def _scaled(self) -> RFCapabilities:
        """Capabilities with the amplitudes of this unit."""
        return replace(
            self.widest,
            amplitude_range=(0.0, self._full),
            amplitude_resolution=self._full / _FULL,
        )

    def _open(self) -> str:
        self._link.open()
        words, version = self._query()
        self._set_model(self._widest)
        # What waits unapplied from before a fault is sent as it was read, with the first change.
        self._found = words[: self._channels]
        self._look()
        for channel, tone in enumerate(map(self._tone_of, self._found)):
            self._remark_off(channel, tone)
        return f"Novatech 409B, firmware {version}"

    def _query(self) -> tuple[list[tuple[int, int, int]], str]:
        """Words of frequency (0.1 Hz), phase and amplitude of all channels; the firmware."""
        self._link.write("QUE")
        words = []
        for n in range(4):
            line = self._link.read()
            if n == 0 and line.strip() == "QUE":  # the echo, on after power-up
                line = self._link.read()
            found = match(_CHANNEL_LINE, line, "QUE", self._link.address)
            if n < self._channels and int(found[4], 16) & _MODULATED:
                raise wrong_state(
                    f"{self._name} channel {n}", "its function register", found[4],
                    "one of a single tone", "M 0 (or switch the device off and on)",
                    "it is modulated or swept",
                )  # fmt: skip
            words.append((int(found[1], 16), int(found[2], 16), int(found[3], 16)))
        last = match(_LAST_LINE, self._link.read(), "QUE", self._link.address)
        return words, last[1]

    def _send(self, command: str) -> None:
        """Send a command.

        Raises
        ------
        DeviceError
            With the device's code if it refuses.
        """
        answer = self._link.query(command).strip()
        if answer == command.strip():
            answer = self._link.read().strip()
        if answer in _ERRORS:
            raise DeviceError(f"{self._name} refused {command!r}: {answer} {_ERRORS[answer]}")
        match("OK", answer, command, self._link.address)

    def _words(self, tone: RFTone) -> tuple[int, int, int]:
        level = round(tone.amplitude / self._full * _FULL) if tone.enabled else 0
        phase = round(tone.phase / (2.0 * math.pi) * _TURN) % _TURN
        return (round(10.0 * tone.frequency), phase, level)

    def _read_tone(self, channel: int) -> RFTone:
        return self._tone_of(self._query()[0][channel])

    def _tone_of(self, words: tuple[int, int, int]) -> RFTone:
        """Tone that words of a channel mean."""
        frequency, phase, level = words
        return RFTone(
            frequency=0.1 * frequency,
            amplitude=level * self._full / _FULL,
            phase=wrapped_phase(2.0 * math.pi * phase / _TURN),
            enabled=level > 0,
        )

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        self._hold(channel)
        self._send_words(channel, self._words(tone))
        self._send("I p")
        self._found = []

    def _hold(self, channel: int | None = None) -> None:
        """Let new values wait; at first, replace what waits for the other channels by what is."""
        self._send("I m")
        for other, words in enumerate(self._found):
            if other != channel:
                self._send_words(other, words)

    def _send_words(self, channel: int, words: tuple[int, int, int]) -> None:
        frequency, phase, level = words
        self._send(f"F{channel} {frequency // 10_000_000}.{frequency % 10_000_000:07d}")
        self._send(f"V{channel} {level}")
        self._send(f"P{channel} {phase}")

    def _compare(self, channel: int, tone: RFTone, found: RFTone) -> None:
        """Compare words: they are exact; an amplitude that rounds to 0 counts as off."""
        wanted = self._words(tone)
        got = self._words(found)
        if wanted != got:
            raise DeviceError(
                f"{self._name} channel {channel} reads back the words (frequency, phase, "
                f"amplitude) {got} instead of {wanted}"
            )

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        return (0.051, 0.51 * self._full / _FULL, 0.51 * 2.0 * math.pi / _TURN)

    def _align(self) -> None:
        """Clear the phase registers of all channels together with the next update."""
        self._hold()
        self._send("M a")
        self._send("I p")
        self._found = []
