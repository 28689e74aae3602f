"""The study of docs/validation.md in small, and what its page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "docs" / "validation" / "make.py"
PAGE = ROOT / "docs" / "validation.md"


def rows(text: str, title: str) -> list[list[str]]:
    """Cells of the table below a title."""
    section = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_page_is_that_of_a_whole_study():
    """Enough sets, and shares, pulls and errors that are what they should be."""
    text = PAGE.read_text(encoding="utf-8")
    sets = int(re.search(r"(\d+) sets \(releases", text)[1])
    assert sets >= 100
    for row in rows(text, "Coverage over random lines"):
        for cell, nominal in zip(row[3:5], (68.3, 95.0), strict=True):
            share, error = map(float, cell.split(" ± "))
            assert error < 1.3
            assert abs(share - nominal) < 3.5 * error, row
    for row in rows(text, "One line"):
        if row[1] == "optobind":
            mean, width = map(float, row[3].split(" / "))
            assert abs(mean) < 0.15 + 2.0 / sets**0.5, row
            assert 0.83 < width < 1.17, row
    exact = next(row for row in rows(text, "Releases") if row[:2] == ["`re_D12`", "exact"])
    assert float(exact[2]) < 1.25, "the exact estimator is at the bound"


@pytest.mark.slow
def test_the_study_makes_its_page(tmp_path):
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--sets", "2", "--draws", "2"]
    made = subprocess.run(
        [*command, "--jobs", "0", "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "validation.md").read_text(encoding="utf-8")
    assert (tmp_path / "images" / "validation.png").stat().st_size > 5000
    titles = ("One line", "Pairs", "Releases", "Coverage over random lines", "A real record")
    assert [len(rows(text, title)) for title in titles] == [44, 42, 9, 4, 4]
    for name, omega, gamma, _ in rows(text, "A real record"):
        assert float(omega.split(" ± ")[0]) == pytest.approx(61805.0, abs=15.0), name
        assert float(gamma.split(" ± ")[0]) == pytest.approx(983.0, abs=20.0), name


@pytest.mark.slow
def test_other_estimators_find_a_broad_line(monkeypatch):
    """Fifty bins wide, the window does not matter: all must agree with the truth."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import sets

    truth = sets.line_truth(50.0, 100.0, 2048, 2.5e5, 6e4)
    row = sets.line_set(
        truth=truth, samples=2048 * 400, sample_rate=2.5e5, segment=2048, window="hann", seed=[3, 1]
    )
    for estimator in ("optobind", "least squares on dB", "likelihood without window"):
        for name in ("omega", "gamma", "D"):
            assert row[f"{name}/{estimator}/value"] == pytest.approx(truth[name], rel=0.03)
    assert row["D/least squares/value"] == pytest.approx(truth["D"], rel=0.1)
    least = sets.bound(truth, 2048 * 400, 2.5e5)
    assert row["D/optobind/error"] / least["D"] == pytest.approx(1.0, abs=0.1)
    assert np.isfinite(list(row.values())).all()
