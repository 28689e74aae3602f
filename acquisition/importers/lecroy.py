"""LeCroy waveforms: a WAVEDESC header (template LECROY_2_3), with or without a command's preamble.

Volts are VERTICAL_GAIN · count − VERTICAL_OFFSET.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .reading import Reading

__all__ = ["is_lecroy", "load_lecroy"]

_MAGIC = b"WAVEDESC"
# "C1:WF ALL,#9000500350" and its likes are far shorter.
_PREAMBLE = 64
_HEADER_BYTES = 346
_PIECE = 1 << 20
_FIXED_FIELDS = {
    "descriptor": (36, "i"),
    "user_text": (40, "i"),
    "res_desc1": (44, "i"),
    "trigtime": (48, "i"),
    "ris_time": (52, "i"),
    "res_array1": (56, "i"),
    "bytes": (60, "i"),
    "count": (116, "i"),
    "segments": (144, "i"),
    "gain": (156, "f"),
    "offset": (160, "f"),
    "interval": (176, "f"),
}


def is_lecroy(head: bytes) -> bool:
    """Whether the first bytes of a file are a waveform's."""
    return _MAGIC in head[: _PREAMBLE + len(_MAGIC)]


def load_lecroy(path: Path, reading: Reading) -> Record:
    """Read a waveform; a sequence of segments becomes repetitions (r, n, 1).

    Counts are kept as int16 when the offset is a whole number of counts, else samples are float32.

    Raises
    ------
    FileError
        If the file is truncated or its header makes no sense.
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
    order, width = _coding(path, header)
    h = {k: struct.unpack_from(order + f, header, at)[0] for k, (at, f) in _FIXED_FIELDS.items()}
    _check(path, h)
    skipped = ("descriptor", "user_text", "res_desc1", "trigtime", "ris_time", "res_array1")
    start = begin + sum(h[name] for name in skipped)
    available = length - start
    size = h["count"] * width
    if available < size or h["bytes"] < size:
        raise FileError(
            f"{path} is truncated: {max(0, available)} of {size} bytes of samples "
            f"({h['count']} samples of {8 * width} bit)"
        )
    kind = "i1" if width == 1 else order + "i2"
    counts = np.fromfile(path, kind, h["count"], offset=start).astype(np.int16, copy=False)
    data, scale = _scaled(counts, h["gain"], h["offset"])
    # The interval is a float32: its shortest decimal form is what was meant.
    rate = checked_rate(str(path), 1.0 / float(str(np.float32(h["interval"]))))
    segments = max(1, h["segments"])
    if segments > 1 and counts.size % segments == 0:
        shaped: NDArray[Any] = data.reshape(segments, -1, 1)
    else:
        shaped = data.reshape(-1, 1)
    return array_record("lecroy", path, rate, ("C1",), "V", np.array([scale]), shaped)


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
    if h["descriptor"] < _HEADER_BYTES or any(v < 0 for k, v in h.items() if k != "offset"):
        raise FileError(f"{path}: WAVEDESC header with negative or too small lengths")
    if not (np.isfinite(h["interval"]) and h["interval"] > 0.0):
        raise FileError(f"{path}: HORIZ_INTERVAL must be positive, got {h['interval']!r} s")
    if not (np.isfinite(h["gain"]) and h["gain"] > 0.0 and np.isfinite(h["offset"])):
        raise FileError(f"{path}: VERTICAL_GAIN {h['gain']!r}, OFFSET {h['offset']!r} V")


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
