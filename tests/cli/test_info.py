"""``optobind info --verify`` and ``recover`` on whole, damaged and old run files."""

import json

import h5py
import pytest


@pytest.fixture
def run(optobind, tmp_path):
    words = ["run", "monitor", "--rig", "simulated-pair", "--out", tmp_path]
    assert optobind(*words, "--set", "plan.duration=50 ms").code == 0
    return tmp_path / "run.h5"


def damage(path, rows):
    """Change samples as a failing disk does."""
    with h5py.File(path, "r+") as file:
        for row in rows:
            file["samples"][row, 0] ^= 1


def test_a_whole_file_is_verified(optobind, run):
    answer = optobind("info", run, "--verify")
    assert answer.code == 0
    assert "all checksums fit" in answer.out
    found = json.loads(optobind("info", run, "--verify", "--json").out)["verified"]
    assert (found["ok"], found["damaged"]) == (True, {})
    assert "verified" not in json.loads(optobind("info", run, "--json").out)


@pytest.mark.slow
def test_damaged_samples_are_listed_refused_by_fits_and_left_out_by_recover(optobind, run):
    damage(run, [100])
    answer = optobind("info", run, "--verify", "--json")
    found = json.loads(answer.out)["verified"]
    (first, stop), *more = found["damaged"]["samples"]
    assert not more
    assert first <= 100 < stop
    assert answer.code == 2
    assert f"samples {first} … {stop - 1} are damaged; optobind recover" in answer.err
    assert answer.err.count("\n") == 1
    answer = optobind("fit", "spectrum", run)
    assert answer.is_one_line_error(2)
    assert f"samples {first} … {stop - 1} differ from their checksums" in answer.err
    assert optobind("recover", run).code == 0
    copy = run.with_name("run_recovered.h5")
    answer = optobind("info", copy, "--verify", "--json")
    assert answer.code == 0
    values = json.loads(answer.out)
    assert values["lost_samples"] == stop - first
    assert values["recovered"]
    assert optobind("fit", "spectrum", copy).code == 0


def test_an_old_file_is_read_and_says_that_it_has_no_checksums(optobind, run):
    with h5py.File(run, "r+") as file:
        del file["checksums"], file.attrs["checksum"], file.attrs["closing_checksum"]
    answer = optobind("info", run, "--verify")
    assert answer.code == 0
    assert "no checksums" in answer.out


@pytest.mark.parametrize("rate", [-1.0, 0.0, float("nan"), float("inf"), 1e300])
def test_a_rate_that_no_clock_has_is_one_line_and_2(optobind, run, rate):
    with h5py.File(run, "r+") as file:
        del file["checksums"], file.attrs["checksum"], file.attrs["closing_checksum"]
        file.attrs["sample_rate"] = rate
    for words in (["info", run], ["fit", "spectrum", run]):
        assert optobind(*words).is_one_line_error(2)
