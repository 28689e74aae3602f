"""``python -m tests.faults``: the whole campaign, with a table per driver family."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .campaign import run, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=1008, help="how many; 1008")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn; 1")
    parser.add_argument("--jobs", type=int, default=3, help="laboratories at a time; 3")
    parser.add_argument("--log", type=Path, default=None, help="a line of JSON for each fault")
    given = parser.parse_args()
    found = run(given.seed, given.faults, given.jobs, given.log)
    print("\n" + table(found))
    return 1 if any(one.wrong for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
