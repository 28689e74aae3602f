"""Windows of tests are deleted at once."""

from __future__ import annotations

from PyQt6.QtCore import QEvent
from PyQt6.QtWidgets import QApplication

__all__ = ["destroy"]


def destroy(window):
    """Delete a window now: those that linger would be styled anew with every other one."""
    window.deleteLater()
    for _ in range(3):  # deleting a window releases the proxies of its slots, and so on
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
