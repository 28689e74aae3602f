"""What the README promises runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

import optobind
from optobind.__main__ import main
from optobind.cli.app import app

ROOT = Path(optobind.__file__).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOK = README.partition("## In a notebook")[2].partition("\n## ")[0]


def _command() -> list[str]:
    """Arguments of the command that README gives before its notebook."""
    (line,) = re.findall(r"^\.venv/bin/optobind (.*)$", NOTEBOOK, flags=re.MULTILINE)
    return shlex.split(line)


def _paste(capsys: pytest.CaptureFixture[str]) -> str:
    """Run the snippet of README as pasted, and return what it printed."""
    (block,) = re.findall(r"```python\n(.*?)```", NOTEBOOK, flags=re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 12
    capsys.readouterr()
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    for word in ("Hz", "re_D12", "χ²", "rad/s"):
        assert word in printed
    assert Path("spectrum.png").stat().st_size > 10_000
    return printed


@pytest.mark.slow
def test_the_notebook_example_runs_as_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a shorter run than that of README's command, at the place that the command names."""
    monkeypatch.chdir(tmp_path)
    name, option, folder = _command()
    assert (name, option) == ("demo", "--out")
    optobind.simulate("simulated-pair", optobind.MonitorPlan(duration=0.3), out=folder).close()
    _paste(capsys)


@pytest.mark.slow
def test_the_notebook_example_runs_after_the_command_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(_command()) == 0
    _paste(capsys)


def test_names_of_the_theory_that_are_named_exist() -> None:
    named = re.findall(r"ob\.theory\.(\w+)", README)
    assert len(named) >= 5
    assert set(named) <= set(optobind.theory.__all__)
    assert set(re.findall(r"\bob\.(\w+)", README)) <= set(optobind.__all__)


def _commands(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    inner = getattr(group, "commands", None)
    if inner is None:
        return {" ".join(path): group}
    found: dict[str, Any] = {}
    for name, command in inner.items():
        found |= _commands(command, (*path, name))
    return found


def test_the_table_of_commands_is_complete_and_true() -> None:
    table = README.partition("## The command line")[2].partition("\n\nRigs and plans")[0]
    commands = _commands(typer.main.get_command(app))
    seen = set()
    for row in re.findall(r"^\| (`.*?) \|", table.replace("\\|", "/"), flags=re.MULTILINE):
        prefix = ""
        for usage in re.findall(r"`([^`]+)`", row):
            words = usage.removeprefix("optobind ").split()
            plain = [w for w in words if w.isascii() and w.replace("-", "").islower()]
            pairs = (" ".join(plain[:3]), " ".join(plain[:2]))
            candidates = (*pairs, plain[0], f"{prefix} {plain[0]}")
            name = next((words for words in candidates if words in commands), "")
            assert name, f"{usage!r} is no command"
            prefix = name.rpartition(" ")[0] or name
            seen.add(name)
            params = commands[name].params
            options = {o for p in params for o in (*p.opts, *p.secondary_opts)}
            assert set(re.findall(r"--[a-z-]+", usage)) <= options, usage
    assert seen == set(commands)


def test_shipped_rigs_and_plans_are_the_ones_named() -> None:
    folder = Path(optobind.__file__).parent / "config"
    for kind in ("rigs", "plans"):
        for path in (folder / kind).glob("*.toml"):
            assert f"`{path.stem}`" in README
