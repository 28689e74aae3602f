"""Every public name, the theory's too, says what it returns and shows an example that runs."""

from __future__ import annotations

import doctest
import inspect
import operator
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import optobind


def names_of(namespace: ModuleType, prefix: str = "") -> list[str]:
    """Public names below ``optobind`` but for modules and exceptions."""
    return [
        prefix + name
        for name in namespace.__all__
        if not inspect.ismodule(thing := getattr(namespace, name))
        and not (inspect.isclass(thing) and issubclass(thing, Exception))
    ]


NAMES = [*names_of(optobind), *names_of(optobind.theory, "theory.")]

# A sentence may say what the example shows.
EXAMPLE = re.compile(r"\nExamples\n--------\n([^>\n].*\n\n)?>>> ")


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented_with_an_example(name: str) -> None:
    thing = operator.attrgetter(name)(optobind)
    text = inspect.getdoc(thing) or ""
    assert EXAMPLE.search(text), f"{name} shows no example"
    assert inspect.isclass(thing) or "\nReturns\n-------\n" in text, f"{name}: what is returned?"
    assert inspect.isclass(thing) or "\nParameters\n----------\n" in text, f"{name}: of what?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where README's command has written ``runs/first``; here the run is shorter."""
    place = tmp_path_factory.mktemp("notebook")
    plan = optobind.load_plan("demo", ["steps.0.duration=0.5 s", "steps.1.repetitions=60"])
    optobind.simulate("simulated-pair", plan, out=place / "runs" / "first").close()
    return place


@pytest.mark.slow
def test_everything_shows_itself_in_a_line(folder: Path) -> None:
    record = optobind.open_record(folder / "runs" / "first" / "run.h5")
    spectrum, releases = optobind.analyse_spectrum(record), optobind.analyse_reheating(record)
    trap = optobind.load_trap("simulated-pair")
    light = optobind.pair_family(trap, phi=np.linspace(0.0, 1.0, 500))
    things = [
        *(record, spectrum, spectrum.csd, spectrum.result, releases, releases.estimate),
        *(optobind.load_rig("simulated-pair"), trap, trap.linearize(), light),
        *(light.coefficients(), trap.field(trap.foci), trap.pair_constants(), trap.far_field()),
        *(optobind.pair_green(trap.foci, trap.k), optobind.ideal_phases(8)),
        *(optobind.ideal_regimes(np.linspace(0.0, 1.0, 900), [5.0, 6.0]),),
        *(optobind.array_symmetry(trap, [0.0, 1.0], [0.0, 0.1]),),
        *(optobind.array_regimes(trap, [0.0, 1.0], [2.4e-6, 2.6e-6]),),
    ]
    for thing in things:
        assert len(repr(thing)) < 500, repr(thing)
        assert "\n" not in repr(thing)
        assert "array(" not in repr(thing)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("mie_corrections", "dipole_radius"):
        pytest.importorskip("miepython")
    if name in ("RemoteServer", "RemoteSession", "connect", "serve"):
        pytest.importorskip("websockets")
    monkeypatch.chdir(folder)
    thing = operator.attrgetter(name)(optobind)
    found = doctest.DocTestFinder(recurse=False).find(thing, name, globs={})
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    with np.printoptions(precision=4, suppress=True):
        for test in found:
            runner.run(test, out=said.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(said)
