"""``optobind virtual-lab``: what it prints connects, and gives what the in-process rig gives."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.cli.following import carry_out
from optobind.cli.virtual_lab import client_rig, who_can_drive
from optobind.config.build import build_rig
from optobind.config.load import LoadedRig, read_plan, read_rig, rig_from_dict
from optobind.instruments.virtual.laboratory import (
    GAUGE_DIALECTS,
    RF_DIALECTS,
    VirtualLaboratory,
)
from optobind.models.errors import DeviceError, InputError

pytest.importorskip("nidaqmx")
pytest.importorskip("pyvisa")

pytestmark = pytest.mark.realtime

FAST = ["simulation.clock=fast"]


def connected_rig(loaded: LoadedRig, laboratory: VirtualLaboratory):
    """The rig that a client builds from what the laboratory prints."""
    document = client_rig(loaded, laboratory)
    return build_rig(LoadedRig(document["name"], rig_from_dict(document), document))


COMBINATIONS = [
    ("keysight", "pfeiffer-tpg", False),
    ("siglent", "mks-937b", False),
    ("moglabs", "agilent-xgs600", False),
    ("rigol-dg4000", "pfeiffer-tpg", False),
    ("novatech-409b", "mks-937b", False),
    ("aa-mdsnc", "agilent-xgs600", False),
]
if sys.platform != "win32":  # pseudo terminals
    COMBINATIONS += [("novatech-409b", "agilent-xgs600", True), ("aa-mdsnc", "mks-937b", True)]


@pytest.mark.slow
@pytest.mark.parametrize(("rf", "gauge", "serial"), COMBINATIONS)
def test_light_and_pressure_read_through_the_drivers_are_those_of_the_world(rf, gauge, serial):
    loaded = read_rig("simulated-pair", FAST)
    built = build_rig(loaded)
    with VirtualLaboratory(built, rf=rf, gauge=gauge, serial=serial) as laboratory:
        rig = connected_rig(loaded, laboratory)
        assert rig.mode == "LIVE"
        devices = dict(rig.devices())
        for device in devices.values():
            device.connect()
        try:
            truth = built.world.light
            seen = rig.light.read().state
            for a, b in zip(seen.sites, truth.sites, strict=True):
                assert a.power == pytest.approx(b.power, rel=4e-3)
            error = math.remainder(seen.relative_phase - truth.relative_phase, 2.0 * math.pi)
            assert abs(error) < 2e-3
            assert rig.gauge.read().pressure == pytest.approx(1e-6, rel=0.05)
            assert rig.gate.read() is True
            rig.gate.set(False)
            assert built.world.gate_closed is False
            assert built.world.light == truth
            if rf != "aa-mdsnc":
                rig.light.apply(seen.with_pair(phi=1.0, balance=0.05))
                now = built.world.light
                assert now.relative_phase == pytest.approx(1.0, abs=2e-3)
                assert now.balance == pytest.approx(0.05, abs=2e-3)
        finally:
            for device in devices.values():
                device.disconnect()
        assert built.world.gate_closed is False


def test_source_that_does_not_reach_the_carrier_cannot_stand_here():
    built = build_rig(read_rig("simulated-pair", FAST))
    with pytest.raises(DeviceError, match=r"dg1000z makes 1e-12 … 60 MHz.* is 80 MHz: choose"):
        VirtualLaboratory(built, rf="rigol-dg1000z")


def test_source_of_60_mhz_serves_a_carrier_of_60_mhz():
    loaded = read_rig("simulated-pair", [*FAST, "devices.rf.carrier=60 MHz"])
    with VirtualLaboratory(build_rig(loaded), rf="rigol-dg1000z") as laboratory:
        assert laboratory.tables()["rf"]["driver"] == "rigol-dg1000z"


def test_unknown_dialects_and_real_rigs_are_refused():
    built = build_rig(read_rig("simulated-pair", FAST))
    with pytest.raises(InputError, match="unknown dialect 'agilent' of the RF source; known: key"):
        VirtualLaboratory(built, rf="agilent")
    with pytest.raises(InputError, match="unknown dialect 'x' of the gauge"):
        VirtualLaboratory(built, gauge="x")
    with pytest.raises(InputError, match="only a simulated one can be served"):
        VirtualLaboratory(build_rig(read_rig("lab-slm-aom")))


def test_every_dialect_is_a_driver():
    from optobind.instruments.catalogue import find_driver

    for family, names in (("rf", RF_DIALECTS), ("gauge", GAUGE_DIALECTS)):
        for name in names:
            assert find_driver(family, name).name == name


def test_command_prints_and_writes_the_rig_to_connect_with(optobind, tmp_path):
    path = tmp_path / "lab.toml"
    answer = optobind("virtual-lab", "simulated-pair", "--fast", "--duration", "0", "--out", path)
    assert answer.code == 0, answer
    assert "virtual laboratory is running" in answer.err
    assert "anybody who works on this computer can drive this laboratory" in answer.err
    assert "anybody who works on this computer" in answer.out.splitlines()[0]
    document = tomllib.loads(answer.out)
    assert document == tomllib.loads(path.read_text(encoding="utf-8"))
    assert document["devices"]["rf"]["driver"] == "keysight"
    assert document["devices"]["digitizer"]["clock"] == "fast"
    assert document["devices"]["digitizer"]["grpc"].startswith("127.0.0.1:")
    assert "simulation" not in document


@pytest.mark.parametrize(
    "arguments",
    [["--rf", "agilent"], ["--gauge", "x"], ["--duration", "-1"], ["--set", "nonsense=1"]],
)
def test_wrong_use_ends_with_one_line_and_2(optobind, arguments):
    assert optobind("virtual-lab", "simulated-pair", *arguments).is_one_line_error(2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_it_in_good_order(tmp_path):
    path = tmp_path / "lab.toml"
    command = [sys.executable, "-m", "optobind", "virtual-lab", "simulated-pair", "--out", path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy()
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert b"running" in line, line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120.0)
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "optobind: interrupted"
    assert tomllib.loads(out.decode())["name"] == "simulated-pair-virtual"


# -- the same estimates ---------------------------------------------------------------------------


def run(rig, plan: str, settings: list[str], path: Path) -> Path:
    session = Session(rig, live_fits=False)
    try:
        outcome, _ = carry_out(session, read_plan(plan, settings).plan, path)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome
    assert outcome.gaps == 0
    return path


def spectrum_estimates(optobind, path: Path) -> dict[str, tuple[float, float]]:
    result = optobind("fit", "spectrum", path, "--json").json
    return pairs(result)


def pairs(result) -> dict[str, tuple[float, float]]:
    """Values and standard errors of a fit."""
    return {
        name: (entry["value"], entry["stderr"])
        for name, entry in result["parameters"].items()
        if entry["stderr"]
    }


def agree(first, second) -> None:
    """Whether two sets of estimates agree within their combined errors.

    A parameter at its bound (damping that a short release does not show) has no error.
    """
    common = set(first) & set(second)
    assert {"D11", "D22", "re_D12", "g_r", "g_a"} <= common
    pulls = {
        name: (first[name][0] - second[name][0]) / math.hypot(first[name][1], second[name][1])
        for name in common
    }
    assert all(abs(pull) < 4.5 for pull in pulls.values()), pulls
    rms = math.sqrt(sum(pull**2 for pull in pulls.values()) / len(pulls))
    assert rms < 2.0, pulls


@pytest.mark.slow
def test_record_through_the_drivers_is_that_of_the_in_process_rig_byte_for_byte(tmp_path):
    plan, settings = "monitor", ["duration=50 ms"]
    own = build_rig(read_rig("simulated-pair", FAST))
    inside = run(own, plan, settings, tmp_path / "inside.h5")
    loaded = read_rig("simulated-pair", FAST)
    with VirtualLaboratory(build_rig(loaded)) as laboratory:
        rig = connected_rig(loaded, laboratory)
        outside = run(rig, plan, settings, tmp_path / "outside.h5")
    with h5py.File(inside) as a, h5py.File(outside) as b:
        assert np.array_equal(a["samples"][:], b["samples"][:])
        assert (a["events"]["sample"] == b["events"]["sample"]).all()
        assert (a["events"]["kind"] == b["events"]["kind"]).all()


@pytest.mark.slow
def test_monitor_through_the_drivers_gives_the_estimates_of_the_in_process_rig(optobind, tmp_path):
    plan = ["duration=0.8 s"]
    own = build_rig(read_rig("simulated-pair", FAST))
    inside = run(own, "monitor", plan, tmp_path / "inside.h5")
    loaded = read_rig("simulated-pair", [*FAST, "simulation.seed=2"])
    with VirtualLaboratory(build_rig(loaded)) as laboratory:
        outside = run(connected_rig(loaded, laboratory), "monitor", plan, tmp_path / "outside.h5")
    agree(spectrum_estimates(optobind, inside), spectrum_estimates(optobind, outside))


@pytest.mark.slow
def test_releases_played_through_the_drivers_are_as_long_as_planned_to_the_sample(tmp_path):
    loaded = read_rig("simulated-pair", FAST)
    with VirtualLaboratory(build_rig(loaded)) as laboratory:
        rig = connected_rig(loaded, laboratory)
        path = run(rig, "reheating", ["repetitions=5", "timing=card"], tmp_path / "played.h5")
    with h5py.File(path) as file:
        events, samples = file["events"][:], len(file["samples"])
    gate = [(int(e["sample"]), json.loads(e["json"])) for e in events if e["kind"] == b"gate"]
    lengths = [
        end - begin
        for (begin, opened), (end, closed) in itertools.pairwise(gate)
        if closed["closed"] and not opened["closed"]
    ]
    rate = float(rig.digitizer.info.sample_rate)
    planned = round(1e-3 * rate)
    assert lengths == [planned] * 5
    # A cooling by calls, whose gate is known to be closed only after its jitter, then five of
    # cooling and release, which a card plays some samples late; an in-process gate has no jitter.
    jitter = round(rig.gate.capabilities.jitter * rate)
    assert jitter == 6000
    assert samples == jitter + planned + 5 * (planned + planned) + rig.pattern.offset


@pytest.mark.slow
def test_phase_and_power_that_a_served_card_plays_are_the_light_of_the_world(tmp_path):
    loaded = read_rig("simulated-unidirectional", FAST)  # φ + π is stable there
    served, seen = build_rig(loaded), []
    world = served.world
    before, run_world = world.light, world._engine.run

    def note(counts, truth):
        turn = (world.light.relative_phase - before.relative_phase) / math.pi
        power = world.light.sites[0].power / before.sites[0].power
        seen.append((world.gate_closed, round(turn, 2) % 2.0, round(power, 2)))
        return run_world(counts, truth)

    world._engine.run = note
    plan = [
        "repetitions=4", "timing=card", "phase_reversal=repetition", "release_power=0.9",
    ]  # fmt: skip
    with VirtualLaboratory(served) as laboratory:
        rig = connected_rig(loaded, laboratory)
        path = run(rig, "reheating", plan, tmp_path / "played.h5")
    with RunFile.open(path) as file:
        lights = [release.setting for release in file.all_releases()]
    assert [(round(s.phase / math.pi), s.power, s.trap) for s in lights] == [
        (turn, 0.9, "all") for turn in (0, 1, 0, 1)
    ]
    assert {entry for entry in seen if not entry[0]} == {(False, 0.0, 0.9), (False, 1.0, 0.9)}
    assert {entry[2] for entry in seen if entry[0]} == {1.0}, "feedback acts at the power as set"
    assert world.light.sites[0].power == pytest.approx(before.sites[0].power)


@pytest.mark.slow
def test_reheating_through_the_drivers_gives_the_estimates_of_the_in_process_rig(
    optobind, tmp_path
):
    plan = ["repetitions=250", "cool_time=1 ms", "release_time=1 ms"]
    own = build_rig(read_rig("simulated-pair", FAST))
    inside = run(own, "reheating", plan, tmp_path / "inside.h5")
    loaded = read_rig("simulated-pair", [*FAST, "simulation.seed=2"])
    with VirtualLaboratory(build_rig(loaded), rf="siglent") as laboratory:
        rig = connected_rig(loaded, laboratory)
        outside = run(rig, "reheating", plan, tmp_path / "outside.h5")
    fits = [pairs(optobind("fit", "reheating", path, "--json").json) for path in (inside, outside)]
    agree(*fits)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_a_laboratory_of_this_computer_says_who_can_drive_it(host):
    assert "who works on this computer" in who_can_drive(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "no such host"])
def test_a_laboratory_on_the_network_says_so_loudly_and_what_to_do(host):
    text = who_can_drive(host)
    assert f"anybody on the network who reaches {host} can drive this laboratory" in text
    assert "use --host 127.0.0.1 and an ssh tunnel" in text
    assert "\n" not in text
