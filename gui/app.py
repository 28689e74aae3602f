"""Opens the window of a session; imported only when a window is wanted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import FileError
from .check import require_display

if TYPE_CHECKING:
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    from .services import Services
    from .viewmodels.port import SessionPort
    from .window import MainWindow

__all__ = ["end_with_session", "run_window"]

_SHOT_DELAY_MS = 6000
# The first picture is on the screen by then; 0 would come before it.
_BEGIN_DELAY_MS = 60
_LOOK_MS = 50  # between two looks whether a signal asks to close
_LOGOUT_SECONDS = 4.0  # a system that shuts down ends the program some seconds later


def run_window(
    session: SessionPort,
    *,
    shot: Path | None = None,
    begin: Callable[[], object] | None = None,
    services: Services | None = None,
    urgency: Callable[[], int] = lambda: 0,
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
    services : Services, optional
        What opens runs and works on them; without it no file can be opened.
    urgency : callable
        Asked all the time whether the window is to close unasked, as signals do: 0 no, 1 when the
        run has come to the end of its repetition, 2 at once.

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

    from .collecting import collecting_here
    from .excepthook import reporting_bugs

    # OpenCV points Qt to its own plugins, which do not fit PyQt6.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    app = make_application()
    window = make_window(session, services)
    window.open()
    if begin is not None:
        QTimer.singleShot(_BEGIN_DELAY_MS, lambda: None if window.closer.closing else begin())
    watch = _closing_unasked(app, window, urgency)
    saved: list[bool] = []
    if shot is not None:
        _schedule_shot(window, shot, saved)
    try:
        with reporting_bugs(window), collecting_here():
            app.exec()
    finally:
        watch.stop()
        for one in _all_windows(window):
            one.bridge.stop()
            one.session.close()
    if shot is not None and not all(saved):
        raise FileError(f"the picture {str(shot)!r} cannot be written; choose a folder that exists")
    return 0


def _closing_unasked(app: QApplication, window: MainWindow, urgency: Callable[[], int]) -> QTimer:
    """Close the window at signals and when the user's session ends; return the timer that looks."""
    from PyQt6.QtCore import QTimer

    asked = 0

    def look() -> None:
        nonlocal asked
        now = urgency()
        if now > asked:
            asked = now
            for one in _all_windows(window):
                one.close_unasked(at_once=now > 1)
        if asked and all(one.closer.done for one in _all_windows(window)):
            app.quit()  # also where a hidden window would keep the loop

    watch = QTimer(window)
    watch.timeout.connect(look)
    watch.start(_LOOK_MS)
    app.commitDataRequest.connect(lambda _: end_with_session(window))
    return watch


def _all_windows(window: MainWindow) -> list[MainWindow]:
    """The window, and those of the records that were opened from it."""
    from .records import OPEN

    return [window, *(one for one in OPEN if one is not window)]


def end_with_session(window: MainWindow, seconds: float = _LOGOUT_SECONDS) -> None:
    """Close at once and wait for it: at logout the program is ended when this returns."""
    window.close_unasked(at_once=True)
    deadline = time.monotonic() + seconds
    while not window.closer.done and time.monotonic() < deadline:
        window.closer.poll()
        time.sleep(0.02)


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


def make_window(session: SessionPort, services: Services | None = None) -> MainWindow:
    """Return the window with the user's layout and colours: a record's for a record."""
    from PyQt6.QtCore import QSettings

    from .theme import theme_named
    from .window import MainWindow

    settings = QSettings()
    theme = theme_named(str(settings.value("layout/theme", "system")))
    if session.rig.mode != "RECORD":
        return MainWindow(session, settings, theme, services)
    from ..analysis.recorded.session import RecordedSession
    from .record_window import RecordWindow

    assert isinstance(session, RecordedSession)
    return RecordWindow(session, settings, theme, services)


def _schedule_shot(window: MainWindow, shot: Path, saved: list[bool]) -> None:
    """Take a picture after a while, then close without asking."""
    from PyQt6.QtCore import QTimer

    def take() -> None:
        saved.append(window.grab().save(str(shot)))
        window.close()

    QTimer.singleShot(_SHOT_DELAY_MS, take)
