"""Feeds a waterfall at its own pace, whether or not anybody looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from .waterfall_store import AGES, WaterfallStore

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus, SpectrumSnapshot
    from .port import SessionPort

__all__ = ["WaterfallFeed"]


class WaterfallFeed:
    """Takes the newest spectrum ten times a second; the bridge asks it as it asks panels.

    Parameters
    ----------
    store : WaterfallStore
        What is fed.
    status : callable
        The newest status.
    clock, wall : callable
        Monotonic s; s since the epoch.
    """

    period = AGES[0]

    def __init__(
        self,
        store: WaterfallStore,
        status: Callable[[], SessionStatus],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._status, self.clock, self.wall = status, clock, wall

    def pull(self, session: SessionPort) -> SpectrumSnapshot | None:
        """Take the newest spectrum."""
        return session.spectrum()

    def key(self, snapshot: SpectrumSnapshot) -> Hashable:
        """What tells one spectrum from another, also across streams."""
        return snapshot.sequence, snapshot.csd.last_sample, snapshot.basis

    def draw(self, snapshot: SpectrumSnapshot) -> None:
        """Keep it."""
        status = self._status()
        self.store.add(
            snapshot, self.clock(), self.wall(), status.recording, status.samples or None
        )

    def wants_frames(self) -> bool:
        """Always: the past is asked about later."""
        return True
