"""Long run files made of a short simulated one, again and again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from optobind.acquisition.checksums import CHECK_TYPE, cells_of_records, cells_of_samples
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_create import append_records, sign_attributes
from optobind.acquisition.runfile_format import EVENT_TYPE, STRETCH_TYPE, encode_events

STORED_TILE = 1 << 27
"""Bytes that are really stored of a file of any length; the others are the same ones again."""


def tile_run(
    source: Path, target: Path, size: int, kind: Literal["monitor", "reheating"], *, gap: int = 0
) -> int:
    """Make a run file of at least ``size`` bytes of samples that needs little of the disk.

    Parameters
    ----------
    source : Path
        Run of two steps, a monitor and a reheating step.
    target : Path
        File to make.
    size : int
        Bytes of samples.
    kind : {"monitor", "reheating"}
        Which step is repeated.
    gap : int
        Samples that are lost between two tiles.

    Returns
    -------
    int
        Number of samples.
    """
    with RunFile.open(source) as run:
        events = run.events()
        low, high = _step(events, kind)
        counts = run.samples(low, high)
    rows = len(counts)
    # As many tiles in one piece as are stored at all: few pieces make up the file.
    folded = max(1, STORED_TILE // counts.nbytes)
    tiles = -(-size // counts.nbytes)
    folded = min(folded, tiles)
    tiles = -(-tiles // folded) * folded
    starts = np.arange(tiles, dtype=np.int64) * (rows + gap)
    stretches = np.zeros(tiles if gap else 1, STRETCH_TYPE)
    stretches["row"] = np.arange(len(stretches)) * rows
    stretches["sample"] = starts[: len(stretches)]
    with h5py.File(target, "w", libver=("v110", "v110")) as file:
        with h5py.File(source, "r", locking=False) as given:
            _copy_attributes(given, file, kind, tiles)
            slow = given["slow"][:]
        checks = file.create_dataset("checksums", (0,), CHECK_TYPE, maxshape=(None,), chunks=(682,))
        for name, records in {"slow": slow, "stretches": stretches}.items():
            file.create_dataset(name, data=records)
            append_records(checks, cells_of_records(name, 0, records))
        _write_samples(file, counts, tiles, folded)
        made = file.create_dataset("events", (0,), EVENT_TYPE, maxshape=(None,), chunks=(64,))
        inner = [e for e in events if low <= e.sample <= high]
        for piece in _events(inner, low, starts, kind, int(starts[-1]) + rows):
            append_records(checks, cells_of_records("events", len(made), piece))
            append_records(made, piece)
    return tiles * rows


def _step(events: list[Event], kind: str) -> tuple[int, int]:
    """Samples of the step of one kind."""
    index = next(
        e.payload["index"]
        for e in events
        if e.kind is EventKind.STEP_START and e.payload["kind"] == kind
    )
    found = {
        e.kind: e.sample
        for e in events
        if e.kind in (EventKind.STEP_START, EventKind.STEP_END) and e.payload["index"] == index
    }
    return found[EventKind.STEP_START], found[EventKind.STEP_END]


def _copy_attributes(given: Any, file: Any, kind: str, tiles: int) -> None:
    """Copy what is known of the run; the plan is the one step, so many times."""
    for name, value in given.attrs.items():
        file.attrs[name] = value
    plan = json.loads(bytes(given.attrs["plan"]))
    step = next(s for s in plan["steps"] if s["kind"] == kind)
    length = "duration" if kind == "monitor" else "repetitions"
    file.attrs["plan"] = np.bytes_(json.dumps({**step, length: step[length] * tiles}))
    sign_attributes(file.attrs)


def _write_samples(file: Any, counts: np.ndarray, tiles: int, folded: int) -> None:
    """Store a few tiles; the whole is a view of them, one after the other."""
    rows, columns = counts.shape
    stored = file.create_dataset(
        "tile", (folded * rows, columns), counts.dtype, chunks=(1 << 16, columns)
    )
    for number in range(folded):
        stored[number * rows : (number + 1) * rows] = counts
    layout = h5py.VirtualLayout((tiles * rows, columns), counts.dtype)
    pieces = [counts] * folded
    for first in range(0, tiles * rows, folded * rows):
        append_records(file["checksums"], cells_of_samples(first, pieces))
        layout[first : first + folded * rows] = h5py.VirtualSource(stored)
    file.create_virtual_dataset("samples", layout)


def _events(
    events: list[Event], low: int, starts: np.ndarray, kind: str, end: int
) -> Iterator[np.ndarray]:
    """Records of all tiles; repetitions are numbered on."""
    edges = {EventKind.RUN_START, EventKind.RUN_END, EventKind.STEP_START, EventKind.STEP_END}
    inner = [e for e in events if e.kind not in edges]
    repetitions = sum(e.kind is EventKind.RELEASE for e in inner)
    begin = {"index": 0, "kind": kind}
    yield encode_events([Event(0, EventKind.RUN_START), Event(0, EventKind.STEP_START, begin)])
    for number, start in enumerate(starts.tolist()):
        moved = []
        for event in inner:
            payload = dict(event.payload)
            if "repetition" in payload:
                payload["repetition"] += number * repetitions
            moved.append(replace(event, sample=event.sample - low + start, payload=payload))
        yield encode_events(moved)
    yield encode_events([Event(end, EventKind.STEP_END, begin), Event(end, EventKind.RUN_END)])
