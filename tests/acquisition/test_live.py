"""The live analysis leaves out what was measured before a set-point changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.live import LiveAnalysis
from optobind.acquisition.ring import Ring
from optobind.acquisition.slots import LogBook
from optobind.config.build import build_rig
from optobind.config.load import load_rig
from optobind.instruments.rig import Rig

RATE, ROWS, SEGMENT = 1e6, 2000, 1024


@pytest.fixture(scope="module")
def rig() -> Rig:
    return build_rig(load_rig("simulated-pair", []))


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
