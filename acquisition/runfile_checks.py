"""What is read of a run file is checked first: kinds, shapes, sizes and values of all it holds.

A file may be damaged, of another program, or made to harm. Nothing is followed out of it, nothing
is allocated that it does not hold, and no value passes that no experiment can have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.errors import FileError
from .checksums import CHECK_TYPE, attributes_crc
from .records.record import checked_rate
from .runfile_format import (
    CLOSING_ATTRIBUTES,
    EVENT_TYPE,
    FIXED_ATTRIBUTES,
    JSON_ATTRIBUTES,
    LARGEST_INDEX,
    SCHEMA,
    SCHEMA_VERSION,
    SLOW_TYPE,
    STRETCH_TYPE,
    TEXT_ATTRIBUTES,
)
from .swmr import left_open

__all__ = ["check_links", "check_plain", "check_stretches", "read_manifest"]

_TABLES = {"events": EVENT_TYPE, "slow": SLOW_TYPE, "stretches": STRETCH_TYPE}
_SAMPLE_TYPES = (np.dtype("<i2"), np.dtype("<f4"))
_MAX_ATTRIBUTE = 64 << 20  # bytes
_MAX_CHUNK = 256 << 20
_BEST_COMPRESSION = 1100  # of deflate, 1032, and what surrounds it
_LATEST_TIME = 2.5e11  # s since the epoch: what a date can be made of
_MODES = ("LIVE", "SIM", "REPLAY")
_STATES = ("interrupted", "complete")
_OUTCOMES = ("", "complete", "incomplete", "stopped", "aborted", "failed")


def read_manifest(path: Path, file: Any) -> dict[str, Any]:
    """Return the attributes of a run file, JSON decoded, after everything in it was checked.

    Parameters
    ----------
    path : Path
        For messages.
    file : h5py.File
        Open.

    Raises
    ------
    FileError
        If it is no run file, of a newer version, damaged, or refers to other files.
    """
    schema = _attribute(path, file.attrs, "schema") if "schema" in file.attrs else b""
    if not isinstance(schema, bytes) or bytes(schema).strip() != SCHEMA.encode("ascii"):
        raise FileError(f"{path} is an HDF5 file but not a run file of optobind")
    version = _attribute(path, file.attrs, "schema_version")
    if not isinstance(version, int) or version < 1:
        _damaged(path, f"schema_version {version!r}")
    if version > SCHEMA_VERSION:
        raise FileError(
            f"{path} has schema version {version}; this program reads up to {SCHEMA_VERSION}"
        )
    check_links(path, file)
    checksummed = "checksum" in file.attrs
    if checksummed != ("checksums" in file):
        _damaged(path, "only a part of its checksums is there")
    _check_datasets(path, file, (*_TABLES, "samples", *(["checksums"] if checksummed else [])))
    found = _attributes(path, file.attrs)
    if checksummed:
        _check_sums(path, file.attrs, found)
    _check_values(path, found)
    shape, channels = file["samples"].shape, len(found["channels"])
    if shape[1] != channels or np.shape(found["scale"]) != (channels,):
        _damaged(path, f"samples of shape {shape}, {channels} channels")
    return found


def check_links(path: Path, group: Any, within: str = "") -> None:
    """Raise FileError if a member of a group lies elsewhere: in another file, or by name only."""
    if not isinstance(group, h5py.Group):
        _damaged(path, f"{within.rstrip('/')} is no group")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FileError(
                f"{path}: {within}{name} is a link, which may lead out of the file: not followed"
            )


def check_stretches(
    path: Path, rows: NDArray[np.int64], first: NDArray[np.int64], total: int
) -> None:
    """Raise FileError unless stretches follow one another.

    Parameters
    ----------
    path : Path
        For the message.
    rows, first : ndarray of int64, shape (n,)
        Row and sample at which each begins.
    total : int
        Rows of the file.
    """
    held = np.diff(np.minimum(rows, total), append=total)
    begins = not total or (len(rows) > 0 and rows[0] == 0)
    small = (rows >= 0).all() and (first >= 0).all() and (first <= LARGEST_INDEX).all()
    if not (begins and small and (held >= 0).all()):
        _damaged(path, "its table of stretches makes no sense")
    if (first[1:] < (first + held)[:-1]).any():
        _damaged(path, "its table of stretches goes back in time")


# -- datasets -------------------------------------------------------------------------------------


def _check_datasets(path: Path, file: Any, names: tuple[str, ...]) -> None:
    """Check kind, type and size of the datasets, before anything is read of them."""
    for name in names:
        if name not in file:
            _damaged(path, f"{name} is missing")
        dataset = file[name]
        check_plain(path, [dataset], name)
        expected = CHECK_TYPE if name == "checksums" else _TABLES.get(name)
        known = _SAMPLE_TYPES if expected is None else (expected,)
        if dataset.dtype not in known:
            _damaged(path, f"{name} of type {str(dataset.dtype)[:60]}")
        if len(dataset.shape) != (2 if name == "samples" else 1):
            _damaged(path, f"{name} of shape {dataset.shape}")


def check_plain(path: Path, datasets: Iterable[Any], name: str) -> None:
    """Raise FileError unless these are datasets that lie in the file, no larger than it can hold.

    Parameters
    ----------
    path : Path
        The file.
    datasets : iterable of h5py objects
        Opened, nothing read.
    name : str
        For the message.
    """
    for dataset in datasets:
        if not isinstance(dataset, h5py.Dataset):
            _damaged(path, f"{name} is no dataset")
        if dataset.external or dataset.is_virtual:
            raise FileError(f"{path}: {name} lies in other files, which is not followed")
        if dataset.dtype.hasobject:
            _damaged(path, f"{name} of type {str(dataset.dtype)[:60]}")
        _check_size(path, name, dataset)


def _check_size(path: Path, name: str, dataset: Any) -> None:
    """Refuse what is said to be larger than the file can hold."""
    # Python's whole numbers: the product may not fit 64 bits.
    size = math.prod(map(int, dataset.shape)) * int(dataset.dtype.itemsize)
    filters = dataset.id.get_create_plist().get_nfilters()
    largest = path.stat().st_size * (_BEST_COMPRESSION if filters else 1)
    if size > largest:
        _damaged(path, f"{name} of shape {dataset.shape} in a file of {path.stat().st_size} bytes")
    chunk = math.prod(map(int, dataset.chunks or (0,))) * int(dataset.dtype.itemsize)
    if chunk > _MAX_CHUNK:
        _damaged(path, f"{name} in chunks of {chunk} bytes; at most {_MAX_CHUNK} can be")


# -- attributes -----------------------------------------------------------------------------------


def _attributes(path: Path, attributes: Any) -> dict[str, Any]:
    """Read the attributes that a run file has."""
    found: dict[str, Any] = {}
    plain = ("schema_version", "sample_rate", "scale", "created", "ended")
    for name in (*JSON_ATTRIBUTES, *TEXT_ATTRIBUTES, *plain):
        value = _attribute(path, attributes, name)
        if name in plain:
            found[name] = value
            continue
        if not isinstance(value, bytes):
            _damaged(path, f"attribute {name} is no text")
        found[name] = _json(path, name, value) if name in JSON_ATTRIBUTES else _text(value)
    found["recovered"] = "recovered" in attributes and bool(
        _attribute(path, attributes, "recovered")
    )
    return found


def _attribute(path: Path, attributes: Any, name: str) -> Any:
    """Value of an attribute as Python's own: bytes, a number or a list of numbers."""
    if name not in attributes:
        raise FileError(f"{path} is damaged: attribute {name} is missing")
    held = attributes.get_id(name)
    size = math.prod(map(int, held.shape)) * int(held.dtype.itemsize)
    if held.dtype.kind not in "Sbiuf" or size > _MAX_ATTRIBUTE or len(held.shape) > 1:
        _damaged(path, f"attribute {name} of type {str(held.dtype)[:60]}, shape {held.shape}")
    value = np.asarray(attributes[name]).tolist()
    return bytes(value) if isinstance(value, bytes) else value


def _text(value: bytes) -> str:
    return value.decode("utf-8").strip()


def _json(path: Path, name: str, text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        _damaged(path, f"attribute {name} is no JSON")


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)  # NaN and infinity are no JSON


def _check_sums(path: Path, attributes: Any, found: dict[str, Any]) -> None:
    """Compare the attributes with their checksums."""
    sums = {"checksum": FIXED_ATTRIBUTES, "closing_checksum": CLOSING_ATTRIBUTES}
    for name, covered in sums.items():
        if _attribute(path, attributes, name) == int(attributes_crc(attributes, covered)):
            continue
        # A writer that was killed while it closed the file may have written a part of these.
        if name == "checksum" or not left_open(path):
            _damaged(path, f"the checksum of its attributes ({', '.join(covered[-4:])} …) differs")
        found["state"] = "interrupted"


def _check_values(path: Path, m: dict[str, Any]) -> None:
    """Check what the attributes say."""
    if not _is_number(m["sample_rate"]):
        _damaged(path, f"sample_rate {m['sample_rate']!r}")
    m["sample_rate"] = checked_rate(str(path), float(m["sample_rate"]))
    channels, scale = m["channels"], m["scale"]
    if not (isinstance(channels, list) and channels and all(isinstance(c, str) for c in channels)):
        _damaged(path, "channels must be a list of names")
    if not (
        isinstance(scale, list) and all(_is_number(s) and 1e-30 < abs(s) < 1e30 for s in scale)
    ):
        _damaged(path, f"scale must hold numbers of 1e-30 … 1e30, got {str(scale)[:60]}")
    for name in ("created", "ended"):
        if not (_is_number(m[name]) and 0 <= m[name] <= _LATEST_TIME):
            _damaged(path, f"{name} {m[name]!r} s is no time")
    for name, known in {"mode": _MODES, "state": _STATES, "outcome": _OUTCOMES}.items():
        if m[name] not in known:
            _damaged(path, f"{name} {m[name][:40]!r}; known: {', '.join(filter(None, known))}")
    for name in ("config", "plan", "calibration", "versions"):
        m[name] = {} if m[name] is None and name == "plan" else m[name]
        if not isinstance(m[name], dict):
            _damaged(path, f"attribute {name} must be a table")
    if not (m["seed"] is None or _is_whole(m["seed"], 1 << 128)):
        _damaged(path, f"seed {str(m['seed'])[:60]}")
    _check_plan(path, m["plan"])
    _check_detectors(path, m["detectors"], len(channels), m["config"])


def _check_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Check the numbers of a plan that say what was to be recorded."""
    steps = plan.get("steps", []) if plan.get("kind") == "sequence" else [plan]
    if not (isinstance(steps, list) and all(isinstance(step, dict) for step in steps)):
        _damaged(path, "the steps of its plan are no tables")
    for step in steps:
        if not isinstance(step.get("kind", ""), str):
            _damaged(path, "the kind of a step of its plan is no text")
        repetitions, duration = step.get("repetitions"), step.get("duration")
        if repetitions is not None and not _is_whole(repetitions, 1 << 40):
            _damaged(path, f"a plan of {str(repetitions)[:40]!r} repetitions")
        if duration is not None and not (_is_number(duration) and 0.0 <= duration < 1e12):
            _damaged(path, f"a plan that lasts {str(duration)[:40]!r} s")


def _check_detectors(path: Path, detectors: Any, channels: int, config: Mapping[str, Any]) -> None:
    """Check what turns samples into metres, and columns into particles."""
    if not (isinstance(detectors, list) and all(isinstance(d, dict) for d in detectors)):
        _damaged(path, "attribute detectors must be a list of tables")
    numbers = [d.get("channel") for d in detectors]
    if not all(_is_whole(n, channels - 1) for n in numbers) or len(set(numbers)) != len(numbers):
        _damaged(path, f"detectors of channels {str(numbers)[:60]}, {channels} channels")
    calibrated = config.get("calibrated", False)
    if not isinstance(calibrated, bool):
        _damaged(path, "config.calibrated must be true or false")
    for d in detectors:
        per_metre, particle = d.get("volts_per_metre"), d.get("particle")
        if per_metre is not None and not (_is_number(per_metre) and per_metre > 0):
            _damaged(path, f"a detector of {str(per_metre)[:40]} V/m")
        if d.get("polarity") not in (None, 1, -1) or isinstance(d.get("polarity"), bool):
            _damaged(path, f"a detector of polarity {str(d['polarity'])[:40]}")
        if particle is not None and not _is_whole(particle, 1 << 20):
            _damaged(path, f"a detector of particle {str(particle)[:40]}")
        if calibrated and (per_metre is None or d.get("polarity") is None):
            _damaged(path, "it is called calibrated, and a detector has no calibration")
    masses = config.get("masses") or []
    if not isinstance(masses, list) or not all(
        m is None or (_is_number(m) and 0 < m < 1) for m in masses
    ):
        _damaged(path, f"masses {str(masses)[:60]} kg")


def _is_number(value: Any) -> bool:
    """Whether a value is a finite real number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any, largest: int) -> bool:
    """Whether a value is a whole number 0 … largest."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest


def _damaged(path: Path, what: str) -> NoReturn:
    raise FileError(f"{path} is damaged: {what}")
