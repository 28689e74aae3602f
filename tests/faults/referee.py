"""Judges what a fault did, from the outside: bytes, tones, levels of the gate, processes, memory.

It knows the devices' languages by itself and nothing of the drivers.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from optobind.instruments.protocols import RFTone

CLOSING = 1.0  # s within which feedback is on again
_AMPLITUDE = 4e-3  # relative: the steps of the coarsest device
_FREQUENCY, _PHASE = 600.0, 3e-3
_POWER = 0.02  # relative, between the light that is and the light that a session shows


def _from_dbm(text: str) -> float:
    return math.sqrt(0.1 * 10.0 ** (0.1 * float(text)))


# (command that sets an amplitude, into V peak), (commands that switch light off or reset it).
_SCPI = (r":?SOUR(\d):VOLT ([-+\d.eE]+)", lambda text: 0.5 * float(text))
_LANGUAGES = {
    "keysight": (_SCPI, r"(?i):?OUTP\d (OFF|0)|\*RST.*|.*:STAT OFF"),
    "rigol-dg1000z": (_SCPI, r"(?i):?OUTP\d (OFF|0)|\*RST.*"),
    "rigol-dg4000": (_SCPI, r"(?i):?OUTP\d (OFF|0)|\*RST.*"),
    "siglent": (
        (r"C(\d):BSWV AMP,([-+\d.eE]+)", lambda text: 0.5 * float(text)),
        r"(?i)C\d:OUTP OFF.*|\*RST.*",
    ),
    "moglabs": ((r"POW,(\d),([-+\d.eE]+)", _from_dbm), r"(?i)OFF,.*|REBOOT.*"),
    "novatech-409b": (
        (r"V(\d) (\d+)", lambda text: 0.5 * int(text) / 1023),
        r"(?i)R|CLR|M [^n].*",
    ),
    "aa-mdsnc": ((r"L(\d)D([-+\d.]+)", _from_dbm), r"(?i)L\d(F.*|D.*)?O0.*|O0|I1"),
}
_FIRST = {"novatech-409b": 0}  # number of the first channel; 1 elsewhere


@dataclass
class Evidence:
    """What was seen of one fault.

    Attributes
    ----------
    dialect : str
        Of the RF source.
    begin, end : float
        From the fault until the session was left in peace, s (monotonic).
    due : float
        When feedback has to be on: the end of the run and of the fault, the later one, s.
    before, goal : list of RFTone
        The tones before, and those that a change of the light under way was to reach.
    tones : list of (time, channel, tone)
        What the device set.
    wrote, got : list of (time, bytes)
        What was written to it, and what it received.
    gate : list of (time, closed)
        Levels of the gate.
    may_open : bool
        Whether releases were asked for.
    after : list of RFTone
        The tones at the end.
    shown, true : tuple of float or None
        Powers that the session shows (None: not known) and those of the world, W.
    pressures, pressure
        What the record of the gauge shows, and the true one, Pa.
    faults : list of str
        What is wrong whoever judges: internal errors, calls that hang, no way back.
    """

    dialect: str
    begin: float
    end: float
    due: float
    before: list[RFTone]
    goal: list[RFTone]
    tones: list[tuple[float, int, RFTone]]
    wrote: list[tuple[float, bytes]]
    got: list[tuple[float, bytes]]
    gate: list[tuple[float, bool]]
    may_open: bool
    after: list[RFTone]
    shown: tuple[float, ...] | None = None
    true: tuple[float, ...] = ()
    pressures: list[float] = field(default_factory=list)
    pressure: float = 0.0
    faults: list[str] = field(default_factory=list)


def judge(seen: Evidence) -> list[str]:
    """Return what the product did wrong, a line each; none if nothing."""
    return [
        *seen.faults,
        *_judge_tones(seen),
        *_judge_bytes("written", seen.wrote, seen),
        *_judge_bytes("received", seen.got, seen),
        *_judge_gate(seen),
        *_judge_words(seen),
    ]


def closing_time(seen: Evidence) -> float | None:
    """How long after it was due the gate was closed, s; 0 if it was; None if it still is open."""
    level = next((closed for at, closed in reversed(seen.gate) if at <= seen.due), True)
    if level:
        return 0.0
    return next((at - seen.due for at, closed in seen.gate if closed and at > seen.due), None)


def _judge_tones(seen: Evidence) -> list[str]:
    """Every tone is an old or the wanted one, or lies on the way; none is darker than before."""
    found = []
    late = [(c, tone) for at, c, tone in seen.tones if at >= seen.begin]
    for channel, tone in [*late, *enumerate(seen.after)]:
        old, new = seen.before[channel], seen.goal[channel]
        low, high = sorted((old.amplitude, new.amplitude))
        if not tone.enabled:
            found.append(f"channel {channel} was switched off")
        if not low * (1.0 - _AMPLITUDE) <= tone.amplitude <= high * (1.0 + _AMPLITUDE):
            found.append(
                f"amplitude of channel {channel} became {tone.amplitude:.4g} V, "
                f"meant were {low:.4g} … {high:.4g} V"
            )
        if min(abs(tone.frequency - x.frequency) for x in (old, new)) > _FREQUENCY:
            found.append(f"frequency of channel {channel} became {tone.frequency:.9g} Hz")
        off = [abs(math.remainder(tone.phase - x.phase, math.tau)) for x in (old, new)]
        if seen.dialect != "aa-mdsnc" and min(off) > _PHASE:
            found.append(f"phase of channel {channel} became {tone.phase:.4g} rad")
    return sorted(set(found))


def lines_of(pieces: Iterable[tuple[float, bytes]]) -> Iterable[tuple[float, str]]:
    """Commands in a stream of bytes, each with the time of its end."""
    waiting = b""
    for at, piece in pieces:
        *whole, waiting = re.split(rb"[\r\n]+", waiting + piece)
        yield from ((at, line.decode("latin-1").strip()) for line in whole if line.strip())


def _judge_bytes(what: str, pieces: Iterable[tuple[float, bytes]], seen: Evidence) -> list[str]:
    """No command lowers an amplitude or switches anything off."""
    (pattern, volts), off = _LANGUAGES[seen.dialect]
    found = []
    for at, line in lines_of(pieces):
        if at < seen.begin:
            continue
        if re.fullmatch(off, line):
            found.append(f"{line!r} was {what}")
        if match := re.fullmatch(pattern, line):
            channel, value = int(match[1]) - _FIRST.get(seen.dialect, 1), volts(match[2])
            low, high = sorted(t[channel].amplitude for t in (seen.before, seen.goal))
            if not low * (1.0 - _AMPLITUDE) <= value <= high * (1.0 + _AMPLITUDE):
                found.append(f"{line!r} was {what}: {value:.4g} V, not {low:.4g} … {high:.4g} V")
    return found


def _judge_gate(seen: Evidence) -> list[str]:
    """Feedback is on within a second of the end, stays on, and is off only in releases."""
    found = []
    late = closing_time(seen)
    if late is None:
        found.append("the gate is still open")
    elif late > CLOSING:
        found.append(f"feedback came back {late:.2f} s late")
    opened = [at for at, closed in seen.gate if not closed and seen.begin <= at <= seen.end]
    if opened and not seen.may_open:
        found.append("the gate was opened, and no release was asked for")
    if any(at > seen.due + CLOSING for at in opened):
        found.append("the gate was opened after the end of the run")
    return found


def _judge_words(seen: Evidence) -> list[str]:
    """What the session shows is what is, or "not known"."""
    found = []
    for number, (shown, true) in enumerate(zip(seen.shown or (), seen.true, strict=False), 1):
        if abs(shown - true) > _POWER * true:
            found.append(f"tweezer {number} is shown with {shown:.4g} W and has {true:.4g} W")
    for value in seen.pressures:
        if not 0.8 * seen.pressure < value < 1.25 * seen.pressure:
            found.append(f"pressure {value:.3g} Pa, true is {seen.pressure:.3g} Pa")
    return found


def marked(mark: str) -> list[int]:
    """Processes that carry a mark in their environment, zombies left out."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes()
            state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"OPTOBIND_FAULTS={mark}".encode() in environment.split(b"\0") and state != "Z":
            found.append(int(entry))
    return found


def segments(owners: Iterable[int]) -> list[str]:
    """Shared memory that these processes made."""
    marks = [f"-{owner}-" for owner in owners]
    return [name for name in os.listdir("/dev/shm") if any(mark in name for mark in marks)]
