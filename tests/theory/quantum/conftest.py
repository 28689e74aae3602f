"""Shared by the tests of the quantum statements."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from optobind.models.pair import PairConstants
from optobind.theory.quantum.states import product_state, squeezed_state

# Make the QuTiP judge beside the tests importable from them.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def statements():
    """Statements with known numbers."""
    path = Path(__file__).parents[2] / "data" / "statements.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def draw_inputs():
    """Return a function that draws a product of squeezed thermal states."""

    def draw(rng, strength=2.0):
        return product_state(
            *(
                squeezed_state(
                    rng.uniform(0.0, strength),
                    rng.uniform(0.0, np.pi),
                    occupation=rng.choice([0.0, rng.exponential(0.3)]),
                )
                for _ in range(2)
            )
        )

    return draw


@pytest.fixture
def draw_pair():
    """Return a function that draws a pair whose D_11D_22 is a multiple of |D_12|² and more."""

    def draw(rng, *, excess=None, omega=1.0, scale=0.05):
        g_r, g_a, correlation = rng.normal(size=3) * scale
        factor = rng.uniform(1.0, 2.0) if excess is None else excess
        recoil = factor * np.hypot(max(abs(g_r), abs(g_a)), correlation)
        tilt = np.exp(0.5 * rng.normal())
        delta = rng.uniform(-0.2, 0.2) * omega
        return PairConstants(omega, delta, g_r, g_a, recoil * tilt, recoil / tilt, correlation)

    return draw
