"""Everything that docs/theory/equations.md names exists."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import optobind

ROOT = Path(optobind.__file__).parent
TABLE = (ROOT / "docs" / "theory" / "equations.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`([\w/]+/test_\w+\.py(?:::\w+)?)`", TABLE)))
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "`" in line]


def test_the_table_covers_all_equations_and_figures():
    first = [row.split("|")[1].strip() for row in ROWS]
    for number in range(1, 14):
        assert f"({number})" in first
    for figure in ("Fig. 1", "Fig. 2", "Fig. 3(a)", "Fig. 3(b)"):
        assert figure in first


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:models|theory)\.[\w.]+)`", TABLE))))
def test_named_functions_exist(name):
    module, _, attribute = name.rpartition(".")
    try:
        import_module(f"optobind.{name}")
    except ModuleNotFoundError:
        assert hasattr(import_module(f"optobind.{module}"), attribute), name


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`([\w/]+/test_\w+\.py(?:::\w+)?)`", TABLE)))
)
def test_named_tests_exist(name):
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not function or function in names


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.py)`", TABLE))))
def test_named_examples_exist(name):
    assert (ROOT / "docs" / "examples" / name).is_file()
