from __future__ import annotations

import copy

import numpy as np
import pytest

from optobind.instruments.simulated.detection import lower_root
from optobind.instruments.simulated.kernels import Memory, Table, advance_many, advance_pair
from optobind.instruments.simulated.settings import FeedbackSettings
from optobind.instruments.simulated.world import SimulatedWorld
from optobind.models.rng import new_stream

from .conftest import TWO_PI, make_pair, make_settings
from .pair_mechanics import PairMechanics

TALK = tuple(tuple(1.0 if i == j else 0.05 for j in range(4)) for i in range(4))


def rich_world(**changes: object) -> SimulatedWorld:
    detector = {"bandwidth": 3e5, "electronic_noise": 1e-6, "offset": 0.01, "gain_error": 0.1}
    values = {
        "cross_talk": TALK,
        "detector": detector,
        "feedback": FeedbackSettings(damping=(TWO_PI * 2e3, TWO_PI * 3e3), delay=3e-6),
    }
    return SimulatedWorld(PairMechanics(make_pair()), make_settings(**{**values, **changes}))


def trajectory(world: SimulatedWorld, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts = np.zeros((n, len(world.settings.detectors)), dtype=np.int16)
    truth = np.zeros((n, 4))
    world.advance(counts, truth)
    return counts, truth


def test_lower_root_takes_semidefinite_matrices_of_any_scale():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((4, 2)) * np.array([1e-12, 1.0, 1e6, 0.0])[:, None]
    root = lower_root(a @ a.T)
    assert np.allclose(root @ root.T, a @ a.T, rtol=1e-9, atol=0.0)
    assert np.array_equal(root, np.tril(root))


@pytest.mark.parametrize("gate", [True, False])
def test_closed_loop_matrix_is_the_kernel_sample_by_sample(gate: bool):
    # Same seed, other initial state: the noise cancels in the difference of two runs.
    runs = []
    for kick in (0.0, 7.0):
        world = rich_world()
        world.warm_up()
        world.set_gate(gate)
        world._engine.memory.state[:] += kick * np.array([1.0, -0.5, 2.0, 0.3])
        runs.append(trajectory(world, 400)[1])
    loop = rich_world()
    loop.set_gate(gate)
    step = loop.closed_loop().step
    state = np.zeros(len(step))
    state[:4] = 7.0 * np.array([1.0, -0.5, 2.0, 0.3])
    for row in runs[1] - runs[0]:
        assert np.allclose(row, state[:4], rtol=0.0, atol=1e-10 * 20.0)
        state = step @ state


@pytest.mark.parametrize("cross_talk", [(), TALK])
@pytest.mark.parametrize("bandwidth", [None, 3e5])
def test_general_kernel_gives_the_record_of_the_pair_kernel(cross_talk, bandwidth):
    detector = {"bandwidth": bandwidth, "electronic_noise": 1e-6}
    engine = rich_world(cross_talk=cross_talk, detector=detector)._engine
    results = []
    for kernel in (advance_pair, advance_many):
        memory = Memory(*(copy.deepcopy(part) for part in engine.memory))
        counts, truth = np.zeros((3000, 4), dtype=np.int16), np.zeros((3000, 4))
        steps = engine._dynamics if kernel is advance_pair else Table.steady(engine._dynamics)
        kernel(steps, engine._chain, engine._loop, memory, 1.0, counts, truth)
        results.append((counts, truth, memory))
    (counts, truth, memory), (other, other_truth, other_memory) = results
    # A count may differ where rounding of the last bit decides.
    assert (counts != other).mean() < 1e-3
    assert np.allclose(truth, other_truth, rtol=1e-9, atol=1e-9)
    assert np.array_equal(memory.streams, other_memory.streams)
    assert np.allclose(memory.ring, other_memory.ring, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("blocks", [(1, 999, 3000), (4000,), (1,) * 50 + (3950,), (64, 3936)])
def test_record_does_not_depend_on_how_it_is_read(blocks):
    expected, _ = trajectory(rich_world(), 4000)
    world = rich_world()
    parts = [trajectory(world, n)[0] for n in blocks]
    assert np.array_equal(np.concatenate(parts), expected)
    assert world.position == 4000


def test_another_seed_gives_another_record_and_the_same_seed_the_same():
    first, _ = trajectory(rich_world(seed=1), 500)
    again, _ = trajectory(rich_world(seed=1), 500)
    other, _ = trajectory(rich_world(seed=2), 500)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_detector_settings_do_not_change_the_dynamics_with_the_gate_open():
    worlds = [rich_world(), rich_world(detector={"electronic_noise": 1e-5}, cross_talk=())]
    for world in worlds:
        world.set_gate(False)
        world._engine.memory.state[:] = 1.0
        world._engine.memory.streams[0] = new_stream(np.random.SeedSequence(9))
    first, second = (trajectory(world, 300)[1] for world in worlds)
    assert np.array_equal(first, second)
