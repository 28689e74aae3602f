"""The package as a whole: its public names, its wheel, and what it does not import."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import optobind

ROOT = Path(optobind.__file__).parent
ROOMS = ("models", "theory", "instruments", "acquisition", "analysis", "config", "gui", "cli")


@pytest.mark.parametrize("space", [optobind, optobind.theory])
def test_every_public_name_loads(space: ModuleType) -> None:
    for name in space.__all__:
        assert getattr(space, name) is not None
    assert set(space.__all__) <= set(dir(space))
    with pytest.raises(AttributeError, match=r"attribute '?nonsense"):
        _ = space.nonsense


def test_names_of_theory_are_not_those_of_the_laboratory() -> None:
    assert not set(optobind.__all__) & set(optobind.theory.__all__)


@pytest.mark.parametrize("space", [optobind, optobind.theory])
def test_what_a_type_checker_sees_is_what_is_loaded(space: ModuleType) -> None:
    folder = Path(space.__file__ or "").parent
    tree = ast.parse((folder / "__init__.pyi").read_text(encoding="ascii"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(space.__all__)
    for name, module in seen.items():
        place = f"{space.__name__}.{module or name}"
        found = import_module(place)
        assert getattr(space, name) is (found if module is None else getattr(found, name))
        assert module is None or name in found.__all__, f"{place} does not offer {name}"


@pytest.mark.slow
def test_a_type_checker_refuses_a_misspelt_name_and_knows_the_others(tmp_path: Path) -> None:
    snippet = tmp_path / "notebook.py"
    snippet.write_text(
        "import optobind as ob\n"
        "ob.fit_pairr\n"
        "ob.theory.floquett\n"
        "reveal_type(ob.fit_pair)\n"
        "reveal_type(ob.theory.floquet)\n"
        "reveal_type(ob.analyse_spectrum(ob.open_record('run.h5')).result.value('D11'))\n",
        encoding="utf-8",
    )
    source = tmp_path / "source"
    source.mkdir()
    try:
        (source / "optobind").symlink_to(ROOT, target_is_directory=True)
    except OSError as error:
        pytest.skip(f"no links for this user: {error}")  # Windows without developer mode
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(snippet)]
    command += ["--config-file", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "MYPYPATH": str(source)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    said = [line.partition("notebook.py:")[2] for line in done.stdout.splitlines()]
    assert said[0].startswith('2: error: Module has no attribute "fit_pairr"'), done.stdout
    assert said[1].startswith('3: error: Module has no attribute "floquett"'), done.stdout
    for line, kind in zip(
        said[2:5], ("optobind.*FitResult", "FloquetAnalysis", "float"), strict=True
    ):
        assert "Revealed type is" in line
        assert re.search(kind, line.rpartition("->")[2]), line
        assert "Any" not in line.rpartition("->")[2].partition("[")[0], line
    assert len(said) == 6


def test_import_of_the_package_loads_no_room() -> None:
    code = (
        "import sys, optobind\n"
        "assert 'numpy' not in sys.modules\n"
        "loaded = {name for name in sys.modules if name.startswith('optobind.')}\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_core_and_analysis_import_neither_qt_nor_vendor_packages() -> None:
    code = (
        "import sys\n"
        "for name in ('PyQt6', 'pyqtgraph', 'superqt', 'nidaqmx', 'slmsuite', 'pyvisa'):\n"
        "    sys.modules[name] = None\n"
        "import optobind\n"
        "for name in optobind.__all__:\n"
        "    getattr(optobind, name)\n"
        "import optobind.acquisition.session, optobind.config.build, optobind.analysis.spectrum\n"
        "import optobind.cli.demo, optobind.analysis.report.page\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_packages_are_listed_one_by_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    found = {"optobind"}
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            found.add(".".join(("optobind", *init.parent.relative_to(ROOT).parts)))
    assert listed == found


@pytest.mark.slow
def test_the_wheel_holds_the_tree_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {n for n in archive.namelist() if ".dist-info/" not in n}
    wanted = {"optobind/__init__.py", "optobind/__main__.py", "optobind/__init__.pyi"}
    wanted.add("optobind/py.typed")
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {".py", ".pyi", ".toml"}:
                wanted.add(f"optobind/{path.relative_to(ROOT).as_posix()}")
    assert packed == wanted
