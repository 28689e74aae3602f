"""The analogue input task of NI-DAQmx: described, asked what it became, and read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from .daqmx import DaqSystem
from .ni_capabilities import InputPlan

__all__ = ["InputFacts", "Reader", "configured_input", "input_facts"]

_TERMINALS = {
    "default": "DEFAULT",
    "RSE": "RSE",
    "NRSE": "NRSE",
    "Diff": "DIFF",
    "PseudoDiff": "PSEUDO_DIFF",
}


@dataclass(frozen=True)
class InputFacts:
    """What the card made of a task.

    Attributes
    ----------
    sample_rate : float
        Hz.
    bits : int
        Resolution.
    coefficients : tuple of tuple of float
        Polynomial volts = Σ c_k · countᵏ of each channel.
    limits : tuple of float
        Smallest and largest sample; at or beyond them a sample is saturated.
    delay : float
        Time between neighbouring channels, s; 0 if they are sampled together.
    """

    sample_rate: float
    bits: int
    coefficients: tuple[tuple[float, ...], ...]
    limits: tuple[float, float]
    delay: float


def configured_input(
    system: DaqSystem,
    session: str,
    device: str,
    plan: InputPlan,
    *,
    terminal: str,
    edge: str,
    buffer: int,
    finite: int | None,
) -> Any:
    """Make a task, not started: channels, clock, buffer, overwriting, trigger.

    Parameters
    ----------
    system : DaqSystem
        Open.
    session : str
        Name of the task on a gRPC server; what a broken connection has left of it is cleared.
    device : str
        Name of the card.
    plan : InputPlan
        Channels, rate, range, trigger, clock.
    terminal, edge : str
        Terminal configuration and edge of trigger.
    buffer : int
        Samples per channel of a continuous acquisition's buffer.
    finite : int or None
        Samples of a finite acquisition.
    """
    constants = system.module("constants")
    task = system.fresh_task(session)
    try:
        for channel in plan.channels:
            task.ai_channels.add_ai_voltage_chan(
                f"{device}/{channel}",
                terminal_config=getattr(constants.TerminalConfiguration, _TERMINALS[terminal]),
                min_val=-plan.full_scale,
                max_val=plan.full_scale,
            )
        kinds = constants.AcquisitionType
        task.timing.cfg_samp_clk_timing(
            plan.sample_rate,
            source=plan.sample_clock or "",
            sample_mode=kinds.CONTINUOUS if finite is None else kinds.FINITE,
            samps_per_chan=buffer if finite is None else finite,
        )
        if finite is None:
            task.in_stream.input_buf_size = buffer
            task.in_stream.overwrite = constants.OverwriteMode.OVERWRITE_UNREAD_SAMPLES
        if plan.start_trigger is not None:
            edges = constants.Edge
            task.triggers.start_trigger.cfg_dig_edge_start_trig(
                plan.start_trigger, edges.RISING if edge == "rising" else edges.FALLING
            )
    except BaseException:
        task.close()
        raise
    return task


def input_facts(task: Any, raw: bool, simultaneous: bool) -> InputFacts:
    """Ask a configured task what the card made of it.

    Raises
    ------
    DeviceError
        If raw samples are wanted from a card whose samples are not 16 bits wide.
    """
    channels = list(task.ai_channels)
    widths = {int(channel.ai_raw_samp_size) for channel in channels}
    if raw and widths != {16}:
        listed = ", ".join(str(width) for width in sorted(widths))
        raise DeviceError(f"the card's samples have {listed} bits, not 16: set raw = false")
    bits = int(channels[0].ai_resolution)
    coefficients = tuple(
        tuple(float(c) for c in channel.ai_dev_scaling_coeff) for channel in channels
    )
    if raw:
        limits = (-(2.0 ** (bits - 1)) + 1.0, 2.0 ** (bits - 1) - 1.0)
    else:
        low = max(float(channel.ai_rng_low) for channel in channels)
        high = min(float(channel.ai_rng_high) for channel in channels)
        step = (high - low) / 2.0**bits
        limits = (low + 1.5 * step, high - 1.5 * step)
    delay = 0.0 if simultaneous else 1.0 / float(task.timing.ai_conv_rate)
    return InputFacts(float(task.timing.samp_clk_rate), bits, coefficients, limits, delay)


class Reader:
    """Takes blocks out of a running task.

    Parameters
    ----------
    system : DaqSystem
        Open.
    task : nidaqmx.Task
        Configured.
    channels : int
        Columns.
    mode : {"bytes", "binary", "scaled"}
        ReadRaw, ReadBinaryI16 or ReadAnalogF64.
    """

    def __init__(self, system: DaqSystem, task: Any, channels: int, mode: str) -> None:
        readers, self._constants = system.module("stream_readers"), system.module("constants")
        self._stream, self._channels, self._mode = task.in_stream, channels, mode
        self._by_channel: Any = None
        if mode == "scaled":
            self._by_channel = readers.AnalogMultiChannelReader(task.in_stream)
        elif mode == "binary":
            self._by_channel = readers.AnalogUnscaledReader(task.in_stream)
        if self._by_channel is not None:
            self._by_channel.verify_array_shape = False
        self._scratch = np.empty((channels, 0), dtype=np.float64 if mode == "scaled" else np.int16)

    def read(self, view: NDArray[Any], wait: float) -> None:
        """Fill ``view`` (rows, channels); raises what nidaqmx raises.

        Raises
        ------
        DeviceError
            If fewer samples came than were asked for.
        """
        rows = len(view)
        if self._mode == "bytes":
            self._stream.timeout = wait
            came = self._stream.read_into(view.reshape(-1))
        else:
            if self._scratch.shape[1] != rows:
                self._scratch = np.empty((self._channels, rows), dtype=self._scratch.dtype)
            if self._mode == "scaled":
                came = self._by_channel.read_many_sample(self._scratch, rows, wait)
            else:
                came = self._by_channel.read_int16(self._scratch, rows, wait)
            view[:] = self._scratch.T
        if came != rows:
            raise DeviceError(f"{came} samples came instead of {rows}")

    def jump(self, view: NDArray[Any], wait: float, position: int, buffer: int) -> int:
        """Skip to what is still there, half a buffer behind the newest, and fill ``view``.

        Parameters
        ----------
        view : ndarray, shape (rows, channels)
            Filled.
        wait : float
            Timeout, s.
        position : int
            Index of the next sample, as counted by the caller.
        buffer : int
            Samples per channel of the driver's buffer.

        Returns
        -------
        int
            Index of the first row.

        Raises
        ------
        DeviceError
            If the driver's position is not what was counted: the gap would have a wrong length.
        """
        stream = self._stream
        if int(stream.curr_read_pos) != position:
            raise DeviceError(
                f"samples were lost and the driver stands at {stream.curr_read_pos}, not at "
                f"{position}: start again"
            )
        lost = int(stream.total_samp_per_chan_acquired) - buffer // 2 - position
        stream.relative_to = self._constants.ReadRelativeTo.CURRENT_READ_POSITION
        stream.offset = max(0, lost)
        try:
            self.read(view, wait)
        finally:
            stream.offset = 0
        end = int(stream.curr_read_pos)
        first = position + max(0, lost)
        rows = len(view)
        if end != first + rows:
            raise DeviceError(
                f"the driver stands at {end}, not at {first + len(view)}: start again"
            )
        return first
