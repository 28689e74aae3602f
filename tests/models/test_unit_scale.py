"""Units that a rig's file names for its own knobs."""

from __future__ import annotations

import math

import pytest

from optobind.models.unit_scale import difference_in, unit_scale
from optobind.models.units import to_si


@pytest.mark.parametrize(
    ("unit", "si", "number", "value"),
    [
        ("mW", "W", 700.0, 0.7),
        ("degC", "K", 20.0, 293.15),
        ("°C", "K", -273.15, 0.0),
        ("deg", "rad", 180.0, math.pi),
        ("%", "", 5.0, 0.05),
        ("", "", 3.0, 3.0),
        ("mbar", "Pa", 1e-8, 1e-6),
        ("mL/min", "m^3/s", 60.0, 1e-6),
        ("torr", "Pa", 760.0, 101325.0),
        ("rad/s", "Hz", math.tau, 1.0),
    ],
)
def test_unit_has_an_si_unit_and_a_way_there_and_back(unit, si, number, value):
    scale = unit_scale(unit)
    assert scale.si == si
    assert scale.to_si(number) == pytest.approx(value, rel=1e-12)
    assert scale.from_si(scale.to_si(number)) == pytest.approx(number, rel=1e-12)
    if si and unit:  # the grammar of files says the same
        assert scale.to_si(number) == pytest.approx(to_si(f"{number} {unit}", si), rel=1e-12)


def test_value_that_goes_there_and_back_is_what_it_was():
    milli = unit_scale("mA")
    assert [milli.from_si(milli.to_si(float(n))) for n in range(1000)] == list(
        map(float, range(1000))
    )


@pytest.mark.parametrize("unit", ["dBm", "dB", "ppm", "parsecs ago", "m m", "1 mW", "$"])
def test_unit_that_no_device_may_have_is_refused(unit):
    with pytest.raises(ValueError, match="is no unit that can be used"):
        unit_scale(unit)


@pytest.mark.parametrize(
    ("text", "si", "value"),
    [
        ("0.5 degC", "K", 0.5),
        ("1 degF", "K", 5.0 / 9.0),
        ("3 mW", "W", 3e-3),
        ("5 deg", "rad", math.radians(5.0)),
        ("0.1 π", "rad", 0.1 * math.pi),
        (0.02, "", 0.02),
        ("2 %", "", 0.02),
    ],
)
def test_difference_knows_no_offset(text, si, value):
    assert difference_in(text, si) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "si"), [("3 V", "W"), ("1 dBm", "W"), (0.1, "W"), (True, ""), ("x", "K")]
)
def test_difference_of_another_dimension_is_refused(text, si):
    with pytest.raises(ValueError, match=r"unit|number|quantity"):
        difference_in(text, si)
