"""An hour at 2 channels × 1 MS/s with the window open: memory stays flat, nothing is lost.

Not among the rows of ``make bench``: ask for it by name (``python -m bench soak``).
"""

from __future__ import annotations

from statistics import median

from bench.chain import live_rig, watched
from bench.row import Row

SECONDS = 3600.0
_WARM = 0.15  # of the time, until buffers are full


def rows(seconds: float = SECONDS) -> list[Row]:
    """Memory of the last tenth over that of the first one after buffers are full; samples lost."""
    seen = watched(live_rig(1e6), seconds, every=seconds / 400.0)
    told = [(t / seen.elapsed, megabytes) for t, megabytes in seen.memory]
    early = median(m for t, m in told if _WARM <= t <= _WARM + 0.1)
    late = median(m for t, m in told if t >= 0.9)
    detail = f"{early:.0f} MB after {_WARM * seen.elapsed:.0f} s, {late:.0f} MB at the end"
    lost = f"{seen.samples} samples in {seen.elapsed:.0f} s, {seen.share:.0%} of a core"
    return [
        Row("soak, memory at the end over the beginning", late / early, 1.02, detail, at_most=True),
        Row("soak, samples lost", float(seen.lost), 0.0, lost, at_most=True),
    ]
