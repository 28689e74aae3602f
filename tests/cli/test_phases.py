"""``optobind phases``: the figures, their data and what goes wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from optobind.models.phases import ideal_regimes

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = {"fig3a.png", "fig3a.svg", "fig3b.png", "fig3b.svg", "phases.json"}


def _strict(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="ascii"), parse_constant=refuse)


@pytest.fixture(scope="module")
def ideal(tmp_path_factory):
    from optobind.__main__ import main

    folder = tmp_path_factory.mktemp("ideal")
    assert main(["phases", "--out", str(folder), "--grid", "40", "--json"]) == 0
    return folder


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    from optobind.__main__ import main

    folder = tmp_path_factory.mktemp("rig")
    arguments = ["--rig", "simulated-pair", "--grid", "10", "--out", str(folder)]
    assert main(["phases", *arguments]) == 0
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the drawing out, which takes most of the time."""
    for name in ("regimes", "symmetry", "pair_regimes", "pair_symmetry"):
        monkeypatch.setattr(f"optobind.analysis.phases.{name}_figure", lambda *_: Figure())

    def save(_figure, path):
        path.write_bytes(b"")
        return path

    monkeypatch.setattr("optobind.cli.phases.save_figure", save)
    monkeypatch.setattr("optobind.analysis.phases._PAIR_CUT", 21)


@pytest.mark.slow
def test_both_figures_and_the_grid_are_written(ideal, rig):
    for folder in (ideal, rig):
        assert {path.name for path in folder.iterdir()} == NAMES
        for name in ("fig3a", "fig3b"):
            assert (folder / f"{name}.png").read_bytes()[:8] == PNG
            assert (folder / f"{name}.png").stat().st_size > 20_000
            root = ElementTree.parse(folder / f"{name}.svg").getroot()
            assert root.tag.endswith("svg")


@pytest.mark.slow
def test_grid_of_the_letter_is_its_equations(ideal):
    document = _strict(ideal / "phases.json")
    assert document["source"] == "ideal"
    assert document["grid"] == 40
    values = document["fig3a"]
    found = ideal_regimes(values["phi"], values["kd"])
    assert np.allclose(values["g_r"], found.g_r)
    assert np.allclose(values["re_D12"], found.re_D12)
    for name, flag in found.flags.items():
        assert np.array_equal(values[name], flag)
    assert values["shares"]["unidirectional"] == pytest.approx(0.418, abs=1e-3)
    assert values["points"]["II"] == {"phi": math.pi / 4, "kd": 5.25 * math.pi}
    symmetry = document["fig3b"]
    delta, g_a = np.array(symmetry["delta_omega"])[:, None], np.array(symmetry["g_a"])[None, :]
    assert np.array_equal(symmetry["broken"], delta**2 + 4 - 4 * g_a * delta < 0)
    lines = symmetry["exceptional_points"]
    assert len(lines["g_a"]) == len(lines["lower"]) == len(lines["upper"]) > 10
    assert [len(cut["exceptional_points"]) for cut in symmetry["cuts"]] == [2, 1, 0]


def test_json_on_stdout_is_one_summary_that_names_the_files(optobind, undrawn, tmp_path):
    answer = optobind("phases", "--out", tmp_path / "new" / "folder", "--grid", 20, "--json")
    assert answer.code == 0
    values = answer.json
    assert set(values) == {
        "source",
        "at",
        "grid",
        "shares",
        "points",
        "broken_share",
        "cuts",
        "files",
    }
    assert values["points"]["IV"] == ["noise_correlated"]
    assert sum(values["shares"].values()) > 1  # regimes overlap
    assert set(values["files"]) == {"fig3a_png", "fig3a_svg", "fig3b_png", "fig3b_svg", "json"}


@pytest.mark.slow
def test_grid_of_a_rig_holds_exact_couplings(rig, optobind):
    document = _strict(rig / "phases.json")
    couplings = optobind("couplings", "--rig", "simulated-pair", "--json").json
    own = document["as_set"]
    assert own["g_r"] == pytest.approx(couplings["exact"]["g_r"])
    assert own["phi"] == pytest.approx(couplings["phi"])
    regimes, symmetry = document["fig3a"], document["fig3b"]
    assert np.shape(regimes["g_a"]) == np.shape(symmetry["g_a"]) == (10, 10)
    assert np.shape(symmetry["re_omega"]) == (10, 10, 2)
    assert document["units"]["rates and frequencies"] == "rad/s"
    settings = [
        f"tweezers.0.phase={regimes['phi'][3]!r} rad",
        f'tweezers.1.position=["{regimes["separation"][7]!r} m", "0 m", "0 m"]',
    ]
    one = optobind(
        "couplings", "--rig", "simulated-pair", "--set", settings[0], "--set", settings[1], "--json"
    ).json
    assert regimes["g_r"][3][7] == pytest.approx(one["exact"]["g_r"], rel=1e-6)
    assert regimes["reciprocal"][3][7] == one["regime"]["reciprocal"]


def test_unheld_settings_are_null_with_a_reason(optobind, undrawn, tmp_path):
    answer = optobind(
        "phases", "--rig", "simulated-pair", "--grid", 9, "--out", tmp_path, "--json",
        "--set", 'tweezers.1.position=["0.5 um", "0 um", "0 um"]',
    )  # fmt: skip
    assert answer.code == 0
    assert "the foci are" in answer.err
    values = _strict(tmp_path / "phases.json")["fig3a"]
    lost = np.array(values["reason"]) != values["reasons"]["held"]
    assert lost.any()
    assert all(values["g_r"][i][j] is None for i, j in np.argwhere(lost))
    assert not np.array(values["unidirectional"])[lost].any()


def test_table_tells_the_shares_and_the_exceptional_points(optobind, undrawn, tmp_path):
    answer = optobind("phases", "--out", tmp_path, "--grid", 8)
    assert answer.code == 0
    for text in ("37.5 %", "41.8 %", "4.7 %", "6.9 %", "0.5359, 7.464", "stored in"):
        assert text in answer.out
    answer = optobind(
        "phases",
        "--rig",
        "simulated-unidirectional",
        "--at",
        "focus",
        "--grid",
        8,
        "--out",
        tmp_path,
    )
    assert "as set: φ" in answer.out
    assert "amplitudes" in answer.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "3"], "--grid must lie in 8 … 2000, got 3"),
        (["--grid", "400", "--rig", "simulated-pair"], "8 … 300, got 400"),
        (["--grid", "x"], "--grid"),
        (["--set", "particles.0.radius=70 nm"], "needs a --rig"),
        (["--rig", "delic-2019"], "phases are of a pair, the rig has 1 particles"),
        (["--rig", "nowhere"], "nowhere"),
        (["--rig", "simulated-pair", "--at", "moon"], "moon"),
        (["--rig", "simulated-pair", "--set", "plan.x=1"], "addresses a plan"),
        (["--rig", "simulated-pair", "--set", "particles.1.radius=150 nm"], "particle 2 is not"),
        (["extra"], "extra"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(
    optobind, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    answer = optobind("phases", *arguments)
    assert answer.is_one_line_error(2), answer
    assert message in answer.err
    assert not list(tmp_path.iterdir())


def test_unwritable_directories_are_told_in_one_line(optobind, undrawn, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a directory")
    answer = optobind("phases", "--grid", 8, "--out", file)
    assert answer.is_one_line_error(2)
    assert "cannot be made" in answer.err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "phases.json").mkdir()
    assert optobind("phases", "--grid", 8, "--out", tmp_path / "out").is_one_line_error(2)


def test_without_a_directory_files_go_beside(optobind, undrawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert optobind("phases", "--grid", 8).code == 0
    assert {path.name for path in (tmp_path / "phases").iterdir()} == NAMES


def test_help_needs_no_numbers():
    code = (
        "import sys; from optobind.__main__ import main; main(['phases', '--help']); "
        "sys.exit(any(m in sys.modules for m in ('numpy', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"--grid" in done.stdout


@pytest.mark.slow
def test_figures_are_the_same_bytes_each_time(ideal, optobind, tmp_path):
    optobind("phases", "--out", tmp_path, "--grid", 40, "--json")
    for name in NAMES - {"phases.json"}:
        assert (tmp_path / name).read_bytes() == (ideal / name).read_bytes()


@pytest.mark.slow
def test_figures_of_a_pair_that_is_partly_lost_are_drawn(optobind, tmp_path):
    answer = optobind(
        "phases", "--rig", "simulated-pair", "--grid", 9, "--out", tmp_path,
        "--set", 'tweezers.1.position=["0.5 um", "0 um", "0 um"]', "--set", "gas.pressure=5 mbar",
    )  # fmt: skip
    assert answer.code == 0
    assert {path.name for path in tmp_path.iterdir()} == NAMES
