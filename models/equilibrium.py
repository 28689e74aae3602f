"""Where particles rest: Newton's method from single-particle equilibria, many settings at once.

One array is a batch of one setting; B of them are found side by side. Where Newton's method leaves
the traps, the interaction is switched on in steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import NotTrappedError
from .mechanics import Mechanics
from .sphere import Sphere
from .tweezer import Tweezer

__all__ = ["Balance", "balance", "force_balance", "lone_equilibria"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SCAN = np.linspace(-0.5, 3.0, 351)  # along the beam, in Rayleigh ranges
_ITERATIONS = 60
_TOLERANCE = 1e-15  # m, far below any zero-point motion
_STRENGTHS = np.linspace(0.0, 1.0, 11)
# A particle farther than this from its focus has left the trap: waists, waists, Rayleigh ranges.
_FARTHEST = np.array([1.0, 1.0, 3.0])


@dataclass(frozen=True)
class Balance:
    """What came of looking for equilibria in B settings.

    Attributes
    ----------
    positions : ndarray, shape (B, n, 3)
        Where the forces vanish, m; without such a place, the last one on the way to it.
    strength : ndarray, shape (B,)
        Of the interaction at which no place was found; 1 where one was.
    found : ndarray of bool, shape (B,)
        Whether the forces vanish somewhere.
    escaped : ndarray of bool, shape (B, n)
        Which particles are outside one waist or three Rayleigh ranges there.
    unheld : ndarray of bool, shape (B, n)
        Which particles the light alone would push away along some axis.
    """

    positions: Array
    strength: Array
    found: Flags
    escaped: Flags
    unheld: Flags

    @property
    def held(self) -> Flags:
        """Which settings hold every particle, (B,)."""
        return np.asarray(self.found & ~(self.escaped | self.unheld).any(axis=1))


def lone_equilibria(
    spheres: Sequence[Sphere], alphas: NDArray[np.complex128], tweezers: Sequence[Tweezer], k: float
) -> Array:
    """Rest position of each particle alone in its tweezer, shape (n, 3), m.

    Parameters
    ----------
    spheres : sequence of Sphere
        The particles, for the message.
    alphas : ndarray, shape (n,)
        Their polarizabilities, C m²/V.
    tweezers : sequence of Tweezer
        Their beams.
    k : float
        Wave number, 1/m.

    Raises
    ------
    NotTrappedError
        If the force along a beam never turns back; names the particle.
    """
    return np.array(
        [
            _lone(index, sphere, complex(alpha), tweezer, k)
            for index, (sphere, alpha, tweezer) in enumerate(
                zip(spheres, alphas, tweezers, strict=True)
            )
        ]
    )


def _lone(index: int, sphere: Sphere, alpha: complex, tweezer: Tweezer, k: float) -> Array:
    """Rest position (3,) of one particle: the first turn of the force along its beam."""
    reach = min(tweezer.rayleigh_ranges(k)) * tweezer.direction
    line = np.zeros((len(_SCAN), 3))
    line[:, 2] = _SCAN * reach
    line += tweezer.position
    polarizability = np.full(len(_SCAN), alpha, dtype=np.complex128)
    single = Mechanics((tweezer,), polarizability, np.zeros(len(_SCAN)), k)
    push = single.forces(line, 0.0)[:, 2] * tweezer.direction
    turns = np.nonzero((push[:-1] > 0.0) & (push[1:] <= 0.0))[0]
    if len(turns) == 0:
        why = (
            "the scattering force exceeds the gradient force at any power, use a smaller radius or "
            "a tighter waist"
            if tweezer.power > 0.0
            else "it needs light"
        )
        raise NotTrappedError(
            f"particle {index + 1} is not trapped: radius {sphere.radius:g} m, power "
            f"{tweezer.power:g} W, waists {tweezer.waist_x:g} and {tweezer.waist_y:g} m; "
            f"{why}"
        )
    first = turns[0]
    share = push[first] / (push[first] - push[first + 1])
    return np.asarray(line[first] + share * (line[first + 1] - line[first]))


def balance(field: Mechanics, start: Array, *, gradual: bool = True) -> Balance:
    """Look for the equilibria near the foci, side by side.

    Parameters
    ----------
    field : Mechanics
        Forces in B settings; beam j holds particle j.
    start : ndarray, shape (B, n, 3)
        Single-particle equilibria, m.
    gradual : bool
        Where that fails, switch the interaction on in steps.
    """
    positions, found = _newton(field, start, 1.0)
    first = _judged(field, positions, np.ones(len(start)), found)
    again = np.nonzero(~first.held)[0]
    if not again.size or not gradual:
        return first
    places, strength = start.copy(), np.ones(len(start))
    places[first.held] = positions[first.held]
    found = first.held.copy()
    for value in _STRENGTHS:
        roots, good = _newton(field.take(again), places[again], float(value))
        strength[again[~good]] = value
        again = again[good]
        places[again] = roots[good]
    found[again] = True
    return _judged(field, places, strength, found)


def _judged(field: Mechanics, positions: Array, strength: Array, found: Flags) -> Balance:
    """Which particles the light holds near its foci, at positions that were arrived at."""
    near = np.abs(positions - field.foci) <= _FARTHEST * field.sizes
    escaped = np.asarray(~near.all(axis=-1))
    # Whatever is outside is lost: it is asked at its focus, where there is a field.
    inside = np.where(escaped[..., None], field.foci, positions)
    blocks = field.alone(inside)
    softest = np.linalg.eigvalsh(0.5 * (blocks + blocks.swapaxes(-1, -2)))[..., 0]
    return Balance(positions, strength, found, escaped, np.asarray(softest <= 0.0))


def _newton(field: Mechanics, start: Array, strength: float) -> tuple[Array, Flags]:
    """Roots of the force at a given strength of the interaction, and where they were found."""
    cap = 0.25 * field.sizes
    positions = start.copy()
    active = np.arange(len(start))
    found = np.zeros(len(start), dtype=bool)
    for _ in range(_ITERATIONS):
        here = positions[active]
        force, stiffness = field.take(active).forces_and_stiffness(here, strength)
        step, regular = _steps(stiffness, force)
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


def _steps(stiffness: Array, force: Array) -> tuple[Array, Flags]:
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


def force_balance(mechanics: Mechanics, start: Array) -> Array:
    """Positions of one array where every force vanishes, near the foci, shape (n, 3), m.

    Parameters
    ----------
    mechanics : Mechanics
        The forces; beam j holds particle j.
    start : ndarray, shape (n, 3)
        Single-particle equilibria, m.

    Raises
    ------
    NotTrappedError
        If a particle has no equilibrium or leaves its focus; names the particle.
    """
    result = balance(mechanics, start[None])
    positions = np.asarray(result.positions[0])
    if not result.found[0]:
        worst = _weakest(mechanics, positions, float(result.strength[0]))
        raise NotTrappedError(
            f"particle {worst + 1} has no equilibrium: no position balances the forces "
            "of light and neighbours near its focus"
        )
    if result.escaped.any():
        worst = int(np.argmax(result.escaped[0]))
        where = (positions - mechanics.foci)[worst]
        raise NotTrappedError(
            f"particle {worst + 1} is not trapped: the forces balance only at "
            f"({where[0]:.3g}, {where[1]:.3g}, {where[2]:.3g}) m from its focus"
        )
    if result.unheld.any():
        raise NotTrappedError(
            f"particle {int(np.argmax(result.unheld[0])) + 1} is not trapped: at its equilibrium "
            "the light alone does not hold it along every axis"
        )
    return positions


def _weakest(mechanics: Mechanics, positions: Array, strength: float) -> int:
    """Particle whose own trap is the least match for the force that it is left with."""
    force = np.linalg.norm(mechanics.forces(positions, strength), axis=1)
    depth = [
        0.25 * abs(alpha) * tweezer.focus_amplitude**2
        for alpha, tweezer in zip(mechanics.polarizabilities, mechanics.tweezers, strict=True)
    ]
    hold = np.array(depth) / mechanics.sizes.min(axis=1)
    return int(np.argmax(force / np.maximum(hold, np.finfo(float).tiny)))
