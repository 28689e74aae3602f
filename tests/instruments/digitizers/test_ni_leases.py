"""Lines and inputs that a dead process or a broken link has left reserved on a device server."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.digitizers.ni_leases import TaskLease, adopt, clear_left
from optobind.instruments.digitizers.ni_pattern import NiPatternPlayer
from optobind.instruments.driver import ReservedError
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.guardian.played import PlayedGate
from optobind.instruments.guardian.process import Guardian
from optobind.instruments.links import claim
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.instruments.virtual import ni_server_calls
from optobind.models.errors import DeviceError

from .conftest import make_rig
from .test_ni_pattern import LINE, RATE, releases, wired

pytestmark = pytest.mark.realtime


def wait_for(what):
    until = time.monotonic() + 60.0
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.slow
def test_the_line_of_a_guardian_that_was_killed_with_feedback_on_is_free_for_the_next(serve, gates):
    server = serve(make_rig())
    guarded = GuardedGate(NiGate("gate", **server.gate_options))
    guarded.connect()
    guarded.set(True)
    other = gates(server)
    other.connect()
    with pytest.raises(ReservedError, match="-200587"):
        other.read()  # a living guardian keeps it
    other.disconnect()
    os.kill(guarded.guardian, signal.SIGKILL)
    wait_for(lambda: guarded.guardian is None)
    guarded.disconnect()
    other.connect()
    assert other.read() is True


def test_a_guardian_whose_link_broke_frees_the_line_before_it_leaves(serve):
    server = serve(make_rig())
    ours, theirs = multiprocessing.Pipe()
    packed = pickle.dumps(NiGate("gate", **server.gate_options))
    guardian = Guardian(theirs, packed, os.getpid())
    guardian._connect()
    guardian._call(lambda gate: gate.set(True), 60.0)
    assert server._calls._tasks
    guardian._let_go()
    guardian._free()
    assert server._calls._tasks == {}
    ours.close()
    theirs.close()


def test_a_copy_of_a_gate_whose_link_broke_frees_the_line_with_its_own(serve, gates):
    server = serve(make_rig())
    gate = NiGate("gate", **server.gate_options)
    packed = pickle.dumps(gate)
    gate.connect()
    gate.set(True)
    gate.abandon()
    gate.disconnect()
    again = pickle.loads(packed)
    again.connect()
    again.disconnect()  # and has not used its task
    assert server._calls._tasks == {}
    other = gates(server)
    other.connect()
    assert other.read() is True


def test_a_gate_that_could_not_be_cleared_is_cleared_by_the_next(serve, gates):
    server = serve(make_rig())
    gate = gates(server)
    gate.connect()
    gate.set(True)
    gate.abandon()
    gate.disconnect()
    assert server._calls._tasks
    other = gates(server)
    other.connect()
    assert other.read() is True


def test_a_pattern_that_was_left_playing_is_ended_by_the_next_gate(serve, digitizers, gates):
    server, _ = wired(serve, digitizers, LINE)
    player = NiPatternPlayer("pattern", feedback_line=LINE, grpc=server.address)
    played = PlayedGate(NiGate("gate", line=LINE, grpc=server.address), player)
    played.connect()
    played.set(True)
    played.lend()
    played.player_call("arm", (releases(), RATE))
    played.abandon()
    played.disconnect()
    other = gates(server, line=LINE)
    other.connect()
    other.set(True)
    assert other.read() is True


def test_inputs_that_a_broken_link_has_left_running_start_anew_at_once(
    serve, digitizers, monkeypatch
):
    monkeypatch.setattr(ni_server_calls, "_ABANDONED", 1e9)  # as NI's own server
    server = serve(make_rig())
    first, second = digitizers(server), digitizers(server)
    first.connect()
    first.start()
    first.abandon()
    with pytest.raises(DeviceError):
        first.read_into(np.zeros((8, 2), np.int16))
    first.disconnect()
    first.connect()
    first.start()
    first.abandon()
    first.disconnect()
    second.connect()
    second.start()
    assert second.read_into(np.zeros((8, 2), np.int16)).samples == 8


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of locks of the test's own."""
    for module in (claim, sys.modules[TaskLease.__module__]):
        monkeypatch.setattr(module, "runtime_folder", lambda: tmp_path)
    return tmp_path


_OTHER = """
import sys
from pathlib import Path
from optobind.instruments.digitizers import ni_leases
ni_leases.runtime_folder = lambda: Path(sys.argv[1])
lease = ni_leases.TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-other"])
print("there", flush=True)
sys.stdin.read()
"""


def test_what_another_process_holds_is_cleared_when_it_is_dead_and_not_before(folder):
    cleared = []
    other = subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"there\n"
    lease = TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-mine"])
    clear_left(lease, ("gate",), cleared.append)
    assert cleared == []
    other.kill()
    other.communicate()
    for address, device, kinds in [
        ("127.0.0.1:6", "Dev1", ("gate",)),
        ("127.0.0.1:5", "Dev2", ("gate",)),
        ("127.0.0.1:5", "Dev1", ("input",)),
    ]:
        elsewhere = TaskLease(address, device, "gate", ["optobind-gate-elsewhere"])
        clear_left(elsewhere, kinds, cleared.append)
        elsewhere.end(kept=False)
    assert cleared == []
    clear_left(lease, ("gate",), cleared.append)
    assert cleared == ["optobind-gate-other"]
    lease.end(kept=False)
    assert list(folder.iterdir()) == []


def test_what_cannot_be_cleared_is_left_to_the_next(folder):
    TaskLease("localhost:5", "Dev1", "gate", ["optobind-gate-a"]).end(kept=True)

    def fail(name):
        raise DeviceError(name)

    lease = TaskLease("127.0.0.1:5", "dev1", "gate", ["optobind-gate-b"])
    with pytest.raises(DeviceError):
        clear_left(lease, ("gate",), fail)
    cleared = []
    clear_left(lease, ("gate",), cleared.append)
    assert cleared == ["optobind-gate-a"]


def test_names_that_a_living_driver_shares_are_not_cleared(folder):
    TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-a"]).end(kept=True)
    copy = TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-a"])
    assert clear_left(copy, ("gate",), pytest.fail) == 0


def test_a_copy_takes_over_what_a_lost_one_has_left_and_nothing_else(folder):
    TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-a"]).end(kept=True)
    TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-b"]).end(kept=True)
    copy = TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-a", "optobind-gate-a-watchdog"])
    assert adopt(copy) == ("optobind-gate-a",)
    copy.end(kept=False)
    assert [path.read_text().count("gate-b") for path in folder.iterdir()] == [1]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"names": ["x"]}', b"\xff"])
def test_a_file_that_is_no_lease_disturbs_nobody(folder, text):
    (folder / "strange.lease").write_bytes(text)
    lease = TaskLease("127.0.0.1:5", "Dev1", "gate", ["optobind-gate-a"])
    assert clear_left(lease, ("gate",), pytest.fail) == 0


def test_a_gate_closes_without_asking_a_player_that_has_nothing_on_the_card(serve):
    server = serve(make_rig())
    player = NiPatternPlayer("pattern", feedback_line=LINE, grpc=server.address)
    packed = pickle.dumps(PlayedGate(NiGate("gate", line=LINE, grpc=server.address), player))
    played = pickle.loads(packed)
    played.connect()
    played.set(True)
    assert played._player.state is DeviceState.DISCONNECTED
    played.lend()
    played.player_call("arm", (releases(), RATE))
    played.abandon()
    again = pickle.loads(packed)  # though the lost one has not been disconnected
    again.connect()
    again.set(True)
    assert again.read() is True
    assert again._player.state is DeviceState.READY
    again.disconnect()
    assert server._calls._tasks == {}
    played.disconnect()


def test_an_answer_that_the_client_cannot_read_is_a_broken_link(serve, gates):
    gate = gates(serve(make_rig()))
    gate.connect()
    client = {"__name__": "nidaqmx._grpc_interpreter"}
    exec("def answer(): return None.value", client)
    with pytest.raises(LinkError, match="answers what nobody can read"), gate._using():
        client["answer"]()
    gate.disconnect()
    gate.connect()
    with pytest.raises(AttributeError), gate._using():
        gate.what_it_has_not()
