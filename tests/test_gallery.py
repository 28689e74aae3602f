"""The gallery: every example is listed, runs, and draws a small picture."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from PIL import Image

import optobind

ROOT = Path(optobind.__file__).parent
FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if path.stem != "quickstart")
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
TABLE = (ROOT / "docs" / "theory" / "equations.md").read_text(encoding="utf-8")
FAST = "heating_difference"
LARGEST = 150_000  # bytes


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = [str(ROOT.parent), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join(place for place in places if place),
    }
    command = [sys.executable, "-W", "error", str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)


def _check_picture(path: Path) -> None:
    assert 5_000 < path.stat().st_size <= LARGEST
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 1200
        darkest, lightest = picture.convert("L").getextrema()
    assert lightest - darkest > 200


def test_the_table_names_every_example_of_the_gallery():
    assert set(re.findall(r"`(\w+)\.py`", TABLE)) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_in_the_gallery_with_its_picture(name):
    assert f"[{name}.py](examples/{name}.py)" in GALLERY
    assert f"](images/gallery/{name}.png)" in GALLERY
    _check_picture(ROOT / "docs" / "images" / "gallery" / f"{name}.png")


def test_every_link_of_the_gallery_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", GALLERY):
        assert (ROOT / "docs" / target).is_file(), target


@pytest.mark.parametrize("name", [*EXAMPLES, "quickstart"])
def test_every_example_compiles_and_says_what_is_seen(name):
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    compile(source, f"{name}.py", "exec")
    assert source.startswith('"""')


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_imports_public_names_only(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("optobind"):
            public = {"optobind": optobind, "optobind.theory": optobind.theory}
            assert node.module in public, node.module
            assert {alias.name for alias in node.names} <= set(public[node.module].__all__)


def _draw(name, folder):
    done = _run(FOLDER / f"{name}.py", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    _check_picture(folder / f"{name}.png")


@pytest.mark.slow
def test_a_fast_example_draws_its_picture_into_a_new_folder(tmp_path):
    _draw(FAST, tmp_path / "new")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != FAST])
def test_every_example_draws_its_picture(name, tmp_path):
    if name == "mie":
        pytest.importorskip("miepython")
    _draw(name, tmp_path)


def test_pictures_that_do_not_exist_are_refused_by_name(monkeypatch, capsys):
    place = ROOT / "docs" / "make_pictures.py"
    specification = util.spec_from_file_location("make_pictures", place)
    module = util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert sorted(module.examples()) == EXAMPLES
    monkeypatch.setattr(sys, "argv", [str(place), "--only", "nothing"])
    with pytest.raises(SystemExit):
        module.main()
    assert "invalid choice: 'nothing'" in capsys.readouterr().err
