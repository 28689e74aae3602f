"""The contract of the command line: exit codes, one line on stderr, JSON, quick help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from optobind.cli.errors import guarded
from optobind.cli.signals import Interrupted
from optobind.models.errors import ConvergenceError, DeviceError, InputError
from optobind.models.json_values import json_text
from optobind.models.shown import one_line

COMMAND = [sys.executable, "-m", "optobind"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["couplings"],
        ["couplings", "--rig"],
        ["couplings", "--rig", "simulated-pair", "--at", "moon"],
        ["couplings", "--rig", "simulated-pair", "extra"],
        ["couplings", "--rig", "nowhere"],
        ["couplings", "--rig", "nowhere.toml"],
        ["couplings", "--rig", "simulated-pair", "--set", "nonsense"],
        ["couplings", "--rig", "simulated-pair", "--nonsense"],
        ["fit"],
        ["fit", "spectrum"],
        ["fit", "spectrum", "missing.h5"],
        ["fit", "spectrum", "missing.h5", "--band", "1"],
        ["fit", "spectrum", "missing.h5", "--band", "a", "b"],
        ["fit", "spectrum", "missing.h5", "--channels", "a,b"],
        ["fit", "spectrum", "missing.h5", "--segment", "1.5"],
        ["fit", "spectrum", "missing.h5", "--model", "triple"],
        ["fit", "reheating", "missing.npz"],
        ["fit", "batch"],
        ["fit", "batch", "spectrum", "missing.h5"],
        ["fit", "batch", "spectrum", "missing.h5", "--out", "table.txt"],
        ["fit", "batch", "spectrum", "missing.h5", "--out", "table.csv", "--jobs", "0"],
        ["fit", "batch", "spectrum", "missing.h5", "--out", "table.csv", "--blocks", "1 m"],
        ["fit", "batch", "spectrum", "a", "--out", "t.csv", "--jobs", "2", "--scheduler", "x"],
        ["track", "missing.h5"],
        ["track", "missing.h5", "--out", "track.h5"],
        ["track", "missing.h5", "--out", "track.mat"],
        ["track", "missing.h5", "--out", "track.h5", "--part", "all"],
        ["track", "missing.h5", "--out", "track.h5", "--every", "0"],
        ["info", "missing.h5"],
        ["recover", "missing.h5"],
        ["recover", ""],
        ["recover", "/"],
        ["config"],
        ["config", "new"],
        ["config", "new", "rigg"],
        ["config", "new", "rig", "--radius", "1 km"],
        ["config", "new", "rig", "--particles", "0"],
        ["config", "new", "rig", "--pressure", "low"],
        ["config", "new", "rig", "--device", "gate"],
        ["config", "new", "rig", "--device", "gate=nl"],
        ["config", "new", "rig", "--ask"],
        ["config", "new", "rig", "--out", "nowhere/at/all/rig.toml"],
        ["config", "new", "monitor", "--radius", "70 nm"],
        ["rigs", "nowhere"],
        ["plans", "nowhere"],
        ["instruments"],
        ["instruments", "check"],
        ["instruments", "check", "nowhere"],
        ["instruments", "identify", "nowhere.toml"],
        ["virtual-lab"],
        ["virtual-lab", "nowhere"],
        ["virtual-lab", "lab-slm-aom"],
        ["config", "check", "missing.toml"],
        ["run", "monitor"],
        ["run", "nowhere", "--rig", "simulated-pair"],
        ["run", "monitor", "--rig", "nowhere"],
        ["run", "monitor", "--rig", "simulated-pair", "--set", "plan.duration=-1 s"],
        ["run", "monitor", "--rig", "simulated-pair", "--set", "plan.nonsense=1"],
        ["run", "monitor", "--rig", "replay"],
        ["run", "monitor", "--rig", "simulated-pair", "--serve", "nowhere:99999"],
        ["seek", "antireciprocal", "--rig", "simulated-pair", "--serve", "nowhere:99999"],
        ["resume", "nowhere", "--serve", "nowhere:99999"],
        ["status", "nowhere-at-all"],
        ["status", "tcp://127.0.0.1:5600"],
        ["status", "--follow", "--address"],
        ["gui", "missing.h5", "--serve"],
        ["gui", "--rig"],
        ["demo", "--seed", "-1"],
        ["demo", "--seed", "one"],
    ],
)
def test_wrong_usage_and_wrong_input_end_with_one_line_and_2(optobind, arguments):
    answer = optobind(*arguments)
    assert answer.is_one_line_error(2), answer


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("bad\n value"), 2, "bad value"),
        (ConvergenceError("no"), 3, "no"),
        (DeviceError("gone"), 4, "gone"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Interrupted(), 130, "interrupted"),
        (Interrupted(143), 143, "terminated"),
        (OSError(28, "No space left on device", "run.h5"), 2, "run.h5: No space left"),
        (MemoryError(), 2, "not enough memory"),
    ],
)
def test_each_kind_of_error_has_its_exit_code(capsys, error, code, text):
    def command(_arguments):
        raise error

    assert guarded(command, []) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"optobind: {text}")
    assert captured.err.count("\n") == 1


def test_bug_ends_with_1_and_names_the_traceback(capsys, monkeypatch):
    monkeypatch.delenv("OPTOBIND_DEBUG", raising=False)

    def command(_arguments):
        raise ZeroDivisionError("division\nby zero")

    assert guarded(command, []) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    path = line.split("the traceback is in ")[1].split(", or set")[0]
    with open(path, encoding="utf-8") as file:
        assert "ZeroDivisionError" in file.read()
    os.remove(path)


def test_json_is_strict_and_ascii():
    text = json_text({"a": float("nan"), "b": [float("inf"), 1.5], "µ": "φ", "c": 1 + 2j})
    assert text.isascii()
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "µ": "φ", "c": [1.0, 2.0]}


def test_one_line_joins_lines_and_shows_what_a_terminal_would_obey():
    assert one_line("a\n b\t c\r\n") == "a b c"
    assert one_line("φ = 1 µm: \x1b[2Jrun\udcff.h5") == r"φ = 1 µm: \x1b[2Jrun\udcff.h5"


def test_help_loads_neither_numpy_nor_pint():
    code = (
        "import sys; from optobind.__main__ import main; main(['--help']); "
        "sys.exit(any(m in sys.modules for m in ('numpy', 'pint', 'h5py', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"couplings" in done.stdout


def test_version_is_told(optobind):
    answer = optobind("--version")
    assert answer.code == 0
    assert answer.out.startswith("optobind 0.")


def test_module_and_program_keep_the_contract():
    done = subprocess.run(
        [*COMMAND, "couplings", "--rig", "simulated-pair", "--json"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["at"] == "equilibrium"
    bad = subprocess.run([*COMMAND, "couplings", "--rig", "x"], capture_output=True, check=False)
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert bad.stderr.startswith(b"optobind: ")
    assert bad.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_closed_pipe_is_no_error():
    process = subprocess.Popen(
        [*COMMAND, "couplings", "--rig", "simulated-pair", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert b"Traceback" not in error
    assert b"BrokenPipe" not in error


def test_closed_streams_are_no_error(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert guarded(lambda _: print("x") or 0, []) == 0
        assert guarded(lambda _: sys.stderr.write("x") and 2, []) == 2


@pytest.mark.slow
def test_pictures_are_drawn_whatever_the_environment_says_of_backends(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "no-such-backend"}
    done = subprocess.run(
        [*COMMAND, "phases", "--grid", "8", "--out", str(tmp_path), "--json"],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "fig3a.png").exists()


def test_large_seed_leaves_no_folder(optobind, tmp_path):
    answer = optobind("demo", "--seed", 10**40, "--out", tmp_path / "new")
    assert answer.is_one_line_error(2), answer
    assert not (tmp_path / "new").exists()


_SAMPLES_BYTES = 4_000_000  # a second of samples


def start_endless_run(folder):
    """Start a run in a process of its own and wait until it records."""
    process = subprocess.Popen(
        [
            *(*COMMAND, "run", "monitor", "--rig", "simulated-pair", "--out", str(folder)),
            *("--set", "plan.duration=until stopped", "--set", "simulation.clock=real-time"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    path, deadline = folder / "run.h5", time.monotonic() + 240.0
    while not path.exists() or path.stat().st_size < _SAMPLES_BYTES:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def info_of(path):
    told = [*COMMAND, "info", str(path), "--json"]
    return json.loads(subprocess.run(told, capture_output=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_stops_a_run_in_good_order_with_130(tmp_path):
    process = start_endless_run(tmp_path)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120.0)
    assert process.returncode == 130
    assert out == b""
    assert error.startswith(b"optobind: interrupted")
    assert error.count(b"\n") == 1
    values = info_of(tmp_path / "run.h5")
    assert values["state"] == "complete"
    assert values["outcome"] == "stopped"
    assert values["samples"] > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_sigterm_aborts_a_run_and_keeps_its_record_with_143(tmp_path):
    process = start_endless_run(tmp_path)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=120.0)
    assert process.returncode == 143
    assert out == b""
    assert error.startswith(b"optobind: terminated")
    assert error.count(b"\n") == 1
    values = info_of(tmp_path / "run.h5")
    assert (values["state"], values["outcome"]) == ("complete", "aborted")
    assert values["samples"] > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_run_is_interrupted_and_can_be_recovered(optobind, tmp_path):
    process = start_endless_run(tmp_path)
    process.kill()
    process.communicate(timeout=120.0)
    killed = info_of(tmp_path / "run.h5")
    assert killed["state"] == "interrupted"
    assert killed["samples"] > 0
    answer = optobind("recover", tmp_path / "run.h5")
    assert answer.code == 0
    recovered = info_of(answer.out.strip())
    assert recovered["samples"] == killed["samples"]
    assert optobind("fit", "spectrum", answer.out.strip(), "--json").code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("demo",),
        ("run", "monitor", "--rig", "simulated-pair"),
        ("phases",),
        ("fit", "spectrum", "run.h5"),
        ("fit", "reheating", "run.h5"),
    ],
)
def test_an_output_folder_that_cannot_be_made_is_refused_before_anything_slow(
    optobind, tmp_path, command, monkeypatch
):
    stone = tmp_path / "stone"
    stone.write_text("not a folder")
    for slow in ("demo", "run", "phases", "fit"):
        monkeypatch.setitem(sys.modules, f"optobind.cli.{slow}", None)
    answer = optobind(*command, "--out", stone / "new")
    assert answer.is_one_line_error(2), answer
    assert "is not a directory" in answer.err


def test_ctrl_c_before_the_first_import_is_quiet():
    code = (
        "import signal, sys, builtins\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "from optobind.__main__ import main\n"
        "real = builtins.__import__\n"
        "def late(name, *rest):\n"
        "    if name == 'multiprocessing':\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = late\n"
        "sys.exit(main(['--version']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr == "optobind: interrupted\n"


def test_devices_that_failed_have_a_line_each(capsys):
    def fail(arguments):
        error = DeviceError("slm: dark; gate: gone")
        error.failures = ("slm: dark", "gate: gone")
        raise error

    assert guarded(fail, []) == 4
    assert capsys.readouterr().err.splitlines() == ["optobind: slm: dark", "optobind: gate: gone"]
