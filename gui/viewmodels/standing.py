"""What a result on screen is worth now: of this light and these settings, and how old."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from .fit import Age

if TYPE_CHECKING:
    from ...acquisition.snapshots import Basis, FitSnapshot, SessionStatus

__all__ = ["FitStanding", "Standing", "standing_of"]


class Standing(StrEnum):
    """How a result stands to what is measured now."""

    NONE = "none"
    PENDING = "pending"
    FRESH = "fresh"
    STALE = "stale"
    FAILED = "failed"


_WORDS = {
    Standing.NONE: "no fit yet",
    Standing.FAILED: "no valid fit",
}


def standing_of(snapshot: FitSnapshot | None, basis: Basis, late: bool) -> Standing:
    """Standing of a fit.

    Parameters
    ----------
    snapshot : FitSnapshot or None
        The newest.
    basis : Basis
        Of what is measured now.
    late : bool
        Whether no new fit has come for long.

    Returns
    -------
    Standing
        PENDING for one of the light or the settings before, whatever else it is.
    """
    if snapshot is None:
        return Standing.NONE
    if snapshot.basis != basis:
        return Standing.PENDING
    if snapshot.result is None:
        return Standing.FAILED if snapshot.error else Standing.NONE
    return Standing.STALE if late else Standing.FRESH


class FitStanding:
    """Follows the newest fit; every panel that shows results asks here.

    Attributes
    ----------
    now : Standing
        Of the newest fit.
    text : str
        The same in words, "" while it is fresh.
    """

    def __init__(self) -> None:
        self.now = Standing.NONE
        self.text = _WORDS[Standing.NONE]
        self._age = Age("fit")

    @property
    def holds(self) -> bool:
        """Whether the numbers are of what is measured now."""
        return self.now in (Standing.FRESH, Standing.STALE)

    def update(self, snapshot: FitSnapshot | None, status: SessionStatus, now: float) -> None:
        """Take the newest fit at a monotonic time (s); that of a record does not age."""
        basis, recorded = status.basis, status.mode == "RECORD"
        late = (
            "" if recorded else self._age.text(None if snapshot is None else snapshot.sequence, now)
        )
        self.now = standing_of(snapshot, basis, bool(late))
        self.text = _WORDS.get(self.now, "")
        if self.now is Standing.STALE:
            self.text = late
        elif self.now is Standing.PENDING and snapshot is not None:
            of = "stretch" if recorded else "light"
            changed = of if snapshot.basis.light != basis.light else "settings of the fit"
            self.text = f"the {changed} changed: waiting for a new fit; values are of before"
