"""Whether a window can be opened here, answered without importing Qt."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import lru_cache

from ..models.errors import InputError

__all__ = ["require_display", "require_toolkit"]

_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
_PROBE = "from PyQt6.QtGui import QGuiApplication; QGuiApplication([])"
_PROBE_SECONDS = 10.0


def require_toolkit() -> None:
    """Check that the packages of the window are installed.

    Raises
    ------
    InputError
        If PyQt6 or pyqtgraph is missing; the text names the remedy.
    """
    missing = [name for name in ("PyQt6", "pyqtgraph") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"the window needs {' and '.join(missing)}; install with: pip install 'optobind[gui]'"
        )


def require_display() -> None:
    """Check that a window can be opened: packages installed, and a display on Linux.

    Raises
    ------
    InputError
        If a package is missing, if there is neither DISPLAY nor WAYLAND_DISPLAY and no
        QT_QPA_PLATFORM is chosen, or if the display does not answer.
    """
    require_toolkit()
    if not sys.platform.startswith("linux"):
        return
    chosen = tuple((name, os.environ.get(name, "")) for name in _VARIABLES)
    if not any(value for _, value in chosen):
        raise InputError(
            "no display: neither DISPLAY nor WAYLAND_DISPLAY is set; log in to a desktop, use "
            "ssh -X, or prefix the command with xvfb-run"
        )
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in ("offscreen", "minimal"):
        return
    failure = _failure_of(chosen)
    if failure:
        named = ", ".join(f"{name}={value}" for name, value in chosen if value)
        raise InputError(
            f"no display: {named} cannot be used ({failure}); log in to a desktop, use ssh -X, "
            "or prefix the command with xvfb-run"
        )


@lru_cache(maxsize=4)
def _failure_of(_chosen: tuple[tuple[str, str], ...]) -> str:
    """Why no window can be opened, "" if one can: Qt ends a process that it cannot serve."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_PROBE_SECONDS:g} s"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return f"Qt ended with {done.returncode}"
    # The last line of a traceback says what happened, the first of Qt's own messages does.
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()
