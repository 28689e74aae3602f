"""LeCroy waveforms: a WAVEDESC header (templates LECROY_2_2, 2_3), behind a preamble or not.

Samples are VERTICAL_GAIN · count − VERTICAL_OFFSET in VERTUNIT. A sequence holds SUBARRAY_COUNT
segments of one length, whose triggers the TRIGTIME array places; there feedback is taken to be
switched off, unless the segments are fitted as steady stretches.
"""

from __future__ import annotations

import math
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ...models.inference.parameters import UNITS
from ..free_memory import require_memory
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .names import Unit, known_unit
from .reading import Reading
from .time_axis import Stated, agreed_rate

__all__ = ["load_lecroy"]

_MAGIC = b"WAVEDESC"
# "C1:WF ALL,#9000500350" and its likes are far shorter.
_PREAMBLE = 64
_HEADER_BYTES = 346
_PIECE = 1 << 20
_TEMPLATES = ("LECROY_2_2", "LECROY_2_3")
_MAX_VOLTS = 1e9  # of a count, and of the offset
_FIXED_FIELDS = {
    "descriptor": (36, "i"),
    "user_text": (40, "i"),
    "res_desc1": (44, "i"),
    "trigtime": (48, "i"),
    "ris_time": (52, "i"),
    "res_array1": (56, "i"),
    "bytes": (60, "i"),
    "count": (116, "i"),
    "first": (124, "i"),
    "last": (128, "i"),
    "segments": (144, "i"),
    "gain": (156, "f"),
    "offset": (160, "f"),
    "interval": (176, "f"),
    "begin": (180, "d"),
    "record_type": (316, "h"),
    "source": (344, "h"),
}
_SIGNED = ("offset", "begin", "record_type", "source", "first", "last")
_RECORD_TYPES = (
    "single sweep", "interleaved", "histogram", "graph", "filter coefficients", "complex",
    "extrema", "sequence", "centred RIS", "peak detect",
)  # fmt: skip
_OF_TIME = ("single sweep", "interleaved", "sequence", "centred RIS")
_FILE_CHANNEL = re.compile(r"([CFMZ]\d{1,2})(?=\D|$)")
# A trigger this close before a sample, in samples, is at it: the digits of the header.
_AT_SAMPLE = 1e-3


def load_lecroy(path: Path, reading: Reading) -> Record:
    """Read a waveform; a sequence of segments becomes repetitions (r, n, 1).

    Counts are kept as int16 when the offset is a whole number of counts, else samples are float32.

    Raises
    ------
    FileError
        If the file is truncated, of another template or domain, or its header makes no sense.
    """
    with path.open("rb") as file:
        head = file.read(_PREAMBLE + len(_MAGIC) + _HEADER_BYTES)
        length = file.seek(0, os.SEEK_END)
    begin = head[: _PREAMBLE + len(_MAGIC)].find(_MAGIC)
    if begin < 0:
        raise FileError(f"{path} is not a LeCroy waveform: no WAVEDESC header")
    header = head[begin : begin + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES:
        raise FileError(f"{path} is truncated within its WAVEDESC header")
    _check_kind(path, header)
    order, width = _coding(path, header)
    h = {k: struct.unpack_from(order + f, header, at)[0] for k, (at, f) in _FIXED_FIELDS.items()}
    _check(path, h)
    unit = _unit(path, header)
    skipped = ("descriptor", "user_text", "res_desc1", "trigtime", "ris_time", "res_array1")
    start = begin + sum(h[name] for name in skipped)
    available = length - start
    size = h["count"] * width
    if available < size or h["bytes"] < size:
        raise FileError(
            f"{path} is truncated: {max(0, available)} of {size} bytes of samples "
            f"({h['count']} samples of {8 * width} bit)"
        )
    require_memory(path, h["count"] * 6)  # as int16 or float32
    kind = "i1" if width == 1 else order + "i2"
    counts = np.fromfile(path, kind, h["count"], offset=start).astype(np.int16, copy=False)
    data, scale = _scaled(counts, h["gain"], h["offset"])
    # The interval is a float32: its shortest decimal form is what was meant.
    rate = checked_rate(str(path), 1.0 / float(str(np.float32(h["interval"]))))
    _, said = agreed_rate(str(path), [Stated("HORIZ_INTERVAL", rate)], reading.rate)
    triggers_at = begin + sum(h[name] for name in skipped[:3])
    shaped, release, more = _segmented(path, h, _valid(h, data), order, triggers_at)
    said += _said_of_valid(path, h)
    record = array_record(
        "lecroy",
        path,
        rate,
        (_channel(path, h["source"]),),
        unit.si,
        np.array([scale * unit.factor]),
        shaped,
        release,
        (*said, *more),
        segments=h["segments"] > 1,
    )
    begin = h["begin"] + (h["first"] / rate if _is_cut(h) else 0.0)
    return record.with_provenance(trigger_time=_trigger_time(order, header), begin=begin)


def _is_cut(h: dict[str, Any]) -> bool:
    """Whether the header says that points at the ends are not valid, as those of filters."""
    inside = 0 <= h["first"] < h["last"] < h["count"] and h["segments"] <= 1
    return bool(inside and (h["first"] > 0 or h["last"] < h["count"] - 1))


def _valid(h: dict[str, Any], data: NDArray[Any]) -> NDArray[Any]:
    """The points between FIRST_VALID_PNT and LAST_VALID_PNT."""
    return data[h["first"] : h["last"] + 1] if _is_cut(h) else data


def _said_of_valid(path: Path, h: dict[str, Any]) -> list[str]:
    """What is to be said of points that are left out."""
    if not _is_cut(h):
        return []
    return [
        f"{path.name}: its header says that only points {h['first']} … {h['last']} of {h['count']} "
        "are valid: the others are left out"
    ]


def _check_kind(path: Path, header: bytes) -> None:
    """Refuse other templates, and what is no signal in time."""
    template = _text(header[16:32])
    if template not in _TEMPLATES:
        raise FileError(
            f"{path} is a LeCroy waveform of template {template!r}, whose header is laid out "
            f"otherwise; known: {', '.join(_TEMPLATES)}; save it as text on the scope"
        )
    horizontal = _text(header[244:292])
    if horizontal and known_unit(horizontal, time=True) is None:
        raise FileError(
            f"{path}: its horizontal axis is in {horizontal!r}, not in seconds: a spectrum or "
            "histogram of the scope is no record; save the channel itself"
        )


def _text(field: bytes) -> str:
    """Text of a field that zeros fill up."""
    return field.split(b"\0")[0].decode("latin-1").strip()


def _unit(path: Path, header: bytes) -> Unit:
    """Unit of the samples."""
    text = _text(header[196:244]) or "V"
    unit = known_unit(text)
    if unit is None or unit.si not in UNITS:
        raise FileError(f"{path}: VERTUNIT {text!r} is not known; known: {', '.join(UNITS)}")
    return unit


def _coding(path: Path, header: bytes) -> tuple[str, int]:
    """Byte order and bytes per sample; the order's own code reads 0 or 1 in one order only."""
    order = "<" if header[34:36] == b"\x01\x00" else ">"
    comm_order = struct.unpack_from(order + "h", header, 34)[0]
    comm_type = struct.unpack_from(order + "h", header, 32)[0]
    if comm_order not in (0, 1) or comm_type not in (0, 1):
        raise FileError(
            f"{path}: COMM_ORDER {comm_order}, COMM_TYPE {comm_type}; both must be 0 or 1"
        )
    return order, 1 + int(comm_type)


def _check(path: Path, h: dict[str, Any]) -> None:
    """Raise FileError for header values that make no sense."""
    if h["count"] < 1:
        raise FileError(f"{path} holds no samples")
    if h["descriptor"] < _HEADER_BYTES or any(v < 0 for k, v in h.items() if k not in _SIGNED):
        raise FileError(f"{path}: WAVEDESC header with negative or too small lengths")
    if not (np.isfinite(h["interval"]) and h["interval"] > 0.0):
        raise FileError(f"{path}: HORIZ_INTERVAL must be positive, got {h['interval']!r} s")
    if not (np.isfinite(h["gain"]) and h["gain"] > 0.0 and np.isfinite(h["offset"])):
        raise FileError(f"{path}: VERTICAL_GAIN {h['gain']!r}, OFFSET {h['offset']!r}")
    if max(h["gain"], abs(h["offset"])) > _MAX_VOLTS:
        raise FileError(f"{path}: VERTICAL_GAIN {h['gain']:g}, OFFSET {h['offset']:g}: no scope's")
    if not math.isfinite(h["begin"]):
        raise FileError(f"{path}: HORIZ_OFFSET must be finite, got {h['begin']!r} s")
    number = h["record_type"]
    known = _RECORD_TYPES[number] if 0 <= number < len(_RECORD_TYPES) else f"{number}, unknown"
    if known not in _OF_TIME:
        raise FileError(
            f"{path}: RECORD_TYPE {known}: only {', '.join(_OF_TIME)} are records; save the "
            "channel itself"
        )
    segments = max(1, h["segments"])
    if h["count"] % segments:
        raise FileError(
            f"{path}: {segments} segments (SUBARRAY_COUNT) do not divide {h['count']} samples: the "
            "header is damaged"
        )
    if segments > 1 and h["trigtime"] not in (0, 16 * segments):
        raise FileError(
            f"{path}: a TRIGTIME array of {h['trigtime']} bytes for {segments} segments, expected "
            f"{16 * segments}"
        )


def _segmented(
    path: Path, h: dict[str, Any], data: NDArray[Any], order: str, triggers_at: int
) -> tuple[NDArray[Any], int | None, list[str]]:
    """Samples by segments, the sample of the trigger in each, and what is to be said."""
    segments = max(1, h["segments"])
    if segments == 1:
        return data.reshape(-1, 1), None, []
    shaped = data.reshape(segments, -1, 1)
    begins = np.full(segments, h["begin"])
    if h["trigtime"]:
        with path.open("rb") as file:
            file.seek(triggers_at)
            pairs = np.frombuffer(file.read(16 * segments), order + "f8").reshape(-1, 2)
        # Some firmware leaves the offsets of single segments at zero.
        if np.isfinite(pairs[:, 1]).all() and np.any(pairs[:, 1] != 0.0):
            begins = pairs[:, 1]
    samples = -begins / h["interval"]
    said = []
    if np.ptp(samples) > 1.0:
        said.append(
            f"{path.name}: its triggers lie {np.ptp(samples):.3g} samples apart within the segments"
        )
    release = math.ceil(float(np.median(samples)) - _AT_SAMPLE)
    if not 0 <= release < shaped.shape[1]:
        said.append(
            f"{path.name}: its triggers lie outside of the segments (sample {release} of "
            f"{shaped.shape[1]}): give the sample of the release, --release-index"
        )
        return shaped, None, said
    return shaped, release, said


def _channel(path: Path, source: int) -> str:
    """Name of the channel: as the scope names its files, or by WAVE_SOURCE."""
    found = _FILE_CHANNEL.match(path.name)
    return found[1] if found else f"C{source + 1}" if 0 <= source < 4 else "C1"


def _trigger_time(order: str, header: bytes) -> str:
    """Time of the trigger as text; empty where the header has none."""
    seconds, minute, hour, day, month, year = struct.unpack_from(order + "d4bh", header, 296)
    if not (year and math.isfinite(seconds)):
        return ""
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{seconds:09.6f}"


def _scaled(counts: NDArray[np.int16], gain: float, offset: float) -> tuple[NDArray[Any], float]:
    """Return counts and V per count, or volts and 1, so that volts = scale · data.

    The counts given are used up.
    """
    shift = offset / gain
    whole = round(shift)
    low, high = int(counts.min()) - whole, int(counts.max()) - whole
    if abs(shift - whole) < 1e-3 and -32768 <= low and high <= 32767:
        # In place, for up to 2 GB of counts: modulo 2^16 the difference is right, as it fits.
        counts -= np.array(whole % 65536).astype(np.uint16).view(np.int16)
        return counts, float(gain)
    volts = np.empty(len(counts), np.float32)
    for at in range(0, len(counts), _PIECE):
        volts[at : at + _PIECE] = counts[at : at + _PIECE] * gain - offset
    return volts, 1.0
