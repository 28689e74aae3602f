"""Who may steer: one remote at a time; the user at the experiment may always act besides."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ...models.errors import InputError

__all__ = ["Knobs", "Seat"]


@dataclass(frozen=True, eq=False)
class Seat:
    """One connected remote.

    Attributes
    ----------
    name : str
        Whom it calls itself.
    local : bool
        Whether it has proved to be of the user who runs the experiment, on the same computer.
    """

    name: str
    local: bool = False


class Knobs:
    """The right to steer; any thread may ask.

    Parameters
    ----------
    steering : bool
        Whether remotes may have it at all.
    """

    def __init__(self, *, steering: bool = True) -> None:
        self._steering = steering
        self._lock = threading.Lock()
        self._owner: Seat | None = None
        self._since = 0.0

    @property
    def owner(self) -> str | None:
        """Name of the remote that steers."""
        owner = self._owner
        return None if owner is None else owner.name

    def take(self, seat: Seat, *, force: bool = False) -> str | None:
        """Give a remote the knobs; return the name of the one that lost them by that.

        Raises
        ------
        InputError
            If another remote has them; ``force`` is for the user who runs the experiment. If
            remotes may only watch.
        """
        if not self._steering:
            raise InputError(
                "remotes only watch this experiment: a sweep steers it, or its user wishes so"
            )
        with self._lock:
            before = self._owner
            if before is None or before is seat:
                before = None
            elif not force:
                raise InputError(f"{self._held()}; ask for them, or wait until they are given back")
            elif not seat.local:
                raise InputError(
                    f"{self._held()}; only the user who runs the experiment, on the same computer, "
                    "can take them from others"
                )
            if self._owner is not seat:
                self._owner, self._since = seat, time.time()
            return None if before is None else before.name

    def give(self, seat: Seat | None = None) -> str | None:
        """Take them back from a remote, from any with None; return whose they were."""
        with self._lock:
            owner = self._owner
            if owner is None or seat not in (None, owner):
                return None
            self._owner = None
            return owner.name

    def require(self, seat: Seat) -> None:
        """Raise InputError unless a remote has the knobs; says who has them."""
        with self._lock:
            if self._owner is seat:
                return
            if self._owner is None:
                raise InputError("this remote only watches: take the knobs first, remote.take()")
            raise InputError(f"{self._held()}: this remote only watches")

    def _held(self) -> str:
        assert self._owner is not None
        since = time.strftime("%H:%M", time.localtime(self._since))
        return f"the knobs are held by {self._owner.name} since {since}"
