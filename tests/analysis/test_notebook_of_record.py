"""The notebook of a window: run as it stands, it gives what the window showed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import optobind as ob
from optobind.analysis.notebook import notebook_text, write_notebook
from optobind.analysis.recorded.released import fit_releases
from optobind.analysis.recorded.tasks import StretchTask, fit_stretch
from optobind.models.errors import FileError


def carried_out(text: str) -> dict:
    """Names after all code cells were run; plots are drawn nowhere."""
    names: dict = {}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    return names


@pytest.fixture
def line(tmp_path):
    """A line of 4 kHz at 30 kHz beside a weaker one, in a table that does not say its rate."""
    rng = np.random.default_rng(5)
    white = rng.standard_normal((60_000, 2))
    spectrum = np.fft.rfft(white, axis=0)
    f = np.fft.rfftfreq(len(white), 1.0 / 250e3)[:, None]
    lines = 1.0 / (1.0 - (f / 30e3) ** 2 + 1j * f * 4e3 / 30e3**2)
    samples = np.fft.irfft(spectrum * (lines + 0.05), axis=0)
    path = tmp_path / "line's.npz"
    np.savez(path, left=samples[:, 0], right=samples[:, 1])
    return path


def test_a_notebook_gives_the_fit_of_the_window(line):
    task = StretchTask(
        line, {"sample_rate": 250e3, "key": "left", "columns": None}, 5000, 45_000, "single",
        (np.float64(15e3), 45e3), ((20e3, 20.5e3),),
    )  # fmt: skip
    names = carried_out(notebook_text(task, whole=False, steady=True, settings=None))
    assert "reheating" not in names
    assert names["record"].recorded()[0] == (5000, 45_000)
    shown = fit_stretch(task).result
    assert names["analysis"].result.value("D") == shown.value("D")
    assert names["analysis"].result.input["band"] == shown.input["band"]


@pytest.mark.slow
@pytest.mark.parametrize("reversal", [False, True])
def test_releases_of_a_notebook_are_those_of_the_window(tmp_path, reversal):
    plan = ob.ReheatingPlan(
        repetitions=80, release_time=0.5e-3, phase_reversal="repetition" if reversal else "none"
    )
    record = ob.simulate("simulated-pair", plan, out=tmp_path / "run")
    extent = record.recorded()[0][0], record.recorded()[-1][1]
    task = StretchTask(record.path, {}, *extent, setting=len(record.settings) - 1)
    text = notebook_text(task, whole=True, steady=False, settings=record.settings)
    assert ("at_phase" in text) == reversal
    names = carried_out(text)
    shown = fit_releases(task).result
    assert names["reheating"].result.value("D11") == pytest.approx(shown.value("D11"), rel=1e-12)
    record.close()


def test_a_folder_that_is_not_there_is_named(tmp_path, line):
    task = StretchTask(line, {}, 0, 100)
    with pytest.raises(FileError, match="cannot write"):
        write_notebook(tmp_path / "no" / "a.ipynb", task, whole=True, steady=True, settings=None)
