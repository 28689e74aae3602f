"""What many settings of the light amount to: equilibria and coefficients, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .array import TrapArray
from .coefficients import ArrayCoefficients, array_coefficients
from .equilibrium import balance, lone_equilibria
from .errors import NotTrappedError
from .mechanics import LightMechanics
from .reprs import short_repr
from .sphere import Sphere

__all__ = ["FamilyCoefficients", "Reason", "family_coefficients", "impossible", "rest_positions"]

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]
_N = TypeVar("_N", np.float64, np.complex128)


class Reason(IntEnum):
    """Why a setting of the light has no linear model."""

    HELD = 0
    NOT_TRAPPED = 1
    IMPOSSIBLE = 2  # spheres touch, or values that no light has


@dataclass(frozen=True)
class FamilyCoefficients:
    """The settings of a family that hold their particles, H of them, and those that do not.

    Attributes
    ----------
    shape : tuple of int
        Shape of the family.
    reason : ndarray, shape (…)
        :class:`Reason` of every setting, uint8; 0 where the particles are held.
    positions : ndarray, shape (H, n, 3)
        m.
    held : ArrayCoefficients
        With the leading dimension H, in flat order.
    """

    shape: tuple[int, ...]
    reason: Codes
    positions: Array
    held: ArrayCoefficients

    __repr__ = short_repr

    def spread(self, values: NDArray[_N]) -> NDArray[_N]:
        """Put one value (or block) per held setting at its place in the family, 0 elsewhere."""
        result = np.zeros((self.reason.size, *values.shape[1:]), dtype=values.dtype)
        result[self.reason.ravel() == Reason.HELD] = values
        return result.reshape(*self.shape, *values.shape[1:])


def family_coefficients(
    array: TrapArray,
    mechanics: LightMechanics,
    positions: Array,
    reason: Codes,
    measured: Array,
    gamma: Array,
    shape: tuple[int, ...],
) -> FamilyCoefficients:
    """Evaluate all settings that hold their particles.

    Parameters
    ----------
    array : TrapArray
        What the settings share.
    mechanics : LightMechanics
        The B settings.
    positions : ndarray, shape (B, n, 3)
        m.
    reason : ndarray, shape (B,)
        :class:`Reason` so far.
    measured : ndarray, shape (B, n, 3)
        Measured frequencies, rad/s, NaN where there is none.
    gamma : ndarray, shape (B, n)
        1/s.
    shape : tuple of int
        Of the family; its product is B.
    """
    reason = reason.copy()
    rows = np.nonzero(reason == Reason.HELD)[0]
    temperature = 0.0 if array.gas is None else array.gas.temperature
    parts = [
        array_coefficients(
            mechanics.take(some), positions[some], array.masses, measured[some], gamma[some],
            temperature,
        )
        for some in (rows[part] for part in mechanics.take(rows).chunks())
    ]  # fmt: skip
    # Without a measured frequency a trap must be stiff along z, as TrapArray.axial_omegas asks.
    stiff = np.concatenate([(part.omegas > 0.0).all(axis=1) for part in parts])
    reason[rows[~stiff]] = Reason.NOT_TRAPPED

    held = replace(
        parts[0],
        omegas=np.concatenate([part.omegas for part in parts])[stiff],
        alone=np.concatenate([part.alone for part in parts])[stiff],
        stiffness=np.concatenate([part.stiffness for part in parts])[stiff],
        diffusion=np.concatenate([part.diffusion for part in parts])[stiff],
        gamma=np.concatenate([part.gamma for part in parts])[stiff],
    )
    return FamilyCoefficients(shape, reason.reshape(shape), positions[rows[stiff]], held)


def impossible(mechanics: LightMechanics, spheres: Sequence[Sphere]) -> Codes:
    """Reasons that are seen before any force is computed, shape (B,)."""
    reason = np.zeros(len(mechanics), dtype=np.uint8)
    dark = (np.abs(mechanics.amplitudes).max(axis=-1) == 0.0).any(axis=-1)
    reason[dark] = Reason.NOT_TRAPPED
    reason[_touching(spheres, mechanics.centres)] = Reason.IMPOSSIBLE
    return reason


def _touching(spheres: Sequence[Sphere], positions: Array) -> NDArray[np.bool_]:
    """In which settings two spheres touch, shape (B,)."""
    radii = np.array([sphere.radius for sphere in spheres])
    gaps = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    gaps = gaps - np.add.outer(radii, radii) + np.diag(np.full(len(radii), np.inf))
    return np.asarray(gaps.min(axis=(1, 2)) <= 0.0)


def rest_positions(mechanics: LightMechanics, array: TrapArray) -> tuple[Array, Codes]:
    """Equilibria (B, n, 3), m, and why there is none; then the foci stand in their place.

    Parameters
    ----------
    mechanics : LightMechanics
        The settings.
    array : TrapArray
        Whose beams and spheres they share.
    """
    positions = mechanics.centres.copy()
    reason = impossible(mechanics, array.spheres)
    offsets = _single_offsets(array)
    if offsets is None:
        reason[reason == Reason.HELD] = Reason.NOT_TRAPPED
        return positions, reason
    wanted = np.nonzero(reason == Reason.HELD)[0]
    for part in mechanics.take(wanted).chunks():
        rows = wanted[part]
        found = balance(mechanics.take(rows), mechanics.centres[rows] + offsets)
        positions[rows[found.held]] = found.positions[found.held]
        reason[rows[~found.held]] = Reason.NOT_TRAPPED
    collided = _touching(array.spheres, positions) & (reason == Reason.HELD)
    reason[collided] = Reason.IMPOSSIBLE
    return positions, reason


def _single_offsets(array: TrapArray) -> Array | None:
    """Rest positions from the foci of each particle alone, (n, 3); power does not move them."""
    beams = [replace(beam, power=0.1) for beam in array.tweezers]
    try:
        places = lone_equilibria(array.spheres, array.polarizabilities, beams, array.k)
    except NotTrappedError:
        return None
    return places - array.foci
