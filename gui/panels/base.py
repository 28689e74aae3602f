"""What the panels have in common."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ..plain import PlainLabel

if TYPE_CHECKING:
    from ..bridge import Bridge
    from ..theme import Theme
    from ..viewmodels.port import SessionPort

__all__ = ["Panel", "hint"]


def hint(text: str = "") -> QLabel:
    """Return a wrapping label in the muted colour."""
    label = PlainLabel(text)
    label.setObjectName("hint")
    label.setWordWrap(True)
    return label


class Panel(QWidget):
    """A part of the window with its own rate of drawing.

    Parameters
    ----------
    bridge : Bridge
        Gives snapshots and takes commands.
    theme : Theme
        Colours.

    Attributes
    ----------
    name : str
        Permanent object name; layouts refer to it.
    title : str
        Title of the dock.
    period : float
        Shortest time between two drawings, s.
    draws : bool
        Whether it draws snapshots; others follow the signals of the bridge.
    """

    name = "panel"
    title = "Panel"
    period = 0.1
    draws = False

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.setObjectName("content")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(8, 6, 8, 6)
        self.body.setSpacing(6)

    def pull(self, session: SessionPort) -> Any:
        """Take the newest snapshot; None when there is nothing to draw."""
        return None

    def key(self, snapshot: Any) -> Hashable:
        """Return what changes when the snapshot does."""
        return id(snapshot)

    def draw(self, snapshot: Any) -> None:
        """Draw a snapshot."""

    def wants_frames(self) -> bool:
        """Whether anything of the panel can be seen."""
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme

    def leave(self) -> None:
        """End what works in the background: the window closes."""

    def repaint_soon(self) -> None:
        """Draw at the next tick."""
        self.bridge.redraw(self)
