"""Every way to end a program ends it in good order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.runfile import RunFile
from optobind.cli import following
from optobind.cli.signals import (
    Endings,
    Interrupted,
    collected_endings,
    console_watched,
    ending_signals,
    handling,
    word_of,
)
from optobind.cli.streams import forgiving_streams

pytestmark = pytest.mark.realtime

# Windows has neither; the names are needed to collect the tests.
HUP, QUIT = getattr(signal, "SIGHUP", 1), getattr(signal, "SIGQUIT", 3)
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
RUN = ("run", "reheating", "--rig", "simulated-pair", "--set", "simulation.clock=real-time")
ENDLESS = ("--set", "plan.repetitions=100000", "--out")


@pytest.fixture
def terminals():
    """Start programs on terminals of their own, and leave none behind."""
    from .terminal import Terminal

    started: list[Terminal] = []

    def start(*arguments: object, **options) -> Terminal:
        started.append(Terminal(*map(str, arguments), **options))
        return started[-1]

    yield start
    for terminal in started:
        terminal.end()


def wait_for(path: Path, process: subprocess.Popen[bytes], terminal=None) -> None:
    deadline = time.monotonic() + 120.0
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists(), "the run did not begin" if terminal is None else terminal.text


def assert_whole_and_cooled(path: Path, outcome: str) -> None:
    with RunFile.open(path) as run:
        assert (run.complete, run.info()["outcome"]) == (True, outcome)
        gates = [e for e in run.events() if e.kind is EventKind.GATE]
        assert gates[-1].payload["closed"] is True
        assert [e.kind for e in run.events()].count(EventKind.RUN_END) == 1


# -- signals of a real program on a real terminal -------------------------------------------------


@posix
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.7, 1.5])
def test_a_terminal_that_is_closed_ends_a_run_whole_with_129(terminals, tmp_path, seconds):
    terminal = terminals(*RUN, *ENDLESS, tmp_path)
    wait_for(tmp_path / "run.h5", terminal.process)
    time.sleep(seconds)
    terminal.close()
    assert terminal.wait() == 129
    assert_whole_and_cooled(tmp_path / "run.h5", "aborted")
    assert terminal.remains() == []


@posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "code", "outcome"),
    [
        ((signal.SIGINT,), 130, "stopped"),
        ((signal.SIGINT, signal.SIGINT), 130, "aborted"),
        ((signal.SIGTERM,), 143, "aborted"),
        ((signal.SIGTERM, signal.SIGTERM, signal.SIGTERM), 143, "aborted"),
        ((HUP, HUP, signal.SIGTERM), 129, "aborted"),
        ((QUIT, signal.SIGINT, signal.SIGINT), 131, "aborted"),
    ],
)
def test_signals_to_the_whole_group_end_a_run_whole(terminals, tmp_path, numbers, code, outcome):
    # A long release: one Ctrl-C stops after it, a second one cuts it short.
    times = ("--set", "plan.cool_time=0.4 s", "--set", "plan.release_time=0.4 s")
    times += ("--set", "plan.repetitions=200")  # what would not fit on the disk is refused
    terminal = terminals(*RUN, *times, "--out", tmp_path)
    wait_for(tmp_path / "run.h5", terminal.process)
    time.sleep(0.6)
    for number in numbers:
        os.killpg(terminal.process.pid, number)
        time.sleep(0.05)
    assert terminal.wait() == code
    assert_whole_and_cooled(tmp_path / "run.h5", outcome)
    assert terminal.remains() == []
    assert word_of(code).encode() in terminal.text
    assert b"Traceback" not in terminal.text


@posix
@pytest.mark.slow
def test_a_kill_of_the_whole_group_leaves_memory_only_until_the_next_segment(terminals, tmp_path):
    from optobind.acquisition.shared_segment import SharedSegment

    terminal = terminals(*RUN, *ENDLESS, tmp_path / "a")
    wait_for(tmp_path / "a" / "run.h5", terminal.process)
    terminal.process.kill()
    terminal.wait()
    assert terminal.remains() == []  # by the resource tracker
    terminal = terminals(*RUN, *ENDLESS, tmp_path / "b")
    wait_for(tmp_path / "b" / "run.h5", terminal.process)
    os.killpg(terminal.process.pid, signal.SIGKILL)
    terminal.wait()
    SharedSegment(size=100).close()
    assert terminal.remains() == []


@posix
@pytest.mark.slow
def test_nohup_is_respected(tmp_path):
    command = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "os.execv(sys.executable, [sys.executable, '-m', 'optobind', *sys.argv[1:]])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", command, *RUN, *ENDLESS, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(tmp_path / "run.h5", process)
        process.send_signal(HUP)
        time.sleep(1.0)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60.0) == 143
    assert_whole_and_cooled(tmp_path / "run.h5", "aborted")


@posix
@pytest.mark.slow
def test_a_terminal_that_is_gone_without_a_signal_does_not_end_the_run(terminals, tmp_path):
    # As after "disown": nobody sends SIGHUP, and every write fails.
    command = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "from optobind.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    settings = ("--set", "plan.repetitions=300", "--out", tmp_path)
    terminal = terminals("-c", command, *RUN, *settings, module=False)
    wait_for(tmp_path / "run.h5", terminal.process)
    terminal.close()
    assert terminal.wait() == 0
    assert_whole_and_cooled(tmp_path / "run.h5", "complete")


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [HUP, QUIT, signal.SIGTERM])
def test_the_virtual_laboratory_ends_in_good_order(terminals, number):
    terminal = terminals("virtual-lab", "simulated-pair")
    deadline = time.monotonic() + 60.0
    while b"is running" not in terminal.text and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(terminal.process.pid, number)
    assert terminal.wait() == 128 + number
    assert terminal.remains() == []
    assert b"Traceback" not in terminal.text


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [HUP, QUIT, signal.SIGTERM, signal.SIGINT])
def test_the_window_closes_unasked_with_the_code_of_the_signal(terminals, tmp_path, number):
    # The fits' process is there, too, and hears the signal.
    terminal = terminals("gui", "--rig", "simulated-pair", redirect=tmp_path / "log")
    time.sleep(8.0)
    assert terminal.process.poll() is None, (tmp_path / "log").read_text()
    os.killpg(terminal.process.pid, number)
    assert terminal.wait() == 128 + number
    assert terminal.remains() == []
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "outcome"),
    [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "aborted")],
)
def test_a_trigger_that_never_comes_obeys_signals(terminals, tmp_path, number, code, outcome):
    pytest.importorskip("nidaqmx")
    pytest.importorskip("grpc")
    from optobind.config.build import build_rig
    from optobind.config.load import read_rig
    from optobind.instruments.virtual.ni_server import serve_ni

    loaded = read_rig("simulated-pair", ["simulation.clock=real-time"])
    server = serve_ni(build_rig(loaded), silent_triggers=("PFI0",))
    try:
        rig, out = tmp_path / "rig.toml", tmp_path / "out"
        rig.write_text(rig_on(server, loaded.source), encoding="utf-8")
        long = ("--set", "plan.release_time=20 ms")  # a call switches the gate
        terminal = terminals("run", "reheating", "--rig", rig, *long, *ENDLESS, out)
        wait_for(out / "run.h5", terminal.process, terminal)
        deadline = time.monotonic() + 60.0
        while b"waiting for the start trigger" not in terminal.text:
            assert time.monotonic() < deadline, terminal.text
            time.sleep(0.05)
        time.sleep(2.0)  # longer than the device's own timeout
        assert terminal.process.poll() is None, terminal.text
        os.killpg(terminal.process.pid, number)
        begin = time.monotonic()
        assert terminal.wait() == code, terminal.text
        print(f"ended {time.monotonic() - begin:.2f} s after the signal")
    finally:
        server.stop(None)
    with RunFile.open(out / "run.h5") as run:
        assert (run.complete, run.info()["outcome"]) == (True, outcome)
        assert EventKind.RELEASE not in [event.kind for event in run.events()]


def rig_on(server, source: dict) -> str:
    """A rig on a served card that waits for its trigger."""
    from optobind.config.documents import to_toml

    document = {k: v for k, v in source.items() if k not in ("simulation", "devices")}
    options = server.digitizer_options
    card = {"driver": "ni", "device": "Dev1", "grpc": server.address}
    digitizer = {
        **card,
        "channels": options["channels"],
        "sample_rate": f"{options['sample_rate']} Hz",
        "full_scale": f"{options['full_scale']} V",
        "start_trigger": "PFI0",
        "timeout": "1 s",
    }
    document["devices"] = {"digitizer": digitizer, "gate": card}
    return to_toml(document)


# -- the rules, one by one ------------------------------------------------------------------------


@posix
@pytest.mark.usefixtures("own_signals")
def test_every_ending_signal_is_collected_and_none_raised():
    with collected_endings() as endings:
        for number in ending_signals():
            signal.raise_signal(number)
        assert endings.numbers == list(ending_signals())
    assert endings.exit_code == 143  # what ended it is the first that is no Ctrl-C


@pytest.mark.parametrize(
    ("numbers", "urgency", "code"),
    [
        ([], 0, 0),
        ([signal.SIGINT], 1, 130),
        ([signal.SIGINT, signal.SIGINT], 2, 130),
        ([signal.SIGTERM], 2, 143),
        ([signal.SIGINT, signal.SIGTERM], 2, 143),
    ],
)
def test_one_ctrl_c_waits_for_the_repetition_and_all_else_is_urgent(numbers, urgency, code):
    endings = Endings()
    for number in numbers:
        endings.note(number)
    assert (endings.urgency, endings.exit_code) == (urgency, code)


@posix
@pytest.mark.usefixtures("own_signals")
def test_a_signal_ignored_at_the_start_stays_ignored_but_not_ctrl_c_of_a_background_job():
    heard = []
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (HUP, signal.SIGINT)}
    try:
        with handling(lambda number, _: heard.append(number)):
            signal.raise_signal(HUP)
            signal.raise_signal(signal.SIGINT)
        assert heard == [signal.SIGINT]
        assert signal.getsignal(HUP) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_streams_survive_a_reader_that_has_gone_but_not_a_full_disk(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    broken = open(write, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", broken)
    full = open("/dev/full", "w", encoding="utf-8") if os.path.exists("/dev/full") else None
    if full is not None:
        monkeypatch.setattr(sys, "stdout", full)
    with forgiving_streams():
        for _ in range(3):
            print("to nobody", file=sys.stderr, flush=True)
        if full is not None:
            with pytest.raises(OSError, match="No space"):
                print("results", flush=True)
    broken.close()
    if full is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
        full.close()


# -- Windows' console, by a layer of our own ------------------------------------------------------


class FakeConsole:
    """What ``console_watched`` uses of ctypes on Windows; ``event`` is what the system does."""

    c_int, c_uint = ctypes.c_int, ctypes.c_uint

    def __init__(self) -> None:
        self.handlers: list = []
        self.windll = self
        self.kernel32 = self

    @staticmethod
    def WINFUNCTYPE(*_types):
        return lambda function: function

    def SetConsoleCtrlHandler(self, handler, add):
        (self.handlers.append if add else self.handlers.remove)(handler)
        return 1

    def event(self, number: int) -> Future:
        """Call the handler in a thread of its own; its answer ends the process."""
        answered: Future = Future()
        handler = self.handlers[-1]
        work = threading.Thread(target=lambda: answered.set_result(handler(number)))
        work.start()
        return answered


@pytest.mark.parametrize("number", [2, 5, 6])
def test_closing_a_windows_console_is_answered_only_after_the_orderly_end(number):
    console, sent = FakeConsole(), []
    with console_watched(console, seconds=60.0, deliver=sent.append):
        answered = console.event(number)
        time.sleep(0.2)
        assert not answered.done()
        assert sent == [signal.SIGTERM]
    assert answered.result(60)
    assert console.handlers == []


def test_an_end_that_takes_too_long_is_not_waited_for_and_ctrl_c_is_left_to_python():
    console, sent = FakeConsole(), []
    with console_watched(console, seconds=0.05, deliver=sent.append):
        assert console.event(2).result(60)
        assert not console.event(0).result(60)
        assert not console.event(1).result(60)
    assert sent == [signal.SIGTERM]


@pytest.mark.usefixtures("own_signals")
def test_a_closed_console_reaches_the_main_thread_as_sigterm():
    console = FakeConsole()
    with collected_endings() as endings, console_watched(console, seconds=60.0):
        console.event(2)
        deadline = time.monotonic() + 60.0
        while not endings.numbers and time.monotonic() < deadline:
            time.sleep(0.01)
        assert endings.numbers == [signal.SIGTERM]


# -- what goes wrong in the main thread while a run is under way ----------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokenPipeError("the reader has gone"), 2),
        (MemoryError(), 2),
        (RuntimeError("a bug of the display"), 1),
    ],
)
def test_a_display_that_fails_aborts_the_run_and_finalises_it(
    optobind, tmp_path, monkeypatch, error, code
):
    looks = []

    def fail(console, message, said):
        looks.append(message)
        if len(looks) > 3:
            raise error

    monkeypatch.setattr(following, "_say_once", fail)
    answer = optobind(*RUN, *ENDLESS, tmp_path)
    assert answer.code == code
    assert answer.err.startswith("optobind: aborted: ")
    assert_whole_and_cooled(tmp_path / "run.h5", "aborted")


class Silent:
    """A device whose connect does not return."""

    name = "gate"

    def __init__(self) -> None:
        from optobind.instruments.protocols import DeviceState

        self.state = DeviceState.DISCONNECTED
        self.release = threading.Event()
        self.asked = threading.Event()

    def connect(self) -> str:
        self.asked.set()
        self.release.wait(120.0)
        return "late"

    def disconnect(self) -> None:
        pass


@pytest.fixture
def silent_rig(monkeypatch):
    from optobind.cli import run
    from optobind.config.build import build_rig

    silent = Silent()

    def build(loaded, **named):
        rig = build_rig(loaded)
        rig.gate = silent
        return rig

    monkeypatch.setattr(run, "build_rig", build)
    yield silent
    silent.release.set()


@posix
def test_ctrl_c_ends_the_wait_for_a_device_that_hangs(optobind, tmp_path, silent_rig, own_signals):
    own_signals.send_when(silent_rig.asked, signal.SIGINT)
    answer = optobind(*RUN, *ENDLESS, tmp_path)
    assert answer.is_one_line_error(130), answer
    assert not silent_rig.release.is_set()


def test_a_device_that_does_not_connect_is_named(optobind, tmp_path, silent_rig, monkeypatch):
    monkeypatch.setattr(following, "_CONNECT_SECONDS", 0.5)
    answer = optobind(*RUN, *ENDLESS, tmp_path)
    assert answer.is_one_line_error(4), answer
    assert "gate did not answer within 0.5 s" in answer.err


def test_signals_outside_the_main_thread_are_left_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with collected_endings() as endings:
            seen.append(endings.exit_code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupted_is_not_caught_as_an_error():
    assert not issubclass(Interrupted, Exception)
