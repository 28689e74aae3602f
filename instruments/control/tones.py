"""Setting several channels as one: align and apply the phases again where the source needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ...models.errors import DeviceError, InputError
from ..protocols import RFSource, RFTone, StepsTones
from ..setpoints import wrapped_phase

__all__ = ["read_tones", "set_tones", "switch_off", "within"]

Write = Callable[[int, RFTone, RFTone | None], None]

# Tones count as equal below this relative difference: rounding must not cost a command.
_SAME = 1e-12


def read_tones(rf: RFSource, channels: int) -> list[RFTone]:
    """Present tones of the first channels."""
    return [rf.read_tone(channel) for channel in range(channels)]


def within(rf: RFSource, tone: RFTone) -> RFTone:
    """Tone with the nearest amplitude that the source takes: ramps may begin in the dark."""
    low, high = rf.capabilities.amplitude_range
    return replace(tone, amplitude=min(max(tone.amplitude, low), high))


def set_tones(
    rf: RFSource, wanted: Sequence[RFTone], known: Sequence[RFTone] | None = None
) -> list[RFTone]:
    """Set the first channels; on a fault the tones before are restored as far as the source obeys.

    A source whose phases are relative is aligned after a change of any frequency, and the phases
    are applied again, since aligning resets them. A source without phases keeps its own.

    What was raised before the fault is not lowered again, and nothing is switched off: frequencies
    and phases go back, amplitudes only up.

    Parameters
    ----------
    rf : RFSource
        The source.
    wanted : sequence of RFTone
        Tones of channels 0, 1, ….
    known : sequence of RFTone, optional
        Tones that the channels are known to have: a step of a ramp. Nothing is read then, and a
        source that can set without reading back does so.

    Returns
    -------
    list of RFTone
        What the channels were set to.

    Raises
    ------
    InputError
        If a tone is out of range.
    DeviceError
        If the source fails.
    """
    before = read_tones(rf, len(wanted)) if known is None else list(known)
    write = _writer(rf, quick=known is not None)
    phase = rf.capabilities.phase
    tones = [
        replace(tone, phase=old.phase) if phase == "absent" else tone
        for tone, old in zip(wanted, before, strict=True)
    ]
    try:
        for channel, (tone, old) in enumerate(zip(tones, before, strict=True)):
            if not _same(tone, old):
                write(channel, tone, old)
        if phase == "relative" and _moved(rf, tones, before):
            rf.align()
            for channel, tone in enumerate(tones):
                write(channel, tone, tone)
    except Exception:
        _restore(rf, before)
        raise
    return tones


def switch_off(rf: RFSource, channels: int, known: Sequence[RFTone] | None = None) -> None:
    """Switch the first channels off, whatever becomes of the others: the particles are lost.

    Parameters
    ----------
    rf : RFSource
        The source.
    channels : int
        Number of channels.
    known : sequence of RFTone, optional
        Their last known tones, for a channel that cannot be read.

    Raises
    ------
    DeviceError
        If channels do not obey or cannot be read afterwards; names them.
    """
    failures = []
    for channel in range(channels):
        last = known[channel] if known is not None and channel < len(known) else None
        try:
            _switch_off(rf, channel, last)
        except Exception as error:  # whatever a driver raises, the other channels follow
            failures.append(f"channel {channel + 1}: {error}")
    if failures:
        raise DeviceError(
            "trap light may still be on, block the beam by hand: " + "; ".join(failures)
        )


def _switch_off(rf: RFSource, channel: int, known: RFTone | None) -> None:
    """Switch one channel off; one that cannot be read gets the command all the same."""
    try:
        tone = rf.read_tone(channel)
    except DeviceError:
        tone = known or _some_tone(rf)
    off = replace(tone, enabled=False)
    try:
        rf.set_tone(channel, off)
    except (DeviceError, InputError):
        if not isinstance(rf, StepsTones):
            raise
        rf.step_tone(channel, off, None)  # a driver that must read before it sets could not
        if rf.read_tone(channel).enabled:
            raise


def _some_tone(rf: RFSource) -> RFTone:
    """Tone that the source takes, for a channel of which nothing is known."""
    limits = rf.capabilities
    return RFTone(0.5 * sum(limits.frequency_range), limits.amplitude_range[0])


def _writer(rf: RFSource, *, quick: bool) -> Write:
    if quick and isinstance(rf, StepsTones):
        return rf.step_tone
    return lambda channel, tone, _: rf.set_tone(channel, tone)


def _same(a: RFTone, b: RFTone) -> bool:
    """Whether two tones are one, but for rounding."""
    return (
        a.enabled == b.enabled
        and abs(a.frequency - b.frequency) <= _SAME * abs(b.frequency)
        and abs(a.amplitude - b.amplitude) <= _SAME * abs(b.amplitude)
        and abs(wrapped_phase(a.phase - b.phase)) <= 1e3 * _SAME
    )


def _moved(rf: RFSource, tones: Sequence[RFTone], before: Sequence[RFTone]) -> bool:
    """Whether any frequency changes."""
    step = max(rf.capabilities.frequency_resolution, 1e-9)
    return any(abs(a.frequency - b.frequency) > step for a, b in zip(tones, before, strict=True))


def _restore(rf: RFSource, tones: Sequence[RFTone]) -> None:
    """Go back, each channel on its own: one that fails must not keep the others from it.

    Whatever a driver raises here, the error that led here is the one to be told.
    """
    moved = False
    for channel, tone in enumerate(tones):
        with suppress(Exception):
            now = rf.read_tone(channel)
            moved = moved or _moved(rf, [tone], [now])
            back = _not_darker(tone, now)
            if not _same(back, now):
                rf.set_tone(channel, back)
    if not moved or rf.capabilities.phase != "relative":
        return
    with suppress(Exception):
        rf.align()
        for channel, tone in enumerate(tones):
            rf.set_tone(channel, _not_darker(tone, rf.read_tone(channel)))


def _not_darker(tone: RFTone, now: RFTone) -> RFTone:
    """Return the old tone, with the present amplitude where that is larger or the old one was off.

    An amplitude is not raised on a channel that was off either: it may be that of another light.
    """
    if not tone.enabled and now.enabled:
        return replace(tone, amplitude=now.amplitude, enabled=True)
    return replace(
        tone, amplitude=max(tone.amplitude, now.amplitude) if now.enabled else tone.amplitude
    )
