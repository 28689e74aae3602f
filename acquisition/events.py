"""What happens during a run, each stamped with the sample at which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Event", "EventKind"]


class EventKind(StrEnum):
    """Kinds of events in a run file."""

    RUN_START = "run_start"
    STEP_START = "step_start"  # payload: index, kind ("monitor" | "reheating"), plan
    STEP_END = "step_end"  # payload: index, kind, repetitions (reheating)
    LIGHT = "light"  # payload: sites (position, power, phase, detuning), phase_error
    GATE = "gate"  # payload: closed
    # payload: particle (from 0), gain, gain_unit ("1/s" | "V/V"), phase (rad), delay (s), centre
    # (Hz, or null where the line is followed), bandwidth (Hz):
    LOOP = "loop"  # how a feedback loop is set, read back
    # payload: repetition, samples, repeats (the lost repetition that this one repeats), phase
    # (rad added to the set φ; 0 where it is left out), phase_rate (turns of φ a second, Hz; 0),
    # power (share of what is set; 1) and trap (whose: "all", "1", "2"):
    RELEASE = "release"  # feedback is off from this sample on
    RECAPTURE = "recapture"  # payload: repetition: feedback is on again from this sample on
    # payload: step, repetition, reason, cause ("gate" where the gate failed; else by hand), undone
    # (True takes an exclusion by hand back):
    EXCLUDED = "excluded"  # readers leave that repetition out
    # payload: seconds (not sampled meanwhile), reason:
    RESTART = "restart"  # the digitizer was started anew: the index runs on, nothing is lost
    GAP = "gap"  # payload: lost (samples), cause ("recorder" | "digitizer")
    SATURATED = "saturated"  # payload: samples of the block
    PARTICLE_LOST = "particle_lost"
    PRESSURE = "pressure"  # payload: pascal, species, status
    FAULT = "fault"  # payload: device, message, returned (False at its onset, True at its end)
    NOTE = "note"  # payload: text
    RUN_END = "run_end"  # payload: outcome (see outcome.py), reason


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes
    ----------
    sample : int
        Index of the first sample for which it holds, counted from the start of the run.
    kind : EventKind
        What happened.
    payload : mapping
        JSON values, SI units.
    host_time : float
        Seconds since the epoch.
    """

    sample: int
    kind: EventKind
    payload: Mapping[str, Any] = field(default_factory=dict)
    host_time: float = 0.0
