"""Where the world takes its physics from: light, gas and present particles → a linear model.

Beyond ``LOST_FRACTION`` of the Rayleigh range the linear model is nonsense: the restoring force of
a Lorentzian focus has there fallen to 64 % of its linear extrapolation, and 15 % further out it is
at its maximum. A particle that gets there is taken as lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...models.array import TrapArray
from ...models.detection import quantum_length
from ...models.gas import Gas
from ...models.light import Site, TweezerState
from ...models.linear import LinearModel
from ...models.pair import PairConstants

__all__ = ["LOST_FRACTION", "OperatingPoint", "TrapMechanics", "WorldMechanics"]

LOST_FRACTION = 0.5


@dataclass(frozen=True)
class OperatingPoint:
    """The world between two changes of a set-point.

    Attributes
    ----------
    omega : float
        Scale ω of the quanta of all particles, rad/s.
    masses : ndarray, shape (N,)
        kg.
    equilibrium : ndarray, shape (N,)
        z of each particle, m; the focus for an absent one.
    model : LinearModel
        2N states (z_1, p_1, …); rows and columns of an absent particle are zero.
    recoil : ndarray, shape (N,)
        Recoil part of D_jj, rad/s; zero for an absent particle.
    limits : ndarray, shape (N,)
        |z − equilibrium| beyond which a particle is lost, m.
    pair : PairConstants or None
        For two present particles.
    """

    omega: float
    masses: NDArray[np.float64]
    equilibrium: NDArray[np.float64]
    model: LinearModel
    recoil: NDArray[np.float64]
    limits: NDArray[np.float64]
    pair: PairConstants | None = None

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Metres per quantum √(ħ/(m_jω)), shape (N,)."""
        return np.array([quantum_length(float(m), self.omega) for m in self.masses])


class WorldMechanics(Protocol):
    """Source of operating points."""

    @property
    def particles(self) -> int:
        """Number of particles N, present or not."""
        ...

    @property
    def light(self) -> TweezerState | None:
        """Light as configured; None if there is none to change."""
        ...

    @property
    def gas(self) -> Gas | None:
        """Gas as configured; None if there is none to change."""
        ...

    def operating_point(
        self, light: TweezerState | None, gas: Gas | None, present: Sequence[bool]
    ) -> OperatingPoint:
        """Linearise at the equilibrium of the present particles.

        Raises
        ------
        NotTrappedError
            If there is none.
        """
        ...


def _embed(model: LinearModel, chosen: list[int], count: int) -> LinearModel:
    """Model of ``count`` particles in which only the chosen ones move."""
    if len(chosen) == count:
        return model
    at = np.array([2 * j + i for j in chosen for i in (0, 1)], dtype=np.int64)
    drift, noise = np.zeros((2 * count, 2 * count)), np.zeros((2 * count, 2 * count))
    output = np.zeros((count, 2 * count))
    output[np.arange(count), 2 * np.arange(count)] = 1.0
    if chosen:
        drift[np.ix_(at, at)] = model.drift
        noise[np.ix_(at, at)] = model.noise
    return LinearModel(drift, noise, output)


# A sphere too small to matter: it stands in for a lost particle whose tweezer stays lit.
_GHOST_RADIUS = 1e-9
_DARK = 1e-6


@dataclass(frozen=True)
class TrapMechanics:
    """Spheres in tweezers from first principles."""

    trap: TrapArray

    @property
    def particles(self) -> int:
        """Number of spheres."""
        return len(self.trap.spheres)

    @property
    def light(self) -> TweezerState:
        """Light of the trap as configured."""
        return TweezerState(
            tuple(Site(t.position, t.power, t.phase, t.detuning) for t in self.trap.tweezers)
        )

    @property
    def gas(self) -> Gas | None:
        """Gas of the trap as configured."""
        return self.trap.gas

    def operating_point(
        self, light: TweezerState | None, gas: Gas | None, present: Sequence[bool]
    ) -> OperatingPoint:
        """Linearise along z at the equilibrium of the present particles.

        A lost particle leaves its light behind: its sphere shrinks to 1 nm, which scatters a
        millionth; if its tweezer is dark, both go.

        Raises
        ------
        NotTrappedError
            If a present particle has no equilibrium.
        InputError
            For light that a static linear model cannot describe.
        """
        chosen = [j for j in range(self.particles) if present[j]]
        trap = replace(self.trap if light is None else self.trap.with_light(light), gas=gas)
        equilibrium = trap.foci[:, 2].copy()
        recoil = np.zeros(self.particles)
        omega, pair = 2.0 * math.pi * 1e5, None
        model = LinearModel(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))
        if chosen:
            part, kept = self._without_lost(trap, chosen)
            places = part.equilibrium()
            coefficients = part.coefficients(places)
            omega = float(coefficients.omega)
            at = np.array([kept.index(j) for j in chosen], dtype=np.int64)
            whole = part.linearize(places)
            rows = np.array([2 * i + q for i in at for q in (0, 1)])
            model = LinearModel(
                whole.drift[np.ix_(rows, rows)],
                whole.noise[np.ix_(rows, rows)],
                whole.output[np.ix_(at, rows)],
            )
            equilibrium[chosen] = places[at, 2]
            recoil[chosen] = np.diag(coefficients.rates).real[at]
            if len(at) == 2 and len(kept) == 2:
                pair = part.pair_constants(places).constants
        return OperatingPoint(
            omega=omega,
            masses=self.trap.masses,
            equilibrium=equilibrium,
            model=_embed(model, chosen, self.particles),
            recoil=recoil,
            limits=np.array(
                [LOST_FRACTION * min(t.rayleigh_ranges(trap.k)) for t in trap.tweezers]
            ),
            pair=pair,
        )

    @staticmethod
    def _without_lost(trap: TrapArray, chosen: list[int]) -> tuple[TrapArray, list[int]]:
        """Trap without the lost particles, and the indices of the sites that remain."""
        if len(chosen) == len(trap.spheres):
            return trap, chosen
        kept = [j for j, t in enumerate(trap.tweezers) if j in chosen or t.power > _DARK]
        spheres = tuple(
            sphere if j in chosen else replace(sphere, radius=_GHOST_RADIUS, charge=0.0)
            for j, sphere in enumerate(trap.spheres)
        )
        measured = trap.measured_omegas
        return (
            replace(
                trap,
                spheres=tuple(spheres[j] for j in kept),
                tweezers=tuple(trap.tweezers[j] for j in kept),
                measured_omegas=None if measured is None else tuple(measured[j] for j in kept),
            ),
            kept,
        )
