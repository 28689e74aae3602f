"""Messages of the last seconds in a bar of their own above the status bar: never over data."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.log import LogLine

__all__ = ["Toasts"]

_SECONDS = 8
_MOST = 2
_LOW = 620  # px; a window that is lower has room for one message


class _Toast(QFrame):
    """One message."""

    def __init__(self, line: LogLine, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.line = line
        self.setObjectName("toast")
        self.set_theme(theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, 6, 3)
        self.label = PlainLabel(line.label)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.label, 1)
        shut = QToolButton()
        shut.setText("×")
        shut.setToolTip("dismiss; the log keeps the message")
        shut.clicked.connect(self.close)
        layout.addWidget(shut, 0, Qt.AlignmentFlag.AlignTop)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.timeout.connect(self.close)
        self.timer.start(1000 * _SECONDS)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of the level."""
        tone = theme.color(self.line.level)
        self.setStyleSheet(
            f"QFrame#toast {{ background: {theme.raised}; border: 1px solid {tone}; "
            f"border-left: 4px solid {tone}; border-radius: 5px; }}"
        )

    def refresh(self) -> None:
        """Show the count anew and stay a little longer."""
        self.label.setText(self.line.label)
        self.timer.start(1000 * _SECONDS)


class _Stack(QWidget):
    """Messages one below the other, as high as their wrapped texts need at the bar's width."""

    def __init__(self) -> None:
        super().__init__()
        self.box = QVBoxLayout(self)
        self.box.setContentsMargins(4, 2, 4, 2)
        self.box.setSpacing(3)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def fit(self, width: int) -> None:
        """Take the height that a width needs."""
        self.setFixedHeight(max(1, self.box.heightForWidth(width)))

    def sizeHint(self) -> QSize:
        """Wide."""
        return QSize(400, self.height())


class Toasts(QToolBar):
    """The bar of the messages; hidden while there is none.

    Parameters
    ----------
    theme : Theme
        Colours.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__("Messages")
        self.setObjectName("messages")
        self.setMovable(False)
        self.setFloatable(False)
        hide = self.toggleViewAction()
        if hide is not None:
            hide.setVisible(False)
        self.theme = theme
        self._stack = _Stack()
        self.addWidget(self._stack)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme
        for toast in self._toasts():
            toast.set_theme(theme)

    def messages(self) -> list[str]:
        """Texts now shown."""
        return [t.label.text() for t in self._toasts()]

    def _toasts(self) -> list[_Toast]:
        found = self._stack.findChildren(_Toast, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return [t for t in found if not t.isHidden()]

    def push(self, line: LogLine) -> None:
        """Show a line, or raise the count of the toast that already shows it."""
        shown = self._toasts()
        for toast in shown:
            if toast.line is line:
                toast.refresh()
                self._place()
                return
        window = self.parentWidget()
        low = window is not None and window.height() < _LOW
        for toast in shown[: max(0, len(shown) - (1 if low else _MOST) + 1)]:
            toast.close()
        toast = _Toast(line, self.theme, self._stack)
        toast.destroyed.connect(self._place)
        self._stack.box.addWidget(toast)
        toast.show()
        self._place()

    def _place(self) -> None:
        """Take the room that the messages need; before it is shown, or the window would grow."""
        window = self.parentWidget()
        if window is not None:
            self._stack.fit(max(200, window.width() - 16))
        self.setVisible(bool(self._toasts()))
