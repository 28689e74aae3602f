"""The report of a sweep that goes on: renewed now and then, and never worth a point."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...acquisition.sweeps.folder import SweepFolder
from ...acquisition.sweeps.rows import Row
from .sweep import write_sweep_report

__all__ = ["SweepReports"]

_SECONDS = 15.0  # between two reports


class SweepReports:
    """Writes the report of a sweep as it grows, not more often than it is worth.

    Parameters
    ----------
    folder : SweepFolder
        Of the sweep.
    warn : callable
        Called with one line where it cannot be written.
    """

    def __init__(self, folder: SweepFolder, warn: Callable[[str], object]) -> None:
        self._folder, self._warn = folder, warn
        self._next = time.monotonic() + _SECONDS

    def after_row(self, rows: Sequence[Row]) -> None:
        """Write it where the last one is old; a full disk is no reason to stop measuring."""
        if time.monotonic() >= self._next:
            self.write(rows)

    def write(self, rows: Sequence[Row]) -> None:
        """Write it."""
        begin = time.monotonic()
        try:
            write_sweep_report(self._folder, rows)
        except Exception as error:  # no page is worth the points that are yet to be measured
            self._warn(f"the report could not be written: {error}")
        took = time.monotonic() - begin
        self._next = time.monotonic() + max(_SECONDS, 20.0 * took)
