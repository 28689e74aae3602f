"""A session without threads: same methods, synthetic snapshots from a known pair."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from optobind.acquisition.estimates import estimate_run
from optobind.acquisition.releases import ReleaseCount
from optobind.acquisition.snapshots import (
    FitSnapshot,
    LightSnapshot,
    LogEntry,
    ReheatingSnapshot,
    SessionStatus,
    SpectrumSnapshot,
    TraceSnapshot,
)
from optobind.instruments.protocols import (
    AppliedLight,
    DeviceReport,
    DeviceState,
    DigitizerInfo,
    LightCapabilities,
)
from optobind.instruments.rig import DetectorChannel
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.moments import initial_covariance, reheating_model
from optobind.models.inference.result import FitResult, FittedParameter
from optobind.models.light import Site, TweezerState
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.models.spectra import CsdEstimate

TWO_PI = 2.0 * math.pi
RATE = 2e6
SEGMENT = 16384
AVERAGES = 60
PAIR = PairConstants(
    omega=TWO_PI * 75e3,
    delta_omega=TWO_PI * 2.2e3,
    g_r=TWO_PI * 900.0,
    g_a=TWO_PI * 400.0,
    D11=TWO_PI * 7e3,
    D22=TWO_PI * 7.4e3,
    re_D12=TWO_PI * 1.4e3,
    gamma=(TWO_PI * 600.0, TWO_PI * 600.0),
)


def linear() -> LinearModel:
    model = PAIR.to_linear()
    return LinearModel(model.drift, model.noise, model.output, np.array([2e-6, 2.4e-6]))


def done(value=None) -> Future:
    future: Future = Future()
    future.set_result(value)
    return future


def failed(error: BaseException) -> Future:
    future: Future = Future()
    future.set_exception(error)
    return future


def devices(state: DeviceState = DeviceState.RUNNING) -> tuple[DeviceReport, ...]:
    return (
        DeviceReport("gauge", "gauge", "simulated", DeviceState.READY, "simulated gauge, air"),
        DeviceReport("slm", "slm", "simulated", DeviceState.READY, "1920 × 1200, 256 levels"),
        DeviceReport("rf", "rf", "simulated", DeviceState.READY, "two-channel source"),
        DeviceReport("gate", "feedback gate", "simulated", DeviceState.READY, "TTL"),
        DeviceReport("digitizer", "daq", "simulated", state, "2 ch, 2 MS/s, 14 bit"),
    )


class FakeLightControl:
    capabilities = LightCapabilities(True, True, True, (1e-3, 0.5), (1.5e-6, 8e-6))


class FakeSession:
    """Records commands in ``calls``; ``publish`` makes new snapshots."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.calls: list[tuple] = []
        self.rig = SimpleNamespace(
            name="default pair",
            mode="SIM",
            light=FakeLightControl(),
            gate=object(),
            trap=None,
            detectors=(
                DetectorChannel(0, "z1 out", 0),
                DetectorChannel(1, "z2 out", 1),
            ),
        )
        self._status = SessionStatus(
            mode="SIM",
            streaming=True,
            lag=0.012,
            pressure=3.2e-4,
            growth_rate=-1800.0,
            disk_seconds=5.2e4,
            devices=devices(),
        )
        state = TweezerState((Site((1.3e-6, 0, 0), 0.25, 0.3), Site((-1.3e-6, 0, 0), 0.25)))
        self._light = LightSnapshot(state, AppliedLight(state, 1e-3, 0.02))
        self._trace = self._track = self._spectrum = self._fit = self._reheating = None
        self._history: list = []
        self._log: list[LogEntry] = []
        self._events: list = []
        self.light_error: Exception | None = None
        self.note_error: Exception | None = None
        self.untrapped: Exception | None = None
        self.previewed = None
        self.sequence = 0
        self.info = DigitizerInfo(RATE, ("z1 out", "z2 out"), (1e-4, 1e-4), "int16")
        self.predicted: dict[str, float] | None = None
        self._clean = None

    # commands
    def connect(self):
        self.calls.append(("connect",))
        return done()

    def disconnect(self):
        self.calls.append(("disconnect",))
        return done()

    def stream(self, on):
        self.calls.append(("stream", on))
        self._status = replace(self._status, streaming=on)
        return done()

    def set_light(self, state, *, allow_untrapped=False):
        self.calls.append(("set_light", state))
        if self.untrapped is not None and not allow_untrapped:
            return failed(self.untrapped)
        if self.light_error is not None:
            return failed(self.light_error)
        self._light = LightSnapshot(state, AppliedLight(state))
        return done(AppliedLight(state))

    def set_feedback(self, closed):
        self.calls.append(("set_feedback", closed))
        return done()

    def start(self, plan, out=None, origin=None):
        self.calls.append(("start", plan))
        return Future()

    def estimate(self, plan):
        return estimate_run(plan, self.info, Path("."))

    def stop_after_repetition(self):
        self.calls.append(("stop_after_repetition",))

    def abort(self):
        self.calls.append(("abort",))

    def pause(self):
        self.calls.append(("pause",))

    def resume(self):
        self.calls.append(("resume",))

    def set_fit(self, *, model, band, channels, vary, exclude=()):
        self.excluded = exclude
        self.calls.append(("set_fit", model, band, channels, dict(vary)))

    def note(self, text):
        self.calls.append(("note", text))
        if self.note_error is not None:
            raise self.note_error
        self.say("info", text)

    def exclude_repetition(self, number, reason):
        self.calls.append(("exclude_repetition", number, reason))

    def include_repetition(self, number):
        self.calls.append(("include_repetition", number))

    def release_particles(self, confirm):
        self.calls.append(("release_particles", confirm))
        return done()

    def reload_particles(self):
        self.calls.append(("reload_particles",))
        return done()

    def prediction(self):
        return self.predicted

    def preview(self, light):
        self.asked_preview = light
        return self.previewed

    def close(self, timeout=10.0):
        self.calls.append(("close",))

    # snapshots
    def status(self):
        return self._status

    def change(self, **fields):
        self._status = replace(self._status, **fields)

    def trace(self):
        return self._trace

    def track(self):
        return self._track

    def set_tracking(self, on):
        self.calls.append(("set_tracking", on))

    def spectrum(self):
        return self._spectrum

    def fit(self):
        return self._fit

    def reheating(self):
        return self._reheating

    def light(self):
        return self._light

    def fit_history(self):
        return self._history

    def take_log(self):
        taken, self._log = self._log, []
        return taken

    def take_events(self):
        taken, self._events = self._events, []
        return taken

    def say(self, level, text):
        self._log.append(LogEntry(time.time(), level, text))

    # synthetic data
    def publish(self, *, reheating: int | None = None) -> None:
        """Publish new trace, spectrum and fit; reheating curves when a number is given."""
        self.sequence += 1
        self._trace = self.make_trace()
        self._spectrum = self.make_spectrum()
        self._fit = self.make_fit()
        self._history.append((time.time(), self._fit.result))
        if reheating is not None:
            self._reheating = self.make_reheating(reheating)

    def make_trace(self) -> TraceSnapshot:
        n = 20000
        t = np.arange(n) / RATE
        envelope = 1.0 + 0.4 * np.sin(TWO_PI * 900.0 * t)
        z1 = envelope * np.sin(TWO_PI * 74e3 * t + self.rng.uniform(0, 6))
        z2 = (2.0 - envelope) * np.sin(TWO_PI * 76e3 * t + self.rng.uniform(0, 6))
        volts = 0.3 * np.stack([z1, z2], axis=1) + 0.03 * self.rng.normal(size=(n, 2))
        names = ("z1 out", "z2 out")
        return TraceSnapshot(self.sequence, 0, RATE, volts.astype(np.float32), names)

    def make_spectrum(self) -> SpectrumSnapshot:
        f = np.arange(1, SEGMENT // 2) * RATE / SEGMENT
        if self._clean is None:
            self._clean = linear().csd(f)
        root = np.linalg.cholesky(self._clean)
        draws = self.rng.normal(size=(2, f.size, 2, AVERAGES)) / math.sqrt(2.0 * AVERAGES)
        amplitudes = root @ (draws[0] + 1j * draws[1])
        matrix = amplitudes @ amplitudes.conj().swapaxes(-1, -2)
        csd = CsdEstimate(
            f, matrix, AVERAGES, np.hanning(SEGMENT), SEGMENT // 2, RATE, "quanta", 54.0
        )
        basis = self._status.basis
        return SpectrumSnapshot(self.sequence, csd, ("z1 out", "z2 out"), basis)

    def make_fit(self) -> FitSnapshot:
        bins = np.arange(SEGMENT // 2 + 1) * RATE / SEGMENT
        f = bins[(bins >= 60e3) & (bins <= 90e3)]
        line = PAIR.line_frequencies
        truth = {
            "omega_1": (line[0], 40.0, "rad/s"),
            "omega_2": (line[1], 41.0, "rad/s"),
            "gamma_1": (TWO_PI * 600, 190.0, "rad/s"),
            "gamma_2": (TWO_PI * 600, 184.0, "rad/s"),
            "g_r": (PAIR.g_r, 152.0, "rad/s"),
            "g_a": (PAIR.g_a, 161.0, "rad/s"),
            "D11": (PAIR.D11, 930.0, "rad/s"),
            "D22": (PAIR.D22, 990.0, "rad/s"),
            "re_D12": (PAIR.re_D12, 801.0, "rad/s"),
            "noise_1": (2e-6, 3e-8, "1/Hz"),
            "noise_2": (2.4e-6, 3e-8, "1/Hz"),
        }
        parameters = {
            name: FittedParameter(v + s * self.rng.normal(), s, unit)
            for name, (v, s, unit) in truth.items()
        }
        covariance = np.diag([s**2 for _, s, _ in truth.values()])
        result = FitResult(
            "pair",
            parameters,
            tuple(truth),
            covariance,
            {"p_value": 0.41},
            {"band": [60e3, 90e3]},
            True,
        )
        basis = self._status.basis
        return FitSnapshot(self.sequence, result, f, linear().csd(f), "", 14.2, basis)

    def make_reheating(self, repetitions: int) -> ReheatingSnapshot:
        values = {
            "omega_1": PAIR.line_frequencies[0],
            "omega_2": PAIR.line_frequencies[1],
            "g_r": PAIR.g_r,
            "g_a": PAIR.g_a,
            "D11": PAIR.D11,
            "D22": PAIR.D22,
            "re_D12": PAIR.re_D12,
            "n1_0": 12.0,
            "n2_0": 14.0,
            "re_C0": 1.0,
            "im_C0": -1.0,
            "noise_1": 2e-6,
            "noise_2": 2.4e-6,
        }
        estimate = estimate_reheating(self._releases(values, repetitions), RATE)
        single = estimate.E1 * self.rng.exponential(size=(8, 2, 1))
        fitted = {
            name: FittedParameter(v, abs(v) * 0.05 if "noise" not in name else None, "rad/s")
            for name, v in values.items()
        }
        names = tuple(fitted)
        result = FitResult(
            "reheating", fitted, names, np.eye(len(names)), {"estimator": "transitions"}, {}, True
        )
        return ReheatingSnapshot(
            self.sequence,
            estimate,
            repetitions,
            500,
            single,
            result,
            single_numbers=tuple(range(repetitions - 7, repetitions + 1)),
            releases=ReleaseCount(500, repetitions, repetitions),
        )

    def _releases(self, values: dict[str, float], repetitions: int) -> np.ndarray:
        """Releases of 1 ms, exactly stepped, shape (repetitions, 2000, 2)."""
        step, noise = reheating_model(values).discretise(1.0 / RATE)
        kick = np.linalg.cholesky(noise + 1e-12 * np.eye(4))
        start = np.linalg.cholesky(initial_covariance(values))
        state = self.rng.normal(size=(repetitions, 4)) @ start.T
        record = np.empty((repetitions, 2000, 2))
        for index in range(record.shape[1]):
            record[:, index] = state[:, [0, 2]]
            state = state @ step.T + self.rng.normal(size=state.shape) @ kick.T
        return record + math.sqrt(2.2e-6 * RATE / 2.0) * self.rng.normal(size=record.shape)
