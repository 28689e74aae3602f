"""The package as a whole: its public names, its wheel, and what it does not import."""

from __future__ import annotations

import ast
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
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = space.nonsense


def test_names_of_theory_are_not_those_of_the_laboratory() -> None:
    assert not set(optobind.__all__) & set(optobind.theory.__all__)


def test_a_type_checker_sees_the_names_of_theory_that_are_loaded() -> None:
    tree = ast.parse((ROOT / "theory" / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert sorted(seen) == optobind.theory.__all__
    for name, module in seen.items():
        assert getattr(optobind.theory, name) is getattr(
            import_module(f"optobind.theory.{module}"), name
        )


def test_import_of_the_package_loads_no_room() -> None:
    code = (
        "import sys, optobind\n"
        "assert 'numpy' not in sys.modules\n"
        "loaded = {name for name in sys.modules if name.startswith('optobind.')}\n"
        "assert loaded == {'optobind.theory'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
    wanted = {"optobind/__init__.py", "optobind/__main__.py", "optobind/py.typed"}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {".py", ".toml"}:
                wanted.add(f"optobind/{path.relative_to(ROOT).as_posix()}")
    assert packed == wanted
