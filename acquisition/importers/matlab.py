"""MATLAB's files: version 5 to 7.2 through scipy, version 7.3, which is HDF5, by path."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...models.errors import FileError
from ..records.record import Record
from .arrays import record_of_arrays
from .hdf5 import load_hdf5
from .named_arrays import NamedArray
from .reading import Reading

__all__ = ["load_matlab"]

# Elements of a list or of an array of structures that are looked into.
_MOST_ELEMENTS = 64


def load_matlab(path: Path, reading: Reading) -> Record:
    """Read the variables of a MATLAB file; fields of structures have paths, "data/left".

    Raises
    ------
    FileError
        If it cannot be read, or holds no record that can be told.
    """
    if h5py.is_hdf5(path):
        return load_hdf5(path, reading, "matlab", reversed_axes=True)
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(
            path, squeeze_me=False, struct_as_record=True, verify_compressed_data_integrity=True
        )
    except (
        MatReadError, OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError,
        EOFError, OverflowError, zlib.error, UnicodeDecodeError, AttributeError, MemoryError,
    ) as error:  # fmt: skip
        text = " ".join(str(error).split())[:120]
        raise FileError(f"{path} cannot be read as a MATLAB file: {text}") from None
    arrays: list[NamedArray] = []
    for name, value in found.items():
        if not name.startswith("__"):
            _collect(name, value, arrays)
    return record_of_arrays("matlab", path, arrays, {}, reading)


def _collect(name: str, value: Any, arrays: list[NamedArray]) -> None:
    """Append a variable, the fields of a structure, or the cells of a list."""
    if not isinstance(value, np.ndarray):
        return
    if value.dtype.names and value.size <= _MOST_ELEMENTS:
        for number, element in enumerate(value.flat, 1):
            path = name if value.size == 1 else f"{name}({number})"
            for field in value.dtype.names:
                _collect(f"{path}/{field}", element[field], arrays)
    elif value.dtype.kind in "iufUS":
        arrays.append(NamedArray.of(name, value.reshape(()) if value.size == 1 else value))
    elif value.dtype.kind == "O" and value.size <= _MOST_ELEMENTS:
        texts = [_text(cell) for cell in value.flat]
        if texts and all(text is not None for text in texts):
            arrays.append(NamedArray.of(name, np.array(texts, str)))
            return
        for number, cell in enumerate(value.flat, 1):
            _collect(f"{name}{{{number}}}", cell, arrays)


def _text(cell: Any) -> str | None:
    """The text of a cell that holds one."""
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size == 1:
        return str(cell.item())
    return cell if isinstance(cell, str) else None
