"""Files damaged at random, by fixed seeds: what tests of damaged input share."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from optobind.acquisition.records.opening import open_record
from optobind.models.errors import OptobindError

MEMORY = 400 << 20
"""Bytes that reading a file of some kilobytes may need at most."""


def damaged(data: bytes, rnd: random.Random) -> bytes:
    """A few random changes: flipped bits, other bytes, pieces cut out, doubled, moved or added."""
    changed = bytearray(data)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 8))):
        if not changed:
            break
        at = rnd.randrange(len(changed))
        if rnd.random() < 0.5:
            at = rnd.randrange(min(len(changed), 512))  # headers are small and say most
        size = rnd.choice((1, 1, 2, 4, 8, 64))
        match rnd.randrange(7):
            case 0 | 1:
                changed[at] ^= 1 << rnd.randrange(8)
            case 2:
                changed[at : at + size] = rnd.randbytes(size)
            case 3:
                del changed[at : at + size]
            case 4:
                changed[at:at] = changed[at : at + size]
            case 5:
                extreme = rnd.choice((b"\x00", b"\xff", b"\x7f", b"-", b"9", b"nan", b"1e999"))
                changed[at : at + len(extreme)] = extreme
            case _:
                del changed[rnd.randrange(len(changed)) :]
    return bytes(changed)


def read_all(path: Path) -> None:
    """Open a record and read it; what is accepted must make sense."""
    with open_record(path) as record:
        assert np.isfinite(record.sample_rate)
        assert 0.0 < record.sample_rate <= 1e12
        assert len(record.names) == len(record.scale) == len(record.masses) >= 1
        assert np.isfinite(record.scale).all()
        assert all(isinstance(name, str) for name in record.names)
        ranges = record.recorded()
        assert (ranges.lengths > 0).all()
        assert (ranges.starts >= 0).all()
        if record.worth is not None:
            assert isinstance(record.worth.words(), str)
        for start, stop in ranges[:8]:
            values = record.read(start, min(stop, start + 4096))
            assert values.shape[1] == len(record.names)
            assert np.isfinite(values).all()


def fuzz(
    make: Callable[[random.Random, int], object], use: Callable[[object], None], seeds: range
) -> int:
    """Use what is made for each seed; every failure must be an error that says what is wrong.

    Returns
    -------
    int
        Number of refusals.
    """
    refused = 0
    tracemalloc.start()
    try:
        for seed in seeds:
            given = make(random.Random(seed), seed)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                use(given)
            except OptobindError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}: internal error {error!r}") from error
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < MEMORY, f"seed {seed}: {peak / 1e6:.0f} MB were allocated"
    finally:
        tracemalloc.stop()
    return refused
