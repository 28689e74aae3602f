"""The stream: a ring of seconds of samples, whatever the blocks, within the memory that is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optobind.acquisition import stream as stream_module
from optobind.acquisition.ring import Ring
from optobind.acquisition.stream import RING_SECONDS, Stream
from optobind.instruments.fakes import FakeDigitizer
from optobind.models.blocks import BlockStatus
from optobind.models.errors import InputError

RATE = 50e3


class Card(FakeDigitizer):
    """Takes samples in real time as far as the stream knows: nobody waits for a reader."""

    def __init__(self, sample_rate: float = RATE) -> None:
        super().__init__(np.arange(2000, dtype=np.int16).reshape(1000, 2), sample_rate)

    @property
    def info(self) -> Any:
        return replace(super().info, real_time=True)


def open_stream(sample_rate: float = RATE) -> Stream:
    card = Card(sample_rate)
    card.connect()
    return Stream(card, 0.02, lambda sample, lost: None)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [50, 16, 1000])
def test_the_ring_holds_seconds_of_samples_whatever_the_length_of_the_blocks(rows: int) -> None:
    """A disk that stalls for 2 s and a lag on top of it cost nothing, of 1 ms blocks as of 20."""
    stream = open_stream()
    try:
        assert stream.ring_seconds >= RING_SECONDS >= 4.0
        cursor = stream.ring.cursor("late")
        while stream.position + rows <= RING_SECONDS * RATE:
            stream.read(rows, lambda: False)
        read = 0
        while (block := cursor.next(0)) is not None:
            assert block.first_sample == read
            read = block.end_sample
        assert (cursor.missed, read) == (0, stream.position)
    finally:
        stream.close()


def test_a_lossy_reader_may_lie_behind_by_samples_not_by_blocks() -> None:
    stream = open_stream()
    try:
        cursor = stream.ring.cursor("live", lossless=False, max_behind=round(0.5 * RATE))
        for _ in range(400):
            stream.read(50, lambda: False)
        assert cursor.next(0).first_sample == 0  # type: ignore[union-attr]
        assert cursor.missed_blocks == 0
        for _ in range(400):
            stream.read(50, lambda: False)
        assert cursor.next(0).end_sample == stream.position  # type: ignore[union-attr]
    finally:
        stream.close()


def ring_bytes(stream: Stream) -> float:
    return stream.ring_seconds * stream.bytes_per_second


def test_the_ring_takes_a_bounded_part_of_the_memory_that_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "free_shared_bytes", lambda: 2_000_000)
    stream = open_stream()
    try:
        assert 0.9e6 <= ring_bytes(stream) <= 1e6
        assert 4.0 < stream.ring_seconds < RING_SECONDS
    finally:
        stream.close()


def test_the_ring_is_bounded_at_high_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Made(Exception):
        pass

    def create(*, rows: int, channels: int, capacity: int, **_: Any) -> None:
        made.append(capacity * channels * 2)
        raise Made

    monkeypatch.setattr(stream_module, "free_shared_bytes", lambda: 64_000_000_000)
    monkeypatch.setattr(Ring, "create", create)
    with pytest.raises(Made):
        open_stream(100e6)
    assert made[0] <= 512e6


@pytest.mark.parametrize(
    ("free", "rate", "message"),
    [
        (150_000, RATE, r"0\.5 s of samples need 0\.1 MB of shared memory.* 0\.1 MB are free.*shm"),
        (None, 1e9, r"4000 MB/s of samples are more than this computer can hold for 0\.5 s"),
    ],
)
def test_too_little_memory_for_half_a_second_is_refused(
    monkeypatch: pytest.MonkeyPatch, free: int | None, rate: float, message: str
) -> None:
    monkeypatch.setattr(stream_module, "free_shared_bytes", lambda: free)
    with pytest.raises(InputError, match=message):
        open_stream(rate)


@pytest.mark.parametrize(
    ("told", "latency", "real_time", "expected"),
    [
        (1400, 0.0, True, 1400),  # a card is ahead of its reader
        (1400, 2e-3, True, 1500),  # and of what it told when that arrives
        (None, 0.0, True, 1000),  # a device that cannot say is where it is read
        (None, 2e-3, True, 1100),
        (900, 0.0, True, 1000),  # never behind what has been read
        (1400, 2e-3, False, 1000),  # a virtual clock stands while nobody reads
    ],
)
def test_the_present_sample_is_what_the_digitizer_tells_and_its_latency(
    told: int | None, latency: float, real_time: bool, expected: int
) -> None:
    class Telling(Card):
        @property
        def info(self) -> Any:
            return replace(super().info, real_time=real_time, latency=latency)

        def present_sample(self) -> Any:
            return told

    card = Telling()
    card.connect()
    stream = Stream(card, 0.02, lambda sample, lost: None)
    try:
        stream.read(1000, lambda: False)
        assert stream.position == 1000
        assert stream.present() == expected
    finally:
        stream.close()


# -- marks ----------------------------------------------------------------------------------------


def marks_of(stream: Stream, reads: int) -> list[bool]:
    """Whether each of the next blocks of 50 samples is marked."""
    with closing(stream.ring.cursor("marks")) as cursor:
        for _ in range(reads):
            stream.read(50, lambda: False)
        blocks = [cursor.next(0) for _ in range(reads)]
    return [bool(block.status & BlockStatus.FEEDBACK_OFF) for block in blocks if block is not None]


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = open_stream()
    yield made
    made.close()


def test_blocks_are_marked_from_the_first_free_sample_to_the_last(stream: Stream) -> None:
    stream.feedback_off(149)  # the last sample of the third block
    assert marks_of(stream, 4) == [False, False, True, True]
    assert stream.settled == 0
    stream.feedback_on(251)  # the first sample of the sixth block is free
    assert stream.settled == 251
    assert marks_of(stream, 3) == [True, True, False]


def test_the_edges_of_a_free_stretch_belong_to_one_block_only(stream: Stream) -> None:
    stream.feedback_off(50)
    stream.feedback_on(100)
    assert marks_of(stream, 3) == [False, True, False]


def test_a_second_stretch_does_not_hide_one_that_is_yet_to_be_read(stream: Stream) -> None:
    """The card is two stretches ahead of its reader."""
    stream.feedback_off(60)
    stream.feedback_on(70)
    stream.feedback_off(210)
    stream.feedback_on(220)
    found = marks_of(stream, 6)
    assert (found[0], found[1], found[4], found[5]) == (False, True, True, False)


def test_closing_a_closed_gate_once_more_marks_nothing_more(stream: Stream) -> None:
    stream.feedback_off(0)
    stream.feedback_on(40)
    stream.feedback_on(190)
    assert stream.settled == 40
    assert marks_of(stream, 4) == [True, False, False, False]


def test_feedback_that_was_never_switched_marks_nothing(stream: Stream) -> None:
    assert marks_of(stream, 3) == [False] * 3
    stream.feedback_on(400)
    assert (marks_of(stream, 3), stream.settled) == ([False] * 3, 0)
