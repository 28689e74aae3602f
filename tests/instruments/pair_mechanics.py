"""A world whose particles are a pair with given constants, light and gas that cannot change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optobind.instruments.simulated.mechanics import OperatingPoint, _embed
from optobind.models.gas import Gas
from optobind.models.light import TweezerState
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants


@dataclass(frozen=True)
class PairMechanics:
    """A pair given by its constants, of which one particle may be absent."""

    constants: PairConstants
    mass: float = 7.75e-18
    limit: float = 5e-7

    @property
    def particles(self) -> int:
        """Two."""
        return 2

    @property
    def light(self) -> TweezerState | None:
        """No light to change."""
        return None

    @property
    def gas(self) -> Gas | None:
        """No gas to change."""
        return None

    def operating_point(
        self, light: TweezerState | None, gas: Gas | None, present: Sequence[bool]
    ) -> OperatingPoint:
        """Return the given constants; an absent particle takes its half of them along."""
        chosen = [j for j in range(2) if present[j]]
        full = self.constants.to_linear()
        at = np.array([2 * j + i for j in chosen for i in (0, 1)], dtype=np.int64)
        output = np.zeros((1, len(at)))
        part = full
        if len(chosen) == 1:
            part = LinearModel(full.drift[np.ix_(at, at)], full.noise[np.ix_(at, at)], output)
        recoil = np.array([self.constants.D11, self.constants.D22]) * np.array(present, float)
        return OperatingPoint(
            omega=self.constants.omega,
            masses=np.full(2, self.mass),
            equilibrium=np.zeros(2),
            model=_embed(part, chosen, 2),
            recoil=recoil,
            limits=np.full(2, self.limit),
            pair=self.constants if len(chosen) == 2 else None,
        )
