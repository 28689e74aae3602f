"""Makes a clean file of one whose writer was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..models.errors import FileError, InputError
from .disk_space import free_bytes
from .runfile import RunFile
from .swmr import open_swmr

__all__ = ["recover"]

_COPY_ROWS = 1 << 16
_RESERVE_BYTES = 1 << 20


def recover(path: str | Path, out: str | Path | None = None) -> Path:
    """Copy everything acknowledged to a file that any HDF5 program opens.

    The copy stays marked as interrupted, and as recovered.

    Parameters
    ----------
    path : path-like
        An interrupted run file; it is not changed.
    out : path-like, optional
        File to make; ``NAME_recovered.h5`` beside the original by default. Never overwritten.

    Returns
    -------
    Path
        The clean file.

    Raises
    ------
    InputError
        If the run is complete: there is nothing to recover.
    FileError
        If the original cannot be read or the copy not be written.
    """
    path = Path(path)
    with RunFile.open(path) as run:
        if run.complete:
            raise InputError(f"{path} is complete: there is nothing to recover")
        if run.manifest.get("recovered", False):
            raise InputError(f"{path} is a recovered file already")
    target = path.with_name(f"{path.stem}_recovered{path.suffix}") if out is None else Path(out)
    if target.exists():
        raise FileError(f"{target} exists already: it is not overwritten")
    if not target.parent.is_dir():
        raise FileError(f"{target.parent} is not a directory: cannot write {target.name}")
    # Under another name until it is whole: a copy cut short must not pass for a recovered file.
    part = target.with_name(f"{target.name}.part")
    try:
        _require_room(path, target)
        with (
            open_swmr(path) as source,
            h5py.File(part, "w", libver=("v110", "v110")) as copy,
        ):
            _copy(source, copy)
        part.rename(target)
    except FileError:
        raise
    except (OSError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise FileError(f"{path} could not be recovered to {target}: {text}") from None
    finally:
        part.unlink(missing_ok=True)
    return target


def _require_room(path: Path, target: Path) -> None:
    """Raise FileError in time: HDF5 crashes the process some time after a write that failed."""
    needed, free = path.stat().st_size + _RESERVE_BYTES, free_bytes(target)
    if free < needed:
        raise FileError(
            f"{path} could not be recovered to {target}: disk full ({needed / 1e6:.1f} MB needed, "
            f"{max(0, free) / 1e6:.1f} MB free); move the file to a larger disk first"
        )


def _copy(source: Any, copy: Any) -> None:
    """Copy attributes and datasets."""
    for name, value in source.attrs.items():
        copy.attrs[name] = value
    copy.attrs["recovered"] = np.bool_(True)
    for name, dataset in source.items():
        made = copy.create_dataset(
            name,
            shape=dataset.shape,
            maxshape=dataset.maxshape,
            chunks=dataset.chunks,
            dtype=dataset.dtype,
        )
        for start in range(0, dataset.shape[0], _COPY_ROWS):
            made[start : start + _COPY_ROWS] = dataset[start : start + _COPY_ROWS]
