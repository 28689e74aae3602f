"""Waits until the signals are stationary: windows in a row have the same power.

The power of a window is known as well as its pieces tell; two windows agree where no channel's
powers differ by more than three standard errors. A window is a small run file that is removed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..plans import MonitorPlan, steps_of
from ..runfile import RunFile
from ..session import Session
from .control import Ended, SweepControl
from .folder import SweepFolder
from .points import Point

__all__ = ["Settling", "agree", "power_of"]

Array = NDArray[np.float64]

_PIECES = 20
_WITHIN = 3.0  # standard errors


def power_of(volts: Array) -> tuple[Array, Array]:
    """Power of each channel and its standard error from the scatter of pieces.

    Parameters
    ----------
    volts : ndarray, shape (n, channels)
        A window; pieces of n/20 samples are taken as independent.

    Examples
    --------
    >>> power, error = power_of(np.random.default_rng(1).standard_normal((20000, 1)))
    >>> bool(abs(power[0] - 1.0) < 5.0 * error[0])
    True
    """
    rows = len(volts) // _PIECES
    pieces = volts[: rows * _PIECES].reshape(_PIECES, rows, -1)
    powers = (pieces**2).mean(axis=1)
    return powers.mean(axis=0), powers.std(axis=0, ddof=1) / np.sqrt(_PIECES)


def agree(one: tuple[Array, Array], other: tuple[Array, Array]) -> bool:
    """Whether two windows have the same powers within their errors."""
    error = np.hypot(one[1], other[1])
    return bool((np.abs(one[0] - other[0]) <= _WITHIN * error).all())


class Settling:
    """Looks at windows before a point.

    Parameters
    ----------
    session : Session
        Connected.
    folder : SweepFolder
        Of the sweep; windows lie there while they are looked at.
    control : SweepControl
        Requests to end.
    """

    def __init__(self, session: Session, folder: SweepFolder, control: SweepControl) -> None:
        self._session, self._folder, self._control = session, folder, control

    def wait(self, point: Point) -> bool | None:
        """Return whether two windows in a row agreed; None where none are asked for.

        Raises
        ------
        Ended
            If the sweep is to end.
        InputError, DeviceError
            If a window cannot be recorded.
        """
        plan = self._folder.plan
        if plan.settle_window <= 0.0:
            return None
        before: tuple[Array, Array] | None = None
        for attempt in range(1, plan.settle_attempts + 1):
            self._control.tell(f"point {point.number}: window {attempt} until it is stationary")
            found = self._window(point)
            if before is not None and agree(before, found):
                return True
            before = found
        return False

    def _window(self, point: Point) -> tuple[Array, Array]:
        """Record a window and return its powers."""
        plan = self._folder.plan
        allowed = all(step.allow_unstable for step in steps_of(point.plan or plan.inner))
        monitor = MonitorPlan(plan.settle_window, allow_unstable=allowed)
        path = self._folder.path / f"window{point.number}.h5"
        path.unlink(missing_ok=True)
        outcome = self._control.answer(self._session.start(monitor, path))
        if outcome.outcome in ("stopped", "aborted"):
            raise Ended("aborted", outcome.reason)
        columns = [d.channel for d in self._session.rig.channels("out_of_loop")]
        with RunFile.open(outcome.path) as run:
            (start, stop), *_ = run.recorded()
            volts = run.volts(start, stop)[:, columns]
        path.unlink(missing_ok=True)
        return power_of(volts)
