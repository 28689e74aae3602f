"""Events of the virtual NI card: streams that tell of samples acquired and of the end of a task."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .ni_server_stream import Acquisition, DaqFault
from .ni_server_tasks import CardTask

__all__ = ["EVENTS", "EventCalls"]

_POLL = 0.2
_REGISTER_RUNNING, _UNREGISTER_RUNNING = -200960, -200986


class EventCalls:
    """Event streams; :class:`~.ni_server_calls.Calls` has the rest."""

    _messages: Any
    _tasks: dict[str, CardTask]
    _closing: threading.Event

    def _task(self, request: Any) -> CardTask:
        """Task of a request."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _accept(self, request: Any, context: Any) -> CardTask:
        """Accept the registration at once: the client waits for it."""
        try:
            task = self._task(request)
            if task.running:
                raise DaqFault(
                    _REGISTER_RUNNING, "Event cannot be registered while the task runs: stop it"
                )
        except DaqFault as fault:
            context.set_trailing_metadata((("ni-error", str(fault.code)),))
            context.abort(import_module("grpc").StatusCode.UNKNOWN, str(fault))
        context.send_initial_metadata(())
        return task

    def _there(self, task: CardTask, context: Any) -> bool:
        """Whether anybody still listens to a task that there still is."""
        alive = context.is_active() and not self._closing.is_set()
        return alive and self._tasks.get(task.name) is task

    def every_n_samples(self, request: Any, context: Any) -> Iterator[Any]:
        """Stream of events, one for every n samples acquired."""
        response = self._messages.RegisterEveryNSamplesEventResponse
        task, count, events = self._accept(request, context), max(1, request.n_samples), 0
        while self._there(task, context):
            acquisition: Acquisition | None = task.acquisition
            if acquisition is None:
                events = 0
                time.sleep(0.005)
            elif acquisition.wait_for((events + 1) * count, _POLL):
                events += 1
                yield response(
                    every_n_samples_event_type_raw=request.every_n_samples_event_type_raw,
                    n_samples=count,
                )

    def done_events(self, request: Any, context: Any) -> Iterator[Any]:
        """Stream of one event for each time that the task comes to its end, with its error."""
        task, told = self._accept(request, context), True
        while self._there(task, context):
            if not task.running:
                told = False
            elif not told:
                status = task.ending()
                if status is not None:
                    told = True
                    yield self._messages.RegisterDoneEventResponse(status=status)
            time.sleep(0.005)

    def _unregister(self, request: Any) -> dict[str, Any]:
        if self._task(request).running:
            raise DaqFault(
                _UNREGISTER_RUNNING, "Event cannot be unregistered while the task runs: stop it"
            )
        return {}


EVENTS = {
    "RegisterEveryNSamplesEvent": "every_n_samples",
    "RegisterDoneEvent": "done_events",
}
"""Methods that stream events, by the names of the calls."""
