"""A record goes on in a notebook: written beside it, and opened where Jupyter is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

__all__ = ["open_notebook"]

_PROGRAMS = ("jupyterlab", "notebook")


def open_notebook(path: Path) -> str:
    """Open a notebook in a Jupyter that outlives the window; return what happened, for the log."""
    program = next((name for name in _PROGRAMS if util.find_spec(name) is not None), None)
    if program is None:
        return f"wrote {path}: open it in Jupyter (pip install jupyterlab)"
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        subprocess.Popen(
            [sys.executable, "-m", program, str(path)],
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **flags,
        )
    except OSError as error:
        return f"wrote {path}; Jupyter cannot be started: {error.strerror or error}"
    return f"wrote {path} and opened it in Jupyter"
