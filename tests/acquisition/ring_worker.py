"""Reader in a process of its own: checks every block and reports as JSON on standard output.

A sample of the stress stream tells the block's number and its place: a torn block shows.
"""

import json
import os
import pickle
import sys

import numpy as np

from optobind.acquisition.ring import Ring


def pattern(number, rows, channels):
    start = (number * 7919) & 0x7FFF
    return ((start + np.arange(rows * channels)) & 0x7FFF).astype(np.int16).reshape(rows, channels)


def main(descriptor_hex, name, lossless, crash):
    ring = Ring.attach(pickle.loads(bytes.fromhex(descriptor_hex)))
    cursor = ring.cursor(name, lossless=lossless == "lossless")
    read = torn = missed = 0
    while not cursor.finished:
        block = cursor.next(timeout=0.5)
        if block is None:
            continue
        read += block.samples.shape[0]
        if cursor.overrun is not None:
            missed += cursor.overrun.missed_samples
        torn += not np.array_equal(block.samples, pattern(block.sequence, *block.samples.shape))
        if crash == "crash" and read > 1000:
            os._exit(3)
    print(json.dumps({"read": read, "torn": torn, "missed": missed, "total": cursor.missed}))
    ring.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
