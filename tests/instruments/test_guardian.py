"""The guardian of the gate: kills, hangs, forks and broken lines, judged by what the gate saw."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from optobind.instruments.contracts import check_contract
from optobind.instruments.fakes import FakeGate
from optobind.instruments.guardian.gate import GuardedGate, why_unguarded
from optobind.instruments.protocols import DeviceState
from optobind.models.errors import DeviceError

sys.path.insert(0, str(Path(__file__).parent))

from gate_standin import GateServer, TcpGate

pytestmark = pytest.mark.realtime

MAIN = Path(__file__).with_name("guarded_main.py")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def server():
    server = GateServer()
    yield server
    server.stop()


@pytest.fixture
def gate(server):
    gate = GuardedGate(TcpGate("gate", server.port))
    yield gate
    server.thaw()
    gate.disconnect()


class Program:
    """A program with a guarded gate, in a group of its own."""

    def __init__(self, server: GateServer, what: str = "loop") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(MAIN), str(server.port), what],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.guardian = int(self.process.stdout.readline())

    def end(self) -> str:
        if self.process.poll() is None:
            self.process.kill()
        out, _ = self.process.communicate(timeout=120.0)
        return out


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def wait_for_end(process: int, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while alive(process):
        assert time.monotonic() < until, "the guardian has not ended"
        time.sleep(0.01)


def kill_during_a_release(
    server: GateServer, program: Program, moment: float, group: bool
) -> float:
    server.wait(True)
    server.wait(False)
    time.sleep(moment)
    kill = os.killpg if group else os.kill
    kill(program.process.pid, signal.SIGKILL)
    return server.wait(True)


@posix
@pytest.mark.parametrize("what", ["loop", "group", "fork"])
def test_gate_is_closed_when_the_program_is_killed(server, what):
    program = Program(server, "fork" if what == "fork" else "loop")
    try:
        kill_during_a_release(server, program, 0.03, what == "group")
        wait_for_end(program.guardian)
        assert server.closed
        assert server.log[-1][1] == "READ", "it is read back"
    finally:
        program.process.kill()
        if what == "fork":
            os.killpg(program.process.pid, signal.SIGKILL)
        program.end()


@posix
@pytest.mark.slow
def test_gate_is_closed_at_whatever_moment_the_program_is_killed(server):
    dice, times = random.Random(1), []
    for _ in range(20):
        program = Program(server)
        times.append(kill_during_a_release(server, program, dice.uniform(0.0, 0.14), False))
        program.end()
        wait_for_end(program.guardian)
        assert server.closed
    # Within a second, and a computer may be five times slower than those it was measured on.
    assert sum(taken < 5.0 for taken in times) >= 18, times


@posix
def test_gate_is_closed_when_the_program_hangs_and_the_program_learns_it(server):
    program = Program(server)
    try:
        server.wait(False)
        os.kill(program.process.pid, signal.SIGSTOP)
        server.wait(True)
        assert alive(program.guardian)
        opened = server.words("OPEN")
        os.kill(program.process.pid, signal.SIGCONT)
        until = time.monotonic() + 60.0
        while server.words("OPEN") < opened + 2:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        out = program.end()
    assert "gave no sign of life" in out
    assert "the guardian closed the gate by itself" in out
    wait_for_end(program.guardian)


@posix
@pytest.mark.parametrize("what", ["raise", "short"])
def test_a_program_that_ends_with_an_open_gate_has_it_closed_and_leaves_no_process(server, what):
    program = Program(server, what)
    _, errors = program.process.communicate(timeout=120.0)
    assert ("a bug" in errors) is (what == "raise")
    wait_for_end(program.guardian)
    assert server.closed


@posix
def test_a_gate_that_is_open_for_longer_than_it_was_meant_to_is_closed_unasked(server, gate):
    gate.connect()
    gate.open_for(0.3)
    server.wait(True)  # this program is alive, and does something else
    until = time.monotonic() + 60.0
    while gate.may_be_open:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "off for longer than 0.3 s" in " ".join(gate.take_incidents())
    gate.set(False)  # without a bound: by hand
    time.sleep(1.0)
    assert not server.closed
    gate.set(True)


def test_signals_to_all_do_not_end_the_guardian(server, gate):
    gate.connect()
    gate.set(False)
    for name in ("SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM", "SIGTSTP"):
        os.kill(gate.guardian, getattr(signal, name))
    time.sleep(0.2)
    assert gate.read() is False
    gate.set(True)
    assert gate.read() is True
    assert os.getsid(gate.guardian) != os.getsid(0)


def test_gate_stays_as_it_is_when_disconnected_and_the_guardian_ends(server, gate):
    gate.connect()
    guardian = gate.guardian
    gate.set(False)
    gate.disconnect()
    wait_for_end(guardian)
    assert not server.closed
    assert gate.guardian is None
    with pytest.raises(DeviceError, match="connect it first"):
        gate.read()
    gate.connect()
    assert gate.read() is False
    time.sleep(1.0)
    assert not server.closed, "found open: nobody asked for it to be closed"


@pytest.mark.parametrize("fault", ["freeze", "away"])
def test_link_that_breaks_during_a_release_is_made_anew_and_the_gate_closed(server, gate, fault):
    gate.connect()
    gate.set(False)
    (server.freeze if fault == "freeze" else server.go_away)()
    with pytest.raises(DeviceError):
        gate.set(True)
    time.sleep(0.5)
    assert not server.closed
    (server.thaw if fault == "freeze" else server.come_back)()
    server.wait(True)
    until = time.monotonic() + 60.0
    while not any("closed the gate by itself" in text for text in gate.take_incidents()):
        assert time.monotonic() < until
        time.sleep(0.01)
    gate.set(True)
    assert gate.read() is True
    assert gate.state is DeviceState.READY


@posix
def test_killed_while_the_link_is_away_the_gate_is_closed_when_it_is_back(server):
    program = Program(server)
    server.wait(False)
    server.go_away()
    program.process.kill()
    time.sleep(1.0)
    assert not server.closed
    assert alive(program.guardian)
    server.come_back()
    server.wait(True)
    wait_for_end(program.guardian)
    program.end()


def test_an_opening_whose_answer_is_lost_is_closed_again(server, gate):
    gate.connect()
    server.swallow(True)
    with pytest.raises(DeviceError, match="gate"):
        gate.set(False)
    server.swallow(False)
    server.wait(True)
    assert server.words("OPEN") == 1, "never tried again"


def test_an_opening_that_comes_late_is_closed_again(server, gate):
    gate.connect()
    server.freeze()
    with pytest.raises(DeviceError):
        gate.set(False)
    server.thaw()  # now the gate gets what was sent, in any order
    time.sleep(1.5)
    server.wait(True)
    with server._lock:  # and later still, by a switch that kept it
        server.closed = False
    server.wait(True)
    assert gate.read() is True


@posix
def test_when_the_guardian_dies_the_program_closes_the_gate(server, gate):
    gate.connect()
    gate.set(False)
    os.kill(gate.guardian, signal.SIGKILL)
    server.wait(True)
    until = time.monotonic() + 60.0
    while "closed from here" not in gate.fallen:
        assert time.monotonic() < until
        time.sleep(0.01)
    gate.set(True)
    assert server.closed
    gate.set(False)  # a new guardian
    assert gate.fallen == ""
    assert gate.guardian is not None
    assert gate.read() is False
    gate.set(True)


@posix
def test_a_guardian_that_dies_while_feedback_is_on_is_replaced(server, gate):
    gate.connect()
    first = gate.guardian
    os.kill(first, signal.SIGKILL)
    until = time.monotonic() + 60.0
    while gate.guardian is not None:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert gate.state is DeviceState.FAULTED
    gate.set(False)
    assert gate.guardian not in (None, first)
    assert any("a new one watches" in text for text in gate.take_incidents())
    gate.set(True)
    assert server.closed


@posix
def test_a_guardian_that_hangs_is_ended_and_the_gate_closed(server, gate):
    gate.connect()
    gate.set(False)
    os.kill(gate.guardian, signal.SIGSTOP)
    with pytest.raises(DeviceError, match="did not answer"):
        gate.set(True)
    server.wait(True)


def test_a_gate_that_is_merely_slow_is_closed_all_the_same(server):
    server.delay = 0.6
    gate = GuardedGate(TcpGate("gate", server.port, timeout=5.0))
    gate.connect()
    gate.set(False)
    server.delay = 3.0
    with pytest.raises(DeviceError):
        gate.set(True)
    server.wait(True, 60.0)
    server.delay = 0.0
    guardian = gate.guardian
    until = time.monotonic() + 60.0
    while guardian is not None and alive(guardian):  # once it has read the gate back
        assert time.monotonic() < until
        gate.disconnect()


@pytest.mark.slow
def test_a_guarded_gate_keeps_the_promises_of_its_family(server):
    check_contract("gate", lambda: GuardedGate(TcpGate("gate", server.port)))


def test_a_script_without_a_main_part_is_told_what_it_lacks(server, tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from gate_standin import TcpGate\n"
        "from optobind.instruments.guardian.gate import GuardedGate\n"
        f"GuardedGate(TcpGate('gate', {server.port})).connect()\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "if __name__ == '__main__'" in done.stderr.splitlines()[-1]


def test_a_driver_that_cannot_live_in_another_process_is_named():
    class Local(FakeGate):
        pass

    assert "cannot be pickled" in why_unguarded(Local())
    with pytest.raises(DeviceError, match="gate cannot be guarded: its driver cannot be pickled"):
        GuardedGate(Local())
    assert why_unguarded(TcpGate("gate", 1)) == ""


def test_every_shipped_gate_can_be_guarded_before_it_is_connected():
    from optobind.instruments.catalogue import drivers, make_device

    for spec in drivers("gate"):
        if spec.exercised != "plugin":
            device = make_device("gate", spec.name, "gate")
            assert why_unguarded(device) == ""
            assert type(pickle.loads(pickle.dumps(device))) is type(device)


def test_what_the_driver_refuses_on_connect_is_told_as_it_is(server):
    server.stop()
    gate = GuardedGate(TcpGate("gate", server.port))
    with pytest.raises(DeviceError, match=r"gate: port \d+ does not answer"):
        gate.connect()
    assert gate.state is DeviceState.FAULTED
    guardian = gate.guardian
    gate.disconnect()
    wait_for_end(guardian)


@pytest.mark.slow
@posix
def test_a_guardian_that_dies_while_it_opens_is_replaced_and_forgotten(server, gate):
    for _ in range(4):
        gate.connect()
        server.swallow(True)
        threading.Timer(0.1, lambda: os.kill(gate.guardian, signal.SIGKILL)).start()
        with pytest.raises(DeviceError):
            gate.set(False)
        server.swallow(False)
        gate.set(True)  # at once, while the program still learns of the death
        assert server.closed
        gate.disconnect()
        gate.connect()
        assert gate.fallen == ""
        time.sleep(0.3)
        assert gate.fallen == ""
        assert gate.state is DeviceState.READY
        gate.take_incidents()
