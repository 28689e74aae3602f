"""Classes that look like those of PyMeasure and QCoDeS, in every mood that such classes have.

A box is the device behind them: it keeps its value while instruments come and go, and notes what
was sent, how many instruments were open at once, and how many calls overlapped.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from optobind.instruments.knob_protocol import KnobLimits
from optobind.models.unit_scale import unit_scale

__all__ = ["LIMITS", "Box", "PyMeasureLike", "QcodesLike", "boxes", "options", "supply"]

LIMITS = KnobLimits(unit_scale("mA"), 0.0, 0.1, tolerance=5e-4, settle=2.0, timeout=5.0)
_NUMBERS = itertools.count(1)


class Strange(BaseException):
    """No Exception at all, as some wrappers of C libraries raise."""


class Box:
    """A current supply, mA."""

    def __init__(self, mood: str) -> None:
        self.mood, self.current, self.step = mood, 50.0, 0
        self.sent: list[float] = []
        self.open = self.most_open = self.overlaps = self.closed = 0
        self.let_go, self.hanging = threading.Event(), threading.Event()
        self._inside = threading.Lock()

    def opened(self) -> None:
        if self.mood == "cannot be made":
            raise OSError("VI_ERROR_RSRC_NFOUND\n(-1073807343)")
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def close(self) -> None:
        self.open -= 1
        self.closed += 1
        self.let_go.set()

    def read(self) -> Any:
        if not self._inside.acquire(blocking=False):
            self.overlaps += 1
            raise AssertionError("two threads at one instrument")
        try:
            return self._answer()
        finally:
            self._inside.release()

    def _answer(self) -> Any:
        mood, value = self.mood, self.current
        if mood == "slow":
            time.sleep(0.02)
        elif mood == "hangs":
            self.hanging.set()
            self.let_go.wait(120.0)
            raise TimeoutError("the line is dead")
        elif mood == "raises":
            raise RuntimeError("Timeout\nexpired before\x1b[2J operation completed")
        elif mood == "quits":
            raise SystemExit(3)
        elif mood == "strange":
            raise Strange("error 17")
        answers: dict[str, Any] = {
            "texts with units": f"{1e-3 * value:.6f} A",
            "numpy": np.array([value], dtype=np.float32),
            "garbage": "\x00\x7f?VOLT",
            "nothing": None,
            "true": True,
            "nan": float("nan"),
            "other unit": "3 V",
            "list": [value, value],
            "far off": value + 20.0,
        }
        return answers.get(mood, value)

    def set(self, value: float) -> None:
        if self.mood == "refuses":
            raise ValueError(f"Value of {value} is not in range [0, 10]")
        self.sent.append(value)
        if self.mood != "deaf":
            self.current = value


boxes: dict[str, Box] = {}


@contextmanager
def supply(mood: str = "friendly") -> Iterator[str]:
    """A box at an address of its own, in the end without anybody on it."""
    address = f"TCPIP0::stand-in::{next(_NUMBERS)}::SOCKET"
    boxes[address] = Box(mood)
    try:
        yield address
    finally:
        boxes.pop(address).let_go.set()


def options(driver: str, address: str) -> dict[str, Any]:
    """Options of an adapter for the box at an address."""
    made = {"pymeasure": "PyMeasureLike", "qcodes": "QcodesLike"}[driver]
    what = {"pymeasure": "attribute", "qcodes": "parameter"}[driver]
    return {"instrument": f"{__name__}:{made}", "address": address, what: "ch_1.current"}


class _Link:
    def __init__(self, box: Box) -> None:
        self.box, self.closed = box, False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.box.close()


class _Channel:
    def __init__(self, box: Box) -> None:
        self._box = box

    @property
    def current(self) -> Any:
        return self._box.read()

    @current.setter
    def current(self, value: float) -> None:
        self._box.set(value)

    @property
    def measured(self) -> Any:
        return self._box.read()

    def turn(self, value: float) -> None:
        self._box.set(value)


class PyMeasureLike:
    """Has an adapter, a name, channels with properties, and a shutdown that nobody may call."""

    def __init__(self, adapter: str, name: str = "Supply 2000", **_more: Any) -> None:
        self._box = boxes[adapter]
        self._box.opened()
        self.name, self.adapter, self.ch_1 = name, _Link(self._box), _Channel(self._box)

    def shutdown(self) -> None:
        self._box.set(0.0)


class _Parameter:
    gettable = settable = True

    def __init__(self, box: Box) -> None:
        self.get, self.set = box.read, box.set


class _Module:
    def __init__(self, box: Box) -> None:
        self.parameters = {"current": _Parameter(box)}
        self.current = self.parameters["current"]


class QcodesLike:
    """Has a name that is nobody else's, modules with parameters, and talks on connecting."""

    names: set[str] = set()  # noqa: RUF012

    def __init__(self, name: str, address: str, **_more: Any) -> None:
        if name in self.names:
            raise KeyError(f"Another instrument has the name: {name}")
        self.names.add(name)
        self._box = boxes[address]
        self._box.opened()
        self._name, self._link, self.ch_1 = name, _Link(self._box), _Module(self._box)
        self.connect_message()

    def connect_message(self) -> None:
        print("Connected to: stand-in")

    def close(self) -> None:
        self.names.discard(self._name)
        self._link.close()
