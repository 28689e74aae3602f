"""What a list of runs says of them: worth and stored fits where asked for, only the newest."""

import math
import os

import pytest

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.run_catalogue import catalogue
from optobind.acquisition.runfile_results import write_results

from .sweeping import connected, small_rig


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    session = connected(small_rig())
    try:
        for number, plan in enumerate((MonitorPlan(0.01), ReheatingPlan(repetitions=3))):
            path = folder / str(number) / "run.h5"
            session.start(plan, path).result(60)
            os.utime(path, (1e9 + number, 1e9 + number))
    finally:
        session.close()
    value = {"value": math.tau * 900.0, "stderr": math.tau * 20.0, "unit": "rad/s"}
    results = {"reheating": {"parameters": {"g_r": value}}, "truth": {"g_r": 1.0}}
    write_results(folder / "0" / "run.h5", results)
    return folder


def test_worth_and_stored_fits_are_said_where_asked_for(runs):
    first, second = catalogue(runs, details=True)
    assert first.results == ("reheating: gᵣ = 900 ± 20 Hz",)
    assert second.worth == "3 of 3 releases usable"
    assert [(e.worth, e.results) for e in catalogue(runs)] == [("", ())] * 2


def test_only_the_newest_files_are_opened(runs):
    os.utime(runs / "0" / "run.h5", (2e9, 2e9))
    (entry,) = catalogue(runs, 1)
    assert entry.path.parent.name == "0"
