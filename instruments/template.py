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
from .controller_protocol import ControllerCapabilities, LoopSetting, require_loop
from .controllers.base import CheckedController
from .links.answers import NUMBER, match
from .links.base import TextLink
from .protocols import RFTone
from .rf.base import TextRFSource

__all__ = ["ExampleController", "ExampleControllerTwin", "ExampleSource", "ExampleTwin"]

_LOOP = rf"({NUMBER}),({NUMBER}),({NUMBER}),({NUMBER}),([01])"
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


class ExampleController(CheckedController):
    """A driver for a feedback controller with an invented text protocol ("Example FB").

    ``L1?`` answers ``gain,degrees,centre,bandwidth,on`` and ``L1 0.5,90,55000,20000`` sets a loop.
    For a device of your own change the limits, ``_open``, ``_read``, ``_write`` and ``enabled``.
    The base class checks ranges before anything is sent, reads back, and takes back what went
    wrong. Nothing here switches an output: the gate does.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    link : TextLink
        How it is reached; a driver makes one of its address, see ``links``.
    """

    _limits = ControllerCapabilities(
        loops=2,
        gain_range=(0.0, 10.0),
        gain_unit="V/V",
        timing="phase",
        phase_range=(-math.tau, math.tau),
        centre_range=(1e3, 1e6),
        bandwidth_range=(10.0, 1e6),
        gain_step=1e-4,
        phase_step=math.radians(0.01),
        centre_step=0.5,
        bandwidth_step=0.5,
        settling=0.01,
    )

    def __init__(self, name: str, *, link: TextLink) -> None:
        super().__init__(name)
        self._link = link

    def _open(self) -> str:
        """Open the link and see that the right device answers; set nothing."""
        self._link.open()
        return match("EXAMPLE,FB,.*", self._link.query("ID?"), "ID?", self._link.address)[0]

    def _close(self) -> None:
        self._link.close()

    def _ask(self, loop: int) -> re.Match[str]:
        question = f"L{loop + 1}?"
        return match(_LOOP, self._link.query(question), question, self._link.address)

    def _read(self, loop: int) -> LoopSetting:
        found = self._ask(loop)
        gain, degrees, centre, bandwidth = (float(found[i]) for i in range(1, 5))
        return LoopSetting(gain, math.radians(degrees), 0.0, centre, bandwidth)

    def _write(self, loop: int, setting: LoopSetting, now: LoopSetting | None) -> None:
        assert setting.centre is not None
        line = (
            f"L{loop + 1} {setting.gain:.5g},{math.degrees(setting.phase):.3f},"
            f"{setting.centre:.0f},{setting.bandwidth:.0f}"
        )
        match("OK", self._link.query(line).strip(), line, self._link.address)

    def enabled(self, loop: int) -> bool:
        """Whether the loop's output is on."""
        self._require_link()
        require_loop(self._name, loop, self._limits)
        with self._talking():
            return self._ask(loop)[5] == "1"


class ExampleControllerTwin:
    """What the controller would answer; for tests, as :class:`ExampleTwin`."""

    def __init__(self) -> None:
        self.loops = [["0.5", "90.000", "54000", "20000"], ["0.25", "-45.000", "52000", "20000"]]

    def __call__(self, line: str) -> str:
        """Answer a line."""
        if line == "ID?":
            return "EXAMPLE,FB,1"
        asked = re.fullmatch(r"L([12])\?", line)
        if asked is not None:
            return ",".join([*self.loops[int(asked[1]) - 1], "1"])
        told = re.fullmatch(rf"L([12]) ({NUMBER}),({NUMBER}),({NUMBER}),({NUMBER})", line)
        if told is None:
            return "ERR 1 unknown command"
        self.loops[int(told[1]) - 1] = [told[i] for i in range(2, 6)]
        return "OK"
