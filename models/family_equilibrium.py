"""Where the particles rest under many settings of the light: Newton's method side by side.

The algorithm is that of :mod:`..equilibrium`, from single-particle equilibria and, where that
fails, with the interaction switched on in steps; but a setting that holds no particle is marked
with a reason in place of an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .array import TrapArray
from .equilibrium import single_equilibrium
from .errors import NotTrappedError
from .mechanics import Mechanics
from .sphere import Sphere
from .tweezer import LocalField, gaussian_sum

__all__ = ["LightMechanics", "Reason", "rest_positions"]

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]

_ITERATIONS = 60
_TOLERANCE = 1e-15  # m, as for a single array
_STRENGTHS = np.linspace(0.0, 1.0, 11)
_CHUNK = 2**15  # tensor components of ordered pairs evaluated at once: some 10 MB each


class Reason(IntEnum):
    """Why a setting of the light has no linear model."""

    HELD = 0
    NOT_TRAPPED = 1
    IMPOSSIBLE = 2  # spheres touch, or values that no light has


@dataclass(frozen=True)
class LightMechanics(Mechanics):
    """Forces under B settings of the light; positions have shape (B, n, 3).

    Attributes
    ----------
    centres : ndarray, shape (B, n, 3)
        Foci, m.
    amplitudes : ndarray, shape (B, n, 3)
        E at the foci, V/m.
    """

    centres: Array
    amplitudes: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, index: NDArray[np.intp] | slice) -> LightMechanics:
        """Some of the settings."""
        return replace(self, centres=self.centres[index], amplitudes=self.amplitudes[index])

    def chunks(self) -> list[slice]:
        """Slices of the settings that are small enough to evaluate at once."""
        step = max(1, _CHUNK // self.centres.shape[1] ** 2)
        return [slice(start, start + step) for start in range(0, len(self), step)]

    def field(self, positions: Array) -> LocalField:
        """Field of all beams at positions (B, n, 3) in m, each setting with its own light."""
        offset = positions[..., :, None, :] - self.centres[..., None, :, :]
        waists = np.array([(beam.waist_x, beam.waist_y) for beam in self.tweezers])
        sign = np.array([float(beam.direction) for beam in self.tweezers])
        tones = np.array([beam.detuning for beam in self.tweezers])
        parts = [
            gaussian_sum(offset, waists, sign, self.amplitudes * (tones == tone)[:, None], self.k)
            for tone in np.unique(tones)
        ]
        return LocalField(*(np.stack(kind) for kind in zip(*parts, strict=True)))

    def impossible(self, spheres: Sequence[Sphere]) -> Codes:
        """Reasons that are seen before any force is computed, shape (B,)."""
        reason = np.zeros(len(self), dtype=np.uint8)
        dark = (np.abs(self.amplitudes).max(axis=-1) == 0.0).any(axis=-1)
        reason[dark] = Reason.NOT_TRAPPED
        reason[touching(spheres, self.centres)] = Reason.IMPOSSIBLE
        return reason


def touching(spheres: Sequence[Sphere], positions: Array) -> NDArray[np.bool_]:
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
    reason = mechanics.impossible(array.spheres)
    offsets = _single_offsets(array)
    if offsets is None:
        reason[reason == Reason.HELD] = Reason.NOT_TRAPPED
        return positions, reason
    wanted = np.nonzero(reason == Reason.HELD)[0]
    for part in mechanics.take(wanted).chunks():
        rows = wanted[part]
        found, held = _balance(mechanics.take(rows), mechanics.centres[rows] + offsets)
        positions[rows[held]] = found[held]
        reason[rows[~held]] = Reason.NOT_TRAPPED
    collided = touching(array.spheres, positions) & (reason == Reason.HELD)
    reason[collided] = Reason.IMPOSSIBLE
    return positions, reason


def _single_offsets(array: TrapArray) -> Array | None:
    """Rest positions from the foci of each particle alone, (n, 3); power does not move them."""
    try:
        return np.array(
            [
                single_equilibrium(j, sphere, complex(alpha), replace(beam, power=0.1), array.k)
                for j, (sphere, alpha, beam) in enumerate(
                    zip(array.spheres, array.polarizabilities, array.tweezers, strict=True)
                )
            ]
        ) - np.asarray(array.foci)
    except NotTrappedError:
        return None


def _balance(mechanics: LightMechanics, start: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Equilibria from single-particle ones, and which settings have one."""
    size = np.array(
        [(t.waist_x, t.waist_y, min(t.rayleigh_ranges(mechanics.k))) for t in mechanics.tweezers]
    )
    positions, held = _newton(mechanics, start, 1.0, 0.25 * size)
    held &= _trapped(mechanics, positions, size)
    again = np.nonzero(~held)[0]
    if again.size:
        places = start[again]
        for strength in _STRENGTHS:
            found, good = _newton(mechanics.take(again), places, float(strength), 0.25 * size)
            again, places = again[good], found[good]
        good = _trapped(mechanics.take(again), places, size)
        positions[again[good]], held[again[good]] = places[good], True
    return positions, held


def _newton(
    mechanics: LightMechanics, start: Array, strength: float, cap: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Roots of the force at a given strength of the interaction, and where they were found."""
    positions = start.copy()
    active = np.arange(len(start))
    found = np.zeros(len(start), dtype=bool)
    for _ in range(_ITERATIONS):
        here = positions[active]
        force, stiffness = mechanics.take(active).forces_and_stiffness(here, strength)
        step, regular = _solve(stiffness, force)
        longest = np.abs(step / cap).max(axis=(1, 2))
        here = here + step / np.maximum(1.0, longest)[:, None, None]
        positions[active] = here
        limit = _TOLERANCE + 4.0 * np.finfo(float).eps * np.abs(here).max(axis=(1, 2))
        done = regular & (np.abs(step).max(axis=(1, 2)) < limit)
        found[active[done]] = True
        active = active[regular & ~done]
        if not active.size:
            break
    return positions, found


def _solve(stiffness: Array, force: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Newton steps (B, n, 3), zero where the stiffness is singular, and where it is not."""
    size = force.shape[1] * 3
    matrix = stiffness.reshape(-1, size, size)
    scale = np.abs(matrix).max(axis=(1, 2))
    regular = np.isfinite(scale) & (scale > 0.0)
    scaled = (
        np.where(regular[:, None, None], matrix, np.eye(size))
        / np.where(regular, scale, 1.0)[:, None, None]
    )
    sign, _ = np.linalg.slogdet(scaled)
    regular &= sign != 0.0
    scaled[~regular] = np.eye(size)
    right = force.reshape(-1, size, 1) / np.where(regular, scale, 1.0)[:, None, None]
    step = np.linalg.solve(scaled, np.where(regular[:, None, None], right, 0.0))
    return np.asarray(step.reshape(force.shape)), np.asarray(regular)


def _trapped(mechanics: LightMechanics, positions: Array, size: Array) -> NDArray[np.bool_]:
    """Which settings keep every particle near its focus, held there by the light alone."""
    ratio = np.abs(positions - mechanics.centres) / size
    near = (ratio[..., :2] <= 1.0).all(axis=(1, 2)) & (ratio[..., 2] <= 3.0).all(axis=1)
    blocks = mechanics.alone(positions)
    softest = np.linalg.eigvalsh(0.5 * (blocks + blocks.swapaxes(-1, -2)))[..., 0]
    return np.asarray(near & (softest > 0.0).all(axis=1))
