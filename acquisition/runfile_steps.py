"""What the events of a run say about its samples: steady ranges and releases."""

from __future__ import annotations

from collections.abc import Callable

from .events import Event, EventKind
from .releases import Evidence, Release, ReleaseCollector, judge

__all__ = ["find_releases", "monitor_ranges"]


def monitor_ranges(events: list[Event]) -> list[tuple[int, int | None]] | None:
    """Ranges of sample indices of the monitor steps; an open end is None.

    None if the events hold no steps at all.
    """
    ranges: list[tuple[int, int | None]] = []
    any_step, begun = False, None
    for event in events:
        if event.kind is EventKind.STEP_START:
            any_step = True
            begun = event.sample if event.payload.get("kind") == "monitor" else None
        elif event.kind in (EventKind.STEP_END, EventKind.RUN_END) and begun is not None:
            ranges.append((begun, event.sample))
            begun = None
    if begun is not None:
        ranges.append((begun, None))
    return ranges if any_step else None


def find_releases(
    events: list[Event],
    covered: Callable[[int, int], bool],
    end_sample: int,
    at_rail: Callable[[tuple[int, int], int, int], bool],
) -> list[Release]:
    """Collect the releases and what speaks against each.

    Parameters
    ----------
    events : list of Event
        In the order of their samples.
    covered : callable
        Whether samples (start, stop) were recorded without a gap.
    end_sample : int
        Index one past the last sample recorded.
    at_rail : callable
        Whether, of a saturated block (start, stop), the samples (start, stop) reach the rail.
    """
    collector = ReleaseCollector()
    for event in events:
        collector.take(event)
    evidence = Evidence(
        covered,
        end_sample,
        at_rail,
        [
            (e.sample, e.sample + int(e.payload.get("samples", 1)))
            for e in events
            if e.kind is EventKind.SATURATED
        ],
        min((e.sample for e in events if e.kind is EventKind.PARTICLE_LOST), default=None),
    )
    return [judge(release, evidence) for release in collector.found.values()]
