"""One array of particles under many settings of its light, evaluated together.

A map over phase, distance, power balance or pressure asks for thousands of equilibria and
stiffness matrices. They are computed side by side: a setting is a leading dimension of every array.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .array import TrapArray
from .errors import InputError
from .family_coefficients import (
    FamilyCoefficients,
    family_coefficients,
    impossible,
    rest_positions,
)
from .gas import Gas
from .mechanics import LightMechanics
from .reprs import short_repr

__all__ = ["LightFamily", "pair_family"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LightFamily:
    """Settings of the light of one array; every field is read with leading dimensions (…).

    Attributes
    ----------
    array : TrapArray
        The particles, beams and gas that all settings share.
    foci : ndarray, shape (..., n, 3)
        m.
    powers : ndarray, shape (..., n)
        W. Measured frequencies of the array hold at its own powers and scale as √P.
    phases : ndarray, shape (..., n)
        rad.
    pressures : ndarray, shape (...)
        Pa.
    """

    array: TrapArray
    foci: Array
    powers: Array
    phases: Array
    pressures: Array

    __repr__ = short_repr

    @classmethod
    def of(
        cls,
        array: TrapArray,
        *,
        foci: ArrayLike | None = None,
        powers: ArrayLike | None = None,
        phases: ArrayLike | None = None,
        pressures: ArrayLike | None = None,
    ) -> LightFamily:
        """Vary what is given, keep the rest; leading dimensions broadcast.

        Parameters
        ----------
        array : TrapArray
            Of Gaussian beams.
        foci : array_like, shape (..., n, 3), optional
            m.
        powers, phases : array_like, shape (..., n), optional
            W, rad.
        pressures : array_like, shape (...), optional
            Pa; the array must have a gas.

        Raises
        ------
        InputError
            For shapes that do not fit, values out of range, or beams behind an objective.
        """
        if any(beam.objective is not None for beam in array.tweezers):
            raise InputError("families of settings need Gaussian beams, not an objective")
        count = len(array.spheres)
        own = array.tweezers
        places = _finite("foci", array.foci if foci is None else foci, (count, 3), "m")
        watts = _finite("powers", [t.power for t in own] if powers is None else powers, (count,))
        turns = _finite("phases", [t.phase for t in own] if phases is None else phases, (count,))
        pascals = _pressures(array.gas, pressures)
        if watts.min(initial=0.0) < 0.0 or watts.max(initial=0.0) > 100.0:
            raise InputError(f"powers must lie in 0 … 100 W, got {watts.min():g} … {watts.max():g}")
        try:
            shape = np.broadcast_shapes(
                places.shape[:-2], watts.shape[:-1], turns.shape[:-1], pascals.shape
            )
        except ValueError:
            raise InputError(
                f"settings do not broadcast: foci {places.shape[:-2]}, powers {watts.shape[:-1]}, "
                f"phases {turns.shape[:-1]}, pressures {pascals.shape}"
            ) from None
        return cls(
            array,
            np.broadcast_to(places, (*shape, count, 3)),
            np.broadcast_to(watts, (*shape, count)),
            np.broadcast_to(turns, (*shape, count)),
            np.broadcast_to(pascals, shape),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading dimensions: how many settings along each."""
        return self.pressures.shape

    def member(self, index: tuple[int, ...]) -> TrapArray:
        """One setting as an array of its own, to look closer."""
        array, places = self.array, self.foci[index]
        tweezers = tuple(
            replace(
                beam,
                position=(float(places[j][0]), float(places[j][1]), float(places[j][2])),
                power=float(self.powers[index][j]),
                phase=float(self.phases[index][j]),
            )
            for j, beam in enumerate(array.tweezers)
        )
        gas = None if array.gas is None else replace(array.gas, pressure=self._pressure(index))
        table = self._measured[np.ravel_multi_index(index, self.shape)] if self.shape else None
        known = array.measured_omegas
        if known is not None and table is not None:
            axial = np.ndim(known[0]) == 0
            known = tuple(float(v[2]) if axial else (v[0], v[1], v[2]) for v in table.tolist())
        return replace(array, tweezers=tweezers, gas=gas, measured_omegas=known)

    def coefficients(
        self, at: Literal["equilibrium", "focus"] = "equilibrium"
    ) -> FamilyCoefficients:
        """Positions, frequencies, couplings, diffusion and damping of every setting.

        Parameters
        ----------
        at : {"equilibrium", "focus"}
            Where to linearise. Settings that hold no particle there are marked, not raised.
        """
        if at not in ("equilibrium", "focus"):
            raise InputError(f"at must be 'equilibrium' or 'focus', got {at!r}")
        positions, reason = (
            rest_positions(self._mechanics, self.array)
            if at == "equilibrium"
            else (self._mechanics.centres, impossible(self._mechanics, self.array.spheres))
        )
        return family_coefficients(
            self.array, self._mechanics, positions, reason, self._measured, self._gamma, self.shape
        )

    def _pressure(self, index: tuple[int, ...]) -> float:
        return float(self.pressures[index])

    @cached_property
    def _mechanics(self) -> LightMechanics:
        array, count = self.array, len(self.array.spheres)
        own = np.array([beam.focus_amplitude for beam in array.tweezers])
        unit = np.array([replace(beam, power=1.0).focus_amplitude for beam in array.tweezers])
        powers = self.powers.reshape(-1, count)
        # Where the power is the array's own, so is the amplitude, to the last digit.
        same = powers == np.array([beam.power for beam in array.tweezers])
        size = np.where(same, own, unit * np.sqrt(powers))
        turn = np.exp(1j * self.phases.reshape(-1, count))
        jones = np.array([(*beam.polarization, 0.0) for beam in array.tweezers])
        charges = np.array([sphere.charge for sphere in array.spheres])
        return LightMechanics(
            array.tweezers,
            array.polarizabilities,
            charges,
            array.k,
            self.foci.reshape(-1, count, 3),
            (size * turn)[..., None] * jones,
        )

    @cached_property
    def _measured(self) -> Array:
        """Measured frequencies (settings, n, 3), rad/s, NaN where computed ones hold."""
        count = len(self.array.spheres)
        table = np.full((count, 3), np.nan)
        if self.array.measured_omegas is not None:
            given = np.array(self.array.measured_omegas, dtype=np.float64)
            table[:, 2 if given.ndim == 1 else slice(None)] = given
        own = np.array([beam.power for beam in self.array.tweezers])
        ratio = np.sqrt(self.powers.reshape(-1, count) / np.where(own > 0.0, own, 1.0))
        return np.asarray(table * ratio[..., None])

    @cached_property
    def _gamma(self) -> Array:
        """Gas damping (settings, n), 1/s."""
        gas, spheres = self.array.gas, self.array.spheres
        flat = self.pressures.ravel()
        if gas is None:
            return np.zeros((flat.size, len(spheres)))
        values, back = np.unique(flat, return_inverse=True)
        rates = [[replace(gas, pressure=float(p)).damping_rate(s) for s in spheres] for p in values]
        return np.asarray(np.array(rates)[back])


def _finite(name: str, values: ArrayLike, tail: tuple[int, ...], unit: str = "") -> Array:
    """Return a finite array that ends in the shape ``tail``."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape[array.ndim - len(tail) :] != tail or not np.isfinite(array).all():
        wanted = ", ".join(map(str, tail))
        suffix = f" in {unit}" if unit else ""
        raise InputError(
            f"{name} must be finite, shape (..., {wanted}){suffix}; got shape {array.shape}"
        )
    return array


def _pressures(gas: Gas | None, pressures: ArrayLike | None) -> Array:
    """Pressures in Pa, checked; those of the gas unless given."""
    if pressures is None:
        return np.asarray(0.0 if gas is None else gas.pressure)
    if gas is None:
        raise InputError("pressures can vary only in an array with a gas")
    pascals = _finite("pressures", pressures, (), "Pa")
    for value in (pascals.min(initial=0.0), pascals.max(initial=0.0)):
        replace(gas, pressure=float(value))  # checks the range
    return pascals


def pair_family(
    array: TrapArray,
    *,
    phi: ArrayLike | None = None,
    separation: ArrayLike | None = None,
    balance: ArrayLike | None = None,
    total_power: ArrayLike | None = None,
    pressure: ArrayLike | None = None,
) -> LightFamily:
    """Vary the first two tweezers; what is given broadcasts, the rest stays.

    Parameters
    ----------
    array : TrapArray
        At least two particles.
    phi : array_like, optional
        Set phase φ_1 − φ_2, rad; the second beam keeps its phase.
    separation : array_like, optional
        Distance of the foci along their line, m; the pair keeps its centre.
    balance : array_like, optional
        (P_2 − P_1)/(P_1 + P_2), −1 … 1.
    total_power : array_like, optional
        P_1 + P_2, W.
    pressure : array_like, optional
        Pa.

    Returns
    -------
    LightFamily
        All settings at once, with leading dimensions.

    Raises
    ------
    InputError
        For fewer than two particles or values out of range.

    Examples
    --------
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> family = ob.pair_family(trap, phi=[0.0, 1.0, 2.0])
    >>> family.coefficients().held.rates.shape
    (3, 2, 2)
    """
    if len(array.spheres) < 2:
        raise InputError("a pair needs two particles, the array has 1")
    first, second = array.tweezers[:2]
    options: dict[str, ArrayLike] = {}
    if phi is not None:
        turns = np.asarray(phi, dtype=np.float64)
        base = np.array([beam.phase for beam in array.tweezers])
        options["phases"] = np.concatenate(
            [
                (base[1] + turns)[..., None],
                np.broadcast_to(base[1:], (*turns.shape, len(base) - 1)),
            ],
            axis=-1,
        )
    if separation is not None:
        options["foci"] = _spread(array, np.asarray(separation, dtype=np.float64))
    if balance is not None or total_power is not None:
        total = first.power + second.power
        share = (second.power - first.power) / total if balance is None and total > 0.0 else balance
        watts = np.asarray(total if total_power is None else total_power, dtype=np.float64)
        options["powers"] = _shared(array, watts, np.asarray(share, dtype=np.float64))
    if pressure is not None:
        options["pressures"] = pressure
    return LightFamily.of(array, **options)


def _spread(array: TrapArray, separation: Array) -> Array:
    """Foci with the first two a distance apart."""
    if not (np.isfinite(separation).all() and separation.min(initial=np.inf) > 0.0):
        raise InputError(f"separation must be positive and finite, in m, got {separation.min():g}")
    foci = array.foci
    line = foci[0] - foci[1]
    line, centre = line / np.linalg.norm(line), 0.5 * (foci[0] + foci[1])
    result = np.broadcast_to(foci, (*separation.shape, *foci.shape)).copy()
    half = 0.5 * separation[..., None] * line
    result[..., 0, :], result[..., 1, :] = centre + half, centre - half
    return result


def _shared(array: TrapArray, total: Array, balance: Array) -> Array:
    """Powers with a total and a balance of the first two."""
    if not (np.isfinite(balance).all() and np.abs(balance).max(initial=0.0) <= 1.0):
        raise InputError(f"balance must lie in -1 … 1, got {np.abs(balance).max():g}")
    shape = np.broadcast_shapes(total.shape, balance.shape)
    own = np.array([beam.power for beam in array.tweezers])
    powers = np.broadcast_to(own, (*shape, own.size)).copy()
    powers[..., 0] = 0.5 * total * (1.0 - balance)
    powers[..., 1] = 0.5 * total * (1.0 + balance)
    return powers
