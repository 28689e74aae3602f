"""``optobind fit global`` as a user meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optobind as ob


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Steady runs at φ and φ + π with 5 % cross-talk."""
    found = []
    for number, phase in enumerate((0.0, np.pi)):
        folder = tmp_path_factory.mktemp(f"phase{number}")
        settings = [
            f"tweezers.0.phase={phase} rad", "simulation.cross_talk=0.05",
            f"simulation.seed={number + 1}",
        ]  # fmt: skip
        record = ob.simulate("simulated-pair", ob.MonitorPlan(0.2), out=folder, settings=settings)
        found.append(record.path)
    return found


def test_two_phases_give_correlated_recoil_beside_cross_talk(
    optobind: Any, runs: list[Path], tmp_path: Path
) -> None:
    answer = optobind("fit", "global", *map(str, runs), "--json", "--out", str(tmp_path / "out"))
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["model"] == "global"
    truth = ob.predictions(ob.load_trap("simulated-pair", ["tweezers.0.phase=0 rad"]))["exact"]
    assert truth is not None
    for name in ("g_r", "g_a", "re_D12"):
        one = found["lights"][0][name]
        assert abs(one["value"] - truth[name]) < 4.0 * one["stderr"] + 0.01 * truth["D11"] * 0.1
    (half,) = found["half_differences"]
    assert abs(half["re_D12"]["value"] - truth["re_D12"]) < 4.0 * half["re_D12"]["stderr"]
    assert half["cross_talk"]["value"] > 5.0 * half["cross_talk"]["stderr"]
    assert found["parameters"]["mix_12"]["vary"]
    assert (tmp_path / "out" / "global.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "global.json").is_file()


def test_mistakes_are_one_line(optobind: Any, runs: list[Path]) -> None:
    path = str(runs[0])
    for arguments, words in (
        ((path, path), "named twice"),
        ((path, "--share", "sun"), "cannot share 'sun'"),
        ((path, "--phase-drift", "3 kg"), "--phase-drift"),
        ((path, "--distance-error", "0 nm"), "distance_error must lie"),
        (("nowhere.h5",), "does not exist"),
    ):
        answer = optobind("fit", "global", *arguments)
        assert answer.is_one_line_error(2), answer.err
        assert words in answer.err
