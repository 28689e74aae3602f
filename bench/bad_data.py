"""Share of simulated faults that are named, and of clean records that raise an alarm.

``python -m bench.bad_data [CASES]`` prints the table, 100 cases of each kind by default.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

__all__ = ["main"]


def main(cases: int = 100) -> None:
    """Print a line for each kind."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "analysis"))
    data = importlib.import_module("bad_data")
    surveys = (
        (data.STEADY, data.clean, data.named_in_steady),
        (data.RELEASES, data.clean_releases, data.named_in_releases),
    )
    for faults, clean, named in surveys:
        for kind, (make, words) in {"clean": (clean, ""), **faults}.items():
            said = []
            for seed in range(cases):
                rng = np.random.default_rng([seed, 77])
                said.append(named(make(rng, data.KINDS[seed % len(data.KINDS)])))
            count = sum(text != "" if kind == "clean" else words in text for text in said)
            what = "false alarms" if kind == "clean" else "named"
            print(f"{kind:28} {count:4d} of {cases} {what}", flush=True)
    _lines(cases)


def _lines(cases: int) -> None:
    """Print the same of changes along a record, by exact steps, and of clean lines of all kinds."""
    lines = importlib.import_module("bad_lines")
    makers = {kind: (make, "") for kind, make in lines.CLEAN.items()} | lines.CHANGING
    for kind, (make, words) in makers.items():
        said = [lines.said_of(make, seed) for seed in range(cases)]
        count = sum(text != "" if not words else words in text for text in said)
        what = "named" if words else "false alarms"
        print(f"{kind + ' (exact)':28} {count:4d} of {cases} {what}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
