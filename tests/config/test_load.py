"""Rigs and plans: shipped ones, files, overrides, and every kind of mistake."""

from __future__ import annotations

import math

import pytest

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.config.build import build_trap
from optobind.config.load import kind_of_file, read_plan, read_rig, rig_from_dict, shipped
from optobind.models.errors import FileError, InputError

RIG = """
wavelength = "1064 nm"
[[particles]]
radius = "105 nm"
density = "1850 kg/m^3"
index = 1.45
[[particles]]
radius = "95 nm"
material = "silica"
charge = "2 e"
[[tweezers]]
position = ["0 um", 0, "0 nm"]
power = "200 mW"
waist_x = "0.75 um"
waist_y = "750 nm"
phase = "0.7 rad"
polarization = [0, 1, 0]
[[tweezers]]
position = ["3 um", "0 um", "0 um"]
power = "0.2 W"
waist_x = "0.75 um"
waist_y = "0.75 um"
polarization = "90 deg"
[gas]
pressure = "1e-8 mbar"
temperature = "293 K"
species = "N2"
"""


@pytest.fixture
def rig_file(tmp_path):
    path = tmp_path / "my-rig.toml"
    path.write_text(RIG, encoding="utf-8")
    return path


def test_rig_file_is_read_in_si(rig_file):
    loaded = read_rig(str(rig_file))
    config = loaded.config
    assert loaded.name == "my-rig"
    assert config.wavelength == pytest.approx(1064e-9)
    assert config.particles[0].radius == pytest.approx(105e-9)
    assert config.particles[1].charge == pytest.approx(2 * 1.602176634e-19)
    assert config.tweezers[0].polarization == (0.0, 1.0)
    assert config.tweezers[1].polarization == pytest.approx((0.0, 1.0))
    assert config.gas is not None
    assert config.gas.pressure == pytest.approx(1e-6)
    assert config.devices is None


def test_trap_of_a_rig_file_has_its_particles_and_light(rig_file):
    trap = build_trap(read_rig(str(rig_file)).config)
    assert trap.spheres[1].density == 1850.0
    assert trap.spheres[1].index == 1.45
    assert trap.tweezers[0].phase == pytest.approx(0.7)
    assert trap.foci[1] == pytest.approx([3e-6, 0.0, 0.0])
    assert trap.gas is not None
    assert trap.gas.species == "N2"


def test_recorded_document_gives_the_same_rig(rig_file):
    loaded = read_rig(str(rig_file), ["particles.0.radius=85 nm"])
    assert rig_from_dict(loaded.source) == loaded.config


@pytest.mark.parametrize("name", shipped("rigs"))
def test_shipped_rig_loads_and_traps_its_particles(name):
    settings = ["devices.digitizer.path=record.npz"] if name == "replay" else []
    trap = build_trap(read_rig(name, settings).config)
    assert (trap.axial_omegas(trap.equilibrium()) > 0.0).all()


@pytest.mark.parametrize("name", shipped("plans"))
def test_shipped_plan_loads(name):
    assert read_plan(name).plan.kind in {"monitor", "reheating", "sequence", "sweep", "seek"}


def test_measured_axial_frequency_overrides_the_computed_one(rig_file):
    settings = [f"particles.{j}.measured_frequency=38 kHz" for j in range(2)]
    trap = build_trap(read_rig(str(rig_file), settings).config)
    omegas = trap.axial_omegas(trap.equilibrium())
    assert omegas == pytest.approx(2.0 * math.pi * 38e3)


@pytest.mark.parametrize(
    "setting",
    ["particles.0.radius=85 nm", 'particles.0.radius="85 nm"', "particles.0.radius = 0.085 um"],
)
def test_setting_changes_a_value_with_or_without_quotes(rig_file, setting):
    config = read_rig(str(rig_file), [setting]).config
    assert config.particles[0].radius == pytest.approx(85e-9)
    assert config.particles[1].radius == pytest.approx(95e-9)


def test_settings_are_applied_in_turn_and_may_fill_in_tables(rig_file):
    config = read_rig(
        str(rig_file),
        [
            "particles.0.radius=85 nm",
            "particles.0.radius=90 nm",
            "tweezers.1.polarization=[1, [0, 1]]",
            "simulation.seed=7",
        ],
    ).config
    assert config.particles[0].radius == pytest.approx(90e-9)
    assert config.tweezers[1].polarization == pytest.approx((math.sqrt(0.5), 1j * math.sqrt(0.5)))
    assert config.simulation.seed == 7


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("particles.0.radus=85 nm", r"'radus'.*did you mean radius\?.*known keys: .*density"),
        ("particle.0.radius=85 nm", "known keys: .*particles.*tweezers.*wavelength"),
        ("particles.2.radius=85 nm", "particles has 2 entries, 0 … 1, got '2'"),
        ("particles.-1.radius=85 nm", "particles has 2 entries"),
        ("particles.radius=85 nm", "particles has 2 entries"),
        ("particles.0.radius.x=1", "particles.0.radius is a value"),
        ("detectors.0.polarity=-1", "detectors is empty"),
        ("particles.0.radius", "needs path=value"),
        ("=85 nm", "needs path=value"),
        (
            "particles.0.radius=-85 nm",
            r"particles\.0\.radius must lie in 5 nm … 5 µm, got '-85 nm'",
        ),
        ("particles.0.radius=85 kg", r"particles\.0\.radius has the unit 'kg'"),
        ("particles.0.radius=85 parsnips", "unknown unit 'parsnips'; known: nm, um, mm, m"),
        ("particles.0.radius=85", "needs a unit"),
        ("particles.0.index=0.9", r"particles\.0\.index must lie in 1\.0001 … 5, got 0\.9"),
        ("particles.0.index=nan", r"particles\.0\.index must lie in"),
        ("particles.0.material=gold", "'gold' is not known; known: diamond"),
        ("tweezers.0.power=0 W", r"tweezers\.0\.power must lie in 1 µW … 20 W"),
        ("tweezers.0.waist_x=1 nm", r"tweezers\.0\.waist_x must lie in 100 nm … 100 µm"),
        ("tweezers.0.polarization=[0, 0]", "must not be zero"),
        ("tweezers.0.polarization=[0, 1, 1]", "must lie in the x–y plane"),
        ("tweezers.0.polarization=left", '"x", "y", an angle'),
        ('tweezers.0.position=["0 um", "0 um"]', "holds 2 entries, needs at least 3"),
        ("gas.pressure=-1 mbar", r"gas\.pressure must lie in 0 Pa … 110 kPa"),
        ("gas.pressure=2 bar", r"gas\.pressure must lie in"),
        ("gas.temperature=0 K", r"gas\.temperature must lie in 1 K … 3000 K"),
        ("gas.species=Kr", "'Kr' is not known; known: Ar, He, N2, Ne, Xe, air"),
        ("wavelength=1 m", "wavelength must lie in 200 nm … 20 µm"),
        ("simulation.seed=1.5", "must be a whole number"),
        ("simulation.clock=slow", 'must be one of "auto", "real-time", "fast"'),
        ("devices.digitizer.driver=nidaqmx", "unknown driver 'nidaqmx'.*known: .*\"replay\""),
        (
            "devices.slm.driver=holoeye",
            "unknown driver 'holoeye' of devices.slm; known: \"simulated\"",
        ),
        ("tweezers=[]", "tweezers holds 0 entries, needs at least 1"),
        ("particles.1.measured_frequency=38 kHz", "for all particles alike"),
    ],
)
def test_bad_setting_names_the_key_and_what_would_be_right(rig_file, setting, message):
    with pytest.raises(InputError, match=message) as caught:
        read_rig(str(rig_file), [setting])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("radius", "radiuss"), r"unknown key particles\.0\.radiuss \(did you mean radius\?\)"),
        (('wavelength = "1064 nm"', ""), "wavelength is missing"),
        (('density = "1850 kg/m^3"', ""), r"particles\.0 lacks density"),
        (("[gas]", "[gases]"), r"unknown key gases \(did you mean gas\?\); known keys"),
        (('species = "N2"', 'species = "N2'), "is not valid TOML: .*line"),
        (("[[tweezers]]", "[[traps]]"), "unknown key traps"),
    ],
)
def test_bad_file_names_file_and_key(tmp_path, change, message):
    path = tmp_path / "bad.toml"
    path.write_text(RIG.replace(*change), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_rig(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tweezers_and_particles_must_go_together(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(RIG.replace("[[tweezers]]", "[[particles]]", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"unknown key particles\.2"):
        read_rig(str(path))


def test_directory_is_no_rig(tmp_path):
    with pytest.raises(FileError, match=r"cannot be read: Is a directory$"):
        read_rig(str(tmp_path / ".." / tmp_path.name))


def test_long_setting_is_cut_in_the_message():
    for setting in ("a" * 9000, f"{'b' * 9000}=1", f"particles.{'c' * 9000}.radius=1"):
        with pytest.raises(InputError) as caught:
            read_rig("simulated-pair", [setting])
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simulated-par", r"neither a shipped rig \(did you mean simulated-pair\?\)"),
        ("missing.toml", "does not exist"),
        (".", "neither a shipped rig"),
    ],
)
def test_rig_that_is_not_there(name, message):
    with pytest.raises(FileError, match=message):
        read_rig(name)


def test_binary_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "rig.toml"
    path.write_bytes(b"\x89HDF\r\n\x1a\n\x00\xff\xfe")
    with pytest.raises(FileError, match="not text in UTF-8"):
        read_rig(str(path))
    with pytest.raises(FileError, match="cannot be read"):
        read_rig(str(tmp_path / ".." / tmp_path.name))


def test_plans_become_frozen_data():
    assert read_plan("monitor", ["duration=200 ms"]).plan == MonitorPlan(0.2)
    endless = read_plan("monitor", ["duration=until stopped"]).plan
    assert endless == MonitorPlan(None)
    reheating = read_plan("reheating", ["repetitions=20", "release_time=0.5 ms"]).plan
    assert isinstance(reheating, ReheatingPlan)
    assert (reheating.repetitions, reheating.release_time) == (20, 0.5e-3)
    sequence = read_plan("demo", ["steps.0.duration=1 s"]).plan
    assert isinstance(sequence, SequencePlan)
    assert sequence.steps[0] == MonitorPlan(1.0)


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("monitor", "duration=-1 s", "duration must lie in 1 µs … 10 Ms"),
        ("monitor", "duration=5", "needs a unit"),
        ("monitor", "repetitions=5", "unknown key 'repetitions'.*known keys: .*duration"),
        ("monitor", "kind=scan", "unknown kind 'scan'; known: monitor, reheating, sequence, sweep"),
        ("reheating", "repetitions=0", "repetitions must lie in 1 … 1e\\+07, got 0"),
        ("demo", "steps.7.duration=1 s", "steps has 2 entries, 0 … 1"),
        ("demo", "steps.0.kind=scan", "unknown kind 'scan' of steps.0"),
    ],
)
def test_bad_plan_names_the_key(name, setting, message):
    with pytest.raises(InputError, match=message):
        read_plan(name, [setting])


@pytest.mark.parametrize("text", ["[kind]\n", "kind = [1]\n", "[[steps]]\n[steps.kind]\n"])
def test_plan_whose_kind_is_no_word_is_refused(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="kind"):
        read_plan(str(path))


def test_long_unknown_key_is_cut(rig_file):
    rig_file.write_text(RIG + "k" * 3000 + " = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"unknown key gas\.k+…; known keys") as caught:
        read_rig(str(rig_file))
    assert len(str(caught.value)) < 400


def test_kind_of_file_is_told_by_its_keys(rig_file):
    assert kind_of_file(str(rig_file)) == "rig"
    assert kind_of_file("demo") == "plan"
    assert kind_of_file("simulated-pair") == "rig"


def test_replayed_path_is_relative_to_the_rig_file(tmp_path):
    path = tmp_path / "replay.toml"
    text = RIG + '[devices.digitizer]\ndriver = "replay"\npath = "data/record.npz"\n'
    path.write_text(text, encoding="utf-8")
    devices = read_rig(str(path)).config.devices
    assert devices is not None
    assert devices.digitizer is not None
    assert devices.digitizer.path == str(tmp_path / "data" / "record.npz")
    changed = read_rig(str(path), ["devices.digitizer.path=other.npz"]).config.devices
    assert changed is not None
    assert changed.digitizer is not None
    assert changed.digitizer.path == "other.npz"


def test_the_clock_of_a_simulation_follows_who_watches_unless_it_is_fixed():
    from optobind.config.build import build_rig

    def real_time(settings, watched):
        rig = build_rig(read_rig("simulated-pair", settings), watched=watched)
        assert rig.config["clock"] == ("real-time" if rig.digitizer.info.real_time else "fast")
        return rig.digitizer.info.real_time

    assert [real_time([], watched) for watched in (True, False)] == [True, False]
    for clock in ("real-time", "fast"):
        fixed = [real_time([f"simulation.clock={clock}"], watched) for watched in (True, False)]
        assert fixed == [clock == "real-time"] * 2
