"""Carries a sweep out in processes that are killed with SIGKILL at drawn moments; prints how often.

One program imports everything and then forks a child for each sitting, so that a kill costs no
start of Python. Arguments: folder, seed, number of kills.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from sweeping import connected, new_sweep, phase_sweep, powers, small_rig

from optobind.acquisition.runfile import RunFile
from optobind.acquisition.sweeps.folder import SweepFolder, is_sweep_folder
from optobind.acquisition.sweeps.runner import SweepRunner

PLAN = phase_sweep(7, reference_every=3, order="random")


def sitting(path):
    """Begin the sweep or go on with it, to its end."""
    session = connected(small_rig())
    folder = SweepFolder(path) if is_sweep_folder(path) else new_sweep(path, session, PLAN)
    outcome = SweepRunner(session, folder, powers).carry_out()
    session.close()
    return 0 if outcome.state == "complete" else 1


def killed(path, dice):
    """Have a child go on, kill it after a moment or when a line came; whether it was killed."""
    journal = path / "journal.jsonl"
    size = journal.stat().st_size if journal.exists() else 0
    child = os.fork()
    if child == 0:
        os._exit(sitting(path))
    wanted, until = dice.randint(0, 6), time.monotonic() + 60.0
    while wanted and time.monotonic() < until:  # so many lines of the journal, then a moment
        now = journal.stat().st_size if journal.exists() else 0
        wanted, size = (wanted - 1, now) if now > size else (wanted, size)
        time.sleep(0.0005)
    time.sleep(dice.choice([0.0, 0.003, 0.03, 0.3]) * dice.random())
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def acknowledged(path):
    """Samples of every point that the journal has; every file must open."""
    if not is_sweep_folder(path):
        return {}
    rows = {row.number: row.samples for row in SweepFolder(path).rows()}
    for file in (path / "points").glob("*.h5"):
        with RunFile.open(file) as run:
            number = int(file.stem) if file.stem.isdigit() else 0
            if number in rows:
                assert run.rows == rows[number], file
    for number in rows:
        assert (path / "points" / f"{number:04d}.h5").exists(), number
    return rows


def main(path, seed, kills):
    """Kill, look, go on; at last let it end."""
    path, dice, done, before = Path(path), random.Random(int(seed)), 0, {}
    for _ in range(int(kills)):
        done += killed(path, dice)
        now = acknowledged(path)
        assert before.items() <= now.items(), (before, now)
        before = now
    code = sitting(path)
    print(done, len(before), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
