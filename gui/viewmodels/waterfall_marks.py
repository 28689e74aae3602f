"""What is marked on the time axis of a waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...acquisition.events import Event, EventKind

__all__ = ["MarkKind", "OpenSpans", "TimeMark", "mark_of"]

MarkKind = Literal["light", "gap", "open", "closed", "fault", "note"]
_KINDS: dict[EventKind, MarkKind] = {
    EventKind.LIGHT: "light",
    EventKind.LOOP: "light",
    EventKind.GAP: "gap",
    EventKind.RESTART: "gap",
    EventKind.RELEASE: "open",
    EventKind.RECAPTURE: "closed",
    EventKind.FAULT: "fault",
    EventKind.PARTICLE_LOST: "fault",
    EventKind.STEP_START: "note",
    EventKind.NOTE: "note",
}
_WORDS: dict[EventKind, str] = {
    EventKind.LIGHT: "set-point of the light",
    EventKind.LOOP: "set-point of a feedback loop",
    EventKind.RESTART: "digitizer started anew",
    EventKind.RELEASE: "release",
    EventKind.RECAPTURE: "feedback on",
    EventKind.PARTICLE_LOST: "a particle is lost",
}


@dataclass(frozen=True)
class TimeMark:
    """Something that happened: monotonic s, s since the epoch, kind, in words."""

    at: float
    wall: float
    kind: MarkKind
    text: str


def mark_of(event: Event, at: float) -> TimeMark | None:
    """The mark of an event at a monotonic time; None for one that is not marked."""
    payload = event.payload
    if event.kind is EventKind.GATE:
        closed = bool(payload.get("closed", True))
        text = "feedback on" if closed else "feedback off"
        return TimeMark(at, event.host_time, "closed" if closed else "open", text)
    kind = _KINDS.get(event.kind)
    if kind is None:
        return None
    text = _WORDS.get(event.kind, "")
    if event.kind is EventKind.GAP:
        text = f"gap: {int(payload.get('lost', 0))} samples lost"
    elif event.kind is EventKind.FAULT:
        text = f"{payload.get('device', 'device')}: {payload.get('message', 'fault')}"
    elif event.kind is EventKind.STEP_START:
        text = f"step {int(payload.get('index', 0)) + 1}: {payload.get('kind', '')}"
    elif event.kind is EventKind.NOTE:
        text = str(payload.get("text", ""))
    return TimeMark(at, event.host_time, kind, text)


class OpenSpans:
    """Spans of time with feedback off, bounded: neighbours become one where there are too many.

    Parameters
    ----------
    most : int
        Spans that are kept.
    gap : float
        Spans that are closer than this (s) are one from the beginning.
    """

    def __init__(self, most: int = 1000, gap: float = 0.1) -> None:
        self._most, self._gap = most, gap
        self._spans: list[tuple[float, float]] = []
        self._began: float | None = None

    def take(self, mark: TimeMark) -> None:
        """Take a mark of kind "open" or "closed"."""
        if mark.kind == "open" and self._began is None:
            self._began = mark.at
        elif mark.kind == "closed" and self._began is not None:
            self._add((self._began, max(self._began, mark.at)))
            self._began = None

    def _add(self, span: tuple[float, float]) -> None:
        if self._spans and span[0] - self._spans[-1][1] <= self._gap:
            span = self._spans.pop()[0], span[1]
        self._spans.append(span)
        while len(self._spans) > self._most:
            self._gap *= 2.0
            kept, self._spans = self._spans, []
            for one in kept:
                if self._spans and one[0] - self._spans[-1][1] <= self._gap:
                    one = self._spans.pop()[0], one[1]
                self._spans.append(one)

    def since(self, begin: float, now: float) -> list[tuple[float, float]]:
        """Spans that reach beyond ``begin``; one that is still open ends ``now``."""
        found = [span for span in self._spans if span[1] >= begin]
        return found if self._began is None else [*found, (self._began, now)]
