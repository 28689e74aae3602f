"""The queue: what is to be measured one after the other, in which order, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...acquisition.plans import Plan, SequencePlan, plan_to_dict
from ...acquisition.sweeps.any_plan import any_plan_to_dict
from ...acquisition.sweeps.knobs import knob_of
from ...acquisition.sweeps.plan import SweepPlan
from ...models.errors import InputError
from .run import duration_text, estimate_text
from .units import format_si

if TYPE_CHECKING:
    from ...acquisition.estimates import RunEstimate

    AnyPlan = Plan | SweepPlan

__all__ = [
    "Entry",
    "EntryState",
    "QueueModel",
    "label_of",
    "plan_words",
]

EntryState = Literal["waiting", "running", "complete", "incomplete", "stopped", "aborted", "failed"]

_LONGEST_LABEL = 200
_MOST = 1000
_WORDS = {"waiting": "not started"}
_TONES = {"complete": "good", "incomplete": "error", "failed": "error", "running": "live"}


@dataclass
class Entry:
    """Something to be measured.

    Attributes
    ----------
    number : int
        Of this entry alone; the order is that of the queue.
    plan : Plan or SweepPlan
        What is measured.
    label : str
        In the user's words; the note of the run.
    resumes : Path or None
        Folder of an unfinished sweep that is gone on with.
    state : EntryState
        "waiting" until it is started.
    reason : str
        Why it ended, or what is said of it before it starts.
    path : Path or None
        Run file, or folder of a sweep, as soon as it is known.
    worth : str
        What of the plan can be used, in words.
    estimate : RunEstimate or None
        Newest; None until it was asked for.
    drafts : dict
        Texts of fields that are refused, by their places: nothing typed is thrown away.
    """

    number: int
    plan: AnyPlan
    label: str = ""
    resumes: Path | None = None
    state: EntryState = "waiting"
    reason: str = ""
    path: Path | None = None
    worth: str = ""
    estimate: RunEstimate | None = None
    drafts: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether it has not been started."""
        return self.state == "waiting"

    @property
    def unfinished(self) -> bool:
        """Whether it is a sweep that ended before it was whole, and can be gone on with."""
        ended = self.state in ("stopped", "aborted", "failed", "incomplete")
        return ended and isinstance(self.plan, SweepPlan) and self.path is not None

    @property
    def title(self) -> str:
        """Label, kind and what matters of the plan."""
        what = plan_words(self.plan)
        if self.resumes is not None:
            what = f"{self.plan.kind} {self.resumes.name}, to be finished"
        return f"{self.label} – {what}" if self.label else what

    @property
    def line(self) -> tuple[str, str]:
        """State, estimate and reason on one line, and its severity."""
        word = _WORDS.get(self.state, self.state)
        if not self.waits:
            parts = [word, self.reason or self.worth]
            return " · ".join(p for p in parts if p), _TONES.get(self.state, "info")
        if self.drafts:
            return f"{word} · {next(iter(self.drafts.values()))!r} is refused: mend it", "error"
        said, severity = ("", "info") if self.estimate is None else estimate_words(self.estimate)
        parts = [word, said, self.reason]
        return " · ".join(p for p in parts if p), severity


def estimate_words(estimate: RunEstimate) -> tuple[str, str]:
    """What an entry takes, and the severity: points of a sweep, time, size, or why it cannot be."""
    if estimate.refused or not estimate.fits:
        return estimate_text(estimate)
    if estimate.points == 0:
        return "follows from what is found", "info"
    if estimate.seconds is None:
        return estimate_text(replace(estimate, free=None))
    points = f"{estimate.points} points" if estimate.points > 1 else ""
    parts = [points, time_text(estimate.seconds), format_si(estimate.size, "B", 3)]
    return " · ".join(p for p in parts if p), "info"


def time_text(seconds: float) -> str:
    """Write a time: "80 ms", "5 min 20 s"."""
    return duration_text(seconds) if seconds >= 100.0 else format_si(seconds, "s", 3)


def plan_words(plan: AnyPlan) -> str:
    """A plan in a few words: "reheating, 500 × 1 ms"."""
    if isinstance(plan, SequencePlan):
        return " + ".join(plan_words(step) for step in plan.steps[:3]) + (
            f" + {len(plan.steps) - 3} more" if len(plan.steps) > 3 else ""
        )
    if isinstance(plan, SweepPlan):
        return _sweep_words(plan)
    values = plan_to_dict(plan)
    if plan.kind == "monitor":
        duration = values["duration"]
        return f"monitor, {'until stopped' if duration is None else format_si(duration, 's')}"
    return f"{plan.kind}, {values['repetitions']} × {format_si(values['release_time'], 's')}"


def _sweep_words(plan: SweepPlan) -> str:
    if plan.kind == "seek":
        return f"seek, {any_plan_to_dict(plan).get('point', '')}"
    if plan.kind != "sweep":
        return f"program {any_plan_to_dict(plan)['source']['name']}"
    axes = []
    for axis in plan.axes:
        knob, settings = knob_of(axis.knob), axis.settings
        unit = knob.holds.unit
        plain = knob.turns or not unit
        ends = [
            f"{v:.3g} {unit}".strip().replace("-", "−") if plain else format_si(v, unit, 3)
            for v in (settings[0], settings[-1])
        ]
        axes.append(f"{knob.symbol} {ends[0]} … {ends[1]}")
    return f"sweep of {', '.join(axes)}; {plan_words(plan.inner)}"


class QueueModel:
    """Entries in their order.

    Attributes
    ----------
    entries : list of Entry
        Those that have ended, the one that runs, and those that wait.
    version : int
        Grows with every change.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.version = 0
        self._next = 1

    def touch(self) -> None:
        """Say that something has changed."""
        self.version += 1

    def at(self, number: int) -> Entry | None:
        """Return the entry of a number."""
        return next((entry for entry in self.entries if entry.number == number), None)

    def add(self, plan: AnyPlan, label: str = "", resumes: Path | None = None) -> Entry:
        """Put a plan at the end.

        Raises
        ------
        InputError
            If the queue is full.
        """
        if len(self.entries) >= _MOST:
            raise InputError(f"the queue holds {_MOST} entries: clear those that have ended")
        entry = Entry(self._next, plan, label.strip()[:_LONGEST_LABEL], resumes)
        self._next += 1
        self.entries.append(entry)
        self.touch()
        return entry

    def duplicate(self, entry: Entry) -> Entry:
        """Put the same plan once more behind an entry, or at the head of those that wait."""
        copy = self.add(entry.plan, entry.label, entry.resumes if entry.waits else None)
        copy.drafts = dict(entry.drafts)
        self.place(copy, self.entries.index(entry) + 1)
        return copy

    def go_on(self, entry: Entry) -> Entry:
        """Put an unfinished sweep at the head of those that wait, to be gone on with."""
        if not entry.unfinished:
            raise InputError("only a sweep that has begun and is not whole can be gone on with")
        again = self.add(entry.plan, entry.label, entry.path)
        self.place(again, 0)
        return again

    def remove(self, entry: Entry) -> None:
        """Take an entry out.

        Raises
        ------
        InputError
            If it is under way.
        """
        if entry.state == "running":
            raise InputError("this entry is under way: stop or abort it first")
        self.entries.remove(entry)
        self.touch()

    def clear_ended(self) -> None:
        """Take out all that have ended; runs and sweeps stay on the disk."""
        self.entries = [entry for entry in self.entries if entry.state in ("waiting", "running")]
        self.touch()

    def place(self, entry: Entry, index: int) -> bool:
        """Move an entry that waits before the one at an index; never before what has begun.

        Returns
        -------
        bool
            Whether the order changed.
        """
        if not entry.waits:
            return False
        before = list(self.entries)
        here = before.index(entry)
        rest = before[:here] + before[here + 1 :]
        first = sum(not other.waits for other in rest)
        index = index - (index > here)
        place = min(max(index, first), len(rest))
        self.entries = [*rest[:place], entry, *rest[place:]]
        if self.entries == before:
            return False
        self.touch()
        return True

    def shift(self, entry: Entry, step: int) -> bool:
        """Move an entry that waits by −1 or 1 places; return whether the order changed."""
        here = self.entries.index(entry)
        return self.place(entry, here + step + (step > 0))

    def next(self) -> Entry | None:
        """Return the entry whose turn it is."""
        return next((entry for entry in self.entries if entry.waits), None)

    @property
    def waiting(self) -> int:
        """How many have not been started."""
        return sum(entry.waits for entry in self.entries)

    def summary(self) -> str:
        """How many wait and how long they take, as far as that is known."""
        waiting = [entry for entry in self.entries if entry.waits]
        if not waiting:
            return "nothing waits"
        times = [e.estimate.seconds for e in waiting if e.estimate and e.estimate.seconds]
        sizes = [e.estimate.size for e in waiting if e.estimate and e.estimate.size]
        known = "" if len(times) == len(waiting) else "at least "
        count = f"{len(waiting)} not started"
        if not times:
            return count
        size = format_si(sum(sizes), "B", 3)
        return f"{count} · {known}{time_text(sum(times))} · {known}{size}"


def label_of(text: str) -> str:
    """Return a label as it is kept.

    Raises
    ------
    InputError
        If it is too long.
    """
    if len(text.strip()) > _LONGEST_LABEL:
        raise InputError(f"a label has at most {_LONGEST_LABEL} letters, got {len(text.strip())}")
    return text.strip()
