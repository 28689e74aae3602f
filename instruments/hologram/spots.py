"""What a hologram is asked for: where each spot is, its share of the light, its optical phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.ranges import require_range
from ..protocols import SpotPattern

__all__ = ["MOST_SPOTS", "SpotTargets", "check_pattern"]

MOST_SPOTS = 1024
# What feedback may leave of a weight: a pattern that was read back can be shown again.
_SLACK = 5e-3
_DARK = 1e-6  # weights below are dark, and a rest below needs no dump


def check_pattern(pattern: SpotPattern, field_of_view: float, who: str) -> None:
    """Refuse a pattern that no modulator of this field of view can show.

    Parameters
    ----------
    pattern : SpotPattern
        What is wanted.
    field_of_view : float
        Full width within which positions must lie, m.
    who : str
        Name of the device, for messages.

    Raises
    ------
    InputError
        Names the value, the allowed range and the unit.
    """
    count = len(pattern.positions)
    if not len(pattern.weights) == len(pattern.phases) == count:
        raise InputError(
            f"{who}: {count} positions, {len(pattern.weights)} weights and {len(pattern.phases)} "
            "phases do not match"
        )
    if not 1 <= count <= MOST_SPOTS:
        raise InputError(f"{who} shows 1 … {MOST_SPOTS} spots, got {count}")
    half = 0.5 * field_of_view
    for position in pattern.positions:
        for axis, value in zip("xyz", position, strict=True):
            require_range(f"spot {axis}", value, -half, half, "m")
    for phase in pattern.phases:
        require_range("spot phase", phase, -1e6, 1e6, "rad")
    for weight in pattern.weights:
        require_range("spot weight", weight, 0.0, 1.0 + _SLACK)
    total = sum(pattern.weights)
    if total > 1.0 + _SLACK:
        raise InputError(f"spot weights add up to {total:.6g}, at most 1")
    lit = [p for p, w in zip(pattern.positions, pattern.weights, strict=True) if w > 0.0]
    if len(set(lit)) < len(lit):
        raise InputError(f"{who}: two spots stand at the same place")


@dataclass(frozen=True)
class SpotTargets:
    """Spots of a pattern as a hologram takes them, and a dump for what they leave of the light.

    Attributes
    ----------
    positions : tuple of (x, y, z)
        m; the dump, if there is one, comes last.
    powers : ndarray
        Wanted shares of the light, the dump's included; 0 for a dark spot.
    phases : ndarray
        Wanted optical phases, rad; the dump's is of no matter.
    spots : int
        Number of spots without the dump.
    absolute : bool
        Whether the powers are shares of the incident light; otherwise of what is diffracted into
        the spots and the dump.
    """

    positions: tuple[tuple[float, float, float], ...]
    powers: NDArray[np.float64]
    phases: NDArray[np.float64]
    spots: int
    absolute: bool = False

    @classmethod
    def of(
        cls,
        pattern: SpotPattern,
        dump: tuple[float, float, float],
        efficiency: float | None = None,
    ) -> SpotTargets:
        """Targets of a checked pattern.

        Parameters
        ----------
        pattern : SpotPattern
            What is wanted.
        dump : tuple of float
            Where light goes that no spot shall have, m.
        efficiency : float, optional
            Share of the incident light that weights adding up to 1 stand for.
        """
        weights = np.asarray(pattern.weights, dtype=float)
        powers = np.where(weights > _DARK, weights, 0.0) * (efficiency or 1.0)
        positions, phases = list(pattern.positions), list(pattern.phases)
        rest = 1.0 - float(powers.sum())
        if rest > _DARK:
            positions.append(dump)
            phases.append(0.0)
            powers = np.append(powers, rest)
        if efficiency is None:
            powers = powers / powers.sum()
        return cls(
            tuple(positions),
            powers,
            np.asarray(phases, dtype=float),
            len(pattern.positions),
            efficiency is not None,
        )

    @property
    def lit(self) -> NDArray[np.intp]:
        """Indices of the spots that shall have light, without the dump."""
        return np.flatnonzero(self.powers[: self.spots])
