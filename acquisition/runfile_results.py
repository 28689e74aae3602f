"""Results in a run file: one group each, JSON text beside the arrays that it refers to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError, InputError
from ..models.json_values import json_text
from .disk_space import free_bytes
from .runfile_format import SCHEMA

__all__ = ["read_results", "write_results"]

_REFERENCE = "$dataset"
_SPARE_BYTES = 1 << 20


def write_results(path: str | Path, results: Mapping[str, Any]) -> None:
    """Store results in a run file whose writer has closed it; one of the same name is replaced.

    Parameters
    ----------
    path : path-like
        A complete (or recovered) run file.
    results : mapping
        Name → JSON values; numpy arrays anywhere inside become datasets of their own.

    Raises
    ------
    FileError
        If the file is missing, foreign, interrupted, open elsewhere or cannot be written.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path} does not exist")
    for name in results:
        if not name or "/" in name or name == ".":
            raise InputError(f"result name {name!r} must not be empty or hold '/'")
    try:
        with h5py.File(path, "r+") as file:
            if bytes(file.attrs.get("schema", b"")) != SCHEMA.encode("ascii"):
                raise FileError(f"{path} is not a run file of optobind")
            _require_room(path, results)
            group = file.require_group("results")
            for name, value in results.items():
                if name in group:
                    del group[name]
                _store(group.create_group(name), value)
    except (OSError, RuntimeError) as error:
        if isinstance(error, FileError):
            raise
        text = " ".join(str(error).split())[:200]
        hint = "was interrupted: recover it first" if "consistency flags" in text else text
        raise FileError(f"results cannot be written to {path}: {hint}") from None


def _require_room(path: Path, results: Mapping[str, Any]) -> None:
    """Refuse before anything is written: HDF5 does not survive a disk that fills under it."""
    arrays: list[NDArray[Any]] = []
    size = len(json_text(_extracted(dict(results), arrays))) + sum(a.nbytes for a in arrays)
    if free_bytes(path) < size + _SPARE_BYTES:
        raise FileError(f"results cannot be written to {path}: the disk is full")


def read_results(file: Any) -> dict[str, Any]:
    """Read the results of an open run file; empty if there are none."""
    group = file.get("results")
    if group is None:
        return {}
    found: dict[str, Any] = {}
    for name, item in group.items():
        text = item["json"][()]
        found[name] = _restored(json.loads(bytes(text)), item)
    return found


def _store(group: Any, value: Any) -> None:
    """Write one result."""
    arrays: list[NDArray[Any]] = []
    text = json_text(_extracted(value, arrays))
    group.create_dataset("json", data=np.bytes_(text.encode("ascii")))
    for number, array in enumerate(arrays):
        group.create_dataset(f"array{number}", data=array)


def _extracted(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Replace numeric arrays by references."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        arrays.append(value)
        return {_REFERENCE: f"array{len(arrays) - 1}"}
    if isinstance(value, Mapping):
        return {str(k): _extracted(v, arrays) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_extracted(v, arrays) for v in value]
    return value


def _restored(value: Any, group: Any) -> Any:
    """Replace references by arrays."""
    if isinstance(value, dict):
        if list(value) == [_REFERENCE]:
            return group[value[_REFERENCE]][()]
        return {k: _restored(v, group) for k, v in value.items()}
    if isinstance(value, list):
        return [_restored(v, group) for v in value]
    return value
