"""Set-points pass here before a device sees them: ranges of the light, each with its unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from ..models.errors import InputError
from ..models.light import TweezerState
from ..models.ranges import require_finite, require_range
from .protocols import (
    ChecksPattern,
    ChecksTones,
    LightCapabilities,
    RFSource,
    RFTone,
    SpotPattern,
    SpotSLM,
)

__all__ = [
    "check_light",
    "check_numbers",
    "check_pattern",
    "check_same_phases",
    "check_tones",
    "phase_error",
    "wrapped_phase",
]

# Relative phases that are asked for count as those that are if they are this close, rad.
_SAME_PHASE = 1e-6


def wrapped_phase(phase: float) -> float:
    """Phase on −π … π, rad."""
    return math.remainder(phase, 2.0 * math.pi)


def phase_error(wanted: TweezerState, actual: TweezerState) -> float:
    """Largest error of a site's phase relative to the first site's, rad."""
    errors = [
        wrapped_phase(a.phase - b.phase) for a, b in zip(actual.sites, wanted.sites, strict=True)
    ]
    return max(abs(wrapped_phase(error - errors[0])) for error in errors)


def check_numbers(state: TweezerState, sites: int) -> None:
    """Refuse light of the wrong number of sites, or with a value that is no finite number.

    Raises
    ------
    InputError
        Names the value.
    """
    if len(state.sites) != sites:
        raise InputError(
            f"this rig has {sites} tweezers, the light asked for has {len(state.sites)}"
        )
    for number, site in enumerate(state.sites, start=1):
        if len(site.position) != 3:
            raise InputError(
                f"position of tweezer {number} needs (x, y, z) in m, got {site.position!r}"
            )
        for axis, value in zip("xyz", site.position, strict=True):
            require_finite(f"{axis} of tweezer {number}", value, "m")
        require_finite(f"power of tweezer {number}", site.power, "W")
        require_range(f"phase of tweezer {number}", site.phase, -1e5, 1e5, "rad")
        require_finite(f"detuning of tweezer {number}", site.detuning, "Hz")


def check_same_phases(wanted: TweezerState, now: TweezerState, why: str) -> None:
    """Refuse relative phases other than those that are, where none can be set.

    Parameters
    ----------
    wanted, now : TweezerState
        Light asked for, and light read back.
    why : str
        Who cannot set phases, for the message.

    Raises
    ------
    InputError
        Names the site and the change of its phase relative to the first site's.
    """
    first = wanted.sites[0].phase - now.sites[0].phase
    for number, (a, b) in enumerate(zip(wanted.sites, now.sites, strict=True), start=1):
        change = wrapped_phase(a.phase - b.phase - first)
        if abs(change) > _SAME_PHASE:
            raise InputError(
                f"phase cannot be set here: {why}; tweezer {number} was asked to turn by "
                f"{change:.4g} rad relative to tweezer 1, allowed: 0 rad"
            )


def check_tones(rf: RFSource, tones: Sequence[RFTone]) -> None:
    """Refuse tones that the source would refuse; tone j is that of channel j.

    Raises
    ------
    InputError
        Names the value, the allowed range and the unit.
    """
    limits = rf.capabilities
    for channel, tone in enumerate(tones, start=1):
        who = f"{rf.name} channel {channel}"
        require_range(f"frequency of {who}", tone.frequency, *limits.frequency_range, "Hz")
        require_range(f"amplitude of {who}", tone.amplitude, *limits.amplitude_range, "V")
        require_finite(f"phase of {who}", tone.phase, "rad")
    if isinstance(rf, ChecksTones):
        rf.check_tones(tones)


def check_pattern(slm: SpotSLM, pattern: SpotPattern) -> None:
    """Refuse a pattern that the SLM would refuse, as far as it can say so beforehand.

    Raises
    ------
    InputError
        From the SLM.
    """
    if isinstance(slm, ChecksPattern):
        slm.check_pattern(pattern)


def check_light(
    state: TweezerState,
    capabilities: LightCapabilities,
    *,
    sites: int,
    field_of_view: float,
    static: bool = True,
) -> None:
    """Refuse light that a control cannot or must not set.

    Parameters
    ----------
    state : TweezerState
        What is wanted.
    capabilities : LightCapabilities
        Ranges of power per site (W) and of the distance between sites (m).
    sites : int
        Number of sites of the rig.
    field_of_view : float
        Full width within which positions must lie, m.
    static : bool
        Whether φ must rest: all sites at one optical frequency.

    Raises
    ------
    InputError
        Names the value, the allowed range and the unit.
    """
    check_numbers(state, sites)
    half = 0.5 * field_of_view
    for number, site in enumerate(state.sites, start=1):
        require_range(f"power of tweezer {number}", site.power, *capabilities.power_range, "W")
        for axis, value in zip("xyz", site.position, strict=True):
            require_range(f"{axis} of tweezer {number}", value, -half, half, "m")
    detunings = [site.detuning for site in state.sites]
    for number, detuning in enumerate(detunings, start=1):
        if static and detuning != detunings[0]:
            raise InputError(
                f"tweezer {number} is detuned by {detuning - detunings[0]:g} Hz from tweezer 1: a "
                "static phase needs one optical frequency, allowed: 0 Hz"
            )
    for (i, a), (j, b) in combinations(enumerate(state.sites, start=1), 2):
        distance = math.dist(a.position, b.position)
        require_range(
            f"separation of tweezers {i} and {j}", distance, *capabilities.separation_range, "m"
        )
