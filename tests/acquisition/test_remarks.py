"""What drivers have to say to their user reaches him: terminal, log and record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.instruments.fakes import FakeGate
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.virtual.ni_server_stream import DaqFault
from optobind.instruments.virtual.ni_server_watchdog import Watchdog

from ..instruments.conftest import make_settings, make_trap
from .test_feedback import rig_with

pytestmark = pytest.mark.realtime

REMARK = "the card's own watchdog does not watch the open gate"


def notes(path: Path) -> list[str]:
    with RunFile.open(path) as run:
        return [e.payload["text"] for e in run.events() if e.kind is EventKind.NOTE]


@pytest.fixture(params=["guarded", "plain"])
def refusing_gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A gate on a card that has a watchdog and refuses to start it."""
    pytest.importorskip("nidaqmx")
    pytest.importorskip("grpc")
    from optobind.instruments.digitizers.ni_gate import NiGate
    from optobind.instruments.virtual.ni_server import serve_ni

    def refuse(_self: Watchdog) -> None:
        raise DaqFault(-200077, "Requested value is not supported")

    monkeypatch.setattr(Watchdog, "begin", refuse)
    with serve_ni(build_simulated_rig(make_trap(), make_settings(in_loop=False))) as server:
        gate = NiGate("gate", **server.gate_options)
        if request.param == "guarded":
            yield GuardedGate(gate)
            return
        arm, switch = gate.arm_watchdog, gate.set

        def set(closed: bool) -> None:  # what a guardian does
            if not closed:
                arm()
            switch(closed)

        monkeypatch.setattr(gate, "set", set)
        yield gate


@pytest.mark.slow
def test_a_card_that_refuses_to_start_its_watchdog_says_so_once_and_in_each_record(
    refusing_gate: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(rig_with(refusing_gate), run_directory=tmp_path, live_fits=False)
    plan = ReheatingPlan(repetitions=3, cool_time=0.01, release_time=0.02, timing="software")
    try:
        session.connect().result(60)
        runs = [session.start(plan).result(60) for _ in range(2)]
        log = [entry.text for entry in session.take_log()]
    finally:
        session.close()
    assert [run.outcome for run in runs] == ["complete"] * 2
    assert sum(REMARK in line for line in log) == 1
    assert capsys.readouterr().err.count(REMARK) == 1
    for run in runs:
        (said,) = (note for note in notes(run.path) if REMARK in note)
        assert "-200077" in said
        assert run.worth.releases.usable == 3, "it spoils no release"


def test_a_device_with_nothing_to_say_leaves_no_note(tmp_path: Path) -> None:
    session = Session(rig_with(FakeGate()), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        assert session.remarks() == []
        assert notes(session.start(MonitorPlan(0.01)).result(60).path) == []
    finally:
        session.close()
