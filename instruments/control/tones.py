"""Setting several channels as one: align and apply the phases again where the source needs it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ...models.errors import DeviceError, InputError
from ..protocols import RFSource, RFTone

__all__ = ["read_tones", "set_tones"]


def read_tones(rf: RFSource, channels: int) -> list[RFTone]:
    """Present tones of the first channels."""
    return [rf.read_tone(channel) for channel in range(channels)]


def set_tones(rf: RFSource, wanted: Sequence[RFTone]) -> None:
    """Set the first channels; on a fault the tones before are restored as far as the source obeys.

    A source whose phases are relative is aligned after a change of any frequency, and the phases
    are applied again, since aligning resets them. A source without phases keeps its own.

    Raises
    ------
    InputError
        If a tone is out of range; nothing stays changed then.
    DeviceError
        If the source fails.
    """
    before = read_tones(rf, len(wanted))
    phase = rf.capabilities.phase
    tones = [
        replace(tone, phase=old.phase) if phase == "absent" else tone
        for tone, old in zip(wanted, before, strict=True)
    ]
    step = max(rf.capabilities.frequency_resolution, 1e-9)
    moved = any(abs(a.frequency - b.frequency) > step for a, b in zip(tones, before, strict=True))
    try:
        for channel, (tone, old) in enumerate(zip(tones, before, strict=True)):
            if tone != old:
                rf.set_tone(channel, tone)
        if moved and phase == "relative":
            rf.align()
            for channel, tone in enumerate(tones):
                rf.set_tone(channel, tone)
    except (DeviceError, InputError):
        _restore(rf, before)
        raise


def _restore(rf: RFSource, tones: Sequence[RFTone]) -> None:
    """Go back, each channel on its own: one that fails must not keep the others from it."""
    for channel, tone in enumerate(tones):
        with suppress(DeviceError):
            if rf.read_tone(channel) != tone:
                rf.set_tone(channel, tone)
