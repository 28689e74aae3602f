"""Run the command line in the process of the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from optobind.__main__ import main

PAIR = """
wavelength = "{wavelength} m"
[[particles]]
radius = "{radius} m"
density = "{density} kg/m^3"
index = {index}
[[particles]]
radius = "{radius} m"
density = "{density} kg/m^3"
index = {index}
[[tweezers]]
position = [0, 0, 0]
power = "{power[0]} W"
waist_x = "{waist_x} m"
waist_y = "{waist_y} m"
phase = "{phase_1} rad"
polarization = {polarization}
[[tweezers]]
position = ["{separation} m", 0, 0]
power = "{power[1]} W"
waist_x = "{waist_x} m"
waist_y = "{waist_y} m"
phase = "{phase_2} rad"
polarization = {polarization}
"""


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=_refuse)

    def is_one_line_error(self, code: int) -> bool:
        lines = self.err.splitlines()
        return (
            self.code == code
            and self.out == ""
            and len(lines) == 1
            and lines[0].startswith("optobind: ")
        )


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture
def optobind(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call the command with arguments."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call
