"""The time slider of a record: its overview, what happened when, and the stretch that is chosen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ...models.errors import InputError
from .curves import Curve
from .units import DURATION, format_quantity, format_si, parse_quantity

if TYPE_CHECKING:
    from ...analysis.recorded.overview import Overview
    from ...analysis.recorded.session import RecordedSession
    from ...analysis.recorded.story import Mark

__all__ = ["MARKS", "RecordModel", "RecordView"]

MARKS = {
    "step": ("s", "step"),
    "light": ("t", "light"),
    "gap": ("d", "gap"),
    "fault": ("x", "fault"),
    "lost": ("+", "particle lost"),
    "note": ("o", "note"),
}
"""Symbol and name of each kind of mark."""

_PART_KINDS = ("step", "light")
_SHORTEST = 8  # samples


@dataclass(frozen=True)
class RecordView:
    """What the slider draws; x is seconds since the first sample.

    Attributes
    ----------
    curves : tuple of Curve
        Extremes of each channel, as pairs of points.
    y_range : tuple of float
        Of all channels, ``unit``.
    x_range : tuple of float
        The whole record, s.
    unit : str
        Of the values.
    """

    curves: tuple[Curve, ...] = ()
    y_range: tuple[float, float] = (-1.0, 1.0)
    x_range: tuple[float, float] = (0.0, 1.0)
    unit: str = "V"


class RecordModel:
    """State of the slider.

    Parameters
    ----------
    session : RecordedSession
        The record.
    """

    def __init__(self, session: RecordedSession) -> None:
        self.session = session

    @property
    def duration(self) -> float:
        """Length of the record, gaps included, s."""
        return self.session.seconds(self.session.extent[1])

    @property
    def stretch(self) -> tuple[float, float]:
        """The chosen stretch, s since the first sample."""
        start, stop = self.session.stretch
        return self.session.seconds(start), self.session.seconds(stop)

    def view(self, overview: Overview | None) -> RecordView:
        """Turn an overview into curves; all channels share one axis."""
        x_range = 0.0, self.duration
        if overview is None or not overview.samples.size:
            return RecordView(x_range=x_range)
        x = np.array([self.session.seconds(s) for s in overview.samples])
        curves = []
        for j in range(overview.low.shape[1]):
            y = np.empty(2 * x.size)
            y[0::2], y[1::2] = overview.low[:, j], overview.high[:, j]
            curves.append(Curve(np.repeat(x, 2), y))
        top = float(max(np.abs(overview.low).max(), np.abs(overview.high).max())) or 1.0
        return RecordView(tuple(curves), (-1.1 * top, 1.1 * top), x_range, overview.unit)

    def marks(self, kind: str) -> list[float]:
        """Times of the marks of a kind, s."""
        return [self.session.seconds(m.sample) for m in self.session.story.marks if m.kind == kind]

    def mark_near(self, seconds: float, reach: float) -> Mark | None:
        """The mark next to a time, None if none is within reach (s)."""
        marks = self.session.story.marks
        place = self.session.sample_at(seconds)
        nearest = min(marks, key=lambda m: abs(m.sample - place), default=None)
        if nearest is None or abs(self.session.seconds(nearest.sample) - seconds) > reach:
            return None
        return nearest

    def mark_text(self, mark: Mark) -> str:
        """When and what."""
        at = format_quantity(self.session.seconds(mark.sample), DURATION, digits=5)
        return f"{at}: {mark.text}"

    def parse(self, text: str) -> float:
        """Read an end of the stretch, s since the first sample; a bare number is in seconds.

        Raises
        ------
        InputError
            If it is no time or lies beyond the record.
        """
        return parse_quantity(
            text, DURATION, default_unit="s", low=0.0, high=self.duration, name="time"
        )

    def select(self, start: float, stop: float) -> None:
        """Choose a stretch (s).

        Raises
        ------
        InputError
            If its end is not later than its beginning.
        """
        session = self.session
        first, last = session.sample_at(start), session.sample_at(stop)
        if last - first < _SHORTEST:
            raise InputError(
                f"the stretch {format_quantity(start, DURATION)} … "
                f"{format_quantity(stop, DURATION)} holds no samples: its end must be later"
            )
        session.select(first, last)

    def parts(self) -> list[tuple[int, int]]:
        """What lies between two changes of light or step, in samples."""
        first, last = self.session.extent
        cuts = {m.sample for m in self.session.story.marks if m.kind in _PART_KINDS}
        edges = sorted({first, last, *(c for c in cuts if first < c < last)})
        return [(a, b) for a, b in pairwise(edges) if b - a >= _SHORTEST]

    def neighbour(self, step: int) -> tuple[int, int] | None:
        """The part before (−1) or after (+1) the one in which the stretch begins; None at an end.

        From a stretch that is no part, the part in which it begins comes first.
        """
        parts, (start, stop) = self.parts(), self.session.stretch
        index = next((k for k, (a, b) in enumerate(parts) if a <= start < b), None)
        if index is None:
            return None
        if parts[index] == (start, stop):
            index += step
        return parts[index] if 0 <= index < len(parts) else None

    def caption(self) -> str:
        """What record this is, on one line."""
        session = self.session
        record, story = session.record, session.story
        where = f"{record.path.parent.name}/{record.path.name}".lstrip("/")
        source = "of a simulation" if story.source == "SIM" else story.source
        if story.source == "LIVE":
            source = "of the laboratory"
        parts = [
            where,
            f"{story.name} ({source})" if record.kind == "run" else f"format {record.kind}",
            f"{format_quantity(self.duration, DURATION)} · {len(record.names)} channels at "
            f"{format_si(record.sample_rate, 'S/s')}",
        ]
        if story.created > 0.0:
            parts.append(time.strftime("%Y-%m-%d %H:%M", time.localtime(story.created)))
        return " · ".join(parts)

    def stretch_text(self) -> str:
        """Length of the stretch, what it holds, and what speaks against one fit of it."""
        start, stop = self.session.stretch
        text = format_quantity(self.session.seconds(stop) - self.session.seconds(start), DURATION)
        parts = [f"{text} chosen"]
        releases = self.session.releases
        if releases:
            parts.append(f"{releases} releases")
        changes = self.session.story.light_changes(start, stop)
        if changes:
            parts.append(f"the light changed {changes} times: choose a part" if changes > 1 else (
                "the light changed: choose a part"
            ))  # fmt: skip
        return " · ".join(parts)
