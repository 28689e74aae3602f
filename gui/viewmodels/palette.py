"""The command palette: every command by a few letters of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["KEYS", "Command", "matching"]

KEYS = (
    ("F", "fit the line that was picked; without one, show or hide the fit"),
    ("A", "zoom to the lines, ranges follow the data"),
    ("L", "densities linear or logarithmic"),
    ("C", "cursors A and B"),
    ("R", "keep the spectra as a reference"),
    ("H", "hold the largest and smallest densities from now on"),
    ("M", "mark this moment: over time, in the log, in the file of the run"),
    ("Arrows", "in the waterfall: go from pixel to pixel"),
    ("Return", "in the waterfall: raw samples of the pixel and a fit of them"),
    ("Alt+Up, Alt+Down", "measure the chosen entry of the queue earlier or later"),
    ("Esc", "give up a drag, a typed value, a picked line"),
)
"""Keys of the window that no menu shows, and what they do."""


@dataclass(frozen=True)
class Command:
    """A command: its name with the menu in front, its keys, and whether it acts now."""

    name: str
    keys: str = ""
    enabled: bool = True


def matching(commands: Sequence[Command], words: str) -> list[int]:
    """Numbers of the commands that hold every word, those that begin with the first one first.

    Parameters
    ----------
    commands : sequence of Command
        In the order of the menus.
    words : str
        As typed; capitals do not matter.
    """
    wanted = words.lower().split()
    found = [
        (not _begins(command, wanted), number)
        for number, command in enumerate(commands)
        if all(word in command.name.lower() for word in wanted)
    ]
    return [number for _, number in sorted(found)]


def _begins(command: Command, wanted: Sequence[str]) -> bool:
    """Whether the entry itself, behind its menu, begins with what was typed first."""
    entry = command.name.rpartition("› ")[2].lower()
    return bool(wanted) and entry.startswith(wanted[0])
