"""A template to copy: a driver for a two-channel RF source with an invented text protocol.

The device (called "Example 2RF" here) answers every line:

==================  =============================  ===================
line                meaning                        answer
==================  =============================  ===================
``ID?``             identity                       ``EXAMPLE,2RF,1234``
``CH1?``            frequency (Hz), amplitude      ``8.00E7,0.3,90.0,1``
                    (V peak into 50 ohm), phase
                    (degrees), output
``CH1 8E7,0.3,90,1``  set all four                 ``OK`` or ``ERR 3 text``
``ALIGN``           align the phases               ``OK``
==================  =============================  ===================

What to change for a device of your own, from top to bottom: ``widest`` (limits), ``ends`` (line
ends), ``_open`` (identity), ``_read_tone``, ``_write_tone``, ``_align`` and ``_tolerance``. The
base class checks ranges before anything is sent, reads back after every change, takes back what the
device took differently, and keeps the states. ``docs/how-to/write-a-driver.md`` has the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import ClassVar

from ..models.errors import DeviceError
from .capabilities import RFCapabilities
from .links.answers import NUMBER, match
from .protocols import RFTone
from .rf.base import TextRFSource

__all__ = ["ExampleSource", "ExampleTwin"]

_TONE = rf"({NUMBER}),({NUMBER}),({NUMBER}),([01])"


class ExampleSource(TextRFSource):
    """The driver; see :class:`~.rf.base.TextRFSource` for the options."""

    # What the device can do. "relative": after a change of frequency the phases must be aligned.
    widest = RFCapabilities(
        channels=2,
        frequency_range=(1e6, 2e8),
        amplitude_range=(0.0, 1.0),
        phase="relative",
        phase_resolution=math.radians(0.01),
        frequency_resolution=1.0,
        amplitude_resolution=1e-4,
        update_rate=50.0,
    )
    ends: ClassVar[tuple[str, str]] = ("\n", "\n")

    # Options that a rig file may give with a unit; they come as SI numbers.
    option_units: ClassVar[Mapping[str, str]] = {
        "timeout": "s",
        "frequency_range": "Hz",
        "amplitude_range": "V",
    }

    def _open(self) -> str:
        """Open the link, see that the right device answers, read what it does now; set nothing."""
        self._link.open()
        identity = self._link.query("ID?").strip()
        if not identity.startswith("EXAMPLE,"):
            raise self._other_device(identity, "an Example 2RF")
        self._set_model(self.widest)
        for channel in range(self._channels):
            self._read_tone(channel)
        return identity

    def _read_tone(self, channel: int) -> RFTone:
        """Ask for a channel. ``match`` turns an answer of another form into a broken link."""
        question = f"CH{channel + 1}?"
        found = match(_TONE, self._link.query(question), question, self._link.address)
        frequency, amplitude, degrees = (float(found[i]) for i in (1, 2, 3))
        return RFTone(frequency, amplitude, math.radians(degrees), found[4] == "1")

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        """Set a channel. ``now`` is what it has; devices with slow commands send changes only."""
        degrees = math.degrees(tone.phase) % 360.0
        self._command(
            f"CH{channel + 1} {tone.frequency:.0f},{tone.amplitude:.4f},{degrees:.2f},"
            f"{int(tone.enabled)}"
        )

    def _align(self) -> None:
        self._command("ALIGN")

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        """How far the read-back may be from what was asked: Hz, V, rad."""
        return (0.51, 0.51e-4, math.radians(0.0051))

    def _command(self, line: str) -> None:
        """Send a command; the device's own refusal leaves the link ready."""
        answer = self._link.query(line).strip()
        refused = re.fullmatch(r"ERR (\d+) (.*)", answer)
        if refused is not None:
            raise DeviceError(f"{self._name} refused {line!r}: error {refused[1]}, {refused[2]}")
        match("OK", answer, line, self._link.address)


class ExampleTwin:
    """What the device would answer: for tests, give it to a ``ScriptedLink`` as ``respond``.

    >>> link = ScriptedLink(respond=ExampleTwin())
    >>> source = ExampleSource("rf", link=link)
    """

    def __init__(self) -> None:
        self.channels = [[80e6, 0.3, 0.0, 1], [80e6, 0.3, 90.0, 1]]

    def __call__(self, line: str) -> str:
        """Answer a line."""
        if line == "ID?":
            return "EXAMPLE,2RF,1234"
        if line == "ALIGN":
            return "OK"
        asked = re.fullmatch(r"CH([12])\?", line)
        if asked is not None:
            frequency, amplitude, degrees, on = self.channels[int(asked[1]) - 1]
            return f"{frequency:.9E},{amplitude:.4f},{degrees:.2f},{on:d}"
        told = re.fullmatch(rf"CH([12]) {_TONE}", line)
        if told is None:
            return "ERR 1 unknown command"
        values = [float(told[i]) for i in (2, 3, 4)]
        if not 1e6 <= values[0] <= 2e8 or not 0.0 <= values[1] <= 1.0:
            return "ERR 3 out of range"
        self.channels[int(told[1]) - 1] = [*values, int(told[5])]
        return "OK"
