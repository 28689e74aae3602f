"""The light of a session: nothing half-moved, nothing shown that is not, samples read meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.instruments.control.aom_pair import AomControl
from optobind.instruments.control.calibration import AomCalibration, SineEfficiency
from optobind.instruments.fakes import FakeDigitizer, FakeRFSource
from optobind.instruments.guard import GuardedLight, LightLimits
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.errors import DeviceError, InputError, NotTrappedError
from optobind.models.light import TweezerState

from .test_faults import simulated_rig

PLACES = ((1.5e-6, 0.0, 0.0), (-1.5e-6, 0.0, 0.0))


class SlowSource(FakeRFSource):
    """Each call takes a while; every command is written down; fails or breaks on request."""

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__([RFTone(80e6, 0.3), RFTone(80e6, 0.3)])
        self.latency, self.log = latency, list[tuple[int, RFTone]]()
        self.fail_at: int | None = None
        self.breaks = False
        self.error: type[Exception] = DeviceError
        self.busy = threading.Lock()

    def set_tone(self, channel: int, tone: RFTone) -> None:
        with self._alone():
            if self.fail_at is not None and len(self.log) >= self.fail_at:
                self.fail_at = None
                if self.breaks:
                    self._state = DeviceState.FAULTED
                raise self.error("rf did not answer in time: check its cable and power")
            self.log.append((channel, tone))
            super().set_tone(channel, tone)

    def read_tone(self, channel: int) -> RFTone:
        with self._alone():
            return super().read_tone(channel)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self.busy.acquire(blocking=False), "two threads use one device"
        try:
            time.sleep(self.latency)
            yield
        finally:
            self.busy.release()


class CountingDigitizer(FakeDigitizer):
    reads = 0

    def read_into(self, buffer):
        self.reads += 1
        return super().read_into(buffer)


def make_rig(source: SlowSource, **limits: float) -> Rig:
    samples = np.random.default_rng(1).normal(0.0, 500.0, (50_000, 2)).astype(np.int16)
    digitizer = CountingDigitizer(samples, 1e5, pause=2e-3)
    control = AomControl(source, [AomCalibration(0.5, SineEfficiency(0.9), 80e6)] * 2, PLACES)
    return Rig(
        "fake",
        "LIVE",
        digitizer,
        (DetectorChannel(0, "z1", 0), DetectorChannel(1, "z2", 1)),
        light=GuardedLight(control, LightLimits(**limits)),
        rf=source,
    )


def powers(state: TweezerState) -> list[float]:
    return [site.power for site in state.sites]


def emitted(source: SlowSource) -> list[float]:
    return [0.5 * math.sin(0.5 * math.pi * t.amplitude / 0.9) ** 2 for t in source._tones]


def wait_until(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.002)


@pytest.fixture
def open_session(tmp_path: Path) -> Iterator[Callable[[Rig], Session]]:
    made: list[Session] = []

    def make(rig: Rig) -> Session:
        session = Session(rig, run_directory=tmp_path, live_fits=False)
        made.append(session)
        session.connect().result(60)
        return session

    yield make
    for session in made:
        session.close()


def texts(session: Session) -> str:
    return "\n".join(line.text for line in session.take_log())


def test_samples_are_read_while_the_light_ramps_over_a_slow_link(open_session) -> None:
    source = SlowSource(0.02)
    rig = make_rig(source, power_slew=0.1)
    session = open_session(rig)
    session.stream(True).result(60)
    session.take_events()
    start = session.light().applied.state
    seen: list[int] = []
    original = source.set_tone
    source.set_tone = lambda *args: (  # type: ignore[method-assign]
        seen.append(rig.digitizer.reads), original(*args))[1]  # fmt: skip
    future = session.set_light(start.with_pair(total_power=sum(powers(start)) + 0.2))
    applied = future.result(60)
    assert powers(applied.state) == pytest.approx([p + 0.1 for p in powers(start)])
    # A block takes 2 ms, a command 20 ms: in nearly every pause between commands some were read.
    assert len(seen) >= 20
    assert len(set(seen)) > len(seen) // 2
    (event,) = [e for e in session.take_events() if e.kind is EventKind.LIGHT]
    assert 0 < event.payload["begin"] < event.payload["end"] == event.sample
    assert f"from sample {event.payload['begin']} to {event.sample}" in texts(session)


def test_average_restarts_at_the_beginning_and_at_the_end_of_a_ramp(
    open_session, monkeypatch
) -> None:
    session = open_session(make_rig(SlowSource(), power_slew=1.0))
    session.stream(True).result(60)
    wait_until(lambda: session.status().samples > 0)
    restarts: list[int] = []
    monkeypatch.setattr(session._live, "restart_average", restarts.append)
    start = session.light().applied.state
    session.set_light(start.with_pair(total_power=sum(powers(start)) + 0.2)).result(60)
    (event,) = [e for e in session.take_events() if e.kind is EventKind.LIGHT]
    assert restarts == [event.payload["begin"], event.payload["end"]]
    with pytest.raises(InputError, match="power of tweezer 1"):
        session.set_light(start.with_pair(total_power=2e-3)).result(60)
    assert len(restarts) == 2


def test_refused_light_is_neither_sent_nor_shown(open_session) -> None:
    source = SlowSource()
    session = open_session(make_rig(source, power_slew=1.0))
    shown, state = session.light(), session.light().applied.state
    for goal in (
        state.with_pair(total_power=2e-3),
        state.with_pair(total_power=5.0),
        state.with_pair(total_power=math.nan),
        state.with_pair(phi=math.inf),
        state.with_pair(separation=4e-6),
        state.with_site(0, detuning=2e5),
        TweezerState(state.sites[:1]),
    ):
        with pytest.raises(InputError):
            session.set_light(goal).result(60)
        assert session.light() == shown
    assert source.log == []


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("error", [DeviceError, InputError, OSError])
def test_after_a_fault_at_any_step_the_session_shows_what_is(
    open_session, up: bool, error: type[Exception]
) -> None:
    change = 0.06 if up else -0.06
    step = 0
    while True:
        source = SlowSource()
        session = open_session(make_rig(source, power_slew=0.6, step_time=0.02))
        start = session.light().applied.state
        goal = start.with_pair(total_power=sum(powers(start)) + 2 * change)
        source.fail_at, source.error = step, error
        try:
            session.set_light(goal).result(60)
        except error:
            pass
        else:
            break
        light = session.light()
        assert light.applied is not None
        assert powers(light.applied.state) == pytest.approx(emitted(source))
        assert light.requested == light.applied.state
        low = [min(a, b) for a, b in zip(powers(start), powers(goal), strict=True)]
        assert all(p >= q - 1e-12 for p, q in zip(emitted(source), low, strict=True))
        assert all(tone.enabled for tone in source._tones)
        assert "the light could not be set: rf did not answer" in texts(session)
        step += 1
        session.close()
    assert step >= 4  # two channels, at least two steps


def test_light_that_cannot_be_read_after_a_fault_is_not_known(open_session) -> None:
    source = SlowSource()
    session = open_session(make_rig(source, power_slew=1.0))
    start = session.light().applied.state
    source.fail_at, source.breaks = 3, True
    with pytest.raises(DeviceError):
        session.set_light(start.with_pair(total_power=sum(powers(start)) + 0.2)).result(60)
    assert session.light().applied is None
    assert "the light is not known" in texts(session)
    commands = len(source.log)
    wait_until(lambda: session.light().applied is not None)  # the supervisor brought it back
    assert powers(session.light().applied.state) == pytest.approx(emitted(source))
    assert len(source.log) == commands


def ramping(open_session) -> tuple[Session, SlowSource, TweezerState]:
    """A session in the middle of a long ramp."""
    source = SlowSource(5e-3)
    session = open_session(make_rig(source, power_slew=0.01, longest=60.0))
    session.stream(True).result(60)
    start = session.light().applied.state
    future = session.set_light(start.with_pair(total_power=sum(powers(start)) + 0.4))
    wait_until(lambda: len(source.log) >= 4)
    assert not future.done()
    session.ramp = future  # type: ignore[attr-defined]
    return session, source, start


def test_no_run_starts_while_the_light_moves_and_changes_wait_for_their_turn(open_session) -> None:
    source = SlowSource(2e-3)
    session = open_session(make_rig(source, power_slew=0.2))
    start = session.light().applied.state
    total = sum(powers(start))
    first = session.set_light(start.with_pair(total_power=total + 0.2))
    second = session.set_light(start.with_pair(total_power=total + 0.1))
    wait_until(lambda: len(source.log) >= 2)
    with pytest.raises(InputError, match="the light is moving: wait until it rests"):
        session.start(MonitorPlan(duration=0.01)).result(60)
    assert sum(powers(first.result(60).state)) == pytest.approx(total + 0.2)
    assert sum(powers(second.result(60).state)) == pytest.approx(total + 0.1)
    assert session.start(MonitorPlan(duration=0.01)).result(60).outcome == "complete"


def test_a_release_ends_the_ramp_and_what_waits(open_session) -> None:
    session, source, start = ramping(open_session)
    waiting = session.set_light(start)
    session.release_particles("release particles").result(60)
    with pytest.raises(InputError, match="the light was stopped after"):
        session.ramp.result(60)
    with pytest.raises(InputError, match="was not set: the particles are being released"):
        waiting.result(60)
    assert [t.enabled for t in source._tones] == [False, False]
    assert powers(session.light().applied.state) == [0.0, 0.0]
    commands = len(source.log)
    time.sleep(0.1)
    assert len(source.log) == commands


@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_an_ending_leaves_the_light_at_the_step_that_was_made(open_session, ending: str) -> None:
    session, source, start = ramping(open_session)
    if ending == "close":
        session.close()
    else:
        session.disconnect().result(60)
        assert source.state is DeviceState.DISCONNECTED
    with pytest.raises(InputError, match="stays there"):
        session.ramp.result(60)
    commands = len(source.log)
    now = emitted(source)
    assert all(p < q < p + 0.2 for p, q in zip(powers(start), now, strict=True))
    time.sleep(0.1)
    assert len(source.log) == commands
    assert [t.enabled for t in source._tones] == [True, True]


def test_what_waits_behind_a_cancelled_question_is_answered_when_the_session_closes(
    open_session,
) -> None:
    rig = make_rig(SlowSource())
    session = open_session(rig)
    reading, go_on = threading.Event(), threading.Event()
    original = rig.digitizer.read_into

    def read_into(buffer):
        reading.set()
        assert go_on.wait(30)
        return original(buffer)

    rig.digitizer.read_into = read_into  # type: ignore[method-assign]
    session.stream(True).result(60)
    assert reading.wait(10)
    question = session._runner.submit(lambda: session._runner.present_sample)  # as a ramp asks
    run = session.start(MonitorPlan(duration=0.01))
    light = session.set_light(session.light().applied.state)
    assert question.cancel()
    closing = threading.Thread(target=session.close)
    closing.start()
    wait_until(lambda: session._runner._closing.is_set())
    go_on.set()
    for future in (run, light):
        with pytest.raises(InputError, match="the session is closed"):
            future.result(60)
    closing.join(30)
    assert session._runner.join(0.0)


def test_a_device_that_hangs_is_not_waited_for_without_end(open_session) -> None:
    session, source, _ = ramping(open_session)
    hanging = threading.Event()
    source.latency = 0.0
    original = source.set_tone
    source.set_tone = lambda *args: (hanging.wait(30), original(*args))  # type: ignore[method-assign]
    commands = source.calls["read_tone"]
    try:
        time.sleep(0.1)
        assert not session._runner._bench.light.stop("the rig is disconnected", 0.2)
        assert "did not answer within 0.2 s" in texts(session)
        assert source.calls["read_tone"] == commands
    finally:
        hanging.set()
    with pytest.raises(InputError, match="stays there"):
        session.ramp.result(60)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SIM", "LIVE"])
def test_light_without_particles_by_the_model_is_refused_unless_insisted_on(
    open_session, mode, monkeypatch
) -> None:
    rig = simulated_rig()
    untrapped = None
    if mode == "LIVE":
        rig = replace(rig, mode="LIVE", world=None)
    session = open_session(rig)
    shown = session.light()
    state = shown.applied.state
    sent: list[object] = []
    for device, method in ((rig.slm, "show"), (rig.rf, "set_tone")):
        original = getattr(device, method)
        monkeypatch.setattr(
            device,
            method,
            lambda *args, original=original: (sent.append(args), original(*args))[1],
        )
    # One trap a fifteenth of the other, close by: its particle is pulled out.
    for weak in np.geomspace(0.2, 0.01, 12):
        trial = state.with_pair(separation=1.5e-6).with_site(0, power=float(weak))
        trial = trial.with_site(1, power=0.6)
        try:
            rig.trap.with_light(trial).linearize()
        except NotTrappedError:
            untrapped = trial
            break
    assert untrapped is not None
    with pytest.raises(NotTrappedError, match=r"rig's model.*allow_untrapped=True"):
        session.set_light(untrapped).result(60)
    assert sent == []
    assert session.light() == shown
    applied = session.set_light(untrapped, allow_untrapped=True).result(60)
    assert powers(applied.state) == pytest.approx(powers(untrapped), rel=0.01)
