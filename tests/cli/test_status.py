"""``--serve`` and ``optobind status``: a run of the command line, watched and steered."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.remote import addresses
from optobind.acquisition.remote.client import RemoteSession, connect
from optobind.acquisition.remote.server import serve
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.cli.options import with_default
from optobind.cli.seek import NOT_REACHED
from optobind.cli.serving import LOOPBACK, is_address
from optobind.config.build import build_rig
from optobind.config.load import read_rig

pytest.importorskip("websockets")

RUN = """
import sys; from pathlib import Path
from optobind.acquisition.remote import addresses
addresses.runtime_folder = lambda: Path(sys.argv[1])
from optobind.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(addresses, "runtime_folder", lambda: tmp_path / "user")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "user" / "served"


@pytest.fixture
def session(tmp_path: Path):
    rig = build_rig(read_rig("simulated-pair", ["simulation.clock=fast"]))
    made = Session(rig, run_directory=tmp_path, live_fits=False)
    made.connect().result(60)
    with serve(made):
        yield made
    made.close()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def when_served(act: Callable[[RemoteSession], object]) -> threading.Thread:
    """Connect to the experiment that will be served here, and act."""

    def work() -> None:
        wait_for(addresses.running_here)
        with connect(name="ana") as remote:
            wait_for(lambda: remote.status().recorded > 0)
            act(remote)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_status_says_what_an_experiment_does_with_units(optobind, session):
    answer = optobind("status")
    assert answer.code == 0
    assert re.fullmatch(
        r"simulated-pair SIM, idle\n"
        r"  feedback     on\n"
        r"(  pressure     .* .?Pa\n)?"
        r"  growth       -\d+.* 1/s, feedback as it is\n"
        r"  trap 1       200 mW, 0\.39\d* rad\n"
        r"  trap 2       190 mW, 0 rad\n"
        r"  φ, distance  0\.39\d* rad, 2\.45 µm\n",
        answer.out,
    ), answer.out
    run = session.start(MonitorPlan(duration=None))
    wait_for(lambda: session.status().recorded > 0)
    with connect(name="ana") as remote:
        remote.take()
        lines = optobind("status", "simulated-pair").out.splitlines()
        assert re.match(
            r"simulated-pair SIM, run 1, monitoring until stopped, [\d,]+ samples", lines[0]
        )
        assert re.match(r"  run file     .*run\.h5", lines[1])
        assert lines[-1] == "  steered by   ana"
        assert optobind("status", "--take-back").out == "taken back from ana\n"
        assert optobind("status", "--take-back").out == "no remote held the knobs\n"
        assert remote.owner is None
        session.abort()
        run.result(60)


def test_status_is_one_json_object(optobind, session):
    found = optobind("status", "--json").json
    assert (found["name"], found["mode"], found["state"], found["owner"]) == (
        *("simulated-pair", "SIM", "idle", None),
    )
    applied = session.light().applied
    assert applied is not None
    assert [site["phase"] for site in found["light"]["state"]["sites"]] == [
        site.phase for site in applied.state.sites
    ]
    assert {"family", "name", "state"} <= set(found["devices"][0])


def test_the_address_with_its_token_leads_to_the_experiment(optobind, session):
    url = optobind("status", "--address").out.strip()
    assert optobind("status", url).out.startswith("simulated-pair SIM, idle")
    assert optobind("status", url, "--address").is_one_line_error(2)
    assert optobind("status", f"{url}x").is_one_line_error(2)
    assert optobind("status", url, "--take-back").is_one_line_error(0) is False


def test_nobody_there_is_one_line(optobind):
    assert optobind("status").is_one_line_error(2)
    assert optobind("status", "tcp://127.0.0.1:9?token=x").is_one_line_error(4)


def test_following_ends_with_the_experiment(optobind, session):
    def end() -> None:
        wait_for(lambda: session._log._listeners)
        session.start(MonitorPlan(duration=0.2)).result(60)
        session.close()

    thread = threading.Thread(target=end)
    thread.start()
    answer = optobind("status", "--follow", "--json")
    thread.join(60)
    assert answer.code == 0
    assert [json.loads(line)["mode"] for line in answer.out.splitlines()][:1] == ["SIM"]
    assert "warning: simulated-pair has ended" in answer.err


def test_a_run_of_the_command_line_is_watched_and_stopped_by_a_remote(optobind, tmp_path, folder):
    def stop(remote: RemoteSession) -> None:
        with remote.take():
            remote.note("enough")
            remote.stop_after_repetition()

    thread = when_served(stop)
    answer = optobind(
        *("run", "monitor", "--rig", "simulated-pair", "--serve", "--out", tmp_path / "night"),
        *("--set", "plan.duration=until stopped"),
    )
    thread.join(60)
    assert answer.code == 0
    assert re.search(
        r"simulated-pair is served at tcp://127\.0\.0\.1:\d+: optobind status", answer.err
    )
    assert "token" not in answer.err.replace("with the token", "")
    with RunFile.open(tmp_path / "night" / "run.h5") as run:
        notes = [e.payload["text"] for e in run.events() if e.kind == "note"]
    asked = [text for text in notes if text.startswith("ana") and "knobs" not in text]
    assert asked == ["ana steers", "ana: enough", "ana asks for stop_after_repetition"]
    assert list(folder.iterdir()) == []


def taking(said: list[str]) -> Callable[[RemoteSession], None]:
    """Asks for the knobs, and keeps what is answered."""

    def take(remote: RemoteSession) -> None:
        try:
            remote.take(force=True)
        except ValueError as error:
            said.append(str(error))

    return take


@pytest.mark.slow
def test_a_sweep_is_watched_only(optobind, tmp_path):
    said: list[str] = []
    (tmp_path / "sweep.toml").write_text(
        'kind = "sweep"\n[[axes]]\nknob = "phi"\nvalues = ["0.3 rad", "0.5 rad"]\n'
        '[inner]\nkind = "monitor"\nduration = "0.2 s"\n',
        encoding="utf-8",
    )
    thread = when_served(taking(said))
    answer = optobind(
        *("run", "sweep.toml", "--rig", "simulated-pair", "--serve", "127.0.0.1:0"),
        *("--out", tmp_path / "sweep"),
    )
    thread.join(60)
    assert answer.code == 0, answer.err
    assert said == ["remotes only watch this experiment: a sweep steers it, or its user wishes so"]


@pytest.mark.slow
def test_a_seek_and_what_goes_on_with_it_are_watched_only(optobind, tmp_path):
    said: list[str] = []
    thread = when_served(taking(said))
    served = r"simulated-pair is served at tcp://127\.0\.0\.1:\d+: optobind status"
    answer = optobind(
        *("seek", "reciprocal", "--rig", "simulated-pair", "--serve", "--out", tmp_path / "seek"),
        *("--max-settings", "2", "--set", "plan.inner.duration=0.3 s"),
    )
    thread.join(60)
    assert answer.code == NOT_REACHED, answer.err
    assert re.search(served, answer.err)
    assert said == ["remotes only watch this experiment: a sweep steers it, or its user wishes so"]
    again = optobind("resume", tmp_path / "seek", "--serve")
    assert again.code == NOT_REACHED
    assert re.search(served, again.err)


def test_a_bare_serve_means_this_computer():
    def given(*words: str) -> list[str]:
        return with_default(words, "--serve", LOOPBACK, is_address)

    assert given("run", "--serve") == ["run", "--serve", LOOPBACK]
    assert given("--serve", "monitor") == ["--serve", LOOPBACK, "monitor"]
    assert given("--serve", "--rig", "x") == ["--serve", LOOPBACK, "--rig", "x"]
    for address in ("0.0.0.0:5600", ":5600", "localhost", "10.0.0.7", "[::1]:80"):
        assert given("--serve", address, "x") == ["--serve", address, "x"]
    for word in ("plan.toml", "C:\\plan.toml", "a/b:1", "--set", "-1:5"):
        assert not is_address(word)


@pytest.mark.slow
@pytest.mark.realtime
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_by_a_run_that_is_ended_or_killed(tmp_path, folder, number):
    command = [sys.executable, "-c", RUN, str(folder.parent), "run", "monitor"]
    command += ["--rig", "simulated-pair", "--serve", "--set", "plan.duration=until stopped"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    try:
        wait_for(addresses.running_here)
        remote = connect(name="ana")
        remote.take()
        wait_for(lambda: remote.status().recorded > 0)
        os.kill(run.pid, number)
        _, error = run.communicate(timeout=120)
        assert b"Traceback" not in error
        wait_for(lambda: not remote._link.alive)
        assert remote.ended == (number == signal.SIGTERM)
        assert len(list(folder.iterdir())) == (0 if number == signal.SIGTERM else 2)
        assert addresses.running_here() == []
        assert list(folder.iterdir()) == []
        remote.close()
    finally:
        run.kill()
        run.communicate()
