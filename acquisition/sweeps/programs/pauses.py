"""Carries out what a program does between two points: it waits, or switches feedback."""

from __future__ import annotations

import time

from ....models.errors import DeviceError, InputError
from ...session import Session
from ..control import Ended, SweepControl
from .course import Pause
from .source import ProgramSource, place_of_error
from .steps import Feedback, WaitUntil

__all__ = ["Pauses"]

_LOOK_SECONDS = 0.2


class Pauses:
    """Makes pauses.

    Parameters
    ----------
    session : Session
        Connected.
    control : SweepControl
        Requests to end.
    source : ProgramSource
        Of the program, for messages.
    """

    def __init__(self, session: Session, control: SweepControl, source: ProgramSource) -> None:
        self._session, self._control, self._source = session, control, source
        self._opened = False

    def make(self, pause: Pause) -> None:
        """Make a pause.

        Raises
        ------
        Ended
            If the sweep is to end, or a condition does not come to hold.
        InputError
            If the condition fails.
        DeviceError
            If the gate does not answer.
        """
        self._control.look()
        if isinstance(pause, Feedback):
            self._switch(pause.on)
        elif pause.condition is not None:
            self._wait_for(pause)
        elif self._session.rig.digitizer.info.real_time:  # else nothing happens meanwhile
            self._control.rest(pause.seconds, f"waiting for {pause.seconds:g} s")

    def close(self) -> None:
        """Switch feedback on again where a program has left it off."""
        if self._opened:
            self._switch(True)

    def _switch(self, on: bool) -> None:
        if self._session.rig.gate is None:
            raise InputError(
                f"program {self._source.name} switches feedback, rig {self._session.rig.name} has "
                "no gate"
            )
        self._opened = not on or self._opened
        self._control.answer(self._session.set_feedback(on))
        self._opened = not on

    def _wait_for(self, pause: WaitUntil) -> None:
        began = time.monotonic()
        while not self._holds(pause):
            self._control.look()
            if time.monotonic() - began > pause.seconds:
                raise Ended(
                    "failed",
                    f"program {self._source.name} waited {pause.seconds:g} s for a condition that "
                    "does not hold",
                    DeviceError.exit_code,
                )
            self._control.rest(_LOOK_SECONDS, "waiting for a condition of the program")

    def _holds(self, pause: WaitUntil) -> bool:
        assert pause.condition is not None
        try:
            return bool(pause.condition(self._session.status()))
        except Exception as error:
            where = place_of_error(error, self._source.file)
            raise InputError(f"program {self._source.name}{where}") from None
