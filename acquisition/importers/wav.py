"""WAV files: integers are counts, floating-point numbers shares of full scale; never volts."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np

from ...models.errors import FileError
from ..free_memory import require_memory
from ..records.record import Record
from .arrays import record_of_arrays
from .named_arrays import NamedArray
from .reading import Reading

__all__ = ["load_wav"]

_HEAD = 4096


def load_wav(path: Path, reading: Reading) -> Record:
    """Read a WAV file of 16, 24, 32 bit or floating-point samples.

    Raises
    ------
    FileError
        If it is truncated, compressed or no WAV file.
    """
    from scipy.io import wavfile

    require_memory(path, 8 * path.stat().st_size)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            rate, samples = wavfile.read(path)
    except (OSError, ValueError, EOFError, struct.error, UnboundLocalError, OverflowError) as error:
        text = " ".join(str(error).split())[:120]
        raise FileError(f"{path} cannot be read as WAV: {text}") from None
    for warning in said:
        if "ended prematurely" in str(warning.message) or "Reached EOF" in str(warning.message):
            raise FileError(f"{path} is truncated: {' '.join(str(warning.message).split())[:100]}")
    if samples.dtype == np.int32 and _bits(path) == 24:
        samples = samples >> 8  # which scipy puts into the upper three bytes of four
    unit = "counts" if samples.dtype.kind in "iu" else "a.u."
    members = [
        NamedArray.of("samples", samples),
        NamedArray.of("sample_rate", np.array(float(rate))),
    ]
    return record_of_arrays(
        "wav", path, [*members, NamedArray.of("unit", np.array(unit))], {}, reading
    )


def _bits(path: Path) -> int:
    """Bits of a sample that the header states; 0 if it states none."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    at = head.find(b"fmt ")
    order = ">" if head.startswith(b"RIFX") else "<"
    return int(struct.unpack_from(order + "H", head, at + 22)[0]) if 0 < at < _HEAD - 24 else 0
