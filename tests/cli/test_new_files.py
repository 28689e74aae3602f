"""``optobind rigs``, ``plans``, ``config new``, ``config check --all``, help and completion."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from optobind.cli import new

COMMAND = [sys.executable, "-m", "optobind"]


def test_a_new_rig_is_written_checked_and_listed(optobind, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = optobind("config", "new", "rig", "--radius", "85 nm", "--out", "mine.toml")
    assert written.code == 0
    assert "mine.toml written" in written.out
    assert optobind("config", "check", "--all", "mine.toml").code == 0
    listed = optobind("rigs", ".", "--json").json["rigs"]
    assert "mine.toml" in [entry["name"] for entry in listed]
    again = optobind("config", "new", "rig", "--out", "mine.toml")
    assert again.is_one_line_error(2)
    assert "nothing was written" in again.err


@pytest.mark.parametrize(
    "devices", [(), ("digitizer=ni", "gate=ni", "light=slm+rf", "slm=display", "rf=siglent")]
)
def test_knobs_and_sensors_that_a_new_rig_shows_are_good_without_their_marks(
    optobind, tmp_path, monkeypatch, devices
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [word for device in devices for word in ("--device", device)]
    assert optobind("config", "new", "rig", *options, "--out", "mine.toml").code == 0
    above, mark, shown = (tmp_path / "mine.toml").read_text().partition("# [devices.knobs.")
    used = "\n".join(line.removeprefix("# ") for line in (mark + shown).splitlines())
    (tmp_path / "mine.toml").write_text(f"{above}\n{used}\n")
    checked = optobind("config", "check", "--all", "mine.toml")
    assert checked.code == 0
    assert ("coil" if devices else "leak") in used
    assert "sensors" in used


def test_every_problem_of_a_file_has_its_line(optobind, tmp_path) -> None:
    path = tmp_path / "rig.toml"
    text = optobind("config", "new", "rig").out
    path.write_text(text.replace("70 nm", "70 km").replace("material", "materiel"), "utf-8")
    first = optobind("config", "check", str(path))
    assert first.is_one_line_error(2)
    assert "(3 more problems)" in first.err
    lines = optobind("config", "check", "--all", str(path)).err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["problem"] * 3 + ["optobind"]
    assert sum("did you mean material?" in line for line in lines) == 2
    assert sum("radius must lie in 5 nm" in line for line in lines) == 2


def test_plans_are_listed_and_begun(optobind, tmp_path) -> None:
    assert "reheating" in optobind("plans").out
    path = tmp_path / "plan.toml"
    path.write_text(optobind("config", "new", "reheating").out, "utf-8")
    assert "plan of kind reheating, valid" in optobind("config", "check", str(path)).out


def test_questions_are_asked_again_until_the_answer_is_good(optobind, monkeypatch) -> None:
    """Empty answers take what is proposed; drivers are asked for one family after the other."""
    answers = iter(["3", "7 parsec", "85 nm", *[""] * 6, "y", "ni", "none", "what", *["none"] * 6])
    monkeypatch.setattr(new.sys.stdin, "isatty", lambda: True, raising=False)

    def prompt(_question: str, default: object, type: type = str, **_: object) -> object:
        return type(next(answers) or default)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: next(answers) == "y")
    answer = optobind("config", "new", "rig", "--ask")
    assert answer.code == 0, answer.err
    assert answer.out.count('radius = "85 nm"') == 3
    assert 'driver = "ni"' in answer.out
    assert "must lie in" in answer.err or "unit" in answer.err


def test_the_bare_command_shows_its_help(optobind) -> None:
    assert optobind().code == optobind("-h").code == 0
    assert "Usage: optobind" in optobind().out
    assert "config" in optobind("fit", "-h").out or "spectrum" in optobind("fit", "-h").out


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [("optobind re", "resume"), ("optobind run monitor --rig simulated-u", "unidirectional")],
)
def test_the_shell_is_told_what_could_follow(typed: str, proposed: str) -> None:
    variables = {
        **os.environ,
        "_OPTOBIND_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    answer = subprocess.run(
        COMMAND, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert proposed in answer.stdout
