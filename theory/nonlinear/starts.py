"""Where trajectories start: at rest, thermal, or as given."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.constants import BOLTZMANN
from ...models.errors import InputError
from ...models.ranges import require_count

__all__ = ["Start", "starting_states", "thermal_start"]

_Array = NDArray[np.float64]
Start: TypeAlias = Literal["rest", "thermal"] | tuple[ArrayLike, ArrayLike]


def thermal_start(
    trap: TrapArray,
    temperature: ArrayLike,
    *,
    count: int = 1,
    seed: int | np.random.SeedSequence | np.random.Generator = 0,
) -> tuple[_Array, _Array]:
    """Positions and velocities drawn from the harmonic traps at a temperature.

    Each particle has covariance kT K⁻¹ around the equilibrium, with K its stiffness without
    interaction (symmetrised), and Maxwellian velocities. In an anharmonic trap let the gas act for
    some 1/γ before measuring.

    Parameters
    ----------
    trap : TrapArray
        The array.
    temperature : array_like, scalar or shape (n,)
        K; ħω(n + ½)/k gives the Gaussian state of n quanta.
    count : int
        Number of draws m.
    seed : int, SeedSequence or Generator
        Source of the draws.

    Returns
    -------
    positions, velocities : ndarray, shape (m, n, 3)
        m and m/s.

    Raises
    ------
    InputError
        If a temperature is negative or their number does not match.

    Examples
    --------
    >>> import numpy as np
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> positions, velocities = ob.theory.thermal_start(trap, 300.0, count=4000)
    >>> heat = trap.masses[0] * velocities[:, 0, 2].var() / 1.380649e-23
    >>> positions.shape, bool(260.0 < heat < 340.0)
    ((4000, 2, 3), True)
    """
    n = len(trap.spheres)
    try:
        heat = np.broadcast_to(np.asarray(temperature, dtype=np.float64), (n,)) * BOLTZMANN
    except (TypeError, ValueError):
        raise InputError(f"temperature needs one value, or one for each of {n} particles") from None
    if not (np.isfinite(heat).all() and heat.min() >= 0.0):
        raise InputError(f"temperature must be at least 0 K, got {temperature!r} K")
    require_count("count", count, 1)
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise InputError(f"seed must be a whole number of at least 0, got {seed!r}") from None
    places = trap.equilibrium()
    blocks = trap.stiffness(places, binding=False).reshape(n, 3, n, 3)
    positions = np.empty((count, n, 3))
    for j in range(n):
        alone = blocks[j, :, j]
        root = np.linalg.cholesky(np.linalg.inv(0.5 * (alone + alone.T)))
        draws = rng.standard_normal((count, 3)) @ root.T
        positions[:, j] = places[j] + np.sqrt(heat[j]) * draws
    speed = np.sqrt(heat / trap.masses)[:, None]
    return positions, speed * rng.standard_normal((count, n, 3))


def starting_states(
    trap: TrapArray, start: Start, count: int, seed: np.random.SeedSequence
) -> tuple[_Array, _Array]:
    """Positions and velocities (m, n, 3) of ``count`` trajectories.

    Raises
    ------
    InputError
        For an unknown name, shapes that do not match, or a thermal start without gas.
    """
    n = len(trap.spheres)
    if isinstance(start, str):
        if start == "rest":
            rest = np.repeat(trap.equilibrium()[None], count, axis=0)
            return rest, np.zeros_like(rest)
        if start == "thermal":
            if trap.gas is None:
                raise InputError(
                    "a thermal start needs the array's gas for its temperature; or use "
                    "thermal_start(trap, temperature)"
                )
            return thermal_start(trap, trap.gas.temperature, count=count, seed=seed)
        raise InputError(
            f"start must be 'rest', 'thermal' or (positions, velocities), got {start!r}"
        )
    try:
        positions, velocities = (np.array(part, dtype=np.float64) for part in start)
    except (TypeError, ValueError):
        raise InputError(
            "start must be a pair of arrays (positions in m, velocities in m/s)"
        ) from None
    for name, values in (("positions", positions), ("velocities", velocities)):
        if values.shape not in ((n, 3), (count, n, 3)) or not np.isfinite(values).all():
            raise InputError(
                f"{name} of the start must be finite, shape ({n}, 3) or ({count}, {n}, 3), "
                f"got shape {values.shape}"
            )
    shape = (count, n, 3)
    return np.broadcast_to(positions, shape).copy(), np.broadcast_to(velocities, shape).copy()
