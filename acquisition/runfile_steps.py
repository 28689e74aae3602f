"""What the events of a run say about its samples: steady ranges and releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .events import Event, EventKind

__all__ = ["Release", "find_releases", "monitor_ranges"]


@dataclass(frozen=True)
class Release:
    """One stretch with feedback off.

    Attributes
    ----------
    repetition : int
        Number within its step, as the plan counted.
    first_sample : int
        Index of the first sample with feedback off.
    samples : int
        Number of samples.
    step : int
        Index of the plan's step.
    excluded : str or None
        Why it cannot be used.
    """

    repetition: int
    first_sample: int
    samples: int
    step: int = 0
    excluded: str | None = None

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.first_sample + self.samples


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
    at_rail: Callable[[tuple[int, int], int, int], bool],
) -> list[Release]:
    """Collect the releases and what speaks against each.

    Parameters
    ----------
    events : list of Event
        In the order of their samples.
    covered : callable
        Whether samples (start, stop) were recorded without a gap.
    at_rail : callable
        Whether, of a saturated block (start, stop), the samples (start, stop) reach the rail.
    """
    releases = _collect(events)
    saturated = [
        (e.sample, e.sample + int(e.payload.get("samples", 1)))
        for e in events
        if e.kind is EventKind.SATURATED
    ]
    lost = min((e.sample for e in events if e.kind is EventKind.PARTICLE_LOST), default=None)
    judged: list[Release] = []
    for release in releases:
        start, stop = release.first_sample, release.end_sample
        reason = release.excluded
        # The event stands at the beginning of the block that showed the loss.
        if reason is None and lost is not None and stop >= lost:
            reason = "particle lost"
        if reason is None and not (start < stop and covered(start, stop)):
            reason = "gap in the record, or not recorded to its end"
        if reason is None:
            overlapping = [b for b in saturated if b[0] < stop and b[1] > start]
            if any(covered(*b) and at_rail(b, start, stop) for b in overlapping):
                reason = "detector saturated"
        judged.append(replace(release, excluded=reason))
    return judged


def _collect(events: list[Event]) -> list[Release]:
    """Releases with the reasons that events state."""
    found: dict[tuple[int, int], Release] = {}
    step = 0
    for event in events:
        if event.kind is EventKind.STEP_START:
            step = int(event.payload.get("index", step))
            continue
        own_step = int(event.payload.get("step", step))  # an exclusion may come a step later
        key = (own_step, int(event.payload.get("repetition", -1)))
        if event.kind is EventKind.RELEASE:
            samples = int(event.payload.get("samples", 0))
            found[key] = Release(key[1], event.sample, samples, step)
        elif key not in found:
            continue
        elif event.kind is EventKind.EXCLUDED:
            reason = str(event.payload.get("reason", "excluded"))
            found[key] = replace(found[key], excluded=reason)
        elif event.kind is EventKind.RECAPTURE:
            found[key] = _recaptured(found[key], event.sample)
    return list(found.values())


def _recaptured(release: Release, sample: int) -> Release:
    """Compare the planned end with the actual one."""
    if release.samples == 0:
        return replace(release, samples=sample - release.first_sample)
    if sample < release.end_sample and release.excluded is None:
        return replace(release, excluded="feedback came back before the planned end")
    return release
