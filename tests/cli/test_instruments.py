"""``optobind instruments`` and ``config check`` on real rigs."""

from __future__ import annotations

from importlib import metadata

import pytest

from optobind.config.documents import to_toml
from optobind.config.load import read_rig
from optobind.instruments.catalogue import drivers
from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.protocols import RFTone
from optobind.instruments.virtual.text_server import serve_text

REAL = "lab-slm-aom"


@pytest.fixture
def broken_plugin(monkeypatch):
    real = metadata.entry_points

    def entry_points(**selection):
        if selection.get("group") == "optobind.gauge":
            return [metadata.EntryPoint("broken", "no_such_package:Gauge", "optobind.gauge")]
        return real(**selection)

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def test_list_names_every_driver_with_what_it_needs(optobind):
    answer = optobind("instruments", "list", "--json")
    assert answer.code == 0
    listed = answer.json["drivers"]
    assert [d["driver"] for d in listed] == [spec.name for spec in drivers()]
    keysight = next(d for d in listed if d["driver"] == "keysight")
    assert keysight["family"] == "rf"
    assert keysight["installed"] is True
    assert keysight["exercised"] == "virtual laboratory"
    for entry in listed:
        assert entry["installed"] or entry["remedy"]


def test_list_is_readable(optobind):
    answer = optobind("instruments", "list")
    assert answer.code == 0
    for spec in drivers():
        assert spec.name in answer.out


@pytest.mark.usefixtures("broken_plugin")
def test_broken_plugin_is_listed_with_what_is_wrong(optobind):
    listed = optobind("instruments", "list", "--json").json["drivers"]
    broken = next(d for d in listed if d["driver"] == "broken")
    assert broken["installed"] is False
    assert "no_such_package" in broken["remedy"]
    assert "no_such_package" in optobind("instruments", "list").out


def test_check_says_what_each_device_is_made_with(optobind):
    answer = optobind("instruments", "check", REAL)
    assert answer.code == 0, answer
    assert "rf (rigol-dg4000): ok" in answer.out
    assert "amplitude_range = [0.0, 0.6]" in answer.out


def test_check_tells_every_bad_option_and_ends_with_4(optobind):
    settings = ("--set", "devices.gauge.channel=99", "--set", "devices.rf.channels=9")
    answer = optobind("instruments", "check", REAL, *settings, "--json")
    assert answer.code == 4
    failed = {d["family"]: d["detail"] for d in answer.json["devices"] if not d["ok"]}
    assert set(failed) == {"gauge", "rf"}
    assert "channel must lie in" in failed["gauge"]


@pytest.mark.usefixtures("broken_plugin")
def test_check_of_a_broken_plugin_is_told_of_that_device_alone(optobind):
    answer = optobind(
        "instruments", "check", REAL, "--set", 'devices.gauge={driver="broken"}', "--json"
    )
    assert answer.code == 4
    assert [d["family"] for d in answer.json["devices"] if not d["ok"]] == ["gauge"]


def test_missing_package_is_named_with_its_extra(optobind):
    settings = (
        "--set", 'devices.rf={driver="spectrum-dds"}',
        "--set", 'devices.digitizer={driver="zurich", device="dev1", channels=["0.x"]}',
    )  # fmt: skip
    answer = optobind("instruments", "check", REAL, *settings)
    assert answer.code == 4
    assert "pip install optobind[spectrum]" in answer.out
    assert "pip install optobind[zurich]" in answer.out


def test_identify_reads_each_device_and_changes_nothing(optobind, tmp_path):
    device = FakeRFSource([RFTone(80e6, 0.3, 0.2), RFTone(80e6, 0.32)])
    with serve_text("keysight", device) as server:
        document = read_rig(REAL).source
        document["devices"] = {
            "rf": {"driver": "keysight", "address": server.visa_address},
            "gauge": {
                "driver": "pfeiffer-tpg",
                "address": "TCPIP0::127.0.0.1::9::SOCKET",
                "timeout": "0.3 s",
                "sensor": "full-range",
            },
        }
        path = tmp_path / "rig.toml"
        path.write_text(to_toml(document), encoding="utf-8")
        calls = device.calls.get("set_tone", 0)
        answer = optobind("instruments", "identify", path)
    assert answer.code == 4
    assert "rf (keysight): ok: Keysight" in answer.out
    assert "channel 1: 80000000 Hz, 0.3 V, 0.2 rad, on" in answer.out
    assert "gauge (pfeiffer-tpg): FAILED" in answer.out
    assert device.calls.get("set_tone", 0) == calls


def test_identify_of_a_simulated_rig_reads_its_devices(optobind):
    answer = optobind("instruments", "identify", "simulated-pair", "--json")
    assert answer.code == 0
    assert {d["family"] for d in answer.json["devices"]} == {
        "digitizer", "slm", "rf", "gauge", "gate", "pattern",
    }  # fmt: skip
    assert all(d["values"] for d in answer.json["devices"])


def test_mixed_rig_is_refused(optobind):
    setting = 'devices.gauge={driver="mks-937b", address="ASRL3::INSTR"}'
    for command in ("check", "identify"):
        answer = optobind("instruments", command, "simulated-pair", "--set", setting)
        assert answer.is_one_line_error(2)


def test_config_check_names_the_drivers_of_a_real_rig(optobind):
    answer = optobind("config", "check", REAL)
    assert answer.code == 0
    assert "rf: driver rigol-dg4000 (Rigol DG4000) needs optobind[visa]: installed" in answer.out
