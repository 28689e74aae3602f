"""Releasing the particles: the one action that lowers trap light, confirmed by a typed phrase."""

from __future__ import annotations

from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from ..acquisition.session import RELEASE_PHRASE
from .plain import PlainLabel

__all__ = ["ReleaseDialog", "ask_release"]


class ReleaseDialog(QDialog):
    """Asks for the phrase; the button answers to nothing else."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Release the particles")
        text = PlainLabel(
            "All trap light is switched off and the particles are LOST. Nothing else in this "
            f"program lowers the trap light.\n\nTo go on, type:  {RELEASE_PHRASE}"
        )
        text.setWordWrap(True)
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(RELEASE_PHRASE)
        buttons = QDialogButtonBox()
        roles = QDialogButtonBox.ButtonRole
        cancel = buttons.addButton("Keep the particles", roles.RejectRole)
        release = buttons.addButton("Switch the light off", roles.AcceptRole)
        assert cancel is not None
        assert release is not None
        self.release = release
        self.release.setObjectName("danger")
        self.release.setEnabled(False)
        cancel.setDefault(True)
        self.edit.textChanged.connect(lambda t: self.release.setEnabled(t == RELEASE_PHRASE))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        box = QVBoxLayout(self)
        for widget in (text, self.edit, buttons):
            box.addWidget(widget)
        self.setMinimumWidth(420)


def ask_release(parent: QWidget) -> str | None:
    """Ask; return what was typed, None when the particles are to stay."""
    dialog = ReleaseDialog(parent)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    typed = dialog.edit.text()
    dialog.deleteLater()
    return typed if accepted else None
