"""The remote calls of the NI gRPC device server that measurement programs use."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from ...models.errors import OptobindError
from .ni_server_card import Card
from .ni_server_describe import DESCRIPTIONS, DescriptionCalls
from .ni_server_events import EVENTS, EventCalls
from .ni_server_generation import INPUT_START
from .ni_server_samples import SampleCalls
from .ni_server_stream import DaqFault
from .ni_server_tasks import CardTask
from .ni_server_watchdog import Watchdog, WatchdogCalls

__all__ = ["Calls"]

_VERSION = {0x1272: 24, 0x1923: 8, 0x2F22: 0}
_ABANDONED = 10.0  # s without a call after which the tasks of a client may be taken over
_NEW, _ATTACH = 1, 2  # SessionInitializationBehavior
_GENERIC = re.compile(r"(Get|Set)(\w+?)Attribute(?:Ex)?(\w+)")


class Calls(DescriptionCalls, SampleCalls, EventCalls, WatchdogCalls):
    """Servicer: methods by the name of the call; what is not here is UNIMPLEMENTED.

    Parameters
    ----------
    card : Card
        What the calls act on.
    messages : module
        ``nidaqmx._stubs.nidaqmx_pb2``.
    base : object
        Servicer that answers all other calls.
    silent : iterable of str
        Trigger terminals on which nothing comes until :meth:`fire`.
    """

    def __init__(self, card: Card, messages: Any, base: Any, silent: tuple[str, ...]) -> None:
        self._card, self._messages, self._base = card, messages, base
        self._silent = {name.lower() for name in silent}
        self._tasks: dict[str, CardTask] = {}
        self._armed: list[CardTask] = []
        self._seen: dict[str, float] = {}
        self._lock = threading.RLock()
        self._caller = threading.local()
        self._count = 0
        self._closing = threading.Event()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self._base, name):
            raise AttributeError(name)
        if name in EVENTS:
            return getattr(self, EVENTS[name])
        method = _METHODS.get(name)
        generic = _GENERIC.fullmatch(name)
        if method is not None:
            call: Callable[[Any], dict[str, Any]] = getattr(self, method)
        elif generic is not None and generic[2] not in ("PhysicalChan", "SystemInfo"):
            call = partial(self._attribute, *generic.groups())
        else:
            return getattr(self._base, name)
        return partial(self._answer, getattr(self._messages, name + "Response"), call)

    def _answer(
        self, response: Any, call: Callable[[Any], dict[str, Any]], request: Any, context: Any
    ) -> Any:
        """Carry out a call; a fault travels in the trailing metadata, as from NI's server."""
        peer = context.peer()
        self._seen[peer] = time.monotonic()
        self._caller.peer = peer
        try:
            return self._carry_out(response, call, request)
        except DaqFault as fault:
            context.set_trailing_metadata(
                (("ni-error", str(fault.code)), ("ni-samps-per-chan-read", "0"))
                if response.DESCRIPTOR.name.startswith("Read")
                else (("ni-error", str(fault.code)),)
            )
            context.abort(import_module("grpc").StatusCode.UNKNOWN, str(fault))
        finally:
            self._seen[peer] = time.monotonic()

    @staticmethod
    def _carry_out(response: Any, call: Callable[[Any], dict[str, Any]], request: Any) -> Any:
        """Carry out a call; a device behind the card that fails is a card that failed."""
        try:
            return response(**call(request))
        except OptobindError as error:
            raise DaqFault(-50405, f"the device behind the virtual card failed: {error}") from error

    def close(self) -> None:
        """End all tasks and streams."""
        self._closing.set()
        with self._lock:
            for task in list(self._tasks.values()):
                task.stop()
            self._tasks.clear()

    def fire(self, terminal: str) -> None:
        """Send the edge that tasks wait for on a silent terminal."""
        with self._lock:
            waiting = [t for t in self._armed if t.trigger.lower() == terminal.lower()]
            self._armed = [t for t in self._armed if t not in waiting or t.again]
            for task in waiting:
                self._go(task)

    # -- tasks ------------------------------------------------------------------------------------

    def _task(self, request: Any) -> CardTask:
        task = self._tasks.get(request.task.name)
        if task is None:
            raise DaqFault(-200088, "Task specified is invalid or does not exist")
        return task

    def _create_task(self, request: Any) -> dict[str, Any]:
        return self._create(request, lambda name: CardTask(name, self._card, self._caller.peer))

    def _create(self, request: Any, make: Callable[[str], CardTask]) -> dict[str, Any]:
        """Make a task, or attach to the one that has the name asked for."""
        with self._lock:
            self._count += 1
            name = request.session_name or f"_unnamedTask<{self._count}>"
            there, behaviour = name in self._tasks, request.initialization_behavior
            if there and behaviour == _NEW:
                raise DaqFault(-200089, f"Task name conflicts with an existing task name: {name}")
            if not there and behaviour == _ATTACH:
                raise DaqFault(-200088, f"No session of the name {name} exists")
            if there:  # whoever made it may be gone: as on NI's server its task is not
                self._tasks[name].peer = self._caller.peer
            else:
                self._tasks[name] = make(name)
        request_of_it = self._messages.StartTaskRequest()
        request_of_it.task.name = name
        return {"task": request_of_it.task, "new_session_initialized": not there}

    def _clear(self, request: Any) -> dict[str, Any]:
        with self._lock:
            task = self._task(request)
            self._tasks.pop(task.name, None)
            self._stop_task(task)
        return {}

    def _stop_task(self, task: CardTask) -> None:
        if task in self._armed:
            self._armed.remove(task)
        task.stop()

    def _start(self, request: Any) -> dict[str, Any]:
        with self._lock:
            task = self._task(request)
            if task.running:
                return {}
            if isinstance(task, Watchdog):
                task.begin()
                return {}
            if not task.names:
                raise DaqFault(-200478, "Specified operation cannot be performed without channels")
            if task.kind == "ai":
                self._take_over()
                task.start_input()
                if task.trigger.lower() in self._silent:
                    self._armed.append(task)
                    return {}
                try:
                    self._go(task)
                except OptobindError:
                    self._stop_task(task)
                    raise
            elif task.generation is not None:
                self._reserve(task)
                if task.trigger and INPUT_START not in task.trigger.lower():
                    self._armed.append(task)
                task.start_clocked()
                if task in self._armed and task.trigger.lower() not in self._silent:
                    self._go(task)
            elif task.kind == "ao":
                self._reserve(task)
                task.running = True
                waits = INPUT_START in task.trigger.lower() or task.trigger.lower() in self._silent
                if task.volts is None:
                    task.start_output()
                if waits:
                    self._armed.append(task)
                else:
                    self._go(task)
            else:
                if task.kind == "do":
                    self._reserve(task)
                task.running = True
        return {}

    def _reserve(self, task: CardTask) -> None:
        """Refuse what another task holds, also that of a client that has died."""
        wanted, clocked = set(task.lines), task.generation is not None
        for other in list(self._tasks.values()):
            if other is task or not other.holds:
                continue
            if clocked and other.generation is not None and other.kind == task.kind in ("do", "ao"):
                raise DaqFault(-50103, "The specified resource is reserved by another task")
            if task.kind == other.kind == "ao" and set(task.places) & set(other.places):
                raise DaqFault(-50103, "The specified resource is reserved by another task")
            shared = sorted(wanted & set(other.lines)) if other.kind in ("do", "co") else []
            if not shared:
                continue
            if task.kind == other.kind == "co":
                raise DaqFault(-50103, "The specified resource is reserved by another task")
            if "co" in (task.kind, other.kind):
                raise DaqFault(
                    -89137, "Specified route cannot be satisfied, because it requires resources "
                    f"that are currently in use by another route: {', '.join(shared)}"
                )  # fmt: skip
            raise DaqFault(
                -200587, f"Digital lines are reserved by another task: {', '.join(shared)}"
            )

    def _go(self, task: CardTask) -> None:
        """The trigger has come."""
        if task.generation is not None and task.generation.output is not None:
            self._card.trigger([task.generation.output])
            return
        if task.kind == "ao":
            for name, waveform in task.start_output():
                if task.rate:
                    self._card.play(name, waveform)
                else:
                    self._card.set_volts(name, float(waveform.volts[-1]))
            return
        if task.acquisition is None:
            return
        for follower in [t for t in self._armed if INPUT_START in t.trigger.lower()]:
            self._armed.remove(follower)
            self._go(follower)
        self._card.trigger(
            t.generation.output
            for t in self._tasks.values()
            if t.generation is not None and t.generation.output is not None
            and INPUT_START in t.trigger.lower() and (t.generation.output.waits or t.again)
        )  # fmt: skip
        task.acquisition.start()

    def _take_over(self) -> None:
        """Clear the inputs of a client that has not been heard of: it is gone."""
        now = time.monotonic()
        for task in list(self._tasks.values()):
            silent = now - self._seen.get(task.peer, 0.0) > _ABANDONED
            if task.kind == "ai" and task.running and silent:
                self._tasks.pop(task.name)
                self._stop_task(task)

    def _stop(self, request: Any) -> dict[str, Any]:
        with self._lock:
            self._stop_task(self._task(request))
        return {}

    def _control(self, request: Any) -> dict[str, Any]:
        action = request.action_raw or request.action
        if action == 0:
            return self._start(request)
        if action in (1, 6):
            return self._stop(request)
        self._task(request)
        return {}

    def _is_done(self, request: Any) -> dict[str, Any]:
        return {"is_task_done": self._task(request).done}

    def _wait_done(self, request: Any) -> dict[str, Any]:
        if not self._task(request).wait_done(request.time_to_wait):
            raise DaqFault(-200560, "Wait Until Done did not indicate that the task was done")
        return {}

    # -- attributes -------------------------------------------------------------------------------

    def _attribute(self, verb: str, family: str, kind: str, request: Any) -> dict[str, Any]:
        number = request.attribute_raw or request.attribute
        if family == "Device":
            self._card.short(f"{request.device_name}/")
            values = self._card.attributes()
            if number not in values:
                raise DaqFault(-200197, f"The virtual card has no device property 0x{number:04X}")
            return _value(kind, values[number])
        task = self._task(request)
        if verb == "Set":
            task.set_attribute(number, getattr(request, "value_raw", 0) or request.value)
            return {}
        return _value(kind, task.attribute(number, getattr(request, "channel", "")))

    def _system(self, request: Any) -> dict[str, Any]:
        number = request.attribute_raw or request.attribute
        if number not in _VERSION:
            raise DaqFault(-200452, f"The virtual card has no system property 0x{number:04X}")
        return {"value": _VERSION[number]}

    def _system_text(self, request: Any) -> dict[str, Any]:
        return {"value": self._card.device if (request.attribute_raw or 0) == 0x193B else ""}

    def _error_string(self, request: Any) -> dict[str, Any]:
        return {"error_string": f"error {request.error_code} of the virtual NI card"}


_METHODS = {
    "CreateTask": "_create_task",
    "ClearTask": "_clear",
    "StartTask": "_start",
    "StopTask": "_stop",
    "TaskControl": "_control",
    "IsTaskDone": "_is_done",
    "WaitUntilTaskDone": "_wait_done",
    **DESCRIPTIONS,
    "GetSystemInfoAttributeUInt32": "_system",
    "GetSystemInfoAttributeString": "_system_text",
    "GetErrorString": "_error_string",
    "ReadRaw": "_read_raw",
    "ReadBinaryI16": "_read_i16",
    "ReadAnalogF64": "_read_f64",
    "ReadAnalogScalarF64": "_read_scalar",
    "WriteAnalogF64": "_write_f64",
    "WriteAnalogScalarF64": "_write_scalar",
    "WriteDigitalLines": "_write_lines",
    "WriteDigitalScalarU32": "_write_port",
    "WriteDigitalU32": "_write_ports",
    "ReadDigitalLines": "_read_lines",
    "ReadDigitalScalarU32": "_read_port",
    "ReadDigitalU32": "_read_ports",
    "UnregisterEveryNSamplesEvent": "_unregister",
    "UnregisterDoneEvent": "_unregister",
    "CreateWatchdogTimerTaskEx": "_create_watchdog",
    "CfgWatchdogDOExpirStates": "_watchdog_states",
    "ControlWatchdogTask": "_control_watchdog",
}


def _value(kind: str, value: Any) -> dict[str, Any]:
    """The field that a client reads: enumerations travel as raw numbers."""
    return {"value_raw": value} if kind in ("Int32", "Int32Array") else {"value": value}
