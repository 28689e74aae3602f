"""The real gauge drivers, through pyvisa-py, against served controllers on the simulated world."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from optobind.instruments.catalogue import make_device
from optobind.instruments.fakes import FakeGauge
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.virtual.serial_server import serve_serial
from optobind.instruments.virtual.text_server import make_instrument, serve_text
from optobind.models.gas import Gas

from ..conftest import make_settings, make_trap

pytest.importorskip("pyvisa_py")
GAUGES = ("pfeiffer-tpg", "mks-937b", "agilent-xgs600")
SERVERS = [
    serve_text,
    pytest.param(
        serve_serial,
        marks=pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals"),
    ),
]


def make_rig(gas: Gas | None = None):
    trap = make_trap()
    if gas is not None:
        trap = replace(trap, gas=gas)
    return build_simulated_rig(trap, make_settings(in_loop=False, gauge_accuracy=0.0))


@pytest.mark.parametrize("serve", SERVERS)
@pytest.mark.parametrize("dialect", GAUGES)
def test_driver_reads_the_worlds_pressure(dialect: str, serve):
    rig = make_rig()
    with serve(dialect, rig.gauge) as server:
        gauge = make_device("gauge", dialect, "gauge", address=server.visa_address)
        gauge.connect()
        assert gauge.read().pressure == pytest.approx(1e-6, rel=1e-3)
        rig.world.set_pressure(3.2e-4)
        reading = gauge.read()
        assert reading.pressure == pytest.approx(3.2e-4, rel=1e-3)
        assert (reading.species, reading.status) == ("air", "ok")
        rig.world.set_pressure(1e-12)
        reading = gauge.read()
        assert reading.pressure is None
        assert reading.status in ("under range", "no sensor")
        gauge.disconnect()
        assert gauge.state is DeviceState.DISCONNECTED


@pytest.mark.parametrize(
    ("dialect", "line", "answer"),
    [
        ("pfeiffer-tpg", b"UNI,1\r", b"\x06\r\n"),
        ("mks-937b", b"@253U!MICRON;FF", b"@253ACKMICRON;FF"),
        ("agilent-xgs600", b"#0011\r", b">\r"),
    ],
)
def test_unit_changed_at_the_panel_does_not_change_the_pressure(dialect, line, answer):
    instrument = make_instrument(dialect, FakeGauge([GaugeReading(1e-6)]))
    with serve_text(instrument) as server:
        gauge = make_device("gauge", dialect, "gauge", address=server.visa_address)
        gauge.connect()
        assert instrument.converse().receive(line) == answer
        assert gauge.read().pressure == pytest.approx(1e-6, rel=1e-3)
        gauge.disconnect()


@pytest.mark.parametrize("dialect", GAUGES)
def test_pressure_of_another_gas_is_corrected_for(dialect: str):
    rig = make_rig(Gas(2e-5, species="He"))
    with serve_text(dialect, rig.gauge, sensor="cold-cathode") as server:
        readings = {}
        for gas in ("He", "air"):
            gauge = make_device(
                "gauge",
                dialect,
                "gauge",
                address=server.visa_address,
                gas=gas,
                sensor="cold-cathode",
            )
            gauge.connect()
            readings[gas] = gauge.read()
            gauge.disconnect()
        assert readings["He"].pressure == pytest.approx(2e-5, rel=1e-3)
        assert readings["He"].species == "He"
        assert readings["air"].pressure == pytest.approx(2e-5 / 5.9, rel=1e-3)


@pytest.mark.parametrize("dialect", GAUGES)
def test_controller_that_goes_away_is_noticed(dialect: str):
    server = serve_text(dialect, FakeGauge([GaugeReading(1e-6)]))
    gauge = make_device("gauge", dialect, "gauge", address=server.visa_address, timeout=0.2)
    gauge.connect()
    server.stop()
    with pytest.raises(LinkError, match=r"gauge: TCPIP0"):
        gauge.read()
    assert gauge.state is DeviceState.FAULTED
    gauge.disconnect()
