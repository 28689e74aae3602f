"""Knobs and sensors in rig files: keys with units, names, drivers; what does not fit is refused."""

from __future__ import annotations

import math
from importlib import metadata

import pytest

from optobind.acquisition.sweeps.knobs import knob_of, set_rig_knobs
from optobind.acquisition.sweeps.plan import Axis
from optobind.config.build import build_rig
from optobind.config.knobs import described_knobs, named_options
from optobind.config.load import read_plan, read_rig, rig_from_dict
from optobind.instruments.knobs.base import KnobDriver
from optobind.instruments.simulated.knobs import SimulatedValve
from optobind.models.errors import InputError

LASER = [
    "devices.knobs.seed_laser={driver='simulated', unit='mW', low='0 mW', high='0.3 W', "
    "slew='50 mW/s', tolerance='2 mW', settle='1 s', value='100 mW'}"
]
VALVE = [
    "devices.knobs.leak={driver='simulated', kind='valve', unit='mbar', low='1e-9 mbar', "
    "high='1e-3 mbar', tolerance='5 %', accuracy=0.01}"
]
ROOM = ["devices.sensors.room={driver='simulated', kind='thermometer', unit='degC', low='0 degC'}"]
ALL = [*LASER, *VALVE, *ROOM]


def rig(*settings):
    return build_rig(read_rig("simulated-pair", [*ALL, *settings]))


def test_keys_are_si_in_the_unit_of_the_table():
    made = rig()
    limits = made.knobs["seed_laser"].limits
    assert (limits.unit, limits.low, limits.high) == ("W", 0.0, 0.3)
    assert (limits.slew, limits.tolerance, limits.settle) == (pytest.approx(0.05), 2e-3, 1.0)
    assert made.knobs["leak"].limits.relative == pytest.approx(0.05)
    assert made.sensors["room"].limits.low == pytest.approx(273.15)
    assert math.isinf(made.sensors["room"].limits.high)


def test_rig_names_its_knobs_and_sensors_as_devices():
    made = rig()
    families = [family for family, _ in made.devices()]
    assert families[:3] == ["knob seed_laser", "knob leak", "sensor room"]
    assert [family for family, _ in made.driven()] == families[4:]  # the gauge is slow, too
    assert made.drivers["knob leak"] == "simulated"
    assert "knob leak" in repr(made)


def test_knobs_of_a_rig_are_knobs_of_plans_with_their_range_and_units():
    config = read_rig("simulated-pair", ALL).config
    assert described_knobs(config)["leak"] == {
        "unit": "Pa", "low": pytest.approx(1e-7), "high": pytest.approx(0.1), "given": "mbar",
    }  # fmt: skip
    assert Axis("seed_laser", start=0.0, stop=0.3, points=4).settings[-1] == 0.3
    with pytest.raises(InputError, match="axis seed_laser: values must lie in 0 W … 300 mW"):
        Axis("seed_laser", values=(0.4,))
    assert knob_of("seed_laser").holds.example == "300 mW"


def test_plan_file_reads_values_in_any_unit_of_the_dimension(tmp_path):
    read_rig("simulated-pair", ALL)
    path = tmp_path / "plan.toml"
    path.write_text(
        'kind = "sweep"\n[[axes]]\nknob = "leak"\nvalues = ["1e-6 mbar", "1e-3 Pa"]\n'
        '[reference]\nleak = "1e-5 mbar"\n[inner]\nkind = "monitor"\nduration = "1 s"\n'
    )
    plan = read_plan(str(path)).plan
    assert plan.axes[0].values == (pytest.approx(1e-4), 1e-3)
    assert dict(plan.reference) == {"leak": pytest.approx(1e-3)}
    with pytest.raises(InputError, match=r"axes\.0\.values has the unit 'mW'"):
        read_plan(str(path), ['axes.0.values=["1 mW"]'])


def test_valve_acts_on_the_gas_of_the_world():
    made = rig()
    valve = made.knobs["leak"]
    assert isinstance(valve, SimulatedValve)
    valve.connect()
    assert valve.read_value() == pytest.approx(1e-6, rel=0.05)
    valve.set_value(1e-3)
    assert made.world.gas.pressure == 1e-3
    assert valve.read_value() == pytest.approx(1e-3, rel=0.05)
    assert valve.read_value() == valve.read_value()
    made.gauge.connect()
    assert made.gauge.read().pressure == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed_laser.high=1V", r"seed_laser\.high has the unit 'V'"),
        ("seed_laser.high=2", r"seed_laser\.high needs a unit, such as"),
        ("seed_laser.low=1W", "low must be less than high"),
        ("seed_laser.slew=1W", r"seed_laser\.slew has the unit 'W'"),
        ("seed_laser.slew=-1W/s", r"seed_laser\.slew must lie in"),
        ("seed_laser.slew=0W/s", "slew must be more than 0"),
        ("seed_laser.tolerance=0W", "tolerance must be more than 0"),
        ("seed_laser.tolerance=-5%", "tolerance must be more than 0"),
        ("seed_laser.unit=dBm", "seed_laser.unit is no unit that can be used"),
        ("seed_laser.unit=3", "seed_laser.unit must be a unit"),
        ("seed_laser.driver=simulatd", "unknown driver 'simulatd' of devices.knobs.seed_laser"),
        ("seed_laser.kind=tap", "kind 'tap'; known:"),
        ("seed_laser.timeout=2h", r"seed_laser\.timeout must lie in"),
        ("seed_laser.valu=1mW", r"unknown key 'valu' in devices\.knobs\.seed_laser"),
    ],
)
def test_wrong_key_is_named(setting, said):
    with pytest.raises(InputError, match=said):
        read_rig("simulated-pair", [*ALL, f"devices.knobs.{setting}"])


@pytest.mark.parametrize("name", ["phi", "power_2", "pressure", "2x", "a b", "häng", "x" * 40])
@pytest.mark.parametrize("kind", ["knobs", "sensors"])
def test_name_that_means_something_else_or_nothing_is_refused(kind, name):
    document = dict(read_rig("simulated-pair").source)
    table = {"driver": "simulated", "unit": "K", "low": "1 K", "high": "2 K"}
    document["devices"] = {**document["devices"], kind: {name: table}}
    with pytest.raises(InputError, match=r"is no name for|has a meaning already"):
        rig_from_dict(document)


def test_one_name_is_not_a_knob_and_a_sensor():
    with pytest.raises(InputError, match="has room as a knob and as a sensor"):
        rig("devices.knobs.room={driver='simulated', unit='K', low='1 K', high='2 K'}")


def test_one_name_in_two_units_is_refused():
    entry = {"unit": "V", "low": 0.0, "high": 1.0}
    set_rig_knobs({"two_units": entry})
    set_rig_knobs({"two_units": {**entry, "high": 2.0}})
    with pytest.raises(InputError, match="two_units is in A here and in V in a rig loaded before"):
        set_rig_knobs({"two_units": {**entry, "unit": "A"}})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["devices.knobs.seed_laser.value=0.4 W"], "knob seed_laser: value must lie in"),
        (["devices.knobs.tap={driver='simulated', kind='valve', unit='K', low='1 K', high='2 K'}"],
         "knob tap is a valve"),
        (["devices.sensors.room.unit=V", "devices.sensors.room.low=0V"], "room is a thermometer"),
        (["devices.knobs.q={driver='qcodes', unit='V', low='0 V', high='1 V', instrument='a:B', "
          "parameter='x'}"], r"mixes real devices \(knob q\)"),
    ],
)  # fmt: skip
def test_rig_that_cannot_be_built_says_why(settings, said):
    with pytest.raises(InputError, match=said):
        rig(*settings)


def test_record_replays_without_knobs(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match=r"devices\.knobs cannot act on it"):
        build_rig(
            read_rig(
                "replay",
                [f"devices.digitizer.path={path}", *LASER],
            )
        )


# -- drivers of other packages --------------------------------------------------------------------


class Attenuator(KnobDriver):
    option_units = {"delay": "s"}  # noqa: RUF012

    def __init__(self, name, limits, *, address, delay=0.0):
        super().__init__(name, limits)
        self.address, self.delay = address, delay


@pytest.fixture
def plugin(monkeypatch):
    real = metadata.entry_points

    def entry_points(**selection):
        if selection.get("group") == "optobind.knob":
            target = f"{__name__}:Attenuator"
            return metadata.EntryPoints(
                [metadata.EntryPoint("my-attenuator", target, "optobind.knob")]
            )
        return real(**selection)

    monkeypatch.setattr(metadata, "entry_points", entry_points)


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
def test_driver_of_another_package_gets_limits_and_its_own_keys():
    table = (
        "devices.knobs.wheel={driver='my-attenuator', unit='%', low='0 %', high='100 %', "
        "address='ASRL3::INSTR', delay='20 ms'}"
    )
    loaded = read_rig("lab-slm-aom", [table])
    assert named_options("knob", loaded.config.devices.knobs["wheel"]) == {
        "address": "ASRL3::INSTR", "delay": pytest.approx(0.02),
    }  # fmt: skip
    made = build_rig(loaded).knobs["wheel"]
    assert (made.name, made.limits.high, made.address) == ("knob wheel", 1.0, "ASRL3::INSTR")
    assert made.limits.tolerance == pytest.approx(0.01)
    with pytest.raises(InputError, match="unexpected keyword argument 'speed'"):
        build_rig(read_rig("lab-slm-aom", [table, "devices.knobs.wheel.speed=3"]))
