"""Stand-ins that lose samples: a card in known places, a recorder that falls behind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.recorder import Recorder
from optobind.instruments.fakes import FakeDigitizer, FakeGate
from optobind.instruments.protocols import ReadResult
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.blocks import BlockStatus

RATE = 1e6


class LossyDigitizer(FakeDigitizer):
    """A card that says of each read (index, rows) how many samples it lost before it."""

    def __init__(self, samples: Any, lost: Callable[[int, int], int], *, live: bool) -> None:
        super().__init__(samples, RATE)
        self._lost, self._live = lost, live
        self.before_read: Callable[[], None] = lambda: None
        self.saturates: Callable[[int], bool] = lambda index: False

    @property
    def info(self) -> Any:
        return replace(super().info, real_time=self._live)

    def read_into(self, buffer: Any) -> ReadResult:
        self.before_read()
        lost = self._lost(self._index, len(buffer))
        self._index += lost
        result = super().read_into(buffer)
        if self.saturates(result.first_sample):
            buffer[len(buffer) // 2] = 32767
            result = replace(result, status=result.status | BlockStatus.SATURATED)
        return replace(result, status=result.status | BlockStatus.GAP_BEFORE) if lost else result


def lossy_rig(
    lost: Callable[[int, int], int] = lambda index, rows: 0, *, live: bool = False
) -> Rig:
    """Two lines, a gate, and a card that loses what it is told to."""
    at = np.arange(100_000)
    lines = [8000.0 * np.sin(2.0 * math.pi * f * at) for f in (0.06, 0.07)]
    digitizer = LossyDigitizer(np.stack(lines, axis=1).astype(np.int16), lost, live=live)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    return Rig("lossy", "LIVE", digitizer, detectors, gate=FakeGate())


def in_releases(rig_gate: Any, chosen: Callable[[int], bool], lost: int = 50) -> Any:
    """Losses inside those releases, counted from 0 as they are made, that are chosen."""

    def of(index: int, rows: int) -> int:
        opened = rig_gate().history.count(False)
        return lost if not rig_gate().history[-1] and chosen(opened - 1) else 0

    return of


class StalledDisk:
    """A disk that stands still while :attr:`stalled`; the recorder falls behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stalled = False
        original = Recorder.append

        def write(recorder: Recorder, *arguments: Any, **named: Any) -> None:
            while self.stalled:
                time.sleep(0.001)
            original(recorder, *arguments, **named)

        monkeypatch.setattr(Recorder, "append", write)
