"""Run control: fields of a plan, progress, time left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...models.errors import InputError
from .units import COUNT, DURATION, Dimension, format_quantity, parse_quantity

if TYPE_CHECKING:
    from ...acquisition.plans import Plan
    from ...acquisition.run import RunOutcome
    from ...acquisition.snapshots import SessionStatus

__all__ = ["PLANS", "PlanField", "Progress", "RunModel", "build_plan"]

PlanKind = Literal["monitor", "reheating", "sequence"]
PLANS: tuple[PlanKind, ...] = ("monitor", "reheating", "sequence")
_ACTIVE = ("preparing", "running", "paused", "stopping")


@dataclass(frozen=True)
class PlanField:
    """An editable field of a plan; ``low`` and ``high`` are SI, an optional one may be empty."""

    key: str
    title: str
    dimension: Dimension
    default: str
    low: float
    high: float
    unit: str
    optional: bool = False
    tip: str = ""

    def parse(self, text: str) -> float | None:
        """Read the field; an empty optional field gives None.

        Raises
        ------
        InputError
            For a foreign unit or a value out of range.
        """
        if self.optional and text.strip() in ("", "until stopped"):
            return None
        return parse_quantity(
            text,
            self.dimension,
            default_unit=self.unit,
            low=self.low,
            high=self.high,
            name=self.title,
        )

    def text(self, value: float | None) -> str:
        """Write a value."""
        return "" if value is None else format_quantity(value, self.dimension)


_MONITOR = PlanField(
    "duration", "duration", DURATION, "10 s", 1e-4, 1e7, "s", True, "empty: until stopped"
)
_REHEATING = (
    PlanField("repetitions", "repetitions", COUNT, "500", 1, 1e7, ""),
    PlanField("cool_time", "cooling", DURATION, "1 ms", 1e-6, 1e4, "ms", tip="feedback on"),
    PlanField("release_time", "release", DURATION, "1 ms", 1e-6, 1e4, "ms", tip="feedback off"),
)
_FIELDS: dict[PlanKind, tuple[PlanField, ...]] = {
    "monitor": (_MONITOR,),
    "reheating": _REHEATING,
    "sequence": (
        PlanField("duration", "monitor for", DURATION, "2 s", 1e-4, 1e7, "s"),
        *_REHEATING,
    ),
}


def fields(kind: PlanKind) -> tuple[PlanField, ...]:
    """Editable fields of a kind of plan."""
    return _FIELDS[kind]


def build_plan(kind: PlanKind, texts: dict[str, str], *, allow_unstable: bool = False) -> Plan:
    """Build a plan from what the user typed.

    Raises
    ------
    InputError
        For a value that cannot be used.
    """
    from ...acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan

    values = {f.key: f.parse(texts.get(f.key, f.default)) for f in fields(kind)}
    if kind == "monitor":
        return MonitorPlan(duration=values["duration"], allow_unstable=allow_unstable)
    reheating = ReheatingPlan(
        repetitions=int(values["repetitions"] or 0),
        cool_time=values["cool_time"] or 0.0,
        release_time=values["release_time"] or 0.0,
        allow_unstable=allow_unstable,
    )
    if kind == "reheating":
        return reheating
    if kind == "sequence":
        first = MonitorPlan(duration=values["duration"], allow_unstable=allow_unstable)
        return SequencePlan((first, reheating))
    raise InputError(f"plan kind {kind!r} is not known; known kinds: {', '.join(PLANS)}")


def python_line(plan: Plan) -> str:
    """Line of Python that starts the same plan."""
    return f"session.start({plan!r})"


@dataclass(frozen=True)
class Progress:
    """Progress in 0 … 1 (None: open-ended), its text and the time left in words."""

    fraction: float | None
    text: str
    remaining: str


class RunModel:
    """State of the run panel: which buttons act, progress and time left."""

    def __init__(self) -> None:
        self._started: float | None = None
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
            self._started = None
            return Progress(0.0, status.message or status.state, "")
        if self._started is None:
            self._started = now
        fraction = status.progress
        text = status.message or status.state
        if fraction is None:
            return Progress(None, text, f"running for {duration_text(now - self._started)}")
        elapsed = now - self._started
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
