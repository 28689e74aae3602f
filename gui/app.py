"""Opens the window of a session; imported only when a window is wanted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import FileError
from .check import require_display

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from .viewmodels.port import SessionPort
    from .window import MainWindow

__all__ = ["run_window"]

_SHOT_DELAY_MS = 6000
# The first picture is on the screen by then; 0 would come before it.
_BEGIN_DELAY_MS = 60


def run_window(
    session: SessionPort,
    *,
    shot: Path | None = None,
    begin: Callable[[], object] | None = None,
) -> int:
    """Show the window until it is closed.

    Parameters
    ----------
    session : SessionPort
        What is shown; it is closed with the window.
    shot : path, optional
        Save a picture of the window there after a few seconds, and close.
    begin : callable, optional
        Called once the window can be seen: what works in the background would delay it.

    Returns
    -------
    int
        0.

    Raises
    ------
    InputError
        If PyQt6 or pyqtgraph is missing or there is no display.
    FileError
        If the picture cannot be written.
    """
    require_display()
    from PyQt6.QtCore import QTimer

    # OpenCV points Qt to its own plugins, which do not fit PyQt6.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    app = make_application()
    window = make_window(session)
    window.open()
    if begin is not None:
        QTimer.singleShot(_BEGIN_DELAY_MS, lambda: None if window.closer.closing else begin())
    previous = signal.signal(signal.SIGINT, lambda *_: window.close_unasked())
    saved: list[bool] = []
    if shot is not None:
        _schedule_shot(window, shot, saved)
    try:
        app.exec()
    finally:
        signal.signal(signal.SIGINT, previous)
        window.bridge.stop()
        session.close()
    if shot is not None and not all(saved):
        raise FileError(f"the picture {str(shot)!r} cannot be written; choose a folder that exists")
    return 0


def make_application() -> QApplication:
    """Return the application, a new one if there is none."""
    import pyqtgraph as pg
    from PyQt6.QtWidgets import QApplication

    pg.setConfigOptions(antialias=False, useOpenGL=False)
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("optobind")
    app.setOrganizationName("optobind")
    return app


def make_window(session: SessionPort) -> MainWindow:
    """Return the window with the user's layout and colours."""
    from PyQt6.QtCore import QSettings

    from .theme import theme_named
    from .window import MainWindow

    settings = QSettings()
    return MainWindow(session, settings, theme_named(str(settings.value("layout/theme", "dark"))))


def _schedule_shot(window: MainWindow, shot: Path, saved: list[bool]) -> None:
    """Take a picture after a while, then close without asking."""
    from PyQt6.QtCore import QTimer

    def take() -> None:
        saved.append(window.grab().save(str(shot)))
        window.close()

    QTimer.singleShot(_SHOT_DELAY_MS, take)
