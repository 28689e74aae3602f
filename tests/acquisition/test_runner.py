"""The runner: a small surface, one picture replaced as a whole, runs that write nothing into it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from optobind.acquisition import commands, finalise, run, run_gate, run_procedure, run_releases
from optobind.acquisition.apparatus import Apparatus, Listeners
from optobind.acquisition.bench import Bench
from optobind.acquisition.light_mover import LightMover
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.run import Run
from optobind.acquisition.runner import Runner
from optobind.acquisition.runner_state import RunnerState, StateBoard
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.instruments.protocols import AppliedLight
from optobind.instruments.rig import Rig
from optobind.models.errors import DeviceError, InputError

from .test_faults import fake_rig, simulated_rig
from .test_light import SlowSource, make_rig, powers

RUN_MODULES = (run, run_procedure, run_gate, run_releases, finalise)


class Heard:
    """Writes down what listeners are told."""

    def __init__(self) -> None:
        self.changes: list[int] = []
        self.events: list[Any] = []

    def listeners(self) -> Listeners:
        return Listeners(
            on_stream=lambda stream: None,
            on_event=self.events.append,
            on_change=self.changes.append,
            on_repetition=lambda *told: None,
            on_releases=lambda *told: None,
        )


Make = Callable[[Rig], tuple[Runner, Heard]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Runner] = []

    def start(rig: Rig) -> tuple[Runner, Heard]:
        heard = Heard()
        runner = Runner(rig, LogBook(), heard.listeners())
        runner.start()
        made.append(runner)
        runner.submit(commands.connect).result(60)
        return runner, heard

    yield start
    for runner in made:
        runner.request_close()
        assert runner.join(60.0)


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_a_runner_shows_fewer_than_ten_names(make: Make) -> None:
    runner, _ = make(fake_rig())
    assert len(public(runner)) < 10, sorted(public(runner))


def test_a_run_is_given_a_small_interface() -> None:
    assert len(public(Apparatus)) <= 10
    assert set(inspect.signature(Run.carry_out).parameters) == {"self", "apparatus"}
    # What the light's thread is given is no runner either.
    assert set(inspect.signature(LightMover).parameters) == {"rig", "log", "host"}


@pytest.mark.parametrize("module", RUN_MODULES, ids=lambda module: module.__name__)
def test_the_modules_of_a_run_assign_attributes_of_nothing_but_themselves(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    foreign = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("setattr", "delattr"):
            foreign.append(ast.unparse(node))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            foreign += [] if own else [ast.unparse(node)]
    assert foreign == []


def test_a_run_needs_no_runner_and_returns_what_happened(tmp_path: Path) -> None:
    rig, log, heard, board = simulated_rig(), LogBook(), Heard(), StateBoard()
    bench = Bench(
        rig,
        log,
        heard.listeners(),
        board,
        serve=lambda: None,
        ask=lambda question: Future(),
        closing=lambda: False,
        block_seconds=0.02,
        pace=None,
    )
    bench.devices.connect()
    try:
        outcome = Run(MonitorPlan(duration=0.02), tmp_path / "run.h5").carry_out(bench)
    finally:
        bench.devices.disconnect()
    assert outcome.outcome == "complete"
    assert outcome.feedback is True
    assert rig.light is not None
    assert outcome.light == board.state.applied
    assert board.state.run is None  # nobody but a runner says that a run is under way
    assert board.state.stream is None


class ShownWorld:
    """A world whose growth rate is the power that is emitted; it takes its time to work it out."""

    lost = (False, False)

    def __init__(self) -> None:
        self.rig: Rig | None = None

    def growth_rate(self, gate: bool | None = None, light: object = None) -> float:
        assert self.rig is not None
        assert self.rig.light is not None
        time.sleep(0.002)
        return sum(powers(self.rig.light.read().state))


def test_light_and_growth_of_one_command_are_seen_together_by_all_who_look(make: Make) -> None:
    source, world = SlowSource(), ShownWorld()
    rig = dataclasses.replace(make_rig(source, power_slew=100.0), world=world)
    world.rig = rig
    runner, _ = make(rig)
    start = runner.state().applied
    assert start is not None
    total = sum(powers(start.state))
    goals = [start.state.with_pair(total_power=total * (1.0 + 0.02 * (n % 5))) for n in range(30)]
    torn: list[RunnerState] = []
    seen = [0, 0]
    ended = threading.Event()

    def look(own: int) -> None:
        while not ended.is_set():
            state = runner.state()
            seen[own] += 1
            assert state.applied is not None
            if state.growth_rate != sum(powers(state.applied.state)):
                torn.append(state)

    readers = [threading.Thread(target=look, args=(own,)) for own in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number, goal in enumerate(goals):
            if number % 5 == 4:  # a failure, after which the light is read back
                source.fail_at = len(source.log)
            future = runner.submit(commands.set_light(goal))
            if future.exception(30) is None:
                state = runner.state()
                assert (state.requested, state.applied) == (goal, future.result())
            else:
                state = runner.state()
                assert state.applied is not None
                assert state.requested == state.applied.state
    finally:
        ended.set()
        for reader in readers:
            reader.join(30)
    assert min(seen) > 0
    assert torn == []


def test_values_that_belong_together_are_never_seen_apart() -> None:
    board = StateBoard()
    pairs = [(f"light {n}", float(n)) for n in range(2000)]
    torn: list[RunnerState] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            state = board.state
            if state.applied is None:
                continue
            together = state.applied == state.requested == f"light {state.growth_rate:.0f}"
            if not together:
                torn.append(state)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()

    def other(own: int) -> None:
        for n in range(1000):
            board.identify(f"device {own}", f"{n}")

    others = [threading.Thread(target=other, args=(own,)) for own in range(2)]
    for thread in others:
        thread.start()
    for name, growth in pairs:
        board.change(requested=name, applied=name, growth_rate=growth)
    for thread in others:
        thread.join(30)
    ended.set()
    for reader in readers:
        reader.join(30)
    assert torn == []
    # Nothing that one writer wrote was lost to the other's replacement.
    assert board.state.growth_rate == 1999.0
    assert board.state.identities == {"device 0": "999", "device 1": "999"}


def test_a_picture_cannot_be_written_into(make: Make) -> None:
    runner, _ = make(fake_rig())
    with pytest.raises(dataclasses.FrozenInstanceError):
        runner.state().last_failed = True  # type: ignore[misc]


def test_light_read_back_after_a_failure_appears_with_what_is_requested(make: Make) -> None:
    source = SlowSource()
    runner, heard = make(make_rig(source, power_slew=1.0))
    start = runner.state().applied
    assert start is not None
    total = sum(site.power for site in start.state.sites)
    source.fail_at = len(source.log) + 3
    future = runner.submit(commands.set_light(start.state.with_pair(total_power=total + 0.2)))
    with pytest.raises(DeviceError):
        future.result(60)
    state = runner.state()
    assert state.applied is not None
    assert state.requested == state.applied.state != start.state
    assert len(heard.changes) == 2  # beginning and end of what was moved


def test_a_changed_gate_is_told_with_its_sample_and_a_refused_change_is_not(make: Make) -> None:
    rig = simulated_rig()
    runner, heard = make(rig)
    runner.submit(commands.set_streaming(True)).result(60)
    runner.submit(commands.set_feedback(False)).result(60)
    assert runner.state().gate.closed is False
    assert len(heard.changes) == 1
    with pytest.raises(InputError, match="no particle is lost"):
        runner.submit(commands.reload_particles).result(60)
    assert len(heard.changes) == 1
    rig.gate.set = lambda closed: 1 / 0  # type: ignore[method-assign, union-attr]
    with pytest.raises(ZeroDivisionError):
        runner.submit(commands.set_feedback(False)).result(60)
    assert len(heard.changes) == 2  # it may have acted all the same
    del rig.gate.set  # type: ignore[union-attr]


def test_a_command_answers_when_what_it_began_has_ended(make: Make) -> None:
    runner, _ = make(fake_rig())
    begun: Future[str] = Future()
    answer = runner.submit(lambda bench: begun)
    runner.submit(lambda bench: None).result(60)  # the next one is not kept waiting
    assert not answer.done()
    begun.set_result("done")
    assert answer.result(60) == "done"
    broken: Future[str] = Future()
    answer = runner.submit(lambda bench: broken)
    broken.set_exception(DeviceError("away"))
    with pytest.raises(DeviceError, match="away"):
        answer.result(60)


def test_a_session_shows_the_light_that_a_run_reads_back(tmp_path: Path) -> None:
    source = SlowSource()
    rig = make_rig(source)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        before = session.light().applied
        assert isinstance(before, AppliedLight)
        source.set_tone(0, dataclasses.replace(source.read_tone(0), amplitude=0.2))  # by hand
        outcome = session.start(MonitorPlan(duration=0.05)).result(60)
        assert outcome.light is not None
        assert outcome.light != before
        assert session.light().applied == outcome.light
    finally:
        session.close()
