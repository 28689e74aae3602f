"""Live curves of releases: what is left out while nothing else happens is fitted anew."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import numpy as np

from optobind.acquisition import live_reheating
from optobind.acquisition.live_reheating import LiveReheating
from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.releases import Release
from optobind.instruments.rig import DetectorChannel, Rig

RATE, COUNT = 5e5, 40
PLAN = ReheatingPlan(100, cool_time=1e-3, release_time=1e-3)


class Fits:
    """Answers at once; notes how many repetitions each fit was of."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.asked = threading.Semaphore(0)

    def reheating(self, estimate):
        self.counts.append(estimate.repetitions)
        self.asked.release()
        done: Future = Future()
        done.set_result((None, ""))
        return done


def volts(rng, rows=500):
    t = np.arange(rows) / RATE
    phases = rng.uniform(0.0, 2.0 * np.pi, 2)
    lines = [np.sin(2.0 * np.pi * f * t + p) for f, p in zip((52e3, 54e3), phases, strict=True)]
    return np.stack(lines, axis=1) + 0.1 * rng.normal(size=(rows, 2))


def test_a_repetition_left_out_in_a_pause_is_fitted_without(monkeypatch):
    monkeypatch.setattr(live_reheating, "_FIT_SECONDS", 0.15)
    monkeypatch.setattr(live_reheating, "_PUBLISH_SECONDS", 0.02)
    detectors = tuple(DetectorChannel(k, f"z{k + 1}", k) for k in range(2))
    fits, rng = Fits(), np.random.default_rng(1)
    live = LiveReheating(Rig("rig", "SIM", None, detectors), fits)
    try:
        for number in range(COUNT):
            live.add(volts(rng), RATE, PLAN, Release(number, 1000 * number, 500))
        while not fits.counts or fits.counts[-1] < COUNT:
            assert fits.asked.acquire(timeout=20.0)
        live.exclude(3)  # nothing else happens from now on
        assert fits.asked.acquire(timeout=20.0)
        assert fits.counts[-1] == COUNT - 1
    finally:
        live.close()
