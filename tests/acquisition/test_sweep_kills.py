"""Sweeps that are killed with SIGKILL again and again end with the table of an undisturbed one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .sweeping import samples_of

KILLER = Path(__file__).with_name("sweep_killer.py")


def carried_out(folder: Path, seed: int, kills: int) -> list[int]:
    """Kills that struck, and points that were acknowledged before the last sitting."""
    command = [sys.executable, KILLER, folder, str(seed), str(kills)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stderr
    return [int(word) for word in run.stdout.split()]


@pytest.mark.study
@pytest.mark.realtime
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_twenty_kills_lose_nothing_acknowledged_and_leave_the_same_table(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert carried_out(whole, 0, 0) == [0, 0]
    kills, acknowledged = carried_out(killed, 5, 20)
    assert kills >= 15
    assert acknowledged >= 2
    assert (killed / "table.csv").read_bytes() == (whole / "table.csv").read_bytes()
    files = sorted((whole / "points").glob("????.h5"))
    assert len(files) == 11
    for file in files:
        np.testing.assert_array_equal(samples_of(killed / "points" / file.name), samples_of(file))
