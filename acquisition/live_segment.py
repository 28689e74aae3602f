"""The live spectrum's segment, chosen by the rule of every analysis from the newest samples.

The rule takes some tenths of a second of a processor, so it runs in the process of the fits. What
the display adds is a bound: it looks at a quarter of a second of samples, and so no segment is
longer than that.
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus
from .fit_process import FitProcess
from .live_fit import Probe, segment_of

__all__ = ["SegmentChoice"]

# s of samples to choose from: the average over 1 s then holds 15 segments of this length, and a new
# set-point shows within it.
_PROBE_SECONDS = 0.25
_MOST_SAMPLES = 1 << 20
_FEWEST_SAMPLES = 1 << 10
# Of the samples, after which a first choice is made, so that something is shown soon.
_FIRST_SHARE = 1 / 8


class SegmentChoice:
    """Gathers one unbroken stretch of samples and has the segment chosen from it.

    A first choice is made of the beginning of the stretch. One that ends early, as between two
    releases, is used as well while none that is half as long has been: there is a spectrum of short
    stretches, too.

    Parameters
    ----------
    sample_rate : float
        Hz.
    fits : FitProcess or None
        Where the choice is made; None, or where that fails, in the calling thread.

    Attributes
    ----------
    band : (float, float) or None
        Hz, as given to :meth:`begin`.
    """

    def __init__(self, sample_rate: float, fits: FitProcess | None) -> None:
        self._rate = sample_rate
        self._fits = fits
        wanted = 2 ** math.floor(math.log2(max(1.0, _PROBE_SECONDS * sample_rate)))
        self._rows = min(max(wanted, _FEWEST_SAMPLES), _MOST_SAMPLES)
        self.begin(None)

    def begin(self, band: tuple[float, float] | None) -> None:
        """Forget what was gathered and choose anew, by the lines of ``band`` (Hz) if it is given.

        To be called when the light, the detectors or the band have changed.
        """
        self.band = band
        self._gathered: list[NDArray[Any]] = []
        self._filled = self._tried = 0
        self._next: int | None = None
        self._asked: tuple[Probe, Future[int | None]] | None = None

    def add(self, block: Block) -> None:
        """Take in a block of the chosen columns; a jump of its sample index ends the stretch."""
        if self._tried == self._rows:
            self._gathered = []
            return
        if block.first_sample != self._next or block.status & BlockStatus.GAP_BEFORE:
            self.interrupt()
        self._next = block.end_sample
        part = block.samples[: self._rows - self._filled]
        self._gathered.append(part)
        self._filled += len(part)
        early = self._tried == 0 and self._filled >= _FIRST_SHARE * self._rows
        if early or self._filled == self._rows:
            self._ask()

    def interrupt(self) -> None:
        """End the stretch: samples that cannot be used follow."""
        if self._filled >= max(2 * self._tried, _FEWEST_SAMPLES):
            self._ask()
        self._gathered, self._filled = [], 0

    def take(self) -> int | None:
        """Return a segment, once, as soon as it is chosen; None before."""
        if self._asked is None or not self._asked[1].done():
            return None
        (probe, future), self._asked = self._asked, None
        if future.cancelled() or future.exception() is not None:
            segment = segment_of(probe)
        else:
            segment = future.result()
        if segment is None:  # nothing can be said of these samples: wait for better ones
            self._gathered, self._filled, self._tried = [], 0, 0
        return segment

    def _ask(self) -> None:
        """Have the segment chosen from what was gathered."""
        self._tried = self._filled
        probe = Probe(np.concatenate(self._gathered), self._rate, self.band)
        if self._fits is not None:
            self._asked = probe, self._fits.segment(probe)
            return
        future: Future[int | None] = Future()
        future.set_result(segment_of(probe))
        self._asked = probe, future
