"""Programs: what they yield is done once, in order, and gone on with from the journal."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest

from optobind.acquisition.plans import MonitorPlan, SequencePlan
from optobind.acquisition.run_catalogue import catalogue
from optobind.acquisition.sweeps.any_plan import any_plan_from_dict, any_plan_to_dict
from optobind.acquisition.sweeps.folder import SweepFolder, SweepHeader
from optobind.acquisition.sweeps.programs import steps
from optobind.acquisition.sweeps.programs.plan import ProgramPlan
from optobind.acquisition.sweeps.programs.rehearsal import rehearse
from optobind.acquisition.sweeps.programs.source import ProgramSource
from optobind.acquisition.sweeps.runner import SweepRunner
from optobind.acquisition.sweeps.stations import Stations
from optobind.models.errors import DeviceError, InputError

from .sweeping import connected, new_sweep, powers, samples_of, small_rig

HEAD = "from optobind import steps\nKNOBS = ('phi', 'balance')\n"

BISECT = (
    HEAD
    + '''
def plan(points: int = 3):
    """Halve φ as long as the second power is the larger one."""
    phi = 1.2
    for number in range(points):
        yield steps.set_light(phi=phi)
        row = yield steps.acquire(0.02)
        found = yield steps.fit("spectrum")
        phi *= 0.5 if found.values["D11"].value < found.values["D22"].value else 0.7
    yield steps.set_light(balance=0.02)
    yield steps.release(repetitions=3, release_time=1e-3)
'''
)


def program(text: str, **keys: object) -> ProgramPlan:
    given = keys.pop("parameters", {})
    return ProgramPlan.of(ProgramSource("test.py", text), given, **{"retry_wait": 0.0, **keys})


def carry_out(path, session, fit=powers):
    return SweepRunner(session, SweepFolder(path), fit).carry_out()


def run_whole(path, text, **keys):
    session = connected(small_rig())
    try:
        new_sweep(path, session, program(text, **keys))
        return carry_out(path, session)
    finally:
        session.close()


@pytest.fixture(scope="module")
def shared():
    session = connected(small_rig())
    yield session
    session.close()


@pytest.mark.slow
def test_points_follow_from_what_was_found_and_a_program_that_was_stopped_takes_the_same_way(
    tmp_path,
):
    whole = run_whole(tmp_path / "whole", BISECT)
    assert whole.state == "complete"
    assert [row.kind for row in whole.rows] == ["acquired"] * 4
    found = [r.fit.values["D11"].value < r.fit.values["D22"].value for r in whole.rows[:3]]
    phi, expected = 1.2, []
    for smaller in found:
        expected.append(phi)
        phi *= 0.5 if smaller else 0.7
    assert [row.setting[0] for row in whole.rows[:3]] == expected
    assert whole.rows[3].setting[1] == 0.02
    assert whole.rows[3].plan["kind"] == "reheating"
    for stop_after in (1, 3):
        path, session = tmp_path / f"part{stop_after}", connected(small_rig())
        new_sweep(path, session, program(BISECT))
        runner = SweepRunner(session, SweepFolder(path), powers)
        runner._on_row = lambda rows, r=runner, n=stop_after: (
            r.request_stop() if len(rows) == n else None
        )
        assert runner.carry_out().state == "stopped"
        session.close()
        session = connected(small_rig())
        assert carry_out(path, session).state == "complete"
        session.close()
        assert (path / "table.csv").read_bytes() == (tmp_path / "whole/table.csv").read_bytes()
        np.testing.assert_array_equal(
            samples_of(path / "points/0004.h5"), samples_of(tmp_path / "whole/points/0004.h5")
        )
    before = (tmp_path / "whole/journal.jsonl").read_bytes()
    session = connected(small_rig())
    assert carry_out(tmp_path / "whole", session).state == "complete"
    session.close()
    assert (tmp_path / "whole/journal.jsonl").read_bytes() == before


def test_a_program_that_takes_another_way_is_not_mixed_with_what_was_measured(tmp_path):
    text = HEAD + (
        "import itertools\nCOUNT = itertools.count()\n"
        "def plan():\n"
        "    import optobind.acquisition.sweeps.programs.source as s\n"
        "    s.MADE = getattr(s, 'MADE', 0) + 1\n"  # what a program may not depend on
        "    for i in range(3):\n"
        "        yield steps.set_light(phi=0.1 * i + 0.01 * s.MADE)\n"
        "        yield steps.acquire(0.01)\n"
    )
    path, session = tmp_path / "s", connected(small_rig())
    new_sweep(path, session, program(text))
    runner = SweepRunner(session, SweepFolder(path), powers)
    runner._on_row = lambda rows: runner.request_stop()
    assert runner.carry_out().state == "stopped"
    with pytest.raises(InputError, match="takes another way than before at point 1"):
        carry_out(path, session)
    session.close()
    assert len(list((path / "points").glob("000*.h5"))) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    yield 3\n", "yields int, which is no step"),
        ("    yield steps.fit()\n", "asks for a fit before anything was acquired"),
        ("    yield steps.acquire(0.01)\n    [][1]\n", "line 5: IndexError"),
        ("    yield steps.set_light(power=0.1)\n", "which its KNOBS do not name"),
        ("    yield steps.set_light(phi='3 m')\n", "line 4: InputError: set_light: phi"),
        ("    yield steps.acquire()\n", "acquire needs a duration, or a plan"),
        ("    yield steps.acquire('1,000 ms')\n", "acquire"),
        ("    yield steps.wait_until(lambda s: s.nothing)\n", "line 4: AttributeError"),
        (
            "    yield steps.acquire(0.01)\n    yield steps.fit('spectrum')\n"
            "    yield steps.fit('reheating')\n",
            "a point is fitted once",
        ),
        ("    while True:\n        yield steps.set_light(phi=0.1)\n", "goes on for ever"),
    ],
)
def test_a_fault_of_a_program_is_one_line_and_keeps_what_was_measured(shared, tmp_path, body, said):
    new_sweep(tmp_path / "s", shared, program(HEAD + "def plan():\n" + body))
    if "acquire(0.01)" not in body and "wait_until" not in body:  # nothing was begun
        with pytest.raises(InputError) as caught:
            carry_out(tmp_path / "s", shared)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    outcome = carry_out(tmp_path / "s", shared)
    assert outcome.state == "failed"
    assert said in outcome.reason
    assert "\n" not in outcome.reason
    assert outcome.exit_code == InputError.exit_code
    assert len(outcome.rows) == body.count("acquire(0.01)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "no generator function plan"),
        ("def plan():\n    return 3\n", "no generator function plan"),
        ("def plan(:\n", "line 1: "),
        ("import nothing_like_that\n", "line 1: ModuleNotFoundError"),
        ("def plan(points):\n    yield\n", "parameter points of plan needs a default"),
        ("def plan(*points):\n    yield\n", "takes its parameters by name"),
        ("KNOBS = 3\ndef plan():\n    yield\n", "KNOBS must name knobs"),
        ("KNOBS = ('psi',)\ndef plan():\n    yield\n", "knob 'psi' is not known"),
    ],
)
def test_a_text_that_is_no_program_is_refused_in_one_line(text, said):
    with pytest.raises(InputError, match=said) as caught:
        program(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"points": 2.5}, "plan.points must be a whole number"),
        ({"points": True}, "plan.points must be a whole number"),
        ({"angle": "3 m"}, "plan.angle"),
        ({"angle": "many"}, "plan.angle"),
        ({"deep": 1}, "plan.deep must be true or false"),
        ({"word": 1}, "plan.word must be a text"),
        ({"nothing": 1}, "has no parameter nothing; it has points, angle, deep, word"),
    ],
)
def test_parameters_are_checked_against_their_defaults(given, said):
    text = (
        "from typing import Annotated\n"
        "def plan(points: int = 1, angle: Annotated[float, 'rad'] = 0.1, deep: bool = False,\n"
        "         word: str = 'a'):\n    yield\n"
    )
    assert dict(program(text, parameters={"angle": "90 deg"}).parameters)["angle"] == (
        pytest.approx(math.pi / 2)
    )
    with pytest.raises(InputError, match=said):
        program(text, parameters=given)


def test_light_that_is_not_allowed_ends_a_program_or_is_its_answer(tmp_path):
    text = HEAD + (
        "def plan():\n"
        "    yield steps.set_light(balance=0.999)\n"
        "    row = yield steps.acquire(0.01)\n"
        "    assert row.outcome == 'skipped' and row.reason, row\n"
        "    found = yield steps.fit('spectrum')\n"
        "    assert not found.converged and found.failure, found\n"
        "    yield steps.set_light(balance=0.01)\n"
        "    yield steps.acquire(0.01)\n"
    )
    ended = run_whole(tmp_path / "ended", text)
    assert (ended.state, ended.exit_code, len(ended.rows)) == ("failed", 2, 0)
    assert "point 1, phi" in ended.reason
    skipped = run_whole(tmp_path / "skipped", text, on_refused="skip")
    assert [row.outcome for row in skipped.rows] == ["skipped", "complete"]


def _noted(world, seen):
    """The world's gate, with a note of each switching."""
    switch = world.set_gate

    def set_gate(closed, **more):
        seen.append(closed)
        switch(closed, **more)

    return set_gate


def test_feedback_is_on_again_after_a_program_that_leaves_it_off_or_fails(tmp_path, monkeypatch):
    for number, end in enumerate(("", "    1 / 0\n")):
        text = HEAD + f"def plan():\n    yield steps.feedback(False)\n{end}"
        session = connected(small_rig())
        new_sweep(tmp_path / str(number), session, program(text))
        seen: list[bool] = []
        monkeypatch.setattr(session.rig.world, "set_gate", _noted(session.rig.world, seen))
        outcome = carry_out(tmp_path / str(number), session)
        assert outcome.state == ("failed" if end else "complete")
        assert seen[-2:] == [False, True]
        session.close()


def test_a_condition_is_waited_for_and_ends_the_program_where_it_does_not_come(tmp_path):
    text = HEAD + (
        "seen = []\ndef condition(status):\n    seen.append(status)\n    return len(seen) > 2\n"
        "def plan():\n    yield steps.wait_until(condition)\n"
        "    yield steps.acquire(0.01)\n"
    )
    assert run_whole(tmp_path / "a", text).state == "complete"
    text = HEAD + ("def plan():\n    yield steps.wait_until(lambda s: False, at_most='10 ms')\n")
    ended = run_whole(tmp_path / "b", text)
    assert (ended.state, ended.exit_code) == ("failed", DeviceError.exit_code)
    assert "a condition that does not hold" in ended.reason


def test_a_wait_obeys_an_abort(tmp_path):
    session = connected(small_rig())
    text = HEAD + "def plan():\n    yield steps.wait_until(lambda s: False)\n"
    new_sweep(tmp_path / "s", session, program(text))
    runner = SweepRunner(session, SweepFolder(tmp_path / "s"), powers)
    found = []
    thread = threading.Thread(target=lambda: found.append(runner.carry_out()))
    thread.start()
    while "condition" not in runner.status().message:
        pass
    runner.request_abort()
    thread.join(60)
    session.close()
    assert found[0].state == "aborted"


def test_a_rehearsal_touches_nothing_and_says_what_would_be_done():
    rig = small_rig()
    session = connected(rig)
    light = session.light().applied.state
    text = HEAD + (
        "def plan():\n"
        "    yield steps.set_light(phi=0.7)\n"
        "    yield steps.acquire(0.5)\n"
        "    found = yield steps.fit()\n"
        "    yield steps.wait_until('2 s')\n"
        "    assert found.values['g_r'].unit == 'rad/s'\n"
        "    yield steps.set_light(balance=0.999)\n"
        "    yield steps.acquire(0.5)\n"
    )
    header = SweepHeader(program(text), rig.mode, rig.config, light)
    position = rig.world.position
    stations = Stations(rig, header, {})
    found = rehearse(header, rig, stations, lambda a, b: session.check_way(a, b).result())
    assert rig.world.position == position
    assert session.light().applied.state == light
    session.close()
    assert [p.setting[0] for p in found.points] == [0.7, 0.7]
    assert list(found.refused) == [2]
    assert found.waiting == 2.0


def test_a_program_survives_its_header_and_texts_with_units_are_read():
    plan = program(BISECT, parameters={"points": 2}, retries=7)
    again = any_plan_from_dict(json.loads(json.dumps(any_plan_to_dict(plan))))
    assert again == plan
    assert hash(again) == hash(plan)
    both = SequencePlan((MonitorPlan(0.1), MonitorPlan(0.2)))
    assert steps.acquire(plan=both).plan is both
    assert steps.acquire("20 ms").plan.duration == 0.02
    for make in (
        lambda: steps.acquire(plan=MonitorPlan(None)),
        lambda: steps.set_light(),
        lambda: steps.set_light(phi="1 W"),
        lambda: steps.release(nothing=3),
        lambda: steps.fit("other"),
        lambda: steps.feedback("on"),
        lambda: steps.wait_until("2 s", at_most=3),
        lambda: steps.wait_until("3 W"),
    ):
        with pytest.raises(InputError):
            make()


def test_looking_at_a_folder_carries_nothing_of_its_program_out(tmp_path):
    text = HEAD + "def plan():\n    yield steps.acquire(0.01)\n"
    run_whole(tmp_path / "s", text)
    header = tmp_path / "s/sweep.json"
    header.write_text(
        header.read_text().replace("from optobind", "raise SystemExit; from optobind")
    )
    folder = SweepFolder(tmp_path / "s")
    assert "SystemExit" in folder.plan.source.text
    assert [row.kind for row in folder.rows()] == ["acquired"]
    (entry,) = catalogue(tmp_path)
    assert (entry.kind, entry.size) == ("program", "1 point")


def test_a_gate_that_does_not_close_at_the_end_fails_the_program_and_the_journal_is_closed(
    tmp_path, monkeypatch
):
    text = HEAD + "def plan():\n    yield steps.acquire(0.01)\n    yield steps.feedback(False)\n"
    session = connected(small_rig())
    new_sweep(tmp_path / "s", session, program(text))
    runner = SweepRunner(session, SweepFolder(tmp_path / "s"), powers)

    def fail() -> None:
        raise DeviceError("the gate does not answer")

    monkeypatch.setattr(runner._pauses, "close", fail)
    outcome = runner.carry_out()
    session.close()
    assert (outcome.state, outcome.exit_code, len(outcome.rows)) == ("failed", 4, 1)
    lines = (tmp_path / "s/journal.jsonl").read_text().splitlines()
    *_, note, closed = [json.loads(line) for line in lines]
    assert "the gate does not answer" in note["text"]
    assert (closed["event"], closed["state"]) == ("closed", "failed")
