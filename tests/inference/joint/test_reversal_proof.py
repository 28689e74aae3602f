"""Cross-talk, drift and skew together leave Re D_12 unbiased where the phase is reversed.

Simulated files go the normal road: open, fit each by the exact likelihood, fit all together.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from simulated_rig import TRUTH, Table

import optobind as ob

LIGHT = ob.PairSetting(0.4, 2.45e-6, (0.2, 0.19))
BLOCKS, RELEASES = 4, 16


def one_set(folder: Path, seed: int) -> dict[str, float]:
    """Pulls of a set of files, and what the records alone would have said."""
    rng, table = np.random.default_rng(seed), Table()
    # The files of one block share the drift; a name for it is all that the fit is told.
    measured = []
    for block in range(BLOCKS):
        for path, light in table.record(folder, LIGHT, RELEASES, rng):
            (one,) = ob.measured_pieces(ob.open_record(path), light, delay=math.nan)
            group = f"block {block}"
            measured.append(ob.Measured(light, one.result, path.name, group, raw=True))
    analysis = ob.fit_global(measured, law=table.law, phase_drift=table.drift)
    point = analysis.points[0]
    truth = float(table.law.foresee(TRUTH, [LIGHT]).re_D12[0])
    plain = np.mean([m.result.value("re_D12") for m in measured if m.setting == LIGHT])
    (half,) = analysis.reversals
    return {
        "pull": (point.re_D12.value - truth) / point.re_D12.stderr,
        "half": float(half.values[2] - truth) / float(half.stderr[2]),
        "stderr": point.re_D12.stderr / truth,
        "unreversed": (plain - truth) / truth,
        "p": analysis.result.statistics["p_value"],
        "mixing": 0.5 * (analysis.result.value("mix_12") + analysis.result.value("mix_21")),
        "delay": analysis.result.value("delay_12"),
        "delay_stderr": analysis.result.stderr("delay_12") or 0.0,
    }


def test_one_table_with_all_faults_is_told_apart(tmp_path: Path) -> None:
    found = one_set(tmp_path, 1)
    assert abs(found["pull"]) < 3.0
    assert abs(found["half"]) < 3.0
    assert found["unreversed"] > 0.5  # without the reversal cross-talk more than doubles it
    assert found["mixing"] == pytest.approx(0.05, abs=0.01)
    assert found["p"] > 1e-3
    # Channel 2 is sampled later, so it shows the motion earlier.
    assert found["delay"] == pytest.approx(-125e-9, abs=4.0 * found["delay_stderr"])


@pytest.mark.slow
def test_forty_tables_leave_re_d12_unbiased_within_its_error(tmp_path: Path) -> None:
    found = [one_set(tmp_path, 100 + seed) for seed in range(40)]
    for name in ("pull", "half"):
        pulls = np.array([one[name] for one in found])
        assert abs(pulls.mean()) < 3.0 / math.sqrt(len(pulls))
        assert 0.7 < pulls.std() < 1.3
    assert np.mean([one["unreversed"] for one in found]) > 0.5
    assert np.mean([one["p"] < 0.01 for one in found]) < 0.1
