"""Makes a clean file of one whose writer was killed, or of which a part is damaged."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError, InputError
from .checksums import cells_of_records, cells_of_samples
from .disk_space import free_bytes
from .events import Event, EventKind
from .ranges import Range, Ranges
from .runfile import RunFile
from .runfile_create import append_records, make_tables, sign_attributes
from .runfile_damage import verify
from .runfile_format import STRETCH_TYPE, encode_events
from .sample_store import SampleStore

__all__ = ["recover"]

_COPY_ROWS = 1 << 16
_RESERVE_BYTES = 1 << 20


def recover(path: str | Path, out: str | Path | None = None) -> Path:
    """Copy everything acknowledged and whole to a file that any HDF5 program opens.

    The copy is marked as recovered, and stays marked as interrupted. Samples that differ from their
    checksums become gaps, with a note.

    Parameters
    ----------
    path : path-like
        An interrupted or damaged run file; it is not changed.
    out : path-like, optional
        File to make; ``NAME_recovered.h5`` beside the original by default. Never overwritten.

    Returns
    -------
    Path
        The clean file.

    Raises
    ------
    InputError
        If the run is complete and no sample is damaged: there is nothing to recover.
    FileError
        If the original cannot be read or the copy not be written.
    """
    path = Path(path)
    with RunFile.open(path) as run:
        damaged = Ranges(_damaged_samples(run))
        if not damaged and run.complete:
            raise InputError(f"{path} is complete: there is nothing to recover")
        if not damaged and run.manifest.get("recovered", False):
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
            RunFile.open(path) as run,
            h5py.File(part, "w", libver=("v110", "v110")) as copy,
        ):
            _copy(run, copy, damaged)
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


def _damaged_samples(run: RunFile) -> tuple[Range, ...]:
    """Samples that differ from their checksums; raises FileError if anything else does."""
    found = verify(run)
    others = {table: ranges for table, ranges in found.damaged.items() if table != "samples"}
    if others or found.unreadable:
        raise FileError(
            f"{run.path} cannot be recovered: {replace(found, damaged=others).words()}; what was "
            "done while it was recorded is not known for certain"
        )
    return found.damaged.get("samples", ())


def _copy(run: RunFile, copy: Any, damaged: Ranges) -> None:
    """Copy attributes and datasets, without the damaged samples."""
    for name, value in run.file.attrs.items():
        copy.attrs[name] = value
    copy.attrs["recovered"] = np.bool_(True)
    sign_attributes(copy.attrs)
    chunks = run.file["samples"].chunks
    make_tables(copy, len(run.channels), run.dtype, chunks[0] if chunks else _COPY_ROWS)
    for name in ("events", "slow"):
        for piece in run.records(name):
            _append(copy, name, piece)
    if damaged:
        _append(copy, "events", encode_events([_note(run, damaged)]))
    row, stretches = 0, []
    store = SampleStore(copy["samples"])
    for start, stop in run.recorded().without(damaged):
        stretches.append((row, start))
        row += stop - start
        for at in range(start, stop, _COPY_ROWS):
            counts = run.samples(at, min(at + _COPY_ROWS, stop))
            append_records(copy["checksums"], cells_of_samples(store.rows, [counts]))
            store.append([counts])
    _append(copy, "stretches", np.array(stretches, STRETCH_TYPE))


def _append(copy: Any, name: str, records: NDArray[Any]) -> None:
    append_records(copy["checksums"], cells_of_records(name, copy[name].shape[0], records))
    append_records(copy[name], records)


def _note(run: RunFile, damaged: Ranges) -> Event:
    """Say in the copy what was left out."""
    last = max(run.recorded().stops.max(initial=0), damaged.stops.max(initial=0))
    text = f"left out because damaged: {damaged.samples} samples, {damaged!r}"
    return Event(int(last), EventKind.NOTE, {"text": text}, time.time())
