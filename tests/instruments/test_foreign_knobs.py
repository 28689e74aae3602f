"""Adapters of other packages' instruments, on stand-ins in every mood that such classes have."""

from __future__ import annotations

import threading

import pytest

from optobind.instruments.catalogue import drivers, find_driver, make_device
from optobind.instruments.knob_protocol import KnobLimits, SensorLimits
from optobind.instruments.knobs.base import KnobDriver, number_of
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.models.errors import DeviceError, InputError
from optobind.models.unit_scale import unit_scale

from . import foreign_stand_ins as stand_ins
from .foreign_stand_ins import LIMITS, boxes, supply

DRIVERS = ("pymeasure", "qcodes")
LONG = 60.0
AMPERE = SensorLimits(unit_scale("mA"))


def knob(driver, address, limits=LIMITS, **options):
    given = {**stand_ins.options(driver, address), **options}
    return make_device("knob", driver, "knob coil", limits=limits, **given)


def sensor(driver, address, **options):
    given = {**stand_ins.options(driver, address), **options}
    return make_device("sensor", driver, "sensor coil", limits=AMPERE, **given)


@pytest.mark.parametrize("driver", DRIVERS)
def test_values_are_si_outside_and_the_instruments_unit_inside(driver):
    with supply() as address:
        device = knob(driver, address)
        device.connect()
        assert device.read_value() == pytest.approx(0.05)
        device.set_value(0.07)
        assert boxes[address].sent == [70.0]
        device.disconnect()
        assert boxes[address].closed == 1
        assert boxes[address].sent == [70.0]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("raises", r"RuntimeError: Timeout expired before\\x1b\[2J operation completed"),
        ("quits", "SystemExit: 3"),
        ("strange", "Strange: error 17"),
        ("garbage", "its answer is not a number"),
        ("nothing", "its answer is no number, got None"),
        ("true", "its answer is no number, got True"),
        ("nan", "its answer is no finite number"),
        ("other unit", "its answer has the unit 'V', which does not fit"),
        ("list", "its answer is no number"),
    ],
)
def test_bad_answer_is_one_line_that_names_the_device(driver, mood, said):
    with supply() as address:
        device = sensor(driver, address)
        device.connect()
        boxes[address].mood = mood
        with pytest.raises(DeviceError, match=f"^sensor coil: {said}") as caught:
            device.read_value()
        assert len(str(caught.value).splitlines()) == 1
        device.disconnect()
        assert device.state is DeviceState.DISCONNECTED


@pytest.mark.parametrize("driver", DRIVERS)
def test_broken_link_leaves_the_device_faulted_and_connecting_makes_a_new_instrument(driver):
    with supply() as address:
        device, box = knob(driver, address), boxes[address]
        device.connect()
        box.mood = "raises"
        with pytest.raises(LinkError):
            device.read_value()
        assert device.state is DeviceState.FAULTED
        box.mood = "friendly"
        device.disconnect()
        device.connect()
        assert device.read_value() == pytest.approx(0.05)
        assert box.sent == []
        assert box.most_open == 1
        device.disconnect()


@pytest.mark.parametrize("driver", DRIVERS)
def test_value_that_the_instrument_refuses_leaves_it_ready(driver):
    with supply() as address:
        device = knob(driver, address)
        device.connect()
        boxes[address].mood = "refuses"
        with pytest.raises(DeviceError, match=r"^knob coil: ValueError: Value of 70\.0 is not"):
            device.set_value(0.07)
        assert device.state is DeviceState.READY
        device.disconnect()


@pytest.mark.parametrize("driver", DRIVERS)
def test_instrument_that_cannot_be_made_is_one_line(driver):
    with supply("cannot be made") as address:
        device = knob(driver, address)
        said = r"^knob coil cannot be connected: OSError: VI_ERROR_RSRC_NFOUND \(-1073807343\)"
        with pytest.raises(DeviceError, match=said):
            device.connect()
        assert device.state is DeviceState.FAULTED
        boxes[address].mood = "friendly"
        assert device.connect()
        device.disconnect()


@pytest.mark.parametrize("driver", DRIVERS)
def test_hanging_call_ends_when_the_link_is_closed_from_another_thread(driver):
    with supply() as address:
        device, box, caught = knob(driver, address), boxes[address], []
        device.connect()
        box.mood = "hangs"

        def ask():
            try:
                device.read_value()
            except DeviceError as error:
                caught.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert box.hanging.wait(LONG)
        device.disconnect()
        thread.join(LONG)
        assert not thread.is_alive()
        assert "knob coil" in str(caught[0])
        box.mood = "friendly"
        device.disconnect()
        device.connect()
        assert device.read_value() == pytest.approx(0.05)
        device.disconnect()


@pytest.mark.parametrize("driver", DRIVERS)
def test_knobs_of_one_instrument_share_it_and_take_turns(driver):
    with supply("slow") as address:
        devices, box = [knob(driver, address), sensor(driver, address)], boxes[address]
        for device in devices:
            device.connect()
        threads = [threading.Thread(target=d.read_value) for d in devices for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert (box.most_open, box.overlaps) == (1, 0)
        devices[0].disconnect()
        assert box.closed == 0
        assert devices[1].read_value() == pytest.approx(0.05)
        devices[1].disconnect()
        assert box.closed == 1


def test_one_knob_that_hangs_does_not_hang_the_others_of_its_instrument():
    with supply() as address:
        short = KnobLimits(unit_scale("mA"), 0.0, 0.1, tolerance=1e-3, timeout=0.05)
        one, other, box = (
            knob("pymeasure", address),
            knob("pymeasure", address, short),
            boxes[address],
        )
        one.connect()
        other.connect()
        box.mood = "hangs"

        def ask():
            with pytest.raises(DeviceError):
                one.read_value()

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert box.hanging.wait(LONG)
        with pytest.raises(DeviceError, match="is busy with another knob or sensor"):
            other.read_value()
        one.disconnect()  # closes the instrument under the call
        thread.join(LONG)
        box.mood = "friendly"
        with pytest.raises(LinkError, match="was closed after a fault"):
            other.read_value()
        other.disconnect()
        other.connect()
        assert other.read_value() == pytest.approx(0.05)
        other.disconnect()


def test_wrong_name_of_one_knob_leaves_the_others_of_its_instrument_alone():
    with supply() as address:
        one = knob("pymeasure", address)
        one.connect()
        with pytest.raises(DeviceError, match="has no property amper"):
            knob("pymeasure", address, attribute="ch_1.amper").connect()
        assert one.read_value() == pytest.approx(0.05)
        assert boxes[address].closed == 0
        one.disconnect()


@pytest.mark.parametrize(
    ("driver", "options", "said"),
    [
        ("pymeasure", {"attribute": "ch_3.current"}, "PyMeasureLike has no ch_3"),
        ("pymeasure", {"attribute": "ch_1.measured"}, "measured can be read but not set"),
        ("qcodes", {"parameter": "ch_1.volts"}, "has no parameter volts; known: current"),
        ("pymeasure", {"instrument": "pymeasur.no:Laser"}, "pymeasur.no cannot be imported"),
        ("pymeasure", {"instrument": f"{stand_ins.__name__}:Laser"}, "has no Laser"),
    ],
)
def test_what_the_instrument_lacks_is_named(driver, options, said):
    with supply() as address, pytest.raises(DeviceError, match=f"^knob coil.*{said}"):
        knob(driver, address, **options).connect()


@pytest.mark.parametrize("package", DRIVERS)
def test_missing_package_is_named_with_the_remedy(package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with supply() as address:
        device = knob(package, address, instrument=f"{package}.instruments.no_such:Laser")
        with pytest.raises(DeviceError, match=rf"pip install optobind\[{package}\]"):
            device.connect()


def test_readback_may_be_another_property_and_methods_may_set():
    with supply() as address:
        device = knob("pymeasure", address, attribute="ch_1.turn", readback="ch_1.measured")
        device.connect()
        device.set_value(0.02)
        assert device.read_value() == pytest.approx(0.02)
        device.disconnect()


def test_path_of_another_form_is_refused():
    with pytest.raises(InputError, match='must be "module:Class"'):
        knob("pymeasure", "GPIB::4", instrument="pymeasure.Laser")


def test_one_program_at_a_time_has_the_address():
    with supply() as address:
        one = knob("pymeasure", address)
        other = knob("qcodes", address)
        one.connect()
        with pytest.raises(DeviceError, match="this program"):
            other.connect()
        one.disconnect()
        assert other.connect()
        other.disconnect()


def test_nothing_is_imported_before_a_device_is_connected():
    for family in ("knob", "sensor"):
        assert {spec.name for spec in drivers(family)} >= set(DRIVERS)
        assert find_driver(family, "qcodes").extra == "qcodes"
    with supply() as address:
        knob("qcodes", address, instrument="no_such_package:Laser")


def test_driver_of_another_package_speaks_text_in_its_own_unit():
    class Attenuator(KnobDriver):
        text = "3.0 %"

        def _open(self):
            return "attenuator"

        def _send(self, number):
            self.text = f"{number:.1f} %"

        def _ask(self):
            return self.text

    limits = KnobLimits(unit_scale("%"), 0.0, 1.0, tolerance=1e-3)
    device = Attenuator("knob attenuator", limits)
    device.connect()
    device.set_value(0.25)
    assert (device.text, device.read_value()) == ("25.0 %", 0.25)


def test_number_of_takes_what_is_a_number_and_nothing_else():
    scale = unit_scale("mV")
    assert number_of(b"500", scale) == 0.5
    with pytest.raises(ValueError, match="no number"):
        number_of([500.0], scale)
    with pytest.raises(ValueError, match="no number"):
        number_of(1 + 2j, scale)
