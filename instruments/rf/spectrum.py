"""Spectrum M4i generators with the DDS firmware, through ``spcm``.

Tried on a scripted stand-in of ``spcm`` only. A DDS core carries one tone and adds to the output it
is assigned to: two outputs drive two AOMs, one output with several cores an AOD.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..links.base import LinkError
from ..protocols import RFCapabilities, RFTone
from ..setpoints import wrapped_phase
from .base import RFDriver

__all__ = ["SpectrumDdsSource"]

_WIDEST = RFCapabilities(
    channels=50,
    frequency_range=(0.0, 200e6),
    amplitude_range=(0.0, 2.5),
    phase="relative",
    phase_resolution=2.0 * math.pi / 2**12,
    frequency_resolution=0.3,
    amplitude_resolution=1e-4,
    update_rate=1000.0,
)


class SpectrumDdsSource(RFDriver):
    """DDS cores of a Spectrum M4i card.

    Connecting to a card that is in DDS mode already leaves it as it is; any other is brought into
    that mode by the first tone that is set. Disconnecting releases the card without stopping it.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    address : str
        Device of the driver, ``/dev/spcm0`` or ``TCPIP::192.168.0.5::inst0::INSTR``.
    channels : int
        Tones in use.
    cores : sequence of int
        DDS core of each tone.
    outputs : sequence of int
        Output of each tone; which cores can go where depends on the card (see its manual).
    full_scale : float
        V peak into 50 Ω at a core amplitude of 1; 0.08 … 2.5.
    frequency_range, amplitude_range : sequence of two floats, optional
        Narrower limits than the card's, Hz and V peak into 50 Ω.
    """

    def __init__(
        self,
        name: str,
        address: str = "/dev/spcm0",
        *,
        channels: int = 2,
        cores: Sequence[int] = (0, 8),
        outputs: Sequence[int] = (0, 1),
        full_scale: float = 1.0,
        frequency_range: Sequence[float] | None = None,
        amplitude_range: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            name,
            _WIDEST,
            channels=channels,
            frequency_range=frequency_range,
            amplitude_range=amplitude_range,
        )
        if not len(cores) == len(outputs) == channels or len(set(cores)) != channels:
            raise InputError(f"{channels} tones need as many different cores and as many outputs")
        self._full = require_range("full_scale", full_scale, 0.08, 2.5, "V")
        self._address, self._cores, self._outputs = address, tuple(cores), tuple(outputs)
        self._spcm: Any = None
        self._card: Any = None
        self._dds: Any = None

    def _open(self) -> str:
        try:
            spcm: Any = import_module("spcm")
        except Exception as error:  # without the vendor's driver the import itself fails
            raise DeviceError(
                f"{self._address} needs spcm and Spectrum's driver: pip install "
                f"optobind[spectrum] and the driver from spectrum-instrumentation.com ({error})"
            ) from None
        self._spcm = spcm
        with self._errors():
            self._card = _holding(spcm.Card)(self._address)
            self._card.open()
            identity = f"{self._card.product_name()} sn {self._card.sn():05d}"
            self._dds = spcm.DDS(self._card, no_units=True)
            if len(self._dds) <= max(self._cores):
                raise DeviceError(
                    f"{identity} has {len(self._dds)} DDS cores, the rig file asks for core "
                    f"{max(self._cores)}: correct it, or install the DDS firmware"
                )
            self._set_model(self._limits())
        return identity

    def _limits(self) -> RFCapabilities:
        """Limits that the card states."""
        dds = self._dds
        return replace(
            _WIDEST,
            frequency_range=(max(0.0, dds.avail_freq_min()), dds.avail_freq_max()),
            amplitude_range=(0.0, self._full * dds.avail_amp_max()),
            phase_resolution=math.radians(dds.avail_phase_step()),
            frequency_resolution=dds.avail_freq_step(),
            amplitude_resolution=self._full * dds.avail_amp_step(),
        )

    def _close(self) -> None:
        if self._card is not None:
            with suppress(Exception):  # whatever the vendor's library raises: it is gone
                self._card.close()
        self._card = self._dds = None

    def _read_tone(self, channel: int) -> RFTone:
        with self._errors():
            core = self._dds[self._cores[channel]]
            values = (core.get_freq(), core.get_amp(), core.get_phase())
        if not all(math.isfinite(value) for value in values):
            raise LinkError(f"{self._address} reads {values}: no finite numbers")
        frequency, share, degrees = values
        return RFTone(
            frequency, share * self._full, wrapped_phase(math.radians(degrees)), share > 0.0
        )

    def _write_tone(self, channel: int, tone: RFTone, now: RFTone | None) -> None:
        with self._errors():
            if self._card.card_mode() != self._spcm.SPC_REP_STD_DDS:
                self._prepare_card()
            core = self._dds[self._cores[channel]]
            core.freq(tone.frequency)
            core.amp(tone.amplitude / self._full if tone.enabled else 0.0)
            core.phase(math.degrees(tone.phase) % 360.0)
            self._execute()

    def _prepare_card(self) -> None:
        """Bring a card that emits nothing yet into DDS mode, all cores silent."""
        spcm, card = self._spcm, self._card
        card.card_mode(spcm.SPC_REP_STD_DDS)
        enabled = sum(1 << output for output in set(self._outputs))
        channels = spcm.Channels(card, card_enable=enabled)
        channels.enable(True)
        channels.amp(round(1e3 * self._full))
        card.write_setup()
        self._dds = spcm.DDS(card, no_units=True)
        self._dds.reset()
        for output in sorted(set(self._outputs) - {0}):
            own = [1 << c for c, o in zip(self._cores, self._outputs, strict=True) if o == output]
            self._dds.cores_on_channel(output, *own)
        self._execute()
        card.start(spcm.M2CMD_CARD_ENABLETRIGGER)

    def _execute(self) -> None:
        self._dds.exec_now()
        self._dds.write_to_card()

    def _compare(self, channel: int, tone: RFTone, found: RFTone) -> None:
        """Compare; a tone that is off is one of amplitude 0."""
        if not tone.enabled:
            tone = replace(tone, amplitude=0.0)
        super()._compare(channel, tone, replace(found, enabled=tone.enabled))

    def _tolerance(self, tone: RFTone) -> tuple[float, float, float]:
        model = self._model
        return (
            1.01 * model.frequency_resolution,
            1.01 * model.amplitude_resolution,
            1.01 * model.phase_resolution,
        )

    def _align(self) -> None:
        """Set the phases of all tones again in one step."""
        with self._errors():
            for core in self._cores:
                self._dds[core].phase(self._dds[core].get_phase())
            self._execute()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the vendor's library raises into LinkError."""
        try:
            yield
        except DeviceError:
            raise
        except Exception as error:
            raise LinkError(f"{self._address}: {error}") from error


def _holding(card: type[Any]) -> type[Any]:
    """Card whose ``close``, which the garbage collector calls too, does not stop its outputs."""

    class HoldingCard(card):  # type: ignore[misc]
        def close(self) -> None:
            if self:
                self.close_handle()

    return HoldingCard
