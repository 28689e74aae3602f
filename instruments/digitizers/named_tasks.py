"""Drivers whose tasks on a gRPC device server have names, and what becomes of the tasks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..driver import Driver, ReservedError
from ..links.base import LinkError
from .daqmx import DaqSystem
from .ni_leases import TaskLease, adopt, clear_left

__all__ = ["NamedTasks"]

_T = TypeVar("_T")


class NamedTasks(Driver):
    """A driver whose tasks on a gRPC server have names, so that they survive a broken link.

    Whoever has this driver, or a copy of it, finds the tasks again that a broken link has left on
    the server with the lines reserved. So does, once this process has ended, whoever uses the card
    next from this computer: it clears them. Nobody else does.

    Parameters
    ----------
    name : str
        Name in the rig.
    kind : str
        Of device, part of the tasks' names.
    device : str
        Name of the card.
    grpc : str or None
        ``host:port`` of an NI gRPC device server.
    timeout : float
        Longest wait of a call, s.
    parts : sequence of str
        What the names of the tasks add to that of the driver; "" for nothing.
    rivals : sequence of str
        Other kinds of drivers that reserve the same.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        device: str,
        grpc: str | None,
        timeout: float,
        parts: Sequence[str] = ("",),
        rivals: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        self._device, self._kind = device, kind
        self._timeout = require_range("timeout", timeout, 0.01, 60.0, "s")
        self._system = DaqSystem(name, grpc, timeout)
        self._session = f"optobind-{kind}-{uuid.uuid4().hex}"
        self._rivals = (kind, *rivals)
        self._task_names = tuple(f"{self._session}{part}" for part in parts)
        self._broken = False
        self._lease: TaskLease | None = None
        self._orphans: tuple[str, ...] = ()  # own names that a lost copy may have left

    def abandon(self) -> None:
        """Break off a call that hangs, from another thread; the tasks stay with the server."""
        self._broken = True
        if self._system.remote:
            self._system.close()
            self._end_lease(kept=True)  # the next copy of this driver is to know at once

    def left_behind(self) -> bool:
        """Whether a lost copy of this driver may have left tasks; asks no server."""
        self._register()
        return not self._system.remote or self._lease is None or bool(self._orphans)

    def _reach(self) -> None:
        """Reach the card; on a server, write down what this process may hold there from now on."""
        self._system.open()
        self._register()

    def _register(self) -> None:
        """Write the names of the tasks down; see which of them a lost copy has left."""
        if self._system.remote and self._lease is None:
            with suppress(OSError):  # a folder that cannot be written: nobody will know
                address, names = self._system.address, self._task_names
                self._lease = TaskLease(address, self._device, self._kind, names)
                self._orphans = adopt(self._lease)

    def _whoever_is_dead(self, call: Callable[[], _T]) -> _T:
        """Call; once more if what is reserved was left on the server by processes that are gone."""
        try:
            return call()
        except ReservedError:
            if self._lease is None or not self._clear_dead(self._lease):
                raise
            return call()

    def _clear_dead(self, lease: TaskLease) -> int:
        try:
            with self._talking():
                return clear_left(lease, self._rivals, self._clear_task)
        except (DeviceError, OSError):  # left to the next
            return 0

    def _clear_task(self, name: str) -> None:
        with self._system.errors():
            self._system.task(name).close()

    def _leave(self, *, kept: bool) -> None:
        """Drop the connection, and the names with it unless their tasks are ``kept``. Never raises.

        Parameters
        ----------
        kept : bool
            Whether tasks are left on the server because the link is broken.
        """
        try:
            while self._orphans and not kept:
                self._clear_task(self._orphans[0])
                self._orphans = self._orphans[1:]
        except Exception:
            kept = True
        self._orphans = ()
        self._end_lease(kept=kept)
        self._system.close()

    def _end_lease(self, *, kept: bool) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.end(kept=kept)

    def _take_broken(self) -> bool:
        """Whether nothing can be cleared, over a broken link: the next connection does it."""
        broken, self._broken = self._broken, False
        return broken and self._system.remote

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Use the link; remember that it is broken."""
        try:
            with super()._talking():
                yield
        except LinkError:
            self._broken = True
            raise

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Talk to the card."""
        with self._talking(), self._system.errors():
            yield
