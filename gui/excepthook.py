"""A bug in the window must not end the program: Qt would abort it, with a run under way."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .window import MainWindow

__all__ = ["reporting_bugs"]


@contextlib.contextmanager
def reporting_bugs(window: MainWindow) -> Iterator[None]:
    """Write what a slot raises into the window's log and to stderr, each text once, and go on."""
    before = sys.excepthook
    said: set[str] = set()

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        text = f"internal error of the window: {kind.__name__}: {error}"
        if text in said:  # a timer would say it 30 times a second
            return
        said.add(text)
        window.log.write("error", f"{text}; runs go on, restart the window after them")
        with contextlib.suppress(OSError, ValueError):
            traceback.print_exception(kind, error, trace)

    sys.excepthook = report
    try:
        yield
    finally:
        sys.excepthook = before
