"""Light that a pattern plays: the world follows each step, and light faster than the particles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from optobind.instruments.patterns import Pattern, Waveform
from optobind.instruments.simulated.mechanics import TrapMechanics
from optobind.instruments.simulated.played_light import PlayedLight
from optobind.instruments.simulated.playing import Playing
from optobind.instruments.simulated.points import PointFinder
from optobind.instruments.simulated.world import SimulatedWorld
from optobind.models.errors import InputError
from optobind.theory.modulation.array_model import array_model
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.waveform import Ramp

from .conftest import make_settings, make_trap

RATE = 1e6


def turning(period: int, turns: int) -> Pattern:
    """φ turns evenly, so many times in a period."""
    values = 2.0 * math.pi * turns * np.arange(period) / period
    return Pattern(period, 1000, waveforms={"phase": Waveform(0.0, values, "rad")})


def world_of(**changes: object) -> SimulatedWorld:
    return SimulatedWorld(TrapMechanics(make_trap()), make_settings(**changes))


def test_modulated_light_has_the_matrices_of_the_theory_at_the_same_time():
    """An independent route: the theory splits the light into weights, the world into probes."""
    trap = make_trap()
    pattern = turning(20, 3)  # 150 kHz
    played = PlayedLight(Playing(pattern), TrapMechanics(trap).light, RATE)
    fast = played.modulation()
    assert fast is not None
    point, models, forces = PointFinder(TrapMechanics(trap)).modulated(fast, trap.gas)
    state = TrapMechanics(trap).light
    program = LightProgram.from_state(state)
    ramp = Ramp(state.sites[0].phase, 3 * RATE / 20 * 2.0 * math.pi)
    program = replace(program, phases=(ramp, program.phases[1]))
    theory = array_model(trap, program)
    assert theory.positions[:, 2] == pytest.approx(point.equilibrium, abs=2e-11)
    assert theory.model.omega == pytest.approx(point.omega, rel=1e-3)
    times = np.arange(20) / RATE
    weights = theory.model.weights(times)
    for k in range(20):
        model = models[int(fast.order[k])]
        drift = np.tensordot(weights[k], theory.model.drift_parts, 1)
        noise = np.tensordot(weights[k], theory.model.noise_parts, 1)
        push = np.tensordot(weights[k], theory.model.force_parts, 1)[1::2]
        ratio = math.sqrt(point.omega / theory.model.omega)
        scale = np.array([ratio, 1 / ratio] * 2)
        assert model.drift == pytest.approx(
            scale[:, None] * drift / scale, rel=2e-3, abs=5e-3 * 2e4
        )
        assert model.noise == pytest.approx(scale[:, None] * noise * scale, rel=5e-3, abs=100.0)
        size = np.abs(push).max() + 1.0
        assert forces[int(fast.order[k])] == pytest.approx(push / ratio, abs=0.02 * size)


@pytest.mark.slow
def test_a_turning_phase_moves_the_particles_as_the_moments_say():
    """Mean and spread of many runs of the world against the theory's propagation."""
    trap = make_trap()
    period, turns = 50, 7
    world = world_of()
    world.set_gate(False)
    counts = np.zeros((200, len(world.settings.detectors)), np.int16)
    ends, starts = [], []
    rng = np.random.default_rng(1)
    for _ in range(200):
        world.play(turning(period, turns))
        start = rng.standard_normal(4) * 50.0
        world._engine.memory.state[:] = start
        world.advance(counts)
        starts.append(start)
        ends.append(world._engine.memory.state.copy())
        world.play(None)
    state = TrapMechanics(trap).light
    program = LightProgram.from_state(state)
    ramp = Ramp(state.sites[0].phase, turns * RATE / period * 2.0 * math.pi)
    theory = array_model(trap, replace(program, phases=(ramp, program.phases[1]))).model
    # The card holds each value for a sample, and so does this sum.
    step = np.eye(4)
    kick = np.zeros(4)
    noise = np.zeros((4, 4))
    for k in range(200):
        weights = theory.weights(np.array([k / RATE]))[0]
        drift = np.tensordot(weights, theory.drift_parts, 1)
        push = np.tensordot(weights, theory.force_parts, 1)
        once = expm(drift / RATE)
        kick = once @ kick + np.linalg.solve(drift, (once - np.eye(4)) @ push)
        step = once @ step
        noise = once @ (noise + np.tensordot(weights, theory.noise_parts, 1) / RATE) @ once.T
    left = np.array(ends) - np.array(starts) @ step.T - kick
    spread = np.sqrt(np.diag(noise))
    assert np.abs(left.mean(axis=0) / (spread / math.sqrt(200.0))).max() < 5.0
    assert left.std(axis=0) == pytest.approx(spread, rel=0.2)


def test_steps_of_the_phase_are_followed_one_by_one_and_the_idle_value_comes_back():
    world = world_of()
    base = world.light
    values = np.concatenate([np.zeros(1000), np.full(1000, math.pi)])
    world.play(Pattern(2000, 2, lead=500, waveforms={"phase": Waveform(0.0, values, "rad")}))
    constants, seen = [], []
    for _ in range(11):
        world.skip(500)
        seen.append(round((world.light.relative_phase - base.relative_phase) / math.pi))
        constants.append(world.pair.g_a)
    assert seen == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0]
    trap = make_trap()
    turned = base.with_site(0, phase=base.sites[0].phase + math.pi)
    point = TrapMechanics(trap).operating_point(turned, world.gas, (True, True))
    assert constants[2] == pytest.approx(point.pair.g_a, rel=1e-9)
    assert constants[2] * constants[0] < 0.0
    assert world.light == base


def test_steps_of_power_change_the_lines():
    world = world_of()
    before = world.point.model.drift[1, 0]
    power = world.light.sites[0].power
    values = np.full(1000, 1.21 * power)
    world.play(Pattern(1000, 1, waveforms={"power 1": Waveform(power, values, "W")}))
    assert world.point.model.drift[1, 0] == pytest.approx(1.21 * before, rel=0.1)
    assert abs(world.point.model.drift[1, 0]) > 1.1 * abs(before)
    world.skip(1200)
    assert world.point.model.drift[1, 0] == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize(
    ("wave", "why"),
    [
        (Waveform(0.0, np.zeros(100), "V"), "in rad, not in V"),
        (Waveform(0.0, np.zeros(100), "W"), "in rad, not in W"),
    ],
)
def test_a_waveform_in_another_unit_is_refused(wave, why):
    with pytest.raises(InputError, match=why):
        world_of().play(Pattern(100, waveforms={"phase": wave}))


def test_a_record_of_modulated_light_does_not_depend_on_how_it_is_read():
    records = []
    for pieces in ([997] * 3, [1] * 100 + [2891]):
        world = world_of()
        world.play(turning(50, 7))
        counts = np.zeros((2991, len(world.settings.detectors)), np.int16)
        at = 0
        for rows in pieces:
            world.advance(counts[at : at + rows])
            at += rows
        records.append(counts)
    assert np.array_equal(*records)
