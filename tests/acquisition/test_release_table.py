"""Releases in columns are those that single objects would be, and take a tenth of the room."""

import tracemalloc

import numpy as np
import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.ranges import Ranges
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.release_table import ReleaseCollector, ReleaseTable
from optobind.acquisition.releases import Evidence, LeftOut, Release, count_releases
from optobind.acquisition.run_digest import digest_of
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest, decode_events, encode_events, in_order
from optobind.models.blocks import Block, BlockStatus


def filled(*releases):
    table = ReleaseTable()
    for release in releases:
        table.put(release)
    return table


def step(index, sample=0):
    return Event(sample, EventKind.STEP_START, {"index": index, "kind": "reheating"})


def test_releases_come_back_as_they_were_put_in_whatever_their_numbers():
    rng = np.random.default_rng(1)
    known = {}
    table = ReleaseTable()
    for number in range(500):
        why = (None, *LeftOut)[rng.integers(7)]
        release = Release(
            int(rng.integers(-1, 60)),
            10 * number,
            int(rng.integers(0, 9)),
            int(rng.integers(3)),
            None if why is None else f"because {rng.integers(5)}",
            why,
            None if rng.integers(2) else int(rng.integers(9)),
        )
        known[release.step, release.repetition] = release
        table.put(release)
    assert list(table) == list(known.values())
    assert all(table[key] == release for key, release in known.items())
    for index in range(3):
        own = [r for r in known.values() if r.step == index]
        assert table.count(index) == count_releases(own)
        assert table.count(index, 77) == count_releases(own, 77)
    usable = [(r.first_sample, r.end_sample) for r in known.values() if r.why is None]
    assert table.usable() == usable


def test_what_is_not_there_is_not_found():
    table = filled(Release(0, 0, 5), Release(2, 20, 5), Release(4, 40, 5))
    assert [(0, n) in table for n in range(-1, 6)] == [False, True, False, True, False, True, False]
    assert (1, 0) not in table
    with pytest.raises(KeyError):
        table[0, 1]


def test_an_exclusion_may_come_a_step_later():
    collector = ReleaseCollector()
    collector.take(step(0))
    collector.take(Event(0, EventKind.RELEASE, {"repetition": 0, "samples": 5}))
    collector.take(step(1, 50))
    collector.take(Event(50, EventKind.RELEASE, {"repetition": 0, "samples": 5}))
    excluded = {"step": 0, "repetition": 0, "reason": "a flash"}
    collector.take(Event(60, EventKind.EXCLUDED, excluded))
    collector.take(Event(60, EventKind.EXCLUDED, {"step": 7, "repetition": 0}))
    assert [(r.step, r.excluded) for r in collector.found] == [(0, "a flash"), (1, None)]


def test_a_release_takes_a_hundred_bytes_at_most_judged_and_all():
    collector = ReleaseCollector()
    tracemalloc.start()
    for number in range(20_000):
        payload = {"repetition": number, "samples": 50}
        collector.take(Event(100 * number, EventKind.RELEASE, payload))
        collector.take(Event(100 * number + 40, EventKind.RECAPTURE, payload))
    collector.found.judge(Evidence(lambda a, b: True, 10**9, lambda *_: False, Ranges()))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(collector.found) == 20_000
    assert held < 100 * 20_000


def test_events_that_come_late_are_told_in_the_order_of_their_samples():
    """A recorder that lags behind writes of gaps and saturation when thousands have passed."""
    events = []
    for number in range(30_000):
        events.append(Event(10 * number, EventKind.NOTE, {"n": number}))
        if number >= 12_000:
            late = Event(10 * (number - 12_000), EventKind.SATURATED, {"samples": 3})
            events.extend([late] * (number % 3 == 0))
    told = list(in_order(decode_events(np.array_split(encode_events(events), 77))))
    assert told == sorted(events, key=lambda event: event.sample)
    assert digest_of(told).counts == {"note": 30_000, "saturated": 6_000}


def test_an_event_longer_than_a_record_may_lie_in_two_pieces():
    events = [Event(n, EventKind.NOTE, {"text": "x" * 2000}) for n in range(5)]
    records = encode_events(events)
    assert len(records) == 25
    assert list(decode_events(records[n : n + 1] for n in range(25))) == events
    assert list(decode_events([records[:-1]])) == events[:-1]  # cut short


def test_a_saturated_block_is_read_once_for_all_releases_within(tmp_path, monkeypatch):
    manifest = Manifest(1e6, ("z",), (1.0,), plan={"kind": "reheating", "repetitions": 200})
    counts = np.zeros((20_000, 1), np.int16)
    counts[5_050] = -32768
    with Recorder(tmp_path / "run.h5", manifest) as recorder:
        recorder.event(step(0))
        for number in range(200):
            payload = {"repetition": number, "samples": 90}
            recorder.event(Event(100 * number, EventKind.RELEASE, payload))
        recorder.write(Block(0, counts, np.ones(1), status=BlockStatus.SATURATED))
    reads = []
    samples = RunFile.samples
    monkeypatch.setattr(
        RunFile, "samples", lambda run, *given: reads.append(given) or samples(run, *given)
    )
    with RunFile.open(tmp_path / "run.h5") as run:
        assert [r.repetition for r in run.all_releases() if r.why] == [50]
        assert run.worth().words().startswith("199 of 200 releases usable (1 saturated)")
    assert reads == [(0, 20_000)]
