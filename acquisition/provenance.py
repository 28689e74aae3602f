"""Who measures with which program: the state of the source, the operator, a note."""

from __future__ import annotations

import getpass
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from .origin import RunOrigin

__all__ = ["origin_now", "program_state"]

_SECONDS = 5.0


@cache
def program_state() -> dict[str, Any]:
    """Return where the program runs and, of one that runs from a checkout, its commit."""
    found: dict[str, Any] = {"host": platform.node(), "system": platform.platform()}
    root = Path(__file__).resolve().parent.parent
    commit = _git(root, "rev-parse", "HEAD")
    if commit is not None and (root / ".git").exists():
        found["commit"] = commit
        found["modified"] = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    """Answer of git; None without git or a checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def origin_now(note: str = "") -> RunOrigin:
    """Return the origin of a run that is started now.

    Parameters
    ----------
    note : str
        In the user's words.
    """
    try:
        operator = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a service without a user
        operator = ""
    return RunOrigin(note=note.strip(), operator=operator, program=program_state())
