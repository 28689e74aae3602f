"""Where the particles of an array rest: Newton's method from the single-particle equilibria."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import NotTrappedError
from .mechanics import Mechanics
from .sphere import Sphere
from .tweezer import Tweezer

__all__ = ["force_balance", "single_equilibrium"]

Array = NDArray[np.float64]

_SCAN = np.linspace(-0.5, 3.0, 351)  # along the beam, in Rayleigh ranges
_ITERATIONS = 60
_TOLERANCE = 1e-15  # m, far below any zero-point motion
# A particle farther than this from its focus has left the trap.
_MOST_WAISTS = 1.0
_MOST_RAYLEIGH = 3.0


def single_equilibrium(
    index: int, sphere: Sphere, alpha: complex, tweezer: Tweezer, k: float
) -> Array:
    """Rest position of one particle alone in its tweezer, shape (3,), m.

    Parameters
    ----------
    index : int
        Index of the particle, for the message.
    sphere : Sphere
        The particle, for the message.
    alpha : complex
        Its polarizability, C m²/V.
    tweezer : Tweezer
        Its beam.
    k : float
        Wave number, 1/m.

    Raises
    ------
    NotTrappedError
        If the force along the beam never turns back.
    """
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


def _newton(mechanics: Mechanics, start: Array, strength: float, cap: Array) -> Array | None:
    """Root of the force at a given strength of the interaction, or None."""
    positions = start.copy()
    for _ in range(_ITERATIONS):
        force, stiffness = mechanics.forces_and_stiffness(positions, strength)
        try:
            matrix = stiffness.reshape(force.size, force.size)
            step = np.linalg.solve(matrix, force.ravel()).reshape(-1, 3)
        except np.linalg.LinAlgError:
            return None
        longest = float(np.max(np.abs(step) / cap))
        positions = positions + step / max(1.0, longest)
        limit = _TOLERANCE + 4.0 * np.finfo(float).eps * np.abs(positions).max()
        if np.abs(step).max() < limit:
            return positions
    return None


def force_balance(mechanics: Mechanics, start: Array) -> Array:
    """Positions where every force vanishes, near the foci, shape (n, 3), m.

    Newton's method with the analytic stiffness as Jacobian; if that leaves the traps, the
    interaction is switched on in steps.

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
    tweezers, k = mechanics.tweezers, mechanics.k
    size = np.array([(t.waist_x, t.waist_y, min(t.rayleigh_ranges(k))) for t in tweezers])
    foci = np.array([t.position for t in tweezers])
    cap = 0.25 * size
    positions = _newton(mechanics, start, 1.0, cap)
    if positions is not None and not (
        _escaped(positions, foci, size).any() or _unheld(mechanics, positions).any()
    ):
        return positions
    positions = start
    for strength in np.linspace(0.0, 1.0, 11):
        found = _newton(mechanics, positions, float(strength), cap)
        if found is None:
            worst = _weakest(mechanics, positions, float(strength), size)
            raise NotTrappedError(
                f"particle {worst + 1} has no equilibrium: no position balances the forces "
                "of light and neighbours near its focus"
            )
        positions = found
    escaped, unheld = _escaped(positions, foci, size), _unheld(mechanics, positions)
    if escaped.any():
        worst = int(np.argmax(escaped))
        where = positions[worst] - foci[worst]
        raise NotTrappedError(
            f"particle {worst + 1} is not trapped: the forces balance only at "
            f"({where[0]:.3g}, {where[1]:.3g}, {where[2]:.3g}) m from its focus"
        )
    if unheld.any():
        raise NotTrappedError(
            f"particle {int(np.argmax(unheld)) + 1} is not trapped: at its equilibrium the light "
            "alone does not hold it along every axis"
        )
    return positions


def _weakest(mechanics: Mechanics, positions: Array, strength: float, size: Array) -> int:
    """Particle whose own trap is the least match for the force that it is left with."""
    force = np.linalg.norm(mechanics.forces(positions, strength), axis=1)
    depth = [
        0.25 * abs(alpha) * tweezer.focus_amplitude**2
        for alpha, tweezer in zip(mechanics.polarizabilities, mechanics.tweezers, strict=True)
    ]
    hold = np.array(depth) / size.min(axis=1)
    return int(np.argmax(force / np.maximum(hold, np.finfo(float).tiny)))


def _unheld(mechanics: Mechanics, positions: Array) -> NDArray[np.bool_]:
    """Which particles the light alone would push away along some axis, shape (n,)."""
    blocks = mechanics.alone(positions)
    softest = np.linalg.eigvalsh(0.5 * (blocks + blocks.swapaxes(-1, -2)))[:, 0]
    return np.asarray(softest <= 0.0)


def _escaped(positions: Array, foci: Array, size: Array) -> NDArray[np.bool_]:
    """Which particles are outside one waist or three Rayleigh ranges, shape (n,)."""
    ratio = np.abs(positions - foci) / size
    outside = (ratio[:, :2] > _MOST_WAISTS).any(axis=1) | (ratio[:, 2] > _MOST_RAYLEIGH)
    return np.asarray(outside)
