"""Releases that a channel of the record tells: the gate of the feedback, or a trigger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...models.errors import InputError
from .record import Ranges, Record
from .selected import ChosenSource

__all__ = ["Gating", "gated_record"]

# Of the distance of the two levels: a crossing counts when this much beyond the middle is reached.
_HYSTERESIS = 0.2
# Least share of the samples of a gate that lie within a quarter of one of its two levels.
_TWO_LEVELS = 0.9
# Releases shorter than this share of the usual one are glitches or cut off.
_USUAL = 0.5


@dataclass(frozen=True)
class Gating:
    """How a channel tells releases.

    Attributes
    ----------
    channel : int
        Column of the record.
    kind : {"gate", "trigger"}
        A gate is at one level while feedback is off; a trigger marks the release by an edge.
    level : {"low", "high"}
        Of the gate with feedback off; of a trigger after its edge.
    duration : float or None
        Length of a release, s; needed for a trigger, and cuts those of a gate.
    """

    channel: int
    kind: Literal["gate", "trigger"]
    level: Literal["low", "high"]
    duration: float | None = None


def gated_record(record: Record, gating: Gating) -> Record:
    """A plain record whose releases a channel tells.

    Parameters
    ----------
    record : Record
        Without repetitions.
    gating : Gating
        Channel and meaning.

    Returns
    -------
    Record
        With releases; the channel of the gate is not fitted.

    Raises
    ------
    InputError
        If the record has repetitions or the channel is no gate, or tells no release.
    """
    (channel,) = record.check_columns((gating.channel,))
    name = record.names[channel]
    if record.kind == "run":
        raise InputError(f"{record.path} is a run file and records its releases: leave --gate out")
    if gating.kind == "trigger" and gating.duration is None:
        raise InputError(f"a trigger ({name}) says when a release begins: add --duration TIME")
    stretches = record.recorded()
    if len(stretches) != 1:
        raise InputError(
            f"{record.path} holds {len(stretches)} repetitions or segments: a gate or trigger is "
            "looked for in one plain record"
        )
    off = _times_off(record, channel, gating.level)
    length = None if gating.duration is None else round(gating.duration * record.sample_rate)
    releases, said = _releases(record, off, stretches[0], gating, length)
    if not len(releases):
        raise InputError(f"{record.path}: channel {channel} ({name}) tells no release")
    steady = stretches.without(off.merged())
    source = ChosenSource(record.path, record.source, releases, steady)
    others = tuple(column for column in record.usual if column != channel)
    return replace(record, source=source, usual=others, warnings=(*record.warnings, *said))


def _times_off(record: Record, channel: int, level: str) -> Ranges:
    """Stretches with the channel at the level of feedback off."""
    (start, stop), sign = record.recorded()[0], 1.0 if level == "high" else -1.0
    values = sign * record.read(start, stop, (channel,))[:, 0]
    low, high = float(values.min()), float(values.max())
    span = high - low
    near = np.minimum(np.abs(values - low), np.abs(values - high)) <= 0.25 * span
    if span == 0.0 or near.mean() < _TWO_LEVELS:
        what = "never changes" if span == 0.0 else "has not two levels"
        raise InputError(
            f"{record.path}: channel {channel} ({record.names[channel]}) {what}: it is no gate and "
            "no trigger"
        )
    middle, beyond = 0.5 * (low + high), _HYSTERESIS * span
    # 1 above, 0 below, −1 between: there the last clear level holds on.
    state = np.where(values > middle + beyond, 1, np.where(values < middle - beyond, 0, -1))
    clear = np.flatnonzero(state >= 0)
    held = clear[np.maximum(np.searchsorted(clear, np.arange(len(state)), side="right") - 1, 0)]
    edges = np.diff(np.concatenate([[0], (state[held] == 1).astype(np.int8), [0]]))
    return Ranges.of(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)).shifted(start)


def _releases(
    record: Record, off: Ranges, whole: tuple[int, int], gating: Gating, length: int | None
) -> tuple[Ranges, list[str]]:
    """Releases as ranges, without those whose beginning or end was not recorded."""
    begins = off.starts > whole[0]
    if gating.kind == "trigger":
        assert length is not None
        starts = off.starts[begins]
        free = np.append(np.diff(starts), whole[1] - starts[-1:]) >= length
        dropped = int((~free).sum())
        found = Ranges.of(starts[free], starts[free] + max(1, length))
    else:
        inside = begins & (off.stops < whole[1])
        lengths = off.lengths
        usual = float(np.median(lengths[inside])) if inside.any() else 0.0
        good = inside & (lengths >= max(_USUAL * usual, float(length or 1)))
        dropped = int(len(off) - good.sum())
        stops = off.stops if length is None else off.starts + length
        found = Ranges.of(off.starts[good], stops[good])
    said = []
    if dropped:
        said.append(
            f"{dropped} of {dropped + len(found)} releases that channel "
            f"{record.names[gating.channel]} tells are left out: cut off or too short"
        )
    return found, said
