"""Knobs and sensors as a user meets them: sweep, dry run, resume, identify, check, report."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from optobind.acquisition.runfile import RunFile
from optobind.cli import instruments
from optobind.config.documents import to_toml
from optobind.config.load import read_rig
from optobind.instruments import availability

from ..instruments import foreign_stand_ins as stand_ins

RIG = [
    "devices.digitizer.sample_rate=250 kHz",
    "devices.gate.damping=4 kHz",
    "devices.knobs.seed_laser={driver='simulated', unit='mW', low='0 mW', high='300 mW', "
    "slew='1 mW/s', tolerance='2 mW', value='100 mW', noise='0.2 mW'}",
    "devices.knobs.leak={driver='simulated', kind='valve', unit='mbar', low='1e-9 mbar', "
    "high='1e-3 mbar', tolerance='5 %', accuracy=0.01}",
    "devices.sensors.room={driver='simulated', kind='thermometer', unit='degC', noise='0.1 degC'}",
]
PLAN = """
kind = "sweep"
retry_wait = "0 s"
fit = "none"
[[axes]]
knob = "seed_laser"
values = ["50 mW", "0.25 W"]
[[axes]]
knob = "leak"
values = ["1e-7 mbar", "1e-6 mbar"]
[inner]
kind = "monitor"
duration = "20 ms"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    from optobind.__main__ import main

    folder = tmp_path_factory.mktemp("knobs")
    (folder / "rig.toml").write_text(to_toml(read_rig("simulated-pair", RIG).source))
    (folder / "plan.toml").write_text(PLAN)
    command = ["run", folder / "plan.toml", "--rig", folder / "rig.toml", "--out", folder / "whole"]
    assert main([str(word) for word in command]) == 0
    return folder


def run(place, optobind, *settings, out="other", dry=False):
    given = [word for setting in settings for word in ("--set", setting)]
    more = ["--dry-run"] if dry else ["--out", place / out]
    return optobind("run", place / "plan.toml", "--rig", place / "rig.toml", *given, *more)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_read_backs_stand_in_the_table_beside_what_was_set(place):
    table = rows(place / "whole")
    assert [float(r["seed_laser (W)"]) for r in table] == [0.05, 0.05, 0.25, 0.25]
    for row in table:
        wanted, found = float(row["seed_laser (W)"]), float(row["seed_laser_read (W)"])
        assert found != wanted
        assert found == pytest.approx(wanted, abs=2e-3)
        pressure = float(row["leak (Pa)"])
        assert float(row["leak_read (Pa)"]) == pytest.approx(pressure, rel=0.05)


def test_what_knobs_and_sensors_read_is_in_every_run_file(place):
    with RunFile.open(place / "whole/points/0003.h5") as file:
        found = {(r.name, r.unit): r.value for r in file.slow()}
        start = next(file.each_event()).payload
    assert set(found) == {
        ("pressure", "Pa"), ("seed_laser", "W"), ("leak", "Pa"), ("room", "K"),
    }  # fmt: skip
    assert found["seed_laser", "W"] == pytest.approx(0.25, abs=2e-3)
    assert found["leak", "Pa"] == pytest.approx(1e-5, rel=0.05)
    assert found["room", "K"] == pytest.approx(293.0, abs=1.0)
    assert start["sweep"]["setting"] == {"seed_laser": 0.25, "leak": pytest.approx(1e-5)}


def test_sweep_that_was_interrupted_goes_on_to_the_same_table(place, optobind):
    cut = place / "cut"
    shutil.copytree(place / "whole", cut)
    lines = (cut / "journal.jsonl").read_text().splitlines(keepends=True)
    measured = [n for n, line in enumerate(lines) if '"measured"' in line]
    (cut / "journal.jsonl").write_text("".join(lines[: measured[1] + 1]))
    for number in (3, 4):
        (cut / f"points/{number:04d}.h5").unlink()
    answer = optobind("resume", cut, "--json")
    assert (answer.code, answer.json["measured"]) == (0, 4)
    assert (cut / "table.csv").read_bytes() == (place / "whole/table.csv").read_bytes()


def test_dry_run_checks_ranges_and_touches_nothing(place, optobind, monkeypatch):
    from optobind.instruments.simulated.knobs import SimulatedKnob

    monkeypatch.setattr(SimulatedKnob, "connect", lambda self: pytest.fail("it was connected"))
    monkeypatch.setattr(SimulatedKnob, "set_value", lambda self, v: pytest.fail("it was set"))
    answer = run(place, optobind, dry=True)
    assert answer.code == 0
    assert "seed_laser (W)" in answer.out
    answer = run(place, optobind, 'plan.axes.0.values=["0.4 W"]', dry=True)
    assert answer.is_one_line_error(2)
    assert "must lie in 0 W … 300 mW, got '0.4 W'" in answer.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("plan.axes.0.knob=laserr", "'laserr' is not known"),
        ("plan.reference_every=1", "give plan.reference.seed_laser"),
        ("devices.knobs.seed_laser.high=2V", "has the unit '2V'"),
        ("plan.axes.0.values=[0.1]", "needs a unit, such as"),
    ],
)
def test_wrong_input_is_one_line(place, optobind, setting, said):
    answer = run(place, optobind, setting, dry=True)
    assert answer.is_one_line_error(2)
    assert said.replace("'2V'", "'V'") in answer.err


def test_knob_that_does_not_obey_ends_the_sweep_with_its_name(place, optobind):
    answer = run(
        place, optobind, "devices.knobs.seed_laser.noise=80 mW", "plan.retries=0", out="astray"
    )
    assert answer.is_one_line_error(4)
    assert "knob seed_laser was set to 50 mW and reads" in answer.err
    assert rows(place / "astray") == []


def test_plan_for_a_knob_that_the_rig_lacks_is_refused(place, optobind):
    answer = optobind("run", place / "plan.toml", "--rig", "simulated-pair", "--dry-run")
    assert answer.is_one_line_error(2)
    assert "seed_laser" in answer.err


def test_identify_reads_knobs_and_sensors_and_sets_nothing(place, optobind, monkeypatch):
    from optobind.instruments.simulated.knobs import SimulatedKnob

    monkeypatch.setattr(SimulatedKnob, "set_value", lambda self, v: pytest.fail("it was set"))
    answer = optobind("instruments", "identify", place / "rig.toml", "--json")
    assert answer.code == 0
    found = {d["family"]: d for d in answer.json["devices"]}
    assert found["knob seed_laser"]["values"][1] == "range 0 W … 300 mW, 0.001 W/s at most"
    assert found["sensor room"]["values"][0].startswith("reads 29")
    assert found["knob leak"]["ok"]


def foreign(**more: str) -> str:
    table = {
        "driver": "pymeasure", "unit": "mA", "low": "0 mA", "high": "100 mA", "timeout": "50 ms",
        "attribute": "ch_1.current", **more,
    }  # fmt: skip
    inside = ", ".join(f"{key}={value!r}" for key, value in table.items())
    return f"devices.knobs.coil={{{inside}}}"


@pytest.fixture
def installed(monkeypatch):
    """As if PyMeasure were there: the stand-ins need nothing of it."""
    monkeypatch.setattr("optobind.instruments.availability._is_there", lambda module: True)


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_check_imports_the_class_of_the_instrument(optobind):
    for instrument, said in (
        ("no_such_package.lab:Supply", "no_such_package.lab cannot be imported"),
        (f"{stand_ins.__name__}:Supply", "has no Supply"),
        (f"{stand_ins.__name__}:PyMeasureLike", "can be imported, options are good"),
    ):
        answer = optobind(
            "instruments", "check", "lab-slm-aom", "--set", foreign(instrument=instrument), "--json"
        )
        found = {d["family"]: d for d in answer.json["devices"]}["knob coil"]
        assert said in found["detail"]


def test_check_names_the_extra_that_is_missing(optobind, monkeypatch):
    real = availability._is_there
    monkeypatch.setattr(availability, "_is_there", lambda m: m != "pymeasure" and real(m))
    table = foreign(instrument="pymeasure.instruments.agilent:Agilent33500")
    answer = optobind("instruments", "check", "lab-slm-aom", "--set", table)
    assert answer.code == 4
    assert "knob coil (pymeasure): FAILED: pip install optobind[pymeasure]" in answer.out


def identified(optobind, tmp_path: Path, address: str) -> dict[str, object]:
    """What is found out about one foreign knob, of a rig that has nothing else."""
    source = dict(read_rig("simulated-pair").source)
    source["devices"] = {}
    (tmp_path / "rig.toml").write_text(to_toml(source))
    table = foreign(instrument=f"{stand_ins.__name__}:PyMeasureLike", address=address)
    answer = optobind("instruments", "identify", tmp_path / "rig.toml", "--set", table, "--json")
    return answer.json["devices"][0]


def test_identify_reads_a_foreign_knob(optobind, tmp_path):
    with stand_ins.supply() as address:
        found = identified(optobind, tmp_path, address)
        assert (found["ok"], found["detail"]) == (True, f"Supply 2000 (PyMeasureLike at {address})")
        assert found["values"] == ["reads 50 mA", "range 0 A … 100 mA, at once"]
        assert (stand_ins.boxes[address].sent, stand_ins.boxes[address].closed) == ([], 1)


def test_identify_does_not_wait_for_ever(optobind, tmp_path, monkeypatch):
    monkeypatch.setattr(instruments, "_CONNECTING_SECONDS", 0.1)
    with stand_ins.supply("hangs") as address:
        found = identified(optobind, tmp_path, address)
        assert not found["ok"]
        assert "knob coil did not answer within 0.2 s" in found["detail"]


def test_drivers_of_knobs_and_sensors_are_listed(optobind):
    answer = optobind("instruments", "list", "--json")
    listed = {(d["family"], d["driver"]) for d in answer.json["drivers"]}
    wanted = {(f, d) for f in ("knob", "sensor") for d in ("pymeasure", "qcodes")}
    assert wanted <= listed


def test_report_and_info_tell_what_was_read(place, optobind):
    path = place / "whole/points/0003.h5"
    answer = optobind("info", path, "--json")
    assert answer.json["readings"]["room"]["unit"] == "K"
    assert answer.json["readings"]["seed_laser"]["mean"] == pytest.approx(0.25, abs=2e-3)
    assert "seed_laser" in optobind("info", path).out
