"""The watchdog of the virtual NI card: lines go to a state of their own unless it is reset.

From then on, as NI's X series manual has it, the card ignores what is written to them or played on
them until the expiration is cleared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .ni_server_card import Card, Timer
from .ni_server_stream import DaqFault
from .ni_server_tasks import CardTask

__all__ = ["Watchdog", "WatchdogCalls"]

_HIGH, _LOW = 10192, 10214
_LONGEST = 34.0  # s, of the X series


@dataclass
class Watchdog(CardTask):
    """A watchdog task: ``states`` are the levels that lines take when ``seconds`` have passed."""

    seconds: float = 10.0
    states: dict[str, bool] = field(default_factory=dict)
    timer: Timer | None = None
    expired: bool = False

    def begin(self) -> None:
        """Start, or start anew."""
        with self.card.lock:
            if self.timer is not None:
                self.timer.cancel()
            timer = self.card.make_timer(self.seconds, lambda: self._expire(timer))
            self.running, self.timer = True, timer
            timer.start()

    def _expire(self, timer: Timer) -> None:
        """Act, unless the timer was replaced or stopped while its time ran out."""
        with self.card.lock:
            if timer is self.timer:
                self.expired = True
                self.card.set_lines(self.states)
                self.card.locked |= set(self.states)

    def reset(self) -> None:
        """Give it its whole time again."""
        with self.card.lock:
            if self.expired:
                raise DaqFault(-200644, "An expired watchdog timer cannot be reset: clear it")
            if self.running:
                self.begin()

    def clear(self) -> None:
        """Unlock the lines after it has expired; it runs no longer."""
        self.stop()

    def stop(self) -> None:
        """Stop; the lines keep their levels."""
        with self.card.lock:
            if self.timer is not None:
                self.timer.cancel()
            self.card.locked -= set(self.states)
            self.timer, self.running, self.expired = None, False, False

    def attribute(self, number: int, channel: str = "") -> Any:
        """Whether it has expired, its time, or what any task has."""
        own: dict[int, Any] = {0x21A8: self.expired, 0x21A9: self.seconds}
        return own[number] if number in own else super().attribute(number, channel)


class WatchdogCalls:
    """Calls of the watchdog; :class:`~.ni_server_calls.Calls` has the rest."""

    _card: Card
    _caller: threading.local

    def _task(self, request: Any) -> CardTask:
        """Task of a request."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _create(self, request: Any, make: Callable[[str], CardTask]) -> dict[str, Any]:
        """Make a task."""
        raise DaqFault(-200088, "Task specified is invalid or does not exist")

    def _create_watchdog(self, request: Any) -> dict[str, Any]:
        self._card.short(f"{request.device_name}/")
        if not self._card.watchdog:
            raise DaqFault(-200662, "Watchdog timer is not supported by the device")
        if not 0.0 < request.timeout <= _LONGEST:
            raise DaqFault(-200668, f"Watchdog timeout is out of range: {request.timeout:g} s")
        return self._create(
            request,
            lambda name: Watchdog(name, self._card, self._caller.peer, seconds=request.timeout),
        )

    def _watchdog(self, request: Any) -> Watchdog:
        task = self._task(request)
        if not isinstance(task, Watchdog):
            raise DaqFault(-200635, "The action needs a watchdog task")
        return task

    def _watchdog_states(self, request: Any) -> dict[str, Any]:
        task = self._watchdog(request)
        lines = [self._card.short(name.strip()) for name in request.channel_names.split(",")]
        for line, level in zip(lines, request.expir_state_array, strict=True):
            if line not in self._card.lines or level not in (_HIGH, _LOW):
                raise DaqFault(-200170, f"Line or expiration state does not exist: {line} {level}")
            task.states[line] = level == _HIGH
        return {}

    def _control_watchdog(self, request: Any) -> dict[str, Any]:
        task = self._watchdog(request)
        clear = (request.action_raw or request.action) == 1
        (task.clear if clear else task.reset)()
        return {}
