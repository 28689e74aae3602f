"""What a simulation returns: samples in time, who was lost, and a few statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.constants import BOLTZMANN, HBAR
from ...models.errors import InputError
from ...models.ranges import require_finite, require_finite_array
from ...models.reprs import short_repr
from .kernels import potentials_along
from .packing import make_work, pack_beams, pack_particles

__all__ = ["Loss", "Trajectory", "potential_energy"]

_Array = NDArray[np.float64]
_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Loss:
    """A particle that left its trap; its trajectory ends there.

    Attributes
    ----------
    trajectory : int
        Index of the trajectory, 0 if there is one.
    particle : int
        Index of the particle, from 0.
    time : float
        s.
    position : tuple of float
        Where it was, m.
    reason : str
        "escaped" or "touched" (another sphere).
    """

    trajectory: int
    particle: int
    time: float
    position: tuple[float, float, float]
    reason: str

    def __str__(self) -> str:
        where = ", ".join(f"{value:.3g}" for value in self.position)
        return f"particle {self.particle + 1} {self.reason} after {self.time:.4g} s at ({where}) m"


@dataclass(frozen=True)
class Trajectory:
    """Positions and velocities of n particles at s times, of one run or of m runs.

    Attributes
    ----------
    times : ndarray, shape (s,)
        s, from 0.
    positions : ndarray, shape (s, n, 3) or (m, s, n, 3)
        m. After a loss the last sample before it is repeated: see ``alive``.
    velocities : ndarray, same shape
        m/s.
    alive : ndarray of bool, shape (s,) or (m, s)
        Whether every particle is still in its trap.
    losses : tuple of Loss
        One for each trajectory that ended early.
    dt : float
        Step of the integrator, s.

    Examples
    --------
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> record = ob.theory.simulate_full_field(trap, 1e-5, trajectories=3)
    >>> record.positions.shape == (3, len(record.times), 2, 3), bool(record.alive.all())
    (True, True)
    """

    times: _Array
    positions: _Array
    velocities: _Array
    alive: NDArray[np.bool_]
    losses: tuple[Loss, ...]
    dt: float

    __repr__ = short_repr

    @property
    def particles(self) -> int:
        """Number of particles n."""
        return int(self.positions.shape[-2])

    def mean_position(self, *, after: float = 0.0) -> _Array:
        """Mean over times from ``after`` (s) and trajectories, losses excluded, (n, 3), m."""
        return np.asarray(self._pooled(self.positions, after).mean(axis=0))

    def variance(self, *, after: float = 0.0) -> _Array:
        """Variance of each coordinate over the same samples, shape (n, 3), m²."""
        return np.asarray(self._pooled(self.positions, after).var(axis=0))

    def kinetic_temperature(self, masses: ArrayLike, *, after: float = 0.0) -> _Array:
        """m⟨v²⟩/k of each coordinate over the same samples, shape (n, 3), K."""
        heavy = require_finite_array("masses", masses, "kg")
        if heavy.shape != (self.particles,):
            raise InputError(f"masses must have shape ({self.particles},), got {heavy.shape}")
        squares = (self._pooled(self.velocities, after) ** 2).mean(axis=0)
        return np.asarray(heavy[:, None] * squares / BOLTZMANN)

    def quadratures(self, trap: TrapArray, axes: str = "z") -> _Array:
        """States in the order of ``trap.linearize(axes=axes)``, shape (…, s, 2·n·len(axes)).

        z_j = √(m_jω/ħ)(z − z_equilibrium), p_j = √(m_j/ħω) v, ω the mean axial frequency.
        """
        if (
            not isinstance(axes, str)
            or not axes
            or len(set(axes)) != len(axes)
            or not set(axes) <= set(_AXES)
        ):
            raise InputError(f"axes must be some of 'xyz', for example 'z', got {axes!r}")
        kept = sorted(_AXES[name] for name in axes)
        places = trap.equilibrium()
        omega = float(trap.axial_omegas(places).mean())
        scale = np.sqrt(trap.masses * omega / HBAR)[:, None]
        offset = (self.positions - places)[..., kept] * scale
        moving = self.velocities[..., kept] * (scale / omega)
        pairs = np.stack([offset, moving], axis=-1)
        return np.asarray(pairs.reshape(*pairs.shape[:-3], -1))

    def energy(self, trap: TrapArray) -> _Array:
        """Kinetic, optical (−Re α|E|²/4) and Coulomb energy, shape (…, s), J.

        Conserved without gas, recoil, binding, scattering and slow detunings.
        """
        kinetic = 0.5 * np.einsum("j,...jx->...", trap.masses, self.velocities**2)
        flat = self.positions.reshape(-1, self.particles, 3)
        potential = potential_energy(trap, flat).sum(axis=-1)
        return np.asarray(kinetic + potential.reshape(kinetic.shape))

    def _pooled(self, values: _Array, after: float) -> _Array:
        kept = self.alive & (self.times >= require_finite("after", after, "s"))
        if not kept.any():
            raise InputError(
                f"no samples from {after:g} s on: the record ends at {self.times[-1]:g} s"
            )
        return np.asarray(values[kept])


def potential_energy(trap: TrapArray, positions: ArrayLike) -> _Array:
    """Energy of each particle in the light and half its Coulomb energy, shape (m, n), J.

    Parameters
    ----------
    trap : TrapArray
        Gaussian beams only.
    positions : array_like, shape (m, n, 3)
        Configurations, m.
    """
    places = np.ascontiguousarray(positions, dtype=np.float64)
    count = len(trap.spheres)
    if places.ndim != 3 or places.shape[1:] != (count, 3):
        raise InputError(f"positions must have shape (m, {count}, 3), got {places.shape}")
    beams, particles = pack_beams(trap), pack_particles(trap)
    out = np.empty(places.shape[:2])
    work = make_work(beams, count)
    potentials_along(beams, particles, work, places, np.zeros(len(places)), out)
    return out
