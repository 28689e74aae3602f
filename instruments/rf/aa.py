"""AA Opto-Electronic MDSnC: up to eight synthesizers with amplifiers; no phase command.

Answers differ between firmware versions (line ends, prompts, echoes): only the lines of the status
list (``S``) are taken, everything else is passed over, and what was set is read back from there.
Firmware that answers a command with the line of its channel is waited for: behind a slow line its
answers to the steps of a ramp would be read as the list that is asked for afterwards. Firmware that
seems to answer none is asked for its list until two agree.
"""

from __future__ import annotations

import re
from typing import ClassVar, Unpack

from ...models.errors import DeviceError
from ..capabilities import RFCapabilities
from ..links.answers import decimal
from ..links.base import LinkError
from ..protocols import RFTone
from .base import TextRFOptions, TextRFSource, dbm_of, volts_of

__all__ = ["AaSource"]

_LINE = re.compile(
    r"L(\d)\s+F=\s*(\d+\.\d+)\s+P=\s*(-?\d+\.\d+)\s+(ON|OFF)(?:\s+(INT|EXT)[A-Z]*)?", re.IGNORECASE
)
# Lines of a status list with eight channels, its head and tail, and empty ones between.
_MOST_LINES = 40
# Lists that late answers to the steps of a ramp can spoil: the list is asked for between them.
_MOST_LISTS = 40
_DECIBEL = 0.06


class AaSource(TextRFSource):
    """AA MDSnC; options as :class:`~.base.TextRFSource` and these.

    Its range depends on the model: give ``frequency_range`` and ``amplitude_range``. The phase
    reads 0, and another one is refused.

    Parameters
    ----------
    internal : bool
        Switch all channels to internal mode (``I0``) with the first change. The device boots in
        external mode, where voltages at its inputs set the powers; without this such a device is
        refused, as far as its status list tells.
    """

    widest = RFCapabilities(
        channels=8,
        frequency_range=(1e6, 400e6),
        amplitude_range=(volts_of(0.0), volts_of(35.0)),
        phase="absent",
        frequency_resolution=1e3,
        amplitude_resolution=0.01,
        update_rate=4.0,
    )
    ends: ClassVar[tuple[str, str]] = ("\r", "\r")
    baud = 19200

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        internal: bool = False,
        **options: Unpack[TextRFOptions],
    ) -> None:
        super().__init__(name, address, **options)
        self._internal, self._switched = internal, False
        self._answers: bool | None = None  # whether commands are answered; None until one was sent

    def _open(self) -> str:
        self._link.open()
        self._set_model(self.widest)
        self._switched, self._answers = False, None
        self._look(connecting=True)
        return "AA Opto-Electronic MDSnC"

    def _look(self, *, connecting: bool = False) -> None:
        """Refuse external mode, unless the first change is still to end it; then say so."""
        super()._look()
        listed = self._list()
        for n, (tone, external, told) in sorted(listed.items()):
            if connecting:
                self._remark_off(n - 1, tone)
            if external and not (connecting and self._internal):
                raise DeviceError(
                    f"{self._name} channel {n} is in external mode: its power follows an input "
                    "voltage. Switch the device to internal mode (I0)"
                    + (
                        ": set the light once, which does it"
                        if self._internal
                        else ", or set internal = true in the rig file to have this done with the "
                        "first change"
                    )
                )
            if external:
                self._remarks.append(
                    f"{self._name} channel {n} is in external mode until the light is set"
                )
            if not told and n == 1:
                self._remarks.append(
                    f"{self._name} does not tell whether it is in external mode, as after "
                    "power-up: look at its display; I0 makes it internal"
                )

    def _list(self) -> dict[int, tuple[RFTone, bool, bool]]:
        """Tones of the channels in use (from 1), whether in external mode, and whether it tells."""
        found = self._listed()
        if self._answers is not False:
            return found
        # One answer that the line lost looks like firmware that answers nothing; what comes late
        # then reads as a list. Two lists in a row that agree are none of it: every step differs.
        for _ in range(_MOST_LISTS):
            before, found = found, self._listed()
            if found == before:
                return found
            self._answers = None  # it does answer: the next command is waited for
        raise LinkError(f"{self._link.address} lists another light each time it is asked")

    def _listed(self) -> dict[int, tuple[RFTone, bool, bool]]:
        """One status list."""
        self._link.flush()
        self._link.write("S")
        found: dict[int, tuple[RFTone, bool, bool]] = {}
        for _ in range(_MOST_LINES):
            line = _LINE.fullmatch(self._link.read().strip())
            if line is None:
                continue
            tone = RFTone(
                frequency=1e6 * float(line[2]),
                amplitude=volts_of(float(line[3])),
                enabled=line[4].upper() == "ON",
            )
            mode = (line[5] or "").upper()
            found[int(line[1])] = (tone, mode == "EXT", bool(mode))
            if all(n + 1 in found for n in range(self._channels)):
                return found
        raise LinkError(f"{self._link.address} lists no {self._channels} channels after 'S'")

    def _read_tone(self, channel: int) -> RFTone:
        tone, external, _ = self._list()[channel + 1]
        if external and self._switched:
            raise DeviceError(f"{self._name} channel {channel} stays in external mode after I0")
        return tone

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        n = channel + 1
        if self._internal and not self._switched:
            self._link.write("I0")
            self._switched = True
        if not tone.enabled and (now is None or now.enabled):
            self._tell(n, "O0")
        frequency = decimal(1e-6 * tone.frequency, 3, 2)
        if now is None or frequency != decimal(1e-6 * now.frequency, 3, 2):
            self._tell(n, f"F{frequency}")
        power = f"{dbm_of(tone.amplitude):05.2f}"
        if now is None or power != f"{dbm_of(now.amplitude):05.2f}":
            self._tell(n, f"D{power}")
        if tone.enabled and (now is None or not now.enabled):
            self._tell(n, "O1")

    def _tell(self, n: int, command: str) -> None:
        """Send a command to a channel (from 1) and take the line that answers it, if one does."""
        self._link.write(f"L{n}{command}")
        if self._answers is False:
            return
        try:
            self._take_answer(n)
        except LinkError:
            if self._answers:
                raise
            self._answers = False  # not this firmware, or the line is broken: the list will tell
        else:
            self._answers = True

    def _take_answer(self, n: int) -> None:
        for _ in range(_MOST_LINES):
            line = _LINE.fullmatch(self._link.read().strip().lstrip("?").strip())
            if line is not None and int(line[1]) == n:
                return
        raise LinkError(f"{self._link.address} does not answer for channel {n}")

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        decibel = tone.amplitude * (10.0 ** (_DECIBEL / 20.0) - 1.0)
        return (510.0, decibel, 1e-9)

    def _align(self) -> None:
        """Nothing to align: the device has no phases."""
