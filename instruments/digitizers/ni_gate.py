"""A gate on digital lines of an NI card, such as the switch of the feedback."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..capabilities import GateCapabilities
from .daqmx import WATCHDOG_EXPIRED, code_of
from .named_tasks import NamedTasks
from .ni_capabilities import require_channels
from .ni_watchdog import WATCHDOG_SECONDS, NiWatchdog

__all__ = ["NiGate"]

_SOFTWARE_JITTER = 2e-3  # s: a line is switched by a call, not by the sample clock


class NiGate(NamedTasks):
    """One or several digital output lines that switch together.

    ``connect`` looks for the lines and touches none. ``read`` asks a digital *output* task for the
    level that the card drives: on a line that has been an output that changes nothing. A line that
    was never driven since the card was reset begins to drive its power-up level then; set that
    level in NI MAX to the safe one (feedback on). Lines keep their level on disconnect.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Name of the card.
    line : str or sequence of str
        Lines without the device, such as "port0/line0".
    active_high : bool
        Whether the gate is closed (feedback acts) while the line is high.
    delay : float
        From switching the line until the gate acts, s, as measured by the loop-back test.
    jitter : float
        Spread of that delay, s.
    grpc : str or None
        ``host:port`` of an NI gRPC device server.
    timeout : float
        Longest wait of a call, s.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "Dev1",
        line: str | tuple[str, ...] | list[str] = "port0/line0",
        active_high: bool = True,
        delay: float = 0.0,
        jitter: float = _SOFTWARE_JITTER,
        grpc: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(name, "gate", device, grpc, timeout, ("", "-watchdog"), ("pattern",))
        self._lines = (line,) if isinstance(line, str) else tuple(line)
        if not self._lines:
            raise InputError("line must name at least one digital line")
        self._active_high = bool(active_high)
        self._capabilities = GateCapabilities(
            delay=require_range("delay", delay, 0.0, 10.0, "s"),
            jitter=require_range("jitter", jitter, 0.0, 10.0, "s"),
            hardware_timed=False,
        )
        self._watchdog = NiWatchdog(
            self._system, device, self._lines, self._active_high, f"{self._session}-watchdog"
        )
        self._task: Any = None
        self._levels = np.zeros(len(self._lines), dtype=bool)

    @property
    def capabilities(self) -> GateCapabilities:
        """Delay and jitter, as configured."""
        return self._capabilities

    def _open(self) -> str:
        self._close()  # what a fault has left
        self._reach()
        with self._system.errors():
            known = self._system.device(self._device).do_lines.channel_names
            require_channels(known, self._lines, self._device, "digital output line")
            identity = self._system.identity(self._device)
        timer = f"watchdog {WATCHDOG_SECONDS:g} s" if self._watchdog.look() else "no watchdog"
        return f"{identity}, {', '.join(self._lines)}, {timer}"

    def _close(self) -> None:
        task, self._task = self._task, None
        kept = self._take_broken()
        if kept:
            self._watchdog.forget()
        else:
            kept = not self._watchdog.close()
            try:
                if task is not None:
                    task.close()
            except Exception:  # the line keeps its level whether this succeeds or not
                kept = True
        self._leave(kept=kept)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know before a release is entrusted to it."""
        refusal = self._watchdog.refusal
        if not refusal:
            return ()
        return (
            f"{self._name}: the card's own watchdog does not watch the open gate: if this computer "
            f"stops or loses its power in a release, feedback stays off ({refusal})",
        )

    def arm_watchdog(self) -> None:
        """Have the card itself close the gate unless it is fed; for the time that it is open."""
        with self._using():
            self._watchdog.arm()

    def feed_watchdog(self) -> None:
        """Tell the card that somebody looks after the open gate."""
        with self._using():
            self._watchdog.feed()

    def disarm_watchdog(self) -> None:
        """The gate is closed: the card need not watch."""
        with self._using():
            self._watchdog.disarm()

    def _channel(self) -> Any:
        """The task that holds the lines; made at the first use, or found on the server."""
        if self._task is None:
            task = self._system.task(self._session)
            if 0 < task.number_of_channels < len(self._lines):  # left half made
                task.close()
                task = self._system.task(self._session)
            try:
                grouping = self._system.module("constants").LineGrouping.CHAN_PER_LINE
                missing = () if task.number_of_channels else self._lines
                for line in missing:
                    task.do_channels.add_do_chan(f"{self._device}/{line}", line_grouping=grouping)
            except BaseException:
                task.close()
                raise
            self._task = task
        return self._task

    def lend(self) -> None:
        """Let go of the lines, which keep their level: a pattern player may drive them now.

        Raises
        ------
        DeviceError
            If the card does not let go of them.
        """
        with self._using():
            task, self._task = self._task, None
            if task is not None:
                task.close()

    def set(self, closed: bool) -> None:
        """Switch and read back; a watchdog that has expired since it was armed starts anew.

        Raises
        ------
        DeviceError
            If the card refuses, or does not show the level that was set.
        """
        self._whoever_is_dead(lambda: self._set(closed))

    def _set(self, closed: bool) -> None:
        with self._using():
            writer = self._system.module("stream_writers").DigitalMultiChannelWriter(
                self._channel().out_stream, auto_start=True
            )
            writer.verify_array_shape = False
            self._levels[:] = closed is self._active_high
            try:
                writer.write_one_sample_one_line(self._levels, self._timeout)
            except Exception as error:
                expired = code_of(error) == WATCHDOG_EXPIRED
                if not expired or not self._watchdog.unlock(again=not closed):
                    raise
                writer.write_one_sample_one_line(self._levels, self._timeout)
            shown = self._read_closed()
            late = shown and not closed and self._watchdog.expired
        if late:
            raise DeviceError(
                f"{self._name} was opened, and closed by the card's watchdog before it was fed "
                f"within {WATCHDOG_SECONDS:g} s: the computer is too busy, open it again"
            )
        if shown is not closed:
            raise DeviceError(
                f"{self._name} was {'closed' if closed else 'opened'} but reads "
                f"{'closed' if shown else 'open'}: check the wiring of {', '.join(self._lines)}"
            )

    def read(self) -> bool:
        """Return whether the gate is closed.

        Raises
        ------
        DeviceError
            If the lines disagree.
        """
        return self._whoever_is_dead(self._read)

    def _read(self) -> bool:
        with self._using():
            return self._read_closed()

    def _read_closed(self) -> bool:
        reader = self._system.module("stream_readers").DigitalMultiChannelReader(
            self._channel().in_stream
        )
        reader.verify_array_shape = False
        reader.read_one_sample_one_line(self._levels, self._timeout)
        if self._levels.any() != self._levels.all():
            raise DeviceError(f"{self._name}: the lines {', '.join(self._lines)} differ")
        return bool(self._levels[0]) is self._active_high
