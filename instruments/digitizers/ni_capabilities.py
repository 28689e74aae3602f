"""What an NI card can do, asked of the card, and the refusal of what it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...models.errors import InputError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities

__all__ = ["InputPlan", "input_doubts", "read_capabilities", "require_channels"]


@dataclass(frozen=True)
class InputPlan:
    """What a digitizer was asked for: channels, rate (Hz), ±full scale (V), trigger and clock."""

    channels: tuple[str, ...]
    sample_rate: float
    full_scale: float
    start_trigger: str | None = None
    sample_clock: str | None = None

    @property
    def awaited(self) -> str:
        """What the first sample waits for, in words; empty if for nothing."""
        awaited = []
        if self.start_trigger is not None:
            awaited.append(f"the start trigger at {self.start_trigger}")
        if self.sample_clock is not None:
            awaited.append(f"the sample clock at {self.sample_clock}")
        return " and ".join(awaited)


def require_channels(known: Sequence[str], wanted: Sequence[str], device: str, kind: str) -> None:
    """Refuse a channel or line that the card lacks.

    Raises
    ------
    InputError
        Lists those that there are.
    """
    there = {name.partition("/")[2].lower() for name in known}
    for name in wanted:
        if name.lower() not in there:
            listed = ", ".join(sorted(there)) or "none"
            raise InputError(f"{device} has no {kind} {name!r}; known: {listed}")


def read_capabilities(device: Any, name: str, plan: InputPlan) -> DigitizerCapabilities:
    """Ask the card and refuse what it cannot do.

    Parameters
    ----------
    device : nidaqmx.system.Device
        The card.
    name : str
        Its name, for messages.
    plan : InputPlan
        What is wanted.

    Raises
    ------
    InputError
        For a channel, rate, range, trigger or clock that the card does not have.
    """
    require_channels(device.ai_physical_chans.channel_names, plan.channels, name, "analogue input")
    count = len(plan.channels)
    simultaneous = bool(device.ai_simultaneous_sampling_supported)
    single, multi = device.ai_max_single_chan_rate, device.ai_max_multi_chan_rate
    fastest = single if count == 1 else multi if simultaneous else multi / count
    bounds = [abs(bound) for bound in device.ai_voltage_rngs]
    scales = tuple(sorted({max(bounds[k : k + 2]) for k in range(0, len(bounds), 2)}))
    capabilities = DigitizerCapabilities(
        channels=len(device.ai_physical_chans.channel_names),
        sample_rate_range=(float(device.ai_min_rate), float(fastest)),
        full_scales=scales,
        simultaneous=simultaneous,
        start_trigger=bool(device.dig_trig_supported),
        external_clock=True,
    )
    where = f"{name}: sample_rate of {count} channel{'s' if count > 1 else ''}"
    require_range(where, plan.sample_rate, *capabilities.sample_rate_range, "Hz")
    if not scales or plan.full_scale > scales[-1] * (1.0 + 1e-9):
        listed = ", ".join(f"±{scale:g}" for scale in scales) or "none"
        raise InputError(f"{name} has the input ranges {listed} V, got ±{plan.full_scale:g} V")
    if plan.start_trigger is not None and not capabilities.start_trigger:
        raise InputError(f"{name} has no digital start trigger, got {plan.start_trigger!r}")
    return capabilities


def input_doubts(
    capabilities: DigitizerCapabilities,
    asked_rate: float,
    rate: float,
    delay: float,
    coefficients: Sequence[Sequence[float]],
) -> tuple[str, ...]:
    """Sentences for the user about what the samples do not show by themselves.

    Parameters
    ----------
    capabilities : DigitizerCapabilities
        Of the card.
    asked_rate, rate : float
        Sample rate wanted and set, Hz.
    delay : float
        Time between neighbouring channels of a multiplexed card, s.
    coefficients : sequence of sequence of float
        Polynomial volts = Σ c_k · countᵏ of each channel.
    """
    sentences = []
    if not math.isclose(rate, asked_rate, rel_tol=1e-9):
        sentences.append(f"the card samples at {rate:.9g} Hz, asked for {asked_rate:.9g} Hz")
    if not capabilities.simultaneous and delay > 0.0:
        sentences.append(
            f"the card is multiplexed: each channel is sampled {1e9 * delay:.4g} ns after the one "
            f"before, a phase of {360.0 * delay * 1e5:.3g}° of the cross spectrum at 100 kHz"
        )
    half = 2.0**15
    for index, terms in enumerate(coefficients):
        step = abs(terms[1])
        if abs(terms[0]) > 0.5 * step:
            sentences.append(
                f"column {index}: an offset of {terms[0]:.3g} V is left out of the raw samples"
            )
        bend = sum(abs(c) * half**k for k, c in enumerate(terms) if k > 1)
        if bend > 1e-3 * step * half:
            sentences.append(
                f"column {index}: raw samples are bent by up to {bend / (step * half):.1%} of full "
                "scale; raw = false applies the card's polynomial"
            )
    return tuple(sentences)
