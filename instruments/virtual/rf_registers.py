"""What a served RF source believes it emits, in front of the device that acts."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from ...models.ranges import require_range
from ..protocols import DeviceState, RFSource, RFTone
from ..setpoints import wrapped_phase

__all__ = ["ToneRegisters"]


class ToneRegisters:
    """Tones as they were set, which the acting device may round further.

    A real instrument answers with its registers. They are kept for as long as the acting device
    has what they led to; a change from elsewhere shows.

    Parameters
    ----------
    device : RFSource
        What acts; connected if it is not.
    highest : float, optional
        Highest frequency of the instrument's model, Hz.
    """

    def __init__(self, device: RFSource, highest: float | None = None) -> None:
        if device.state is DeviceState.DISCONNECTED:
            device.connect()
        self._device = device
        self.lock = threading.RLock()
        limits = device.capabilities
        self.channels = limits.channels
        self.amplitude_range = limits.amplitude_range
        low, high = limits.frequency_range
        self.frequency_range = (low, high if highest is None else min(high, highest))
        self._kept: dict[int, tuple[RFTone, RFTone]] = {}

    def tone(self, channel: int) -> RFTone:
        """Tone of a channel, from 0."""
        with self.lock:
            actual = self._device.read_tone(channel)
            kept, result = self._kept.get(channel, (actual, actual))
            return kept if result == actual else actual

    def change(self, channel: int, **values: Any) -> None:
        """Change some values of a tone.

        Raises
        ------
        InputError
            If a value is out of range, or the acting device refuses it; nothing has changed then.
        DeviceError
            If the acting device fails.
        """
        with self.lock:
            before = self.tone(channel)
            tone = replace(before, **values)
            if "frequency" in values:
                require_range("frequency", tone.frequency, *self.frequency_range, "Hz")
            if "amplitude" in values:
                require_range("amplitude", tone.amplitude, *self.amplitude_range, "V")
            if tone == before:
                return
            # Registers hold phases of 0 … 360°; the world's phases should not jump by turns.
            self._device.set_tone(channel, replace(tone, phase=wrapped_phase(tone.phase)))
            self._kept[channel] = (tone, self._device.read_tone(channel))

    def align(self) -> None:
        """Align the phases of all channels."""
        with self.lock:
            self._device.align()
