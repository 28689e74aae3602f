"""A loop set for a moment and watched: what it does to the record, and back at the first sign.

The runner's own thread sets, reads and backs off: between the block that shows too much and the
command that goes back lies nothing but that command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...instruments.controller_protocol import LoopSetting
from ...models.blocks import BlockStatus
from ...models.errors import DeviceError, InputError
from ..loops import controller_of, put_loop, require_stable

if TYPE_CHECKING:
    from ..bench import Bench
    from ..commands import Command
    from ..stream import Stream

__all__ = ["Probe", "ProbeRequest", "probe"]

_SILENT_READS = 40  # empty reads in a row after which the digitizer counts as dead


@dataclass(frozen=True)
class ProbeRequest:
    """What is to be tried.

    Attributes
    ----------
    loop : int
        Which loop.
    setting : LoopSetting or None
        How it is set meanwhile; None leaves it as it is.
    back : LoopSetting
        What is set again when something goes wrong.
    columns : tuple of int
        Of the out-of-loop detectors that are watched.
    seconds : float
        How long, after settling, s.
    ceilings : tuple of float
        Mean square of a block of each of them above which it is given up, V².
    allow_growth : bool
        Try it though the rig's model predicts growth.
    stay : bool
        Leave the setting; else ``back`` is set in any case.
    """

    loop: int
    setting: LoopSetting | None
    back: LoopSetting
    columns: tuple[int, ...]
    seconds: float
    ceilings: tuple[float, ...]
    allow_growth: bool = False
    stay: bool = False


@dataclass(frozen=True)
class Probe:
    """What was seen.

    Attributes
    ----------
    volts : ndarray, shape (n, channels)
        All channels, with the setting at work.
    sample_rate : float
        Hz.
    sample : int
        From which the setting held.
    trouble : str
        Why it was given up; empty if it was not. ``back`` is set then.
    column : int or None
        Whose motion grew too far, if that is why.
    """

    volts: NDArray[np.float64]
    sample_rate: float
    sample: int
    trouble: str = ""
    column: int | None = None


def probe(request: ProbeRequest, stop: Callable[[], bool] = lambda: False) -> Command[Probe]:
    """Have a setting tried between two blocks; ``stop`` ends it at a block, back set."""

    def carry_out(bench: Bench) -> Probe:
        bench.require_free("the feedback controller")
        device = controller_of(bench.rig)
        if request.setting is not None:
            device.check(request.loop, request.setting)
            if not request.allow_growth:
                require_stable(bench.rig, request.loop, request.setting)
        began = bench.streaming.now is None
        stream = bench.streaming.begin(shown=False) if began else bench.streaming.now
        assert stream is not None
        try:
            return _try(bench, stream, request, stop)
        finally:
            if began:
                bench.streaming.end()

    return carry_out


def _try(bench: Bench, stream: Stream, request: ProbeRequest, stop: Callable[[], bool]) -> Probe:
    """Set, watch, and go back unless all is well and it is to stay."""
    sample, good = stream.present(), False
    try:
        if request.setting is not None:
            _, sample = put_loop(bench, request.loop, request.setting)
        rate = stream.info.sample_rate
        settling = controller_of(bench.rig).capabilities.settling + stream.info.latency
        first = sample + round(settling * rate)
        rows, trouble, column = _watch(bench, stream, request, first, stop)
        good = not trouble
        volts = rows * np.asarray(stream.info.scale)
        return Probe(volts, rate, sample, trouble, column)
    finally:
        if not (good and request.stay):
            put_loop(bench, request.loop, request.back)


def _watch(
    bench: Bench,
    stream: Stream,
    request: ProbeRequest,
    first: int,
    stop: Callable[[], bool],
) -> tuple[NDArray[np.float64], str, int | None]:
    """Read blocks from a sample on until there are enough, or something is wrong."""
    wanted = max(1, round(request.seconds * stream.info.sample_rate))
    columns = list(request.columns)
    if not all(0 <= column < len(stream.info.channels) for column in columns):
        raise InputError(f"columns {columns} are not all the digitizer's")
    scale = np.asarray(stream.info.scale)[columns]
    ceilings = np.asarray(request.ceilings)
    kept: list[NDArray[np.float64]] = []
    have, silent = 0, 0
    block = np.empty((stream.block_rows, len(stream.info.channels)), dtype=stream.info.dtype)
    while have < wanted:
        if stop() or bench.closing():
            return _joined(kept, stream), "ended on request", None
        result = stream.read(stream.block_rows, bench.closing, block)
        silent = 0 if result.samples else silent + 1
        if result.finished or silent > _SILENT_READS:
            raise DeviceError("the digitizer brings no more samples: feedback is set back")
        skipped = min(result.samples, max(0, first - result.first_sample))
        rows = block[skipped : result.samples].astype(np.float64)
        energy = ((rows[:, columns] * scale) ** 2).mean(axis=0) if len(rows) else 0.0 * scale
        if result.status & BlockStatus.PARTICLE_LOST:
            return _joined(kept, stream), "a particle is lost", None
        if bool((energy > ceilings).any()):
            worst = columns[int(np.argmax(energy / ceilings))]
            return _joined(kept, stream), "the motion grows beyond what is allowed", worst
        if result.status & BlockStatus.GAP_BEFORE and kept:
            kept, have = [], 0  # a gap: only what is whole is read off
        kept.append(rows)
        have += len(rows)
    return _joined(kept, stream)[:wanted], "", None


def _joined(kept: list[NDArray[np.float64]], stream: Stream) -> NDArray[np.float64]:
    return np.concatenate(kept) if kept else np.empty((0, len(stream.info.channels)))
