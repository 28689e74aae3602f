"""A session is watched and steered over real sockets, with its own calls and errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.origin import RunOrigin
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.remote import addresses
from optobind.acquisition.remote.client import RemoteSession, connect
from optobind.acquisition.remote.server import RemoteServer, serve
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.snapshots import TraceSnapshot
from optobind.models.errors import DeviceError, InputError

from .sweeping import small_rig

pytest.importorskip("websockets")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's experiments are found: none of anybody else."""
    monkeypatch.setattr(addresses, "runtime_folder", lambda: tmp_path / "user")
    return tmp_path / "user" / "served"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    before = set(threading.enumerate())
    made = Session(small_rig(), run_directory=tmp_path / "runs", live_fits=False)
    made.connect().result(60)
    yield made
    made.close()
    left = [t.name for t in threading.enumerate() if t not in before]
    assert [name for name in left if "remote" in name or "Thread-" in name] == []


@pytest.fixture
def server(session: Session) -> RemoteServer:
    return serve(session, name="table")


@pytest.fixture
def remote(server: RemoteServer) -> Iterator[RemoteSession]:
    with connect("table", name="ana") as made:
        yield made


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the last digit, arrays included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())
    if is_dataclass(one):
        names = [f.name for f in fields(one) if f.compare]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


# -- watching -----------------------------------------------------------------------------------


def test_a_remote_sees_what_the_session_shows_to_the_last_digit(
    session: Session, remote: RemoteSession
) -> None:
    assert (remote.name, remote.mode) == ("table", "SIM")
    assert remote.trace() is None
    plan = ReheatingPlan(repetitions=12, cool_time=1e-3, release_time=2e-3)
    outcome = session.start(plan).result(60)
    for view in ("light", "reheating", "spectrum", "trace", "track", "fit", "fit_history"):
        assert same(getattr(remote, view)(), getattr(session, view)()), view
    # The gauge and the model's growth may have news between the two.
    wait_until(lambda: same(replace(remote.status(), lag=0.0), replace(session.status(), lag=0.0)))
    assert remote.reheating() is not None
    estimates = [replace(one.estimate(plan), free=None) for one in (remote, session)]
    assert same(*estimates)
    wait_until(lambda: session.prediction() is not None)
    assert same(remote.prediction(), session.prediction())
    assert outcome.outcome == "complete"


@pytest.mark.slow  # the process of the fits begins
def test_live_spectra_and_fits_are_the_same_at_both_ends(tmp_path: Path) -> None:
    session = Session(small_rig(), run_directory=tmp_path, spectrum_segment=4096)
    try:
        session.connect().result(60)
        with serve(session) as server, connect(server.address.url) as remote:
            session.stream(True).result(60)
            wait_until(lambda: remote.fit() is not None)
            session.stream(False).result(60)
            for view in ("fit", "spectrum", "trace", "fit_history"):
                wait_until(lambda v=view: same(getattr(remote, v)(), getattr(session, v)()))
            fit = remote.fit()
            assert fit is not None
            assert fit.result is not None or fit.error
    finally:
        session.close()


def test_a_snapshot_that_is_known_is_not_sent_again(
    session: Session, remote: RemoteSession
) -> None:
    volts = np.random.default_rng(4).normal(size=(300, 2)).astype(np.float32)
    made = [TraceSnapshot(7, 0, 1e6, number * volts, ("z1", "z2")) for number in (1, 2)]
    session._live.trace.put(made[0])
    first = remote.trace()
    assert same(first, made[0])
    assert remote.trace() is first
    session._live.trace.put(made[1])  # of the same number: after the stream began anew
    assert same(remote.trace(), made[1])
    session._live.trace.put(None)
    assert remote.trace() is None


def test_every_reader_has_all_lines_and_events(session: Session, server: RemoteServer) -> None:
    with connect("table") as one, connect("table") as other:
        for remote in (one, other):
            remote.take_log(), remote.take_events()
        session.start(MonitorPlan(duration=0.1)).result(60)
        lines = [[entry.text for entry in r.take_log()] for r in (one, other)]
        events = [[event.kind for event in r.take_events()] for r in (one, other)]
        own = [entry.text for entry in session.take_log()]
        assert lines[0] == lines[1]
        assert any("run 1: complete" in text for text in lines[0])
        assert any("run 1: complete" in text for text in own)
        assert events[0] == events[1] == [event.kind for event in session.take_events()]
        assert events[0][-1] is EventKind.RUN_END
        assert one.take_log() == []


def test_what_a_reader_does_not_take_is_dropped_and_counted(
    session: Session, remote: RemoteSession
) -> None:
    remote.take_log()
    for number in range(1250):
        session._log.add("info", f"line {number}")
    entries = remote.take_log()
    assert entries[0].text == "line 250"
    assert entries[-1].text.startswith("250 earlier lines or events were not taken")


def test_many_readers_at_a_time_do_not_disturb_a_run(
    session: Session, server: RemoteServer
) -> None:
    stop = threading.Event()

    def watch(number: int) -> int:
        looks = 0
        with connect("table", name=f"reader {number}") as remote:
            while not stop.is_set():
                assert remote.status().mode == "SIM"
                remote.trace(), remote.spectrum(), remote.light(), remote.take_log()
                looks += 1
        return looks

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(watch, number) for number in range(6)]
        wait_until(lambda: len(server.remotes) == 6)
        outcome = session.start(MonitorPlan(duration=2.0)).result(120)
        stop.set()
        assert min(reader.result(60) for reader in readers) > 0
    assert (outcome.outcome, outcome.samples, outcome.lost_samples) == ("complete", 500_000, 0)
    wait_until(lambda: server.remotes == ())


# -- steering -----------------------------------------------------------------------------------


def test_a_remote_steers_light_feedback_and_runs_and_it_is_written_who_did(
    session: Session, remote: RemoteSession
) -> None:
    light = session.light().applied
    assert light is not None
    with remote.take() as held:
        assert held is remote
        applied = remote.set_light(light.state.with_pair(phi=0.9)).result(60)
        assert session.light().applied == applied
        assert applied.state.relative_phase == pytest.approx(0.9, abs=0.01)
        remote.check_way(None, light.state).result(60)
        remote.set_feedback(False).result(60)
        assert session.status().feedback is False
        remote.set_feedback(True).result(60)
        future = remote.start(MonitorPlan(duration=None), Path("night/run.h5"))
        wait_until(lambda: remote.status().recorded > 0)
        remote.pause()
        wait_until(lambda: remote.status().state == "paused")
        remote.note("somebody opened the door")
        remote.resume()
        wait_until(lambda: remote.status().state == "running")
        remote.stop_after_repetition()
        outcome = future.result(60)
    assert outcome.outcome == "stopped"
    assert outcome.path == session.run_directory.resolve() / "night" / "run.h5"
    with RunFile.open(outcome.path) as run:
        events = run.events()
        notes = [e.payload["text"] for e in events if e.kind is EventKind.NOTE]
        assert events[0].payload["operator"] == "ana"
    asked = [text for text in notes if text.startswith("ana")]
    assert asked == [
        "ana asks for pause",
        "ana: somebody opened the door",
        "ana asks for resume",
        "ana asks for stop_after_repetition",
    ]
    lines: list[str] = []

    def told() -> bool:  # outside a run the thread of the devices writes it, between two blocks
        lines.extend(entry.text for entry in session.take_log())
        return "ana gave the knobs back" in lines

    wait_until(told)
    log = " | ".join(lines)
    assert re.search(r"ana steers .* set_light: .*0\.9 rad.* apart .* ana gave the knobs back", log)


def test_an_abort_is_in_the_file_that_it_ends(session: Session, remote: RemoteSession) -> None:
    remote.take()
    future = remote.start(MonitorPlan(duration=None), origin=RunOrigin(note="try", operator="ben"))
    wait_until(lambda: session.status().recorded > 0)
    remote.abort()
    outcome = future.result(60)
    with RunFile.open(outcome.path) as run:
        events = run.events()
    texts = [e.payload.get("text") for e in events]
    assert "ana asks for abort" in texts
    assert events[0].payload["operator"] == "ben"
    assert events[0].payload["note"] == "try"
    assert outcome.feedback is True


def test_refusals_are_those_of_the_session(session: Session, remote: RemoteSession) -> None:
    light = session.light().applied
    assert light is not None
    remote.take()
    for call in (
        lambda s: s.set_light(light.state.with_pair(total_power=90.0)).result(60),
        lambda s: s.set_light(light.state.with_pair(total_power=1e-6)).result(60),
        lambda s: s.set_light(light.state.with_pair(balance=0.97)).result(60),
        lambda s: s.release_particles("please"),
        lambda s: s.reload_particles().result(60),
        lambda s: s.exclude_repetition(3, "noise"),
        lambda s: s.start(ReheatingPlan(repetitions=5, release_time=9e5)).result(60),
        lambda s: s.note("  "),
    ):
        with pytest.raises(InputError) as own:
            call(session)
        with pytest.raises(InputError) as elsewhere:
            call(remote)
        assert type(elsewhere.value) is type(own.value)
        if "note" not in str(own.value):
            assert str(elsewhere.value) == str(own.value)
    run = remote.start(MonitorPlan(duration=None))
    wait_until(lambda: remote.status().held_by is not None)
    with pytest.raises(InputError, match=r"the light is held by run \d: stop that run first"):
        remote.set_light(light.state).result(60)
    with pytest.raises(InputError, match=r"held by run \d"):
        remote.release_particles("release particles").result(60)
    remote.abort()
    run.result(60)
    assert session.light().applied == light


def test_the_light_goes_out_by_its_phrase_alone(session: Session, remote: RemoteSession) -> None:
    remote.take()
    remote.release_particles("release particles").result(60)
    assert session.light().applied is None or all(
        site.power == 0.0
        for site in session.light().applied.state.sites  # type: ignore[union-attr]
    )


def test_arguments_of_wrong_kinds_and_unknown_calls_are_refused(remote: RemoteSession) -> None:
    remote.take()
    with pytest.raises(InputError, match="state must be TweezerState, got float"):
        remote.set_light(0.5).result(60)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="on must be bool, got str"):
        remote.stream("yes").result(60)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be sent"):
        remote.start(object()).result(60)  # type: ignore[arg-type]
    for call in ("close", "_close", "__init__", "rig", "listen", "run_directory"):
        with pytest.raises(InputError, match="a remote has no call"):
            remote._call(call)


@pytest.mark.parametrize("out", ["../elsewhere/run.h5", "/elsewhere/run.h5", "a/../../x.h5"])
def test_a_remote_records_below_the_run_directory_alone(remote: RemoteSession, out: str) -> None:
    remote.take()
    with pytest.raises(InputError, match="a remote records below"):
        remote.start(MonitorPlan(duration=0.1), Path(out)).result(60)


def test_one_remote_steers_at_a_time_and_the_other_is_told_who(
    session: Session, server: RemoteServer, remote: RemoteSession
) -> None:
    with connect(server.address.url, name="ben") as ben:
        with pytest.raises(InputError, match=re.escape("take the knobs first, remote.take()")):
            ben.set_feedback(True).result(60)
        remote.take()
        remote.take()  # has them already
        assert ben.owner == remote.owner == server.owner == "ana"
        for call in (ben.take, lambda: ben.set_feedback(True).result(60), ben.abort):
            with pytest.raises(InputError, match="the knobs are held by ana since"):
                call()
        with pytest.raises(InputError, match="only the user who runs the experiment"):
            ben.take(force=True)
        ben.give()  # are not his to give
        assert ben.owner == "ana"
        session.set_feedback(True).result(60)  # the user at the experiment always acts
        with connect("table", name="local") as local:
            local.take(force=True)
            assert ben.owner == "local"
            with pytest.raises(InputError, match="held by local"):
                remote.set_feedback(True).result(60)
        wait_until(lambda: server.owner is None)
        ben.take()
        server.take_back()
        assert server.owner is None
        with pytest.raises(InputError, match="only watches"):
            ben.pause()
    texts = [entry.text for entry in session.take_log()]
    assert "local steers instead of ana" in texts
    assert "local is gone: nobody steers from elsewhere" in texts
    assert "the knobs were taken back from ben" in texts


def test_remotes_may_be_let_watch_only(session: Session) -> None:
    with serve(session, steering=False), connect() as remote:
        assert remote.status().state == "idle"
        with pytest.raises(InputError, match="remotes only watch"):
            remote.take(force=True)


# -- being found, and ending --------------------------------------------------------------------


def test_an_experiment_is_found_by_nothing_its_name_its_process_or_its_address(
    session: Session, server: RemoteServer, folder: Path
) -> None:
    port = server.address.port
    assert server.address.host == "127.0.0.1"
    for where in (None, "table", f"table:{os.getpid()}", server.address.url):
        with connect(where) as remote:
            assert remote.name == "table"
    with pytest.raises(InputError, match=r"no experiment chair is served .* there are table:"):
        connect("chair")
    with serve(session, name="second"):
        with pytest.raises(InputError, match=r"2 experiments are served here: name one of second:"):
            connect()
        with connect("second", name="x") as remote:
            assert re.fullmatch(
                r"<RemoteSession second SIM at tcp://127\.0\.0\.1:\d+, connected>", repr(remote)
            )
            assert remote.url.startswith("tcp://127.0.0.1:")
    files = list(folder.iterdir())
    assert sorted(file.name for file in files) == [
        f"table-{os.getpid()}-{port}.json",
        f"table-{os.getpid()}-{port}.lock",
    ]
    if sys.platform != "win32":
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
    server.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(InputError, match=r"no experiment is served .* ob\.serve"):
        connect()


@pytest.mark.parametrize(
    "where", ["tcp://127.0.0.1:5600", "tcp://", "tcp://host", "http://x:99999?token=a", "tcp://:1"]
)
def test_an_address_that_is_none_is_told(where: str) -> None:
    with pytest.raises(InputError, match=r"tcp://HOST:PORT\?token=TOKEN"):
        connect(where)


def test_the_token_shows_nowhere(
    session: Session, server: RemoteServer, remote: RemoteSession
) -> None:
    session.start(MonitorPlan(duration=0.1)).result(60)
    secrets = (server._token, server._local_token)
    said = [repr(server), repr(remote), repr(server.address), *map(str, session.take_log())]
    assert not [text for text in said for secret in secrets if secret in text]
    with connect(server.address.url) as far:
        with pytest.raises(InputError, match="is told to the user who runs the experiment"):
            _ = far.url


def test_files_of_the_dead_are_removed_and_those_of_the_living_stay(
    server: RemoteServer, folder: Path
) -> None:
    code = (
        "import sys, os; from pathlib import Path\n"
        "from optobind.acquisition.remote.addresses import Address, Registration\n"
        "r = Registration(Address('127.0.0.1', 1, 'x', True, sys.argv[2]), Path(sys.argv[1]))\n"
        "print('there', flush=True); sys.stdin.read(); os._exit(9)\n"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("alive", "dead")
    ]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline().strip() == b"there"
        assert [a.name for a in addresses.running_here()] == ["alive", "dead", "table"]
        others[1].kill()
        others[1].wait(60)
        (folder / "garbage.json").write_text("{", encoding="utf-8")
        assert [a.name for a in addresses.running_here()] == ["alive", "table"]
        assert sorted(file.name.partition("-")[0] for file in folder.iterdir()) == [
            *("alive", "alive", "table", "table"),
        ]
    finally:
        for other in others:
            other.kill()
            other.communicate(timeout=60)


def test_an_experiment_that_ends_says_so(session: Session, tmp_path: Path) -> None:
    other = Session(small_rig(), run_directory=tmp_path, live_fits=False)
    serve(other, name="short")
    remote = connect("short")
    remote.take()
    remote.connect().result(60)
    run = remote.start(MonitorPlan(duration=None))
    wait_until(lambda: other.status().recorded > 0)
    other.close()
    outcome = run.exception(60)
    assert outcome is None or isinstance(outcome, DeviceError)
    wait_until(lambda: remote.ended)
    with pytest.raises(DeviceError, match="experiment short has ended"):
        remote.status()
    assert "gone" in repr(remote)
    remote.close()
    with pytest.raises(InputError, match="this remote is closed"):
        remote.status()
    with pytest.raises(InputError, match="no experiment short is served"):
        connect("short")


def test_a_port_that_is_taken_is_told_in_a_line(session: Session, server: RemoteServer) -> None:
    with pytest.raises(DeviceError, match=r"remotes cannot be served at 127\.0\.0\.1:\d+ \(.*\)"):
        serve(session, port=server.address.port)
    with pytest.raises(DeviceError, match=r"cannot be served at nowhere\.invalid:0"):
        serve(session, host="nowhere.invalid")


def test_another_address_than_loopback_is_a_loud_warning(session: Session) -> None:
    with pytest.warns(UserWarning, match="not encrypted; use 127.0.0.1 and an ssh tunnel"):
        server = serve(session, host="0.0.0.0")
    address = replace(server.address, host="127.0.0.1")
    with connect(address.url) as remote:
        assert remote.status().mode == "SIM"
    assert addresses.parse_listening("[::1]:5600") == ("::1", 5600)
    assert addresses.parse_listening(":5600") == ("127.0.0.1", 5600)
    for text in ("", "a b:1", "x:99999", "x:y", "/tmp:1"):
        with pytest.raises(InputError, match="no address to listen on"):
            addresses.parse_listening(text)
