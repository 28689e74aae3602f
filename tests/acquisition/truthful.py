"""A card and a gate that know the truth: each sample tells whether feedback acted on it.

They share one clock, counted in samples. The card is ahead of its reader, and the gate acts some
samples after it was told and answers later still, as software and cables do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from optobind.acquisition.live import CsdEstimator
from optobind.acquisition.ring import Ring
from optobind.instruments.fakes import FakeDigitizer, FakeGate
from optobind.instruments.protocols import ReadResult
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.blocks import BlockStatus

RATE = 1e5
TRUTH, INDEX = 0, 1  # columns: 1 where feedback acted and -1 where not; the sample's index
LINES = (2, 3)
COUNT = 1.0 / 32768.0
_COLD, _HOT = 300.0, 30000.0


@dataclass
class Bench:
    """The clock, what the gate did, and what the run made of it.

    Attributes
    ----------
    ahead : int
        Samples that the card has taken beyond those read.
    reaction, answer : int
        Samples until the gate acts, and from then until it answers.
    switched : list of (int, bool)
        First sample under each state of the gate, and whether feedback acted from there.
    calls : list of (int, int)
        Samples around each call of the gate, in which nobody but the bench knows what it does.
    blocks : list of (int, int, BlockStatus)
        What the present stream passed on: first sample, one past the last, flags.
    lost : callable
        Samples lost before a read, from (index, rows).
    before_read : callable
        Called before each read, in the runner's thread.
    cold : callable
        Amplitude of the lines where feedback acts, by samples.
    """

    ahead: int = 0
    reaction: int = 0
    answer: int = 0
    now: int = 0
    switched: list[tuple[int, bool]] = field(default_factory=lambda: [(0, True)])
    calls: list[tuple[int, int]] = field(default_factory=list)
    blocks: list[tuple[int, int, BlockStatus]] = field(default_factory=list)
    lost: Callable[[int, int], int] = lambda index, rows: 0
    before_read: Callable[[], None] = lambda: None
    cold: Callable[[NDArray[np.intp]], Any] = lambda at: _COLD

    @property
    def spread(self) -> int:
        """Samples at most between the clock's readings around a call of the gate."""
        return self.reaction + self.answer + 2

    def feedback(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Whether feedback acted, of samples start … stop."""
        edges = [sample for sample, _ in self.switched]
        states = np.array([closed for _, closed in self.switched])
        return states[np.searchsorted(edges, np.arange(start, stop), side="right") - 1]

    def acts(self, closed: bool) -> list[int]:
        """Samples from which the gate was opened or closed, where that changed something."""
        pairs = zip(self.switched[:-1], self.switched[1:], strict=True)
        return [at for (_, old), (at, new) in pairs if new is closed and old is not closed]


class TruthfulCard(FakeDigitizer):
    """Takes samples by the bench's clock."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(np.zeros((1, 4), np.int16), RATE)
        self.bench = bench

    @property
    def info(self) -> Any:
        return replace(super().info, real_time=True)

    def start(self) -> None:
        super().start()
        bench = self.bench
        bench.now, bench.switched = 0, [(0, bench.switched[-1][1])]
        bench.blocks.clear()
        bench.calls.clear()

    def present_sample(self) -> int:
        self.bench.now += 1
        return self.bench.now

    def read_into(self, buffer: Any) -> ReadResult:
        bench = self.bench
        bench.before_read()
        lost = bench.lost(self._index, len(buffer))
        self._index += lost
        result = super().read_into(buffer)
        start, stop = result.first_sample, result.first_sample + result.samples
        bench.now = max(bench.now, stop + bench.ahead)
        at, on = np.arange(start, stop), bench.feedback(start, stop)
        amplitude = np.where(on, bench.cold(at), _HOT)
        rows = buffer[: result.samples]
        for column, line in zip(LINES, (0.06, 0.07), strict=True):
            rows[:, column] = amplitude * np.sin(2.0 * np.pi * line * at)
        rows[:, TRUTH], rows[:, INDEX] = np.where(on, 1, -1), at % 32768
        return replace(result, status=result.status | BlockStatus.GAP_BEFORE) if lost else result


class TruthfulGate(FakeGate):
    """Acts late, and answers later."""

    def __init__(self, bench: Bench, **options: Any) -> None:
        super().__init__(**options)
        self.bench = bench

    def set(self, closed: bool) -> None:
        begin = self.bench.now
        try:
            super().set(closed)
            self.act(closed)
        finally:
            self.bench.calls.append((begin - 1, self.bench.now + 1))

    def read(self) -> bool:
        super().read()
        return self.bench.switched[-1][1]

    def act(self, closed: bool) -> None:
        """Switch by the bench's clock."""
        self.bench.now += self.bench.reaction
        self.bench.switched.append((self.bench.now, closed))
        self.bench.now += self.bench.answer


def truthful_rig(bench: Bench, **gate: Any) -> Rig:
    """Two particles' lines, quiet under feedback and loud without, and the truth."""
    detectors = (
        DetectorChannel(TRUTH, "feedback", None, "monitor"),
        DetectorChannel(INDEX, "index", None, "monitor"),
        DetectorChannel(LINES[0], "z1", 0),
        DetectorChannel(LINES[1], "z2", 1),
    )
    return Rig("truthful", "LIVE", TruthfulCard(bench), detectors, gate=TruthfulGate(bench, **gate))


def watch_blocks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the bench note what is passed on to recorder and displays."""
    commit = Ring.commit

    def note(ring: Ring, **named: Any) -> Any:
        first = named["first_sample"]
        bench.blocks.append((first, first + named["rows"], named["status"]))
        return commit(ring, **named)

    monkeypatch.setattr(Ring, "commit", note)


def watch_spectra(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Ranges of samples that the live spectra average."""
    averaged: list[tuple[int, int]] = []
    add = CsdEstimator.add

    def note(estimator: CsdEstimator, block: Any) -> Any:
        averaged.append((block.first_sample, block.end_sample))
        return add(estimator, block)

    monkeypatch.setattr(CsdEstimator, "add", note)
    return averaged
