"""Run control: fields of a plan, progress, time left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...acquisition.plan_keys import keys_of
from ...acquisition.plans import PLANS, STEPS, Plan, plan_from_dict
from ...models.errors import InputError
from .plan_fields import PlanField
from .units import format_si

if TYPE_CHECKING:
    from ...acquisition.estimates import RunEstimate
    from ...acquisition.run import RunOutcome
    from ...acquisition.snapshots import SessionStatus

__all__ = ["Progress", "RunModel", "build_plan", "kinds"]

_ACTIVE = ("preparing", "running", "paused", "stopping")
# What is asked for in the window; all other keys keep their defaults.
_SHOWN = ("duration", "repetitions", "cool_time", "release_time")
# A sequence of the window: both kinds of steps, one after the other.
_SEQUENCE = ("monitor", "reheating")


def kinds() -> tuple[str, ...]:
    """Kinds of plans."""
    return tuple(PLANS)


def fields(kind: str) -> tuple[PlanField, ...]:
    """Editable fields of a kind of plan; a sequence has those of its steps.

    Raises
    ------
    InputError
        For an unknown kind.
    """
    if kind == "sequence":
        monitor, *others = (entry for step in _SEQUENCE for entry in fields(step))
        # Only the last step may be open-ended.
        return replace(monitor, title="monitor for", optional=False), *others
    if kind not in STEPS:
        raise InputError(f"plan kind {kind!r} is not known; known kinds: {', '.join(PLANS)}")
    shown = [entry for entry in keys_of(STEPS[kind]) if entry.name in _SHOWN]
    return tuple(PlanField(entry, entry.title, bool(entry.blank)) for entry in shown)


def build_plan(kind: str, texts: Mapping[str, str], *, allow_unstable: bool = False) -> Plan:
    """Build a plan from what the user typed.

    Raises
    ------
    InputError
        For a value that cannot be used.
    """
    values = {entry.key: entry.parse(texts.get(entry.key, entry.default)) for entry in fields(kind)}
    steps = [
        {entry.key: values[entry.key] for entry in fields(step)}
        | {"kind": step, "allow_unstable": allow_unstable}
        for step in (_SEQUENCE if kind == "sequence" else (kind,))
    ]
    return plan_from_dict({"kind": kind, "steps": steps} if kind == "sequence" else steps[0])


def python_line(plan: Plan) -> str:
    """Line of Python that starts the same plan."""
    return f"session.start({plan!r})"


def estimate_text(estimate: RunEstimate) -> tuple[str, str]:
    """What a plan takes, on one line, and its severity ("info" or "error")."""
    if estimate.refused:
        return estimate.refused, "error"
    free = "" if estimate.free is None else f"{format_si(estimate.free, 'B', 3)} free"
    if estimate.seconds is None or estimate.size is None:
        parts = ["until stopped", f"{format_si(estimate.rate, 'B/s', 3)}", free]
        return " · ".join(p for p in parts if p), "info"
    long = estimate.seconds >= 100.0
    time = duration_text(estimate.seconds) if long else format_si(estimate.seconds, "s", 3)
    size = format_si(estimate.size, "B", 3)
    samples = estimate.samples
    each = "" if samples is None else f"{format_si(samples, 'S', 3)} per channel"
    parts = [time, each, size, free]
    text = " · ".join(p for p in parts if p)
    if estimate.fits:
        return text, "info"
    assert estimate.free is not None
    full = duration_text(estimate.free / estimate.rate)
    return f"{text}: the disk would be full after {full}", "error"


@dataclass(frozen=True)
class Progress:
    """Progress in 0 … 1 (None: open-ended), its text and the time left in words."""

    fraction: float | None
    text: str
    remaining: str


class RunModel:
    """State of the run panel: which buttons act, progress and time left."""

    def __init__(self) -> None:
        self._seen: float | None = None
        self._elapsed = 0.0  # s of the run, pauses not counted
        self._stop_asked = False

    @staticmethod
    def active(status: SessionStatus) -> bool:
        """Whether a run is under way."""
        return status.state in _ACTIVE

    def buttons(self, status: SessionStatus, connected: bool) -> dict[str, bool]:
        """Which of start, pause, stop and abort act now."""
        active = self.active(status)
        return {
            "start": connected and not active,
            "pause": status.state in ("running", "paused"),
            "stop": active and status.state != "stopping",
            "abort": active,
        }

    def progress(self, status: SessionStatus, now: float) -> Progress:
        """Progress and estimated time left at a monotonic time ``now`` (s)."""
        if not self.active(status):
            self._seen, self._elapsed = None, 0.0
            return Progress(0.0, status.message or status.state, "")
        if self._seen is not None and status.state != "paused":
            self._elapsed += now - self._seen
        self._seen = now
        fraction = status.progress
        text = status.message or status.state
        if fraction is None:
            return Progress(None, text, f"running for {duration_text(self._elapsed)}")
        elapsed = self._elapsed
        if not 0.02 < fraction < 1.0 or elapsed < 0.5:
            return Progress(fraction, text, "")
        left = elapsed * (1.0 - fraction) / fraction
        return Progress(fraction, text, f"about {duration_text(left)} left")


def outcome_text(outcome: RunOutcome) -> str:
    """How a run ended, in one line."""
    said = outcome.worth.words()
    parts = [outcome.reason] if outcome.reason else []
    if said and not outcome.reason.startswith(said):
        parts.append(said)
    return f"run {outcome.outcome}" + (f": {'; '.join(parts)}" if parts else "")


def duration_text(seconds: float | None) -> str:
    """Write a time span in words: "42 s", "3 min 20 s", "5 h 10 min"."""
    if seconds is None:
        return "–"
    total = max(0, round(seconds))
    if total < 100:
        return f"{total} s"
    minutes, rest = divmod(total, 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 100 else f"{hours // 24} days"
