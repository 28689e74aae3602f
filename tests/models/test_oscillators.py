"""The drift and noise that every linear model is made of."""

import numpy as np
import pytest

from optobind.models.oscillators import (
    oscillator_drift,
    oscillator_model,
    oscillator_noise,
    oscillator_output,
    pair_drift,
)


@pytest.mark.parametrize("ratio", [1.0, 1.7])
def test_drift_of_a_pair_is_that_of_two_oscillators(ratio):
    omega, squares, gamma = 3.0, (8.0, -1.0), (0.1, 0.2)
    root = np.sqrt(ratio)
    pull = [[-8.0 / 3.0, 2.0 * root * 0.7], [2.0 / root * 0.3, 1.0 / 3.0]]
    found = pair_drift(omega, squares, 0.5, 0.2, gamma, ratio)
    assert found == pytest.approx(oscillator_drift(omega, pull, gamma))


def test_settings_side_by_side_are_the_drifts_one_by_one():
    rng = np.random.default_rng(1)
    omega, gamma = rng.uniform(1, 2, (2, 3)), rng.uniform(0, 1, (2, 3, 4))
    pull, diffusion = rng.normal(size=(2, 2, 3, 4, 4))
    drifts, noises = oscillator_drift(omega, pull, gamma), oscillator_noise(diffusion)
    assert drifts.shape == noises.shape == (2, 3, 8, 8)
    for index in np.ndindex(2, 3):
        alone = oscillator_drift(omega[index], pull[index], gamma[index])
        assert np.array_equal(drifts[index], alone)
        assert np.array_equal(noises[index], oscillator_noise(diffusion[index]))


def test_motion_is_that_of_the_equations():
    rng = np.random.default_rng(2)
    pull, gamma, state = rng.normal(size=(3, 3)), rng.uniform(size=3), rng.normal(size=6)
    speed = oscillator_drift(2.0, pull, gamma) @ state
    z, p = state[0::2], state[1::2]
    assert speed[0::2] == pytest.approx(2.0 * p)
    assert speed[1::2] == pytest.approx(pull @ z - gamma * p)
    assert oscillator_output(3) @ state == pytest.approx(z)


def test_momenta_diffuse_at_twice_the_real_part_of_a_hermitian_diffusion():
    diffusion = np.array([[2.0, 0.3 + 0.9j], [0.3 - 0.9j, 1.0]])
    model = oscillator_model(oscillator_drift(1.0, -np.eye(2)), diffusion)
    grown = model.propagate(np.zeros((4, 4)), [1e-6])[0] / 1e-6
    assert grown[1::2, 1::2] == pytest.approx(2.0 * diffusion.real, rel=1e-5)
    assert np.abs(grown[0::2, 0::2]).max() < 1e-5
