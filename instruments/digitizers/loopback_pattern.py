"""Loop-back self test of a pattern player: whether its edges lie where the rig file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from ..patterns import FEEDBACK, LevelTrack, Pattern, PatternPlayer
from ..protocols import Digitizer, Gate, LendsLine
from .loopback import RecordReader, find_edge

__all__ = ["PatternReport", "pattern_test"]

_CLEAR = 6.0  # levels must differ by so many standard deviations of the noise


@dataclass(frozen=True)
class PatternReport:
    """What the loop-back channel showed of a pattern.

    Attributes
    ----------
    polarity : {1, -1, 0}
        1 if the channel is higher while feedback acts, -1 if lower, 0 if nothing was seen.
    offsets : tuple of int
        Samples by which each edge came later than it stands in the pattern.
    offset : int or None
        Their median; None if nothing was seen.
    spread : int
        Largest less smallest offset, samples; 0 for a card that plays exactly.
    lost : int
        Samples lost meanwhile.
    problems : tuple of str
        What is not as configured; empty if all is well.
    """

    polarity: Literal[1, -1, 0]
    offsets: tuple[int, ...]
    offset: int | None
    spread: int
    lost: int
    problems: tuple[str, ...]


def pattern_test(
    digitizer: Digitizer,
    gate: Gate,
    player: PatternPlayer,
    channel: int,
    *,
    pulses: int,
    dwell: float,
    polarity: Literal[1, -1],
) -> PatternReport:
    """Play releases and look for their edges; the gate is closed in the end.

    Parameters
    ----------
    digitizer, gate, player
        Connected; the digitizer not running.
    channel : int
        Column that watches the gate.
    pulses : int
        Releases.
    dwell : float
        Length of a release and of the time between two, s.
    polarity : {1, -1}
        Configured: whether the channel is higher (1) or lower while feedback acts.

    Raises
    ------
    InputError
        If the card cannot play it.
    DeviceError
        If a device fails; the gate has been asked to close by then.
    """
    info = digitizer.info
    rows = max(16, round(dwell * info.sample_rate))
    track = LevelTrack(True, ((rows, False), (2 * rows, True)))
    pattern = Pattern(2 * rows, pulses, levels={FEEDBACK: track})
    gate.set(True)
    try:
        if isinstance(gate, LendsLine):
            gate.lend()
        player.arm(pattern, info.sample_rate)
        digitizer.start()
        reader = RecordReader(digitizer, channel, rows)
        parts = [reader.read(rows).copy() for _ in range(2 * pulses + 2)]
    finally:
        _all_of(digitizer.stop, player.halt, lambda: gate.set(True))
    volts = np.concatenate(parts) * info.scale[channel]
    return _judge(volts, rows, pulses, reader.lost, player.offset, polarity)


def _all_of(*steps: Callable[[], None]) -> None:
    """Carry out every step, and raise the first failure then."""
    failed: DeviceError | None = None
    for step in steps:
        try:
            step()
        except DeviceError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _judge(
    volts: NDArray[np.float64],
    rows: int,
    pulses: int,
    lost: int,
    configured: int,
    polarity: Literal[1, -1],
) -> PatternReport:
    """Find the edge near each place where it is to be, half a dwell to each side."""
    quarter = rows // 4
    acts = [volts[2 * k * rows + quarter : (2 * k + 1) * rows - quarter] for k in range(pulses)]
    free = [
        volts[(2 * k + 1) * rows + quarter : (2 * k + 2) * rows - quarter] for k in range(pulses)
    ]
    high, low = (float(np.median(np.concatenate(part))) for part in (acts, free))
    noise = float(np.median([np.std(part) for part in acts + free]))
    problems = [f"{lost} samples were lost: the offset is not known"] if lost else []
    if abs(high - low) <= _CLEAR * max(noise, 1e-12):
        problems.append(
            f"the channel does not follow the pattern ({low:.4g} V off, {high:.4g} V on, noise "
            f"{noise:.2g} V): check that the feedback hangs on the line that the card plays"
        )
        return PatternReport(0, (), None, 0, lost, tuple(problems))
    seen: Literal[1, -1] = 1 if high > low else -1
    middle, half = 0.5 * (low + high), rows // 2
    found = []
    for number in range(2 * pulses):
        at = (number + 1) * rows
        rising = (number % 2 == 1) is (seen == 1)
        edge = find_edge(volts[at - half : at + half], middle, rising=rising)
        found += [] if edge is None else [edge - half]
    if len(found) < 2 * pulses:
        problems.append(f"{2 * pulses - len(found)} of {2 * pulses} played edges were not seen")
    spread = max(found) - min(found) if found else 0
    offset = round(float(np.median(found))) if found else None
    if seen != polarity:
        problems.append("the polarity of the played line is reversed")
    if spread > 1:
        problems.append(
            f"played edges scatter by {spread} samples: the card does not play on the clock of "
            "these inputs"
        )
    if offset is not None and offset != configured:
        problems.append(f"played edges come {offset} samples late, configured are {configured}")
    return PatternReport(seen, tuple(found), offset, spread, lost, tuple(problems))
