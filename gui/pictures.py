"""Takes what plots show out of the window: a figure, a table, the clipboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget

from ..analysis.figures.picture import Line, Picture, picture_figure, picture_table
from ..analysis.figures.style import save_figure
from ..models.errors import FileError
from .background import in_background
from .panels.base import Panel
from .plots import DecadeAxis, LinePlot

if TYPE_CHECKING:
    from .window import MainWindow

__all__ = ["Pictures", "ask_where", "picture_of", "pictures_of"]

_FIGURES = "PDF (*.pdf);;SVG (*.svg);;PNG (*.png)"
_TABLES = "Tab-separated values (*.tsv)"


def pictures_of(panel: Panel) -> list[Picture]:
    """What the plots of a panel show, from top to bottom; those without a line are left out."""
    plots = [plot for plot in panel.findChildren(LinePlot) if plot.isVisibleTo(panel)]
    plots.sort(key=lambda plot: plot.mapTo(panel, plot.rect().topLeft()).y())
    found = [picture_of(plot) for plot in plots]
    return [picture for picture in found if picture.lines]


def picture_of(plot: LinePlot) -> Picture:
    """What a plot shows: its named lines with points in it."""
    item = plot.getPlotItem()
    x_log, y_log = (_is_log(item.getAxis(side)) for side in ("bottom", "left"))
    lines = [line for entry in item.items if (line := _line(entry, x_log, y_log)) is not None]
    x_range, y_range = plot.box.viewRange()
    names = {side: plot.name_of(side) for side in ("bottom", "left")}
    return Picture(
        tuple(lines),
        names["bottom"],
        names["left"],
        _values(x_range, x_log),
        _values(y_range, y_log),
        x_log,
        y_log,
        float(plot.height()),
    )


def _is_log(axis: Any) -> bool:
    return isinstance(axis, DecadeAxis) and not axis.linear


def _values(limits: list[float], log: bool) -> tuple[float, float]:
    low, high = (10.0**v if log else v for v in limits)
    return float(low), float(high)


def _line(entry: Any, x_log: bool, y_log: bool) -> Line | None:
    """A curve or a set of points of a plot; None for what has no name, is hidden or empty."""
    name = getattr(entry, "opts", {}).get("name")
    if not name or not entry.isVisible():
        return None
    x, y = (np.asarray([] if v is None else v, np.float64) for v in entry.getData())
    if x.size == 0:
        return None
    x, y = (10.0**v if log else v for v, log in ((x, x_log), (y, y_log)))
    if isinstance(entry, pg.ScatterPlotItem):
        return Line(name, x, y, "dots", entry.opts.get("channel"))
    pairs = isinstance(entry.opts.get("connect"), str) and entry.opts["connect"] == "pairs"
    dashed = entry.opts["pen"].style() not in (Qt.PenStyle.SolidLine, Qt.PenStyle.NoPen)
    return Line(name, x, y, "strokes" if pairs else "line", entry.opts.get("channel"), dashed)


class Pictures:
    """Writes and copies what a window's plots show.

    Parameters
    ----------
    window : MainWindow
        With its panels; its log tells what was written.
    """

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    def fill(self, menu: QMenu) -> None:
        """Offer figure, data and copy for every panel that shows something."""
        menu.clear()
        for panel in self.window.panels.values():
            if panel.isVisible() and panel.findChildren(LinePlot):
                inner = menu.addMenu(panel.title)
                assert inner is not None
                self.offer(inner, panel)
        if menu.isEmpty():
            entry = menu.addAction("no plot is open")
            assert entry is not None
            entry.setEnabled(False)

    def offer(self, menu: QMenu, panel: Panel) -> None:
        """Offer figure, data and copy of one panel."""
        for text, slot in (
            ("Figure …", self.save_figure),
            ("Data (TSV) …", self.save_table),
            ("Copy data", self.copy),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, s=slot, p=panel: s(p))
            menu.addAction(action)

    def ask(self, panel: Panel, filters: str) -> Path | None:
        """Ask where to write."""
        return ask_where(self.window, f"Save {panel.title.lower()}", panel.name, filters)

    def save_figure(self, panel: Panel) -> None:
        """Draw a panel's plots anew for paper and write that."""
        pictures = self._shown(panel)
        path = self.ask(panel, _FIGURES) if pictures else None
        if path is not None:
            self._write(path, lambda: save_figure(picture_figure(pictures), path))

    def save_table(self, panel: Panel) -> None:
        """Write the numbers of a panel's plots."""
        pictures = self._shown(panel)
        path = self.ask(panel, _TABLES) if pictures else None
        if path is not None:
            self.write_text(path, picture_table(pictures))

    def copy(self, panel: Panel) -> None:
        """Copy the numbers of a panel's plots as a table."""
        pictures, clipboard = self._shown(panel), QApplication.clipboard()
        if pictures and clipboard is not None:
            clipboard.setText(picture_table(pictures))
            count = sum(len(picture.lines) for picture in pictures)
            self.window.log.write("info", f"{panel.title.lower()}: {count} lines copied")

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file in a thread."""
        self._write(path, lambda: _write_text(path, text))

    def _shown(self, panel: Panel) -> list[Picture]:
        pictures = pictures_of(panel)
        if not pictures:
            self.window.log.write("warning", f"{panel.title.lower()}: nothing is drawn yet")
        return pictures

    def _write(self, path: Path, work: Any) -> None:
        """Write in a thread; how it went is told in the log."""
        future = in_background(work)

        def done(error: BaseException | None) -> None:
            if error is None:
                self.window.log.write("info", f"wrote {path}")

        self.window.bridge.submit(f"write {path.name}", lambda: future, done=done)


def ask_where(parent: QWidget, title: str, name: str, filters: str) -> Path | None:
    """Ask for a file to write; the suffix of the kind is added before an older file is asked about.

    Parameters
    ----------
    parent : QWidget
        Whose dialog it is.
    title, name : str
        Of the dialog, and the name that is proposed.
    filters : str
        As Qt has them: ``"PDF (*.pdf);;SVG (*.svg)"``.
    """
    dialog = QFileDialog(parent, title, name, filters)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(_suffix(chosen)))
    dialog.setDefaultSuffix(_suffix(filters.partition(";;")[0]))
    accepted = dialog.exec() == QFileDialog.DialogCode.Accepted
    return Path(dialog.selectedFiles()[0]) if accepted and dialog.selectedFiles() else None


def _suffix(filters: str) -> str:
    return filters.rpartition("*.")[2].rstrip(")")


def _write_text(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    return path
