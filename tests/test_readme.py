"""What the README promises runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import optobind
from optobind.models.pair import PairConstants

README = (Path(optobind.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_notebook_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = PairConstants.far_field(
        omega=4e5, kd=17.7, phi=0.6, G=2e5, D11=5e4, D22=5e4, delta_omega=9e3, gamma=(6e3, 6e3)
    )
    step, noise = pair.to_linear().discretise(2e-6)
    rng = np.random.default_rng(1)
    kicks = rng.standard_normal((400_000, 4)) @ np.linalg.cholesky(noise).T
    states = np.zeros((len(kicks), 4))
    for k in range(1, len(kicks)):
        states[k] = step @ states[k - 1] + kicks[k]
    samples = states[:, ::2] + 0.5 * rng.standard_normal((len(kicks), 2))
    np.savez(tmp_path / "run.npz", samples=samples, sample_rate=5e5, unit="quanta")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 12
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "Hz" in printed
    assert "re_D12" in printed


def test_shipped_rigs_and_plans_are_the_ones_named() -> None:
    folder = Path(optobind.__file__).parent / "config"
    for kind in ("rigs", "plans"):
        for path in (folder / kind).glob("*.toml"):
            assert f"`{path.stem}`" in README
