"""A National Instruments card as a digitizer, on this computer or behind a gRPC device server.

Samples stream into the driver's buffer and are taken from there by one reader in blocks. If the
reader falls behind by more than the buffer, the acquisition goes on and the oldest samples are
overwritten: the driver knows its position exactly, so the loss is a gap of known length and the
sample clock is never restarted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import BlockStatus
from ...models.errors import DeviceError, InputError
from ...models.ranges import require_choice, require_range
from ..capabilities import DigitizerCapabilities
from ..links.base import LinkError
from ..protocols import DeviceState, DigitizerInfo, ReadResult
from .clock_watch import ClockWatch
from .daqmx import INPUT_OVERWRITTEN, NOT_YET_AVAILABLE, code_of
from .named_tasks import NamedTasks
from .ni_capabilities import InputPlan, input_doubts, read_capabilities
from .ni_input import Reader, configured_input, input_facts
from .patience import LONGEST_SILENCE, Patience

__all__ = ["NiDigitizer"]

_LEAST_BUFFER = 2.0  # s
_ATTEMPTS = 5
_LOOKS = (0.0005, 0.02)  # shortest and longest time between two looks whether samples have come, s
_TERMINALS = ("default", "RSE", "NRSE", "Diff", "PseudoDiff")


class NiDigitizer(NamedTasks):
    """Analogue inputs of an NI card, sampled together.

    ``connect`` asks the card what it can do and lets the driver verify the description of the task,
    which is cleared again; nothing is reserved or started before ``start``.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Name of the card in NI MAX, such as "Dev1".
    channels : sequence of str
        Inputs without the device, such as "ai0".
    sample_rate : float
        Hz per channel; the card may round it, see ``info`` and ``doubts``.
    full_scale : float
        Largest voltage ±V; the card takes its smallest range that holds it.
    terminal : {"default", "RSE", "NRSE", "Diff", "PseudoDiff"}
        Terminal configuration.
    start_trigger : str or None
        Terminal whose edge starts the acquisition, such as "PFI0".
    trigger_edge : {"rising", "falling"}
        Which edge.
    sample_clock : str or None
        Terminal of an external sample clock; ``sample_rate`` is then its fastest rate.
    buffer_seconds : float
        Driver buffer, s, at least 2.
    raw : bool
        int16 counts with the card's scaling coefficient, or float32 volts with its polynomial.
    transfer : {"auto", "binary", "bytes"}
        How raw samples travel: "binary" in an order that the driver promises, "bytes" as the card
        has them (interleaved on the X and M series), ten times cheaper over gRPC; "auto" is
        "bytes" over gRPC and "binary" without.
    samples : int or None
        Finite acquisition of so many samples; None for a continuous one.
    names : sequence of str or None
        Names of the columns; those of the channels if left out.
    grpc : str or None
        ``host:port`` of an NI gRPC device server.
    timeout : float
        Longest silence of a card that runs, s.
    real_time : bool
        False for a virtual laboratory whose clock waits for the reader.
    latency : float
        Age of the card's count of samples when it arrives here, s, 0 … 1.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "Dev1",
        channels: Sequence[str] = ("ai0", "ai1"),
        sample_rate: float = 1e6,
        full_scale: float = 10.0,
        terminal: str = "default",
        start_trigger: str | None = None,
        trigger_edge: str = "rising",
        sample_clock: str | None = None,
        buffer_seconds: float = 4.0,
        raw: bool = True,
        transfer: Literal["auto", "binary", "bytes"] = "auto",
        samples: int | None = None,
        names: Sequence[str] | None = None,
        grpc: str | None = None,
        timeout: float = 5.0,
        real_time: bool = True,
        latency: float = 0.0,
    ) -> None:
        super().__init__(name, "input", device, grpc, timeout)
        require_choice("terminal", terminal, _TERMINALS)
        require_choice("trigger_edge", trigger_edge, ("rising", "falling"))
        require_choice("transfer", transfer, ("auto", "binary", "bytes"))
        self._plan = InputPlan(
            channels=tuple(channels),
            sample_rate=require_range("sample_rate", sample_rate, 1e-3, 1e9, "Hz"),
            full_scale=require_range("full_scale", full_scale, 1e-6, 1e3, "V"),
            start_trigger=start_trigger,
            sample_clock=sample_clock,
        )
        if not self._plan.channels or len(set(self._plan.channels)) < len(self._plan.channels):
            raise InputError(f"channels must be some different inputs, got {tuple(channels)}")
        self._names = tuple(names) if names is not None else self._plan.channels
        if len(self._names) != len(self._plan.channels):
            raise InputError(f"names must hold {len(self._plan.channels)}, got {len(self._names)}")
        self._terminal, self._edge = terminal, trigger_edge
        seconds = require_range("buffer_seconds", buffer_seconds, _LEAST_BUFFER, 600.0, "s")
        self._buffer = round(seconds * self._plan.sample_rate)
        self._finite = None if samples is None else int(require_range("samples", samples, 2, 2**31))
        self._raw, self._real_time = raw, real_time
        self._latency = require_range("latency", latency, 0.0, 1.0, "s")
        bytewise = grpc is not None if transfer == "auto" else transfer == "bytes"
        self._mode = ("bytes" if bytewise else "binary") if raw else "scaled"
        self._patience = Patience(self._timeout)
        self._info: DigitizerInfo | None = None
        self._capabilities: DigitizerCapabilities | None = None
        self._doubts: tuple[str, ...] = ()
        self._limits = (0.0, 0.0)
        self._task: Any = None
        self._reader: Reader | None = None
        self._watch = ClockWatch(None, 1.0)
        self._index = 0
        self._acquired = 0  # samples that the card is known to have
        self._on_demand = False  # whether it makes its samples when they are asked for

    @property
    def info(self) -> DigitizerInfo:
        """Set-up, as the card has taken it."""
        if self._info is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._info

    @property
    def capabilities(self) -> DigitizerCapabilities:
        """Limits of the card."""
        if self._capabilities is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._capabilities

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about rounding of the rate, multiplexing, offset and bend of the raw scale."""
        return self._doubts

    # -- life cycle -------------------------------------------------------------------------------

    def _open(self) -> str:
        self._close()  # what a fault has left
        self._reach()
        with self._system.errors():
            device = self._system.device(self._device)
            identity = self._system.identity(self._device)
            simulated = bool(device.is_simulated)
            limits, task = read_capabilities(device, self._device, self._plan), self._describe()
            try:
                facts = input_facts(task, self._raw, limits.simultaneous)
            finally:
                task.close()
        self._capabilities = replace(limits, bits=facts.bits)
        self._doubts = input_doubts(
            limits, self._plan.sample_rate, facts.sample_rate, facts.delay, facts.coefficients
        )
        self._limits = facts.limits
        self._info = DigitizerInfo(
            sample_rate=facts.sample_rate,
            channels=self._names,
            scale=tuple(c[1] for c in facts.coefficients)
            if self._raw
            else (1.0,) * len(self._names),
            dtype="int16" if self._raw else "float32",
            real_time=self._real_time,
            mode="SIM" if simulated else "LIVE",
            latency=self._latency,
            delays=tuple(column * facts.delay for column in range(len(self._names)))
            if facts.delay
            else (),
        )
        return identity

    def _close(self) -> None:
        self._clear()
        self._leave(kept=self._take_broken())

    def _clear(self) -> None:
        """End the task; one that cannot be cleared is left to the next connection."""
        task, self._task, self._reader = self._task, None, None
        try:
            if task is not None:
                task.close()
        except Exception:
            self._broken = True

    def _describe(self) -> Any:
        """Make the task, not started."""
        return configured_input(
            self._system,
            self._session,
            self._device,
            self._plan,
            terminal=self._terminal,
            edge=self._edge,
            buffer=self._buffer,
            finite=self._finite,
        )

    def start(self) -> None:
        """Start sampling; the next sample has index 0.

        Raises
        ------
        DeviceError
            If it is running already, not connected, or the card refuses.
        """
        if self._state is DeviceState.RUNNING:
            raise DeviceError(f"{self._name} is running already: stop it first")
        self._whoever_is_dead(self._begin)
        clock = self._plan.sample_clock
        self._watch = ClockWatch(clock if self._real_time else None, self.info.sample_rate)
        self._index, self._acquired, self._on_demand = 0, 0, not self._real_time
        self._patience.start(self._plan.awaited)
        self._state = DeviceState.RUNNING

    def _begin(self) -> None:
        try:
            with self._using():
                self._task = self._describe()
                self._reader = Reader(self._system, self._task, len(self._names), self._mode)
                self._task.start()
        except DeviceError:
            self._clear()
            raise

    def stop(self) -> None:
        """Stop sampling; what the driver still holds is thrown away."""
        self._clear()
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY

    def present_sample(self) -> int:
        """Index of the sample that the card takes about now, ahead of what has been read.

        What is switched by software acts here, not at the next sample to be read: an event that is
        to hold for the record belongs at this index.

        Raises
        ------
        DeviceError
            If it is not running.
        """
        self._require_running("start it first")
        with self._talking():
            return self._total()

    def _total(self) -> int:
        """Samples per channel that the card has taken."""
        with self._system.errors():
            count = int(self._task.in_stream.total_samp_per_chan_acquired)
        self._watch.see(count)
        return count

    @property
    def clock_doubt(self) -> str:
        """What is wrong with the rate of an external sample clock; empty if nothing is known."""
        return self._watch.doubt

    # -- samples ----------------------------------------------------------------------------------

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill ``buffer`` (rows, channels), or its beginning where the rest is late.

        Raises
        ------
        DeviceError
            If the card answers with an error. After a timeout it goes on running.
        LinkError
            If card or server are gone; the digitizer is faulted then.
        """
        info, reader = self.info, self._reader
        self._require_running("start it before reading")
        assert reader is not None
        shaped = buffer.ndim == 2 and buffer.shape[1] == len(info.channels)
        if buffer.dtype != info.dtype or not shaped or not buffer.flags.c_contiguous:
            raise DeviceError(
                f"{self._name} fills {info.dtype} buffers of {len(info.channels)} columns, "
                f"got {buffer.dtype} of shape {buffer.shape}"
            )
        rows = len(buffer)
        if self._finite is not None:
            rows = min(rows, self._finite - self._index)
            if rows <= 0:
                return ReadResult(0, self._index, finished=True)
        status = BlockStatus.OK
        with self._talking():
            rows, wait = self._wait(rows)
            view = buffer[:rows]
            if rows and self._read(reader, view, wait):
                status |= BlockStatus.GAP_BEFORE
        if not rows or not self._acquired:
            return ReadResult(0, self._index, waiting=self._patience.awaited)
        first = self._index
        self._index += rows
        if view.max() >= self._limits[1] or view.min() <= self._limits[0]:
            status |= BlockStatus.SATURATED
        return ReadResult(rows, first, status, finished=self._index == self._finite)

    def _wait(self, rows: int) -> tuple[int, float]:
        """Wait until the card has ``rows`` samples, or is silent or late.

        What is not there is not asked for: a read that times out loses what it got.

        Returns
        -------
        int
            Samples to be read now.
        float
            How long the driver may wait for them, s.
        """
        duration = rows / self.info.sample_rate
        if self._on_demand:
            return rows, duration + self._timeout if self._acquired else LONGEST_SILENCE
        self._patience.begin(duration)
        while self._acquired < self._index + rows:
            present = self._total()
            if present > self._acquired:
                self._acquired = present
                self._patience.news()
            there = max(0, self._acquired - self._index)
            if there >= rows:
                break
            try:
                if self._patience.spent(there, rows):
                    idle = not self._acquired and not self._patience.awaited
                    return (rows, LONGEST_SILENCE) if idle else (there, self._timeout)
            except DeviceError:
                return rows, 0.0  # the card itself is to say what is wrong
            time.sleep(min(max((rows - there) / self.info.sample_rate, _LOOKS[0]), _LOOKS[1]))
        return rows, self._timeout

    def _read(self, reader: Reader, view: NDArray[Any], wait: float) -> bool:
        """Read the rows, after a jump if the buffer has overflowed; return whether it jumped.

        Before the first sample it may be tried in vain: nothing is known to be acquired then.
        """
        try:
            with self._system.errors():
                reader.read(view, wait)
            if self._acquired < self._index + len(view):
                # It had not said that it has them: its clock waits for the reader.
                self._on_demand, self._acquired = True, self._index + len(view)
            self._patience.news()
            return False
        except DeviceError as error:
            if code_of(error) == NOT_YET_AVAILABLE:
                # What came before the timeout is taken out of the driver's buffer, and lost.
                self._index += getattr(error.__cause__, "samps_per_chan_read", 0)
                if not self._acquired and wait > 0.0:
                    return False
                raise
            if code_of(error) != INPUT_OVERWRITTEN or self._finite is not None:
                self._give_up(error)
                raise
        self._jump(reader, view, wait)
        return True

    def _jump(self, reader: Reader, view: NDArray[Any], wait: float) -> None:
        """Go on with what is still there; a reader held up once more tries once more."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._system.errors():
                    self._index = reader.jump(view, wait, self._index, self._buffer)
                return
            except DeviceError as error:
                if code_of(error) != INPUT_OVERWRITTEN or attempt == _ATTEMPTS - 1:
                    self._give_up(error)
                    raise

    def _give_up(self, error: DeviceError) -> None:
        """After an error that ends the acquisition: no task is left behind."""
        if not isinstance(error, LinkError):
            self.stop()
