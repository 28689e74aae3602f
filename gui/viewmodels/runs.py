"""Runs and sweeps that there are: how they ended, what they are worth, what was fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["RunLine", "RunsModel", "run_line"]

_SWEEPS = ("sweep", "seek", "program")
_TONES = {"complete": "info", "stopped": "info", "aborted": "info"}


@dataclass(frozen=True)
class RunLine:
    """One run or sweep as it is listed.

    Attributes
    ----------
    path : Path
        Run file, or folder of a sweep.
    text : str
        When, what and how it ended; worth; fits; note, a line each.
    severity : str
        "info", or "error" where something is wrong with it.
    sweep, unfinished : bool
        Whether it is a sweep, and one that can be gone on with.
    """

    path: Path
    text: str
    severity: str
    sweep: bool
    unfinished: bool


def run_line(values: Mapping[str, Any]) -> RunLine:
    """Return the line of what ``optobind runs --details --json`` says of a run."""
    kind, state = str(values["kind"]), str(values["state"])
    begun = datetime.fromtimestamp(float(values["created"])).strftime("%d %b %H:%M")
    note = str(values.get("note") or "")
    sweep = kind in _SWEEPS
    worth = str(values.get("worth") or values.get("size") or "")
    if sweep:
        worth = ", ".join(p for p in (str(values.get("size") or ""), worth) if p)
    lines = [
        f"{begun} · {kind} · {state}",
        " · ".join(p for p in (note, worth) if p),
        *map(str, values.get("results") or ()),
    ]
    return RunLine(
        Path(str(values["path"])),
        "\n".join(line for line in lines if line),
        _TONES.get(state, "error"),
        sweep,
        sweep and state != "complete",
    )


class RunsModel:
    """Lines, the newest first, and those of them that a filter leaves."""

    def __init__(self) -> None:
        self.lines: tuple[RunLine, ...] = ()
        self.words = ""

    def take(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Take what the command said, the oldest first."""
        self.lines = tuple(run_line(values) for values in reversed(runs))

    @property
    def chosen(self) -> tuple[RunLine, ...]:
        """Lines that hold every word of the filter."""
        words = self.words.lower().split()
        return tuple(
            line
            for line in self.lines
            if all(word in f"{line.text} {line.path}".lower() for word in words)
        )
