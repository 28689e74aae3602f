"""Spectrum M2p/M4i/M5i digitizers in FIFO mode, through spcm.

Classes and methods follow the published spcm package and its FIFO example. Exercised on a scripted
stand-in for the package, not on a card.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities
from ..links.base import LinkError
from ..protocols import DigitizerInfo
from .buffered import BufferedDigitizer, RowQueue

__all__ = ["SpectrumDigitizer"]

_NOTIFY = 4096  # samples per channel in one piece, a power of two as the DMA wants it
_LEAST_BUFFER = 2.0  # s
_TICK = 50  # ms, longest wait of the driver


class SpectrumDigitizer(BufferedDigitizer):
    """Inputs of a Spectrum card, streamed by DMA.

    Parameters
    ----------
    name : str
        Name in the rig.
    address : str
        "/dev/spcm0", or "TCPIP::192.168.1.10::inst0::INSTR" of a netbox.
    channels : sequence of int
        Inputs, counted from 0.
    sample_rate : float
        Hz; the card may round it.
    full_scale : float
        Range, ±V, one that the card has.
    termination : {"50", "1M"}
        Input impedance, Ω.
    external_trigger : bool
        Start with an edge at the trigger input instead of at once.
    names : sequence of str or None
        Names of the columns.
    timeout : float
        Longest wait beyond the duration of a block, s.
    """

    def __init__(
        self,
        name: str,
        *,
        address: str = "/dev/spcm0",
        channels: tuple[int, ...] | list[int] = (0, 1),
        sample_rate: float = 1e6,
        full_scale: float = 1.0,
        termination: str = "1M",
        external_trigger: bool = False,
        names: tuple[str, ...] | list[str] | None = None,
        timeout: float = 2.0,
    ) -> None:
        super().__init__(name, timeout)
        self._channels = tuple(int(require_range("channel", c, 0, 15)) for c in channels)
        if not self._channels or sorted(set(self._channels)) != list(self._channels):
            raise InputError(f"channels must be different and ascending, got {tuple(channels)}")
        self._names = tuple(names) if names is not None else tuple(f"ch {c}" for c in channels)
        if len(self._names) != len(self._channels):
            raise InputError(f"names must hold {len(self._channels)}, got {len(self._names)}")
        if termination not in ("50", "1M"):
            raise InputError(f"termination {termination!r} is not known; known: 50, 1M")
        self._rate = require_range("sample_rate", sample_rate, 1.0, 1e10, "Hz")
        self._full = require_range("full_scale", full_scale, 1e-3, 100.0, "V")
        self._address, self._termination = address, termination
        self._external = external_trigger
        self._spcm: Any = None
        self._card: Any = None
        self._transfer: Any = None

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the package's exceptions into ours."""
        try:
            yield
        except self._spcm.SpcmException as error:
            text = " ".join(str(error).split())
            raise DeviceError(f"Spectrum driver: {text}") from error

    def _open(self) -> str:
        try:
            self._spcm = import_module("spcm")
        except ImportError as error:
            raise DeviceError(
                "Spectrum cards need spcm: pip install optobind[spectrum], and the driver from "
                "spectrum-instrumentation.com"
            ) from error
        except Exception as error:  # spcm loads the driver when it is imported
            raise DeviceError(
                f"the Spectrum driver cannot be loaded ({error}): install it from "
                "spectrum-instrumentation.com"
            ) from error
        with self._errors():
            card = self._spcm.Card(self._address)
            card.__enter__()
            self._card = card
            if not card.function_type() & self._spcm.SPCM_TYPE_AI:
                raise DeviceError(f"{card.product_name()} at {self._address} is no digitizer")
            inputs, largest = int(card.num_channels()), int(card.max_sample_value())
            bits = int(card.bits_per_sample())
            fastest = float(card.get_i(self._spcm.SPC_PCISAMPLERATE))
            identity = f"Spectrum {card.product_name()}, serial {card.sn()}, at {self._address}"
        if bits > 16 or bits <= 8 or largest <= 0:
            raise DeviceError(f"{identity} has {bits} bits: 9 … 16 are supported")
        if self._channels[-1] >= inputs:
            raise InputError(f"channels 0 … {inputs - 1}, got {self._channels}")
        require_range("sample_rate", self._rate, 1.0, fastest, "Hz")
        self._capabilities = DigitizerCapabilities(
            channels=inputs,
            sample_rate_range=(1.0, fastest),
            full_scales=(self._full,),
            bits=bits,
            start_trigger=True,
        )
        self._info = DigitizerInfo(
            sample_rate=self._rate,
            channels=self._names,
            scale=(self._full / largest,) * len(self._names),
        )
        return identity

    def _close(self) -> None:
        card, self._card, self._transfer = self._card, None, None
        if card is not None:
            with contextlib.suppress(Exception):
                card.__exit__(None, None, None)

    def _begin(self) -> None:
        spcm, card = self._spcm, self._card
        with self._errors():
            card.card_mode(spcm.SPC_REC_FIFO_SINGLE)
            card.timeout(_TICK)
            mask = sum(getattr(spcm, f"CHANNEL{c}") for c in self._channels)
            channels = spcm.Channels(card, card_enable=mask)
            channels.amp(round(1e3 * self._full))
            channels.termination(1 if self._termination == "50" else 0)
            trigger = spcm.Trigger(card)
            trigger.or_mask(spcm.SPC_TMASK_EXT0 if self._external else spcm.SPC_TMASK_SOFTWARE)
            trigger.and_mask(spcm.SPC_TMASK_NONE)
            clock = spcm.Clock(card)
            clock.mode(spcm.SPC_CM_INTPLL)
            clock.sample_rate(round(self._rate))
            rate = float(card.get_i(spcm.SPC_SAMPLERATE))
            if abs(rate / self._rate - 1.0) > 1e-9:
                raise DeviceError(f"the device samples at {rate:.9g} Hz: set that sample_rate")
            transfer = spcm.DataTransfer(card)
            transfer.notify_samples(_NOTIFY)
            pieces = -(-round(_LEAST_BUFFER * self._rate) // _NOTIFY)
            transfer.allocate_buffer(_NOTIFY * max(4, pieces))
            transfer.pre_trigger(32)
            transfer.start_buffer_transfer(spcm.M2CMD_DATA_STARTDMA)
            card.start(spcm.M2CMD_CARD_ENABLETRIGGER)
            self._transfer = transfer
        self._awaited = "an edge at the external trigger input" if self._external else ""
        self._piece = _NOTIFY / self._rate

    def _fetch(self, queue: RowQueue) -> None:
        """Take a piece; an overrun of the card's memory ends the acquisition with an error."""
        transfer = self._transfer
        with self._errors():
            try:
                transfer.wait_dma()
            except self._spcm.SpcmTimeout:
                return  # nothing yet: the patience of the read decides
            position = int(transfer.avail_user_pos())
            whole = transfer.buffer
            if position + _NOTIFY > whole.shape[1]:
                raise LinkError(f"position {position} leaves the buffer")
            rows = np.ascontiguousarray(whole[:, position : position + _NOTIFY].T)
            transfer.avail_card_len(_NOTIFY)
        queue.put(queue.end, rows.astype(np.int16, copy=False))
        largest = round(self._full / self.info.scale[0]) - 1
        self._saturated |= bool(rows.max() >= largest or rows.min() <= -largest)

    def _halt(self) -> None:
        if self._card is not None:
            with contextlib.suppress(Exception):  # whatever it says, no more is read
                self._card.stop()
        self._transfer = None
