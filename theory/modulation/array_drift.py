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
from ...models.errors import NotTrappedError
from ...models.mechanics import Mechanics
from ...models.tweezer import Tweezer
from .program import LightProgram
from .weights import mean_weights

__all__ = ["LightParts", "averaged_positions", "balanced_positions", "light_parts"]

Array: TypeAlias = NDArray[np.float64]

_ITERATIONS = 60


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
    charges = np.array([sphere.charge for sphere in array.spheres])
    mechanics = Mechanics(tuple(beams), array.polarizabilities, charges, array.k)
    forces, stiffness = mechanics.forces_and_stiffness(places)
    n = len(places)
    spread = mechanics.diffusion(places) if diffusion else np.zeros((3 * n, 3 * n))
    parts = (forces, stiffness, mechanics.alone(places), spread.reshape(n, 3, n, 3))
    return [np.asarray(part, dtype=np.complex128) for part in parts]


def balanced_positions(array: TrapArray, weights: Array, start: Array) -> Array:
    """Positions (n, 3), m, where the force of given weights vanishes, by Newton's method.

    Raises
    ------
    NotTrappedError
        If a particle leaves its tweezer or is not held along every axis.
    """
    size = np.array(
        [(t.waist_x, t.waist_y, min(t.rayleigh_ranges(array.k))) for t in array.tweezers]
    )
    places = start.copy()
    for _ in range(_ITERATIONS):
        parts = light_parts(array, places, diffusion=False)
        force = np.tensordot(weights, parts.forces, axes=1)
        stiffness = np.tensordot(weights, parts.stiffness, axes=1).reshape(force.size, force.size)
        try:
            step = np.linalg.solve(stiffness, force.ravel()).reshape(-1, 3)
        except np.linalg.LinAlgError:
            break
        places = places + step / max(1.0, float(np.max(np.abs(step) / (0.25 * size))))
        outside = (np.abs(places - array.foci) > size * (1.0, 1.0, 3.0)).any(axis=1)
        if outside.any():
            break
        if np.abs(step).max() < 1e-15 + 4.0 * np.finfo(float).eps * np.abs(places).max():
            alone = np.tensordot(weights, parts.alone, axes=1)
            softest = np.linalg.eigvalsh(0.5 * (alone + alone.swapaxes(-1, -2)))[:, 0]
            if softest.min() <= 0.0:
                break
            check_apart(array.spheres, places)
            return places
    raise NotTrappedError(
        "the modulated light does not hold every particle near its focus; use less depth or more "
        "power"
    )


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
