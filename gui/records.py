"""Opening runs from the window: each in a window of its own, beside the laboratory's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QFileDialog

from .background import in_background
from .services import Services

if TYPE_CHECKING:
    from .record_window import RecordWindow
    from .window import MainWindow

__all__ = ["OPEN", "Records", "remember"]

OPEN: set[RecordWindow] = set()
"""Windows of records: held here until they are closed, nobody else does."""

_KEY = "recent/runs"
_MOST = 9


def remember(window: MainWindow, path: Path) -> None:
    """Put a run at the head of the recent ones."""
    known = [p for p in window.records.recent(existing=False) if p != path]
    window.settings.setValue(_KEY, [str(p) for p in (path, *known)][:_MOST])


class Records:
    """Opens records on behalf of a window.

    Parameters
    ----------
    window : MainWindow
        Logs what cannot be opened.
    services : Services or None
        None where files cannot be opened.
    """

    def __init__(self, window: MainWindow, services: Services | None) -> None:
        self.window, self.services = window, services

    def recent(self, *, existing: bool = True) -> list[Path]:
        """Runs that were opened last, the newest first."""
        stored = self.window.settings.value(_KEY)
        names = [stored] if isinstance(stored, str) else stored or []
        paths = [Path(str(name)) for name in names]
        return [path for path in paths if not existing or path.exists()]

    def choose(self) -> Path | None:
        """Ask for a file."""
        recent = self.recent()
        folder = recent[0].parent if recent else Path()
        name, _ = QFileDialog.getOpenFileName(
            self.window,
            "Open a run or any other record",
            str(folder),
            "Records (*.h5 *.hdf5 *.npz *.npy *.csv *.txt *.mat *.wav *.tdms *.trc *.raw);;"
            "All files (*)",
        )
        return Path(name) if name else None

    def ask(self) -> None:
        """Ask for a file and open it."""
        path = self.choose()
        if path is not None:
            self.open(path)

    def open(self, path: Path, then: Callable[[RecordWindow], object] | None = None) -> None:
        """Open a record in a window of its own; reading its events may take a while.

        ``then`` is called with the window once it is there.
        """
        services = self.services
        if services is None:
            return
        future = in_background(lambda: services.open(path.resolve()))
        self.window.bridge.log.write("info", f"opening {path} …")

        def done(error: BaseException | None) -> None:
            if error is None:
                window = self.show(future.result())
                if then is not None:
                    then(window)

        self.window.bridge.submit(f"open {path.name}", lambda: future, done=done)

    def show(self, session: object) -> RecordWindow:
        """Show an opened record."""
        from ..analysis.recorded.session import RecordedSession
        from .record_window import RecordWindow

        assert isinstance(session, RecordedSession)
        window = RecordWindow(session, self.window.settings, self.window.theme, self.services)
        OPEN.add(window)
        window.open()
        return window
