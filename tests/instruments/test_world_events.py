from __future__ import annotations

import numpy as np
import pytest

from optobind.instruments.simulated.build import build_world
from optobind.instruments.simulated.mechanics import TrapMechanics
from optobind.instruments.simulated.settings import DetectorSettings, FeedbackSettings
from optobind.instruments.simulated.world import SimulatedWorld
from optobind.models.array import TrapArray
from optobind.models.blocks import BlockStatus
from optobind.models.errors import InputError, NotTrappedError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

from .conftest import TWO_PI, make_pair, make_settings, make_trap
from .pair_mechanics import PairMechanics
from .test_kernels import trajectory


def trap_world(**changes) -> SimulatedWorld:
    changes.setdefault("feedback", FeedbackSettings(damping=(TWO_PI * 4e3,)))
    return build_world(make_trap(), make_settings(**changes))


def unstable_world(**changes) -> SimulatedWorld:
    """At δω = 2g_a with g_r = 0 one mode grows at g_a in the rotating wave."""
    g_a = TWO_PI * 1.5e3
    pair = make_pair(g_r=0.0, g_a=g_a, delta_omega=2.0 * g_a, re_D12=0.0, gamma=(0.0, 0.0))
    feedback = FeedbackSettings(damping=(TWO_PI * 8e3,))
    return SimulatedWorld(
        PairMechanics(pair), make_settings(feedback=feedback, adc_range=0.1, **changes)
    )


def test_world_of_a_trap_has_the_constants_of_the_trap():
    world, trap = trap_world(), make_trap()
    pair = trap.pair_constants().constants
    assert world.pair == pair
    assert np.allclose(world.point.recoil, [pair.D11, pair.D22])
    assert np.allclose(world.equilibrium, trap.equilibrium()[:, 2])
    assert world.lost == (False, False)


def test_unstable_setting_grows_at_the_growth_rate_and_saturates_before_the_loss():
    world = unstable_world()
    assert world.growth_rate() < 0.0
    world.set_gate(False)
    rate = world.growth_rate()
    assert rate == pytest.approx(TWO_PI * 1.5e3, rel=0.02)
    statuses, energy = [], []
    for _ in range(400):
        _, truth = np.zeros(0), np.zeros((50, 4))
        counts = np.zeros((50, 4), np.int16)
        statuses.append(world.advance(counts, truth))
        energy.append((truth**2).mean())
        assert np.isfinite(truth).all()
    lost_at = next(i for i, s in enumerate(statuses) if s & BlockStatus.PARTICLE_LOST)
    saturated_at = next(i for i, s in enumerate(statuses) if s & BlockStatus.SATURATED)
    assert saturated_at < lost_at
    # e^{2 rate t} over the last e-foldings before the loss, where noise no longer matters.
    grown = np.log(energy[lost_at - 2] / energy[lost_at - 12]) / (10 * 50e-6)
    assert grown == pytest.approx(2.0 * rate, rel=0.03)


def test_lost_particle_leaves_noise_and_the_other_goes_on():
    world = unstable_world()
    gone, other = 0, 1
    world._engine.memory.state[0] = 1.5 * 5e-7 / world.point.lengths[0]
    assert world.advance(np.zeros((1, 4), np.int16)) & BlockStatus.PARTICLE_LOST
    assert world.lost == (True, False)
    world.skip(5000)
    counts, truth = trajectory(world, 20_000)
    assert world.lost[other] is False
    assert not truth[:, 2 * gone].any()
    volts = counts / 32768.0 * 0.1
    noise = volts[:, gone]
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03
    assert noise.std() > 5 * 0.1 / 32768.0
    assert volts[:, other].std() > 1.5 * noise.std()
    assert world.pair is None
    with pytest.raises(InputError, match="two present particles"):
        world.truth()


def test_reload_puts_lost_particles_back_only_when_asked():
    world = unstable_world()
    world.set_gate(False)
    while not all(world.lost):
        world.skip(1000)
        # Alone neither particle grows: only recoil heats the survivor.
        if world.position > 200_000:
            break
    assert any(world.lost)
    world.set_gate(True)
    world.skip(1000)
    assert any(world.lost)
    world.reload()
    assert world.lost == (False, False)
    status = world.advance(np.zeros((1000, 4), np.int16))
    assert not status & BlockStatus.PARTICLE_LOST


def test_record_of_a_loss_does_not_depend_on_how_it_is_read():
    records = []
    for block in (20_000, 37):
        world = unstable_world()
        world.set_gate(False)
        counts = np.zeros((20_000, 4), np.int16)
        for begin in range(0, 20_000, block):
            world.advance(counts[begin : begin + block])
        assert any(world.lost)
        records.append(counts)
    assert np.array_equal(*records)


def test_light_jump_keeps_positions_and_momenta_at_the_sample_of_the_command():
    world = trap_world()
    world.skip(1234)
    before, momenta, equilibrium = world.positions, world.momenta, world.equilibrium
    world.set_light(world.light.with_pair(phi=0.8))
    assert np.allclose(world.positions, before, rtol=0.0, atol=1e-18)
    assert np.allclose(world.momenta, momenta, rtol=1e-12)
    moved = np.abs(world.equilibrium - equilibrium)
    assert moved.max() > 1e-10
    expected = TrapMechanics(make_trap(0.8)).operating_point(None, Gas(1e-6), (True, True))
    assert np.allclose(world.equilibrium, expected.equilibrium, rtol=0.0, atol=1e-15)
    _, truth = trajectory(world, 1)
    assert np.allclose(
        truth[0, [0, 2]] * world.point.lengths, before - world.equilibrium, atol=1e-18
    )


def test_settling_light_moves_the_equilibrium_without_kicking():
    world = trap_world()
    start, target = world.light, world.light.with_pair(phi=0.7)

    def path(t: float):
        left = np.exp(-t / 2e-3) if t < 0.014 else 0.0
        return start.with_pair(phi=0.7 + (0.4 - 0.7) * left)

    world.warm_up()
    first = world.equilibrium
    world.follow(path, 0.014)
    assert np.allclose(world.equilibrium, first, rtol=0.0, atol=1e-15)
    amplitude, middle = 0.0, None
    for _ in range(20):
        _, truth = trajectory(world, 1000)
        amplitude = max(amplitude, np.abs(truth[:, [0, 2]]).max())
        middle = world.equilibrium if middle is None else middle
    assert np.all(np.abs(middle - first) > 1e-11)
    direct = trap_world()
    direct.warm_up()
    direct.set_light(target)
    assert np.allclose(world.equilibrium, direct.equilibrium, rtol=0.0, atol=1e-14)
    assert np.allclose(world.closed_loop().step, direct.closed_loop().step, atol=1e-9)
    # A jump would have given hundreds of quanta; what is left is the cold motion.
    direct_peak = np.abs(trajectory(direct, 100)[1][:, [0, 2]]).max()
    assert amplitude < 0.5 * direct_peak


def test_settling_record_does_not_depend_on_how_it_is_read():
    records = []
    for block in (9_000, 61):
        world = trap_world()
        start = world.light
        world.skip(10)
        world.follow(lambda t, s=start: s.with_pair(phi=0.4 + min(t, 5e-3) * 20.0), 5e-3)
        counts = np.zeros((9_000, 4), np.int16)
        for begin in range(0, 9_000, block):
            world.advance(counts[begin : begin + block])
        records.append(counts)
    assert np.array_equal(*records)


def test_darkened_trap_loses_its_particle_and_the_other_stays():
    world = trap_world()
    world.skip(100)
    world.set_light(world.light.with_site(0, power=0.0))
    assert world.lost == (True, False)
    status = world.advance(np.zeros((5000, 4), np.int16))
    assert status & BlockStatus.PARTICLE_LOST
    assert world.lost == (True, False)
    with pytest.raises(NotTrappedError):
        world.reload()
    world.set_light(world.light.with_site(0, power=0.28))
    assert world.lost == (True, False)
    world.reload()
    assert world.lost == (False, False)
    assert world.pair is not None


def test_no_light_at_all_loses_everything_without_an_error():
    world = trap_world()
    world.set_light(world.light.with_pair(total_power=0.0))
    assert world.lost == (True, True)
    counts = np.zeros((2000, 4), np.int16)
    assert world.advance(counts) & BlockStatus.PARTICLE_LOST
    assert counts.std() > 0.0


def test_light_that_cannot_be_described_is_refused_and_nothing_changes():
    world = trap_world()
    light, equilibrium = world.light, world.equilibrium
    with pytest.raises(InputError, match="touch"):
        world.set_light(light.with_pair(separation=1e-7))
    assert world.light == light
    assert np.array_equal(world.equilibrium, equilibrium)


def test_pressure_changes_the_damping_and_nothing_else():
    world = trap_world()
    world.set_gate(False)
    before = world.truth()
    world.set_pressure(1e-3)
    after = world.truth()
    assert after["gamma_1"] == pytest.approx(1000.0 * before["gamma_1"], rel=1e-3)
    assert after["g_r"] == pytest.approx(before["g_r"], rel=1e-6)
    assert after["D11"] > before["D11"]
    with pytest.raises(InputError, match="Pa"):
        world.set_pressure(-1.0)


def test_monitor_shows_the_gate_from_the_sample_of_the_command_on():
    settings = make_settings()
    monitor = DetectorSettings("gate", None, "monitor")
    settings = make_settings(detectors=(*settings.detectors, monitor))
    world = build_world(make_trap(), settings)
    counts = np.zeros((100, 5), np.int16)
    world.advance(counts[:37])
    world.set_gate(False)
    world.advance(counts[37:])
    assert np.array_equal(counts[:, 4] > 8192, np.arange(100) < 37)


def test_three_particles_advance_with_the_general_kernel():
    spheres = (Sphere(80e-9),) * 3
    tweezers = tuple(
        Tweezer((x, 0.0, 0.0), 0.3, 0.70e-6, 0.75e-6, 0.2 * i)
        for i, x in enumerate((-4e-6, 0.0, 4e-6))
    )
    detectors = tuple(DetectorSettings(f"z{j}", j, volts_per_metre=2e8) for j in range(3))
    world = build_world(
        TrapArray(spheres, tweezers, 1064e-9, Gas(1e-6)), make_settings(detectors=detectors)
    )
    assert world.growth_rate() < 0.0
    states = np.zeros((200_000, 6))
    world.advance(np.zeros((200_000, 3), np.int16), states)
    expected = np.diag(world.closed_loop().covariance[:6, :6])
    assert np.allclose(states.var(axis=0), expected, rtol=0.25)


def test_detector_of_an_unknown_particle_is_refused():
    detectors = (DetectorSettings("z", 5),)
    with pytest.raises(InputError, match=r"particle 5, allowed: 0 … 1"):
        build_world(make_trap(), make_settings(detectors=detectors))


def test_feedback_delay_of_too_many_samples_is_refused():
    with pytest.raises(InputError, match=r"feedback delay must lie in 0 … 0.0005 s, got 0.01 s"):
        make_settings(feedback=FeedbackSettings(delay=0.01))
