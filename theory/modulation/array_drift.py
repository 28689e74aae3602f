"""Forces of a trap array under changing light, split by the weights of the light.

At fixed positions they are Σ_k w_k(t) X_k exactly (:mod:`.program`); so are stiffness and
diffusion. The cycle average of the force vanishes at :func:`averaged_positions`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.array_checks import check_apart, position_array
from ...models.equilibrium import balance
from ...models.errors import NotTrappedError
from ...models.mechanics import Mechanics
from ...models.tweezer import Tweezer
from .program import LightProgram
from .weights import mean_weights

__all__ = ["LightParts", "averaged_positions", "balanced_positions", "light_parts"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class LightParts:
    """Forces and their like at fixed positions, one part for each weight of the light.

    Attributes
    ----------
    forces : ndarray, shape (k, n, 3)
        N.
    stiffness : ndarray, shape (k, n, 3, n, 3)
        −∂F_ja/∂r_lb, N/m.
    alone : ndarray, shape (k, n, 3, 3)
        Stiffness of each particle without interaction, N/m.
    diffusion : ndarray, shape (k, n, 3, n, 3)
        P, (kg m/s)²/s; the real part of the sum counts.
    """

    forces: Array
    stiffness: Array
    alone: Array
    diffusion: NDArray[np.complex128]


def light_parts(array: TrapArray, positions: ArrayLike, *, diffusion: bool = True) -> LightParts:
    """Split everything at fixed positions (n, 3), m, into what each weight of the light carries.

    The parts belong to the weights of :class:`~.program.LightProgram` with powers relative to
    those of the array; its phases and detunings do not matter.

    Raises
    ------
    InputError
        For positions that do not fit the array.
    """
    places = position_array(positions, len(array.spheres))
    beams = [replace(beam, phase=0.0, detuning=0.0) for beam in array.tweezers]
    count = len(beams)
    dark = _evaluate(array, [replace(beam, power=0.0) for beam in beams], places, diffusion)

    def lit(phases: dict[int, float]) -> list[NDArray[np.complex128]]:
        """Evaluate some beams alone, without what acts in the dark."""
        chosen = [
            replace(beam, phase=phases[m]) if m in phases else replace(beam, power=0.0)
            for m, beam in enumerate(beams)
        ]
        bright = _evaluate(array, chosen, places, diffusion)
        return [b - d for b, d in zip(bright, dark, strict=True)]

    parts = [dark, *(lit({m: 0.0}) for m in range(count))]
    for m, n in itertools.combinations(range(count), 2):
        own = [a + b for a, b in zip(parts[1 + m], parts[1 + n], strict=True)]
        for phase in (0.0, 0.5 * math.pi):
            both = lit({m: phase, n: 0.0})
            parts.append([b - o for b, o in zip(both, own, strict=True)])
    forces, stiffness, alone, spread = (np.stack(column) for column in zip(*parts, strict=True))
    return LightParts(forces.real, stiffness.real, alone.real, spread)


def _evaluate(
    array: TrapArray, beams: list[Tweezer], places: Array, diffusion: bool
) -> list[NDArray[np.complex128]]:
    """Forces, stiffness, stiffness alone and P of given beams."""
    mechanics = array.mechanics(beams)
    forces, stiffness = mechanics.forces_and_stiffness(places)
    n = len(places)
    spread = mechanics.diffusion(places) if diffusion else np.zeros((3 * n, 3 * n))
    parts = (forces, stiffness, mechanics.alone(places), spread.reshape(n, 3, n, 3))
    return [np.asarray(part, dtype=np.complex128) for part in parts]


@dataclass(frozen=True)
class _WeightedForces(Mechanics):
    """The force of given weights as one setting of the light; the interaction acts in full."""

    array: TrapArray
    weights: Array

    @classmethod
    def of(cls, array: TrapArray, weights: Array) -> _WeightedForces:
        """Particles and foci of an array."""
        own = array.mechanics(array.tweezers)
        return cls(own.tweezers, own.polarizabilities, own.charges, own.k, array, weights)

    def forces_and_stiffness(self, positions: Array, strength: float = 1.0) -> tuple[Array, Array]:
        """Weighted sums of :func:`light_parts` at positions (1, n, 3)."""
        parts = light_parts(self.array, positions[0], diffusion=False)
        forces = np.tensordot(self.weights, parts.forces, axes=1)
        return forces[None], np.tensordot(self.weights, parts.stiffness, axes=1)[None]

    def alone(self, positions: Array) -> Array:
        """Stiffness without interaction, (1, n, 3, 3), N/m."""
        parts = light_parts(self.array, positions[0], diffusion=False)
        return np.tensordot(self.weights, parts.alone, axes=1)[None]


def balanced_positions(array: TrapArray, weights: Array, start: Array) -> Array:
    """Positions (n, 3), m, where the force of given weights vanishes, by Newton's method.

    Raises
    ------
    NotTrappedError
        If a particle leaves its tweezer or is not held along every axis.
    """
    found = balance(_WeightedForces.of(array, weights), start[None], gradual=False)
    if not found.held.all():
        raise NotTrappedError(
            "the modulated light does not hold every particle near its focus; use less depth or "
            "more power"
        )
    check_apart(array.spheres, found.positions[0])
    return np.asarray(found.positions[0])


def averaged_positions(array: TrapArray, program: LightProgram) -> Array:
    """Positions (n, 3), m, where the cycle-averaged force vanishes, interaction included.

    Raises
    ------
    InputError
        If the light has no period.
    NotTrappedError
        If the averaged light does not hold a particle.
    """
    light = program.relative_to([beam.power for beam in array.tweezers])
    return balanced_positions(array, mean_weights(light), _resting(array))


def _resting(array: TrapArray) -> Array:
    """Equilibrium of the array's own light, which is near that of any other."""
    try:
        return array.equilibrium()
    except NotTrappedError:
        return array.foci
