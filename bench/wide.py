"""Four channels as fast as a fast card: recording, spectra, fits and the window on two cores.

The card is a stand-in that takes samples by the wall's clock and overflows when its reader is late.
What the disk itself can do is measured beside it.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.chain import watched
from bench.row import Row
from optobind.instruments.fake_card import FakeCard
from optobind.instruments.fakes import FakeGate
from optobind.instruments.rig import DetectorChannel, Rig

CHANNELS = 4


def card_rig(rate: float) -> Rig:
    """Four channels of int16, a line on each."""
    rng = np.random.default_rng(1)
    index = np.arange(1 << 20)
    lines = [np.sin(2.0 * np.pi * f * index) for f in (0.0030, 0.0032, 0.0041, 0.0052)]
    samples = 3000.0 * np.stack(lines, axis=1) + rng.normal(0.0, 300.0, (len(index), CHANNELS))
    detectors = (
        *(DetectorChannel(j, f"z{j + 1}", j) for j in (0, 1)),
        *(DetectorChannel(j, f"monitor {j - 1}", None) for j in (2, 3)),
    )
    card = FakeCard(samples.astype(np.int16), rate, buffer_seconds=1.0)
    return Rig("card", "SIM", card, detectors, gate=FakeGate())


def disk_speed(megabytes: int = 2000) -> float:
    """MB/s that reach the disk where temporary files lie."""
    block = np.random.default_rng(2).bytes(1 << 23)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "b").open("wb") as file:
        begin = time.monotonic()
        for _ in range(megabytes // 8):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return megabytes / (time.monotonic() - begin)


def rows(seconds: float = 60.0) -> list[Row]:
    """Samples lost at 240 MB/s; fits, frames and blocks skipped at 160 MB/s."""
    disk = f"the disk takes {disk_speed():.0f} MB/s"
    found = []
    for rate, fits, frames in ((30e6, 0.0, 0.0), (20e6, 15.0, 25.0)):
        seen = watched(card_rig(rate), seconds)
        title = f"4 ch × {rate / 1e6:g} MS/s"
        detail = (
            f"{seen.samples} samples in {seen.elapsed:.1f} s, {seen.share:.0%} of a core; {disk}"
        )
        found.append(Row(f"{title}, samples lost", float(seen.lost), 0.0, detail, at_most=True))
        found.append(Row(f"{title}, fits per second", seen.fits, fits))
        found.append(Row(f"{title}, frames per second", seen.frames, frames, seen.painting))
        if fits:
            title = f"{title}, blocks skipped by the display"
            found.append(Row(title, float(seen.skipped), 0.0, at_most=True))
    return found
