"""``optobind run``, ``config check`` and ``gui``: what they do and what they refuse."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from optobind.acquisition.conditions import SIMULATION_LAGS
from optobind.acquisition.runfile import RunFile
from optobind.cli import run as run_command
from optobind.instruments.fakes import FakeGauge, Fault
from optobind.instruments.protocols import GaugeReading

FAST = ("--set", "simulation.clock=fast")
# No X server takes this number: its port, 6000 and the number, would lie above 65535.
NO_DISPLAY = ":59999"
UNSTABLE = (
    *("--set", "particles.0.radius=85 nm", "--set", "particles.1.radius=85 nm"),
    *("--set", "tweezers.0.power=200 mW", "--set", "tweezers.1.power=200 mW"),
    *("--set", "tweezers.0.phase=1 rad", "--set", 'tweezers.1.position=["2.5 um", 0, 0]'),
)
MONITOR = ("run", "monitor", "--rig", "simulated-pair", *FAST, "--set", "plan.duration=20 ms")


def test_run_records_and_tells_where(optobind, tmp_path):
    answer = optobind(*MONITOR, "--out", tmp_path / "new", "--json")
    assert answer.code == 0
    values = answer.json
    assert values["path"] == str(tmp_path / "new" / "run.h5")
    assert (values["outcome"], values["samples"], values["gaps"]) == ("complete", 40000, 0)
    assert values["incidents"] == {}
    assert "warning" not in answer.err
    again = optobind(*MONITOR, "--out", tmp_path / "new")
    assert again.is_one_line_error(2)
    assert "never overwritten" in again.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "clock"),
    [
        ((), "fast"),
        (("--set", "simulation.clock=auto"), "fast"),
        (("--set", "simulation.clock=real-time"), "real-time"),
        (("--set", "simulation.clock=fast"), "fast"),
    ],
)
def test_where_nobody_watches_a_simulation_runs_fast_unless_told_otherwise(
    optobind, tmp_path, settings, clock
):
    plan = ("run", "monitor", "--rig", "simulated-pair", "--set", "plan.duration=20 ms")
    answer = optobind(*plan, *settings, "--out", tmp_path / "a", "--json")
    assert answer.code == 0, answer
    assert answer.json["clock"] == clock
    with RunFile.open(tmp_path / "a" / "run.h5") as run:
        assert run.manifest["config"]["clock"] == clock
    plain = optobind(*plan, *settings, "--out", tmp_path / "b").out
    assert ("fast clock" in plain) == (clock == "fast")


def test_a_clock_that_the_rig_fixes_is_kept(optobind, tmp_path):
    path = tmp_path / "rig.toml"
    text = (
        resources.files("optobind.config.rigs").joinpath("simulated-pair.toml").read_text("utf-8")
    )
    path.write_text(text.replace('clock = "auto"', 'clock = "real-time"'), encoding="utf-8")
    plan = ("run", "monitor", "--rig", path, "--set", "plan.duration=20 ms")
    assert optobind(*plan, "--out", tmp_path / "a", "--json").json["clock"] == "real-time"


def test_a_simulation_that_is_too_slow_is_warned_of_on_stderr(optobind, tmp_path, monkeypatch):
    from optobind.acquisition.session import Session
    from optobind.acquisition.snapshots import LogEntry

    text = f"{SIMULATION_LAGS}: 300 samples skipped before sample 2000"
    monkeypatch.setattr(Session, "take_log", lambda _: [LogEntry(0.0, "warning", text)])
    answer = optobind(*MONITOR, "--out", tmp_path)
    assert answer.code == 0
    assert f"warning: {text}" in " ".join(answer.err.split())


def test_run_without_directory_makes_one_for_itself(optobind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = optobind(*MONITOR)
    assert answer.code == 0
    found = list((tmp_path / "runs").glob("*-monitor/run.h5"))
    assert len(found) == 1
    assert str(found[0].relative_to(tmp_path)) in answer.out


@pytest.mark.slow
def test_same_seed_gives_the_same_record(optobind, tmp_path):
    from optobind.acquisition.runfile import RunFile

    records = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        seeded = ("--set", f"simulation.seed={seed}")
        assert optobind(*MONITOR, *seeded, "--out", tmp_path / name).code == 0
        with RunFile.open(tmp_path / name / "run.h5") as run:
            records.append(run.samples(0, 40000))
    assert np.array_equal(records[0], records[1])
    assert not np.array_equal(records[0], records[2])


def test_unstable_light_is_refused_unless_allowed(optobind, tmp_path):
    refused = optobind(*MONITOR, *UNSTABLE, "--out", tmp_path)
    assert refused.is_one_line_error(2)
    assert "1/s" in refused.err
    assert not (tmp_path / "run.h5").exists()
    allowed = ("--set", "plan.allow_unstable=true", "--out", tmp_path)
    assert optobind(*MONITOR, *UNSTABLE, *allowed).code == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["devices={}"], "has no digitizer"),
        (["detectors=[]"], "has no detectors"),
        (["devices.digitizer.driver=replay"], "devices.digitizer"),
        (["detectors.1.particle=2"], "there are 2, counted from 0"),
        (["plan.durations=1 s"], "--set plan.durations: unknown key"),
        (["plan.kind=scan"], "known: monitor, reheating, sequence"),
        (["tweezers.0.power=1 uW"], "no equilibrium"),
        (["gas.pressure=-1 mbar"], "gas.pressure"),
    ],
)
def test_run_refuses_what_cannot_work(optobind, tmp_path, settings, message):
    arguments = [part for setting in settings for part in ("--set", setting)]
    answer = optobind(*MONITOR[:4], *arguments, "--out", tmp_path / "x")
    assert answer.is_one_line_error(2), answer
    assert message in answer.err
    assert not (tmp_path / "x" / "run.h5").exists()


def test_rig_without_gate_runs_monitor_but_not_reheating(optobind, tmp_path):
    path = tmp_path / "rig.toml"
    text = (
        resources.files("optobind.config.rigs").joinpath("simulated-pair.toml").read_text("utf-8")
    )
    head, rest = text.split("[devices.gate]")
    path.write_text(head + "[simulation]" + rest.split("[simulation]")[1], encoding="utf-8")
    answer = optobind("run", "reheating", "--rig", path, *FAST, "--out", tmp_path / "out")
    assert answer.is_one_line_error(2)
    assert "gate" in answer.err


def test_recorded_file_is_replayed_and_fitted_alike(optobind, tmp_path):
    rng = np.random.default_rng(1)
    record = tmp_path / "record.npz"
    np.savez(record, samples=rng.standard_normal((30000, 1)), sample_rate=1e6)
    rig = ("--rig", "replay", "--set", f"devices.digitizer.path={record}")
    fast = ("--set", "devices.digitizer.speed=fast", "--set", "plan.duration=until stopped")
    answer = optobind("run", "monitor", *rig, *fast, "--out", tmp_path, "--json")
    assert answer.code == 0
    assert answer.json["samples"] == 30000
    assert optobind("info", tmp_path / "run.h5", "--json").json["mode"] == "REPLAY"


def test_incidents_of_a_run_are_counted_and_warned_of(optobind, tmp_path, monkeypatch):
    from optobind.acquisition.events import Event, EventKind
    from optobind.acquisition.runfile import RunFile

    kinds = [EventKind.SATURATED, EventKind.PARTICLE_LOST, EventKind.SATURATED, EventKind.LIGHT]
    monkeypatch.setattr(RunFile, "each_event", lambda *_: iter([Event(5, kind) for kind in kinds]))
    answer = optobind(*MONITOR, "--out", tmp_path, "--json")
    assert answer.code == 0
    assert answer.json["incidents"] == {"particle_lost": 1, "saturated": 2}
    assert "warning: particle lost" in answer.err
    assert "warning: 2 blocks are saturated" in answer.err


def test_config_check_tells_where_particles_are(optobind, tmp_path):
    answer = optobind("config", "check", "simulated-pair")
    assert answer.code == 0
    assert "particle 2: trapped at" in answer.out
    plan = tmp_path / "plan.toml"
    plan.write_text('kind = "monitor"\nduration = "5 s"\n', encoding="utf-8")
    assert "plan of kind monitor" in optobind("config", "check", plan).out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("wavelength = 1064", "needs a unit"),
        ('wavelenght = "1064 nm"', "did you mean wavelength?"),
        ("a = [", "not valid TOML"),
        ('kind = "monitor"\nduration = "5 kg"', "unit 'kg'"),
        ('kind = "scan"', "known: monitor"),
        ("[[steps]]", "lacks kind"),
    ],
)
def test_config_check_refuses_bad_files(optobind, tmp_path, text, message):
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    answer = optobind("config", "check", path)
    assert answer.is_one_line_error(2), answer
    assert message in answer.err


def test_window_without_display_or_toolkit_is_refused(optobind, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    answer = optobind("gui", "--rig", "simulated-pair")
    assert answer.is_one_line_error(2)
    assert "display" in answer.err or "PyQt6" in answer.err


@pytest.mark.parametrize("display", ["offscreen", ""])
def test_toolkit_that_cannot_be_imported_is_named(optobind, monkeypatch, tmp_path, display):
    (tmp_path / "PyQt6").mkdir()
    (tmp_path / "PyQt6" / "__init__.py").write_text("raise ImportError('PyQt6 is broken')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "PyQt6"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("QT_QPA_PLATFORM", display)
    monkeypatch.delenv("DISPLAY", raising=False)
    answer = optobind("gui", "--rig", "simulated-pair")
    assert answer.is_one_line_error(2), answer
    assert "the window needs PyQt6" in answer.err
    assert "pip install" in answer.err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are asked for on Linux")
def test_display_that_does_not_answer_is_refused(optobind, monkeypatch):
    pytest.importorskip("PyQt6")
    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", NO_DISPLAY)
    answer = optobind("gui", "--rig", "simulated-pair")
    assert answer.is_one_line_error(2), answer
    assert f"DISPLAY={NO_DISPLAY}" in answer.err


def with_gauge(monkeypatch, faults) -> None:
    """Let rigs have a gauge with these faults."""
    build = run_command.build_rig

    def built(loaded, **named):
        gauge = FakeGauge([GaugeReading(1e-4)], faults=faults)
        return replace(build(loaded, **named), gauge=gauge)

    monkeypatch.setattr(run_command, "build_rig", built)


def test_run_sums_up_what_a_gauge_left_out(optobind, tmp_path, monkeypatch):
    with_gauge(monkeypatch, {"connect": {n: Fault("disconnect") for n in range(10**4)}})
    answer = optobind(*MONITOR, "--out", tmp_path)
    assert answer.code == 0
    first, *_, last = answer.err.splitlines()
    assert first.startswith("warning: gauge was disconnected: check its cable")
    assert last.startswith("warning: gauge: ")
    assert "to the end" in last
    info = optobind("info", tmp_path / "run.h5", "--json")
    assert info.json["events"]["fault"] == 1


@pytest.mark.slow
def test_run_that_needs_the_pressure_is_refused_without_a_gauge(optobind, tmp_path, monkeypatch):
    needs = ("--set", "plan.require_gauge=true", "--out", tmp_path / "x")
    without = optobind(*MONITOR, "--set", "devices.gauge={}", *needs)
    assert without.code == 2
    with_gauge(monkeypatch, {"connect": {n: Fault("disconnect") for n in range(10**4)}})
    answer = optobind(*MONITOR, *needs)
    assert answer.code == 4
    assert "needs the pressure, which gauge does not give" in answer.err.splitlines()[-1]
    assert not (tmp_path / "x").exists()
    monkeypatch.undo()
    assert optobind(*MONITOR, *needs).code == 0


def test_a_record_that_is_played_and_ends_before_the_plan_is_said_to(optobind, tmp_path):
    record = tmp_path / "short.npz"
    np.savez(record, samples=np.zeros((4000, 1)), sample_rate=1e5, unit="V")
    rig = ("--rig", "replay", "--set", f"devices.digitizer.path={record}")
    rig += ("--set", "devices.digitizer.speed=fast", "--set", "plan.duration=1 s")
    answer = optobind("run", "monitor", *rig, "--out", tmp_path)
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "warning: the record that is played ended before the plan: 4000 of 100000 samples taken"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
def test_a_run_whose_folder_is_removed_ends_and_says_where_its_samples_are(optobind, tmp_path):
    folder, over = tmp_path / "run", threading.Event()

    def remove():
        while not (folder / "run.h5").exists() and not over.wait(0.01):
            pass
        time.sleep(0.5)
        shutil.rmtree(folder, ignore_errors=True)

    thread = threading.Thread(target=remove)
    thread.start()
    sets = ("simulation.clock=real-time", "devices.digitizer.sample_rate=200 kHz")
    settings = [word for setting in (*sets, "plan.duration=30 s") for word in ("--set", setting)]
    answer = optobind("run", "monitor", "--rig", "simulated-pair", "--out", folder, *settings)
    over.set()
    thread.join()
    assert answer.is_one_line_error(2)
    assert "by somebody else" in answer.err
    assert "preserved" not in answer.err
    assert f"are kept in {folder / 'run_rescued.h5'}" in answer.err
    assert optobind("info", folder / "run_rescued.h5", "--verify").code == 0
