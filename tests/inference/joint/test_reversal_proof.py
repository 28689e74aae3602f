"""Cross-talk, drift and skew together leave Re D_12 unbiased where the phase is reversed.

5 % of each particle in the other's detector, 0.3 rad rms of drift of φ from block to block, and
125 ns between the channels. One table goes the whole road, from files; forty are fitted by the
exact likelihood from nominal starts, which is what the road comes to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated_rig import TRUTH, Table

import optobind as ob
from optobind.models.inference.exact.fits import fit_exact, samples_of
from optobind.models.inference.joint.law import PairSetting

# |g_r| > |g_a| at either phase and with most drifts: little grows in a release.
LIGHT = ob.PairSetting(-0.15, 2.53e-6, (0.2, 0.19))
RELEASES = 16
Fit = Callable[[NDArray[np.float64], PairSetting], ob.FitResult]


def by_likelihood(table: Table) -> Fit:
    def fit(samples: NDArray[np.float64], light: PairSetting) -> ob.FitResult:
        start = table.values(light, 0.0)[0]
        free = {"noise_12": None, "delay_12": None}
        return fit_exact(samples_of(samples), table.sample_rate, "pair", start, detection=free)

    return fit


def by_road(table: Table, folder: Path) -> Fit:
    def fit(samples: NDArray[np.float64], light: PairSetting) -> ob.FitResult:
        path = folder / f"{light.phi:.3f}-{abs(samples).sum():.0f}.npz"
        np.savez(path, samples=samples, sample_rate=table.sample_rate, unit="quanta")
        (one,) = ob.measured_pieces(ob.open_record(path), light, delay=math.nan)
        return one.result

    return fit


def one_set(table: Table, fit: Fit, seed: int, blocks: int) -> dict[str, float]:
    """Pulls of a set of blocks, and what the records alone would have said."""
    rng, measured = np.random.default_rng(seed), []
    for block in range(blocks):
        turn = table.drift * rng.standard_normal()
        for added in (0.0, math.pi):
            light = ob.PairSetting(LIGHT.phi + added, LIGHT.distance, LIGHT.powers)
            result = fit(table.releases(light, turn, RELEASES, rng), light)
            name = f"block {block}"
            measured.append(ob.Measured(light, result, name, group=name, raw=True))
    analysis = ob.fit_global(measured, law=table.law, phase_drift=table.drift)
    point = analysis.points[0]
    truth = float(table.law.foresee(TRUTH, [LIGHT]).re_D12[0])
    plain = np.mean([m.result.value("re_D12") for m in measured if m.setting == LIGHT])
    (half,) = analysis.reversals
    result = analysis.result
    return {
        "pull": (point.re_D12.value - truth) / point.re_D12.stderr,
        "half": float(half.values[2] - truth) / float(half.stderr[2]),
        "stderr": point.re_D12.stderr / truth,
        "unreversed": (float(plain) - truth) / truth,
        "p": result.statistics["p_value"],
        "mixing": 0.5 * (result.value("mix_12") + result.value("mix_21")),
        "delay": (result.value("delay_12") + table.skew) / (result.stderr("delay_12") or math.nan),
    }


@pytest.mark.slow
def test_one_table_with_all_faults_is_told_apart(tmp_path: Path) -> None:
    table = Table()
    found = one_set(table, by_road(table, tmp_path), 1, blocks=2)
    assert abs(found["pull"]) < 3.0
    assert abs(found["half"]) < 3.0
    assert found["unreversed"] > 0.5  # without the reversal cross-talk more than doubles it
    assert found["mixing"] == pytest.approx(0.05, abs=0.02)
    assert found["p"] > 1e-3
    # Channel 2 is sampled later, so that it shows the motion earlier: delay_12 is negative.
    assert abs(found["delay"]) < 4.0


@pytest.mark.study
def test_forty_tables_leave_re_d12_unbiased_within_its_error() -> None:
    table = Table()
    found = [one_set(table, by_likelihood(table), 100 + seed, blocks=4) for seed in range(40)]
    for name in ("pull", "half", "delay"):
        pulls = np.array([one[name] for one in found])
        assert abs(pulls.mean()) < 3.0 / math.sqrt(len(pulls)), name
        assert 0.7 < pulls.std() < 1.3, name
    assert np.mean([one["unreversed"] for one in found]) > 0.5
    assert np.mean([one["p"] < 0.01 for one in found]) < 0.1
