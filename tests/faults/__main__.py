"""``python -m tests.faults``: the whole campaign, with a table per driver family.

``python -m tests.faults --kills`` kills programs and closes terminals instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import campaign, kills


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=1080, help="how many; 1080")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn; 1")
    parser.add_argument("--jobs", type=int, default=3, help="laboratories at a time; 3")
    parser.add_argument("--kills", action="store_true", help="52 kills and 20 closed terminals")
    parser.add_argument("--share", type=float, default=1.0, help="of the kills; 1")
    parser.add_argument("--log", type=Path, default=None, help="gets a line for each")
    given = parser.parse_args()
    if given.kills:
        killed = kills.run(given.seed, given.share, given.log)
        print("\n" + kills.table(killed))
        return 1 if any(wrong for _, wrong, _ in killed) else 0
    found = campaign.run(given.seed, given.faults, given.jobs, given.log)
    print("\n" + campaign.table(found))
    return 1 if any(one.wrong for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
