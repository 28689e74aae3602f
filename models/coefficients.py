"""Everything linear about arrays at given positions: stiffness, diffusion, rates, drift, noise.

g_jl = ∂F_jz/∂z_l/(2√(m_jm_l)ω), D_jl = P_jl/(ħω√(m_jm_l)) and local shifts
s_j = [K_jj − K_jj(alone)]/(2m_jω), with ω the mean of the axial frequencies without interaction.
One array is a batch of one: settings that are evaluated together are leading dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .constants import HBAR, bose_occupation
from .errors import InputError
from .mechanics import Mechanics
from .oscillators import oscillator_drift
from .reprs import short_repr

__all__ = ["ArrayCoefficients", "array_coefficients", "kept_axes", "pull_rates", "recoil_rates"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_N = TypeVar("_N", np.float64, np.complex128)

_AXES = {"x": 0, "y": 1, "z": 2}


def kept_axes(axes: str) -> list[int]:
    """Indices of the axes named, x before y before z.

    Raises
    ------
    InputError
        Unless ``axes`` names some of "xyz", each once.
    """
    known = isinstance(axes, str) and set(axes) <= set(_AXES)
    if not known or not axes or len(set(axes)) != len(axes):
        raise InputError(f"axes must be some of 'xyz', for example 'z', got {axes!r}")
    return sorted(_AXES[name] for name in axes)


def pull_rates(masses: Array, omega: Array | float, stiffness: Array, kept: list[int]) -> Array:
    """−K/(√(m_jm_l)ω) of the axes kept, shape (..., s, s), rad/s: what z_l adds to ṗ_j.

    Parameters
    ----------
    masses : ndarray, shape (n,)
        kg.
    omega : float or ndarray, shape (...)
        The scale, rad/s.
    stiffness : ndarray, shape (..., n, 3, n, 3)
        N/m.
    kept : list of int
        Of :func:`kept_axes`.
    """
    return np.asarray(-_flat(stiffness, kept) / _root(masses, omega, kept))


def recoil_rates(masses: Array, omega: Array | float, diffusion: Complex, kept: list[int]) -> Array:
    """Re P/(ħω√(m_jm_l)) of the axes kept, shape (..., s, s), 1/s; as :func:`pull_rates`."""
    return np.asarray(_flat(diffusion, kept).real / (HBAR * _root(masses, omega, kept)))


def _flat(tensor: NDArray[_N], kept: list[int]) -> NDArray[_N]:
    """Tensor (..., n, 3, n, 3) as matrices (..., s, s) of the axes kept."""
    size = tensor.shape[-2] * len(kept)
    chosen = tensor[..., kept, :, :][..., kept]
    return chosen.reshape(*tensor.shape[:-4], size, size)


def _root(masses: Array, omega: Array | float, kept: list[int]) -> Array:
    """√(m_jm_l)ω, (..., s, s)."""
    repeated = np.repeat(masses, len(kept))
    return np.asarray(np.sqrt(np.outer(repeated, repeated)) * np.asarray(omega)[..., None, None])


@dataclass(frozen=True)
class ArrayCoefficients:
    """Everything linear about an array at fixed positions, or about many settings of one.

    Attributes
    ----------
    masses : ndarray, shape (n,)
        kg.
    omegas : ndarray, shape (..., n)
        Axial frequencies without interaction, rad/s; 0 where a trap is not stiff along z.
    alone : ndarray, shape (..., n, 3, 3)
        Stiffness of each particle without interaction, N/m.
    stiffness : ndarray, shape (..., n, 3, n, 3)
        −∂F_ja/∂r_lb with interaction, N/m.
    diffusion : ndarray, shape (..., n, 3, n, 3)
        P, (kg m/s)²/s.
    gamma : ndarray, shape (..., n)
        Gas damping rates, 1/s.
    temperature : float
        Temperature of the gas, K; 0 without gas.
    """

    masses: Array
    omegas: Array
    alone: Array
    stiffness: Array
    diffusion: Complex
    gamma: Array
    temperature: float = 0.0

    __repr__ = short_repr

    @property
    def omega(self) -> Array:
        """Mean axial frequency ω, the common scale of all quadratures, shape (...), rad/s."""
        return np.asarray(self.omegas.mean(axis=-1))

    @property
    def couplings(self) -> Array:
        """g_jl, what l does to j, shape (..., n, n), rad/s; 0 on the diagonal."""
        own = np.arange(len(self.masses))
        rates = 0.5 * pull_rates(self.masses, self.omega, self.stiffness, [2])
        rates[..., own, own] = 0.0
        return rates

    @property
    def shifts(self) -> Array:
        """Local shifts s_j, shape (..., n), rad/s."""
        own = np.arange(len(self.masses))
        change = self.stiffness[..., own, 2, own, 2] - self.alone[..., 2, 2]
        return np.asarray(change / (2.0 * self.masses * self.omega[..., None]))

    @property
    def rates(self) -> Complex:
        """Axial D_jl, shape (..., n, n), hermitian, 1/s."""
        return np.asarray(
            self.diffusion[..., 2, :, 2] / (HBAR * _root(self.masses, self.omega, [2]))
        )

    @property
    def thermal_occupation(self) -> Array:
        """n̄ of the gas at the common scale ω, shape (...), so that ⟨p²⟩ tends to kT/(ħω)."""
        flat = [bose_occupation(float(w), self.temperature) for w in self.omega.ravel()]
        return np.array(flat).reshape(self.omega.shape)

    def drift(self, axes: str = "z") -> Array:
        """A in states (x_1, p_x1, y_1, …, x_2, …) of the axes named, (..., 2s, 2s), 1/s.

        Raises
        ------
        InputError
            If ``axes`` is not a subset of "xyz".
        """
        kept = kept_axes(axes)
        pull = pull_rates(self.masses, self.omega, self.stiffness, kept)
        return oscillator_drift(self.omega, pull, np.repeat(self.gamma, len(kept), axis=-1))

    def total_diffusion(self, axes: str = "z") -> Array:
        """Re D of recoil and gas, D_jl + γ_j(n̄ + ½)δ_jl, (..., s, s), 1/s.

        Raises
        ------
        InputError
            If ``axes`` is not a subset of "xyz".
        """
        kept = kept_axes(axes)
        total = recoil_rates(self.masses, self.omega, self.diffusion, kept)
        own = np.arange(total.shape[-1])
        bath = self.gamma * (self.thermal_occupation[..., None] + 0.5)
        total[..., own, own] += np.repeat(bath, len(kept), axis=-1)
        return total

    def of(self, particles: Sequence[int]) -> ArrayCoefficients:
        """Some of the particles; their scale is the mean of their own frequencies."""
        index = np.array(particles)
        return replace(
            self,
            masses=self.masses[index],
            omegas=self.omegas[..., index],
            alone=self.alone[..., index, :, :],
            stiffness=self.stiffness[..., index, :, :, :][..., index, :],
            diffusion=self.diffusion[..., index, :, :, :][..., index, :],
            gamma=self.gamma[..., index],
        )


def array_coefficients(
    mechanics: Mechanics,
    positions: Array,
    masses: Array,
    measured: Array,
    gamma: Array,
    temperature: float,
) -> ArrayCoefficients:
    """Evaluate the mechanics at positions.

    Parameters
    ----------
    mechanics : Mechanics
        Light, dipoles and charges.
    positions : ndarray, shape (..., n, 3)
        m.
    masses : ndarray, shape (n,)
        kg.
    measured : ndarray, shape (..., n, 3)
        Measured frequencies, rad/s, NaN where there is none. They replace the computed ones in
        the trap, not in the interaction.
    gamma : ndarray, shape (..., n)
        Damping rates, 1/s.
    temperature : float
        K; 0 without gas.
    """
    count = len(masses)
    own = np.arange(count)
    alone, stiffness = mechanics.alone(positions), mechanics.stiffness(positions)
    for axis in range(3):
        known = measured[..., axis]
        change = np.where(np.isnan(known), 0.0, masses * known**2 - alone[..., axis, axis])
        alone[..., axis, axis] += change
        stiffness[..., own, axis, own, axis] += change
    diffusion = mechanics.diffusion(positions)
    computed = np.sqrt(np.maximum(alone[..., 2, 2], 0.0) / masses)
    return ArrayCoefficients(
        masses=masses,
        omegas=np.where(np.isnan(measured[..., 2]), computed, measured[..., 2]),
        alone=alone,
        stiffness=stiffness,
        diffusion=diffusion.reshape(*diffusion.shape[:-2], count, 3, count, 3),
        gamma=gamma,
        temperature=temperature,
    )
