from __future__ import annotations

import pytest

from optobind.instruments.links.answers import SCIENTIFIC, decimal, number
from optobind.instruments.links.base import LinkError


@pytest.mark.parametrize(
    ("value", "digits", "least", "text"),
    [
        (80e6, 6, 0, "80000000"),
        (80.0, 8, 1, "80.0"),
        (0.1 + 0.2, 6, 0, "0.3"),
        (-0.0, 3, 0, "0"),
        (-1e-9, 3, 0, "0"),
        (103.32, 3, 2, "103.32"),
        (1e-6, 6, 0, "0.000001"),
        (12.5, 0, 0, "12"),
    ],
)
def test_numbers_are_written_without_exponent_or_idle_digits(value, digits, least, text):
    assert decimal(value, digits, least) == text


@pytest.mark.parametrize(
    "answer", ["", "nan", "inf", "1_000", "0x10", "1,5", "1e999", "12V", "--1"]
)
def test_what_is_no_finite_number_is_a_broken_link(answer: str):
    with pytest.raises(LinkError, match=r"device answered"):
        number(answer, "FREQ?", "device")


def test_cut_answers_are_recognised_where_an_exponent_is_due():
    assert number("+8.000000000000000E+07", "FREQ?", "device", SCIENTIFIC) == 80e6
    for answer in ("+8.000000", "+8.000000E", "+8.000000E+"):
        with pytest.raises(LinkError, match=r"makes no sense"):
            number(answer, "FREQ?", "device", SCIENTIFIC)
