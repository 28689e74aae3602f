from __future__ import annotations

import numpy as np
import pytest

from optobind.acquisition.csd import estimate_csd
from optobind.instruments.simulated.build import build_world
from optobind.instruments.simulated.settings import DetectorSettings, WorldSettings
from optobind.models.detection import quantum_length
from optobind.models.inference.spectral.fits import fit_pair

from .conftest import make_trap


@pytest.mark.slow
def test_pair_fit_of_the_simulated_record_recovers_the_truth():
    pulls = []
    detectors = tuple(DetectorSettings(f"z{j + 1}", j) for j in (0, 1))
    for seed in range(6):
        settings = WorldSettings(seed=seed, real_time=False, detectors=detectors)
        world = build_world(make_trap(), settings)
        counts = np.zeros((1_000_000, 2), np.int16)
        world.advance(counts)
        truth = world.truth()
        scale = 0.5 * (truth["omega_1"] + truth["omega_2"])
        quanta = counts / 32768.0 / 5e8 / quantum_length(world.point.masses[0], scale)
        csd = estimate_csd(quanta, 1e6, segment=8192, unit="quanta")
        fit = fit_pair(csd, band=(55e3, 87e3)).parameters
        pulls.append([(fit[name].value - truth[name]) / fit[name].stderr for name in truth])
        for name in ("g_r", "g_a", "re_D12"):
            assert abs(truth[name]) > 3.0 * fit[name].stderr
    mean = np.mean(pulls, axis=0)
    assert np.abs(mean).max() < 4.0 / np.sqrt(6) + 0.5
    assert np.abs(pulls).max() < 5.0
