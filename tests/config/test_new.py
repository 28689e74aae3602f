"""New files: everything that can be written passes the check of files and explains its keys."""

from __future__ import annotations

import tomllib

import pytest

import optobind as ob
from optobind.config.build import build_rig, build_trap
from optobind.config.load import LoadedRig, described, read_plan, rig_from_dict
from optobind.config.new_plan import NEW_PLANS, new_plan
from optobind.config.new_rig import RigChoices, new_rig
from optobind.config.tables import FAMILIES, drivers_of

DRIVERS = [(f, d) for f in FAMILIES for d in drivers_of(f) if d != "simulated"]
LABORATORY = {
    "digitizer": "ni",
    "gate": "ni",
    "rf": "keysight",
    "slm": "display",
    "light": "slm+rf",
}


def test_a_new_rig_is_trapped_and_runs(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(new_rig(RigChoices(particles=3, distance="4 um")), encoding="utf-8")
    record = ob.simulate(path, ob.MonitorPlan(duration=0.01), out=tmp_path)
    assert record.samples.shape == (20_000, 3)
    positions = [t.position[0] for t in read(path.read_text(encoding="utf-8")).config.tweezers]
    assert positions == pytest.approx([0.0, 4e-6, 8e-6], abs=1e-12)


def read(text: str) -> LoadedRig:
    document = tomllib.loads(text)
    return LoadedRig("new", rig_from_dict(document), document)


@pytest.mark.parametrize(("family", "driver"), DRIVERS)
def test_a_file_can_be_begun_with_every_driver(family: str, driver: str) -> None:
    """Every key that is needed has an example, within its range, and the rig is a rig."""
    loaded = read(new_rig(RigChoices(drivers={family: driver})))
    table = getattr(loaded.config.devices, family)
    assert (table.control if family == "light" else table.driver) == driver
    assert build_trap(loaded.config).equilibrium().shape == (2, 3)


def test_a_whole_laboratory_is_made_without_its_devices() -> None:
    pytest.importorskip("nidaqmx")
    pytest.importorskip("pyvisa")
    rig = build_rig(read(new_rig(RigChoices(drivers=LABORATORY))))
    assert rig.mode != "SIM"


def test_every_key_of_a_device_stands_in_its_table() -> None:
    text = new_rig(RigChoices(drivers=LABORATORY))
    table = text.split("[devices.digitizer]")[1].split("[devices.")[0]
    assert all(key in table for key in drivers_of("digitizer")["ni"].model_fields)
    assert '# buffer = "4 s"' in table
    assert "Hz, kHz, MHz" in table


@pytest.mark.parametrize("kind", NEW_PLANS)
def test_a_new_plan_holds_its_defaults(tmp_path, kind: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(new_plan(kind), encoding="utf-8")
    plan = read_plan(str(path)).plan
    assert plan.kind == kind
    if kind in ("monitor", "reheating"):
        assert plan == {"monitor": ob.MonitorPlan(), "reheating": ob.ReheatingPlan()}[kind]


def test_a_driver_that_is_none_is_named_with_what_there_is() -> None:
    with pytest.raises(ob.InputError, match=r"no driver 'nl' of gate.*known: simulated, ni"):
        new_rig(RigChoices(drivers={"gate": "nl"}))
    with pytest.raises(ob.InputError, match=r"radius must lie in 5 nm"):
        RigChoices(radius="1 m")


def test_own_files_are_listed_beside_the_shipped_ones(tmp_path) -> None:
    (tmp_path / "a.toml").write_text(new_rig(RigChoices()), encoding="utf-8")
    (tmp_path / "b.toml").write_text(new_plan("monitor"), encoding="utf-8")
    (tmp_path / "c.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / "d.toml").write_text("[", encoding="utf-8")
    rigs, damaged = described("rigs", tmp_path)
    names = [name for name, _ in rigs]
    assert str(tmp_path / "a.toml") in names
    assert "simulated-pair" in names
    assert not {str(tmp_path / "b.toml"), str(tmp_path / "c.toml")} & set(names)
    assert ["not valid TOML" in line for line in damaged] == [True]
    assert str(tmp_path / "b.toml") in [name for name, _ in described("plans", tmp_path)[0]]
