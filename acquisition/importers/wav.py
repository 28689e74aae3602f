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
    unit = "counts" if samples.dtype.kind in "iu" else "a.u."
    members = [
        NamedArray.of("samples", samples),
        NamedArray.of("sample_rate", np.array(float(rate))),
    ]
    return record_of_arrays(
        "wav", path, [*members, NamedArray.of("unit", np.array(unit))], {}, reading
    )
