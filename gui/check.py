"""Whether a window can be opened here, answered without importing Qt."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import lru_cache

from ..models.errors import InputError

__all__ = ["begin_check", "require_display", "require_toolkit"]

_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
_PROBE = "from PyQt6.QtGui import QGuiApplication; QGuiApplication([])"
_PROBE_SECONDS = 10.0
_begun: dict[tuple[tuple[str, str], ...], subprocess.Popen[bytes]] = {}


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
    chosen = _chosen_display()
    if chosen is None:
        return
    failure = _failure_of(chosen)
    if failure:
        named = ", ".join(f"{name}={value}" for name, value in chosen if value)
        raise InputError(
            f"no display: {named} cannot be used ({failure}); log in to a desktop, use ssh -X, "
            "or prefix the command with xvfb-run"
        )


def begin_check() -> None:
    """Refuse what is plain at once, and let another process try the display meanwhile.

    ``require_display`` waits for its answer; the time between is free for imports.

    Raises
    ------
    InputError
        If a package is missing or no display is chosen.
    """
    chosen = _chosen_display()
    if chosen is not None and chosen not in _begun:
        _begun[chosen] = _start_probe()


def _chosen_display() -> tuple[tuple[str, str], ...] | None:
    """What selects the display, or None where there is nothing to try."""
    require_toolkit()
    if not sys.platform.startswith("linux"):
        return None
    chosen = tuple((name, os.environ.get(name, "")) for name in _VARIABLES)
    if not any(value for _, value in chosen):
        raise InputError(
            "no display: neither DISPLAY nor WAYLAND_DISPLAY is set; log in to a desktop, use "
            "ssh -X, or prefix the command with xvfb-run"
        )
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in ("offscreen", "minimal"):
        return None
    return chosen


def _start_probe() -> subprocess.Popen[bytes]:
    """Open the display in another process: Qt ends a process that it cannot serve."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROBE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@lru_cache(maxsize=4)
def _failure_of(chosen: tuple[tuple[str, str], ...]) -> str:
    """Why no window can be opened, "" if one can."""
    probe = _begun.pop(chosen, None) or _start_probe()
    try:
        _, said = probe.communicate(timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        probe.kill()
        probe.communicate()
        return f"no answer within {_PROBE_SECONDS:g} s"
    if probe.returncode == 0:
        return ""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return f"Qt ended with {probe.returncode}"
    # The last line of a traceback says what happened, the first of Qt's own messages does.
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()
