"""Set-points pass here before a device sees them: ranges of the light, each with its unit."""

from __future__ import annotations

import math
from itertools import combinations

from ..models.errors import InputError
from ..models.light import TweezerState
from ..models.ranges import require_range
from .protocols import LightCapabilities

__all__ = ["check_light", "phase_error", "wrapped_phase"]


def wrapped_phase(phase: float) -> float:
    """Phase on −π … π, rad."""
    return math.remainder(phase, 2.0 * math.pi)


def phase_error(wanted: TweezerState, actual: TweezerState) -> float:
    """Largest error of a site's phase relative to the first site's, rad."""
    errors = [
        wrapped_phase(a.phase - b.phase) for a, b in zip(actual.sites, wanted.sites, strict=True)
    ]
    return max(abs(wrapped_phase(error - errors[0])) for error in errors)


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
    if len(state.sites) != sites:
        raise InputError(
            f"this rig has {sites} tweezers, the light asked for has {len(state.sites)}"
        )
    half = 0.5 * field_of_view
    for number, site in enumerate(state.sites, start=1):
        require_range(f"power of tweezer {number}", site.power, *capabilities.power_range, "W")
        require_range(f"phase of tweezer {number}", site.phase, -1e5, 1e5, "rad")
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
