"""Painting that ends, whatever goes wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PyQt6.QtGui import QPainter
from PyQt6.QtWidgets import QWidget

__all__ = ["painting"]


@contextmanager
def painting(widget: QWidget) -> Iterator[QPainter]:
    """Paint on a widget within its paint event.

    The traceback of an error keeps the painter alive: one that is not ended stays at work on the
    window, and Qt crashes the program when that is destroyed.
    """
    painter = QPainter(widget)
    try:
        yield painter
    finally:
        painter.end()
