"""Operating points of the world, found once each: static ones, and those of modulated light.

Light that changes faster than the particles can follow is linearised where the force, averaged over
a period, vanishes. At fixed positions forces, stiffness and diffusion of a pair are exactly linear
in 1, P_1, P_2, √(P_1P_2) cos φ and √(P_1P_2) sin φ: five settings of the light give them all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...models.array import TrapArray
from ...models.constants import HBAR
from ...models.errors import InputError
from ...models.gas import Gas
from ...models.light import TweezerState
from ...models.linear import LinearModel
from .mechanics import LOST_FRACTION, OperatingPoint, TrapMechanics, WorldMechanics
from .played_light import Modulation

__all__ = ["PointFinder"]

_KEPT = 64
_STEPS = 8  # of Newton's method: it converges quadratically from nearby
_PROBES = (0.0, 2.0 * np.pi / 3.0, 4.0 * np.pi / 3.0)  # rad
_MORE_POWER = 1.1

_Array = NDArray[np.float64]


class PointFinder:
    """Finds operating points and keeps the newest.

    Parameters
    ----------
    mechanics : WorldMechanics
        Physics.
    """

    def __init__(self, mechanics: WorldMechanics) -> None:
        self._mechanics = mechanics
        self._known: OrderedDict[object, tuple[OperatingPoint, tuple[bool, ...]]] = OrderedDict()

    def find(
        self,
        light: TweezerState | None,
        gas: Gas | None,
        present: tuple[bool, ...],
        dark: TweezerState | None,
    ) -> tuple[OperatingPoint, tuple[bool, ...]]:
        """Operating point with as many of the present particles as the light holds, and who.

        ``dark`` is light that a world without particles may be described with.
        """
        key = (light, gas, present)
        if key not in self._known:
            self._known[key] = self._found(light, gas, present, dark)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    def _found(
        self,
        light: TweezerState | None,
        gas: Gas | None,
        present: tuple[bool, ...],
        dark: TweezerState | None,
    ) -> tuple[OperatingPoint, tuple[bool, ...]]:
        candidates = [present] + [
            tuple(one and j != lost for j, one in enumerate(present))
            for lost, there in enumerate(present)
            if there
        ]
        for some in candidates:
            try:
                return self._mechanics.operating_point(light, gas, some), some
            except InputError:
                # On its way even light that is wrong in itself (sites that meet) loses particles.
                continue
        nobody = (False,) * len(present)
        return self._mechanics.operating_point(dark, gas, nobody), nobody

    def modulated(
        self, fast: Modulation, gas: Gas | None
    ) -> tuple[OperatingPoint, list[LinearModel], _Array]:
        """Mean operating point of modulated light, a model for each setting, and what pushes.

        Returns
        -------
        point : OperatingPoint
            Where the force vanishes on average; its model is the mean one.
        models : list of LinearModel
            One for each setting of the light, on the scale of the point.
        forces : ndarray, shape (settings, N)
            What is left of the force, as ṗ_j in quanta a second.
        """
        assert isinstance(self._mechanics, TrapMechanics)
        trap = replace(self._mechanics.trap, gas=gas)
        probes = _probes(fast.lights[0])
        arrays = [trap.with_light(probe) for probe in probes]
        inverse = np.linalg.inv(np.array([_features(probe) for probe in probes]))
        parts = np.array([_features(light) for light in fast.lights]) @ inverse
        mean = fast.shares @ parts
        places = _balance(arrays, mean)
        found = [array.coefficients(places) for array in arrays]
        omega = float(mean @ [float(c.omega) for c in found])
        scaled = [
            _on_scale(a.linearize(places), float(c.omega), omega)
            for a, c in zip(arrays, found, strict=True)
        ]
        drifts, noises = (np.array(column) for column in zip(*scaled, strict=True))
        pushes = np.array([array.forces(places)[:, 2] for array in arrays])
        pushes = pushes / np.sqrt(HBAR * trap.masses * omega)
        output = arrays[0].linearize(places).output
        models = [
            LinearModel(np.tensordot(row, drifts, 1), np.tensordot(row, noises, 1), output)
            for row in (*parts, mean)
        ]
        rates = sum(w * np.diag(c.rates).real for w, c in zip(mean, found, strict=True))
        point = OperatingPoint(
            omega=omega,
            masses=trap.masses,
            equilibrium=places[:, 2].copy(),
            model=models.pop(),
            recoil=np.asarray(rates),
            limits=np.array(
                [LOST_FRACTION * min(t.rayleigh_ranges(trap.k)) for t in trap.tweezers]
            ),
        )
        return point, models, parts @ pushes


def _features(light: TweezerState) -> list[float]:
    """What forces at fixed positions are linear in."""
    powers = [site.power for site in light.sites]
    found = [1.0, *powers]
    for i, j in combinations(range(len(powers)), 2):
        amplitude = float(np.sqrt(powers[i] * powers[j]))
        phase = light.sites[i].phase - light.sites[j].phase
        found += [amplitude * float(np.cos(phase)), amplitude * float(np.sin(phase))]
    return found


def _probes(light: TweezerState) -> list[TweezerState]:
    """Five settings of a pair's light with independent features, all near its own powers."""
    lit = TweezerState(tuple(replace(s, power=max(s.power, 1e-3)) for s in light.sites))
    more = [lit.with_site(j, power=_MORE_POWER * site.power) for j, site in enumerate(lit.sites)]
    return [*(lit.with_pair(phi=phi) for phi in _PROBES), *more]


def _balance(arrays: Sequence[TrapArray], weights: _Array) -> _Array:
    """Positions (n, 3), m, where the weighted force vanishes, from the equilibrium nearby."""
    places = arrays[0].equilibrium().copy()
    size = places.size
    for _ in range(_STEPS):
        pushed = [array.mechanics(array.tweezers).forces_and_stiffness(places) for array in arrays]
        force = sum(w * f for w, (f, _) in zip(weights, pushed, strict=True))
        stiffness = sum(w * k for w, (_, k) in zip(weights, pushed, strict=True))
        places = places + np.linalg.solve(
            np.asarray(stiffness).reshape(size, size), np.asarray(force).reshape(size)
        ).reshape(places.shape)
    return np.asarray(places)


def _on_scale(model: LinearModel, own: float, omega: float) -> tuple[_Array, _Array]:
    """A and N of a model of scale ``own`` with quanta of another scale ``omega``, rad/s."""
    ratio = np.sqrt(omega / own)
    turn = np.tile([ratio, 1.0 / ratio], len(model.drift) // 2)
    return turn[:, None] * model.drift / turn, turn[:, None] * model.noise * turn
