"""What events say of samples: ranges with feedback off, releases and where they end."""

from __future__ import annotations

from typing import Any

import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.ranges import NO_END, Ranges
from optobind.acquisition.releases import LeftOut, Release
from optobind.acquisition.run_digest import digest_of


def gate(sample: int, closed: bool, **payload: Any) -> Event:
    return Event(sample, EventKind.GATE, {"closed": closed, **payload})


def released(recapture: int | None, samples: int = 100) -> Release:
    """A release from sample 1000 on, and its recapture."""
    events = [Event(1000, EventKind.RELEASE, {"repetition": 0, "samples": samples})]
    if recapture is not None:
        events.append(Event(recapture, EventKind.RECAPTURE, {"repetition": 0}))
    digest = digest_of(events)
    digest.judge(lambda start, stop: True, 10_000, lambda *_: False)
    (release,) = digest.releases
    return release


@pytest.mark.parametrize(
    ("events", "ranges"),
    [
        ([], []),
        ([gate(0, True)], [(0, 0)]),
        ([gate(5, True, spread=7)], [(0, 12)]),
        ([gate(0, True), gate(50, False, spread=4), gate(90, True, spread=3)], [(0, 0), (46, 93)]),
        ([gate(0, True), gate(50, False, spread=4)], [(0, 0), (46, None)]),
        ([gate(0, True), gate(50, False), gate(60, False), gate(70, True)], [(0, 0), (50, 70)]),
        ([gate(0, True, spread=2), gate(9, True, spread=9)], [(0, 2)]),
        ([gate(8, False), gate(20, True)], [(0, 20)]),
    ],
)
def test_what_was_taken_while_the_gate_moved_counts_as_free(events, ranges):
    wanted = [(start, NO_END if stop is None else stop) for start, stop in ranges if start != stop]
    assert list(digest_of(events).free) == wanted


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        ((0, 0), [(10, 20), (30, 40)]),
        ((0, 10), [(10, 20), (30, 40)]),
        ((0, 11), [(11, 20), (30, 40)]),
        ((12, 15), [(10, 12), (15, 20), (30, 40)]),
        ((19, 31), [(10, 19), (31, 40)]),
        ((20, 30), [(10, 20), (30, 40)]),
        ((10, 20), [(30, 40)]),
        ((35, None), [(10, 20), (30, 35)]),
        ((0, None), []),
    ],
)
def test_ranges_are_cut_to_the_sample(cut, left):
    start, stop = cut
    ranges = Ranges([(10, 20), (30, 40)])
    assert list(ranges.without(Ranges([(start, NO_END if stop is None else stop)]))) == left


@pytest.mark.parametrize(
    ("recapture", "why"), [(None, None), (1099, LeftOut.CUT_SHORT), (1100, None), (1500, None)]
)
def test_a_release_is_cut_short_only_if_feedback_came_back_before_its_last_sample(recapture, why):
    release = released(recapture)
    assert (release.first_sample, release.samples, release.why) == (1000, 100, why)


def test_a_release_of_no_planned_length_ends_at_its_recapture():
    release = released(1234, samples=0)
    assert (release.first_sample, release.end_sample, release.why) == (1000, 1234, None)
