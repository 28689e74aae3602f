"""Live trajectories: what they show is what the tracker of the file finds, and gaps begin anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from optobind.acquisition.live_track import LiveTracker
from optobind.acquisition.ring import Ring
from optobind.acquisition.slots import Latest
from optobind.acquisition.snapshots import FitSnapshot, TrackSnapshot
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.inference.matrices import NAMES
from optobind.models.inference.result import FitResult, FittedParameter

RATE, ROWS, SCALE = 1e6, 2000, 1e-4
TRUE = {
    "omega_1": 2 * np.pi * 52e3, "omega_2": 2 * np.pi * 55e3, "gamma_1": 6e3, "gamma_2": 6e3,
    "g_r": 0.0, "g_a": 0.0, "D11": 2.0, "D22": 3.0, "re_D12": 0.0,
    "noise_1": 2e-10, "noise_2": 3e-10,
}  # fmt: skip


class Live:
    """What a tracker asks of the live analysis."""

    def __init__(self) -> None:
        self.rig = build_rig(read_rig("simulated-pair", []))
        self.fit: Latest[FitSnapshot] = Latest()
        self.errors: list[str] = []

    def detectors(self) -> Any:
        return self.rig.channels("out_of_loop")

    def log_error(self, text: str) -> None:
        self.errors.append(text)


def result(**changed: float) -> FitResult:
    values = {**TRUE, **changed}
    parameters = {name: FittedParameter(values[name], 0.0, "") for name in NAMES["pair"]}
    covariance = np.zeros((11, 11))
    return FitResult("pair", parameters, NAMES["pair"], covariance, {}, {"unit": "V"}, True)


def volts(samples: int, seed: int) -> NDArray[np.float64]:
    """Two free oscillators with an offset, V."""
    from optobind.models.inference.matrices import model_pair

    model = model_pair(TRUE, unit="V")
    step, spread = model.discretise(1.0 / RATE)
    rng = np.random.default_rng(seed)
    kicks = rng.standard_normal((samples, 4)) @ np.linalg.cholesky(spread + 1e-18 * np.eye(4)).T
    values, vectors = np.linalg.eig(step)
    modes = kicks @ np.linalg.inv(vectors).T
    for k, value in enumerate(values):
        modes[:, k] = lfilter([1.0], [1.0, -value], modes[:, k])
    states = (modes @ vectors.T).real
    noise = np.sqrt(0.5 * RATE * np.array([TRUE["noise_1"], TRUE["noise_2"]]))
    return states[:, ::2] + noise * rng.standard_normal((samples, 2)) + [0.05, -0.1]


def commit(ring: Ring, data: NDArray[np.float64], first: int) -> None:
    for low in range(0, len(data), ROWS):
        ring.writable()[:] = np.round(data[low : low + ROWS] / SCALE)
        ring.commit(rows=ROWS, first_sample=first + low, host_time=time.monotonic(), wait=False)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring.create(
        rows=ROWS, channels=2, dtype="int16", capacity=1024 * ROWS, scale=(SCALE, SCALE),
        sample_rate=RATE,
    )  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def live(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Live, LiveTracker]]:
    monkeypatch.setattr("optobind.acquisition.live_track._BEHIND_SECONDS", 10.0)
    monkeypatch.setattr("optobind.acquisition.live_track._PERIOD", 0.0)
    monkeypatch.setattr("optobind.acquisition.live_track._JUDGED_SECONDS", 0.2)
    known = Live()
    tracker = LiveTracker(known)  # type: ignore[arg-type]
    tracker.enable(True)
    tracker.follow(ring, RATE)
    yield known, tracker
    tracker.leave()
    assert known.errors == []


def shown(tracker: LiveTracker, beyond: int) -> TrackSnapshot:
    """The first picture that reaches beyond a sample."""
    found: list[TrackSnapshot] = []

    def there() -> bool:
        one = tracker.snapshot.get()
        if one is not None and one.first_sample + len(one.volts) > beyond:
            found.append(one)
        return bool(found)

    wait_until(there)
    return found[0]


def test_tracked_motion_is_closer_to_the_truth_than_its_samples_as_its_errors_say(
    live: tuple[Live, LiveTracker], ring: Ring
) -> None:
    known, tracker = live
    known.fit.put(FitSnapshot(1, result(), np.zeros(0), None))
    data = volts(100 * ROWS, seed=1)
    commit(ring, data, 0)
    picture = shown(tracker, 90 * ROWS)
    rows = slice(picture.first_sample, picture.first_sample + len(picture.volts))
    np.testing.assert_allclose(picture.volts, data[rows], atol=SCALE)
    noise = np.sqrt(0.5 * RATE * np.array([TRUE["noise_1"], TRUE["noise_2"]]))
    residual = (picture.volts - picture.tracked).std(axis=0)
    # What is left of a sample is its noise, less what the track took of it.
    np.testing.assert_allclose(residual, np.sqrt(noise**2 - picture.errors**2), rtol=0.05)
    assert (picture.errors < 0.6 * noise).all()


def test_a_gap_begins_anew_and_a_wrong_model_is_said(
    live: tuple[Live, LiveTracker], ring: Ring
) -> None:
    known, tracker = live
    known.fit.put(FitSnapshot(1, result(noise_1=4e-10), np.zeros(0), None))
    data = volts(260 * ROWS, seed=2)
    commit(ring, data[: 20 * ROWS], 0)
    shown(tracker, 10 * ROWS)
    later = 20 * ROWS + 777
    commit(ring, data[20 * ROWS : 60 * ROWS], later)
    picture = shown(tracker, later + 30 * ROWS)
    start = picture.first_sample - 777
    np.testing.assert_allclose(picture.volts, data[start : start + len(picture.volts)], atol=SCALE)
    assert picture.p_value is None
    for low in range(60, 260, 100):
        commit(ring, data[low * ROWS : (low + 100) * ROWS], low * ROWS + 777)
        shown(tracker, (low + 90) * ROWS)
    last = tracker.snapshot.get()
    assert last is not None
    assert last.p_value is not None
    assert last.p_value < 1e-6


def test_nothing_is_shown_without_a_fit_or_switched_off(
    live: tuple[Live, LiveTracker], ring: Ring
) -> None:
    known, tracker = live
    data = volts(40 * ROWS, seed=3)
    known.fit.put(FitSnapshot(1, replace(result(), converged=False), np.zeros(0), None))
    commit(ring, data, 0)
    time.sleep(0.3)
    assert tracker.snapshot.get() is None
    known.fit.put(FitSnapshot(2, result(), np.zeros(0), None))
    wait = 1.2  # a model is looked for once a second
    time.sleep(wait)
    commit(ring, data, 40 * ROWS)
    shown(tracker, 70 * ROWS)
    tracker.enable(False)
    assert tracker.snapshot.get() is None
