"""What a tracker does not know is the conditional state that the theory predicts for detection."""

from __future__ import annotations

import numpy as np
import pytest

from optobind.models.inference.tracking.dynamics import model_dynamics
from optobind.models.inference.tracking.modes import occupations_of
from optobind.models.inference.tracking.steady import filter_of
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.theory.quantum.conditional import conditional_steady_state
from optobind.theory.quantum.homodyne import HomodyneDetection

# Recoil of each particle with a detector of its own, of the phase that reads its position.
PAIR = PairConstants(
    2 * np.pi * 60e3, 2 * np.pi * 2e3, 6e3, -4e3, 8e3, 9e3, 0.0, gamma=(20.0, 30.0)
)


@pytest.mark.parametrize("efficiency", [0.05, 0.2, 0.45])
def test_conditional_occupation_and_correlation_are_those_of_the_riccati_equation(efficiency):
    recoil = np.array([PAIR.D11, PAIR.D22])
    rows = np.zeros((2, 4), complex)
    rows[0, 0], rows[1, 2] = np.sqrt(2.0 * recoil)
    expected = conditional_steady_state(PAIR, HomodyneDetection(rows, [efficiency] * 2))
    linear = PAIR.to_linear()
    model = LinearModel(
        linear.drift, linear.noise, linear.output, 1.0 / (4.0 * efficiency * recoil)
    )
    # Sampled ever faster the filter of samples becomes that of the continuous record.
    found = filter_of(model_dynamics(model, 20e6, diffuse=1.0)).after[-1]
    theory, tracked = occupations_of(expected), occupations_of(found)
    np.testing.assert_allclose(tracked.occupations, theory.occupations, rtol=3e-3)
    scale = theory.energies.mean()
    assert tracked.coherences[0, 1] == pytest.approx(theory.coherences[0, 1], abs=3e-3 * scale)
    assert abs(theory.coherences[0, 1]) > 0.01 * scale
    # In quanta the state obeys the uncertainty relation.
    assert np.linalg.det(found) >= 1.0 / 16.0
