"""Tuning of loops on a desk that is one equation, and on the simulated laboratory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.signal import lfilter

from optobind.acquisition.tuning.probe import Probe
from optobind.analysis.tuning.plan import TuneSettings, TuningEndedError
from optobind.analysis.tuning.reading import LineReader
from optobind.analysis.tuning.tries import turned
from optobind.analysis.tuning.tuner import FeedbackTuner
from optobind.instruments.controller_protocol import (
    ControllerCapabilities,
    LoopSetting,
    require_setting,
)
from optobind.models.constants import HBAR
from optobind.models.errors import DeviceError, InputError, UnstableModelError
from optobind.models.inference.growth import line_damping
from optobind.models.inference.tuning import fit_gain, fit_phase

RATE, LINE, MASS = 5e4, 5e3, 1e-18
LENGTH = math.sqrt(HBAR / (MASS * math.tau * LINE))
VOLTS = 1e-3 / LENGTH  # one quantum is a millivolt
RECOIL, IMPRECISION = 2e4, 1e-3  # 1/s, of the optimum Γ = sqrt(RECOIL/IMPRECISION) = 4472 1/s
CEILING = 1e6 * 1e-6  # V²: a million quanta
LOST = 100.0 * CEILING
BEST = 2.0 * math.sqrt(RECOIL * IMPRECISION) - 0.5  # n̄ at the best gain


@dataclass
class World:
    """Particles whose amplitude obeys one equation: ȧ = −Γa/2 + ξ, Γ = k g cos(φ − φ*)."""

    offset: float
    factor: float
    rng: np.random.Generator
    amplitude: complex = 1.0
    worst: float = 0.0


class Desk:
    """One loop for each world; in-loop records do not exist here."""

    def __init__(self, offsets=(0.0,), factors=(1.0,), *, gain=200.0, seed=1, timing="phase"):
        rng = np.random.default_rng(seed)
        self.worlds = [
            World(a, k, np.random.default_rng(rng.integers(2**32)))
            for a, k in zip(offsets, factors, strict=True)
        ]
        self.settings = [LoopSetting(gain, centre=LINE) for _ in offsets]
        self.capabilities = ControllerCapabilities(
            len(offsets), (0.0, 1e5), timing=timing, delay_range=(0.0, 2.0 / LINE)
        )
        self.calls, self.most, self.dies_at, self.ends_at = 0, math.inf, None, None
        self.probed: list[LoopSetting] = []

    def read(self, loop):
        return self.settings[loop]

    def set(self, loop, setting):
        require_setting("desk", loop, setting, self.capabilities)
        if self.dies_at is not None and self.calls >= self.dies_at:
            raise DeviceError("controller did not answer")
        self.settings[loop] = setting
        return setting

    def probe(self, request):
        self.calls += 1
        if request.setting is not None:
            require_setting("desk", request.loop, request.setting, self.capabilities)
            if not request.allow_growth and request.setting.gain > self.most:
                raise UnstableModelError(7.0, "stays as it is")
            self.set(request.loop, request.setting)
            self.probed.append(request.setting)
        if self.ends_at is not None and self.calls >= self.ends_at:
            self.set(request.loop, request.back)
            return Probe(np.zeros((0, len(self.worlds))), RATE, 0, "ended on request")
        volts, trouble, column = self._run(request)
        if trouble or not request.stay:
            self.set(request.loop, request.back)
        return Probe(volts, RATE, 0, trouble, column)

    def _run(self, request):
        rows, block = round(request.seconds * RATE), 100
        made = []
        for first in range(0, rows, block):
            n = min(block, rows - first)
            made.append(
                np.column_stack([self._sampled(j, n, first) for j in range(len(self.worlds))])
            )
            if any(world.worst > LOST for world in self.worlds):
                return np.concatenate(made), "a particle is lost", None
            energy = (made[-1] ** 2).mean(axis=0)
            over = energy[list(request.columns)] / np.asarray(request.ceilings)
            if (over > 1.0).any():
                worst = request.columns[int(np.argmax(over))]
                return np.concatenate(made[:-1] or made), "the motion grows beyond it", worst
        return np.concatenate(made), "", None

    def _sampled(self, j, n, first):
        world, setting = self.worlds[j], self.settings[j]
        lead = setting.phase - math.tau * (setting.centre or 0.0) * setting.delay
        gain = world.factor * setting.gain
        damping = gain * math.cos(lead + world.offset)
        diffusion = RECOIL + gain**2 * IMPRECISION
        decay = math.exp(-0.5 * damping / RATE)
        noise = world.rng.standard_normal((2, n)) * math.sqrt(diffusion / RATE)
        a, _ = lfilter([1.0], [1.0, -decay], noise[0] + 1j * noise[1], zi=[decay * world.amplitude])
        world.amplitude = a[-1]
        t = (first + np.arange(n)) / RATE
        z = (a * np.exp(2j * np.pi * LINE * t)).real
        world.worst = max(world.worst, float((z**2).mean()) * 1e-6)
        return 1e-3 * (z + 0.3 * world.rng.standard_normal(n))


def readers(count=1):
    return [LineReader(j, j, f"z{j + 1}", VOLTS, MASS, LINE) for j in range(count)]


def tuned(desk, particles=(0,), **settings):
    told = []
    options = {"seconds": 0.3, "probe_seconds": 0.05, **settings}
    tuner = FeedbackTuner(
        desk, readers(len(desk.worlds)), TuneSettings(**options), CEILING, told.append
    )
    return tuner, tuner.tune(particles), told


def true_occupation(desk, j=0):
    world, setting = desk.worlds[j], desk.settings[j]
    gain = world.factor * setting.gain
    lead = setting.phase - math.tau * setting.centre * setting.delay
    damping = gain * math.cos(lead + world.offset)
    return (RECOIL + gain**2 * IMPRECISION) / damping - 0.5


# -- estimators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [-300.0, -60.0, 40.0, 400.0])
def test_growth_and_decay_are_found_within_their_errors(rate):
    pulls = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = 3000
        decay = math.exp(-0.5 * rate / RATE)
        noise = rng.standard_normal((2, n)) * math.sqrt(RECOIL / RATE)
        a, _ = lfilter([1.0], [1.0, -decay], noise[0] + 1j * noise[1], zi=[5.0])
        x = (a * np.exp(2j * np.pi * LINE * np.arange(n) / RATE)).real
        found = line_damping(x + 0.3 * rng.standard_normal(n), RATE, LINE + 3.0, 1e-3)
        pulls.append((found.rate - rate) / found.stderr)
    assert abs(np.median(pulls)) < 0.8
    assert np.mean(np.abs(pulls) < 3.0) > 0.85


def test_a_phase_comes_from_damping_and_growth_alike():
    phases = [0.5, 0.5 + math.tau / 3.0, 0.5 - math.tau / 3.0]
    fit = fit_phase(phases, [7.0 + 50.0 * math.cos(p + 2.0) for p in phases], [1.0, 1.0, 30.0])
    assert fit.phase == pytest.approx(-2.0)
    assert fit.amplitude == pytest.approx(50.0)
    with pytest.raises(InputError, match="three different phases"):
        fit_phase([0.0, 1.0, 1.0 + math.tau], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0])


def test_the_best_gain_is_never_beyond_what_was_tried():
    gains = [1.0, 2.0, 4.0]
    fit = fit_gain(gains, [10.0 / g for g in gains], [0.01] * 3)
    assert fit.gain == pytest.approx(4.0)
    assert not fit.inside


# -- the tuner ------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-3.0, -2.0, -1.0, 0.0, 0.6, 1.5, 2.0, 3.1])
def test_any_hidden_phase_and_gain_end_near_the_lowest_occupation(offset):
    desk = Desk([offset], [1.4], seed=int(10 * offset) + 50)
    _, (loop,), _ = tuned(desk)
    assert true_occupation(desk) < 1.1 * BEST
    assert loop.after.value == pytest.approx(true_occupation(desk), abs=5.0 * loop.after.stderr)
    assert desk.settings[0] == loop.best
    assert desk.worlds[0].worst < LOST


def test_two_loops_with_opposite_offsets_are_both_tuned():
    desk = Desk([2.0, -2.0], [0.7, 1.6], seed=5)
    tuned(desk, (0, 1))
    assert true_occupation(desk, 0) < 1.1 * BEST
    assert true_occupation(desk, 1) < 1.1 * BEST


def test_a_loop_that_is_set_by_its_delay_is_tuned_by_its_delay():
    desk = Desk([1.0], timing="delay", seed=2)
    _, (loop,), _ = tuned(desk)
    assert true_occupation(desk) < 1.1 * BEST
    assert loop.best.phase == 0.0
    assert 0.0 <= loop.best.delay < 1.0 / LINE


def test_a_turn_is_a_delay_less():
    setting = LoopSetting(1.0, delay=0.0, centre=1e3)
    assert turned(setting, "delay", -math.pi).delay == pytest.approx(0.5e-3)
    assert turned(setting, "delay", math.pi / 2.0).delay == pytest.approx(0.75e-3)
    with pytest.raises(InputError, match="needs a centre"):
        turned(LoopSetting(1.0), "delay", 1.0)


def test_no_gain_beyond_the_limits_is_ever_tried():
    desk = Desk([0.5], seed=3)
    desk.capabilities = replace(desk.capabilities, gain_range=(0.0, 1500.0))
    _, (loop,), _ = tuned(desk)
    assert max(setting.gain for setting in desk.probed) <= 1500.0
    assert loop.best.gain == pytest.approx(1500.0, rel=0.2)
    desk = Desk([0.5], seed=3)
    tuned(desk, most_gain=900.0)
    assert max(setting.gain for setting in desk.probed) <= 900.0


def test_a_gain_with_which_the_model_would_grow_is_not_tried_again():
    desk = Desk([0.5], seed=4)
    desk.most = 2000.0
    _, (loop,), told = tuned(desk)
    assert max(setting.gain for setting in desk.probed) <= 2000.0
    assert any("refused" in step.trouble for step in told)
    assert loop.best.gain <= 2000.0


def test_a_request_to_end_leaves_what_was_known_to_cool():
    desk = Desk([1.0], seed=6)
    desk.ends_at = 12
    tuner = FeedbackTuner(desk, readers(), TuneSettings(0.3, None, 0.05), CEILING)
    with pytest.raises(TuningEndedError, match="ended on request"):
        tuner.tune([0])
    loop = tuner.loops[0]
    assert loop.cools
    assert desk.settings[0] == loop.safe
    world = desk.worlds[0]
    assert math.cos(loop.safe.phase + world.offset) > 0.0


def test_a_controller_that_dies_is_said_to_hold_what_nobody_knows():
    desk = Desk([1.0], seed=6)
    desk.dies_at = 8
    with pytest.raises(DeviceError, match="could not be set back, look at the controller"):
        tuned(desk)


def test_a_loop_that_does_nothing_is_not_tuned():
    desk = Desk([0.0], [0.0], seed=7)
    with pytest.raises(TuningEndedError, match="is the loop connected"):
        tuned(desk)
    assert desk.settings[0].gain <= 200.0


def test_another_particle_that_heats_ends_the_tuning():
    desk = Desk([0.0, math.pi], [1.0, 1.0], seed=8, gain=300.0)
    with pytest.raises(TuningEndedError, match="particle 2 heats while loop 1 is tuned: tune both"):
        tuned(desk, (0,))


def test_a_gain_of_zero_needs_one_to_begin_with():
    desk = Desk([0.3], gain=0.0)
    with pytest.raises(InputError, match="--probe-gain"):
        tuned(desk)
    desk = Desk([0.3], gain=0.0, seed=9)
    tuned(desk, probe_gain=70.0)
    assert true_occupation(desk) < 1.1 * BEST
