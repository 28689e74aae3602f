"""Layouts: a safe default, named presets, and what the user left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import QByteArray, QSettings, Qt, QTimer
from PyQt6.QtWidgets import QDockWidget, QTabBar

if TYPE_CHECKING:
    from .window import MainWindow

__all__ = [
    "LAYOUT_VERSION",
    "PRESETS",
    "RECORD_PRESETS",
    "apply_preset",
    "restore_layout",
    "save_layout",
]

LAYOUT_VERSION = 3
# Height of a dock's title with the frame of its scroll area; of menu and bars together, px.
_TITLE, _BARS = 30, 110
# Below this the knobs have no room; below that height strips and log go behind others.
_NARROWEST, _LOW = 344, 900
# Below this width the right docks go behind the run panel; the centre is never narrower than that.
_SLIM, _CENTRE = 1100, 300
# Below this height (a small screen at 150 % and more) docks lie behind one another, as tabs.
_TINY = 620
PRESETS = ("Run", "Analysis", "Reheating")
RECORD_PRESETS = ("Record", "Record, spectra")
_LEFT, _RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
_TOP, _BOTTOM = Qt.DockWidgetArea.TopDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea

# Per preset: docks by area from top to bottom with their shares of the height, and the width in px.
_PLACES: dict[str, tuple[tuple[Qt.DockWidgetArea, int, tuple[tuple[str, int], ...]], ...]] = {
    "Run": (
        (_LEFT, 335, (("rig", 0), ("light", 0), ("run", 0), ("strips", 100))),
        (_RIGHT, 430, (("fit", 40), ("reheating", 57))),
        (_TOP, 0, (("traces", 26),)),
        (_BOTTOM, 0, (("log", 11),)),
    ),
    "Analysis": (
        (_LEFT, 0, ()),
        (_RIGHT, 480, (("fit", 45), ("strips", 55))),
        (_TOP, 0, ()),
        (_BOTTOM, 0, (("waterfall", 38),)),
    ),
    "Reheating": (
        (_LEFT, 335, (("rig", 0), ("light", 0), ("run", 100))),
        (_RIGHT, 660, (("reheating", 70), ("fit", 30))),
        (_TOP, 0, ()),
        (_BOTTOM, 0, (("log", 11),)),
    ),
    "Record": (
        (_LEFT, 335, (("light", 0), ("traces", 50), ("log", 50))),
        (_RIGHT, 430, (("fit", 50), ("reheating", 50))),
        (_TOP, 0, (("record", 24),)),
        (_BOTTOM, 0, ()),
    ),
    "Record, spectra": (
        (_LEFT, 0, ()),
        (_RIGHT, 430, (("fit", 100),)),
        (_TOP, 0, (("record", 24),)),
        (_BOTTOM, 0, ()),
    ),
}
# Docks that lie behind another one, as tabs; shown where that one is.
_BEHIND: dict[str, tuple[str, ...]] = {
    "reheating": ("phases", "queue", "sweep", "runs", "compare"),
    "record": ("waterfall", "slow"),
    "traces": ("waterfall", "phase_space"),
}
# In a low window: docks and what they lie behind, by preset.
_LOW_BEHIND: dict[str, dict[str, str]] = {
    "Run": {"strips": "fit", "log": "traces"},
    "Reheating": {"log": "fit"},
}


def apply_preset(window: MainWindow, name: str) -> None:
    """Arrange the docks; every dock that a preset leaves out is hidden, none is lost."""
    docks = window.docks
    for dock in docks.values():
        dock.setFloating(False)
        dock.hide()
    if window.height() < _TINY:
        _stack(window, name)
    else:
        _split(window, name)
        _tab_narrow(window, name)
    _tab_behind(window, name)
    resize_preset(window, name)
    QTimer.singleShot(0, window.whole_titles)  # a method: a window that is gone is not asked


def _split(window: MainWindow, name: str) -> None:
    """Put the docks of an area below one another."""
    for area, _, entries in _PLACES[name]:
        previous: QDockWidget | None = None
        for key, _ in entries:
            dock = window.docks[key]
            window.removeDockWidget(dock)
            if _is_low(window, name) and key in _LOW_BEHIND[name]:
                continue
            if previous is None:
                window.addDockWidget(area, dock)
            else:
                window.splitDockWidget(previous, dock, Qt.Orientation.Vertical)
            dock.show()
            previous = dock


def _is_low(window: MainWindow, name: str) -> bool:
    """Whether strips and log go behind others, so that the spectra have room."""
    return name in _LOW_BEHIND and window.height() < _LOW


def _tab_behind(window: MainWindow, name: str) -> None:
    """Put docks that are used now and then behind the one that they go with."""
    placed: set[str] = set()
    for front, keys in _BEHIND.items():
        if not any(front == key for _, _, entries in _PLACES[name] for key, _ in entries):
            continue
        for key in keys:
            if key in window.docks and key not in placed:
                placed.add(key)
                window.tabifyDockWidget(window.docks[front], window.docks[key])
                window.docks[key].show()
        window.docks[front].raise_()


def _tab_narrow(window: MainWindow, name: str) -> None:
    """Put docks behind others where the window is slim or low."""
    docks = window.docks
    if _PLACES[name][0][2] and window.width() < _SLIM:
        front = _PLACES[name][0][2][-1][0]
        for key, _ in _PLACES[name][1][2]:
            window.tabifyDockWidget(docks[front], docks[key])
        docks[front].raise_()
    if _is_low(window, name):
        for behind, front in _LOW_BEHIND[name].items():
            window.tabifyDockWidget(docks[front], docks[behind])
            docks[behind].show()
            docks[front].raise_()
        if name == "Run" and window.width() < _SLIM:
            docks["run"].raise_()


def _stack(window: MainWindow, name: str) -> None:
    """Put the docks of a column behind one another; a slim window has one column.

    At once: below one another they would make a low window grow. The traces go behind the log.
    """
    left, right = _keys(name, _LEFT), _keys(name, _RIGHT)
    columns = [(_LEFT, left), (_RIGHT, right)]
    if left and window.width() < _SLIM:
        columns = [(_LEFT, left + right)]
    columns.append((_BOTTOM, _keys(name, _TOP) + _keys(name, _BOTTOM)))
    for area, keys in columns:
        for key in keys:
            dock = window.docks[key]
            window.removeDockWidget(dock)
            if key == keys[0]:
                window.addDockWidget(area, dock)
            else:
                window.tabifyDockWidget(window.docks[keys[0]], dock)
            dock.show()
        front = next((k for k in ("record", "light", "fit", "traces") if k in keys), None)
        if front is not None:
            window.docks[front].raise_()


def _keys(name: str, area: Qt.DockWidgetArea) -> list[str]:
    """Docks of an area of a preset."""
    return [key for own, _, entries in _PLACES[name] for key, _ in entries if own == area]


def whole_titles(window: MainWindow) -> None:
    """Have tabs of docks scroll rather than shorten their titles."""
    for bar in window.findChildren(QTabBar):
        bar.setElideMode(Qt.TextElideMode.ElideNone)
        bar.setUsesScrollButtons(True)


def resize_preset(window: MainWindow, name: str) -> None:
    """Give the docks of a preset their sizes in the present window."""
    narrow = min(1.0, max(0.92, window.width() / 1600.0))
    height = window.height()
    for area, width, entries in _PLACES[name]:
        # Slim windows keep some docks elsewhere, behind others.
        entries = tuple(e for e in entries if window.dockWidgetArea(window.docks[e[0]]) == area)
        if not entries:
            continue
        docks = [window.docks[key] for key, _ in entries]
        if area in (_LEFT, _RIGHT):
            # In a stack of tabs a column holds the fit table, too.
            room = max(int(width * narrow), _NARROWEST + (20 if height < _TINY else 0))
            window.resizeDocks(docks[:1], [room], Qt.Orientation.Horizontal)
            heights = _heights(window, entries, room, height - _BARS)
        else:
            heights = [int(height * share / 100) for _, share in entries]
        window.resizeDocks(docks, heights, Qt.Orientation.Vertical)


def _heights(
    window: MainWindow, entries: tuple[tuple[str, int], ...], width: int, height: int
) -> list[int]:
    """Heights of stacked docks: share 0 takes what its content needs, the others share the rest."""
    needs = {
        key: _TITLE + max(p.heightForWidth(width), p.sizeHint().height())
        for key, p in window.panels.items()
    }
    fixed = sum(needs[key] for key, share in entries if share == 0)
    total = sum(share for _, share in entries)
    rest = max(0, height - fixed)
    return [needs[k] if share == 0 else max(90, rest * share // total) for k, share in entries]


def centre_is_squeezed(window: MainWindow) -> bool:
    """Whether the docks leave the spectra no room, as a layout of a larger screen may."""
    centre = window.centralWidget()
    return centre is not None and centre.width() < _CENTRE


def save_layout(window: MainWindow, settings: QSettings) -> None:
    """Remember geometry and docks."""
    key = window.layout_key
    settings.setValue(f"{key}/version", LAYOUT_VERSION)
    settings.setValue(f"{key}/geometry", window.saveGeometry())
    settings.setValue(f"{key}/state", window.saveState(LAYOUT_VERSION))
    settings.setValue("layout/theme", window.colours)


def restore_layout(window: MainWindow, settings: QSettings) -> bool:
    """Restore what was remembered; False if there is nothing usable.

    A layout that hides everything is refused; one that squeezes the centre is replaced once the
    window is shown (``centre_is_squeezed``).
    """
    key = window.layout_key
    state, geometry = settings.value(f"{key}/state"), settings.value(f"{key}/geometry")
    if not isinstance(state, QByteArray) or not isinstance(geometry, QByteArray):
        return False
    window.restoreGeometry(geometry)
    if not window.restoreState(state, LAYOUT_VERSION):
        return False
    return any(not dock.isHidden() for dock in window.docks.values())


def save_named(window: MainWindow, settings: QSettings, name: str) -> None:
    """Keep the present arrangement under a name of the user's."""
    settings.setValue(f"presets/{name}", window.saveState(LAYOUT_VERSION))


def named_layouts(settings: QSettings) -> list[str]:
    """Names that the user gave."""
    settings.beginGroup("presets")
    names = sorted(settings.childKeys())
    settings.endGroup()
    return names


def restore_named(window: MainWindow, settings: QSettings, name: str) -> bool:
    """Restore an arrangement of the user's."""
    state = settings.value(f"presets/{name}")
    return isinstance(state, QByteArray) and window.restoreState(state, LAYOUT_VERSION)
