"""A driver on a thread of its own, so that a call that hangs can be left behind with its link."""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ...models.errors import DeviceError
from ..links.base import LinkError

__all__ = ["Hand"]


class Hand:
    """One driver object and the only thread that calls it.

    Parameters
    ----------
    packed : bytes
        The driver, not connected, pickled.

    Raises
    ------
    DeviceError
        If the driver cannot be unpacked in this process.
    """

    def __init__(self, packed: bytes) -> None:
        try:
            self.device: Any = pickle.loads(packed)
        except Exception as error:  # whatever importing a driver raises
            raise DeviceError(
                f"the guardian cannot load the driver of the gate ({error!r}): it must be a class "
                "of an importable module"
            ) from error
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._work, name="gate", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, future = job
            try:
                future.set_result(function())
            except BaseException as error:  # handed to whoever asked
                future.set_exception(error)
        with contextlib.suppress(Exception):  # nobody is interested any more
            self.device.disconnect()

    def call(self, function: Callable[[], Any], seconds: float) -> Any:
        """Call on the driver's thread.

        Raises
        ------
        LinkError
            If it takes longer; the call may still go on, so that the hand must be let go.
        Exception
            Whatever the driver raises.
        """
        future: Future[Any] = Future()
        self._jobs.put((function, future))
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise
            raise LinkError(
                f"{self.device.name} did not answer within {seconds:g} s: check its cable and power"
            ) from None

    def let_go(self) -> None:
        """Disconnect the driver when its call has ended, or break that off; does not wait."""
        abandon = getattr(self.device, "abandon", None)
        if abandon is not None:
            with contextlib.suppress(Exception):  # it is disconnected in any case
                abandon()
        self._jobs.put(None)
