"""Runs from beginning to end on the simulated laboratory and on scripted fakes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.live_fit import fit_reheating_curves
from optobind.acquisition.plans import MonitorPlan, Plan, ReheatingPlan, SequencePlan
from optobind.acquisition.run import RunOutcome
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session, new_run_path
from optobind.acquisition.stream import Stream
from optobind.instruments.fakes import FakeDigitizer, Fault
from optobind.instruments.protocols import DeviceState
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import (
    DetectorSettings,
    FeedbackSettings,
    WorldSettings,
)
from optobind.models.array import TrapArray
from optobind.models.constants import HBAR
from optobind.models.errors import DeviceError, FileError, InputError, UnstableModelError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

RATE = 1e6


def simulated_rig(*, damping: float = 2.0 * math.pi * 2e3, seed: int = 5) -> Rig:
    sphere = Sphere(80e-9)
    tweezers = (
        Tweezer((1.25e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.25e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    settings = WorldSettings(
        sample_rate=RATE,
        seed=seed,
        real_time=False,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j, volts_per_metre=2e8) for j in range(2)),
        feedback=FeedbackSettings(damping=(damping,)),
    )
    return build_simulated_rig(TrapArray((sphere, sphere), tweezers, 1064e-9, Gas(1e-6)), settings)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(simulated_rig(), run_directory=tmp_path, live_fits=False, spectrum_segment=8192)
    made.connect().result(60)
    yield made
    made.close()


def carry_out(session: Session, plan: Plan) -> RunOutcome:
    return session.start(plan).result(60)


def wait_until(condition: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def repetition(session: Session) -> int:
    """Number of the repetition under way, 0 before the first."""
    words = session.status().message.split()
    return int(words[1]) if words[:1] == ["repetition"] else 0


def kinds(path: Path) -> list[EventKind]:
    with RunFile.open(path) as run:
        return [event.kind for event in run.events()]


def test_monitor_records_exactly_its_duration_and_finalises(session: Session) -> None:
    outcome = carry_out(session, MonitorPlan(duration=0.0537))
    assert (outcome.outcome, outcome.samples, outcome.gaps) == ("complete", 53_700, 0)
    with RunFile.open(outcome.path) as run:
        assert run.info()["state"] == "complete"
        assert run.rows == 53_700
        assert run.digest().steady(run.recorded()) == [(0, 53_700)]
        found = run.events()
    assert found[0].kind is EventKind.RUN_START
    assert found[-1].kind is EventKind.RUN_END
    assert found[-1].sample == 53_700
    assert session.rig.gate is not None
    assert session.rig.gate.read()


def test_reheating_switches_the_gate_at_exact_samples(session: Session) -> None:
    outcome = carry_out(session, ReheatingPlan(repetitions=7, cool_time=1e-3, release_time=0.4e-3))
    with RunFile.open(outcome.path) as run:
        releases = run.releases()
        gates = [(e.sample, e.payload["closed"]) for e in run.events() if e.kind == "gate"]
    starts = [1000 + 1400 * i for i in range(7)]
    assert [(r.first_sample, r.samples) for r in releases] == [(s, 400) for s in starts]
    opened = [sample for sample, closed in gates if not closed]
    closed = [sample for sample, closed in gates if closed]
    assert opened == starts
    assert closed == [0, *(s + 400 for s in starts)]
    assert outcome.samples == 7 * 1400


def test_released_particles_move_as_the_model_without_feedback_predicts(session: Session) -> None:
    plan = ReheatingPlan(repetitions=400, cool_time=1e-3, release_time=0.1e-3)
    outcome = carry_out(session, plan)
    pair = session.rig.world.pair
    masses = np.array([s.mass for s in session.rig.trap.spheres])  # type: ignore[union-attr]
    with RunFile.open(outcome.path) as run:
        z = np.stack([run.volts(r.first_sample, r.end_sample) for r in run.releases()]) / 2e8
    quanta = z * np.sqrt(masses * pair.omega / HBAR)
    energy = (quanta**2).mean(axis=0)
    period = round(2.0 * math.pi * RATE / pair.omega)
    start = np.repeat(energy[:period].mean(axis=0), 2)
    times = np.arange(60, 100) / RATE
    predicted = pair.to_linear().propagate(np.diag(start), times)
    for j in (0, 1):
        assert energy[60:, j].mean() == pytest.approx(predicted[:, 2 * j, 2 * j].mean(), rel=0.2)


def test_a_sequence_keeps_both_steps_apart(session: Session) -> None:
    steps = (MonitorPlan(duration=0.02), ReheatingPlan(repetitions=3))
    outcome = carry_out(session, SequencePlan(steps))
    with RunFile.open(outcome.path) as run:
        assert run.digest().steady(run.recorded()) == [(0, 20_000)]
        assert len(run.releases()) == 3


def test_stop_ends_after_the_repetition(session: Session) -> None:
    future = session.start(ReheatingPlan(repetitions=100_000))
    wait_until(lambda: repetition(session) >= 5)
    session.stop_after_repetition()
    outcome = future.result(60)
    assert outcome.outcome == "stopped"
    with RunFile.open(outcome.path) as run:
        assert outcome.samples % 2000 == 0
        assert len(run.releases()) == outcome.samples // 2000


def test_stop_ends_an_open_monitor(session: Session) -> None:
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().recorded > 50_000)
    session.stop_after_repetition()
    assert future.result(60).outcome == "stopped"


def test_abort_closes_the_file_and_puts_feedback_on_without_touching_light(
    session: Session,
) -> None:
    light = session.rig.light
    assert light is not None
    before = light.read()
    future = session.start(ReheatingPlan(repetitions=100_000, release_time=0.05))
    wait_until(lambda: session.status().recorded > 20_000)
    session.abort()
    outcome = future.result(60)
    assert outcome.outcome == "aborted"
    assert session.rig.gate is not None
    assert session.rig.gate.read()
    assert light.read() == before
    with RunFile.open(outcome.path) as run:
        assert run.info()["state"] == "complete"
    assert kinds(outcome.path)[-1] is EventKind.RUN_END


def test_closing_a_session_ends_its_run_in_good_order(tmp_path: Path) -> None:
    session = Session(simulated_rig(), run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    assert session.rig.light is not None
    before = session.rig.light.read()
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().recorded > 0)
    session.close()
    assert future.result(60).outcome == "aborted"
    assert session.rig.world.gate_closed
    assert session.rig.world.light == before.state
    with pytest.raises(InputError, match="session is closed"):
        session.connect().result(60)


def test_a_run_holds_the_knobs(session: Session) -> None:
    state = session.light().requested
    assert state is not None
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().held_by is not None)
    with pytest.raises(InputError, match=r"the light is held by .*stop that run first"):
        session.set_light(state).result(60)
    with pytest.raises(InputError, match="rig is held by"):
        session.start(MonitorPlan()).result(60)
    session.abort()
    future.result(60)
    assert session.set_light(state.with_pair(phi=0.3)).result(60).state.relative_phase == (
        pytest.approx(0.3, abs=0.02)
    )


def test_an_unstable_light_is_refused_unless_allowed(tmp_path: Path) -> None:
    rig = simulated_rig(damping=0.0)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        assert rig.light is not None
        # Antireciprocal, and degenerate by power: one mode grows.
        state = _unstable(session)
        session.set_light(state).result(60)
        growth = session.status().growth_rate
        assert growth is not None
        assert growth > 100.0
        with pytest.raises(UnstableModelError, match=r"grow at .* 1/s; .*allow_unstable"):
            session.start(MonitorPlan(duration=0.01)).result(60)
        outcome = carry_out(session, MonitorPlan(duration=0.01, allow_unstable=True))
        assert outcome.samples == 10_000
        assert not list(tmp_path.glob("*/*.tmp"))
    finally:
        session.close()


def test_hardware_is_warned_of_growth_without_feedback(tmp_path: Path) -> None:
    """Feedback of hardware is not modelled: the run goes on, log and file say what to expect."""
    rig = replace(simulated_rig(), mode="LIVE", world=None)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        wait_until(lambda: session.status().open_loop_growth is not None)
        assert session.status().open_loop_growth < 0.0  # type: ignore[operator]
        outcome = carry_out(session, MonitorPlan(duration=0.01))
        with RunFile.open(outcome.path) as run:
            assert EventKind.NOTE not in [e.kind for e in run.events()]
        session.set_light(_unstable(session)).result(60)
        wait_until(lambda: (session.status().open_loop_growth or 0.0) > 2e3)
        assert session.status().growth_rate is None
        outcome = carry_out(session, MonitorPlan(duration=0.01))
        assert outcome.outcome == "complete"
        with RunFile.open(outcome.path) as run:
            (note,) = [e.payload["text"] for e in run.events() if e.kind is EventKind.NOTE]
        assert "amplitudes grow at" in note
        assert any(line.text == note for line in session.take_log())
    finally:
        session.close()


def _unstable(session: Session):  # type: ignore[no-untyped-def]
    """A light whose pair model grows, found by scanning φ and balance on the model."""
    state, trap = session.light().requested, session.rig.trap
    assert state is not None
    assert trap is not None
    for phi in np.linspace(0.6, 2.4, 10):
        for balance in np.linspace(-0.15, 0.15, 31):
            trial = state.with_pair(phi=float(phi), balance=float(balance))
            if trap.with_light(trial).linearize().growth_rate > 2e3:
                return trial
    raise AssertionError("no unstable light found")


def test_a_lost_particle_ends_a_reheating_run_with_everything_recorded(session: Session) -> None:
    future = session.start(ReheatingPlan(repetitions=100_000))
    wait_until(lambda: repetition(session) >= 3)
    with session.rig.world._lock:
        session.rig.world._engine.memory.state[3] = 1e9  # a collision
    outcome = future.result(60)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "lost" in outcome.reason or "signal of particle 1" in outcome.reason
    with RunFile.open(outcome.path) as run:
        assert run.info()["samples"] == outcome.samples


def test_lost_particles_are_reloaded_and_the_growth_rate_is_of_those_that_are_left(
    session: Session,
) -> None:
    with pytest.raises(InputError, match="no particle is lost"):
        session.reload_particles().result(60)
    session.stream(True).result(60)
    both = session.status().growth_rate
    with session.rig.world._lock:
        session.rig.world._engine.memory.state[3] = 1e9  # a collision
    wait_until(lambda: session.status().lost)
    wait_until(lambda: session.status().growth_rate != both)
    session.reload_particles().result(60)
    assert session.rig.world.lost == (False, False)
    assert session.status().growth_rate == pytest.approx(both)
    wait_until(lambda: not session.status().lost)
    assert carry_out(session, ReheatingPlan(repetitions=3)).outcome == "complete"


def test_hardware_has_no_particles_to_reload(tmp_path: Path) -> None:
    session = Session(fake_rig({}), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        with pytest.raises(InputError, match="not simulated: load particles at the apparatus"):
            session.reload_particles().result(60)
    finally:
        session.close()


def fake_rig(faults: dict[str, dict[int, Fault]]) -> Rig:
    samples = np.random.default_rng(1).normal(0.0, 500.0, (50_000, 2)).astype(np.int16)
    digitizer = FakeDigitizer(samples, 1e5, faults=faults)
    detectors = (DetectorChannel(0, "z1", 0), DetectorChannel(1, "z2", 1))
    return Rig("fake", "LIVE", digitizer, detectors)


@pytest.mark.parametrize("kind", ["timeout", "disconnect"])
def test_a_digitizer_that_dies_leaves_a_complete_file(tmp_path: Path, kind: str) -> None:
    rig = fake_rig({"read_into": {6: Fault(kind)}})  # type: ignore[arg-type]
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        outcome = carry_out(session, MonitorPlan(duration=10.0))
        assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
        assert outcome.samples > 0
        with RunFile.open(outcome.path) as run:
            assert run.info()["state"] == "complete"
            assert run.rows == outcome.samples
    finally:
        session.close()


def test_samples_lost_by_the_device_are_a_recorded_gap(tmp_path: Path) -> None:
    rig = fake_rig({"read_into": {4: Fault("overflow", 123)}})
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        outcome = carry_out(session, MonitorPlan(duration=0.5))
        assert (outcome.gaps, outcome.lost_samples) == (1, 123)
        with RunFile.open(outcome.path) as run:
            gaps = [e for e in run.events() if e.kind is EventKind.GAP]
        assert [(g.payload["lost"], g.payload["cause"]) for g in gaps] == [(123, "digitizer")]
    finally:
        session.close()


def test_a_full_disk_ends_the_run_and_keeps_what_was_acknowledged(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().recorded > 100_000)
    monkeypatch.setattr("optobind.acquisition.recorder.free_bytes", lambda _: 0)
    outcome = future.result(60)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 2)
    assert "disk full" in outcome.reason
    monkeypatch.undo()
    with RunFile.open(outcome.path) as run:
        assert run.rows == outcome.samples >= 100_000
    assert session.rig.world.gate_closed


def test_an_unwritable_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    session = Session(simulated_rig(), run_directory=blocked, live_fits=False)
    try:
        session.connect().result(60)
        with pytest.raises(FileError, match="cannot make the folder"):
            session.start(MonitorPlan(duration=0.01)).result(60)
        assert session.status().state == "idle"
    finally:
        session.close()


def test_a_plan_that_needs_a_gate_is_refused_without_one(tmp_path: Path) -> None:
    session = Session(fake_rig({}), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        with pytest.raises(InputError, match="needs a feedback gate"):
            session.start(ReheatingPlan()).result(60)
    finally:
        session.close()


def test_nothing_starts_before_the_rig_is_connected(tmp_path: Path) -> None:
    session = Session(simulated_rig(), run_directory=tmp_path, live_fits=False)
    try:
        with pytest.raises(DeviceError, match="connect the rig first"):
            session.start(MonitorPlan()).result(60)
        with pytest.raises(DeviceError, match="connect the rig first"):
            session.stream(True).result(60)
    finally:
        session.close()


def test_connecting_and_disconnecting_write_nothing(session: Session) -> None:
    world, light = session.rig.world, session.rig.light
    assert light is not None
    before = (light.read(), world.gate_closed)
    session.disconnect().result(60)
    assert all(d.state is DeviceState.DISCONNECTED for _, d in session.rig.devices())
    session.connect().result(60)
    assert (light.read(), world.gate_closed) == before


def test_live_spectra_restart_when_the_light_changes(session: Session) -> None:
    session.stream(True).result(60)
    wait_until(lambda: (s := session.spectrum()) is not None and s.csd.averages > 40)
    state = session.light().requested
    assert state is not None
    earliest = session.rig.world.position  # the command is carried out after this sample
    session.set_light(state.with_pair(separation=2.6e-6)).result(60)
    wait_until(lambda: session.spectrum().csd.first_sample > 0)  # type: ignore[union-attr]
    after = session.spectrum()
    assert after is not None
    assert after.csd.first_sample >= earliest
    session.stream(False).result(60)
    assert not session.status().streaming


def test_a_refused_light_leaves_the_live_spectra_alone(session: Session) -> None:
    session.stream(True).result(60)
    wait_until(lambda: (s := session.spectrum()) is not None and s.csd.averages > 10)
    state = session.light().requested
    assert state is not None
    with pytest.raises(InputError, match="power"):
        session.set_light(state.with_pair(total_power=50.0)).result(60)
    before = session.spectrum()
    assert before is not None
    wait_until(lambda: session.spectrum().csd.last_sample > before.csd.last_sample + 100_000)  # type: ignore[union-attr]
    assert session.spectrum().csd.first_sample == before.csd.first_sample  # type: ignore[union-attr]


def test_a_card_that_cannot_tell_its_sample_keeps_no_light_from_being_changed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.stream(True).result(60)
    wait_until(lambda: session.status().samples > 0)

    def fail(_: Stream) -> int:
        raise DeviceError("the card is gone")

    monkeypatch.setattr(Stream, "present", fail)
    session.release_particles("release particles").result(60)
    assert session.rig.light is not None
    assert [site.power for site in session.rig.light.read().state.sites] == [0.0, 0.0]


def test_reheating_curves_fill_repetition_by_repetition(session: Session) -> None:
    carry_out(session, ReheatingPlan(repetitions=40, release_time=0.5e-3))
    wait_until(lambda: (r := session.reheating()) is not None and r.repetitions_done == 40)
    snapshot = session.reheating()
    assert snapshot is not None
    assert snapshot.estimate is not None
    assert (snapshot.estimate.repetitions, snapshot.estimate.unit) == (40, "quanta")
    assert snapshot.single.shape[1:] == (2, len(snapshot.estimate.times))
    assert snapshot.estimate.E1[-1] > snapshot.estimate.E1[0]
    assert snapshot.single_numbers == tuple(range(29, 41))
    session.exclude_repetition(3, "a collision")
    wait_until(lambda: session.reheating().excluded == (3,))  # type: ignore[union-attr]
    assert session.reheating().estimate.excluded == (2,)  # type: ignore[union-attr]
    for unknown in (0, 41):
        with pytest.raises(InputError, match=f"no repetition {unknown}; done so far: 1 to 40"):
            session.exclude_repetition(unknown, "a typo")
    with pytest.raises(InputError, match="say why"):
        session.exclude_repetition(4, " ")


def test_an_excluded_repetition_is_left_out_of_fits_of_its_file(session: Session) -> None:
    monitor = MonitorPlan(duration=None)
    future = session.start(SequencePlan((ReheatingPlan(repetitions=12), monitor)))
    wait_until(lambda: (r := session.reheating()) is not None and r.repetitions_done == 12)
    session.exclude_repetition(5, "a flash")  # while the next step is under way
    session.stop_after_repetition()
    outcome = future.result(60)
    with RunFile.open(outcome.path) as run:
        assert [r.repetition for r in run.releases()] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
        assert [r.excluded for r in run.all_releases() if r.excluded] == ["a flash"]
    texts = [line.text for line in session.take_log()]
    assert any("repetition 5 left out of the curves and of fits of the file" in t for t in texts)
    session.exclude_repetition(6, "too late for the file")
    wait_until(lambda: session.reheating().excluded == (5, 6))  # type: ignore[union-attr]
    wait_until(lambda: any("has been closed" in line.text for line in session.take_log()))


def test_an_exclusion_is_taken_back_in_curves_and_file(session: Session) -> None:
    monitor = MonitorPlan(duration=None)
    future = session.start(SequencePlan((ReheatingPlan(repetitions=8), monitor)))
    wait_until(lambda: (r := session.reheating()) is not None and r.repetitions_done == 8)
    session.exclude_repetition(5, "a flash")
    session.exclude_repetition(2, "a flash, too")
    wait_until(lambda: session.reheating().by_hand == (2, 5))  # type: ignore[union-attr]
    session.include_repetition(5)
    wait_until(lambda: session.reheating().by_hand == (2,))  # type: ignore[union-attr]
    assert session.reheating().estimate.repetitions == 7  # type: ignore[union-attr]
    with pytest.raises(InputError, match="repetition 5 is not left out by hand; those are: 2"):
        session.include_repetition(5)
    session.stop_after_repetition()
    outcome = future.result(60)
    with RunFile.open(outcome.path) as run:
        assert [r.repetition for r in run.releases()] == [0, 2, 3, 4, 5, 6, 7]
    wait_until(lambda: session.reheating().excluded == (2,))  # type: ignore[union-attr]


def test_live_curves_and_those_of_the_file_are_the_same(session: Session) -> None:
    from optobind.acquisition.records.opening import open_record
    from optobind.analysis.reheating import analyse_reheating

    monitor = MonitorPlan(duration=None)
    future = session.start(SequencePlan((ReheatingPlan(repetitions=40), monitor)))
    wait_until(lambda: (r := session.reheating()) is not None and r.repetitions_done == 40)
    session.exclude_repetition(7, "a flash")
    session.exclude_repetition(9, "by mistake")
    session.include_repetition(9)
    wait_until(lambda: session.reheating().excluded == (7,))  # type: ignore[union-attr]
    session.stop_after_repetition()
    outcome = future.result(60)
    live = session.reheating()
    assert live is not None
    assert live.estimate is not None
    from_file = analyse_reheating(open_record(outcome.path), estimator="transitions")
    assert from_file.estimate.repetitions == live.estimate.repetitions == 39
    fitted, error = fit_reheating_curves(live.estimate)
    assert error == ""
    assert fitted is not None
    assert fitted.input["repetitions"] == from_file.result.input["repetitions"]
    # The windows of the live curves are laid out on the first release, those of the file on all.
    for name, parameter in from_file.result.parameters.items():
        if parameter.stderr and parameter.unit == fitted.parameters[name].unit:
            gap = abs(fitted.parameters[name].value - parameter.value)
            assert gap < 0.3 * parameter.stderr, name


def test_the_reheating_fit_ends_on_all_repetitions(tmp_path: Path) -> None:
    session = Session(simulated_rig(), run_directory=tmp_path)

    class Instantly:
        """Fits at once: says how many repetitions it was given."""

        def reheating(self, estimate):
            future = Future()
            future.set_result((None, str(estimate.repetitions)))
            return future

        def close(self):
            pass

    session._reheating._fits = Instantly()  # type: ignore[assignment]
    try:
        session.connect().result(60)
        carry_out(session, ReheatingPlan(repetitions=300, release_time=0.5e-3))
        wait_until(lambda: session.reheating().error == "300")  # type: ignore[union-attr]
        session.exclude_repetition(7, "a flash")
        wait_until(lambda: session.reheating().error == "299")  # type: ignore[union-attr]
    finally:
        session.close()


def test_runs_are_numbered_and_named_by_their_number(session: Session) -> None:
    carry_out(session, MonitorPlan(duration=0.01))
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().held_by == "run 2")
    with pytest.raises(InputError, match="held by run 2"):
        session.set_feedback(False).result(60)
    session.abort()
    outcome = future.result(60)
    assert "monitor" in outcome.path.parent.name
    assert any(e.text.startswith("run 2: aborted") for e in session.take_log())


def test_the_prediction_follows_the_light(session: Session) -> None:
    def known() -> bool:
        return session.prediction() is not None

    wait_until(known)
    before = dict(session.prediction() or {})
    # Feedback is on: it damps and adds noise of its own.
    assert set(before) == {"omega_1", "omega_2", "g_r", "g_a", "re_D12"}
    session.set_light(session.light().requested.with_pair(phi=1.2)).result(60)  # type: ignore[union-attr]
    wait_until(known)
    after = session.prediction()
    truth = session.rig.world.truth()
    assert after is not None
    assert abs(after["g_a"] - before["g_a"]) > 100.0
    for name in ("omega_1", "g_r", "g_a"):
        assert after[name] == pytest.approx(truth[name], rel=0.02)
    session.set_feedback(False).result(60)
    predicted = session.prediction()
    assert predicted is not None
    assert predicted["D11"] == pytest.approx(session.rig.world.truth()["D11"], rel=0.02)


def test_a_rig_without_particles_predicts_nothing(tmp_path: Path) -> None:
    session = Session(fake_rig({}), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        assert session.prediction() is None
    finally:
        session.close()


def test_a_paused_reheating_run_keeps_recording_with_feedback_on(session: Session) -> None:
    future = session.start(ReheatingPlan(repetitions=100_000))
    wait_until(lambda: repetition(session) >= 3)
    session.pause()
    wait_until(lambda: session.status().state == "paused")
    recorded = session.status().recorded
    wait_until(lambda: session.status().recorded > recorded + 10_000)
    assert session.rig.world.gate_closed
    session.resume()
    wait_until(lambda: session.status().state == "running")
    session.stop_after_repetition()
    outcome = future.result(60)
    assert outcome.outcome == "stopped"
    assert kinds(outcome.path).count(EventKind.NOTE) == 2


def test_run_folders_never_collide_and_hold_no_colon(tmp_path: Path) -> None:
    first = new_run_path(tmp_path, "monitor")
    first.parent.mkdir()
    second = new_run_path(tmp_path, "monitor")
    assert first.parent != second.parent
    assert ":" not in first.parent.name


@pytest.mark.slow
def test_live_fits_follow_and_survive_the_death_of_their_process(tmp_path: Path) -> None:
    rig = simulated_rig()
    session = Session(rig, run_directory=tmp_path, live_fits=True)
    try:
        session.connect().result(60)
        session.stream(True).result(60)
        wait_until(lambda: (f := session.fit()) is not None and f.result is not None, 90.0)
        executor = session._fits._executor  # type: ignore[union-attr]
        for process in list(executor._processes.values()):  # type: ignore[union-attr]
            process.kill()
        sequence = session.fit().sequence  # type: ignore[union-attr]
        wait_until(
            lambda: (f := session.fit()).sequence > sequence + 5 and f.result is not None,  # type: ignore[union-attr]
            90.0,
        )
        result = session.fit().result  # type: ignore[union-attr]
        truth = rig.world.truth()
        for name in ("omega_1", "omega_2", "g_r", "D11"):
            error = result.stderr(name)
            assert abs(result.value(name) - truth[name]) < 6.0 * error
    finally:
        session.close()


@pytest.mark.parametrize(
    ("plan", "samples"),
    [(MonitorPlan(duration=0.5), 50_000), (MonitorPlan(duration=100.0), 50_000)],
)
def test_a_played_record_that_ends_before_the_plan_is_said_to(tmp_path, plan, samples) -> None:
    digitizer = FakeDigitizer(np.ones((samples, 2), dtype=np.int16), 1e5, loop=False)
    session = Session(
        Rig("replayed", "REPLAY", digitizer, (DetectorChannel(0, "z1", 0),)),
        run_directory=tmp_path,
        live_fits=False,
    )
    try:
        session.connect().result(60)
        outcome = carry_out(session, plan)
    finally:
        session.close()
    assert outcome.samples == samples
    whole = plan.duration == 0.5
    assert outcome.outcome == ("complete" if whole else "stopped")
    assert ("ended before the plan" in outcome.reason) is not whole
