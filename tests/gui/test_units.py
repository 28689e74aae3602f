"""Text to SI and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optobind.gui.viewmodels import units as u
from optobind.models.errors import InputError
from optobind.models.inference.digits import measured


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("250 mW", u.POWER, 0.25),
        ("250mW", u.POWER, 0.25),
        ("0,3 W", u.POWER, 0.3),
        ("0.3 rad", u.ANGLE, 0.3),
        ("17 deg", u.ANGLE, math.radians(17.0)),
        ("−90°", u.ANGLE, -math.pi / 2),
        ("0.5 π", u.ANGLE, math.pi / 2),
        ("pi", u.ANGLE, math.pi),
        ("2.6 um", u.LENGTH, 2.6e-6),
        ("2.6 µm", u.LENGTH, 2.6e-6),
        ("105 nm", u.LENGTH, 105e-9),
        ("1e5 Hz", u.FREQUENCY, 1e5),
        ("75.3 kHz", u.FREQUENCY, 75.3e3),
        ("1.5 ms", u.DURATION, 1.5e-3),
        ("2 min", u.DURATION, 120.0),
        ("-5 %", u.RATIO, -0.05),
        ("0.1", u.RATIO, 0.1),
        ("500", u.COUNT, 500.0),
    ],
)
def test_quantities_are_read(text, dimension, value):
    assert u.parse_quantity(text, dimension) == pytest.approx(value, rel=1e-12)


def test_a_bare_number_takes_the_unit_of_its_field():
    assert u.parse_quantity("300", u.POWER, default_unit="mW") == pytest.approx(0.3)


@pytest.mark.parametrize("text", ["250m", "250 V", "12 kg"])
def test_an_unknown_unit_is_named_with_the_known_ones(text):
    with pytest.raises(InputError, match=r"power has the un.* '.*'.*; known: µW, mW, W"):
        u.parse_quantity(text, u.POWER, default_unit="mW")


@pytest.mark.parametrize("text", ["", "abc", "mW", "1.2.3 W", "--3 W"])
def test_text_without_a_number_is_refused(text):
    with pytest.raises(InputError):
        u.parse_quantity(text, u.POWER)


def test_a_value_out_of_range_is_refused_with_the_range():
    with pytest.raises(InputError, match=r"distance must lie within 1\.5 µm … 8 µm, got '20 µm'"):
        u.parse_quantity("20 µm", u.LENGTH, low=1.5e-6, high=8e-6, name="distance")


def test_counts_are_whole():
    with pytest.raises(InputError, match="whole number"):
        u.parse_quantity("1.5", u.COUNT)


@given(st.floats(1e-9, 1e3))
def test_what_is_written_is_read_back(value):
    text = u.format_quantity(value, u.POWER, digits=9)
    assert u.parse_quantity(text, u.POWER) == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (75.31234, 0.0239, "75.312 ± 0.024"),
        (1.0, 0.0996, "1.00 ± 0.10"),
        (-3.4567, 0.5, "−3.46 ± 0.50"),
        (1234.0, 56.0, "1234 ± 56"),
        (123456.0, 1234.0, "123500 ± 1200"),
        (1.234e-21, 3.1e-23, "(1.234 ± 0.031)·10⁻²¹"),
        (2.0, None, "2"),
        (float("nan"), 1.0, "–"),
    ],
)
def test_errors_decide_the_digits(value, stderr, text):
    assert measured(value, stderr) == text


def test_the_prefix_suits_value_and_error_together():
    assert u.value_with_error(75312.0, 23.9, "Hz") == ("75.312 ± 0.024", "kHz")
    assert u.value_with_error(2.0, 4000.0, "Hz") == ("0.0 ± 4.0", "kHz")
    assert u.value_with_error(3e-9, 1e-10, "V²/Hz")[1] == "V²/Hz"
