"""Measure optobind against its peers: ``python -m bench`` (or ``make bench``), from the root.

Every row is a ratio taken in one run on one machine; absolute times mean little elsewhere. Prints a
table and writes ``bench/results.json``: name, ratio, floor, pass.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bench import (  # noqa: E402
    chain,
    csd,
    exact,
    fit,
    hologram,
    moments,
    ni,
    nonlinear,
    reheating_chain,
    soak,
    stepping,
    tracking,
    waterfall,
    wide,
)

SUBJECTS = {
    "csd": csd,
    "stepping": stepping,
    "fit": fit,
    "exact": exact,
    "moments": moments,
    "nonlinear": nonlinear,
    "hologram": hologram,
    "chain": chain,
    "reheating": reheating_chain,
    "ni": ni,
    "tracking": tracking,
    "waterfall": waterfall,
    "wide": wide,
    "soak": soak,
}
LONG = ("soak", "wide")
"""Subjects that take minutes to an hour: only by name."""


def main() -> int:
    """Run the chosen subjects; exit status 1 if a floor is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], metavar="SUBJECT")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    chosen = parser.parse_args()
    rows = []
    for name in chosen.subjects or [name for name in SUBJECTS if name not in LONG]:
        print(f"bench: {name} …", file=sys.stderr)
        rows += SUBJECTS[name].rows()
    table = Table(title="optobind against its peers", show_lines=False)
    for heading in ("measure", "value", "floor", "", "detail"):
        table.add_column(heading)
    for row in rows:
        verdict = "[green]pass[/]" if row.passed else "[red]MISS[/]"
        table.add_row(row.name, f"{row.ratio:.3g}", row.floor_text, verdict, row.detail)
    Console(width=140).print(table)
    chosen.out.write_text(
        json.dumps([row.to_dict() for row in rows], indent=2) + "\n", encoding="utf-8"
    )
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
