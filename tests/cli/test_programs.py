"""Programs as a user types them: the how-to as it stands, its dry run, resume, and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from optobind.config.documents import to_toml
from optobind.config.load import read_rig

RIG = ["devices.digitizer.sample_rate=250 kHz", "devices.gate.damping=4 kHz"]
HOW_TO = Path(__file__).parents[2] / "docs/how-to/programs.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The how-to's program and a fast rig."""
    place = tmp_path_factory.mktemp("programs")
    (place / "rig.toml").write_text(to_toml(read_rig("simulated-pair", RIG).source))
    (text,) = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    (place / "zero.py").write_text(text, encoding="utf-8")
    return place


@pytest.mark.slow
def test_the_how_to_runs_as_it_stands_and_is_whole_afterwards(folder, optobind):
    given = ("--set", "plan.points=2", "--set", "plan.low=0.1 π")
    run = ("run", folder / "zero.py", "--rig", folder / "rig.toml")
    dry = optobind(*run, "--dry-run", "--json", *given)
    assert dry.code == 0
    assert [p["kind"] for p in dry.json["set_points"]] == ["monitor", "monitor", "reheating"]
    assert dry.json["points"] == 3
    answer = optobind(*run, "--out", folder / "zero", "--json", *given)
    assert (answer.code, answer.json["fitted"]) == (0, 3)
    before = (folder / "zero/journal.jsonl").read_bytes()
    again = optobind("resume", folder / "zero", "--json")
    assert (again.code, again.json["state"], again.json["measured"]) == (0, "complete", 3)
    assert (folder / "zero/journal.jsonl").read_bytes() == before
    page = (folder / "zero/report.html").read_text(encoding="utf-8")
    assert "yield steps.set_light(phi=middle)" in page
    header = json.loads((folder / "zero/sweep.json").read_text(encoding="utf-8"))
    assert header["plan"]["parameters"]["points"] == 2
    listed = optobind("plans", folder, "--json").json["plans"]
    assert (
        "Halve the interval" in {Path(p["name"]).name: p for p in listed}["zero.py"]["description"]
    )
    (entry,) = optobind("runs", folder, "--json").json["runs"]
    assert entry["kind"] == "program"
    assert optobind("config", "check", folder / "zero.py").code == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("plan.points=2.5", "plan.points must be a whole number"),
        ("plan.low=0.1 W", "plan.low"),
        ("plan.nothing=1", "--set nothing: unknown; known: low, high, points, suspend"),
        ("plan.retries=many", "retries must be a whole number"),
        ("plan.suspend.pressure_high=1", "pressure_high"),
    ],
)
def test_a_wrong_setting_is_one_line(folder, optobind, setting, said):
    answer = optobind("run", folder / "zero.py", "--rig", folder / "rig.toml", "--set", setting)
    assert answer.code == 2
    assert said.replace("--set ", "--set plan.") in answer.err or said in answer.err
    assert answer.err.count("\n") == 1
    assert not answer.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"def plan(:\n", "line 1"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"x = 3\n", "no generator function plan"),
        (b"def plan(power=1, seed=3):\n    yield\n", "seed is a key of every sweep"),
        (
            b"from optobind import steps\ndef plan():\n    yield steps.acquire(1e6)\n"
            b"    yield steps.acquire(9e6)\n",
            "disk full",
        ),
        (b"def plan():\n    yield 1 / 0\n", "line 2: ZeroDivisionError"),
    ],
)
def test_a_wrong_program_is_one_line_and_leaves_no_folder(folder, tmp_path, optobind, text, said):
    (tmp_path / "p.py").write_bytes(text)
    out = tmp_path / "out"
    command = ("run", tmp_path / "p.py", "--rig", folder / "rig.toml", "--out", out)
    for more in ((), ("--dry-run",)):
        answer = optobind(*command, *more)
        assert answer.code == 2
        assert said in answer.err
        assert answer.err.count("\n") == 1
        assert not out.exists()
