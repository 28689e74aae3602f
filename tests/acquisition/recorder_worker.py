"""Writes a run file without end and says after each block what is acknowledged; to be killed."""

import sys

import numpy as np

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.models.blocks import Block


def counts(first, rows):
    index = np.arange(first, first + rows)
    return np.stack([index % 30011, -(index % 29989)], axis=1).astype(np.int16)


def main(path, rows):
    rows = int(rows)
    recorder = Recorder(
        path, Manifest(1e6, ("a", "b"), (1e-3, 2e-3), plan={"kind": "monitor"}), chunk_rows=4096
    )
    first = number = 0
    while True:
        if number % 50 == 49:
            first += 1000
        recorder.write(Block(first, counts(first, rows), np.ones(2), number))
        first += rows
        if number % 10 == 0:
            recorder.event(Event(first, EventKind.NOTE, {"text": "x" * 1000, "number": number}))
        number += 1
        print(recorder.samples, number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
