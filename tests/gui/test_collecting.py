"""Widgets in cycles are destroyed in the window's thread, whoever makes the garbage."""

from __future__ import annotations

import gc
import threading

from PyQt6.QtCore import QObject

from optobind.gui.collecting import collecting_here


class Cycle(QObject):
    """An object of Qt's that only the collector of garbage can free; tells by which thread."""

    freed: list[int] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.itself = self

    def __del__(self) -> None:
        self.freed.append(threading.get_ident())


def allocate() -> None:
    """Make far more garbage than any threshold of Python's."""
    for _ in range(200_000):
        loop: list[object] = []
        loop.append(loop)


def test_another_thread_that_allocates_frees_nothing_of_qt(qtbot):
    Cycle.freed.clear()
    with collecting_here():
        for _ in range(50):
            Cycle()
        worker = threading.Thread(target=allocate)
        worker.start()
        worker.join()
        assert Cycle.freed == []
        qtbot.waitUntil(lambda: len(Cycle.freed) == 50, timeout=60_000)
    assert set(Cycle.freed) == {threading.get_ident()}


def test_afterwards_python_collects_as_before():
    gc.enable()
    with collecting_here():
        assert not gc.isenabled()
    assert gc.isenabled()
