"""What cli hands to the window's queue."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.run_catalogue import CatalogueEntry
from optobind.acquisition.session import Session
from optobind.acquisition.sweeps.beginning import begin_sweep
from optobind.acquisition.sweeps.folder import SweepFolder
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.cli.runs import _table
from optobind.cli.window_runs import run_services
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.errors import FileError, InputError

PLAN = SweepPlan((Axis("phi", (0.4, 0.5)),), MonitorPlan(0.01), fit="none")
CLOCK = "simulation.clock=fast"


def test_a_list_of_runs_cuts_no_name_however_narrow_it_is():
    name = "a-rig-whose-name-nobody-should-have-to-guess"
    entry = CatalogueEntry(
        Path("runs/one/run.h5"), "reheating", "SIM", 0.0, "complete", "9 samples", name,
        worth="64 of 1000 releases usable",
    )  # fmt: skip
    console = Console(width=90, file=io.StringIO())
    console.print(_table([entry], Path("runs"), details=True))
    text = console.file.getvalue()
    assert "…" not in text
    assert "1970-01-0" in text.replace("1969-12-3", "1970-01-0")
    column = [line.split("│")[5].strip() for line in text.splitlines() if line.startswith("│")]
    assert "".join(column) == name


@pytest.fixture
def begin(tmp_path):
    sessions = []

    def make(*settings):
        rig = build_rig(read_rig("simulated-pair", [CLOCK, *settings]))
        session = Session(rig, run_directory=tmp_path / "runs", live_fits=False)
        sessions.append(session)
        session.connect().result(60)
        return session

    yield make
    for session in sessions:
        session.close()


def test_plans_are_read_as_by_run_and_refused_in_one_line(begin, tmp_path):
    services = run_services(begin())
    path = tmp_path / "mine.toml"
    path.write_text('kind = "monitor"\nduration = "2 s"\n')
    assert services.plan(path) == ("mine", MonitorPlan(2.0))
    path.write_text('kind = "monitor"\nduration = "2 apples"\n')
    with pytest.raises(InputError, match="apples"):
        services.plan(path)


def test_no_runs_are_listed_before_there_is_a_folder(begin):
    assert run_services(begin()).runs(10) == ()


def test_a_sweep_goes_where_runs_go_with_its_note(begin, tmp_path):
    work = run_services(begin()).sweep(PLAN, "at night")
    work.start()
    outcome = work.future.result(120)
    assert outcome.state == "complete"
    assert outcome.folder.parent == tmp_path / "runs"
    assert SweepFolder(outcome.folder).header.origin["note"] == "at night"


def test_a_sweep_of_another_rig_is_not_gone_on_with(begin, tmp_path):
    begin_sweep(begin(), PLAN, tmp_path / "s", {})
    other = run_services(begin("gas.pressure=1e-6 mbar")).resumed(tmp_path / "s")
    other.start()
    with pytest.raises(InputError, match=r"differ in gas\.pressure"):
        other.future.result(60)
    assert SweepFolder(tmp_path / "s").rows() == []


def test_what_is_no_sweep_is_said(begin, tmp_path):
    work = run_services(begin()).resumed(tmp_path)
    work.start()
    with pytest.raises(FileError, match="holds no sweep"):
        work.future.result(60)
