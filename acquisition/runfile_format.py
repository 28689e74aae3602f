"""Layout of a run file: names, record types, and how an event becomes fixed-width records.

Nothing of variable length is written while a run goes on, because such data are lost when the
writer is killed. An event whose JSON does not fit one record goes on in the next ones.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError, InputError
from ..models.json_values import json_text
from .events import Event, EventKind

__all__ = [
    "CLOSING_ATTRIBUTES",
    "EVENT_TYPE",
    "FIXED_ATTRIBUTES",
    "JSON_ATTRIBUTES",
    "LARGEST_INDEX",
    "SCHEMA",
    "SCHEMA_VERSION",
    "SLOW_TYPE",
    "STRETCH_TYPE",
    "TEXT_ATTRIBUTES",
    "Manifest",
    "SlowRecord",
    "cut_text",
    "decode_events",
    "decode_slow",
    "encode_events",
    "encode_slow",
    "in_order",
]

SCHEMA = "optobind-run"
SCHEMA_VERSION = 1
_TEXT_WIDTH = 460

EVENT_TYPE = np.dtype(
    [
        ("sample", "<i8"),
        ("host_time", "<f8"),
        ("kind", "S16"),
        ("continues", "u1"),
        ("json", f"S{_TEXT_WIDTH}"),
    ]
)
SLOW_TYPE = np.dtype(
    [
        ("sample", "<i8"),
        ("host_time", "<f8"),
        ("value", "<f8"),
        ("name", "S32"),
        ("unit", "S16"),
        ("status", "S32"),
    ]
)
STRETCH_TYPE = np.dtype([("row", "<i8"), ("sample", "<i8")])
JSON_ATTRIBUTES = ("channels", "config", "plan", "detectors", "calibration", "versions", "seed")
TEXT_ATTRIBUTES = ("schema", "unit", "mode", "state", "outcome", "reason")
FIXED_ATTRIBUTES = (
    *JSON_ATTRIBUTES,
    *("schema", "schema_version", "unit", "mode", "sample_rate", "scale", "created"),
)
"""Attributes that never change; their checksum is the attribute ``checksum``."""
CLOSING_ATTRIBUTES = ("state", "outcome", "reason", "ended")
"""Attributes that the end of a run changes; covered by ``closing_checksum``."""
_KINDS = {kind.value.encode("ascii"): kind for kind in EventKind}
LARGEST_INDEX = 1 << 53
"""Of samples: more than a century at any rate."""
# What the events of these kinds say in numbers decides which samples are read.
_READ_BY_NUMBER = frozenset(
    {
        *(EventKind.SATURATED, EventKind.GATE, EventKind.STEP_START, EventKind.STEP_END),
        *(EventKind.RELEASE, EventKind.RECAPTURE, EventKind.EXCLUDED),
    }
)
_WHOLE = {
    **dict.fromkeys(("samples", "spread", "repetition", "repeats"), LARGEST_INDEX),
    **dict.fromkeys(("index", "step"), 1 << 20),
}
_LATEST = 1 << 14
_sample_of = operator.attrgetter("sample")


@dataclass(frozen=True)
class Manifest:
    """What is known when a run begins; stored as attributes of the file.

    Attributes
    ----------
    sample_rate : float
        Hz.
    channels : tuple of str
        Names of the columns.
    scale : tuple of float
        ``unit`` per count.
    dtype : {"int16", "float32"}
        Type of the samples.
    unit : str
        Unit of scaled samples.
    mode : {"LIVE", "SIM", "REPLAY"}
        Where the samples come from.
    config, plan : mapping
        The complete configuration and the plan, JSON values.
    detectors : sequence of mapping
        Channel, particle, role, volts_per_metre, polarity, …, JSON values.
    calibration : mapping
        JSON values.
    versions : mapping of str to str
        Programs and libraries.
    seed : int or None
        Seed of a simulation.
    """

    sample_rate: float
    channels: tuple[str, ...]
    scale: tuple[float, ...]
    dtype: Literal["int16", "float32"] = "int16"
    unit: str = "V"
    mode: Literal["LIVE", "SIM", "REPLAY"] = "LIVE"
    config: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    detectors: tuple[Mapping[str, Any], ...] = ()
    calibration: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        if len(self.scale) != len(self.channels) or not self.channels:
            raise InputError(
                f"scale must hold one value per channel, got {len(self.scale)} for "
                f"{len(self.channels)} channels"
            )
        if not (np.isfinite(self.sample_rate) and self.sample_rate > 0.0):
            raise InputError(f"sample_rate must be positive, got {self.sample_rate!r} Hz")


@dataclass(frozen=True)
class SlowRecord:
    """A slow reading: sample index, name, value (NaN if invalid), unit, status, epoch time (s)."""

    sample: int
    name: str
    value: float
    unit: str = ""
    status: str = "ok"
    host_time: float = 0.0


def encode_events(events: Sequence[Event]) -> NDArray[np.void]:
    """Turn events into records, one or more each."""
    rows = []
    for event in events:
        text = json_text(dict(event.payload)).encode("ascii")
        kind = event.kind.value.encode("ascii")
        for i in range(0, len(text), _TEXT_WIDTH):
            goes_on = int(i + _TEXT_WIDTH < len(text))
            piece = text[i : i + _TEXT_WIDTH]
            rows.append((event.sample, event.host_time, kind, goes_on, piece))
    return np.array(rows, EVENT_TYPE)


def encode_slow(readings: Sequence[SlowRecord]) -> NDArray[np.void]:
    """Turn slow readings into records."""
    records = np.zeros(len(readings), SLOW_TYPE)
    for i, r in enumerate(readings):
        name, unit, status = cut_text(r.name, 32), cut_text(r.unit, 16), cut_text(r.status, 32)
        records[i] = (r.sample, r.host_time, r.value, name, unit, status)
    return records


def decode_slow(records: NDArray[np.void]) -> list[SlowRecord]:
    """Turn records into slow readings; bytes that are no text are shown as such."""
    return [
        SlowRecord(
            sample=int(r["sample"]),
            name=r["name"].decode("utf-8", "backslashreplace"),
            value=float(r["value"]),
            unit=r["unit"].decode("utf-8", "backslashreplace"),
            status=r["status"].decode("utf-8", "backslashreplace"),
            host_time=float(r["host_time"]),
        )
        for r in records
    ]


def cut_text(text: str, width: int) -> bytes:
    """Encode as at most ``width`` bytes of UTF-8."""
    return text.encode("utf-8")[:width].decode("utf-8", "ignore").encode("utf-8")


def decode_events(pieces: Iterable[NDArray[np.void]]) -> Iterator[Event]:
    """Put events together again, in the order of their records; a last one cut short is left out.

    Parameters
    ----------
    pieces : iterable of ndarray
        Records, one piece of the table after the other.

    Raises
    ------
    FileError
        If a record holds no JSON, a kind that is not known, or numbers that no run can have.
    """
    text = b""
    for piece in pieces:
        # numpy strips trailing zero bytes only; JSON text never holds one.
        columns = (piece[name].tolist() for name in EVENT_TYPE.names or ())
        for sample, host_time, kind, goes_on, part in zip(*columns, strict=True):
            text += part
            if goes_on:
                continue
            try:
                known = _KINDS.get(kind) or EventKind(kind.decode("ascii"))
                payload = json.loads(text)
                _check_event(sample, known, payload)
                event = Event(sample, known, payload, host_time)
            except (ValueError, RecursionError) as error:
                raise FileError(f"event record cannot be read: {str(error)[:120]}") from None
            text = b""
            yield event


def _check_event(sample: int, kind: EventKind, payload: Any) -> None:
    """Raise ValueError for an event that no run can have written."""
    if not isinstance(payload, dict):
        raise ValueError(f"{kind} without a table of values")
    if not 0 <= sample <= LARGEST_INDEX:
        raise ValueError(f"{kind} at sample {sample}")
    if kind in _READ_BY_NUMBER:
        for name, largest in _WHOLE.items():
            value = payload.get(name)
            if value is not None and not (type(value) is int and 0 <= value <= largest):
                raise ValueError(f"{kind} with {name} {str(value)[:40]}")


def in_order(events: Iterable[Event]) -> Iterator[Event]:
    """Bring events into the order of their samples.

    Only what the recorder finds in the samples comes late, by what it lags behind. The order is
    right where that is less than 16 384 events.
    """
    held: list[Event] = []
    for event in events:
        held.append(event)
        if len(held) >= 2 * _LATEST:
            held.sort(key=_sample_of)
            yield from held[:_LATEST]
            del held[:_LATEST]
    yield from sorted(held, key=_sample_of)
