"""Rigs of real devices: tables, units, calibrations, plugins; what does not fit is refused."""

from __future__ import annotations

import math
import tomllib
from importlib import metadata

import pytest

from optobind.config.build import build_rig
from optobind.config.devices import (
    RF,
    Controller,
    Digitizer,
    Gate,
    Gauge,
    Knob,
    Pattern,
    Sensor,
    Slm,
)
from optobind.config.documents import to_toml
from optobind.config.live import device_options, make_real_device
from optobind.config.load import read_rig, rig_from_dict
from optobind.config.plugins import PLUGIN, option_value, options_in_si
from optobind.instruments.catalogue import drivers
from optobind.instruments.control.aod import AodControl
from optobind.instruments.control.aom_pair import AomControl
from optobind.instruments.control.slm_only import SlmControl
from optobind.instruments.guard import GuardedLight
from optobind.instruments.protocols import DeviceState
from optobind.instruments.template import ExampleSource
from optobind.instruments.tweezer_control import SlmRfControl
from optobind.models.errors import DeviceError, InputError

REAL = "lab-slm-aom"
AOM = [
    "devices.slm.driver=display",
    'devices.light={control="aom", carrier="80 MHz", site_power=["0.5 W", "0.6 W"], '
    'full_amplitude="0.6 V", phase_offset=["10 deg", 0], order=-1, passes=2}',
]
AOD = (
    'devices.light={control="aod", site_power="0.5 W", amplitudes=["0 V", "0.2 V", "0.5 V"], '
    'efficiencies=[0, 0.3, 0.8], axes=[{axis="x", centre="80 MHz", focal_length="4 mm", '
    'acoustic_velocity="650 m/s"}]}'
)


def test_real_rig_is_live_and_connects_to_nothing():
    rig = build_rig(read_rig(REAL))
    assert (rig.mode, rig.world, rig.seed) == ("LIVE", None, None)
    families = dict(rig.devices())
    assert set(families) == {"digitizer", "slm", "rf", "gauge", "gate", "pattern"}
    assert all(device.state is DeviceState.DISCONNECTED for device in families.values())
    assert rig.drivers["rf"] == "rigol-dg4000"
    assert [d.name for d in rig.detectors] == ["z1", "z2", "laser power"]
    assert rig.trap is not None


def test_run_record_holds_drivers_and_options_in_si():
    record = build_rig(read_rig(REAL)).config
    assert record["mode"] == "LIVE"
    assert record["devices"]["rf"]["driver"] == "rigol-dg4000"
    assert record["devices"]["rf"]["options"]["amplitude_range"] == [0.0, 0.6]
    assert record["devices"]["gate"]["options"]["delay"] == pytest.approx(5e-7)
    assert record["rig"]["devices"]["rf"]["amplitude_range"] == ["0 V", "0.6 V"]


def test_options_are_completed_from_the_rest_of_the_rig():
    config = read_rig(REAL).config
    assert device_options(config, "rf")["channels"] == 2
    assert device_options(config, "gauge")["gas"] == "N2"
    assert device_options(config, "slm")["wavelength"] == pytest.approx(1064e-9)
    assert device_options(config, "digitizer")["names"] == ["z1", "z2", "laser power"]
    assert device_options(config, "digitizer")["real_time"] is True


def test_inputs_without_a_detector_are_monitors():
    rig = build_rig(read_rig(REAL, ['devices.digitizer.channels=["ai0", "ai1", "ai2", "ai7"]']))
    assert [(d.name, d.role) for d in rig.detectors][3] == ("ai7", "monitor")


def test_rig_without_scale_is_live_in_volts():
    document = read_rig(REAL).source
    for detector in document["detectors"]:
        detector.pop("volts_per_metre", None)
    rig = build_rig(load_rig_of(document))
    assert rig.config["calibrated"] is False
    assert rig.detectors[0].volts_per_metre == 1.0


def load_rig_of(document):
    from optobind.config.load import LoadedRig

    return LoadedRig("made", rig_from_dict(document), document)


@pytest.mark.parametrize(
    ("settings", "control"),
    [
        ([], SlmRfControl),
        (['devices.light={control="slm", total_power="1 W"}'], SlmControl),
        (AOM, AomControl),
        ([AOD], AodControl),
    ],
    ids=["slm+rf", "slm", "aom", "aod"],
)
def test_light_is_guarded_whatever_makes_it(settings, control):
    light = build_rig(read_rig(REAL, settings)).light
    assert isinstance(light, GuardedLight)
    assert type(light._control) is control


def test_calibration_of_each_beam_reaches_the_control():
    light = build_rig(read_rig(REAL, AOM)).light
    first, second = light._control._calibrations
    assert (first.site_power, second.site_power) == (0.5, 0.6)
    assert first.phase_offset == pytest.approx(math.radians(10.0))
    assert (first.order, first.passes, second.phase_offset) == (-1, 2, 0.0)
    assert light.limits.power_slew == math.inf


def test_slew_rates_and_tolerances_reach_the_guard():
    settings = ['devices.light.phase_tolerance="3 deg"', "devices.light.power_tolerance=0.02"]
    limits = build_rig(read_rig(REAL, settings)).light.limits
    assert limits.power_slew == 1.0
    assert limits.position_slew == pytest.approx(20e-6)
    assert limits.phase_tolerance == pytest.approx(math.radians(3.0))
    assert limits.power_tolerance == 0.02


def test_scale_of_a_deflector_follows_from_the_optics():
    light = build_rig(read_rig(REAL, [AOD])).light
    axis = light._control._axes[0]
    assert axis.scale == pytest.approx(1064e-9 * 4e-3 / 650.0)
    assert axis.centre == 80e6


SIMULATED_RF = ['devices.rf={driver="simulated"}']


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rig", "settings", "message"),
    [
        (REAL, SIMULATED_RF, r"mixes real devices \(.*\) with simulated"),
        (
            "simulated-pair",
            ['devices.gauge={driver="mks-937b", address="ASRL3::INSTR"}'],
            r"mixes real devices \(gauge\) with simulated",
        ),
        (
            "simulated-pair",
            ['devices.light={control="slm", total_power="1 W"}'],
            "its world makes the light",
        ),
        (REAL, ['devices.digitizer.channels=["ai0"]'], "3 detectors, but its digitizer 1 channels"),
        (REAL, ["devices.rf.channels=1"], "has 1 channels.*needs 2"),
        (REAL, [AOM[1].replace('"0.6 W"]', '"0.6 W", "1 W"]')], "site_power holds 3 entries"),
        (REAL, ["devices.light.full_amplitude=5 kg"], "full_amplitude has the unit 'kg'"),
        (REAL, ["devices.light.control=mirror"], 'unknown control .mirror.*known: "aod", "aom"'),
        (REAL, [AOD.replace('focal_length="4 mm", ', "")], "needs either scale"),
        (REAL, [AOD.replace(", efficiencies=[0, 0.3, 0.8]", "")], "full_amplitude, such as"),
        (REAL, [AOD.replace("0.3", "0.9")], "must rise strictly"),
        (REAL, ["devices.rf.adress=x"], "unknown key .adress. in devices.rf.*did you mean address"),
        (REAL, ["devices.rf.driver=agilent"], "unknown driver 'agilent' of devices.rf .*; known: "),
        (REAL, ["devices.rf.amplitude_range=[0, 1]"], "needs a unit, such as"),
        (REAL, ["devices.gauge.sensor=thermometer"], 'sensor must be one of "pirani"'),
        (REAL, ["devices.gauge.channel=99"], "channel must lie in 1 … "),
        (REAL, ['devices.gauge.pressure_range=["1 Pa", "1 kg"]'], "unit 'kg'"),
        (REAL, ['devices.gauge.pressure_range=["1 Pa", "0.1 Pa"]'], "must rise, got 1 … 0.1 Pa"),
        (REAL, ['devices.gauge.pressure_range=["1 Pa"]'], "pressure_range"),
        (REAL, ["devices.slm.zernike.defocus=0.1"], "zernike terms need zernike_radius"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_in_one_line(rig, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        build_rig(read_rig(rig, settings))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_range_of_a_gauge_is_given_with_units():
    setting = 'devices.gauge.pressure_range=["1e-9 mbar", "0.01 mbar"]'
    gauge = build_rig(read_rig(REAL, [setting])).gauge
    assert gauge.capabilities.pressure_range == pytest.approx((1e-7, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["rf", "slm"])
def test_control_names_the_device_that_it_lacks(family):
    document = read_rig(REAL).source
    del document["devices"][family]
    with pytest.raises(InputError, match=rf"needs an .*: add \[devices.{family}\]"):
        build_rig(load_rig_of(document))


def test_files_of_an_slm_are_named_relative_to_the_rig_file(tmp_path):
    path = tmp_path / "rig.toml"
    document = read_rig(REAL, ["devices.slm.wavefront=flat.npy"]).source
    path.write_text(to_toml(document), encoding="utf-8")
    config = read_rig(str(path)).config
    assert device_options(config, "slm")["wavefront"] == str(tmp_path / "flat.npy")


@pytest.mark.parametrize("name", [REAL, "simulated-pair", "delic-2019"])
def test_written_rig_reads_back_as_the_same_document(name):
    document = read_rig(name).source
    assert tomllib.loads(to_toml(document)) == document


def test_writer_quotes_what_needs_it():
    document = {"a b": 'say "x"\n', "list": [1, 2.5, [True, "é\x7f"]], "t": {"empty": {}}}
    assert tomllib.loads(to_toml(document)) == document
    with pytest.raises(InputError, match="TOML has no such value"):
        to_toml({"a": None})


# -- plugins --------------------------------------------------------------------------------------


@pytest.fixture
def plugins(monkeypatch):
    """Announce drivers as another package would: one that works and one that does not."""
    real = metadata.entry_points
    made = {
        "optobind.rf": [
            metadata.EntryPoint(
                "example", "optobind.instruments.template:ExampleSource", "optobind.rf"
            ),
            metadata.EntryPoint("broken", "no_such_package:Source", "optobind.rf"),
        ]
    }

    def entry_points(**selection):
        return made.get(selection.get("group", ""), real(**selection))

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def plugin_rig(driver: str):
    document = read_rig(REAL).source
    document["devices"]["rf"] = {
        "driver": driver,
        "address": "TCPIP0::127.0.0.1::1::SOCKET",
        "timeout": "300 ms",
        "frequency_range": ["60 MHz", "0.1 GHz"],
    }
    return load_rig_of(document)


@pytest.mark.slow
@pytest.mark.usefixtures("plugins")
def test_plugin_gets_its_table_with_the_units_that_it_declares():
    loaded = plugin_rig("example")
    options = device_options(loaded.config, "rf")
    assert options["timeout"] == pytest.approx(0.3)
    assert options["frequency_range"] == pytest.approx([60e6, 100e6])
    device = make_real_device(loaded.config, "rf")
    assert isinstance(device, ExampleSource)
    assert device.capabilities.frequency_range == pytest.approx((60e6, 100e6))
    assert build_rig(loaded).drivers["rf"] == "example"


@pytest.mark.usefixtures("plugins")
def test_broken_plugin_is_named_and_leaves_the_others_alone():
    loaded = plugin_rig("broken")
    with pytest.raises(DeviceError, match=r"'broken' \(rf\) cannot be loaded: No module"):
        build_rig(loaded)
    assert make_real_device(plugin_rig("example").config, "rf").name == "rf"


@pytest.mark.usefixtures("plugins")
def test_plugin_may_be_chosen_and_set_on_the_command_line():
    table = 'devices.rf={driver="example", address="x"}'
    loaded = read_rig(REAL, [table, "devices.rf.timeout=2 s"])
    assert device_options(loaded.config, "rf")["timeout"] == 2.0
    with pytest.raises(InputError, match="'nonsense'"):
        make_real_device(read_rig(REAL, [table, "devices.rf.nonsense=1"]).config, "rf")


def test_unknown_driver_lists_plugins_too(plugins):
    with pytest.raises(InputError, match='"broken", "example", "keysight"'):
        read_rig(REAL, ["devices.rf.driver=nowhere"])


def test_option_with_a_unit_is_checked():
    assert option_value("rate", "20 kHz", "Hz") == pytest.approx(2e4)
    assert option_value("rate", 5, "Hz") == 5.0
    with pytest.raises(InputError, match="rate has the unit 'V'"):
        option_value("rate", "20 V", "Hz")
    with pytest.raises(InputError, match="rate must lie in"):
        option_value("rate", "20 kHz", "Hz", 0.0, 1e3)
    assert options_in_si({"a": "1 ms", "b": "1 ms"}, {"a": "s"}) == {"a": 1e-3, "b": "1 ms"}


@pytest.mark.parametrize(
    "spec",
    [s for s in drivers() if s.exercised != "plugin"],
    ids=lambda spec: f"{spec.family}-{spec.name}",
)
def test_every_shipped_driver_has_a_table_of_its_own(spec):
    tags = {"digitizer": Digitizer, "slm": Slm, "rf": RF, "gauge": Gauge, "gate": Gate,
            "pattern": Pattern, "controller": Controller, "knob": Knob,
            "sensor": Sensor}  # fmt: skip
    (discriminator,) = tags[spec.family].__metadata__
    assert discriminator.discriminator({"driver": spec.name}) != PLUGIN
