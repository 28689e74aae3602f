"""A line edit for a number with a unit; errors show at the field."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QWheelEvent
from PyQt6.QtWidgets import QLineEdit, QWidget

from ...models.errors import InputError

__all__ = ["QuantityEdit"]


class QuantityEdit(QLineEdit):
    """Text ↔ SI through the functions of a view-model.

    Return commits, Escape restores, the wheel changes a focused field by one step.

    Parameters
    ----------
    parse : callable
        Text to SI value; raises InputError.
    write : callable
        SI value to text.
    step : float
        Step of the wheel, SI; 0 switches it off.
    """

    committed = pyqtSignal(object)

    def __init__(
        self,
        parse: Callable[[str], float | None],
        write: Callable[[float | None], str],
        *,
        step: float = 0.0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.parse = parse
        self.write = write
        self.step = step
        self.value: float | None = None
        self._tip = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.returnPressed.connect(self.commit)

    def set_tip(self, tip: str) -> None:
        """Set the tip that shows while the text is valid."""
        self._tip = tip
        self.setToolTip(tip)

    def set_value(self, value: float | None) -> None:
        """Show a value unless the user is typing."""
        self.value = value
        if self.hasFocus() and self.isModified():
            return
        text = self.write(value)
        if text != self.text():
            self.setText(text)
            self.mark("")

    def commit(self) -> None:
        """Parse the text and announce the value, or mark the field."""
        try:
            value = self.parse(self.text())
        except InputError as error:
            self.mark(str(error))
            return
        self.mark("")
        self.setModified(False)
        self.value = value
        self.setText(self.write(value))
        self.committed.emit(value)

    def mark(self, error: str) -> None:
        """Show an error at the field, or none."""
        invalid = bool(error)
        self.setToolTip(error or self._tip)
        if bool(self.property("invalid")) != invalid:
            self.setProperty("invalid", invalid)
            style = self.style()
            if style is not None:
                style.unpolish(self)
                style.polish(self)

    def restore(self) -> None:
        """Throw the typed text away."""
        self.setModified(False)
        self.setText(self.write(self.value))
        self.mark("")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape restores."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.restore()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Text that was typed but not committed is thrown away: no command by accident."""
        super().focusOutEvent(event)
        if self.isModified():
            self.restore()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Change by one step, only when focused."""
        if event is None:
            return
        if not self.hasFocus() or self.step == 0.0 or self.value is None:
            event.ignore()
            return
        event.accept()
        turns = 1.0 if event.angleDelta().y() > 0 else -1.0
        try:
            value = self.parse(self.write(self.value + turns * self.step))
        except InputError as error:
            self.mark(str(error))
            return
        self.setModified(False)
        self.value = value
        self.setText(self.write(value))
        self.committed.emit(value)
