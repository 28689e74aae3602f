"""``optobind calibrate`` finds the simulated laboratory's particles and detectors."""

from __future__ import annotations

import json

import pytest

import optobind as ob
from optobind.cli.app import invoke
from optobind.models.errors import InputError

FAR = [
    "gas.pressure=3 mbar", "detectors.0.volts_per_metre=4e6 V/m",
    "detectors.1.volts_per_metre=6e6 V/m", 'tweezers.1.position=["40 um","0 um","0 um"]',
    "devices.gate.damping=0 Hz", "plan.duration=0.5 s",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("thermal") / "run"
    settings = [part for text in FAR for part in ("--set", text)]
    assert invoke(["run", "monitor", "--rig", "simulated-pair", *settings, "--out", str(out)]) == 0
    return out / "run.h5"


def test_the_command_finds_radius_and_calibration_and_a_fragment(run, capsys, tmp_path):
    arguments = ["--pressure", "3 mbar", "--gauge-error", "5 %", "--uncoupled"]
    assert invoke(["calibrate", str(run), *arguments, "--json", "--out", str(tmp_path)]) == 0
    values = json.loads(capsys.readouterr().out)
    for name, truth in (("z1", 4e6), ("z2", 6e6)):
        known = values["channels"][name]
        radius, scale = known["radius"], known["volts_per_metre"]
        assert abs(radius["value"] - 60e-9) < 4.0 * radius["statistical"]
        assert abs(scale["value"] - truth) < 4.0 * scale["statistical"]
        assert scale["systematic"] > scale["statistical"]
    assert "volts_per_metre" in (tmp_path / "calibration.toml").read_text(encoding="utf-8")
    assert len(values["cross_talk"]) == 2


def test_a_run_with_the_gate_closed_is_warned_of(run, capsys):
    assert invoke(["calibrate", str(run), "--pressure", "3 mbar", "--json"]) == 0
    error = " ".join(capsys.readouterr().err.split())
    assert "was recorded with the feedback gate closed" in error
    assert "V/m are wrong unless the loop itself was off" in error


def test_what_is_missing_is_said(run, tmp_path):
    with pytest.raises(InputError, match="one each, got 3"):
        invoke(["calibrate", str(run), *(["--pressure", "1 mbar"] * 3)])
    with pytest.raises(InputError, match="between 0 % and 100 %"):
        invoke(["calibrate", str(run), "--gauge-error", "300 %"])
    text = tmp_path / "x.csv"
    text.write_text("t (s),z (V)\n0,1\n1e-6,2\n", encoding="utf-8")
    with pytest.raises(ob.OptobindError):
        invoke(["calibrate", str(text)])
    with pytest.raises(InputError, match="one pressure each"):
        ob.calibrate([ob.open_record(run)], pressures=[], density=1850.0, temperature=293.0)
