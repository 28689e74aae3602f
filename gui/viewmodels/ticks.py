"""Ticks of axes that hold log10 of their values, or times."""

from __future__ import annotations

import math
from itertools import pairwise

from ...models.prefixes import prefix_for

__all__ = ["SUPERSCRIPT", "decade_label", "decade_ticks", "few_ticks", "time_label", "time_ticks"]

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decade_ticks(low: float, high: float, room: int) -> list[tuple[float, list[float]]]:
    """Major and minor tick positions on [low, high] (log10 units).

    Parameters
    ----------
    low, high : float
        Range of the axis, log10.
    room : int
        Number of labels that fit.

    Returns
    -------
    list of (spacing, positions)
        As an axis of pyqtgraph wants them, major ticks first.
    """
    span = high - low
    if not (math.isfinite(span) and span > 0.0) or abs(low) > 200 or abs(high) > 200:
        return []
    if span < 1.0:
        return _linear_ticks(low, high, room)
    stride = max(1, math.ceil(span / max(1, room)))
    first = math.ceil(low / stride - 1e-9) * stride
    major = [float(e) for e in range(first, math.floor(high + 1e-9) + 1, stride)]
    minor: list[float] = []
    if stride == 1:
        for decade in range(math.floor(low), math.floor(high) + 1):
            minor += [decade + math.log10(m) for m in range(2, 10)]
    else:
        minor = [float(e) for e in range(math.ceil(low), math.floor(high) + 1)]
    kept = [m for m in minor if low <= m <= high and m not in major]
    labelled: list[tuple[float, list[float]]] = [(float(stride), major)]
    if stride == 1 and span * 3 <= room:
        halves = [m for m in kept if round(10.0 ** (m % 1.0), 6) in (2.0, 5.0)]
        labelled.append((0.3, halves))
        kept = [m for m in kept if m not in halves]
    return [*labelled, (0.1, kept)]


def _linear_ticks(low: float, high: float, room: int) -> list[tuple[float, list[float]]]:
    """Round values of a range that spans less than a decade."""
    _, values = _round_values(10.0**low, 10.0**high, max(2, room))
    positions = [math.log10(v) for v in values if v > 0.0]
    return [(span_of(positions), positions)]


def _round_values(low: float, high: float, room: int) -> tuple[float, list[float]]:
    """Step of 1, 2 or 5 times a power of ten, and its multiples in a range."""
    raw = (high - low) / room
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1.0, 2.0, 5.0, 10.0) if m * size >= raw * (1.0 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return step, [k * step for k in range(first, last + 1)]


def few_ticks(low: float, high: float, room: int) -> list[tuple[float, list[float]]]:
    """Ticks of a plot that has room for a few labels only, all of them labelled.

    >>> few_ticks(54.49, 54.56, 2)
    [(0.05, [54.5, 54.55])]
    """
    if not (math.isfinite(high - low) and high > low):
        return []
    step, values = _round_values(low, high, max(1, room))
    return [(step, [round(v, 12) for v in values])]


def span_of(positions: list[float]) -> float:
    """Smallest distance of neighbouring ticks; tells an axis how many digits it needs."""
    gaps = [b - a for a, b in pairwise(positions)]
    return max(min(gaps), 1e-12) if gaps else 1.0


def decade_label(position: float, *, engineering: bool = False, digits: int = 6) -> str:
    """Label of the tick at log10 position: "10⁻²¹", "2·10⁻²¹", or "100 k" for frequencies."""
    if engineering:
        value = 10.0**position
        exponent, prefix = prefix_for(value)
        return f"{value / 10.0**exponent:.{digits}g} {prefix}".strip()
    nearest = round(position)
    if abs(position - nearest) < 1e-6:
        return f"10{str(nearest).translate(SUPERSCRIPT)}"
    exponent = math.floor(position)
    mantissa = f"{10.0 ** (position - exponent):.3g}"
    return f"{mantissa}·10{str(exponent).translate(SUPERSCRIPT)}"


_TIME_STEPS = (
    *(m * s for s in (1e-6, 1e-3) for m in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(3600, 7200, 18000, 36000),
)


def time_ticks(low: float, high: float, room: int) -> list[tuple[float, list[float]]]:
    """Tick positions of an axis of seconds: round numbers of seconds, minutes or hours."""
    span = high - low
    if not (math.isfinite(span) and span > 0.0):
        return []
    wanted = span / max(1, room)
    step = next((s for s in _TIME_STEPS if s >= wanted), _TIME_STEPS[-1])
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(float(step), [k * step for k in range(first, last + 1)][:1000])]


def time_label(seconds: float) -> str:
    """A length of time as a tick has it: "−1 min", "−2 h 30", "20 s"."""
    sign, size = ("−" if seconds < 0.0 else ""), abs(seconds)
    if size < 1e-9:
        return "0"
    if size < 1.0:
        return f"{sign}{1e3 * size:g} ms" if size >= 1e-3 else f"{sign}{1e6 * size:g} µs"
    whole = round(size)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{sign}{hours} h" + (f" {minutes:02d}" if minutes else "")
    if minutes:
        return f"{sign}{minutes} min" + (f" {rest:02d}" if rest else "")
    return f"{sign}{size:g} s"
