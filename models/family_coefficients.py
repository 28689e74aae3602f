"""Couplings, diffusion and drift matrices of many settings of the light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .array import TrapArray
from .constants import HBAR, bose_occupation
from .errors import InputError
from .family_equilibrium import LightMechanics, Reason

__all__ = ["FamilyCoefficients", "family_coefficients"]

Array = NDArray[np.float64]

_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class FamilyCoefficients:
    """Everything linear about the settings that hold their particles; H of them, in flat order.

    Attributes
    ----------
    shape : tuple of int
        Shape of the family.
    reason : ndarray, shape (…)
        :class:`Reason` of every setting, uint8; 0 where the particles are held.
    masses : ndarray, shape (n,)
        kg.
    positions : ndarray, shape (H, n, 3)
        m.
    omegas : ndarray, shape (H, n)
        Axial frequencies without interaction, rad/s.
    alone : ndarray, shape (H, n, 3, 3)
        Stiffness without interaction, N/m.
    stiffness : ndarray, shape (H, n, 3, n, 3)
        N/m.
    diffusion : ndarray, shape (H, n, 3, n, 3)
        P, (kg m/s)²/s.
    gamma : ndarray, shape (H, n)
        1/s.
    temperature : float
        K; 0 without gas.
    """

    shape: tuple[int, ...]
    reason: NDArray[np.uint8]
    masses: Array
    positions: Array
    omegas: Array
    alone: Array
    stiffness: Array
    diffusion: NDArray[np.complex128]
    gamma: Array
    temperature: float

    @property
    def omega(self) -> Array:
        """Mean axial frequency ω of each setting, the scale of its quadratures, (H,), rad/s."""
        return np.asarray(self.omegas.mean(axis=1))

    @property
    def couplings(self) -> Array:
        """g_jl = ∂F_jz/∂z_l/(2√(m_jm_l)ω), (H, n, n), rad/s; 0 on the diagonal."""
        root = 2.0 * np.sqrt(np.outer(self.masses, self.masses)) * self.omega[:, None, None]
        rates = -self.stiffness[:, :, 2, :, 2] / root
        own = np.arange(len(self.masses))
        rates[:, own, own] = 0.0
        return np.asarray(rates)

    @property
    def shifts(self) -> Array:
        """Local shifts s_j, (H, n), rad/s."""
        own = np.arange(len(self.masses))
        change = self.stiffness[:, own, 2, own, 2] - self.alone[:, :, 2, 2]
        return np.asarray(change / (2.0 * self.masses * self.omega[:, None]))

    @property
    def rates(self) -> NDArray[np.complex128]:
        """Axial D_jl, (H, n, n), hermitian, 1/s."""
        root = HBAR * np.sqrt(np.outer(self.masses, self.masses)) * self.omega[:, None, None]
        return np.asarray(self.diffusion[:, :, 2, :, 2] / root)

    def thermal_occupation(self) -> Array:
        """n̄ of the gas at each ω, (H,)."""
        return np.array([bose_occupation(float(w), self.temperature) for w in self.omega])

    def drifts(self, axes: str = "z") -> Array:
        """Drift matrices in the order of :meth:`TrapArray.linearize`, (H, 2s, 2s), 1/s.

        Raises
        ------
        InputError
            If ``axes`` is not a subset of "xyz".
        """
        if not axes or len(set(axes)) != len(axes) or not set(axes) <= set(_AXES):
            raise InputError(f"axes must be some of 'xyz', for example 'z', got {axes!r}")
        kept = sorted(_AXES[name] for name in axes)
        size = len(self.masses) * len(kept)
        stiffness = self.stiffness[:, :, kept][..., kept].reshape(-1, size, size)
        masses = np.repeat(self.masses, len(kept))
        omega = self.omega[:, None, None]
        drift = np.zeros((len(stiffness), 2 * size, 2 * size))
        drift[:, 0::2, 1::2] = omega * np.eye(size)
        drift[:, 1::2, 0::2] = -stiffness / (np.sqrt(np.outer(masses, masses)) * omega)
        own = np.arange(size)
        drift[:, 2 * own + 1, 2 * own + 1] = -np.repeat(self.gamma, len(kept), axis=1)
        return drift

    def spread(self, values: Array) -> Array:
        """Put one value (or block) per held setting at its place in the family, 0 elsewhere."""
        result = np.zeros((self.reason.size, *values.shape[1:]))
        result[self.reason.ravel() == Reason.HELD] = values
        return result.reshape(*self.shape, *values.shape[1:])


def family_coefficients(
    array: TrapArray,
    mechanics: LightMechanics,
    positions: Array,
    reason: NDArray[np.uint8],
    measured: Array,
    gamma: Array,
    shape: tuple[int, ...],
) -> FamilyCoefficients:
    """Evaluate all settings that hold their particles.

    Parameters
    ----------
    array : TrapArray
        What the settings share.
    mechanics : LightMechanics
        The B settings.
    positions : ndarray, shape (B, n, 3)
        m.
    reason : ndarray, shape (B,)
        :class:`Reason` so far.
    measured : ndarray, shape (B, n, 3)
        Measured frequencies, rad/s, NaN where there is none.
    gamma : ndarray, shape (B, n)
        1/s.
    shape : tuple of int
        Of the family; its product is B.
    """
    count = positions.shape[1]
    masses = array.masses
    reason = reason.copy()
    rows = np.nonzero(reason == Reason.HELD)[0]
    alone = np.concatenate(
        [np.zeros((0, count, 3, 3))]
        + [mechanics.take(rows[s]).alone(positions[rows[s]]) for s in _slices(mechanics, rows)]
    )
    known = measured[rows]
    # Without a measured frequency a trap must be stiff along z, as TrapArray.axial_omegas asks.
    loose = ((alone[..., 2, 2] <= 0.0) & np.isnan(known[..., 2])).any(axis=1)
    reason[rows[loose]] = Reason.NOT_TRAPPED
    rows, alone, known = rows[~loose], alone[~loose], known[~loose]
    stiffness = np.empty((len(rows), count, 3, count, 3))
    diffusion = np.empty((len(rows), 3 * count, 3 * count), dtype=np.complex128)
    for part in _slices(mechanics, rows):
        chosen = mechanics.take(rows[part])
        stiffness[part] = chosen.stiffness(positions[rows[part]])
        diffusion[part] = chosen.diffusion(positions[rows[part]])
    for axis in range(3):
        wanted = masses * known[..., axis] ** 2 - alone[..., axis, axis]
        change = np.where(np.isnan(known[..., axis]), 0.0, wanted)
        alone[..., axis, axis] += change
        own = np.arange(count)
        stiffness[:, own, axis, own, axis] += change
    gas = array.gas
    return FamilyCoefficients(
        shape=shape,
        reason=reason.reshape(shape),
        masses=masses,
        positions=positions[rows],
        omegas=np.sqrt(alone[..., 2, 2] / masses),
        alone=alone,
        stiffness=stiffness,
        diffusion=diffusion.reshape(-1, count, 3, count, 3),
        gamma=gamma[rows],
        temperature=0.0 if gas is None else gas.temperature,
    )


def _slices(mechanics: LightMechanics, rows: NDArray[np.intp]) -> list[slice]:
    return mechanics.take(rows).chunks()
