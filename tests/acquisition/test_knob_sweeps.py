"""Sweeps over knobs that are none of the light: called off, tried again, refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optobind.acquisition.knob_actuator import MoveCalledOffError
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.acquisition.sweeps.knobs import set_rig_knobs
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.runner import SweepRunner
from optobind.models.errors import DeviceError, InputError

from .sweeping import connected, new_sweep, small_rig

LONG = 60.0  # s for what happens at once on an idle machine


class Turned:
    """An actuator that does what ``move`` says."""

    unit = "W"

    def __init__(self, move: Callable[[float, Callable[[], bool]], float]) -> None:
        self.move = move

    def check(self, value: float) -> None:
        """Take any value."""


def swept(tmp_path: Path, actuator: Turned, **keys: Any) -> tuple[SweepRunner, Session]:
    set_rig_knobs({"swept_laser": {"unit": "W", "low": 0.0, "high": 0.3}})
    session = connected(small_rig())
    axis = Axis("swept_laser", (0.1, 0.2))
    plan = SweepPlan((axis,), MonitorPlan(0.02), fit="none", retry_wait=0.0, **keys)
    folder = new_sweep(tmp_path / "sweep", session, plan)
    try:
        return SweepRunner(session, folder, None, actuators={"swept_laser": actuator}), session
    except InputError:
        session.close()
        raise


def test_sweep_is_aborted_while_a_knob_does_not_answer(tmp_path):
    moving = threading.Event()

    def never(value: float, ended: Callable[[], bool]) -> float:
        moving.set()
        while not ended():
            time.sleep(0.005)
        raise MoveCalledOffError("called off")

    runner, session = swept(tmp_path, Turned(never), retries=0)
    threading.Thread(target=lambda: moving.wait(LONG) and runner.request_abort()).start()
    outcome = runner.carry_out()
    session.close()
    assert (outcome.state, outcome.reason, outcome.rows) == ("aborted", "aborted on request", ())


def test_point_whose_knob_failed_is_tried_again(tmp_path):
    tries = []

    def second_time(value: float, ended: Callable[[], bool]) -> float:
        tries.append(value)
        if len(tries) == 1:
            raise DeviceError("knob swept_laser did not answer within 5 s")
        return value + 0.25

    runner, session = swept(tmp_path, Turned(second_time), retries=1)
    outcome = runner.carry_out()
    session.close()
    assert (outcome.state, tries) == ("complete", [0.1, 0.1, 0.2])
    assert [row.read for row in outcome.rows] == [(0.35,), (0.45,)]


def test_references_need_a_value_of_a_knob_that_is_none_of_the_light(tmp_path):
    turned = Turned(lambda value, ended: value)
    with pytest.raises(InputError, match=r"give plan\.reference\.swept_laser"):
        swept(tmp_path, turned, reference_every=1)


def test_actuator_in_another_unit_than_the_plan_is_refused(tmp_path):
    turned = Turned(lambda value, ended: value)
    turned.unit = "A"
    with pytest.raises(InputError, match="in W in the plan and in A on rig small"):
        swept(tmp_path, turned)
