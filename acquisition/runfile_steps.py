"""What the events of a run say about its samples: steady ranges and releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .events import Event, EventKind
from .releases import Evidence, Release, ReleaseCollector, judge

__all__ = ["feedback_off", "find_releases", "monitor_ranges", "without"]


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


def feedback_off(events: Iterable[Event]) -> list[tuple[int, int | None]]:
    """Ranges of sample indices in which feedback may have been off; an open end is None.

    A card is ahead of its reader, so that a step may begin before the gate has closed. What was
    taken while the gate was being switched may be free as well, and so may what was taken before it
    was first closed. No range if the rig has no gate.
    """
    gates = [event for event in events if event.kind is EventKind.GATE]
    ranges: list[tuple[int, int | None]] = []
    opened: int | None = 0 if gates else None
    for event in gates:
        spread = int(event.payload.get("spread", 0))
        if not event.payload.get("closed"):
            opened = event.sample - spread if opened is None else opened
        elif opened is not None:
            ranges.append((opened, event.sample + spread))
            opened = None
    return ranges if opened is None else [*ranges, (opened, None)]


def without(
    ranges: Sequence[tuple[int, int]], start: int, stop: int | None
) -> list[tuple[int, int]]:
    """Cut start … stop (None: to the end) out of ranges."""
    kept = []
    for low, high in ranges:
        if low < min(start, high):
            kept.append((low, min(start, high)))
        if stop is not None and max(stop, low) < high:
            kept.append((max(stop, low), high))
    return kept


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
