"""Whether a line is the same all along a record: lost particles, changes and drifts, by rows.

A row is a stretch of many correlation times of the line. Its samples are demodulated at the line
and averaged to u_k; the mean of u_k* u_{k+1} holds power and frequency of the line and nothing of
white noise. What neighbouring rows differ by is the yardstick for what the whole record does:
nothing is assumed of the line but that it is stationary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .trends import power_trend_gain, trend_of

__all__ = ["Change", "LineRows", "stretches_of_other_power"]

_ROWS = 256  # rows of a record at most, up to twice as many while they are being made
_LEAST_ROWS = 8
_CORRELATIONS = 10.0  # correlation times of the power, 1/γ, that a row holds at least
_LEAST_STEPS = 24  # averages u_k of a row
_BAND = 16.0  # linewidths that the averages u_k let pass
_TWO_PI = 2.0 * math.pi
# Rise of ln L by a stretch of another power: of 30 000 stretches one gains so much in 10⁴ records.
_GAIN = 18.0
_CHANCE = 1e-4  # of a drift that is none, in each channel and quantity
_GONE, _HALF = 0.1, 0.5
_LEAST_DRIFT = 0.03  # of the power over the record
_LEAST_WANDER = 0.05  # of the linewidth: gamma is off by less than 10⁻³
_FADED = 1e-3  # of the mean power, up to which the logarithm of the power of a row counts


@dataclass(frozen=True)
class Change:
    """What changes along a record.

    Attributes
    ----------
    kind : {"gone", "step", "level", "power", "frequency"}
        The line is gone in a stretch, has another power there (by less than a factor two: a
        level), or drifts.
    amount : float
        Power in the stretch over that elsewhere; power at the end over that at the beginning, or
        its highest over its lowest value; drift of the frequency, Hz.
    start, stop : int
        Samples of the stretch that is gone or the shorter one, or of the record.
    error : float
        Standard error of a straight drift: of ln power, or Hz.
    """

    kind: str
    amount: float
    start: int
    stop: int
    error: float = 0.0


@njit(cache=True, nogil=True)
def _averages(
    x: NDArray[np.float64], turns: float, step: float, width: int, out: NDArray[np.complex128]
) -> None:  # pragma: no cover - compiled
    """Means of x_n exp(−2πi(turns + n·step)) over ``width`` samples each."""
    turn = np.exp(-2j * np.pi * step)
    for k in range(len(out)):
        at = turns + k * width * step
        phasor = np.exp(-2j * np.pi * (at - math.floor(at)))
        total = 0.0j
        for n in range(k * width, (k + 1) * width):
            total += x[n] * phasor
            phasor *= turn
        out[k] = total / width


@dataclass
class LineRows:
    """Rows of one channel, made block by block in bounded memory.

    Attributes
    ----------
    sample_rate : float
        Hz.
    frequency, width : float
        Of the line, Hz; full width at half maximum.
    total : int
        Samples that are to come.
    """

    sample_rate: float
    frequency: float
    width: float
    total: int
    rows: list[tuple[int, int, float, complex]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        period = self.sample_rate / self.frequency
        periods = max(1, round(self.sample_rate / (_BAND * self.width) / period))
        self._width = max(1, round(periods * period))
        steps = _CORRELATIONS * self.sample_rate / (_TWO_PI * self.width) / self._width
        wanted = max(_LEAST_STEPS, steps, self.total / _ROWS / self._width)
        self._steps = math.ceil(wanted)
        self._rest = np.zeros(0)
        self._made: list[NDArray[np.complex128]] = []
        self._first = self._next = 0

    def add(self, x: NDArray[Any], first: int) -> None:
        """Take in consecutive samples, from the sample ``first`` of the record on."""
        if first != self._next:
            self._rest, self._made, self._first = np.zeros(0), [], first
        self._next = first + len(x)
        plain = np.concatenate([self._rest, x.astype(np.float64)])
        at = self._next - len(plain)
        count = len(plain) // self._width
        out = np.empty(count, np.complex128)
        mean = float(plain.mean()) if len(plain) else 0.0
        step = self.frequency / self.sample_rate
        _averages(plain - mean, math.fmod(at * step, 1.0), step, self._width, out)
        self._rest = plain[count * self._width :]
        self._made.append(out)
        self._cut()

    def _cut(self) -> None:
        """Make rows of the averages so far."""
        if sum(map(len, self._made)) < self._steps:
            return
        made = np.concatenate(self._made)
        count = len(made) // self._steps
        for row in made[: count * self._steps].reshape(count, -1):
            stop = self._first + self._steps * self._width
            power = float(np.mean(np.abs(row) ** 2))
            self.rows.append((self._first, stop, power, complex(np.vdot(row[:-1], row[1:]))))
            self._first = stop
        self._made = [made[count * self._steps :]]

    @property
    def line(self) -> NDArray[np.complex128]:
        """Sum of u_k* u_{k+1} of each row."""
        return np.array([row[3] for row in self.rows])

    def changes(self) -> list[Change]:
        """Where the line is gone, changes or drifts; nothing where there are too few rows."""
        if len(self.rows) < _LEAST_ROWS:
            return []
        times = np.array([(row[0], row[1]) for row in self.rows], np.int64)
        found, kept = _stretches(np.abs(self.line), times, self._freedom())
        if np.count_nonzero(kept) < _LEAST_ROWS:
            return found
        return found + self._drifts(kept, times, bool(found))

    def _memory(self) -> float:
        """Correlation times of the power that a row holds, by the linewidth."""
        return _TWO_PI * self.width * self._steps * self._width / self.sample_rate

    def _freedom(self) -> float:
        """Shape of the gamma law that the power of a row follows, from the linewidth."""
        t = self._memory()
        return t / (2.0 * (1.0 - (1.0 - math.exp(-t)) / t))

    def _drifts(
        self, kept: NDArray[np.bool_], times: NDArray[np.int64], changed: bool
    ) -> list[Change]:
        """Drift of the power, and of the frequency, of the rows that are kept."""
        line, found = self.line[kept], []
        start, stop = int(times[kept][0, 0]), int(times[kept][-1, 1])
        centres = times[kept].mean(axis=1)
        power = np.abs(line) / np.abs(line).mean()
        # Means of many rows of t correlation times scatter by t/(t − 1 + e^−t) as much as
        # independent rows would.
        t = self._memory()
        trend = trend_of(
            np.log(np.maximum(power, _FADED)), centres, excess=t / (t - 1.0 + math.exp(-t))
        )
        if abs(trend.span) > _LEAST_DRIFT and trend.chance < _CHANCE and not changed:
            found.append(Change("power", math.exp(trend.span), start, stop, trend.error))
        # The phase between neighbours is known the better, the stronger a row is.
        turns = np.angle(line * np.conj(line.sum())) / _TWO_PI
        turns *= self.sample_rate / self._width
        trend = trend_of(turns, centres, power)
        if abs(trend.span) > _LEAST_WANDER * self.width and trend.chance < _CHANCE:
            found.append(Change("frequency", trend.span, start, stop, trend.error))
        return found


def _stretches(
    power: NDArray[np.float64], times: NDArray[np.int64], freedom: float
) -> tuple[list[Change], NDArray[np.bool_]]:
    """Stretches of another power, one after the other, and the rows that are left."""
    kept = np.ones(len(power), bool)
    found: list[Change] = []
    floor = 1e-4 * float(power.max())
    while np.count_nonzero(kept) >= _LEAST_ROWS:
        rows = np.flatnonzero(kept)
        e = np.maximum(power[rows], floor)
        shape = min(freedom, _shape(e))
        low, high, gain = _best_stretch(e, shape)
        if gain < _GAIN:
            break
        inside = e[low:high].mean()
        outside = (e.sum() - e[low:high].sum()) / (len(e) - high + low)
        ratio = float(min(inside, outside) / max(inside, outside))
        if ratio > _GONE and power_trend_gain(e, shape) > gain:
            break  # it drifts
        part = np.zeros(len(e), bool)
        part[low:high] = True
        weak = part if inside < outside else ~part
        out = weak if ratio < _GONE else (part if 2 * part.sum() <= len(e) else ~part)
        weaker = e[out].mean() < e[~out].mean()
        amount = ratio if weaker else 1.0 / ratio
        if ratio > _HALF:  # too little to be left out: one of the two is as good as the other
            found += [
                Change("level", amount, int(times[start, 0]), int(times[stop - 1, 1]))
                for start, stop in _runs(rows[out])
            ]
            break
        out = _widened(out)  # rows at the edges hold both
        kind = "gone" if ratio < _GONE else "step"
        for start, stop in _runs(rows[out]):
            found.append(Change(kind, amount, int(times[start, 0]), int(times[stop - 1, 1])))
        kept[rows[out]] = False
    return found, kept


def stretches_of_other_power(
    power: NDArray[np.float64], freedom: float
) -> tuple[NDArray[np.bool_], float]:
    """Rows, in a row, whose power is less than a tenth of that of the others.

    Parameters
    ----------
    power : ndarray, shape (n,)
        Mean powers of rows in the order of time.
    freedom : float
        Shape of the gamma law that they follow.

    Returns
    -------
    rows : ndarray of bool, shape (n,)
        Those rows and their neighbours.
    ratio : float
        Their power over that of the others; 1 where there are none.
    """
    edges = np.stack([np.arange(len(power)), np.arange(1, len(power) + 1)], axis=1)
    found, _ = _stretches(power, edges, freedom)
    rows, ratios = np.zeros(len(power), bool), [1.0]
    for change in found:
        if change.kind == "gone":
            rows[change.start : change.stop] = True
            ratios.append(change.amount)
    return rows, min(ratios)


def _widened(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same rows and their neighbours."""
    wide = rows.copy()
    wide[1:] |= rows[:-1]
    wide[:-1] |= rows[1:]
    return wide


def _shape(e: NDArray[np.float64]) -> float:
    """Shape of the gamma law by the differences of neighbours."""
    ratio = np.diff(np.log(e))
    middle = float(np.median(np.abs(ratio))) / 0.6745
    return 2.0 / middle**2 + 0.5 if middle > 0.0 else np.inf


def _best_stretch(e: NDArray[np.float64], shape: float) -> tuple[int, int, float]:
    """Stretch whose own mean explains the powers best, and the rise of ln L."""
    n = len(e)
    total = np.concatenate([[0.0], np.cumsum(e)])
    low, high = np.triu_indices(n + 1, 1)
    count = high - low
    proper = count < n
    low, high, count = low[proper], high[proper], count[proper]
    inside = (total[high] - total[low]) / count
    outside = (total[-1] - total[high] + total[low]) / (n - count)
    outside = np.maximum(outside, 1e-12 * e.max())
    mean = total[-1] / n
    gain = shape * (n * math.log(mean) - count * np.log(inside) - (n - count) * np.log(outside))
    best = int(np.argmax(gain))
    return int(low[best]), int(high[best]), float(gain[best])


def _runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, (first, last + 1)."""
    cuts = np.flatnonzero(np.diff(rows) > 1)
    starts, stops = np.append(0, cuts + 1), np.append(cuts, len(rows) - 1)
    return [(int(rows[a]), int(rows[b]) + 1) for a, b in zip(starts, stops, strict=True)]
