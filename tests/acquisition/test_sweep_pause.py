"""A sweep that is paused holds its run and begins no other point; beginning one, refused or not."""

import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.sweeps.beginning import begin_sweep
from optobind.acquisition.sweeps.control import Ended
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.rows import PointFit
from optobind.acquisition.sweeps.runner import SweepRunner
from optobind.analysis.sweep_work import SweepWork
from optobind.models.errors import FileError, InputError

from .sweeping import connected, new_sweep, powers, small_rig

PLAN = SweepPlan((Axis("phi", (0.4, 0.5, 0.6)),), MonitorPlan(0.01))


@pytest.fixture
def session():
    session = connected(small_rig())
    yield session
    session.close()


def test_a_paused_sweep_begins_no_other_point_until_it_goes_on(tmp_path, session):
    folder = new_sweep(tmp_path / "sweep", session, PLAN)
    held = threading.Event()

    def on_row(rows):
        if len(rows) == 1:
            runner.request_pause(True)
            held.set()

    runner = SweepRunner(session, folder, powers, on_row=on_row)
    found = []
    thread = threading.Thread(target=lambda: found.append(runner.carry_out()))
    thread.start()
    assert held.wait(60)
    while runner.status().message != "paused":
        assert thread.is_alive()
    assert runner.status().done == 1
    assert session.status().state == "idle"
    runner.request_pause(False)
    thread.join(60)
    assert found[0].state == "complete"
    assert len(found[0].rows) == 3


def test_a_paused_sweep_can_be_stopped(tmp_path, session):
    folder = new_sweep(tmp_path / "sweep", session, PLAN)
    runner = SweepRunner(session, folder, powers)
    runner.request_pause(True)
    runner.request_stop()
    assert runner.carry_out().state == "stopped"


def test_a_sweep_beside_something_else_tells_its_rows_and_ends_as_asked(tmp_path, session):
    work = SweepWork(
        session, lambda: begin_sweep(session, PLAN, tmp_path / "s", {}), new=True, fit=powers
    )
    work.start()
    outcome = work.future.result(60)
    assert outcome.state == "complete"
    assert len(work.rows) == 3
    assert (tmp_path / "s" / "report.html").is_file()
    assert work.join(60)


@pytest.mark.parametrize(
    ("ask", "state"), [("request_stop", "stopped"), ("request_abort", "aborted")]
)
def test_an_end_that_is_asked_for_before_the_beginning_is_heard(tmp_path, session, ask, state):
    work = SweepWork(
        session, lambda: begin_sweep(session, PLAN, tmp_path / "s", {}), new=True, fit=powers
    )
    getattr(work, ask)()
    work.start()
    assert work.future.result(60).state == state
    assert work.rows == ()


def test_a_sweep_that_is_refused_leaves_no_folder(tmp_path, session):
    plan = SweepPlan((Axis("power", (0.39, 60.0)),), MonitorPlan(0.01))
    work = SweepWork(
        session, lambda: begin_sweep(session, plan, tmp_path / "s", {}), new=True, fit=powers
    )
    work.start()
    with pytest.raises(InputError, match="point 2"):
        work.future.result(60)
    assert not (tmp_path / "s").exists()


def test_a_folder_with_a_sweep_is_not_begun_anew(tmp_path, session):
    begin_sweep(session, PLAN, tmp_path / "s", {"note": "first"})
    with pytest.raises(FileError, match="holds a sweep already"):
        begin_sweep(session, PLAN, tmp_path / "s", {})


def test_a_fit_that_hangs_is_given_up_on_abort_and_its_point_is_kept(tmp_path, session):
    begun, go = threading.Event(), threading.Event()

    def hanging(path, kind):
        begun.set()
        assert go.wait(60)
        raise Ended("aborted", "aborted on request")

    work = SweepWork(
        session, lambda: begin_sweep(session, PLAN, tmp_path / "s", {}), new=True, fit=hanging
    )
    work.start()
    assert begun.wait(60)
    work.request_abort()
    go.set()
    outcome = work.future.result(60)
    assert outcome.state == "aborted"
    assert [row.fit for row in outcome.rows] == [None]
    assert [row.number for row in work.folder.rows()] == [1]


class Fits:
    """A process of the fits that answers as a test wants."""

    def __init__(self, *answers):
        self.answers, self.closed = list(answers), False

    def task(self, function, argument):
        future: Future = Future()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def work_with(session, fits):
    work = SweepWork(session, lambda: None, new=True)
    work._fits = fits
    return work


def test_a_fit_whose_process_is_killed_is_made_once_more(tmp_path, session):
    good = PointFit("pair", True)
    work = work_with(session, Fits(BrokenProcessPool("killed"), good))
    assert work._fit_elsewhere(tmp_path, "spectrum") is good


def test_a_process_that_cannot_work_is_a_finding_not_the_end(tmp_path, session):
    work = work_with(session, Fits(OSError("no memory"), OSError("no memory")))
    found = work._fit_elsewhere(tmp_path, "spectrum")
    assert found.failure == "the process of the fits failed: no memory"


def test_a_fit_that_never_answers_is_given_up_by_an_abort(tmp_path, session):
    fits = Fits(None)
    work = work_with(session, fits)
    work.request_abort()
    with pytest.raises(Ended, match="aborted"):
        work._fit_elsewhere(tmp_path, "spectrum")
    assert fits.closed
