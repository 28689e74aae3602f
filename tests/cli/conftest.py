"""Run the command line in the process of the test."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from optobind.__main__ import main
from optobind.cli.signals import ending_signals

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


class OwnSignals:
    """Catches ending signals that the code under test lets through: they fail the test, not pytest.

    Attributes
    ----------
    escaped : list of int
        Signals that nobody but this guard has heard.
    """

    def __init__(self) -> None:
        self.escaped: list[int] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """End the test where it stands; what comes after its body is only noted."""
        self.escaped.append(number)
        while frame is not None:
            if frame.f_code.co_name.startswith("test_"):
                raise AssertionError(f"signal {number} was let through")
            frame = frame.f_back

    def send_when(self, asked: threading.Event, number: int) -> None:
        """Send a signal to this process once an event is set, unless the test has ended."""

        def send() -> None:
            while not asked.wait(0.02):
                if self._over.is_set():
                    return
            os.kill(os.getpid(), number)

        self._threads.append(threading.Thread(target=send, daemon=True))
        self._threads[-1].start()

    def end(self) -> None:
        """Send nothing any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def own_signals() -> Iterator[OwnSignals]:
    """Guard a test that sends ending signals to its own process."""
    guard = OwnSignals()
    before = {number: signal.signal(number, guard.hear) for number in ending_signals()}
    try:
        yield guard
        guard.end()
        assert guard.escaped == []
    finally:
        guard.end()
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
