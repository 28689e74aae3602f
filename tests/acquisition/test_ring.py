"""The ring: order, exact accounts of what was missed, room for readers, other processes."""

import errno
import gc
import importlib.util
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.acquisition.ring import Ring
from optobind.models.blocks import BlockStatus
from optobind.models.errors import InputError

WORKER = Path(__file__).with_name("ring_worker.py")
_spec = importlib.util.spec_from_file_location("ring_worker", WORKER)
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
pattern = _worker.pattern


@pytest.fixture
def ring():
    with Ring.create(16, 2, "int16", 128, (1e-3, 2e-3), 1e6) as made:
        yield made


def put(ring, first, rows=16, value=0, **kwargs):
    ring.writable()[:rows] = value
    return ring.commit(rows, first, **kwargs)


def start_reader(ring, name, kind, crash="no"):
    descriptor = pickle.dumps(ring.descriptor()).hex()
    return subprocess.Popen(
        [sys.executable, str(WORKER), descriptor, name, kind, crash],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report(process):
    out, err = process.communicate(timeout=120.0)
    assert process.returncode == 0, err
    assert err == ""
    return json.loads(out)


def test_blocks_come_in_order_with_everything_that_was_committed(ring):
    cursor = ring.cursor("a")
    put(ring, 100, 16, 3, host_time=1.5, status=BlockStatus.SATURATED)
    put(ring, 116, 5, 4)
    first, second = cursor.next(0), cursor.next(0)
    assert (first.first_sample, first.sequence, first.host_time) == (100, 0, 1.5)
    assert first.status is BlockStatus.SATURATED
    assert second.samples.shape == (5, 2)
    assert second.end_sample == 121
    np.testing.assert_allclose(second.volts()[0], [4e-3, 8e-3])
    assert cursor.next(0) is None
    assert not cursor.finished


def test_block_is_a_copy_that_later_writing_leaves_alone(ring):
    cursor = ring.cursor("a")
    put(ring, 0, value=1)
    block = cursor.next(0)
    for i in range(1, 20):
        put(ring, 16 * i, value=99)
    assert (block.samples == 1).all()


def test_overtaken_lossless_reader_is_told_exactly_what_it_missed_and_goes_on(ring):
    cursor = ring.cursor("a")
    put(ring, 0)
    assert cursor.next(0).sequence == 0
    position = 16
    for i in range(20):
        rows = 1 + i % 16
        put(ring, position, rows)
        position += rows
    block = cursor.next(0)
    overrun = cursor.overrun
    assert overrun.first_sample == 16
    assert overrun.missed_samples == block.first_sample - 16
    assert overrun.missed_blocks == block.sequence - 1
    assert block.status & BlockStatus.GAP_BEFORE
    following = cursor.next(0)
    assert following.sequence == block.sequence + 1
    assert cursor.overrun is None
    assert not following.status & BlockStatus.GAP_BEFORE
    assert cursor.missed == overrun.missed_samples


def test_gap_of_the_digitizer_is_not_booked_as_missed(ring):
    cursor = ring.cursor("a")
    put(ring, 0)
    put(ring, 1000, status=BlockStatus.GAP_BEFORE)
    cursor.next(0)
    assert cursor.next(0).first_sample == 1000
    assert cursor.overrun is None
    assert cursor.missed == 0


def test_lossy_reader_that_lies_behind_takes_the_newest_and_counts(ring):
    cursor = ring.cursor("gui", lossless=False, max_behind=48)
    for i in range(3):
        put(ring, 16 * i)
    assert cursor.next(0).sequence == 0
    for i in range(3, 6):
        put(ring, 16 * i)
    assert cursor.next(0).sequence == 5
    assert (cursor.missed, cursor.missed_blocks) == (64, 4)


def test_newest_skips_and_counts_and_returns_nothing_twice(ring):
    cursor = ring.cursor("gui", lossless=False)
    for i in range(5):
        put(ring, 16 * i, value=i)
    assert cursor.newest().samples[0, 0] == 4
    assert cursor.missed == 64
    assert cursor.newest() is None


def test_reader_starts_with_the_next_block(ring):
    put(ring, 0)
    cursor = ring.cursor("late")
    put(ring, 16)
    assert cursor.next(0).sequence == 1
    assert cursor.missed == 0


def test_waiting_writer_stops_when_asked_and_goes_on_when_there_is_room(ring):
    cursor = ring.cursor("slow")
    sent = 0
    while put(ring, 16 * sent, wait=True, timeout=0.0):
        sent += 1
    assert ring.capacity <= cursor.behind_samples <= ring.capacity + 2 * ring.rows
    assert not ring.wait_for_room(stop=lambda: True)
    reader = threading.Thread(target=cursor.next)
    reader.start()
    assert ring.wait_for_room(timeout=10.0)
    reader.join()
    assert cursor.missed == 0
    cursor.close()
    assert ring.wait_for_room(timeout=0.0)


def test_writer_never_waits_for_lossy_readers(ring):
    ring.cursor("gui", lossless=False)
    assert all(put(ring, 16 * i, wait=True, timeout=0.0) for i in range(30))


def test_next_returns_none_at_the_end_of_the_stream(ring):
    cursor = ring.cursor("a")
    put(ring, 0)
    ring.finish()
    assert not cursor.finished
    assert cursor.next() is not None
    assert cursor.next() is None
    assert cursor.finished


def test_closing_the_ring_ends_readers_in_other_threads(ring):
    cursor = ring.cursor("a")
    ended = threading.Event()

    def read():
        while not cursor.finished:
            cursor.next(timeout=0.2)
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    put(ring, 0)
    ring.close()
    ring.close()
    thread.join(60.0)
    assert ended.is_set()
    with pytest.raises(InputError, match="the ring is closed"):
        ring.writable()


def test_what_a_closed_ring_holds_can_still_be_read():
    ring = Ring.create(16, 2, "int16", 128, (1, 1), 1e6)
    cursor = ring.cursor("a")
    put(ring, 0, value=5)
    ring.close()
    assert (cursor.next().samples == 5).all()
    assert cursor.next() is None
    assert cursor.finished


def test_segment_is_gone_after_close_and_after_collection():
    names = []
    for closing in (True, False):
        ring = Ring.create(64, 2, "float32", 256, (1, 1), 1e6)
        names.append(ring.descriptor().name)
        if closing:
            view = ring.writable()
            ring.close()
            view[:] = 1.0
            del view
        del ring
        gc.collect()
    for name in names:
        with pytest.raises(FileNotFoundError):
            shared_memory.SharedMemory(name=name)


def test_attaching_to_a_ring_that_is_gone_is_an_input_error(ring):
    descriptor = ring.descriptor()
    ring.close()
    with pytest.raises(InputError, match="does not exist"):
        Ring.attach(descriptor)


def test_second_attachment_may_close_first_and_last(ring):
    other = Ring.attach(ring.descriptor())
    mine = ring.cursor("shared")
    theirs = other.cursor("shared")
    put(ring, 0, value=7)
    assert (theirs.next(0).samples == 7).all()
    assert mine.behind == 0
    last = Ring.attach(ring.descriptor())
    other.close()
    ring.close()
    assert last.committed == 1
    last.close()


def test_names_of_cursors_are_checked(ring):
    ring.cursor("recorder")
    with pytest.raises(InputError, match="'recorder' is in use"):
        ring.cursor("recorder")
    with pytest.raises(InputError, match=r"1 … 32 bytes"):
        ring.cursor("x" * 33)
    other = Ring.attach(ring.descriptor())
    with pytest.raises(InputError, match="made: recorder"):
        other.cursor("unknown")
    other.close()
    for i in range(15):
        ring.cursor(f"c{i}")
    with pytest.raises(InputError, match="at most 16"):
        ring.cursor("one more")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, "int16", 4, (1,), 1e6), "rows ≥ 1"),
        ((4, 1, "int16", 3, (1,), 1e6), "capacity ≥ rows"),
        ((4, 1, "int32", 4, (1,), 1e6), "known: int16, float32"),
        ((4, 2, "int16", 4, (1,), 1e6), "scale must hold 2 values"),
    ],
)
def test_sizes_out_of_range_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        Ring.create(*arguments)


def test_block_of_too_many_rows_is_refused(ring):
    with pytest.raises(InputError, match=r"1 … 16 rows, got 17"):
        ring.writable(17)
    ring.writable(5)
    with pytest.raises(InputError, match=r"1 … 5 rows, got 6"):
        ring.commit(6, 0)
    ring.commit(5, 0)
    with pytest.raises(InputError, match="no block to commit"):
        ring.commit(5, 5)


def test_short_blocks_wait_as_long_as_long_ones():
    with Ring.create(400, 2, "int16", 4000, (1, 1), 1e3) as ring:
        cursor = ring.cursor("a")
        for first in range(0, 3999, 3):
            ring.writable(3)[:] = pattern(first // 3, 3, 2)
            assert ring.commit(3, first) or first > 3600
        assert (cursor.behind, cursor.behind_samples) == (1333, 3999)
        for number in range(1333):
            block = cursor.next(0)
            assert np.array_equal(block.samples, pattern(number, 3, 2))
        assert cursor.missed == 0
        assert cursor.next(0) is None


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    rows=st.integers(1, 40),
    capacity=st.integers(40, 300),
)
def test_nothing_within_the_capacity_is_missed_and_everything_else_is_counted(data, rows, capacity):
    """Blocks of any length, views larger than what is committed, readers of any speed."""
    with Ring.create(rows, 1, "int16", capacity, (1,), 1e6) as ring:
        cursor = ring.cursor("a")
        written = read = 0
        for _ in range(data.draw(st.integers(1, 60))):
            wanted = data.draw(st.integers(1, rows))
            used = data.draw(st.integers(1, wanted))
            ring.writable(wanted)[:] = -1
            view = ring.writable(wanted)
            view[:used, 0] = np.arange(written, written + used)
            ring.commit(used, written)
            written += used
            for _ in range(data.draw(st.integers(0, 3))):
                whole = cursor.behind_samples <= capacity
                block = cursor.next(0)
                if block is None:
                    break
                assert block.samples[:, 0].tolist() == list(
                    range(block.first_sample, block.end_sample)
                )
                missed = 0 if cursor.overrun is None else cursor.overrun.missed_samples
                assert block.first_sample == read + missed
                assert not (whole and missed)
                read = block.end_sample
        assert cursor.behind_samples == written - read


def test_view_that_was_wider_than_the_block_that_followed_leaves_no_torn_block(ring):
    """What an abandoned view allowed to be overwritten is given up for good."""
    cursor = ring.cursor("a")
    first = 0
    while cursor.behind_samples + 32 <= ring.capacity + 2 * ring.rows:
        put(ring, first, value=first // 16)
        first += 16
    ring.writable()
    ring.writable()[:] = 99  # the digitizer brought nothing after all
    ring.writable(1)[:] = 7
    ring.commit(1, first)
    while (block := cursor.next(0)) is not None:
        assert (
            block.samples == (7 if block.first_sample == first else block.first_sample // 16)
        ).all()
    assert cursor.behind_samples == 0


def test_more_blocks_than_the_table_holds_are_missed_and_not_mixed_up(monkeypatch):
    monkeypatch.setattr("optobind.acquisition.ring_layout.MAX_BLOCKS", 8)
    with Ring.create(16, 2, "int16", 1000, (1, 1), 1e6) as ring:
        cursor = ring.cursor("a")
        for number in range(20):
            ring.writable(2)[:] = number
            assert ring.commit(2, 2 * number) == (number < 7)
        block = cursor.next(0)
        assert block.samples[0, 0] == block.sequence >= 12
        assert cursor.overrun.missed_blocks == block.sequence
        assert cursor.overrun.missed_samples == block.first_sample


def write_stress(ring, blocks, wait):
    first = 0
    for number in range(blocks):
        rows = 1 + number % ring.rows
        ring.writable()[:rows] = pattern(number, rows, ring.channels)
        ring.commit(rows, first, wait=wait, timeout=30.0)
        first += rows
    ring.finish()
    return first


def test_processes_read_every_block_whole_while_the_writer_waits_for_them():
    with Ring.create(256, 2, "int16", 2048, (1, 1), 1e6) as ring:
        for name in ("a", "b"):
            ring.cursor(name)
        readers = [start_reader(ring, name, "lossless") for name in ("a", "b")]
        total = write_stress(ring, 4000, wait=True)
        for reader in readers:
            assert report(reader) == {"read": total, "torn": 0, "missed": 0, "total": 0}


def test_overtaken_process_never_sees_a_torn_block_and_accounts_for_every_sample():
    with Ring.create(512, 4, "int16", 2048, (1, 1, 1, 1), 1e6) as ring:
        cursor = ring.cursor("a")
        reader = start_reader(ring, "a", "lossless")
        ring.writable()[:1] = pattern(0, 1, 4)
        ring.commit(1, 0)
        deadline = time.monotonic() + 60.0
        while cursor.behind and time.monotonic() < deadline:
            time.sleep(0.001)
        first, number = 1, 1
        while number < 30_000:
            rows = 1 + (number * 31) % ring.rows
            ring.writable()[:rows] = pattern(number, rows, 4)
            ring.commit(rows, first)
            first += rows
            number += 1
        ring.finish()
        found = report(reader)
    assert found["torn"] == 0
    assert found["missed"] == found["total"]
    # What was overwritten after the last block read is missed as well, and no longer announced.
    assert found["read"] + found["missed"] == first


def test_crash_of_a_reader_leaves_the_ring_alive():
    with Ring.create(256, 2, "int16", 2048, (1, 1), 1e6) as ring:
        crashing = ring.cursor("crash")
        reader = start_reader(ring, "crash", "lossless", "crash")
        first, room = 0, True
        for number in range(40):
            ring.writable()[:] = pattern(number, 256, 2)
            room = ring.commit(256, first, wait=True, stop=lambda: reader.poll() is not None)
            first += 256
            if not room:
                break
        reader.communicate(timeout=120.0)
        assert reader.returncode == 3
        assert not room
        crashing.close()
        assert ring.has_room()
        probe = shared_memory.SharedMemory(name=ring.descriptor().name)
        probe.close()


def test_spawned_child_attaches_and_leaves_nothing_behind(capfd):
    context = multiprocessing.get_context("spawn")
    ring = Ring.create(16, 2, "int16", 128, (1, 1), 1e6)
    child = context.Process(target=Ring.attach, args=(ring.descriptor(),))
    child.start()
    child.join(60.0)
    assert child.exitcode == 0
    put(ring, 0)
    ring.close()
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems reserve the memory at once")
def test_too_little_shared_memory_is_an_error_and_not_a_bus_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def full(descriptor: int, *_: int) -> None:
        tried.append(os.fstat(descriptor).st_ino)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"cannot share .* MB of memory: No space left"):
        Ring.create(
            rows=64, channels=2, dtype="int16", capacity=256, scale=(1.0, 1.0), sample_rate=1e6
        )
    (inode,) = tried
    assert inode not in {entry.inode() for entry in os.scandir("/dev/shm")}
