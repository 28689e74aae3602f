"""Waveforms on analogue outputs of an NI card: φ(t), feedback tests, on the inputs' clock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..driver import Driver
from ..protocols import DeviceState
from .daqmx import DaqSystem
from .ni_capabilities import require_channels

__all__ = ["NiOutput"]


class NiOutput(Driver):
    """Analogue outputs that play a waveform once or for ever.

    To play sample by sample with a digitizer of the same card, give ``sample_clock =
    "/Dev1/ai/SampleClock"`` or the same rate, and ``start_trigger = "/Dev1/ai/StartTrigger"``: then
    :meth:`start` arms the outputs, and the first sample appears with the digitizer's first.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Name of the card.
    channels : sequence of str
        Outputs without the device, such as "ao0".
    sample_rate : float
        Hz per channel.
    full_scale : float
        Largest voltage ±V; a waveform beyond it is refused.
    sample_clock, start_trigger : str or None
        Terminals; None for the card's own clock and an immediate start.
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
        channels: Sequence[str] = ("ao0",),
        sample_rate: float = 1e6,
        full_scale: float = 10.0,
        sample_clock: str | None = None,
        start_trigger: str | None = None,
        grpc: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(name)
        self._device, self._channels = device, tuple(channels)
        self._rate = require_range("sample_rate", sample_rate, 1e-3, 1e9, "Hz")
        self._full = require_range("full_scale", full_scale, 1e-6, 1e3, "V")
        self._clock, self._trigger = sample_clock, start_trigger
        self._timeout = require_range("timeout", timeout, 0.01, 60.0, "s")
        self._system = DaqSystem(name, grpc, timeout)
        self._task: Any = None

    def _open(self) -> str:
        self._close()  # what a fault has left
        self._system.open()
        with self._system.errors():
            device = self._system.device(self._device)
            known = device.ao_physical_chans.channel_names
            require_channels(known, self._channels, self._device, "analogue output")
            limit = max(abs(bound) for bound in device.ao_voltage_rngs)
            require_range(f"{self._device}: full_scale", self._full, 0.0, limit, "V")
            bounds = (float(device.ao_min_rate), float(device.ao_max_rate))
            require_range(f"{self._device}: sample_rate", self._rate, *bounds, "Hz")
            return f"{self._system.identity(self._device)}, {', '.join(self._channels)}"

    def _close(self) -> None:
        self._clear()
        self._system.close()

    def _clear(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            with suppress(Exception):  # the outputs keep their voltage whether or not this succeeds
                task.close()

    def load(self, volts: NDArray[np.float64], *, continuous: bool) -> None:
        """Write a waveform into the driver's buffer; :meth:`start` plays it.

        Parameters
        ----------
        volts : ndarray, shape (samples, channels) or (samples,)
            Voltages; at least two samples.
        continuous : bool
            Play it over and over, or once: the last voltage stays then.

        Raises
        ------
        InputError
            For a wrong shape or a voltage out of range; nothing has been sent then.
        """
        wave = np.atleast_2d(np.asarray(volts, dtype=np.float64).T)
        if wave.shape[0] != len(self._channels) or wave.shape[1] < 2:
            raise InputError(
                f"a waveform needs ≥ 2 samples of {len(self._channels)} channels, "
                f"got shape {np.shape(volts)}"
            )
        largest = float(np.max(np.abs(wave))) if np.isfinite(wave).all() else np.inf
        require_range("largest voltage", largest, 0.0, self._full, "V")
        self._require_link()
        if self._state is DeviceState.RUNNING:
            raise DeviceError(f"{self._name} is playing: stop it first")
        self._clear()
        with self._talking(), self._system.errors():
            self._task = self._describe(wave.shape[1], continuous)
            writer = self._system.module("stream_writers").AnalogMultiChannelWriter(
                self._task.out_stream, auto_start=False
            )
            written = writer.write_many_sample(np.ascontiguousarray(wave), self._timeout)
        if written != wave.shape[1]:
            self._clear()
            raise DeviceError(f"{self._name} took {written} of {wave.shape[1]} samples")

    def _describe(self, samples: int, continuous: bool) -> Any:
        constants = self._system.module("constants")
        task = self._system.task()
        try:
            for channel in self._channels:
                task.ao_channels.add_ao_voltage_chan(
                    f"{self._device}/{channel}", min_val=-self._full, max_val=self._full
                )
            kinds = constants.AcquisitionType
            task.timing.cfg_samp_clk_timing(
                self._rate,
                source=self._clock or "",
                sample_mode=kinds.CONTINUOUS if continuous else kinds.FINITE,
                samps_per_chan=samples,
            )
            modes = constants.RegenerationMode
            task.out_stream.regen_mode = modes.ALLOW_REGENERATION
            if self._trigger is not None:
                task.triggers.start_trigger.cfg_dig_edge_start_trig(self._trigger)
        except BaseException:
            task.close()
            raise
        return task

    def start(self) -> None:
        """Play, or arm for the start trigger.

        Raises
        ------
        DeviceError
            If nothing is loaded or the card refuses.
        """
        if self._task is None:
            raise DeviceError(f"{self._name} has no waveform: load one first")
        with self._talking(), self._system.errors():
            self._task.start()
        self._state = DeviceState.RUNNING

    @property
    def done(self) -> bool:
        """Whether a waveform that plays once has been played."""
        if self._task is None or self._state is not DeviceState.RUNNING:
            return True
        with self._talking(), self._system.errors():
            return bool(self._task.is_task_done())

    def wait(self, timeout: float) -> None:
        """Wait for the end of a waveform that plays once.

        Raises
        ------
        DeviceError
            If it has not ended after ``timeout`` (s).
        """
        require_range("timeout", timeout, 0.0, 3600.0, "s")
        if self._task is not None and self._state is DeviceState.RUNNING:
            with self._talking(), self._system.errors():
                self._task.wait_until_done(timeout)

    def stop(self) -> None:
        """Stop playing; the outputs keep their last voltage. Safe to call in any state."""
        self._clear()
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY
