"""The tasks of NI-DAQmx that play a pattern on the inputs' clock, described, filled and ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from .daqmx import DaqSystem
from .ni_pattern_plan import Buffered, Train

__all__ = ["PatternTasks"]

_CHUNK = 1_000_000  # samples of one write


class PatternTasks:
    """The tasks of one player.

    Parameters
    ----------
    system : DaqSystem
        Open while this is used.
    device : str
        Name of the card.
    session : str
        Beginning of the names that the tasks have on a gRPC server: whoever knows it finds them
        there, though the connection that made them is gone.
    timeout : float
        Longest wait of a call, s.
    """

    def __init__(self, system: DaqSystem, device: str, session: str, timeout: float) -> None:
        self._system, self._device = system, device
        self._session, self._timeout = session, timeout
        self._tasks: dict[str, Any] = {}

    @property
    def clock(self) -> str:
        """Terminal of the inputs' sample clock."""
        return f"/{self._device}/ai/SampleClock"

    def _new(self, kind: str) -> Any:
        """Make a task, without what an earlier one of this name has left."""
        self._tasks[kind] = task = self._system.fresh_task(f"{self._session}-{kind}")
        return task

    # -- described and filled ---------------------------------------------------------------------

    def add_line(self, line: str, rows: Buffered, rate: float, *, high: bool) -> None:
        """Describe and fill a buffered line; ``high`` says which level its rows call True."""
        task = self._new("line")
        constants = self._system.module("constants")
        grouping = constants.LineGrouping.CHAN_FOR_ALL_LINES
        task.do_channels.add_do_chan(f"{self._device}/{line}", line_grouping=grouping)
        self._time(task, rows, rate)
        bit = int(line.rpartition("line")[2])  # words are aligned to the port
        words = (rows.rows == high).astype(np.uint32) << np.uint32(bit)
        writer = self._system.module("stream_writers").DigitalSingleChannelWriter(
            task.out_stream, auto_start=False
        )
        self._fill(writer.write_many_sample_port_uint32, words)

    def add_outputs(
        self, outputs: Sequence[str], rows: Buffered, rate: float, volts: float
    ) -> None:
        """Describe and fill analogue outputs of a range ±``volts``, a column of the rows each.

        They are one task: a card has one clock for all its outputs.
        """
        task = self._new("output")
        for output in outputs:
            task.ao_channels.add_ao_voltage_chan(
                f"{self._device}/{output}", min_val=-volts, max_val=volts
            )
        self._time(task, rows, rate)
        writer = self._system.module("stream_writers").AnalogMultiChannelWriter(
            task.out_stream, auto_start=False
        )
        self._fill(
            lambda part, timeout: writer.write_many_sample(part.T.copy(), timeout), rows.rows
        )

    def _time(self, task: Any, rows: Buffered, rate: float) -> None:
        constants = self._system.module("constants")
        task.timing.cfg_samp_clk_timing(
            rate,
            source=self.clock,
            sample_mode=constants.AcquisitionType.FINITE,
            samps_per_chan=rows.samples,
        )
        task.out_stream.regen_mode = constants.RegenerationMode.ALLOW_REGENERATION
        task.out_stream.output_buf_size = len(rows.rows)

    def _fill(self, write: Any, rows: NDArray[Any]) -> None:
        for first in range(0, len(rows), _CHUNK):
            part = np.ascontiguousarray(rows[first : first + _CHUNK])
            written = write(part, self._timeout)
            if written != len(part):
                raise DeviceError(f"the card took {written} of {len(part)} samples of the pattern")

    def add_counter(self, counter: str, train: Train, *, idle_high: bool) -> None:
        """Describe a counter's pulses."""
        task = self._new("counter")
        constants = self._system.module("constants")
        low, high = (train.active, train.rest) if idle_high else (train.rest, train.active)
        task.co_channels.add_co_pulse_chan_ticks(
            f"{self._device}/{counter}",
            train.source,
            idle_state=constants.Level.HIGH if idle_high else constants.Level.LOW,
            initial_delay=train.delay,
            low_ticks=low,
            high_ticks=high,
        )
        task.timing.cfg_implicit_timing(
            constants.AcquisitionType.FINITE, samps_per_chan=train.count
        )
        if train.own_clock:
            trigger = task.triggers.start_trigger
            trigger.cfg_dig_edge_start_trig(f"/{self._device}/ai/StartTrigger")

    # -- played and ended -------------------------------------------------------------------------

    def start(self) -> None:
        """Start all; each waits for the inputs."""
        for task in self._tasks.values():
            task.start()

    def played(self) -> int | None:
        """Samples played; None where only a counter plays.

        Raises
        ------
        Exception
            What nidaqmx raises for a task that has failed.
        """
        least: int | None = None
        for kind, task in self._tasks.items():
            if kind == "counter":
                task.is_task_done()
                continue
            count = int(task.out_stream.total_samp_per_chan_generated)
            least = count if least is None else min(least, count)
        return least

    def end(self) -> None:
        """Stop and clear all; what goes wrong with one keeps no other from being ended."""
        failed: Exception | None = None
        for kind in list(self._tasks):
            task = self._tasks.pop(kind)
            for step in (task.stop, task.close):
                try:
                    step()
                except Exception as error:
                    failed = failed or error
        if failed is not None:
            raise failed

    def clear_left(self, kinds: tuple[str, ...]) -> None:
        """End tasks that a broken connection, or a program that was killed, has left."""
        for kind in kinds:
            self._system.task(f"{self._session}-{kind}").close()

    def forget(self) -> None:
        """Leave them to the server: the link is broken."""
        self._tasks.clear()

    # -- what is not played -----------------------------------------------------------------------

    def hold_line(self, line: str, high: bool) -> bool:
        """Write a level that stays, and return what the card shows then."""
        with self._system.task(f"{self._session}-static") as task:
            task.do_channels.add_do_chan(f"{self._device}/{line}")
            task.write(high, auto_start=True, timeout=self._timeout)
            return bool(task.read(timeout=self._timeout))

    def hold_outputs(self, volts: Mapping[str, float], full: float) -> None:
        """Write voltages that stay, by output."""
        with self._system.task(f"{self._session}-static") as task:
            for output in volts:
                task.ao_channels.add_ao_voltage_chan(
                    f"{self._device}/{output}", min_val=-full, max_val=full
                )
            values = list(volts.values())
            task.write(
                values if len(values) > 1 else values[0], auto_start=True, timeout=self._timeout
            )
