"""A thread that asks one slow device at its own pace, and bears with what such devices do.

Nobody waits for it: a device that answers late, garbled or not at all delays neither the samples
nor the end of a session. A bad answer is asked for once more, then over a new link, with growing
waits and without end. The link of a device that hangs is closed from outside.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..instruments.protocols import DeviceState
from ..models.errors import DeviceError, OptobindError
from .slots import LogBook
from .slow_health import Health
from .slow_pace import Calm, Pace
from .slow_sensor import SlowIncident, SlowReading, SlowSensor

__all__ = ["SlowChannel"]

T = TypeVar("T")
Post = Callable[[SlowReading | SlowIncident], None]

_ANSWERING = (DeviceState.READY, DeviceState.RUNNING)
# What closing may take: for the call under way to end, for the link to be closed from outside, and
# for the call to notice.
_CLOSE_SECONDS = (0.5, 0.4, 0.4)


class SlowChannel:
    """One slow device, owned by a thread from :meth:`open` to :meth:`close`.

    Parameters
    ----------
    sensor : SlowSensor
        The device and how it is read.
    post : callable
        Takes readings and incidents; called from the thread, must not wait.
    log : LogBook
        Receives a line when the device falls silent and when it is back.
    calm : Calm
        When questions may begin.
    pace : Pace, optional
        When it is asked.
    """

    def __init__(
        self, sensor: SlowSensor, post: Post, log: LogBook, calm: Calm, pace: Pace | None = None
    ) -> None:
        self.sensor = sensor
        self.health = Health(self.label)
        self._post, self._log, self._calm = post, log, calm
        self._pace = pace or Pace()
        self._thread: threading.Thread | None = None
        self._previous: threading.Thread | None = None
        self._stopped = threading.Event()
        self._tried = threading.Event()
        self._wake = threading.Event()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._calling: float | None = None
        self._cut: float | None = None
        self._late = False
        self._identity, self._status = "", "ok"
        self.newest: SlowReading | None = None

    @property
    def label(self) -> str:
        """Family and name of the device, for sentences."""
        family, name = self.sensor.family, self.sensor.device.name
        return family if name == family else f"{family} {name}"

    @property
    def is_open(self) -> bool:
        """Whether the device is wanted."""
        return self._thread is not None

    @property
    def state(self) -> DeviceState:
        """State as the user is to see it: faulted as long as it does not answer."""
        if not self.is_open:
            return self.sensor.device.state
        if self.health.trouble is not None:
            return DeviceState.FAULTED
        return self.sensor.device.state if self._tried.is_set() else DeviceState.CONNECTING

    @property
    def detail(self) -> str:
        """Identity, or what is wrong."""
        return (self.health.trouble if self.is_open else None) or self._identity

    def open(self) -> None:
        """Begin to connect and ask; a device that is away is tried at once. Does not wait."""
        if self._thread is not None:
            self._wake.set()
            return
        self._stopped, self._tried = threading.Event(), threading.Event()
        previous, self._previous = self._previous, None
        self._thread = threading.Thread(
            target=self._run,
            args=(self._stopped, self._tried, previous),
            name=f"slow {self.sensor.family}",
            daemon=True,  # one that hangs must not keep the program from ending
        )
        self._thread.start()

    @property
    def settled(self) -> bool:
        """Whether the first attempt since :meth:`open` has ended, well or badly."""
        return self._tried.is_set()

    def settle(self, seconds: float) -> bool:
        """Wait at most so long for the first attempt to end; return whether it has."""
        return self._tried.wait(seconds)

    def close(self) -> None:
        """Disconnect; takes at most about a second, whatever the device does."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopped.set()
        self._wake.set()
        thread.join(_CLOSE_SECONDS[0])
        if thread.is_alive():
            self._close_link().join(_CLOSE_SECONDS[1])
            thread.join(_CLOSE_SECONDS[2])
        if thread.is_alive():
            self._log.add("warning", f"{self.label} hangs: it is left to itself")
        self._previous = thread if thread.is_alive() else None
        self.newest = None

    def ask(self, call: Callable[[], T]) -> Future[T]:
        """Have the thread call the device between two readings. Does not wait.

        The future fails with DeviceError where the device is away; one that is cancelled before
        its turn is not called.
        """
        future: Future[T] = Future()
        if not self.is_open:
            future.set_exception(DeviceError(f"{self.label} is not connected: connect the rig"))
            return future
        self._jobs.put((call, future))
        self._wake.set()
        return future

    def look(self) -> Future[float | None]:
        """Have the thread read the device now, for the record, too. Does not wait."""
        return self.ask(self._look)

    def forget(self) -> None:
        """Let the newest reading be none: what it tells of has changed."""
        self.newest = None

    def watch(self) -> None:
        """See whether a call is overdue; for the runner, now and then. Does not wait."""
        began = self._calling
        if began is None or not self.is_open:
            return
        now = time.monotonic()
        if now - began > self._pace.late and not self._late:
            self._late = True
            text = f"{self.label} has not answered for {self._pace.late:.3g} s"
            self.newest = None
            times = time.time(), now
            self._tell(self.health.late(times[0], text), times, returned=False)
            self._tried.set()
        if now - max(began, self._cut or 0.0) > self._pace.hung:
            self._cut = now
            self._close_link()

    # -- the thread ---------------------------------------------------------------------------

    def _run(
        self,
        stopped: threading.Event,
        tried: threading.Event,
        previous: threading.Thread | None,
    ) -> None:
        """Ask until stopped."""
        if previous is not None:
            previous.join()  # a call that hangs still has the device
        failures = 0
        while not stopped.is_set():
            self._wake.clear()
            self._calm.wait(stopped)
            if stopped.is_set():
                break
            began = time.monotonic()
            good = self._attempt(stopped, fresh=failures > 1)
            if stopped.is_set():
                break
            failures = 0 if good else failures + 1
            if failures != 1:  # the first failure is made good at once
                tried.set()
            wait = self._pace.after(failures)
            if good:
                wait = max(0.0, began + self._pace.period - time.monotonic())
            self._rest(wait, stopped)
        self._refuse_jobs()
        self._disconnect()

    def _rest(self, seconds: float, stopped: threading.Event) -> None:
        """Wait for the next question; calls that were asked for are made meanwhile."""
        due = time.monotonic() + seconds
        while not stopped.is_set():
            try:
                call, future = self._jobs.get_nowait()
            except queue.Empty:
                if not self._wake.wait(max(0.0, due - time.monotonic())):
                    return
                self._wake.clear()
                if self._jobs.empty():
                    return  # told to ask now
                continue
            self._calm.wait(stopped)
            if future.set_running_or_notify_cancel():
                self._do(call, future)

    def _do(self, call: Callable[[], T], future: Future[T]) -> None:
        """Make a call that was asked for, and answer it."""
        try:
            if self.sensor.device.state not in _ANSWERING:
                trouble = self.health.trouble or "it is not connected"
                raise DeviceError(f"{self.label} cannot be used now: {trouble}")
            future.set_result(self._call(call))
        except BaseException as error:  # whatever a driver raises is told to whoever asked
            known = isinstance(error, OptobindError)
            future.set_exception(error if known else DeviceError(self._in_words(error)))

    def _look(self) -> float | None:
        value, status = self.sensor.read()
        self._take(value, status)
        return value

    def _refuse_jobs(self) -> None:
        while not self._jobs.empty():
            _, future = self._jobs.get_nowait()
            if future.set_running_or_notify_cancel():
                future.set_exception(DeviceError(f"{self.label} is disconnected"))

    def _attempt(self, stopped: threading.Event, *, fresh: bool) -> bool:
        """Ask once, over a new link where there is none or ``fresh``; return whether it answered.

        Connecting and asking are two questions to :class:`Calm`.
        """
        device = self.sensor.device
        try:
            if fresh or device.state is DeviceState.FAULTED:
                self._call(device.disconnect)
            if device.state not in _ANSWERING:
                self._identity = self._call(device.connect)
                self._calm.wait(stopped)
            if stopped.is_set():
                return True
            value, status = self._call(self.sensor.read)
        except BaseException as error:  # whatever a driver raises, the next attempt follows
            if not stopped.is_set():
                self.newest = None
                now = time.time(), time.monotonic()
                self._tell(self.health.bad(now[0], self._in_words(error)), now, returned=False)
            return False
        if not stopped.is_set():
            self._take(value, status)
        return True

    def _call(self, function: Callable[[], T]) -> T:
        """Call the device under the eyes of :meth:`watch`."""
        self._late, self._cut, self._calling = False, None, time.monotonic()
        try:
            return function()
        finally:
            self._calling = None

    def _take(self, value: float | None, status: str) -> None:
        """Hand a reading on."""
        sensor = self.sensor
        now = time.time(), time.monotonic()
        reading = SlowReading(sensor.name, sensor.unit, value, status, *now)
        self._tell(self.health.good(now[0], status), now, returned=True)
        told, self._status = self._status, status
        if status not in ("ok", told):
            self._log.add("warning", f"{self.label} gives no {sensor.name}: {status}")
        self._post(reading)
        self.newest = reading

    def _tell(self, text: str | None, now: tuple[float, float], *, returned: bool) -> None:
        """Say at its onset and at its end what was wrong: in the log, and to the run."""
        if text is None:
            return
        self._log.add("info" if returned else "warning", text)
        self._post(SlowIncident(self.label, text, returned, *now))

    def _in_words(self, error: BaseException) -> str:
        """Text of an error, which names the device."""
        text = str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
        return text if text.startswith(self.sensor.device.name) else f"{self.label}: {text}"

    def _close_link(self) -> threading.Thread:
        """Close the link under a call that hangs; closing may hang, too."""
        thread = threading.Thread(
            target=self._disconnect, name=f"close {self.sensor.family}", daemon=True
        )
        thread.start()
        return thread

    def _disconnect(self) -> None:
        try:
            self.sensor.device.disconnect()
        except Exception as error:  # the thread that hangs may have it closed already
            self._log.add("warning", f"{self.label} could not be disconnected: {error}")
