"""Trap light goes off by one confirmed command only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.session import Session
from optobind.instruments.rig import Rig
from optobind.models.errors import DeviceError, InputError

from .test_faults import break_method, simulated_rig


class Watched:
    """Writes down every tone that is set."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tones: list = []
        original = rig.rf.set_tone

        def note(channel, tone):
            self.tones.append(tone)
            original(channel, tone)

        monkeypatch.setattr(rig.rf, "set_tone", note)


@pytest.fixture
def rig() -> Rig:
    return simulated_rig()


@pytest.fixture
def watched(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(rig, monkeypatch)


@pytest.fixture
def session(rig: Rig, watched: Watched, tmp_path: Path) -> Iterator[Session]:
    made = Session(rig, run_directory=tmp_path, live_fits=False)
    made.connect().result(60)
    yield made
    made.close()


def powers(rig: Rig) -> list[float]:
    return [site.power for site in rig.world.light.sites]


@pytest.mark.parametrize("phrase", ["", "yes", "Release particles", "release particles "])
def test_another_phrase_changes_nothing(session, rig, watched, phrase):
    before = powers(rig)
    with pytest.raises(InputError, match="confirm with 'release particles'"):
        session.release_particles(phrase)
    assert powers(rig) == before
    assert watched.tones == []


def test_the_phrase_switches_all_light_off_and_is_noted(session, rig):
    session.release_particles("release particles").result(60)
    assert powers(rig) == [0.0, 0.0]
    assert [site.power for site in session.light().applied.state.sites] == [0.0, 0.0]
    assert any(e.payload.get("text") == "particles released" for e in session.take_events())
    assert any("all trap light is off" in line.text for line in session.take_log())


def test_a_run_holds_the_light(session, rig):
    before = powers(rig)
    future = session.start(MonitorPlan(duration=None))
    while session.status().state != "running":
        time.sleep(0.005)
    with pytest.raises(InputError, match="held by run 1"):
        session.release_particles("release particles").result(60)
    session.abort()
    future.result(60)
    assert powers(rig) == before


@pytest.mark.parametrize("ending", ["abort", "close", "driver", "disconnect"])
def test_no_ending_touches_the_light(session, rig, watched, monkeypatch, ending):
    before = powers(rig)
    if ending == "disconnect":
        session.disconnect().result(60)
    else:
        future = session.start(ReheatingPlan(repetitions=100_000))
        while session.status().recorded < 5000:
            time.sleep(0.005)
        if ending == "abort":
            session.abort()
        elif ending == "driver":
            break_method(monkeypatch, rig.digitizer, "read_into", 0)
        else:
            session.close()
        if ending == "driver":
            with pytest.raises(OSError, match="a bug of the driver"):
                future.result(60)
        else:
            assert future.result(60).outcome == "aborted"
    session.close()
    assert watched.tones == []
    assert powers(rig) == before


def test_a_release_that_fails_says_so_and_shows_what_is_on(session, rig, monkeypatch):
    original = rig.rf.set_tone

    def broken(channel, tone):
        if channel == 0:
            raise DeviceError("rf: no answer")
        original(channel, tone)

    monkeypatch.setattr(rig.rf, "set_tone", broken)
    with pytest.raises(DeviceError, match="block the beam by hand"):
        session.release_particles("release particles").result(60)
    first, second = session.light().applied.state.sites
    assert (first.power > 0.1, second.power) == (True, 0.0)
