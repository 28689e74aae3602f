"""Whether light holds the particles, by the model of the rig: asked before the light is set."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.array import TrapArray
from ..models.errors import InputError, NotTrappedError
from ..models.light import TweezerState

__all__ = ["require_trapped", "traps"]

# A slow beat turns φ through a whole turn: the particles must be held at each of these moments.
_MOMENTS = 8


def traps(trap: TrapArray, state: TweezerState) -> bool:
    """Whether the model finds every particle held by this light.

    Parameters
    ----------
    trap : TrapArray
        Particles and tweezers as configured.
    state : TweezerState
        The light.
    """
    try:
        _solve(trap, state)
    except InputError:
        return False
    return True


def require_trapped(trap: TrapArray, way: Sequence[tuple[float, TweezerState]]) -> None:
    """Refuse light that does not hold the particles at its goal or on the way there.

    Parameters
    ----------
    trap : TrapArray
        Particles and tweezers as configured.
    way : sequence of (float, TweezerState)
        Shares of the way, and the light there; the goal has share 1.

    Raises
    ------
    NotTrappedError
        Says where on the way, why, and how to insist.
    InputError
        For light that is wrong in itself: particles that touch.
    """
    for share, state in sorted(way, key=lambda point: -point[0]):  # the goal first
        where = "this light" if share >= 1.0 else f"the light after {share:.0%} of the way there"
        try:
            _solve(trap, state)
        except NotTrappedError as error:
            raise NotTrappedError(
                f"by the rig's model {where} does not hold the particles: {error}; nothing was "
                "sent. Choose other light, or insist with set_light(state, allow_untrapped=True)"
            ) from error


def _solve(trap: TrapArray, state: TweezerState) -> None:
    """Find the equilibrium and its frequencies, at several moments of a slow beat."""
    detunings = [site.detuning for site in state.sites]
    beat = max(detunings) - min(detunings)
    try:
        trap.with_light(state).linearize()
    except NotTrappedError:
        raise
    except InputError:
        if beat == 0.0:
            raise
        for moment in range(_MOMENTS):
            trap.with_light(state, time=moment / (_MOMENTS * beat)).linearize()
