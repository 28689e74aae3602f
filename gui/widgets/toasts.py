"""Messages that float over the window for a few seconds; repeats raise a count."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt, QTimer
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.log import LogLine

__all__ = ["Toasts"]

_SECONDS = 8
_MOST = 4
_WIDTH = 400
# Room for the status bar, px.
_BOTTOM = 36


class _Toast(QFrame):
    """One message."""

    def __init__(self, line: LogLine, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.line = line
        self.setObjectName("toast")
        self.set_theme(theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 7, 6, 7)
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


class Toasts(QWidget):
    """Stack of messages at the lower end of a window.

    Parameters
    ----------
    host : QWidget
        The window.
    theme : Theme
        Colours.
    anchor : QWidget
        Its right edge is that of the messages: below the spectra lies the log, which says the same,
        so that no title and no read-out is covered.
    """

    def __init__(self, host: QWidget, theme: Theme, anchor: QWidget) -> None:
        super().__init__(host)
        self._anchor = anchor
        self.theme = theme
        self._stack = QVBoxLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.setSpacing(6)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        host.installEventFilter(self)
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
        found = self.findChildren(_Toast, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return [t for t in found if not t.isHidden()]

    def push(self, line: LogLine) -> None:
        """Show a line, or raise the count of the toast that already shows it."""
        shown = self._toasts()
        for toast in shown:
            if toast.line is line:
                toast.refresh()
                self._place()
                return
        for toast in shown[: max(0, len(shown) - _MOST + 1)]:
            toast.close()
        toast = _Toast(line, self.theme, self)
        toast.destroyed.connect(self._place)
        self._stack.addWidget(toast)
        toast.show()
        self._place()

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        if not self._toasts():
            self.hide()
            return
        width = min(_WIDTH, parent.width() - 40)
        self.setFixedWidth(width)
        height = sum(t.heightForWidth(width) + 6 for t in self._toasts())
        self.resize(width, max(height, 40))
        right = self._anchor.mapTo(parent, self._anchor.rect().topRight()).x()
        self.move(max(0, right - width - 12), max(0, parent.height() - self.height() - _BOTTOM))
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay in the corner when the window is resized."""
        if event is not None and event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False
