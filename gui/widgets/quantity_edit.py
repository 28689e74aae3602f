"""A line edit for a number with a unit; what is refused is said beside the field."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QWheelEvent
from PyQt6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from ...models.errors import InputError
from ..plain import PlainLabel, plain_tip

__all__ = ["QuantityEdit", "with_reason"]

# Frame, padding and cursor of a line edit beside its text, px.
_FRAME = 18
# Another window or a menu took the focus: the user has not left the field.
_STAYS = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)


class QuantityEdit(QLineEdit):
    """Text ↔ SI through the functions of a view-model.

    Return and leaving the field commit; what is refused stays, with its reason in ``reason``, a
    label that the owner places beside the field. Escape restores; the wheel changes a focused
    field by one step.

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
        self.reason = PlainLabel()
        self.reason.setObjectName("refusal")
        self.reason.setWordWrap(True)
        self.reason.hide()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.returnPressed.connect(self.commit)

    def set_tip(self, tip: str) -> None:
        """Set the tip that shows while the text is valid."""
        self._tip = tip
        self.setToolTip(tip)

    def make_room(self, *texts: str) -> None:
        """Be as wide as the widest of these texts needs, whatever the font and the scale."""
        metrics = self.fontMetrics()
        self.setFixedWidth(max(metrics.horizontalAdvance(text) for text in texts) + _FRAME)

    @property
    def pending(self) -> bool:
        """Whether there is text that has been typed and neither committed nor restored."""
        return self.isModified()

    def set_value(self, value: float | None) -> None:
        """Show a value; text that was typed and not committed stays."""
        self.value = value
        if self.pending:
            return
        text = self.write(value)
        if text != self.text():
            self._show(text)
            self.mark("")

    def _show(self, text: str) -> None:
        """Replace the text; where it is longer than the field its beginning shows."""
        self.setText(text)
        self.setCursorPosition(0)

    def commit(self) -> bool:
        """Parse the text and announce the value, or say why it is refused.

        Returns
        -------
        bool
            Whether it was taken.
        """
        try:
            value = self.parse(self.text())
        except InputError as error:
            self.mark(str(error))
            return False
        self.mark("")
        self.setModified(False)
        self.value = value
        self._show(self.write(value))
        self.committed.emit(value)
        return not self.property("invalid")

    def settle(self) -> bool:
        """Commit what was typed, if anything; False when it is refused."""
        return self.commit() if self.pending else not self.property("invalid")

    def mark(self, error: str) -> None:
        """Show an error beside the field, or none."""
        invalid = bool(error)
        self.setToolTip(plain_tip(error) if error else self._tip)
        self.reason.setText(error)
        self.reason.setVisible(invalid and self.reason.parent() is not None)
        if bool(self.property("invalid")) != invalid:
            self.setProperty("invalid", invalid)
            style = self.style()
            if style is not None:
                style.unpolish(self)
                style.polish(self)

    def refuse(self, error: str) -> None:
        """Say why what was committed could not be done; the text stays to be mended."""
        self.setModified(True)
        self.mark(error)

    def restore(self) -> None:
        """Throw the typed text away, as the user wishes."""
        self.setModified(False)
        self._show(self.write(self.value))
        self.mark("")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape restores."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.restore()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Leaving the field commits it; a window that comes to the front leaves it as it is."""
        super().focusOutEvent(event)
        if self.pending and (event is None or event.reason() not in _STAYS):
            self.commit()

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
        self._show(self.write(value))
        self.committed.emit(value)


def with_reason(edit: QuantityEdit) -> QWidget:
    """Return the field with the room for its refusals below it, as one widget."""
    both = QWidget()
    box = QVBoxLayout(both)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(1)
    box.addWidget(edit)
    box.addWidget(edit.reason)
    return both
