"""Writes a run file without end and says after each append what is acknowledged; to be killed."""

import sys

import numpy as np

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.models.blocks import Block


def counts(first, rows):
    index = np.arange(first, first + rows)
    return np.stack([index % 30011, -(index % 29989)], axis=1).astype(np.int16)


def main(path, rows, batch="1"):
    """Append ``batch`` blocks of ``rows`` samples at a time, with gaps and events among them."""
    rows = int(rows)
    recorder = Recorder(
        path, Manifest(1e6, ("a", "b"), (1e-3, 2e-3), plan={"kind": "monitor"}), chunk_rows=4096
    )
    first = number = 0
    while True:
        blocks, events = [], []
        for _ in range(int(batch)):
            if number % 50 == 49:
                first += 1000
            blocks.append((Block(first, counts(first, rows), np.ones(2), number), None))
            first += rows
            if number % 10 == 0:
                payload = {"text": "x" * 1000, "number": number}
                events.append(Event(first, EventKind.NOTE, payload))
            number += 1
        recorder.append(blocks, events)
        print(recorder.samples, number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
