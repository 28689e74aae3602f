"""Devices that somebody changed at their panels: told at connect, refused before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.config.notebook import load_rig
from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.protocols import RFTone
from optobind.instruments.rf.scpi import KeysightSource
from optobind.instruments.virtual.text_server import make_instrument, serve_text
from optobind.models.errors import DeviceError

TONE = RFTone(80e6, 0.3)


@pytest.fixture
def table(tmp_path: Path):
    instrument = make_instrument("keysight", FakeRFSource([TONE, TONE]))
    with serve_text(instrument) as server:
        rig = load_rig("simulated-pair", ["simulation.clock=fast"])
        rig.rf, rig.light = KeysightSource("rf", server.visa_address), None
        session = Session(rig, run_directory=tmp_path, live_fits=False)
        yield session, instrument.converse(), tmp_path
        session.close()


def lines(session: Session) -> list[str]:
    return [entry.text for entry in session.take_log() if entry.level == "warning"]


def test_a_source_in_another_state_refuses_the_run_and_no_file_is_begun(table):
    session, panel, folder = table
    session.connect().result(60)
    assert session.start(MonitorPlan(duration=0.02)).result(60).outcome == "complete"
    before = sorted(folder.rglob("*.h5"))
    panel.receive(b"OUTP2:POL INV\n")
    with pytest.raises(DeviceError, match=r"rf channel 2: the polarity is INV .*OUTP2:POL NORM"):
        session.start(MonitorPlan(duration=0.02)).result(60)
    assert sorted(folder.rglob("*.h5")) == before
    panel.receive(b"OUTP2:POL NORM\n")
    assert session.start(MonitorPlan(duration=0.02)).result(60).outcome == "complete"


def test_what_is_only_reported_is_in_the_log_at_connect_and_before_a_run(table):
    session, panel, _ = table
    panel.receive(b"SOUR1:VOLT:RANG:AUTO ON\nBOGUS\n")
    session.connect().result(60)
    text = "\n".join(lines(session))
    assert "output range of channel 1 is automatic" in text
    assert "not caused here: -113" in text
    panel.receive(b"BOGUS\nBOGUS\n")
    session.start(MonitorPlan(duration=0.02)).result(60)
    assert "-113 Undefined header; -113 Undefined header" in "\n".join(lines(session))
