"""What the slow channels of a record read, channel by channel: for whoever looks at a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..models.prefixes import engineering
from .runfile_format import SlowRecord

__all__ = ["reading_words", "summarise"]


def summarise(readings: Iterable[SlowRecord]) -> dict[str, dict[str, Any]]:
    """Number, mean, least and largest of the readings of each channel, as JSON values.

    Readings without a value are counted by what was wrong with them; mean, least and largest are
    None where there is no value.

    Examples
    --------
    >>> read = [SlowRecord(n, "room", 293.0 + n, "K", "ok", 0.0) for n in range(3)]
    >>> summarise(read)["room"]["mean"]
    294.0
    """
    values: dict[str, list[float]] = {}
    found: dict[str, dict[str, Any]] = {}
    for reading in readings:
        entry = found.setdefault(reading.name, {"unit": reading.unit, "readings": 0, "without": {}})
        entry["readings"] += 1
        if math.isfinite(reading.value):
            values.setdefault(reading.name, []).append(reading.value)
        else:
            entry["without"][reading.status] = entry["without"].get(reading.status, 0) + 1
    for name, entry in found.items():
        good = values.get(name, [])
        entry["mean"] = math.fsum(good) / len(good) if good else None
        entry["low"], entry["high"] = min(good, default=None), max(good, default=None)
    return found


def reading_words(entry: Mapping[str, Any]) -> str:
    """Say in one line what one channel read.

    Examples
    --------
    >>> reading_words(summarise([SlowRecord(0, "laser", 0.2, "W", "ok", 0.0)])["laser"])
    '200 mW in 1 reading'
    """
    unit, low, high, count = entry["unit"], entry["low"], entry["high"], entry["readings"]
    without = ", ".join(f"{number} {status}" for status, number in entry["without"].items())
    said = f"{count} reading" + ("" if count == 1 else "s")
    said += f" ({without})" if without else ""
    if low is None:
        return f"no value in {said}"
    span = engineering(low, unit)
    return f"{span if low == high else f'{span} … {engineering(high, unit)}'} in {said}"
