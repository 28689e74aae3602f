"""The simulated digitizer: real-time or virtual clock, a driver buffer, ADC codes of the world."""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import BlockStatus
from ...models.errors import DeviceError
from ..protocols import DeviceState, DigitizerInfo, ReadResult
from .device import SimulatedDevice
from .world import SimulatedWorld

__all__ = ["SimulatedDigitizer"]


class SimulatedDigitizer(SimulatedDevice):
    """Voltages of the world's detectors.

    In real time a read waits until its last sample is due, in one sleep, and produces the samples
    then. A late reader gets everything from the driver's buffer as fast as it can be produced; once
    the buffer is full it is lost as a whole: ``first_sample`` jumps to the present, so that a
    computer too slow for the world has long gaps rather than one before each block. The world does
    not live through what is lost (it would come later still), nor through the time while stopped.

    Parameters
    ----------
    world : SimulatedWorld
        What is digitised; settings ``real_time`` and ``driver_buffer`` are its own.
    name : str
        Name in the rig.
    """

    def __init__(self, world: SimulatedWorld, name: str = "digitizer") -> None:
        super().__init__(name)
        self._world = world
        self._stopped = threading.Event()
        self._index = 0
        self._begin = 0.0
        world.idle = True

    @property
    def info(self) -> DigitizerInfo:
        """Set-up."""
        settings = self._world.settings
        volts_per_count = settings.adc_range / 2.0 ** (settings.adc_bits - 1)
        return DigitizerInfo(
            sample_rate=settings.sample_rate,
            channels=tuple(d.name for d in settings.detectors),
            scale=(volts_per_count,) * len(settings.detectors),
            dtype="int16",
            real_time=settings.real_time,
            mode="SIM",
        )

    def disconnect(self) -> None:
        """Stop sampling and close the link; light and feedback stay as they are."""
        self.stop()
        super().disconnect()

    def start(self) -> None:
        """Start sampling; the next sample has index 0."""
        self._require_link()
        if self._state is DeviceState.RUNNING:
            raise DeviceError(f"{self.name} is running already: stop it first")
        self._world.warm_up()  # before the clock runs: kernels may have to be compiled
        self._world.idle = False
        self._world.begin_pattern()
        self._stopped.clear()
        self._index, self._begin = 0, time.monotonic()
        self._state = DeviceState.RUNNING

    def present_sample(self) -> int:
        """Index of the next sample: in the world time passes by reading."""
        return self._index

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill ``buffer`` (rows, channels) of int16.

        Raises
        ------
        DeviceError
            If the digitizer is not running or the buffer does not fit.
        """
        if self._state is not DeviceState.RUNNING:
            raise DeviceError(f"{self.name} is not running: start it before reading")
        channels = len(self._world.settings.detectors)
        if buffer.dtype != np.int16 or buffer.ndim != 2 or buffer.shape[1] != channels:
            raise DeviceError(
                f"{self.name} fills int16 buffers of {channels} columns, "
                f"got {buffer.dtype} of shape {buffer.shape}"
            )
        lost = self._wait(len(buffer)) if self._world.settings.real_time else 0
        if self._stopped.is_set():
            return ReadResult(0, self._index, finished=True)
        first = self._index
        status = self._world.advance(buffer)  # type: ignore[arg-type]
        self._index = first + len(buffer)
        if lost:
            status |= BlockStatus.GAP_BEFORE
        return ReadResult(len(buffer), first, status)

    def stop(self) -> None:
        """Stop sampling; a waiting read returns without samples."""
        self._stopped.set()
        self._world.idle = True
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY

    def _wait(self, rows: int) -> int:
        """Wait until ``rows`` samples are due; return how many were lost to a full buffer."""
        rate = self._world.settings.sample_rate
        due = self._begin + (self._index + rows) / rate
        remaining = due - time.monotonic()
        if remaining > 0.0:
            self._stopped.wait(remaining)
            return 0
        behind = int((time.monotonic() - self._begin) * rate) - self._index
        if behind <= max(rows, int(self._world.settings.driver_buffer * rate)):
            return 0
        self._index += behind - rows
        self._world.skip_pattern(behind - rows)
        return behind - rows
