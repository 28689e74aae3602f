"""Results in a run file: one group each, JSON text beside the arrays that it refers to."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError, InputError
from ..models.json_values import json_text
from .disk_space import free_bytes
from .runfile_checks import check_links, check_plain
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
            check_links(path, file)
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


def read_results(path: Path, file: Any) -> dict[str, Any]:
    """Read the results of an open run file; empty if there are none.

    Raises
    ------
    FileError
        If one is damaged or lies in another file.
    """
    group = file.get("results")
    if group is None:
        return {}
    found: dict[str, Any] = {}
    check_links(path, file)
    check_links(path, group, "results/")
    for name, item in group.items():
        check_links(path, item, f"results/{name}/")
        check_plain(path, item.values(), f"results/{name}")
        values = {key: dataset[()] for key, dataset in item.items()}
        if "checksum" in item.attrs and int(item.attrs["checksum"]) != _sum_of(values):
            raise FileError(f"{path} is damaged: result {name} differs from its checksum")
        found[name] = _restored(json.loads(bytes(values["json"])), values)
    return found


def _sum_of(values: Mapping[str, Any]) -> int:
    """Checksum of the datasets of a result, by name."""
    crc = 0
    for name in sorted(values):
        crc = zlib.crc32(name.encode("ascii") + np.asarray(values[name]).tobytes(), crc)
    return crc


def _store(group: Any, value: Any) -> None:
    """Write one result."""
    arrays: list[NDArray[Any]] = []
    text = json_text(_extracted(value, arrays))
    group.create_dataset("json", data=np.bytes_(text.encode("ascii")))
    for number, array in enumerate(arrays):
        group.create_dataset(f"array{number}", data=array)
    group.attrs["checksum"] = np.uint32(_sum_of({key: item[()] for key, item in group.items()}))


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


def _restored(value: Any, arrays: Mapping[str, Any]) -> Any:
    """Replace references by arrays."""
    if isinstance(value, dict):
        if list(value) == [_REFERENCE]:
            return arrays[value[_REFERENCE]]
        return {k: _restored(v, arrays) for k, v in value.items()}
    if isinstance(value, list):
        return [_restored(v, arrays) for v in value]
    return value
