"""The watchdog timer of an NI card: it puts the gate's lines to the safe level by itself.

It runs while the gate is open or a pattern is played on its line, and is fed by the guardian. It
covers what no process can: a computer that stops or loses its power.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ...models.errors import DeviceError
from ..links.base import LinkError
from .daqmx import DaqSystem

__all__ = ["WATCHDOG_SECONDS", "NiWatchdog"]

WATCHDOG_SECONDS = 2.0
"""Time without feeding after which the card acts, s."""


class NiWatchdog:
    """A card's watchdog for some lines.

    Parameters
    ----------
    system : DaqSystem
        Open while this is used.
    device : str
        Name of the card.
    lines : sequence of str
        Without the device.
    high : bool
        Level that they take.
    session : str
        Name of its session on a gRPC server.

    Attributes
    ----------
    present : bool
        Whether the card has one that it starts.
    refusal : str
        Why it has none, or did not start the one that it has; empty if it did.
    """

    def __init__(
        self, system: DaqSystem, device: str, lines: Sequence[str], high: bool, session: str
    ) -> None:
        self._system, self._device, self._lines = system, device, tuple(lines)
        self._high, self._session = high, session
        self._task: Any = None
        self._running = False
        self.present, self.refusal = False, ""

    def look(self) -> bool:
        """See whether the card has one, and clear what an earlier connection has left.

        Raises
        ------
        LinkError
            If card or server are gone.
        """
        self.forget()
        self.present, self.refusal = True, ""
        try:
            with self._system.errors():
                task = self._described()
                with suppress(Exception):  # it has not expired
                    task.clear_expiration()
                task.close()
        except LinkError:
            raise
        except DeviceError as error:  # the card's own no
            self.present, self.refusal = False, str(error)
        return self.present

    def _described(self) -> Any:
        types, levels = self._system.module("types"), self._system.module("constants").Level
        task = self._system.watchdog(self._device, WATCHDOG_SECONDS, self._session)
        try:
            level = levels.HIGH if self._high else levels.LOW
            task.cfg_watchdog_do_expir_states(
                [types.DOExpirationState(f"{self._device}/{line}", level) for line in self._lines]
            )
        except BaseException:
            task.close()
            raise
        return task

    def arm(self) -> None:
        """Start it, anew if it runs; a card that refuses has none from now on, see ``refusal``."""
        if not self.present:
            return
        try:
            with self._system.errors():
                if self._task is None:
                    self._task = self._described()
                self._start()
        except LinkError:
            raise
        except DeviceError as error:
            self.present, self.refusal = False, str(error)
            self.close()

    def _start(self) -> None:
        """Start it with its whole time before it."""
        if self._running:
            self._task.stop()
        self._task.start()
        self._running = True

    def feed(self) -> None:
        """Give it its whole time again, if it runs."""
        if self._running:
            with self._system.errors():
                self._task.reset_timer()

    @property
    def expired(self) -> bool:
        """Whether it has acted, and holds the lines at the safe level."""
        if not self._running:
            return False
        with self._system.errors():
            return bool(self._task.expired)

    def unlock(self, *, again: bool) -> bool:
        """Make lines that it has put to the safe level obey again; False if it runs not.

        Parameters
        ----------
        again : bool
            Whether to start it anew, for lines that are about to leave the safe level. Without
            that a card whose watchdog has expired would open a gate that nothing watches.

        Raises
        ------
        DeviceError
            If the card refuses one or the other: the lines stay at the safe level.
        """
        if self._task is None:
            return False
        with self._system.errors():
            self._task.clear_expiration()
            if again:
                self._start()
        return True

    def disarm(self) -> None:
        """Stop it; the lines stay as they are.

        Raises
        ------
        DeviceError
            If that fails.
        """
        if self._task is not None:
            with self._system.errors():
                self._task.stop()
            self._running = False

    def close(self) -> bool:
        """Clear the task; False if it is left to the next connection. Never raises."""
        task = self._task
        self.forget()
        try:
            if task is not None:
                task.close()
        except Exception:
            return False
        return True

    def forget(self) -> None:
        """Leave it to the server: the link is broken."""
        self._task, self._running = None, False
