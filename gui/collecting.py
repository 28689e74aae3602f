"""Garbage is collected in the window's thread: Qt's objects may be destroyed nowhere else.

Python collects cycles in whichever thread happens to allocate. A widget that is part of a cycle
would then be destroyed by the thread that reads samples, while Qt is about to send it an event:
the program crashes. While a window is open, only a timer of its thread collects.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PyQt6.QtCore import QTimer

__all__ = ["collecting_here"]

_EVERY_MS = 500


@contextmanager
def collecting_here() -> Iterator[None]:
    """Collect garbage in this thread only, whose events are processed meanwhile."""
    were_automatic = gc.isenabled()
    gc.disable()
    timer = QTimer()
    timer.setInterval(_EVERY_MS)
    timer.timeout.connect(_collect)
    timer.start()
    try:
        yield
    finally:
        timer.stop()
        gc.collect()
        if were_automatic:
            gc.enable()


def _collect() -> None:
    """Collect the oldest generation that Python would have collected by now."""
    due = [n for n, limit in enumerate(gc.get_threshold()) if limit and gc.get_count()[n] > limit]
    if due:
        gc.collect(due[-1])
