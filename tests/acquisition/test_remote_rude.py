"""Strangers, floods, the slow and the dead: neither run nor session notices them."""

from __future__ import annotations

import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.remote import addresses, frames, greeting, visit
from optobind.acquisition.remote import server as serving
from optobind.acquisition.remote.client import RemoteSession, connect
from optobind.acquisition.remote.greeting import introduce
from optobind.acquisition.remote.proof import proof
from optobind.acquisition.remote.server import RemoteServer, serve
from optobind.acquisition.remote.wire import pack
from optobind.acquisition.session import Session
from optobind.acquisition.snapshots import TraceSnapshot
from optobind.models.errors import DeviceError, InputError, OptobindError

from .sweeping import small_rig

pytest.importorskip("websockets")

CLIENT = """
import sys, time
import optobind as ob
remote = ob.connect(sys.argv[1], name="other process")
remote.take()
remote.set_feedback(True).result(60)
print("steers", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "runtime_folder", lambda: tmp_path / "user")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(small_rig(), run_directory=tmp_path / "runs", live_fits=False)
    made.connect().result(60)
    yield made
    made.close()
    left = [t.name for t in threading.enumerate()]
    assert [name for name in left if "remote" in name] == []


@pytest.fixture
def server(session: Session) -> RemoteServer:
    return serve(session)


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def plain_socket(server: RemoteServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.address.port), timeout=60)


def raw(server: RemoteServer) -> Any:
    """A connection that has been greeted, on which a test can send what it likes."""
    from websockets.sync.client import connect as raw_connect

    line = raw_connect(
        f"ws://127.0.0.1:{server.address.port}", proxy=None, compression=None, max_size=None,
        ping_interval=None, legacy=True,
    )  # fmt: skip
    introduce(line, server.address, "rude")
    return line


def request(number: int, call: str, *args: Any) -> bytes:
    return number.to_bytes(8, "big") + pack({"call": call, "args": args, "named": {}, "has": 0})


def require_at_ease(session: Session, server: RemoteServer) -> None:
    """Others are served, and a run loses nothing."""
    with connect(server.address.url) as remote:
        assert remote.status().mode == "SIM"
    outcome = session.start(MonitorPlan(duration=0.2)).result(120)
    assert (outcome.outcome, outcome.samples, outcome.lost_samples) == ("complete", 50_000, 0)
    assert [entry.text for entry in session.take_log() if entry.level == "error"] == []


# -- strangers ----------------------------------------------------------------------------------


def test_a_wrong_token_is_one_line(session: Session, server: RemoteServer) -> None:
    for token in ("wrong", server._local_token, server.address.token + "a", "ä"):
        with pytest.raises(InputError) as error:
            connect(f"{server.address.place}?token={token}")
        assert "refuses the token" in str(error.value)
        assert token not in str(error.value).replace("token", "")
    wait_until(lambda: not server._lines)
    require_at_ease(session, server)


def test_a_proof_is_good_once(session: Session, server: RemoteServer) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect as raw_connect

    url, token = f"ws://127.0.0.1:{server.address.port}", server.address.token
    heard: list[str] = []
    for attempt in range(2):
        with raw_connect(url, proxy=None, legacy=True) as line:
            asked = json.loads(line.recv(60))["number"]
            if not attempt:
                said = {"optobind": 1, "number": "n", "proof": proof(token, "client", asked, "n")}
                heard.append(json.dumps(said))
            line.send(heard[0])
            if attempt:
                with pytest.raises(ConnectionClosed, match="wrong token"):
                    line.recv(60)
            else:
                assert "proof" in json.loads(line.recv(60))


def test_a_program_that_took_the_port_is_found_out(server: RemoteServer) -> None:
    from websockets.sync.server import serve as fake_serve

    heard: list[str] = []

    def attend(line: Any) -> None:
        line.send(json.dumps({"optobind": 1, "number": "5"}))
        heard.append(line.recv(60))
        line.send(json.dumps({"proof": "0" * 64}))

    with fake_serve(attend, "127.0.0.1", 0) as fake:
        thread = threading.Thread(target=fake.serve_forever)
        thread.start()
        port = fake.socket.getsockname()[1]
        with pytest.raises(DeviceError, match="is not the experiment: it has ended"):
            connect(f"tcp://127.0.0.1:{port}?token=secret")
        fake.shutdown()
        thread.join(60)
    assert "secret" not in heard[0]


def test_a_page_of_a_browser_is_not_let_in(session: Session, server: RemoteServer) -> None:
    with plain_socket(server) as line:
        line.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Origin: https://elsewhere.example\r\n\r\n"
        )
        assert b"403" in line.recv(100)


def test_noise_and_half_words_are_dropped_in_silence(
    session: Session,
    server: RemoteServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dice = random.Random(3)
    noise = [
        dice.randbytes(4000),
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"A" * 70000,
    ]
    for bytes_sent in noise:
        with plain_socket(server) as line:
            try:
                line.sendall(bytes_sent)
                line.shutdown(socket.SHUT_WR)
                while line.recv(4096):
                    pass
            except OSError:
                pass  # put out before all was sent
    for nonsense in ("{", "[]", "{}", "x" * 5000, b"\xff\x00"):
        line = _upgraded(server)
        line.send(nonsense)
        _require_put_out(line)
    wait_until(lambda: not server._lines)
    require_at_ease(session, server)
    assert capfd.readouterr().err == ""


def _upgraded(server: RemoteServer) -> Any:
    from websockets.sync.client import connect as raw_connect

    line = raw_connect(f"ws://127.0.0.1:{server.address.port}", proxy=None, legacy=True)
    line.recv(60)
    return line


def _require_put_out(line: Any) -> None:
    from websockets.exceptions import ConnectionClosed

    def read_on() -> None:
        while True:
            line.recv(60)

    with pytest.raises(ConnectionClosed):
        read_on()
    line.close()


def test_whoever_says_half_a_word_and_falls_silent_is_put_out(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_OPEN_SECONDS", 0.3)
    monkeypatch.setattr(serving, "_PING_SECONDS", 0.2)
    monkeypatch.setattr(serving, "_PONG_SECONDS", 0.3)
    monkeypatch.setattr(greeting, "SECONDS", 0.3)
    server = serve(session)
    silent = plain_socket(server)
    half = plain_socket(server)
    half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpg")
    ungreeted = _upgraded(server)
    greeted = raw(server)
    greeted.socket.sendall(b"\x82\xfe\x10\x00abcd12")  # 6 bytes of a frame of 4 kB
    wait_until(lambda: not server._lines)
    assert server.remotes == ()
    require_at_ease(session, server)
    for line in (silent, half, ungreeted, greeted):
        line.close()


@pytest.mark.parametrize(
    "message",
    [b"", b"1234567", "text", b"\x00" * 2_000_000],
    ids=["empty", "short", "text", "long"],
)
def test_a_remote_that_sends_nonsense_is_put_out(
    session: Session, server: RemoteServer, message: Any
) -> None:
    line = raw(server)
    line.send(message)
    _require_put_out(line)
    require_at_ease(session, server)
    assert server.remotes == ()


def test_requests_that_are_none_are_answered_with_an_error(server: RemoteServer) -> None:
    from optobind.acquisition.remote.failures import raised

    line = raw(server)
    for number, body in enumerate((b"", b"\x00\x00\x00\x01[", pack([1]), pack({"call": 5})), 1):
        line.send(number.to_bytes(8, "big") + body)
        answered, _, kind = frames.HEAD.unpack_from(line.recv(60))
        assert (answered, frames.KINDS[kind]) == (number, "error")
    line.send(request(9, "status"))
    assert frames.HEAD.unpack_from(line.recv(60))[::2] == (9, 0)
    line.close()
    assert isinstance(raised(pack({"kind": "os", "text": "x", "code": 2})), OptobindError)


# -- too many, too fast, too slow ---------------------------------------------------------------


def test_connections_are_bounded_and_free_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_OPEN_SECONDS", 0.5)
    server = serve(session)
    lines = []
    for _ in range(120):
        lines.append(plain_socket(server))
        assert len(server._lines) <= serving._MAX_LINES + serving._BACKLOG + 1
    wait_until(lambda: not server._lines)
    for line in lines:
        line.close()
    require_at_ease(session, server)


def test_remotes_are_bounded_and_the_next_is_told(session: Session, server: RemoteServer) -> None:
    lines = [raw(server) for _ in range(serving.MAX_REMOTES)]
    with pytest.raises(DeviceError, match="16 remotes are connected already"):
        connect(server.address.url)
    lines.pop().close()
    wait_until(lambda: len(server.remotes) < serving.MAX_REMOTES)
    require_at_ease(session, server)
    for line in lines:
        line.close()


def test_a_flood_of_requests_waits_on_its_own_side(session: Session, server: RemoteServer) -> None:
    line, stop = raw(server), threading.Event()
    wait_until(lambda: server.remotes)
    (flooded,) = server._visits.values()

    def flood() -> None:
        try:
            for number in itertools.count():
                if stop.is_set():
                    return
                line.send(request(number, "status"))
        except Exception:  # put out, as it reads nothing
            pass

    thread = threading.Thread(target=flood)
    thread.start()
    run = session.start(MonitorPlan(duration=3.0))
    with connect(server.address.url, timeout=60) as remote:
        while not run.done():
            remote.status()
            assert flooded._answers.qsize() <= visit._MAX_UNSENT + visit._MAX_OPEN
            assert flooded._open <= visit._MAX_OPEN + 1
    outcome = run.result(60)
    assert (outcome.outcome, outcome.lost_samples) == ("complete", 0)
    stop.set()
    line.close_socket()
    thread.join(60)
    require_at_ease(session, server)


def test_a_remote_that_does_not_read_is_put_out_and_loses_the_knobs(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "_SEND_SECONDS", 0.5)
    server = serve(session)
    large = np.zeros((200_000, 2), np.float32)
    session._live.trace.put(TraceSnapshot(1, 0, 1e6, large, ("z1", "z2")))
    line = raw(server)
    line.send(request(1, "take"))
    wait_until(lambda: server.owner == "rude")
    stop = threading.Event()

    def ask() -> None:
        try:
            for number in itertools.count(2):
                if stop.is_set():
                    return
                line.send(request(number, "trace"))
        except Exception:
            pass

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: server.owner is None)
    wait_until(lambda: server.remotes == ())
    stop.set()
    line.close_socket()
    thread.join(60)
    require_at_ease(session, server)


# -- the dead and the hanging -------------------------------------------------------------------


@pytest.mark.realtime
@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_owner_that_dies_or_stands_still_loses_the_knobs_and_changes_nothing(
    session: Session, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_PING_SECONDS", 0.3)
    monkeypatch.setattr(serving, "_PONG_SECONDS", 0.5)
    server = serve(session)
    before = session.light().applied
    other = subprocess.Popen(
        [sys.executable, "-c", CLIENT, server.address.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"steers"
        assert server.owner == "other process"
        run = session.start(MonitorPlan(duration=None))
        wait_until(lambda: session.status().recorded > 0)
        other.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        wait_until(lambda: server.owner is None)
        assert session.status().state == "running"
        with connect(server.address.url, name="next") as remote:
            remote.take()
            remote.stop_after_repetition()
        assert run.result(60).outcome == "stopped"
        assert session.light().applied == before
        assert session.status().feedback is True
        texts = [entry.text for entry in session.take_log()]
        assert "other process is gone: nobody steers from elsewhere" in texts
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=60)


def test_a_call_that_hangs_holds_up_remotes_alone(
    session: Session, server: RemoteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(session, "estimate", lambda plan: let_go.wait(120))
    monkeypatch.setattr(serving, "_CLOSE_SECONDS", 0.2)
    with connect(server.address.url, timeout=0.3) as remote:
        with pytest.raises(DeviceError, match=r"did not answer estimate within 0\.3 s"):
            remote.estimate(MonitorPlan())
        outcome = session.start(MonitorPlan(duration=0.2)).result(60)
        assert (outcome.outcome, outcome.lost_samples) == ("complete", 0)
        server.close()
        wait_until(lambda: remote.ended)
    let_go.set()
    wait_until(lambda: not server._desk._thread.is_alive())


@pytest.mark.parametrize("bug", [ZeroDivisionError("x"), SystemExit(3), KeyboardInterrupt()])
def test_a_bug_goes_to_whoever_asked(
    session: Session, server: RemoteServer, bug: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise bug

    monkeypatch.setattr(session, "prediction", fail)
    with connect(server.address.url) as remote:
        with pytest.raises(OptobindError, match="internal error") as error:
            remote.prediction()
        assert error.value.exit_code == 1
        assert remote.status().mode == "SIM"


def test_a_remote_connects_again_where_its_connection_broke(
    session: Session, server: RemoteServer
) -> None:
    with connect(server.address.url, name="ana") as remote:
        remote.take()
        run = remote.start(MonitorPlan(duration=None))
        wait_until(lambda: session.status().recorded > 0)
        assert remote._link._line is not None
        remote._link._line.close_socket()
        with pytest.raises(DeviceError, match="ended before start was answered: it may have been"):
            run.result(60)
        wait_until(lambda: server.owner is None)
        assert remote.status().held_by == "run 1"
        with pytest.raises(InputError, match="take the knobs first"):
            remote.abort()
        with remote.take():
            remote.abort()
        wait_until(lambda: remote.status().held_by is None)


def test_a_connection_that_is_cut_while_a_command_waits_does_not_undo_it(
    session: Session, server: RemoteServer
) -> None:
    light = session.light().applied
    assert light is not None
    remote: RemoteSession = connect(server.address.url)
    remote.take()
    remote.set_light(light.state.with_pair(phi=1.0))
    wait_until(lambda: session.light().requested == light.state.with_pair(phi=1.0))
    remote.close()
    wait_until(lambda: abs(session.light().applied.state.relative_phase - 1.0) < 0.01)  # type: ignore[union-attr]


def test_files_are_gone_and_the_port_is_free_after_the_end(
    session: Session, tmp_path: Path
) -> None:
    server = serve(session)
    port, folder = server.address.port, tmp_path / "user" / "served"
    assert len(list(folder.iterdir())) == 2
    session.close()
    assert list(folder.iterdir()) == []
    with socket.create_server(("127.0.0.1", port)):
        pass
    late = serve(session)  # of a session that is closed: ends at once
    assert "closed" in repr(late)
    assert list(folder.iterdir()) == []
