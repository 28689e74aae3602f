"""The live analysis leaves out what was measured before a set-point changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from optobind.acquisition.live import LiveAnalysis
from optobind.acquisition.live_fit import Probe, segment_of
from optobind.acquisition.live_segment import SegmentChoice
from optobind.acquisition.ring import Ring
from optobind.acquisition.slots import LogBook
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.instruments.rig import Rig
from optobind.models.blocks import Block, BlockStatus
from optobind.models.inference.spectral.choose import choose_segment

RATE, ROWS, SEGMENT = 1e6, 2000, 1024


@pytest.fixture(scope="module")
def rig() -> Rig:
    return build_rig(read_rig("simulated-pair", []))


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def commit(ring: Ring, first_block: int, blocks: int, amplitude: int) -> None:
    rng = np.random.default_rng(3)
    for block in range(first_block, first_block + blocks):
        view = ring.writable()
        view[:] = rng.integers(-amplitude, amplitude + 1, view.shape)
        ring.commit(rows=ROWS, first_sample=block * ROWS, host_time=time.monotonic(), wait=False)


def made_ring() -> Ring:
    return Ring.create(
        rows=ROWS,
        channels=2,
        dtype="int16",
        capacity=256 * ROWS,
        scale=(1e-3, 1e-3),
        sample_rate=RATE,
    )


def test_blocks_of_the_time_before_are_left_out_though_they_are_read_after(rig: Rig) -> None:
    """The ring holds loud blocks of the old set-point; the new average knows only quiet ones."""
    live = LiveAnalysis(rig, LogBook(), None, SEGMENT)
    ring = made_ring()
    try:
        live.follow(ring, RATE)
        live.restart_average(from_sample=10 * ROWS)
        commit(ring, 0, 10, amplitude=10_000)
        commit(ring, 10, 14, amplitude=10)  # no more blocks than the display lets pile up
        wait_until(lambda: (s := live.spectrum.get()) is not None and s.csd.last_sample > 22 * ROWS)
        snapshot = live.spectrum.get()
        assert snapshot is not None
        assert snapshot.csd.first_sample == 10 * ROWS
        metres = 10e-3 / rig.detectors[0].volts_per_metre
        power = np.sum(snapshot.csd.matrix[:, 0, 0].real) * RATE / SEGMENT
        assert power == pytest.approx(metres**2 / 3.0, rel=0.2)
    finally:
        live.leave()
        ring.close()


def test_a_fit_begun_under_the_set_point_before_is_not_shown(rig: Rig) -> None:
    class SlowFits:
        """Hands out futures that the test completes."""

        def __init__(self) -> None:
            self.given: list[Future[Any]] = []

        def spectrum(self, task: Any) -> Future[Any]:
            self.given.append(Future())
            return self.given[-1]

    fits: Any = SlowFits()
    live = LiveAnalysis(rig, LogBook(), fits, SEGMENT)
    ring = made_ring()
    try:
        live.follow(ring, RATE)
        commit(ring, 0, 24, amplitude=100)
        wait_until(lambda: len(fits.given) == 1)
        live.restart_average(from_sample=24 * ROWS)
        commit(ring, 24, 24, amplitude=100)
        wait_until(lambda: live.spectrum.get().csd.first_sample >= 24 * ROWS)  # type: ignore[union-attr]
        fits.given[0].set_exception(ValueError("of the light before"))
        wait_until(lambda: len(fits.given) == 2)
        assert live.fit.get() is None
        fits.given[1].set_exception(ValueError("of this light"))
        wait_until(lambda: live.fit.get() is not None)
        assert "of this light" in str(live.fit.get().error)  # type: ignore[union-attr]
    finally:
        live.leave()
        ring.close()


def resonance(width: float, samples: int, rate: float = RATE, seed: int = 1) -> NDArray[np.int16]:
    """Counts of one thermal oscillator near 60 kHz of a full linewidth in Hz, in two columns."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-np.pi * width / rate + 2j * np.pi * 60e3 / rate)
    noise = rng.normal(size=(samples, 2)) + 1j * rng.normal(size=(samples, 2))
    moving = lfilter([1.0], [1.0, -decay], noise, axis=0).real
    return np.asarray(np.round(moving * 3000.0 / moving.std()), dtype=np.int16)


def in_blocks(counts: NDArray[np.int16], first: int = 0) -> list[Block]:
    scale = np.full(2, 1e-3)
    return [Block(first + at, counts[at : at + ROWS], scale) for at in range(0, len(counts), ROWS)]


def chosen_of(choice: SegmentChoice, blocks: list[Block]) -> list[int]:
    """What is chosen while blocks come in, in order."""
    taken = []
    for block in blocks:
        choice.add(block)
        taken.append(choice.take())
    return [segment for segment in taken if segment is not None]


@pytest.mark.slow
@pytest.mark.parametrize("width", [2000.0, 200.0, 20.0])
def test_the_live_segment_is_the_one_that_every_analysis_chooses(width: float) -> None:
    counts = resonance(width, 1 << 18)
    probe = counts[: 1 << 17]  # a quarter of a second
    chosen = chosen_of(SegmentChoice(RATE, None), in_blocks(counts))
    assert chosen[-1] == choose_segment(probe, RATE)
    assert len(chosen) == 2, "a first one soon, then the one of the whole"
    assert 2.0 < width / (RATE / chosen[-1])


def test_the_live_segment_follows_the_lines_of_the_band() -> None:
    counts = resonance(2000.0, 1 << 17)
    time_axis = np.arange(1 << 17) / RATE
    counts += np.round(9000 * np.sin(2e5 * 2 * np.pi * time_axis)).astype(np.int16)[:, None]
    choice = SegmentChoice(RATE, None)
    band = (40e3, 80e3)
    choice.begin(band)
    assert chosen_of(choice, in_blocks(counts))[-1] == choose_segment(counts, RATE, band)


def test_a_band_without_bins_does_not_keep_the_spectra_from_showing() -> None:
    counts = resonance(2000.0, 1 << 17)
    choice = SegmentChoice(RATE, None)
    choice.begin((60000.0, 60000.1))
    assert chosen_of(choice, in_blocks(counts))[-1] == choose_segment(counts, RATE)


def test_stretches_between_releases_are_chosen_from_and_a_whole_one_again() -> None:
    choice = SegmentChoice(RATE, None)
    short = resonance(200.0, 1 << 13)
    first = chosen_of(choice, in_blocks(short))
    choice.interrupt()
    assert first == []
    assert choice.take() == choose_segment(short, RATE)
    again = chosen_of(choice, in_blocks(short, 20_000))
    choice.interrupt()
    assert (again, choice.take()) == ([], None), "a stretch as long says nothing new"
    whole = resonance(200.0, 1 << 17)
    assert chosen_of(choice, in_blocks(whole, 50_000))[-1] == choose_segment(whole, RATE)
    assert chosen_of(choice, in_blocks(whole, 500_000)) == [], "chosen once"


@pytest.mark.slow
def test_no_segment_is_chosen_across_a_gap() -> None:
    counts = resonance(200.0, 1 << 17)
    blocks = in_blocks(counts)
    del blocks[30]
    choice = SegmentChoice(RATE, None)
    half = counts[: 30 * ROWS]
    assert chosen_of(choice, blocks)[-1] == choose_segment(half, RATE)
    marked = [*in_blocks(counts)]
    marked[3] = replace(marked[3], status=BlockStatus.GAP_BEFORE)
    choice.begin(None)
    assert chosen_of(choice, marked) == [choose_segment(counts[: 3 * ROWS], RATE)]


def test_samples_of_which_nothing_can_be_said_are_waited_out() -> None:
    choice = SegmentChoice(RATE, None)
    bad = [
        replace(b, samples=np.full((ROWS, 2), np.nan, np.float32))
        for b in in_blocks(np.zeros((1 << 18, 2), np.int16))
    ]
    assert chosen_of(choice, bad) == []
    good = resonance(200.0, 1 << 18)
    assert chosen_of(choice, in_blocks(good, 1 << 18))[-1] == choose_segment(good[: 1 << 17], RATE)


def test_a_worker_that_fails_leaves_the_choice_to_the_display() -> None:
    class Broken:
        def segment(self, probe: Probe) -> Future[int | None]:
            future: Future[int | None] = Future()
            future.set_exception(RuntimeError("killed"))
            return future

    broken: Any = Broken()
    counts = resonance(200.0, 1 << 17)
    chosen = chosen_of(SegmentChoice(RATE, broken), in_blocks(counts))
    assert chosen[-1] == choose_segment(counts, RATE)


@pytest.mark.slow
def test_a_changed_light_is_looked_at_anew_while_the_average_goes_on(rig: Rig) -> None:
    """Wide lines become narrow ones: the segment before serves until the new one is chosen."""

    class Late:
        """Chooses when the test says so."""

        def __init__(self) -> None:
            self.asked: list[tuple[Probe, Future[int | None]]] = []

        def segment(self, probe: Probe) -> Future[int | None]:
            self.asked.append((probe, Future()))
            return self.asked[-1][1]

        def spectrum(self, task: Any) -> Future[Any]:
            return Future()

        def answer(self) -> int:
            probe, future = self.asked[-1]
            segment = segment_of(probe)
            assert segment is not None
            future.set_result(segment)
            return segment

    late: Any = Late()
    live = LiveAnalysis(rig, LogBook(), late)
    ring = made_ring()
    sent = 0

    def send(counts: NDArray[np.int16]) -> None:
        nonlocal sent
        for at in range(0, len(counts) - ROWS + 1, ROWS):
            ring.writable()[:] = counts[at : at + ROWS]
            ring.commit(rows=ROWS, first_sample=sent, host_time=time.monotonic(), wait=False)
            sent += ROWS
            wait_until(partial(ring_is_read, live, sent))

    try:
        live.follow(ring, RATE)
        send(resonance(2000.0, 1 << 18))
        wait_until(lambda: len(late.asked) == 2)
        assert live.spectrum.get() is None
        wide = late.answer()
        send(resonance(2000.0, 1 << 16))
        wait_until(lambda: (s := live.spectrum.get()) is not None and s.csd.segment == wide)
        live.restart_average(from_sample=sent)
        send(resonance(20.0, 1 << 18, seed=2))
        wait_until(lambda: len(late.asked) == 4)
        wait_until(lambda: live.spectrum.get().csd.first_sample > 1 << 18)  # type: ignore[union-attr]
        assert live.spectrum.get().csd.segment == wide  # type: ignore[union-attr]
        narrow = late.answer()
        assert narrow > 8 * wide
        send(resonance(20.0, 1 << 18, seed=3))
        wait_until(lambda: live.spectrum.get().csd.segment == narrow)  # type: ignore[union-attr]
        live.configure(model="pair", band=(55e3, 65e3), channels=None, vary={})
        first = live.spectrum.get().csd.first_sample  # type: ignore[union-attr]
        send(resonance(20.0, 1 << 18, seed=4))
        wait_until(lambda: len(late.asked) == 6)
        assert late.asked[-1][0].band == (55e3, 65e3)
        assert live.spectrum.get().csd.first_sample == first, "the average goes on"  # type: ignore[union-attr]
    finally:
        live.leave()
        ring.close()


def ring_is_read(live: LiveAnalysis, samples: int) -> bool:
    """Whether the display has seen everything: it would skip what piles up."""
    trace = live.trace.get()
    return trace is not None and trace.first_sample + len(trace.volts) >= samples - 4 * ROWS
