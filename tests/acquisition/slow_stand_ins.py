"""Stand-ins for a table: a card that samples in real time, a gauge that behaves as gauges do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from optobind.instruments.fakes import FakeGate
from optobind.instruments.protocols import (
    DeviceState,
    DigitizerInfo,
    GaugeReading,
    ReadResult,
)
from optobind.models.errors import DeviceError

__all__ = ["RealTimeCard", "StandInGauge", "WatchedGate"]


class RealTimeCard:
    """Samples two lines by the computer's clock and keeps what nobody has read yet."""

    name = "card"

    def __init__(self, rate: float = 1e5) -> None:
        self.info = DigitizerInfo(rate, ("z1", "z2"), (1e-4, 1e-4), real_time=True)
        self.state = DeviceState.DISCONNECTED
        ticks = np.arange(10_000)
        lines = [8000.0 * np.sin(2.0 * np.pi * f * ticks) for f in (0.06, 0.07)]
        self._samples = np.stack(lines, axis=1).astype(np.int16)
        self._began = 0.0
        self._next = 0

    def connect(self) -> str:
        self.state = DeviceState.READY
        return "stand-in card"

    def disconnect(self) -> None:
        self.state = DeviceState.DISCONNECTED

    def start(self) -> None:
        self._began, self._next = time.monotonic(), 0
        self.state = DeviceState.RUNNING

    def stop(self) -> None:
        self.state = DeviceState.READY

    def present_sample(self) -> int:
        return int((time.monotonic() - self._began) * self.info.sample_rate)

    def read_into(self, buffer: Any) -> ReadResult:
        rows, first = buffer.shape[0], self._next
        while self.present_sample() < first + rows:
            time.sleep(0.5e-3)
        buffer[:] = self._samples[(first + np.arange(rows)) % len(self._samples)]
        self._next = first + rows
        return ReadResult(rows, first)


class WatchedGate(FakeGate):
    """A gate whose state anybody may see without asking it."""

    closed, switches = True, 0

    def set(self, closed: bool) -> None:
        super().set(closed)
        self.closed = closed
        self.switches += 1


class StandInGauge:
    """Answers after ``seconds``; ``script(n)`` may raise or give the n-th reading, from 0.

    ``missing`` keeps it from being connected; while ``hang`` is set a reading never ends unless
    ``wakes`` says that closing the link from outside ends it. It notes in which threads it was
    called, how many calls overlapped, at how many readings ``watch()`` was true, and by how much
    ``count()`` grew ``beside`` each reading.
    """

    name = "gauge"

    def __init__(
        self,
        seconds: float = 0.0,
        script: Callable[[int], GaugeReading] | None = None,
        *,
        missing: bool = False,
        wakes: bool = False,
        watch: Callable[[], bool] = lambda: False,
    ) -> None:
        self.seconds, self.script, self.wakes, self.watch = seconds, script, wakes, watch
        self.state = DeviceState.DISCONNECTED
        self.missing, self.hang, self.let_go = missing, False, threading.Event()
        self.threads: set[str] = set()
        self.reads = self.watched = self.connects = self.overlaps = 0
        self.hanging = threading.Event()
        self.count: Callable[[], int] = lambda: 0
        self.beside: list[int] = []
        self._inside = threading.Lock()

    def connect(self) -> str:
        self.threads.add(threading.current_thread().name)
        self.connects += 1
        if self.missing:
            self.state = DeviceState.FAULTED
            raise DeviceError("gauge: COM9 cannot be opened: check address, cable and power")
        self.state = DeviceState.READY
        return "stand-in gauge"

    def disconnect(self) -> None:
        self.state = DeviceState.DISCONNECTED
        if self.wakes:
            self.let_go.set()

    def read(self) -> GaugeReading:
        self.watched += self.watch()
        self.threads.add(threading.current_thread().name)
        number, self.reads = self.reads, self.reads + 1
        if not self._inside.acquire(blocking=False):
            self.overlaps += 1
        else:
            try:
                return self._answer(number)
            finally:
                self._inside.release()
        raise AssertionError("two threads at one device")

    def _answer(self, number: int) -> GaugeReading:
        if self.hang:
            self.hanging.set()
            self.let_go.wait(120.0)
            raise DeviceError("gauge did not answer in time")
        before = self.count()
        time.sleep(self.seconds)
        self.beside.append(self.count() - before)
        if self.state is not DeviceState.READY:
            raise DeviceError("gauge: the port was closed")
        return GaugeReading(1e-4) if self.script is None else self.script(number)
