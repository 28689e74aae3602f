"""Array models against Newton's equations in the full, nonlinear field of moving light."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from optobind.models.constants import HBAR
from optobind.models.mechanics import Mechanics
from optobind.theory.modulation.array_model import array_model
from optobind.theory.modulation.drives import detuned, power_modulation
from optobind.theory.modulation.floquet import driven_mean
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.propagation import transition


def _trajectory(array, program, start, velocity, stop):
    """Positions and velocities at ``stop`` from m r̈ = F(r, t), no friction."""
    charges = np.zeros(2)
    scale = 1e-9  # nm, nm/µs

    def slope(t, y):
        places, speed = y[:6].reshape(2, 3) * scale, y[6:]
        phase = [float(wave([t])[0]) for wave in program.phases]
        power = [float(wave([t])[0]) for wave in program.powers]
        beams = tuple(
            replace(beam, phase=math.remainder(p, 2 * math.pi), power=f * beam.power)
            for beam, p, f in zip(array.tweezers, phase, power, strict=True)
        )
        force = Mechanics(beams, array.polarizabilities, charges, array.k).forces(places)
        return np.concatenate([speed * 1e6, (force / array.masses[:, None]).ravel() / scale / 1e6])

    begin = np.concatenate([start.ravel() / scale, velocity.ravel() / scale / 1e6])
    found = solve_ivp(slope, (0.0, stop), begin, method="DOP853", rtol=1e-9, atol=1e-9)
    end = found.y[:, -1]
    return end[:6] * scale, end[6:] * scale * 1e6


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [2.0, 0.31])
def test_nonlinear_trajectories_move_as_the_linear_model_says(trap_pair, ratio):
    """The mean follows the driven mean, a small displacement the state-transition matrix."""
    array = trap_pair(kd=30.3 * math.pi, balance=0.02)
    line = float(array.axial_omegas(array.equilibrium()).mean())
    base = ratio * line / (2 * math.pi)
    program = LightProgram.pair(detuned(base, 0.4), power_modulation(0.003, 2 * math.pi * base))
    found = array_model(array, program, axes="xyz")
    model = found.model
    stop = (16 if ratio == 2.0 else 3) * model.period
    length = np.sqrt(HBAR / (np.repeat(array.masses, 3) * model.omega))
    mean = driven_mean(model)[0]
    start = found.positions.ravel() + mean[0::2] * length
    speed = mean[1::2] * length * model.omega
    end = _trajectory(array, program, start.reshape(2, 3), speed.reshape(2, 3), stop)
    # Whole periods later the driven mean is where it began.
    excursion = found.excursion().max()
    drift = np.abs(end[0] - start).max()
    assert drift < 0.05 * excursion
    moved, kick = start.copy(), 1e-9
    moved[2] += kick
    other = _trajectory(array, program, moved.reshape(2, 3), speed.reshape(2, 3), stop)
    phi = transition(model, 0.0, stop)
    expected = phi[:, 4] * kick / length[2]
    difference = np.empty(12)
    difference[0::2] = (other[0] - end[0]) / length
    difference[1::2] = (other[1] - end[1]) / length / model.omega
    assert np.abs(difference - expected).max() < 0.02 * np.abs(expected).max()
    # What the modulated coupling has carried to the other particle, to O(excursion).
    carried = np.abs(expected[6:]).max()
    assert carried > 0.03 * np.abs(expected).max()
    assert np.abs(difference[6:] - expected[6:]).max() < 0.2 * carried
