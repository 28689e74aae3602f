"""The waterfall of a record: spectra along all of it, made once somebody looks."""

from __future__ import annotations

from typing import Any

from ...analysis.recorded.session import RecordedSession
from ...analysis.recorded.story import Mark
from ..bridge import Bridge
from ..theme import Theme
from ..viewmodels.port import SessionPort
from ..viewmodels.ticks import time_label
from ..viewmodels.waterfall_marks import MarkKind, TimeMark
from ..viewmodels.waterfall_store import PastRow, WaterfallStore
from .waterfall import WaterfallPanel

__all__ = ["RecordWaterfallPanel"]

_KINDS: dict[str, MarkKind] = {
    "light": "light",
    "gap": "gap",
    "fault": "fault",
    "lost": "fault",
    "step": "note",
    "note": "note",
}
_MOST_RELEASES = 20_000  # that are marked one by one


class RecordWaterfallPanel(WaterfallPanel):
    """Time runs from the end of the record back to its beginning."""

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        assert isinstance(bridge.session, RecordedSession)
        self.session = bridge.session
        super().__init__(bridge, theme)
        self.ages.hide()
        self.plot.label("left", "time before the end", "before")
        self.past.options = self.session.options

    def make_store(self) -> WaterfallStore:
        """One ring that holds the whole record."""
        rows = self.session.rows
        return WaterfallStore(rows.count + 1, (rows.period,))

    def begin(self) -> None:
        """Mark what happened; spectra come when the panel is seen."""
        for mark in self.session.story.marks:
            self.store.marks.append(self._mark(mark))
        releases = self.session.choice.releases
        for start, stop in releases[:_MOST_RELEASES]:
            self.store.released.take(self._mark(Mark(start, "note", ""), "open"))
            self.store.released.take(self._mark(Mark(stop, "note", ""), "closed"))

    def _mark(self, mark: Mark, kind: MarkKind | None = None) -> TimeMark:
        at = self.session.seconds(mark.sample)
        return TimeMark(at, mark.time, kind or _KINDS[mark.kind], mark.text)

    def time(self) -> float:
        """The end of the record."""
        return self.session.seconds(self.session.extent[1])

    def when(self, row: PastRow) -> str:
        """Time since the first sample."""
        return f"at {time_label(float(f'{row.at - 0.5 * row.period:.4g}'))}"

    def pull(self, session: SessionPort) -> Any:
        """Take the rows that came, and ask for them when the panel is seen first."""
        self.session.look_through()
        created, path = self.session.story.created, str(self.session.record.path)
        for seconds, snapshot in self.session.rows.drain():
            self.store.add(snapshot, seconds, created + seconds, path)
        return super().pull(session)
