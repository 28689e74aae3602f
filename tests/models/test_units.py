"""Quantities with units, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optobind.models import units
from optobind.models.prefixes import engineering
from optobind.models.units import Quantity, parse_quantity

LENGTH = Quantity("m", 5e-9, 5e-6, "105 nm", ("nm", "um", "m"))
FREQUENCY = Quantity("Hz", 1.0, 1e9, "1 MHz", ("Hz", "MHz", "rad/s"))
TEMPERATURE = Quantity("K", 1.0, 3000.0, "293 K", ("K", "degC"))
PRESSURE = Quantity("Pa", 0.0, 1.1e5, "1e-7 mbar", ("mbar", "Pa"))
ANGLE = Quantity("rad", -100.0, 100.0, "60 deg", ("deg", "rad"), "value")
CHARGE = Quantity("C", -1e-14, 1e-14, "10 e", ("e", "C"), "charge")
DENSITY = Quantity("kg/m^3", 100.0, 25000.0, "1850 kg/m^3", ("kg/m^3", "g/cm^3"))


@pytest.mark.parametrize(
    ("text", "quantity", "expected"),
    [
        ("105 nm", LENGTH, 105e-9),
        ("105nm", LENGTH, 105e-9),
        ("0.105 µm", LENGTH, 105e-9),
        ("0.105 μm", LENGTH, 105e-9),
        ("1.05e-1 um", LENGTH, 105e-9),
        ("1e-7 mbar", PRESSURE, 1e-5),
        ("1 torr", PRESSURE, 133.32236842),
        (0, PRESSURE, 0.0),
        ("20 degC", TEMPERATURE, 293.15),
        ("60 deg", ANGLE, math.pi / 3.0),
        (0.7, ANGLE, 0.7),
        (3, CHARGE, 3 * 1.602176634e-19),
        ("-3 e", CHARGE, -3 * 1.602176634e-19),
        ("1.85 g/cm^3", DENSITY, 1850.0),
        ("1850 kg/m**3", DENSITY, 1850.0),
        ("1 MHz", FREQUENCY, 1e6),
        ("6.283185307179586 rad/s", FREQUENCY, 1.0),
        ("60 rpm", FREQUENCY, 1.0),
        ("0,105 um", LENGTH, 105e-9),
        ("105\u00a0nm", LENGTH, 105e-9),
        ("1,05e2 nm", LENGTH, 105e-9),
        ("105.000 nm", LENGTH, 105e-9),
        ("50 kHz", FREQUENCY, 5e4),
        ("−17 deg", ANGLE, -17.0 * math.pi / 180.0),
        ("-17°", ANGLE, -17.0 * math.pi / 180.0),
        ("0.5 π", ANGLE, math.pi / 2.0),
        ("0,5pi", ANGLE, math.pi / 2.0),
        ("π", ANGLE, math.pi),
        ("−2π/3", ANGLE, -2.0 * math.pi / 3.0),
        ("1e−1 um", LENGTH, 1e-7),
    ],
)
def test_quantity_is_converted_to_si(text, quantity, expected):
    assert parse_quantity(text, quantity) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "quantity", "message"),
    [
        (105e-9, LENGTH, r'needs a unit, such as "105 nm", got 1\.05e-07'),
        ("105", LENGTH, "needs a unit"),
        (0, TEMPERATURE, "needs a unit"),
        (1.6e-19, CHARGE, "needs a unit"),
        (True, LENGTH, "needs a quantity"),
        (None, LENGTH, "needs a quantity"),
        ([1], LENGTH, "needs a quantity"),
        ("1,000 mW", LENGTH, "is ambiguous, thousands or decimals: '1,000 mW'; write 1000 or 1.0"),
        ("12,345 nm", LENGTH, "is ambiguous"),
        ("1,234,567 nm", LENGTH, "is ambiguous"),
        ("1.234,5 nm", LENGTH, "is ambiguous"),
        ("1,234.5 nm", LENGTH, "is ambiguous"),
        ("1 000 nm", LENGTH, "is ambiguous"),
        ("1'000 nm", LENGTH, "is ambiguous"),
        ("1,2,3 nm", LENGTH, "unknown unit ',3 nm'"),
        ("x π", ANGLE, "is not a multiple of π"),
        ("π/0", ANGLE, "divides by zero"),
        ("0.5 π", LENGTH, "which does not fit"),
        ("nm", LENGTH, "is not a number with a unit"),
        ("nan nm", LENGTH, "is not a number with a unit"),
        ("105 foo", LENGTH, "unknown unit 'foo'; known: nm, um, m"),
        ("105 NM", LENGTH, "unit 'NM'"),
        ("105 mw", LENGTH, "unknown unit 'mw'"),
        ("105 ((", LENGTH, "unknown unit"),
        ("105 m^9^9^9^9^9", LENGTH, "unknown unit"),
        ("105 kg", LENGTH, "which does not fit; known: nm, um, m"),
        ("1 mbar", LENGTH, "which does not fit"),
        ("-105 nm", LENGTH, "must lie in 5 nm … 5 µm, got '-105 nm'"),
        ("1 m", LENGTH, "must lie in 5 nm … 5 µm"),
        ("1e999 nm", LENGTH, "must lie in"),
        ("0 nm", LENGTH, "must lie in"),
        (10**400, ANGLE, "must lie in"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(value, quantity, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_quantity(value, quantity)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@given(st.floats(min_value=5e-9, max_value=5e-6))
def test_written_length_is_read_back(value):
    assert parse_quantity(engineering(value, "m", 17), LENGTH) == pytest.approx(value, rel=1e-12)


@given(st.text(max_size=40))
def test_any_text_gives_a_number_or_a_value_error(text):
    try:
        value = parse_quantity(text, LENGTH)
    except ValueError:
        return
    assert LENGTH.low <= value <= LENGTH.high


def test_engineering_notation_keeps_compound_units_plain():
    assert engineering(1850.0, "kg/m^3") == "1850 kg/m^3"
    assert engineering(1e-7, "W") == "100 nW"
    assert engineering(999.99999999999999, "Hz") == "1 kHz"
    assert engineering(0.0, "m") == "0 m"


@pytest.mark.parametrize("unit", sorted(units._COMMON))
def test_units_read_without_pint_are_what_pint_makes_of_them(unit):
    si, power = units._COMMON[unit]
    assert units._registry().Quantity(1.0, unit).to(si).magnitude == pytest.approx(
        10.0**power, rel=1e-14
    )
    wide = Quantity(si, -1e30, 1e30, "", (unit,))
    assert parse_quantity(f"123 {unit}", wide) == pytest.approx(float(f"123e{power}"), rel=1e-15)


def test_the_elementary_charge_is_that_of_pint():
    assert units._registry().Quantity(1.0, "e").to("C").magnitude == units._ELEMENTARY_CHARGE


@pytest.mark.parametrize("unit", ["deg", "°", "min", "h"])
def test_other_units_read_without_pint_are_what_pint_makes_of_them(unit):
    si, factor = units._OTHERS[unit]
    assert units._registry().Quantity(1.0, unit).to(si).magnitude == pytest.approx(factor, 1e-14)


@pytest.mark.parametrize(
    ("text", "unit", "default", "expected"),
    [
        ("50", "Hz", "kHz", 5e4),
        ("50 MHz", "Hz", "kHz", 5e7),
        ("12 %", "", None, 0.12),
        ("0,12", "", None, 0.12),
        ("2 min", "s", "s", 120.0),
        ("90", "rad", "deg", math.pi / 2.0),
    ],
)
def test_a_bare_number_takes_the_unit_of_its_place(text, unit, default, expected):
    assert units.to_si(text, unit, default=default) == pytest.approx(expected, rel=1e-12)


def test_a_bare_number_without_a_default_is_refused():
    with pytest.raises(ValueError, match="needs a unit of Hz, got '50'"):
        units.to_si("50", "Hz")
