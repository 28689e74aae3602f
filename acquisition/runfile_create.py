"""Makes a run file with all its datasets and attributes, and grows its tables of records."""

from __future__ import annotations

import contextlib
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.json_values import json_text
from .checksums import CHECK_TYPE, attributes_crc
from .runfile_format import (
    CLOSING_ATTRIBUTES,
    EVENT_TYPE,
    FIXED_ATTRIBUTES,
    SCHEMA,
    SCHEMA_VERSION,
    SLOW_TYPE,
    STRETCH_TYPE,
    Manifest,
)
from .swmr import write_swmr

__all__ = [
    "append_records",
    "close_attributes",
    "create_run_file",
    "make_tables",
    "sign_attributes",
]


def create_run_file(path: Path, manifest: Manifest, chunk_rows: int) -> Any:
    """Make a file and switch it to the mode in which it can be read while it grows.

    Parameters
    ----------
    path : Path
        File to make.
    manifest : Manifest
        What is known when the run begins.
    chunk_rows : int
        Rows of a chunk of samples.

    Returns
    -------
    h5py.File
        With the empty datasets ``samples``, ``events``, ``slow``, ``stretches`` and ``checksums``.
    """
    # Version 1.10 of the format is the oldest that allows reading while writing.
    file = h5py.File(path, "x", libver=("v110", "v110"))
    _write_attributes(file.attrs, manifest)
    make_tables(file, len(manifest.channels), np.dtype(manifest.dtype), chunk_rows)
    sign_attributes(file.attrs)
    file.close()
    return write_swmr(path)


def make_tables(file: Any, channels: int, dtype: np.dtype[Any], chunk_rows: int) -> None:
    """Make the empty datasets of a run file; arguments as of the samples."""
    shape, chunks = (0, channels), (chunk_rows, channels)
    file.create_dataset("samples", shape, dtype, maxshape=(None, channels), chunks=chunks)
    for name, kind in {"events": EVENT_TYPE, "slow": SLOW_TYPE, "stretches": STRETCH_TYPE}.items():
        file.create_dataset(name, shape=(0,), maxshape=(None,), chunks=(64,), dtype=kind)
    # Some 16 kB a chunk: a fast run brings thousands of checksums a second.
    file.create_dataset("checksums", shape=(0,), maxshape=(None,), chunks=(682,), dtype=CHECK_TYPE)


def sign_attributes(attributes: Any) -> None:
    """Write the checksums of the attributes."""
    attributes["checksum"] = attributes_crc(attributes, FIXED_ATTRIBUTES)
    attributes["closing_checksum"] = attributes_crc(attributes, CLOSING_ATTRIBUTES)


def append_records(dataset: Any, records: NDArray[np.void]) -> None:
    """Append records with one resize and one flush; nothing happens for none."""
    if not records.size:
        return
    start = dataset.shape[0]
    dataset.resize(start + records.size, axis=0)
    dataset[start:] = records
    dataset.flush()


def _write_attributes(attributes: Any, m: Manifest) -> None:
    """Write what is known now, and room for what will be known at the end."""
    for name, text in {"schema": SCHEMA, "unit": m.unit, "mode": m.mode}.items():
        attributes[name] = np.bytes_(text.encode("utf-8") or b" ")
    attributes["schema_version"] = SCHEMA_VERSION
    attributes["sample_rate"] = float(m.sample_rate)
    attributes["scale"] = np.asarray(m.scale, np.float64)
    attributes["created"] = time.time()
    attributes["ended"] = 0.0
    attributes["state"] = np.array(b"interrupted", "S16")
    attributes["outcome"] = np.array(b"", "S16")
    attributes["reason"] = np.array(b"", "S400")
    for name, value in {
        "channels": m.channels,
        "config": m.config,
        "plan": m.plan,
        "detectors": m.detectors,
        "calibration": m.calibration,
        "versions": {**_versions(), **m.versions},
        "seed": m.seed,
    }.items():
        attributes[name] = np.bytes_(json_text(value).encode("ascii"))


def close_attributes(attributes: Any, outcome: str, reason: bytes, *, whole: bool) -> None:
    """Write how the run ended.

    Parameters
    ----------
    attributes : h5py.AttributeManager
        Of the file.
    outcome : str
        See :mod:`.outcome`.
    reason : bytes
        At most 400 bytes of UTF-8.
    whole : bool
        Mark the file as closed in good order.
    """
    attributes.modify("outcome", np.array(outcome.encode("ascii"), "S16"))
    attributes.modify("reason", np.array(reason, "S400"))
    attributes.modify("ended", time.time())
    if whole:
        attributes.modify("state", np.array(b"complete", "S16"))
    attributes.modify("closing_checksum", attributes_crc(attributes, CLOSING_ATTRIBUTES))


def _versions() -> dict[str, str]:
    """Versions of what wrote the file."""
    found = {"python": sys.version.split()[0], "hdf5": h5py.version.hdf5_version}
    for name in ("optobind", "numpy", "scipy", "numba", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
