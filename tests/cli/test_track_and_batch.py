"""``optobind track`` and ``optobind fit batch`` as their users see them."""

from __future__ import annotations

import csv

import h5py
import numpy as np
import pytest

from optobind.models.inference.matrices import model_single
from optobind.models.simulation import simulate_model

RATE = 5e5
TRUTH = {"omega": 2 * np.pi * 45e3, "gamma": 6e3, "D": 4e5, "noise": 3e-6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("records")
    for k in range(2):
        data, _ = simulate_model(model_single(TRUTH), 40_000, RATE, np.random.default_rng(k))
        np.savez(path / f"{k}.npz", samples=data, sample_rate=RATE, unit="quanta")
    (path / "bad.npz").write_bytes(b"nothing")
    return path


@pytest.mark.slow
def test_track_prints_what_it_found_and_stores_the_trajectories(optobind, folder, tmp_path):
    out = tmp_path / "new" / "track.h5"
    plot = tmp_path / "track.png"
    answer = optobind("track", folder / "0.npz", "--out", out, "--plot", plot, "--every", 10)
    assert answer.code == 0, answer
    assert "innovations" in answer.out
    assert answer.err == ""
    assert plot.stat().st_size > 10_000
    with h5py.File(out) as file:
        assert file["retrodicted"].shape == (4_000, 2)
    found = optobind("track", folder / "0.npz", "--out", out, "--json").json
    assert found["innovations"]["p_value"] > 1e-3
    assert found["fit"]["parameters"]["D"]["value"] == pytest.approx(4e5, rel=0.1)
    assert found["conditional"]["filtered"]["occupations"][0] > 0.0


def test_track_does_not_write_over_its_record(optobind, folder):
    before = (folder / "1.npz").read_bytes()
    answer = optobind("track", folder / "1.npz", "--out", folder / "1.npz")
    assert answer.is_one_line_error(2), answer
    assert "is the record itself" in answer.err
    assert (folder / "1.npz").read_bytes() == before


def test_batch_writes_a_line_a_file_and_goes_on_with_more(optobind, folder, tmp_path, monkeypatch):
    # In this process: that processes give the same is tested where they are.
    from optobind.analysis.batch import run as module
    from optobind.analysis.batch.tasks import carry_out

    monkeypatch.setattr(module, "in_processes", lambda tasks, _: ((t, carry_out(t)) for t in tasks))
    table = tmp_path / "t.csv"
    answer = optobind("fit", "batch", "spectrum", folder / "0.npz", "--out", table)
    assert answer.code == 0, answer
    assert "1 of 1 fits" in answer.out
    found = optobind("fit", "batch", "spectrum", folder / "*.npz", "--out", table, "--json")
    assert {k: found.json[k] for k in ("rows", "ok", "failed", "done_before")} == {
        "rows": 3, "ok": 2, "failed": 1, "done_before": 1
    }  # fmt: skip
    assert "bad.npz cannot be read as NPZ" in found.err
    with table.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["status"] for line in lines] == ["ok", "ok", "failed"]
    assert float(lines[0]["omega [rad/s]"]) == pytest.approx(TRUTH["omega"], rel=2e-3)


def test_batch_of_which_nothing_can_be_fitted_ends_with_3_and_its_table(optobind, folder, tmp_path):
    table = tmp_path / "t.csv"
    answer = optobind("fit", "batch", "spectrum", folder / "bad.npz", "--out", table, "--jobs", 1)
    assert answer.code == 3
    assert "none of 1 fits went well" in answer.err
    assert table.exists()


@pytest.mark.parametrize("kind", ["spectrum", "reheating"])
def test_batch_leaves_the_prior_of_the_gas_out_as_fits_of_one_file_do(
    optobind, folder, tmp_path, monkeypatch, kind
):
    asked = []
    monkeypatch.setattr("optobind.cli.batch.fit_batch", lambda *words: asked.append(words))
    command = ["fit", "batch", kind, tmp_path / "a.npz", "--out", tmp_path / "t.csv"]
    assert optobind(*command).code == 0
    assert optobind(*command, "--gamma-prior", "off").code == 0
    assert [words[2]["gamma_prior"] for words in asked] == [None, False]
