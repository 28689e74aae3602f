"""Drivers that others wrote, unmodified, against the virtual laboratory's instruments.

Whatever they ask is answered as the real device would. PyMeasure, QCoDeS and pylablib are heavy:
``make test-drivers`` installs them into an environment of their own; elsewhere this is skipped.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest

from optobind.instruments.catalogue import make_device
from optobind.instruments.contracts import check_contract
from optobind.instruments.fakes import FakeGauge, FakeRFSource
from optobind.instruments.gauges.pfeiffer import PfeifferGauge
from optobind.instruments.knob_protocol import KnobLimits, SensorLimits
from optobind.instruments.protocols import GaugeReading, RFTone
from optobind.instruments.virtual.serial_server import serve_serial
from optobind.instruments.virtual.text_server import make_instrument, serve_text
from optobind.models.errors import DeviceError
from optobind.models.unit_scale import unit_scale

TONE = RFTone(20e6, 0.5, 0.25)


class Served:
    """A generator that notes the errors in its queue."""

    def __init__(self, dialect: str, model: str) -> None:
        self.world = FakeRFSource([TONE, TONE])
        self.instrument = make_instrument(dialect, self.world, model=model)

    def __enter__(self) -> Served:
        self.server = serve_text(self.instrument)
        self.address = self.server.visa_address
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def errors(self) -> list[tuple[int, str]]:
        return list(self.instrument._errors)


def readable(driver: object) -> list[str]:
    """Names of the properties of a PyMeasure instrument or channel that can be read."""
    found = []
    for name in dir(type(driver)):
        value = getattr(type(driver), name, None)
        if isinstance(value, property) and value.fget is not None and not name.startswith("_"):
            found.append(name)
    return found


def test_pymeasure_agilent33500():
    module = pytest.importorskip("pymeasure.instruments.agilent")
    with Served("keysight", "33522B") as served:
        generator = module.Agilent33500(served.address, read_termination="\n")
        channel = generator.ch_1
        assert channel.shape == "SIN"
        assert channel.frequency == pytest.approx(20e6)
        assert channel.amplitude == pytest.approx(1.0)
        assert channel.offset == 0.0
        channel.frequency = 25e6
        channel.amplitude = 0.4
        channel.phase = 90.0
        channel.offset = 0.1
        assert channel.frequency == pytest.approx(25e6)  # an answer: all before it has acted
        assert served.world.read_tone(0).frequency == pytest.approx(25e6)
        assert served.world.read_tone(0).amplitude == pytest.approx(0.2)
        assert served.world.read_tone(0).phase == pytest.approx(math.pi / 2.0)
        assert channel.voltage_high == pytest.approx(0.3)
        channel.voltage_high = 0.5
        assert (channel.offset, channel.amplitude) == (pytest.approx(0.2), pytest.approx(0.6))
        channel.output = False
        assert channel.output is False
        channel.output = True
        generator.phase_sync()
        generator.beep()
        generator.display = "optobind"
        generator.clear_display()
        generator.trigger()
        channel.data_volatile_clear()
        channel.data_arb("mine", [0.0, 0.5, -0.5], data_format="float")
        for part in (generator, generator.ch_1, generator.ch_2):
            for name in {"shape", "frequency", "amplitude", "amplitude_unit", "offset", "phase",
                         "voltage_high", "voltage_low", "square_dutycycle", "ramp_symmetry",
                         "pulse_period", "pulse_hold", "pulse_width", "pulse_dutycycle",
                         "pulse_transition", "output", "output_load", "burst_state", "burst_mode",
                         "burst_period", "burst_ncycles", "arb_file", "arb_advance", "arb_filter",
                         "arb_srate"} & set(readable(part)):  # fmt: skip
                assert getattr(part, name) is not None, name
        assert generator.trigger_source == "IMM"
        assert served.errors() == []
        generator.adapter.close()


def test_pymeasure_mks937b():
    module = pytest.importorskip("pymeasure.instruments.mksinst.mks937b")
    with serve_text("mks-937b", FakeGauge([GaugeReading(1.25e-4)])) as server:
        gauge = module.MKS937B(server.visa_address)
        assert gauge.serial == "0000000001"
        gauge.unit = module.Unit.Pa
        assert gauge.unit == module.Unit.Pa
        assert gauge.ch_1.pressure == pytest.approx(1.25e-4, rel=1e-3)
        assert gauge.ch_1.ion_gauge_status == "Good"
        assert gauge.ch_1.power_enabled is True
        gauge.ch_1.power_enabled = False
        assert gauge.ch_1.power_enabled is False
        gauge.ch_1.power_enabled = True
        assert float(gauge.all_pressures.split()[0]) == pytest.approx(1.25e-4, rel=1e-3)
        assert gauge.combined_pressure1 == pytest.approx(1.25e-4, rel=1e-3)
        gauge.relay_1.setpoint = 1e-3
        assert gauge.relay_1.setpoint == pytest.approx(1e-3)
        gauge.relay_1.direction = "BELOW"
        assert gauge.relay_1.direction == "BELOW"
        assert gauge.relay_1.enabled is False
        assert gauge.relay_1.status in ("CLEAR", False)
        assert gauge.relay_1.resetpoint is not None
        gauge.adapter.close()


def qcodes_snapshot(driver: object) -> dict[str, object]:
    """Every parameter, asked anew; those that could not be had are missing or None."""
    values: dict[str, object] = {}
    parts = [driver, *getattr(driver, "submodules", {}).values()]
    for part in parts:
        for name, parameter in part.parameters.items():
            if parameter.gettable:
                values[f"{part.name}.{name}"] = parameter.get()
    return values


def test_qcodes_keysight_33522b():
    module = pytest.importorskip("qcodes.instrument_drivers.Keysight")
    with Served("keysight", "33522B") as served:
        driver = module.Keysight33522B("keysight", served.address, silent=True)
        try:
            values = qcodes_snapshot(driver)
            assert len(values) > 40
            assert values["keysight_ch1.frequency"] == pytest.approx(20e6)
            assert values["keysight_ch2.output_polarity"] == "NORM"
            driver.ch1.output_polarity("INV")
            driver.ch1.offset(0.2)
            driver.ch1.burst_state("ON")
            driver.ch2.frequency(30e6)
            assert driver.ch1.output_polarity() == "INV"
            assert driver.ch1.offset() == pytest.approx(0.2)
            assert driver.ch1.burst_state() == "ON"
            assert driver.ch2.frequency() == pytest.approx(30e6)
            assert served.world.read_tone(1).frequency == pytest.approx(30e6)
            driver.sync_channel_phases()
            assert driver.error() == (0, "No error")
        finally:
            driver.close()


def test_qcodes_rigol_dg4000():
    module = pytest.importorskip("qcodes.instrument_drivers.rigol")
    with Served("rigol-dg4000", "DG4202") as served:
        driver = module.RigolDG4000("rigol", served.address)
        try:
            values = qcodes_snapshot(driver)
            assert len(values) > 80
            assert values["rigol.ch1_frequency"] == pytest.approx(20e6)
            assert values["rigol.ch1_output_polarity"] == "normal"
            assert values["rigol.ch1_output_impedance"] == pytest.approx(50.0)
            driver.ch2_output_polarity("inverted")
            driver.ch2_offset(0.1)
            driver.ch2_frequency(80e6)
            assert driver.ch2_output_polarity() == "inverted"
            assert served.world.read_tone(1).frequency == pytest.approx(80e6)
            assert served.errors() == []
        finally:
            driver.close()


KEYSIGHT = KnobLimits(unit_scale("V"), 0.1, 4.0, slew=20.0, tolerance=2e-3, timeout=20.0)
KNOBS = {
    "pymeasure": {
        "instrument": "pymeasure.instruments.agilent:Agilent33500",
        "attribute": "ch_1.amplitude",
        "arguments": {"read_termination": "\n"},
    },
    "qcodes": {
        "instrument": "qcodes.instrument_drivers.Keysight:Keysight33522B",
        "parameter": "ch1.amplitude",
        "arguments": {"silent": True},
    },
}


@pytest.mark.parametrize("driver", KNOBS)
def test_foreign_amplitude_is_a_knob(driver, capsys):
    pytest.importorskip(driver)
    with Served("keysight", "33522B") as served:

        def make() -> Any:
            options = {**KNOBS[driver], "address": served.address}
            return make_device("knob", driver, "knob drive", limits=KEYSIGHT, **options)

        check_contract("knob", make)
        knob = make()
        assert knob.connect()
        knob.set_value(0.4)
        assert knob.read_value() == pytest.approx(0.4)
        assert served.world.read_tone(0).amplitude == pytest.approx(0.2)  # V peak
        knob.disconnect()
        assert served.world.read_tone(0).amplitude == pytest.approx(0.2)
        assert served.world.read_tone(0).enabled
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("driver", KNOBS)
def test_two_knobs_and_a_sensor_share_one_foreign_instrument(driver):
    pytest.importorskip(driver)
    what = "attribute" if driver == "pymeasure" else "parameter"
    with Served("keysight", "33522B") as served:
        options = {**KNOBS[driver], "address": served.address}
        knob = make_device("knob", driver, "knob drive", limits=KEYSIGHT, **options)
        other = options[what].replace("amplitude", "frequency")
        sensor = make_device(
            "sensor", driver, "sensor tone", limits=SensorLimits(unit_scale("Hz"), timeout=20.0),
            **{**options, what: other},
        )  # fmt: skip
        knob.connect()
        sensor.connect()
        assert sensor.read_value() == pytest.approx(20e6)
        knob.disconnect()
        assert sensor.read_value() == pytest.approx(20e6)
        sensor.disconnect()


@pytest.mark.parametrize("driver", KNOBS)
def test_foreign_instrument_that_is_not_there_is_one_line(driver):
    pytest.importorskip(driver)
    options = {**KNOBS[driver], "address": "TCPIP0::127.0.0.1::1::SOCKET"}
    knob = make_device("knob", driver, "knob drive", limits=KEYSIGHT, **options)
    with pytest.raises(DeviceError, match=r"^knob drive") as caught:
        knob.connect()
    assert "\n" not in str(caught.value)


def test_foreign_part_that_is_not_there_is_named():
    pytest.importorskip("pymeasure")
    with Served("keysight", "33522B") as served:
        options = {**KNOBS["pymeasure"], "address": served.address, "attribute": "ch_1.amplitud"}
        knob = make_device("knob", "pymeasure", "knob drive", limits=KEYSIGHT, **options)
        with pytest.raises(DeviceError, match="has no property amplitud"):
            knob.connect()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals on Windows")
def test_pylablib_pfeiffer_tpg260():
    module = pytest.importorskip("pylablib.devices.Pfeiffer")
    with serve_serial("pfeiffer-tpg", FakeGauge([GaugeReading(1.25e-4)])) as server:
        ours = PfeifferGauge("gauge", server.visa_address)
        ours.connect()  # it sends by itself from power-up until it is spoken to
        ours.disconnect()
        gauge = module.TPG260(server.address)
        try:
            assert gauge.get_pressure() == pytest.approx(1.25e-4, rel=1e-3)
            assert gauge.get_channel_status(1) == "ok"
            assert gauge.get_channel_status(2) == "no_sensor"
            assert gauge.get_units() == "mbar"
            gauge.set_units("pa")
            assert gauge.get_units() == "pa"
            assert gauge.get_pressure() == pytest.approx(1.25e-4, rel=1e-3)
            gauge.set_display_channel(2)
            assert gauge.get_display_channel() == 2
            assert gauge.get_gauge_kind(1) == "PKR"
            assert gauge.get_measurement_filter(1) == "medium"
            assert gauge.get_calibration_factor(1) == pytest.approx(1.0)
            assert gauge.get_switch_status() == [False] * 4
            assert gauge.get_switch_settings(1).channel == 1
            assert gauge.get_gauge_control_settings(1).activation_control is not None
            assert gauge.get_current_errors() == ["no_error"]
            gauge.set_display_resolution(2)
            assert gauge.get_display_resolution() == 2
        finally:
            gauge.close()
