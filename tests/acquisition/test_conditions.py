"""What is wrong with the samples is said once, at its onset, with a remedy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from optobind.acquisition.conditions import ConditionWatch, recorder_gap_text
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.instruments.digitizers.redpitaya import RedPitayaDigitizer
from optobind.instruments.fakes import FakeDigitizer, Fault
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.blocks import BlockStatus

LOST, SATURATED = BlockStatus.PARTICLE_LOST, BlockStatus.SATURATED


def watch(mode="LIVE", lost=None, digitizer=None):
    log = LogBook()
    world = None if lost is None else SimpleNamespace(lost=lost)
    rig = SimpleNamespace(world=world, mode=mode, digitizer=digitizer)
    return ConditionWatch(rig, log, 1000.0), log


def test_a_lost_particle_is_named_once():
    watcher, log = watch("SIM", (True, False))
    assert [watcher.see(LOST, sample) for sample in range(0, 10_000, 5000)] == [True, True]
    log.take()
    firsts = [watcher.see(LOST, sample) for sample in range(10_000, 20_000, 100)]
    assert not any(firsts[1:])
    (line,) = log.take()
    assert line.level == "error"
    assert line.text.startswith("particle 1 is lost (sample 10000): reload it (in the window")


def test_the_second_lost_particle_is_news():
    gone = [False, True]
    watcher, log = watch("SIM", gone)
    watcher.see(LOST, 10)
    gone[0] = True
    watcher.see(LOST, 20)
    first, second = log.take()
    assert first.text.startswith("particle 2 is lost (sample 10)")
    assert second.text.startswith("particles 1 and 2 are lost (sample 20)")


def test_hardware_asks_the_user_to_reload():
    watcher, log = watch()
    watcher.see(LOST, 7)
    assert log.take()[0].text.startswith("a particle is lost (sample 7): reload it, then")


def test_a_flickering_saturation_is_one_line_and_a_new_one_after_rest():
    watcher, log = watch()
    for sample in range(0, 5000, 500):
        watcher.see(SATURATED, sample)
    watcher.see(SATURATED, 20_000)
    first, second = log.take()
    assert "saturated (from sample 0)" in first.text
    assert "(from sample 20000)" in second.text
    assert "lower its gain" in first.text


@pytest.mark.parametrize("text", [recorder_gap_text(12, 100), "digitizer"])
def test_a_gap_says_what_was_done_and_what_to_do(tmp_path, text):
    if text == "digitizer":
        counts = np.zeros((10_000, 1), np.int16)
        digitizer = FakeDigitizer(counts, 1e6, faults={"read_into": {4: Fault("overflow", 123)}})
        rig = Rig("fake", "LIVE", digitizer, (DetectorChannel(0, "z1", 0),))
        session = Session(rig, run_directory=tmp_path, live_fits=False)
        try:
            session.connect().result(60)
            session.stream(True).result(60)
            lines: list[str] = []
            while not any("lost" in line for line in lines):
                lines += [entry.text for entry in session.take_log()]
        finally:
            session.close()
        text = next(line for line in lines if "lost" in line)
        assert "lost 123 samples before sample" in text
        assert "nothing is being recorded" in text  # there is no file that could mark it
    else:
        assert "the gap is marked" in text
    assert "lower the sample rate" in text


def test_a_simulation_that_is_slower_than_the_clock_says_so_once_and_what_to_do():
    watcher, log = watch("SIM", (False, False))
    watcher.lost_samples(2000, 300)
    watcher.lost_samples(9000, 500)
    (line,) = log.take()
    assert (line.level, line.count) == ("warning", 1)
    assert line.text.startswith(
        "the simulation cannot keep up with real time on this computer: 300 samples skipped before "
        "sample 2000"
    )
    assert 'use --set simulation.clock="fast" or a lower sample rate' in line.text


def test_a_card_that_lost_samples_says_so_each_time():
    watcher, log = watch()
    watcher.lost_samples(2000, 300)
    watcher.lost_samples(9000, 500)
    first, second = log.take()
    assert first.text.startswith("the digitizer lost 300 samples before sample 2000")
    assert second.text.startswith("the digitizer lost 500 samples before sample 9000")


def test_a_digitizer_that_pauses_by_nature_says_so_once():
    board = RedPitayaDigitizer("board", host="127.0.0.1")
    watcher, log = watch(digitizer=board)
    for number in range(100):
        watcher.lost_samples(20_000 * (number + 1), 300)
    (line,) = log.take()
    assert (line.level, line.count) == ("warning", 1)
    assert line.text.startswith("the digitizer pauses between its buffers (300 samples before")


def test_a_ring_of_few_seconds_is_said_aloud():
    watcher, log = watch()
    watcher.short_ring(8.0)
    assert log.take() == []
    watcher.short_ring(1.5)
    (line,) = log.take()
    assert "holds 1.5 s of samples" in line.text


def test_a_gap_while_nothing_is_recorded_is_none_of_a_record() -> None:
    log = LogBook()
    rig = SimpleNamespace(world=None, mode="LIVE", digitizer=None)
    watcher = ConditionWatch(rig, log, 1000.0, lambda: False)
    watcher.lost_samples(2000, 300)
    (line,) = log.take()
    assert "nothing is being recorded" in line.text
    assert "marked in the record" not in line.text
