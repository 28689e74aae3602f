"""What is wrong with raw samples: clipped, held or dead, repeated; two channels of one signal.

Only what the values themselves prove is named, by exact equality, so that clean records raise no
alarm: noise of a detector or of its converter keeps neighbouring samples apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spectra import CsdEstimate

__all__ = ["SampleWatch", "same_signal"]

# Share of samples at an extreme value above which it is a rail; and how many times as many must
# lie there as at the value next to it, which a tone on a coarse converter does not reach.
_CLIPPED_SHARE, _CLIPPED_RATIO = 1e-3, 5.0
_HELD = 256  # samples of one value in a row that no noisy detector gives
_HELD_SHARE = 1e-3
_WORD = 64  # samples in a row that do not occur twice by chance
_PROBE = 1 << 17  # samples in which repetitions are looked for
# So many samples are looked at without a gap, of later blocks one in so many: a look costs as much
# as half the spectrum.
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
    total: int = 0
    probe: list[NDArray[Any]] = field(default_factory=list)

    def add(self, x: NDArray[Any], first: int) -> None:
        """Take in consecutive samples, from the sample ``first`` of the record on."""
        plain = x.astype(np.float64)
        self.high.add(plain)
        self.low.add(-plain)
        self._look_for_held(plain, first)
        if sum(map(len, self.probe)) < _PROBE:
            self.probe.append(x[:_PROBE].copy())
        self.total += len(x)

    def _look_for_held(self, x: NDArray[np.float64], first: int) -> None:
        edges = np.flatnonzero(np.diff(x) != 0.0)
        starts = np.concatenate([[0], edges + 1])
        lengths = np.diff(np.concatenate([starts, [len(x)]]))
        long = lengths >= _HELD
        if long.any():
            self.held += int(lengths[long].sum())
            if self.first_held is None:
                self.first_held = first + int(starts[long][0])

    def repeated(self) -> float:
        """Share of words that occur more than once in the first samples, held ones left out."""
        x = np.concatenate(self.probe)[:_PROBE] if self.probe else np.zeros(0)
        if len(x) < 4 * _WORD:
            return 0.0
        # A hash of every word: products with odd random numbers, modulo 2⁶⁴.
        bits = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
        places = np.random.default_rng(0).integers(1, 1 << 62, _WORD, dtype=np.uint64) | 1
        count = len(x) - _WORD + 1
        words = np.zeros(count, np.uint64)
        moves = np.zeros(count, np.int64)
        for at, place in enumerate(places):
            words += place * bits[at : at + count]
            moves += x[at : at + count] != x[:count]
        words = words[moves > 0]
        return 1.0 - len(np.unique(words)) / len(words) if len(words) else 0.0


class SampleWatch:
    """Looks at raw samples block by block, in bounded memory.

    Of long records it looks at the first million samples and at one block in eight of the rest.

    Parameters
    ----------
    names : sequence of str
        Of the channels, for the messages.

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

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._channels = [_Channel() for _ in names]
        self._position = self._block = 0

    def add(self, samples: NDArray[Any]) -> None:
        """Take in consecutive samples, shape (n, c); repetitions (m, n, c) one after the other."""
        flat = samples.reshape(-1, samples.shape[-1])
        if len(flat) == 0:
            return
        first, self._position = self._position, self._position + len(flat)
        self._block += 1
        if first >= _WHOLE and self._block % _ONE_IN:
            return
        for channel, column in zip(self._channels, flat.T, strict=True):
            channel.add(np.ascontiguousarray(column), first)

    def findings(self) -> tuple[str, ...]:
        """What is wrong, one line each; empty for sound samples."""
        found = []
        for name, channel in zip(self._names, self._channels, strict=True):
            held = channel.held > _HELD_SHARE * channel.total
            if held:
                share = 100.0 * channel.held / channel.total
                found.append(
                    f"{share:.2g} % of the samples of {name} repeat the value before, first at "
                    f"sample {channel.first_held}: dead or held there; D and V² are too small, "
                    "cut that stretch out"
                )
            clipped = channel.high.clipped(channel.total) + channel.low.clipped(channel.total)
            if clipped and not held:
                found.append(
                    f"{100.0 * clipped / channel.total:.2g} % of the samples of {name} sit at its "
                    "extreme values: clipped; D and V² are too small"
                )
            share = channel.repeated()
            if share > _REPEATED_SHARE:
                found.append(
                    f"{100.0 * share:.2g} % of the first samples of {name} occur twice: stretches "
                    "of the record are copies of others; errors are too small"
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
