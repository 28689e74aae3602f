"""HDF5 files of other programs (qudi, labscript, Zurich Instruments, MATLAB 7.3) by path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ..records.record import Record
from .arrays import record_of_arrays
from .named_arrays import NamedArray, flattened
from .reading import Reading

__all__ = ["load_hdf5"]

# References of a dataset that are followed.
_MOST_ELEMENTS = 64


def load_hdf5(
    path: Path, reading: Reading, kind: str = "hdf5", reversed_axes: bool = False
) -> Record:
    """Read datasets; those with fields (labscript's t and values) are taken apart.

    Parameters
    ----------
    path : Path
        The file.
    reading : Reading
        What the user says; ``key`` is the path of a dataset or group.
    kind : str
        Format of the record.
    reversed_axes : bool
        Whether the axes stand in MATLAB's order.

    Raises
    ------
    FileError
        If it is no HDF5 file, damaged, or holds no record that can be told.
    """
    try:
        if not h5py.is_hdf5(path):
            raise FileError(f"{path} is not a run file: it is no HDF5 file or lost its beginning")
        with h5py.File(path, "r", locking=False) as file:
            arrays: list[NamedArray] = []
            groups: dict[str, dict[str, Any]] = {"": _attributes(file)}

            def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
                if isinstance(node, h5py.Group):
                    groups[name] = _attributes(node)
                elif not name.startswith("#") and node.shape is not None:
                    arrays.extend(_arrays_of(name, node, reversed_axes))

            file.visititems(visit)
            return record_of_arrays(kind, path, arrays, groups, reading)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        text = " ".join(str(error).split())[:160]
        raise FileError(f"{path} is truncated or damaged: {text}") from None


def _arrays_of(name: str, node: h5py.Dataset, reversed_axes: bool) -> list[NamedArray]:
    """A dataset as one array, or as one for each of its fields."""
    attributes = _attributes(node)
    if node.dtype.names:
        return [
            _array(f"{name}/{field}", node.shape, node.dtype[field], attributes, False,
                   partial(node.__getitem__, field))
            for field in node.dtype.names
        ]  # fmt: skip
    if reversed_axes and attributes.get("MATLAB_class") in (b"char", "char"):
        texts = _matlab_texts(node[()])
        return [_array(name, texts.shape, texts.dtype, attributes, False, lambda: texts)]
    if h5py.check_ref_dtype(node.dtype) is h5py.Reference:
        return _cells(name, node, reversed_axes)
    text = h5py.check_string_dtype(node.dtype) is not None
    dtype = np.dtype("U1") if text else node.dtype
    read = (lambda: np.asarray(node.asstr()[()], str)) if text else (lambda: node[()])
    return [_array(name, node.shape, dtype, attributes, reversed_axes, read)]


def _cells(name: str, node: h5py.Dataset, reversed_axes: bool) -> list[NamedArray]:
    """What the references of a dataset point to, as MATLAB 7.3 stores lists and cells."""
    if node.size > _MOST_ELEMENTS:
        return []
    targets = [node.file[reference] for reference in node[()].ravel() if reference]
    arrays = [
        array
        for number, target in enumerate(targets, 1)
        if isinstance(target, h5py.Dataset) and h5py.check_ref_dtype(target.dtype) is None
        for array in _arrays_of(f"{name}{{{number}}}", target, reversed_axes)
    ]
    if arrays and all(a.dtype.kind == "U" and a.size == 1 for a in arrays):
        texts = np.array([str(array.load().item()) for array in arrays])
        return [_array(name, texts.shape, texts.dtype, {}, False, lambda: texts)]
    return arrays


def _matlab_texts(codes: NDArray[Any]) -> NDArray[Any]:
    """Rows of a char matrix of MATLAB, as it stores them: (width, rows) of UTF-16."""
    rows = np.atleast_2d(codes).T.astype("<u2")
    return np.array([row.tobytes().decode("utf-16-le", "replace").rstrip() for row in rows])


def _array(
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    attributes: dict[str, Any],
    reversed_axes: bool,
    read: Callable[[], Any],
) -> NamedArray:
    """Describe a dataset that is read when it is asked for."""
    shape = shape[::-1] if reversed_axes else shape
    flat = flattened(shape)

    def load() -> NDArray[Any]:
        values = np.asarray(read())
        return (values.T if reversed_axes else values).reshape(flat)

    return NamedArray(name, flat, dtype, load, attributes)


def _attributes(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes of a node that can be read."""
    found = {}
    for name in node.attrs:
        try:
            found[str(name)] = node.attrs[name]
        except (OSError, TypeError, ValueError):  # of a type that h5py does not know
            continue
    return found
