"""Sweeps from beginning to end on the simulated laboratory: order, resume, failures, ends."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition import recorder
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.suspenders import SuspendRules
from optobind.acquisition.sweeps.folder import SweepFolder
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.runner import SweepRunner
from optobind.models.errors import DeviceError, FileError, InputError

from .sweeping import connected, new_sweep, phase_sweep, powers, samples_of, small_rig

PLAN = phase_sweep(3, reference_every=3, order="random")


def events_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def carry_out(folder, session, fit=powers, **more):
    return SweepRunner(session, SweepFolder(folder), fit, **more).carry_out()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A sweep that nothing interrupted: its folder."""
    path, session = tmp_path_factory.mktemp("sweep") / "whole", connected(small_rig())
    new_sweep(path, session, PLAN)
    assert carry_out(path, session).state == "complete"
    session.close()
    return path


def test_every_point_is_measured_at_its_light_and_references_return_to_the_first(undisturbed):
    table = (undisturbed / "table.csv").read_text().splitlines()
    heads = table[0].split(",")
    lines = [dict(zip(heads, line.split(","), strict=True)) for line in table[1:]]
    assert [line["kind"] for line in lines] == ["reference", *["point"] * 3, "reference"]
    points = [line for line in lines if line["kind"] == "point"]
    assert sorted(float(line["phi (rad)"]) for line in points) == [0.0, 0.75, 1.5]
    for line in lines:
        with RunFile.open(undisturbed / "points" / line["file"]) as run:
            light = next(e for e in run.events() if e.kind == "light").payload["sites"]
            begin = run.events()[0].payload
        recorded = light[0]["phase"] - light[1]["phase"]
        assert recorded == pytest.approx(float(line["phi_read (rad)"]), abs=1e-9)
        assert recorded == pytest.approx(float(line["phi (rad)"]), abs=0.01)
        assert begin["sweep"]["point"] == int(line["point"])
        assert begin["seed"] == int(line["seed"]) == run.manifest["seed"]


@pytest.mark.slow
def test_a_sweep_that_was_stopped_goes_on_and_gives_the_same_table_and_samples(
    undisturbed, tmp_path
):
    path, session = tmp_path / "broken", connected(small_rig())
    new_sweep(path, session, PLAN)
    runner = SweepRunner(session, SweepFolder(path), powers)
    runner._on_row = lambda rows: runner.request_stop() if len(rows) == 3 else None
    outcome = runner.carry_out()
    assert (outcome.state, len(outcome.rows)) == ("stopped", 3)
    session.close()
    session = connected(small_rig(seed=5))  # a new program: the light is that of the rig's file
    assert carry_out(path, session).state == "complete"
    session.close()
    assert (path / "table.csv").read_bytes() == (undisturbed / "table.csv").read_bytes()
    for number in range(1, 6):
        name = f"points/{number:04d}.h5"
        np.testing.assert_array_equal(samples_of(path / name), samples_of(undisturbed / name))


def test_resuming_a_whole_sweep_changes_nothing(undisturbed):
    before = {p: p.read_bytes() for p in undisturbed.rglob("*") if p.is_file()}
    session = connected(small_rig())
    light = session.light()
    assert carry_out(undisturbed, session).state == "complete"
    assert session.light() == light
    session.close()
    assert {p: p.read_bytes() for p in undisturbed.rglob("*") if p.is_file()} == before


def test_a_point_depends_on_nothing_that_was_done_before(tmp_path):
    """Releases with a jittering gate, after other light, a lost and reloaded particle."""
    plan = replace(phase_sweep(2), inner=ReheatingPlan(repetitions=5, timing="software"))
    files = []
    for name, disturbed in (("a", False), ("b", True)):
        session = connected(small_rig(jitter=1e-4))
        new_sweep(tmp_path / name, session, plan)
        if disturbed:
            state = session.light().requested
            session.set_light(state.with_pair(phi=0.9, separation=2.7e-6)).result(60)
            session.start(MonitorPlan(0.03), tmp_path / "before.h5").result(60)
            session.rig.world._engine.memory.state[3] = 1e9
            session.start(MonitorPlan(0.01), tmp_path / "lost.h5").result(60)
            session.reload_particles().result(60)
            session.set_light(state).result(60)
        assert carry_out(tmp_path / name, session).state == "complete"
        session.close()
        files.append(samples_of(tmp_path / name / "points/0002.h5"))
    np.testing.assert_array_equal(*files)
    assert files[0].std() > 10.0


def test_an_aborted_point_is_measured_anew_and_its_beginning_is_kept(tmp_path):
    path, session = tmp_path / "s", connected(small_rig())
    new_sweep(path, session, replace(phase_sweep(), inner=MonitorPlan(60.0)))
    runner = SweepRunner(session, SweepFolder(path), powers)
    thread = threading.Thread(target=runner.carry_out)
    thread.start()
    while session.status().recorded < 1000:
        pass
    runner.request_abort()
    thread.join(60)
    session.close()
    assert not thread.is_alive()
    assert not (path / "points/0001.h5").exists()
    with RunFile.open(path / "points/0001.try1.h5") as run:
        assert run.manifest["outcome"] == "aborted"
        assert run.rows > 0
    assert events_of(path)[-1]["state"] == "aborted"
    assert SweepFolder(path).rows() == []


class FailingDigitizer:
    """Wraps a simulated digitizer; fails at the reads that a test names."""

    def __init__(self, inner, bad):
        self._inner, self._bad, self._count = inner, bad, 0

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def read_into(self, buffer):
        self._count += 1
        if self._count in self._bad:
            raise DeviceError("digitizer: the link broke; check the cable")
        return self._inner.read_into(buffer)


def test_a_device_that_fails_now_and_then_loses_and_doubles_no_point(undisturbed, tmp_path):
    rig = small_rig()
    rig.digitizer = FailingDigitizer(rig.digitizer, {2, 3, 5})
    path, session = tmp_path / "s", connected(rig)
    new_sweep(path, session, PLAN)
    assert carry_out(path, session).state == "complete"
    session.close()
    failed = [e for e in events_of(path) if e["event"] == "failed"]
    assert len(failed) == 3
    assert all("the link broke" in e["reason"] for e in failed)
    assert (path / "table.csv").read_bytes() == (undisturbed / "table.csv").read_bytes()


@pytest.mark.slow
def test_a_device_that_stays_broken_ends_the_sweep_and_resume_finishes_it(undisturbed, tmp_path):
    rig = small_rig()
    rig.digitizer = FailingDigitizer(rig.digitizer, set(range(4, 10**6)))
    path, session = tmp_path / "s", connected(rig)
    new_sweep(path, session, replace(PLAN, retries=2))
    outcome = carry_out(path, session)
    session.close()
    assert (outcome.state, outcome.exit_code) == ("failed", 4)
    assert "the link broke" in outcome.reason
    tries = [e["attempt"] for e in events_of(path) if e["event"] == "failed"]
    assert tries == [1, 2, 3]
    session = connected(small_rig())
    assert carry_out(path, session).state == "complete"
    session.close()
    assert (path / "table.csv").read_bytes() == (undisturbed / "table.csv").read_bytes()


def test_points_are_left_out_on_failure_where_that_is_wanted(tmp_path):
    rig = small_rig()
    rig.digitizer = FailingDigitizer(rig.digitizer, {2, 3})
    path, session = tmp_path / "s", connected(rig)
    new_sweep(path, session, phase_sweep(retries=1, on_failure="skip"))
    outcome = carry_out(path, session)
    session.close()
    assert [row.outcome for row in outcome.rows] == ["complete", "skipped", *["complete"] * 2]
    assert "the link broke" in outcome.rows[1].reason


def test_what_is_not_allowed_is_refused_before_anything_is_sent(tmp_path):
    path, session = tmp_path / "s", connected(small_rig())
    light = session.light()
    axis = Axis("distance", (2.5e-6, 2.6e-6, 50e-9))
    new_sweep(path, session, SweepPlan((axis,), MonitorPlan(0.01)))
    with pytest.raises(InputError, match=r"point 3, distance 5e-08 m: .*on_refused=skip"):
        carry_out(path, session)
    assert session.light() == light
    session.close()
    assert not (path / "journal.jsonl").exists()
    assert list((path / "points").iterdir()) == []


def test_a_model_that_grows_is_known_beforehand_and_its_points_can_be_left_out(tmp_path):
    session = connected(small_rig(damping=1e3))
    axis = Axis("phi", (0.5, -1.5, 1.0))
    plan = SweepPlan((axis,), MonitorPlan(0.01))
    new_sweep(tmp_path / "a", session, plan)
    with pytest.raises(InputError, match=r"point 2, phi -1.5 rad: .*unstable"):
        carry_out(tmp_path / "a", session)
    new_sweep(tmp_path / "b", session, replace(plan, on_refused="skip"))
    outcome = carry_out(tmp_path / "b", session)
    session.close()
    assert [row.outcome for row in outcome.rows] == ["complete", "skipped", "complete"]


@pytest.mark.slow
def test_a_lost_particle_ends_the_sweep_or_is_reloaded(tmp_path):
    for name, policy in (("a", "end"), ("b", "reload")):
        session = connected(small_rig())
        plan = phase_sweep(3, on_lost=policy)
        new_sweep(tmp_path / name, session, plan)
        hit = []

        def lose(rows, session=session, hit=hit):
            if len(rows) == 1 and not hit:
                hit.append(True)
                session.rig.world.renew = _losing(session.rig.world)

        outcome = carry_out(tmp_path / name, session, on_row=lose)
        session.close()
        if policy == "end":
            assert (outcome.state, outcome.exit_code) == ("failed", 4)
            assert "lost" in outcome.reason
            assert len(outcome.rows) == 1
        else:
            assert outcome.state == "complete"
            assert [row.outcome for row in outcome.rows] == ["complete"] * 3
            assert outcome.rows[1].conditions["tries"] == 2


def _losing(world):
    """A ``renew`` after which, once, a collision kicks the second particle out."""
    real, done = world.renew, []

    def renew(seed):
        real(seed)
        if not done:
            done.append(True)
            world.warm_up()
            world._engine.memory.state[3] = 1e9

    return renew


def test_a_fit_that_fails_is_a_finding_and_the_sweep_goes_on(tmp_path):
    def refuses(path, kind):
        raise InputError("no line")

    session = connected(small_rig())
    new_sweep(tmp_path / "s", session, phase_sweep(2))
    outcome = carry_out(tmp_path / "s", session, refuses)
    session.close()
    assert outcome.state == "complete"
    assert [row.fit.failure for row in outcome.rows] == ["no line"] * 2
    assert "no line" in (tmp_path / "s/table.csv").read_text()


def test_two_programs_do_not_go_on_with_one_sweep(undisturbed):
    session = connected(small_rig())
    folder = SweepFolder(undisturbed)
    with folder.owned(), pytest.raises(InputError, match="is used by this program"):
        carry_out(undisturbed, session)
    session.close()


def test_a_folder_with_a_sweep_is_not_begun_anew(undisturbed):
    session = connected(small_rig())
    with pytest.raises(FileError, match=r"holds a sweep already: .*optobind resume"):
        new_sweep(undisturbed, session, phase_sweep())
    session.close()


@pytest.mark.slow
def test_repeats_go_on_until_the_error_is_small_enough(tmp_path):
    session = connected(small_rig())
    plan = phase_sweep(2, until_parameter="D11", until_relative=0.06, max_repeats=4)
    new_sweep(tmp_path / "s", session, plan)
    rows = carry_out(tmp_path / "s", session).rows
    session.close()
    # One point has a relative error of √(200/5000) = 0.2: twelve would be needed, four are allowed.
    assert [sum(r.setting == s for r in rows) for s in {row.setting for row in rows}] == [4, 4]
    assert {row.kind for row in rows} == {"point", "repeat"}


def test_a_sweep_whose_plan_was_changed_is_not_gone_on_with(undisturbed, tmp_path):
    """Points of two plans in one table would be a silent wrong number."""
    path, session = tmp_path / "s", connected(small_rig())
    shutil.copytree(undisturbed, path)
    header = json.loads((path / "sweep.json").read_text())
    header["plan"]["axes"][0]["points"] = 4
    (path / "sweep.json").write_text(json.dumps(header))
    with pytest.raises(FileError, match=r"sweep.json was changed after the sweep had begun"):
        carry_out(path, session)
    lines = [json.loads(line) for line in (path / "journal.jsonl").read_text().splitlines()]
    for line in lines:  # as an older version wrote it: the points themselves do not fit the plan
        line.pop("header", None)
    (path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(FileError, match=r"sweep.json was changed after the sweep had begun"):
        carry_out(path, session)
    session.close()


def test_files_that_lie_where_points_would_go_are_never_overwritten(tmp_path):
    path, session = tmp_path / "s", connected(small_rig())
    (path / "points").mkdir(parents=True)
    (path / "points/0001.h5").write_text("last year's data")
    with pytest.raises(FileError, match=r"0001.h5 lies there: choose another folder"):
        new_sweep(path, session, PLAN)
    session.close()
    assert (path / "points/0001.h5").read_text() == "last year's data"


def test_a_full_disk_ends_the_sweep_even_where_failing_points_are_left_out(tmp_path, monkeypatch):
    path, session = tmp_path / "s", connected(small_rig())
    rules = SuspendRules(disk_free=0.0)
    plan = phase_sweep(3, on_failure="skip", on_refused="skip", retries=0, suspend=rules)
    new_sweep(path, session, plan)

    def fill(rows):
        monkeypatch.setattr(recorder, "free_bytes", lambda path: 0)

    outcome = carry_out(path, session, on_row=fill)
    session.close()
    assert (outcome.state, outcome.exit_code, len(outcome.rows)) == ("failed", 2, 1)
    assert "disk full" in outcome.reason
    monkeypatch.undo()
    session = connected(small_rig())
    assert carry_out(path, session).state == "complete"
    session.close()


def test_a_journal_with_strange_events_is_damaged_and_says_so(undisturbed, tmp_path):
    path = tmp_path / "s"
    for strange in (
        '{"event": "measured"}',
        '{"event": "measured", "row": 3}',
        '{"event": "measured", "row": {"number": 6, "x": 1}}',
        '{"event": "fitted", "point": "one"}',
    ):
        shutil.copytree(undisturbed, path, dirs_exist_ok=True)
        with (path / "journal.jsonl").open("a") as file:
            file.write(strange + "\n")
        with pytest.raises(FileError, match=r"journal.jsonl is damaged"):
            SweepFolder(path).rows()
