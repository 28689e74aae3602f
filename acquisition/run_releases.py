"""The releases of a run: judged and shown while it goes on, repeated if lost, settled at its end.

The runner's thread must not wait for the disk, so the file is looked into from a thread of its own
(:class:`LookAtFile`) while samples go on being taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..models.errors import OptobindError
from .plans import Plan, ReheatingPlan
from .ranges import Ranges
from .release_ledger import ReleaseLedger
from .worth import RunWorth, gaps_of

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .apparatus import Listeners
    from .recording import Recording

__all__ = ["LookAtFile", "RunReleases"]

_LONGEST_LOOK = 10.0
"""s; a recorder that is further behind is not waited for: the verdict at the end knows all."""


class RunReleases(ReleaseLedger):
    """The ledger of a run with its file and its live display.

    Parameters
    ----------
    plan : Plan
        Of the run.
    path : Path
        The run file.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        super().__init__(plan)
        self._path = path
        self._listeners: Listeners | None = None

    def show_to(self, listeners: Listeners) -> None:
        """Show these each release from now on, and verdicts that change."""
        self._listeners = listeners

    def show(
        self, volts: NDArray[np.float64], begin: int, plan: ReheatingPlan, number: int
    ) -> None:
        """Judge a release and hand it to the live display.

        Parameters
        ----------
        volts : ndarray, shape (n, channels)
            What came from sample ``begin`` on.
        begin : int
            The sample expected when reading began: at or before the release, unless that was lost.
        plan, number : ReheatingPlan, int
            Plan of the step, and number of the release.
        """
        release = self.finished(plan, number)
        first = release.first_sample
        row = max(0, first - begin - self.lost_between(begin, first))
        if self._listeners is not None:
            self._listeners.on_repetition(volts[row : row + release.samples], plan, release)

    def lost_now(
        self,
        recording: Recording,
        position: int,
        acquire_while: Callable[[Callable[[], bool]], None],
    ) -> tuple[int, ...]:
        """Lost repetitions of this step; samples are taken until the recorder has caught up."""
        look = LookAtFile(self._path, recording, position)
        acquire_while(look.waits)
        self.recorded(look.gaps)
        self._tell()
        return self.lost()

    def worth(self, position: int) -> RunWorth:
        """Say what the run is worth, by its file, all of which has been written.

        Raises
        ------
        FileError
            If the file cannot be read.
        """
        from .runfile import RunFile

        with RunFile.open_own(self._path) as run:
            worth = run.worth(position)
            self.settle(run.all_releases())
        self._tell()
        return worth

    def _tell(self) -> None:
        """Hand the newest verdicts to the live display."""
        if self._released is not None and self._listeners is not None:
            plan, step = self._released
            self._listeners.on_releases(plan, self.releases(step))


class LookAtFile:
    """Finds the gaps of a file that the recorder is writing, as soon as it has caught up.

    Where the recorder missed nothing there is nothing to be found.

    Parameters
    ----------
    path : Path
        The file.
    recording : Recording
        Writes it.
    end : int
        Sample up to which the recorder must have come.
    """

    def __init__(self, path: Path, recording: Recording, end: int) -> None:
        self.gaps = Ranges()
        self._path, self._recording, self._end = path, recording, end
        self._until = time.monotonic() + _LONGEST_LOOK
        self._reader: threading.Thread | None = None

    def waits(self) -> bool:
        """Whether samples are to be taken until there is an answer."""
        if not self._recording.may_miss or time.monotonic() > self._until:
            return False
        if self._reader is not None:
            return self._reader.is_alive()
        if self._recording.position < self._end:
            return True
        if not self._recording.missed:
            return False
        self._reader = threading.Thread(target=self._read, name="look-at-file", daemon=True)
        self._reader.start()
        return True

    def _read(self) -> None:
        from .runfile import RunFile

        try:
            with RunFile.open_own(self._path) as run:
                found = run.recorded()
        except OptobindError:
            return  # the recorder says what is wrong with its file
        self.gaps = gaps_of(found, begin=0)
