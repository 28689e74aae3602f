"""Plans and unfinished sweeps from the disk, for the queue; all of them are read in threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import QFileDialog, QWidget

from ..background import in_background
from ..bridge import Bridge
from ..services import RunServices

if TYPE_CHECKING:
    from ...acquisition.plans import Plan
    from ...acquisition.sweeps.plan import SweepPlan

__all__ = ["QueueFiles"]

Take = Callable[["Plan | SweepPlan", str, "Path | None"], object]


class QueueFiles:
    """Asks for files and hands over the plans in them.

    Parameters
    ----------
    parent : QWidget
        Of the dialogues.
    bridge : Bridge
        Logs what cannot be read.
    take : callable
        Called with plan, label and the folder of a sweep that is to be finished.
    """

    def __init__(self, parent: QWidget, bridge: Bridge, take: Take) -> None:
        self._parent, self._bridge, self._take = parent, bridge, take
        self.services: RunServices | None = None

    def ask_plans(self) -> None:
        """Ask for files of plans and queue them."""
        names, _ = QFileDialog.getOpenFileNames(
            self._parent, "Queue plans", "", "Plans and programs (*.toml *.py);;All files (*)"
        )
        for name in names:
            self.add_plan(Path(name))

    def add_plan(self, path: Path) -> None:
        """Queue a plan's file or a program."""
        services = self.services
        if services is not None:
            self._read(f"plan {path.name}", lambda: (*reversed(services.plan(path)), None))

    def ask_sweep(self) -> None:
        """Ask for the folder of an unfinished sweep and queue it."""
        folder = "" if self.services is None else str(self.services.folder)
        name = QFileDialog.getExistingDirectory(self._parent, "Go on with a sweep", folder)
        if name:
            self.add_sweep(Path(name))

    def add_sweep(self, path: Path) -> None:
        """Queue the rest of a sweep."""
        from ...acquisition.sweeps.folder import SweepFolder

        self._read(f"sweep {path.name}", lambda: (SweepFolder(path).plan, "", path))

    def _read(self, label: str, read: Callable[[], Any]) -> None:
        future = in_background(read)

        def done(error: BaseException | None) -> None:
            if error is None:
                self._take(*future.result())

        self._bridge.submit(label, lambda: future, done=done)
