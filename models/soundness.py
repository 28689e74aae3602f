"""What is wrong with raw samples: clipped, held or dead, repeated; two channels of one signal.

Only what the values themselves prove is named, by exact equality, so that clean records raise no
alarm: noise of a detector or of its converter keeps neighbouring samples apart. Where a signal of
few steps of the converter has no such noise, a quiet line stands still and repeats itself by
nature: a stretch is held only if it begins or ends with a jump, and copies must be longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .copies import CopyWatch
from .rails import beyond_rails
from .spectra import CsdEstimate

__all__ = ["SampleWatch", "same_signal"]

# Share of samples at an extreme value above which it is a rail; and how many times as many must
# lie there as at the value next to it, which a tone on a coarse converter does not reach.
_CLIPPED_SHARE, _CLIPPED_RATIO = 1e-3, 5.0
_HELD = 256  # samples of one value in a row that no noisy detector gives
_HELD_SHARE = 1e-3
# A line that fades into a step of the converter moves by no more than these steps in so many
# samples around the stretch; what is held jumps.
_AROUND, _FADES = 32, 2.0
# The whole record, in steps, up to which a line may rest for as long as a block.
_RESTS = 24.0
_LEAST_STEPS = 8.0  # steps of the converter below which an extreme value is no rail
# Samples in a row that do not occur twice by chance, by the steps that the signal spans at least.
_WORDS = ((512.0, 64), (16.0, 1024), (0.0, 4096))
_PROBE = 1 << 17  # samples that are kept for a second look
# Steps up to which crests that rest at the last code are told from rails by the wave itself, and
# the share of the samples at the last code that must be missing beyond it.
_FEW_STEPS, _MISSING = 64.0, 0.12
_ROW = _HELD // 2
# So many samples are looked at without a gap, of later blocks one in so many, for rails: that look
# costs as much as half the spectrum.
_WHOLE, _ONE_IN = 1 << 20, 8
_REPEATED_SHARE = 0.01
_COHERENT = 1.0 - 1e-6


@dataclass
class _Rail:
    """An extreme value: how often it occurs, and the value next to it."""

    value: float = -np.inf
    count: int = 0
    next_value: float = -np.inf
    next_count: int = 0

    def add(self, x: NDArray[Any]) -> None:
        """Take in samples; the largest value is the rail."""
        for value in (x.max(), *x[x < x.max()].max(initial=-np.inf)[None]):
            if not np.isfinite(value):
                continue
            count = int(np.count_nonzero(x == value))
            if value > self.value:
                self.next_value, self.next_count = self.value, self.count
                self.value, self.count = float(value), count
            elif value == self.value:
                self.count += count
            elif value > self.next_value:
                self.next_value, self.next_count = float(value), count
            elif value == self.next_value:
                self.next_count += count

    def clipped(self, total: int) -> int:
        """Samples at the rail, 0 if it is none."""
        many = self.count > _CLIPPED_SHARE * total and self.count >= 20
        return self.count if many and self.count > _CLIPPED_RATIO * self.next_count else 0


@dataclass
class _Channel:
    """What was seen of one channel."""

    high: _Rail = field(default_factory=_Rail)
    low: _Rail = field(default_factory=_Rail)
    held: int = 0
    first_held: int | None = None
    resting: int = 0
    first_resting: int | None = None
    total: int = 0
    seen: int = 0
    step: float = np.inf
    probe: list[NDArray[Any]] = field(default_factory=list)
    period: float | None = None
    stretches: list[tuple[int, int]] = field(default_factory=list)
    _resting: list[tuple[int, int]] = field(default_factory=list)
    _copies: CopyWatch | None = None
    _tail: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _next: int = 0
    _is_held: bool = False

    def add(self, x: NDArray[Any], first: int, looked_at: bool) -> None:
        """Take in consecutive samples, from the sample ``first`` of the record on."""
        if self._copies is None:
            self._copies = CopyWatch(_word_length(x))
        self._copies.add(x, first)
        self.total += len(x)
        if not looked_at and not _has_flat_row(x):
            return
        plain = x.astype(np.float64)
        self._look_for_held(plain, first)
        if not looked_at:
            return
        self.seen += len(x)
        self.high.add(plain)
        self.low.add(-plain)
        if sum(map(len, self.probe)) < _PROBE:
            self.probe.append(x[:_PROBE].copy())

    @property
    def steps(self) -> float:
        """Steps of the converter that the samples span; 0 if they are one value."""
        span = self.high.value + self.low.value
        return span / self.step if np.isfinite(self.step) else 0.0

    def _look_for_held(self, new: NDArray[np.float64], first: int) -> None:
        """Find long runs of one value; the end of the block before is looked at again."""
        joined = first == self._next
        reach = min(max(_AROUND, math.ceil(self.period or 0.0)), _HELD)
        x = np.concatenate([self._tail, new]) if joined else new
        first -= len(x) - len(new)
        moves = np.abs(np.diff(x))
        self.step = min(self.step, float(moves[moves > 0.0].min(initial=np.inf)))
        starts = np.concatenate([[0], np.flatnonzero(moves) + 1])
        ends = np.append(starts[1:], len(x))
        before, self._is_held = self._is_held and joined, False
        long = ends - starts >= _HELD
        for start, end in zip(starts[long], ends[long], strict=True):
            fresh = int(end - max(start, len(x) - len(new)))
            if fresh <= 0:
                continue
            around = x[max(start - reach, 0) : end + reach]
            jumps = float(np.ptp(around)) > _FADES * self.step
            if jumps or (before and start == 0):
                self.held += fresh
                self.stretches.append((first + int(start), first + int(end)))
                self.first_held = first + int(start) if self.first_held is None else self.first_held
                self._is_held = end == len(x)
            elif end - start == len(x):
                self.resting += fresh
                self._resting.append((first + int(start), first + int(end)))
                if self.first_resting is None:
                    self.first_resting = first + int(start)
        self._tail, self._next = x[-(_HELD + reach) :].copy(), first + len(x)

    def repeated_values(self) -> tuple[int, int]:
        """Samples that are held or dead, and the first of them."""
        still = self.resting if not 0.0 < self.steps <= _RESTS else 0
        places = [self.first_held, self.first_resting if still else None]
        return self.held + still, min((p for p in places if p is not None), default=0)

    def bad(self) -> list[tuple[int, int]]:
        """Stretches (start, stop) that are held, dead or copies, in any order."""
        still = self._resting if not 0.0 < self.steps <= _RESTS else []
        return [*self.stretches, *still, *self.copies()]

    def copies(self) -> list[tuple[int, int]]:
        """Stretches (start, stop) that repeat earlier ones."""
        stretches, share = self.copied()
        return [(int(a), int(b)) for a, b in stretches] if share > _REPEATED_SHARE else []

    def clipped(self) -> int:
        """Samples at either rail, of all; none where the signal spans too few steps to tell."""
        if self.steps > _FEW_STEPS or self.period is None or not self._counts():
            rails = self.high.clipped(self.seen) + self.low.clipped(self.seen)
            found = rails if self.steps >= _LEAST_STEPS else 0
        else:
            found = self._few_steps_clipped()
        return round(found * self.total / max(1, self.seen))

    def _counts(self) -> bool:
        """Whether the values are multiples of their smallest step."""
        x = self.probe[0].astype(np.float64) / self.step
        return bool(np.abs(x - x[0] - np.rint(x - x[0])).max(initial=0.0) < 1e-3)

    def _few_steps_clipped(self) -> int:
        """Samples at the rails where an extreme code may be an honest crest."""
        x = np.rint(np.concatenate(self.probe)[:_PROBE].astype(np.float64) / self.step)
        low, high = beyond_rails(x, self.period)
        least = _CLIPPED_SHARE * len(x)
        found = 0
        for missing, rail, end in ((low, self.low, x.min()), (high, self.high, x.max())):
            here = int(np.count_nonzero(x == end))
            if missing > _MISSING and here > least and here >= 20:
                found += rail.count
        return found

    def copied(self) -> tuple[NDArray[np.int64], float]:
        """Stretches that repeat earlier ones, and the share of the words that do."""
        if self._copies is None or self.total < 4 * _word_length(self.probe[0]):
            return np.zeros((0, 2), np.int64), 0.0
        return self._copies.copies()


def _has_flat_row(x: NDArray[Any]) -> bool:
    """Whether a run of one value may lie within: no long one avoids all rows of half its length."""
    rows = x[: len(x) // _ROW * _ROW].reshape(-1, _ROW)
    flat = rows[rows[:, 0] == rows[:, -1]]
    return bool((flat == flat[:, :1]).all(axis=1).any())


def _word_length(x: NDArray[Any]) -> int:
    """Samples in a row that do not occur twice by chance, by the steps that these span."""
    plain = x.astype(np.float64)
    moves = np.abs(np.diff(plain))
    step = float(moves[moves > 0.0].min(initial=np.inf))
    steps = float(np.ptp(plain)) / step if len(plain) and np.isfinite(step) else 0.0
    return next(word for least, word in _WORDS if steps >= least)


class SampleWatch:
    """Looks at raw samples block by block, in bounded memory.

    Of long records it looks at the first million samples and at one block in eight of the rest.

    Parameters
    ----------
    names : sequence of str
        Of the channels, for the messages.
    periods : sequence of float or None, optional
        Of each channel's line, samples, where there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from optobind.models.soundness import SampleWatch
    >>> watch = SampleWatch(["z1"])
    >>> noise = np.random.default_rng(0).standard_normal((20000, 1))
    >>> watch.add(np.clip(noise, -1.5, 1.5))
    >>> watch.findings()
    ('13 % of the samples of z1 sit at its extreme values: clipped; D and V² are too small',)
    """

    def __init__(self, names: Sequence[str], periods: Sequence[float | None] | None = None) -> None:
        self._names = tuple(names)
        known = [None] * len(self._names) if periods is None else periods
        self._channels = [_Channel(period=period) for period in known]
        self._position = self._block = self._looked = 0

    def add(self, samples: NDArray[Any], first: int | None = None) -> None:
        """Take in consecutive samples, shape (n, c); repetitions (m, n, c) one after the other.

        Parameters
        ----------
        samples : ndarray
            Stored values.
        first : int, optional
            Index of the first one; as if it followed the last block by default.
        """
        flat = samples.reshape(-1, samples.shape[-1])
        if len(flat) == 0:
            return
        begin = self._position if first is None else first
        self._position = begin + len(flat)
        self._block += 1
        looked_at = self._looked < _WHOLE or self._block % _ONE_IN == 0
        self._looked += len(flat)
        for channel, column in zip(self._channels, flat.T, strict=True):
            channel.add(np.ascontiguousarray(column), begin, looked_at)

    def bad(self) -> list[tuple[int, int]]:
        """Stretches that are held, dead or copies in some channel, (start, stop) in any order."""
        return [stretch for channel in self._channels for stretch in channel.bad()]

    def copies(self) -> list[tuple[int, int]]:
        """Those of them that repeat earlier ones, which are sound."""
        return [stretch for channel in self._channels for stretch in channel.copies()]

    def findings(self) -> tuple[str, ...]:
        """What is wrong, one line each; empty for sound samples."""
        found = []
        for name, channel in zip(self._names, self._channels, strict=True):
            still, place = channel.repeated_values()
            held = still > _HELD_SHARE * channel.total
            if held:
                found.append(
                    f"{_percent(still / channel.total)} % of the samples of {name} repeat the "
                    f"value before, first at sample {place}: dead or held there"
                )
            clipped = channel.clipped()
            if clipped and not held:
                found.append(
                    f"{_percent(clipped / channel.total)} % of the samples of {name} sit at its "
                    "extreme values: clipped; D and V² are too small"
                )
            share = channel.copied()[1]
            if share > _REPEATED_SHARE:
                found.append(
                    f"{_percent(share)} % of the samples of {name} occur twice: stretches of the "
                    "record are copies of others"
                )
        return tuple(found)


def same_signal(csd: CsdEstimate) -> bool:
    """Whether two channels hold one signal: their coherence is 1 in every bin.

    Parameters
    ----------
    csd : CsdEstimate
        Two channels, several averages.
    """
    if csd.channels != 2 or csd.averages < 2:
        return False
    power = (csd.matrix[:, 0, 0] * csd.matrix[:, 1, 1]).real
    seen = power > 0.0
    if not seen.any():
        return False
    coherence = np.abs(csd.matrix[seen, 0, 1]) ** 2 / power[seen]
    return bool(np.median(coherence) > _COHERENT)


def _percent(share: float) -> str:
    """A share in per cent with two digits, without a power of ten for all of it."""
    return "100" if share >= 0.995 else f"{100.0 * share:.2g}"
