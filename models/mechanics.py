"""Forces, stiffness and diffusion of given dipoles and charges in given beams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .coulomb import coulomb_force, coulomb_stiffness
from .diffusion import momentum_diffusion
from .forces import (
    binding_force,
    binding_stiffness,
    one_body_force,
    one_body_stiffness,
    pair_green,
)
from .green import GreenTensor
from .tweezer import LocalField, Tweezer, gaussian_sum, total_field

__all__ = ["LightMechanics", "Mechanics"]

Array = NDArray[np.float64]
_M = TypeVar("_M", bound="Mechanics")

_CHUNK = 2**15  # tensor components of ordered pairs evaluated at once: some 10 MB each


@dataclass(frozen=True)
class Mechanics:
    """The forces between light, dipoles and charges at any positions.

    Settings of the light that are evaluated together are leading dimensions of the positions.

    Attributes
    ----------
    tweezers : tuple of Tweezer
        The beams.
    polarizabilities : ndarray, shape (n,)
        α_j, C m²/V.
    charges : ndarray, shape (n,)
        q_j, C.
    k : float
        Wave number, 1/m.
    """

    tweezers: tuple[Tweezer, ...]
    polarizabilities: NDArray[np.complex128]
    charges: Array
    k: float

    @property
    def foci(self) -> Array:
        """Where the beams are narrowest, (n, 3), m."""
        return np.array([beam.position for beam in self.tweezers])

    @property
    def sizes(self) -> Array:
        """Waists and Rayleigh range of each beam, (n, 3), m."""
        beams = self.tweezers
        return np.array([(b.waist_x, b.waist_y, min(b.rayleigh_ranges(self.k))) for b in beams])

    def take(self: _M, index: NDArray[np.intp] | slice) -> _M:
        """Some of the settings: all of them share this light."""
        return self

    def field(self, positions: Array) -> LocalField:
        """Field of all beams at positions (n, 3) in m."""
        return total_field(self.tweezers, positions, self.k)

    def forces(self, positions: Array, strength: float = 1.0) -> Array:
        """Return forces (n, 3), N, with everything between particles scaled by ``strength``."""
        field = self.field(positions)
        force = one_body_force(self.polarizabilities, field, self.k)
        if strength != 0.0 and positions.shape[-2] > 1:
            tensor = pair_green(positions, self.k)
            force = force + strength * self._mutual_force(positions, field, tensor)
        return force

    def stiffness(self, positions: Array, strength: float = 1.0) -> Array:
        """−∂F_ja/∂r_lb, shape (n, 3, n, 3), N/m, of :meth:`forces`."""
        return self.forces_and_stiffness(positions, strength)[1]

    def forces_and_stiffness(self, positions: Array, strength: float = 1.0) -> tuple[Array, Array]:
        """Both :meth:`forces` and :meth:`stiffness`, from one evaluation of field and tensors."""
        field = self.field(positions)
        count = positions.shape[-2]
        force = one_body_force(self.polarizabilities, field, self.k)
        total = np.zeros((*positions.shape, count, 3))
        if strength != 0.0 and count > 1:
            tensor = pair_green(positions, self.k)
            force = force + strength * self._mutual_force(positions, field, tensor)
            total += strength * binding_stiffness(self.polarizabilities, field, tensor)
            total += strength * coulomb_stiffness(self.charges, positions)
        own = one_body_stiffness(self.polarizabilities, field, self.k)
        for j in range(count):
            total[..., j, :, j, :] += own[..., j, :, :]
        return force, total

    def _mutual_force(self, positions: Array, field: LocalField, tensor: GreenTensor) -> Array:
        """Binding and Coulomb force, shape (n, 3)."""
        binding = binding_force(self.polarizabilities, field, tensor)
        return binding + coulomb_force(self.charges, positions)

    def alone(self, positions: Array) -> Array:
        """Stiffness of each particle without interaction, shape (n, 3, 3), N/m."""
        return one_body_stiffness(self.polarizabilities, self.field(positions), self.k)

    def diffusion(self, positions: Array) -> NDArray[np.complex128]:
        """P of Eq. (5), shape (3n, 3n), (kg m/s)²/s."""
        return momentum_diffusion(self.polarizabilities, self.field(positions), positions, self.k)


@dataclass(frozen=True)
class LightMechanics(Mechanics):
    """Forces under B settings of the light; positions have shape (B, n, 3).

    Attributes
    ----------
    centres : ndarray, shape (B, n, 3)
        Foci, m.
    amplitudes : ndarray, shape (B, n, 3)
        E at the foci, V/m.
    """

    centres: Array
    amplitudes: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def foci(self) -> Array:
        """The centres, (B, n, 3), m."""
        return self.centres

    def take(self, index: NDArray[np.intp] | slice) -> LightMechanics:
        """Some of the settings."""
        return replace(self, centres=self.centres[index], amplitudes=self.amplitudes[index])

    def chunks(self) -> list[slice]:
        """Slices of the settings that are small enough to evaluate at once; at least one."""
        step = max(1, _CHUNK // self.centres.shape[1] ** 2)
        return [slice(start, start + step) for start in range(0, max(1, len(self)), step)]

    def field(self, positions: Array) -> LocalField:
        """Field of all beams at positions (B, n, 3) in m, each setting with its own light."""
        offset = positions[..., :, None, :] - self.centres[..., None, :, :]
        waists = np.array([(beam.waist_x, beam.waist_y) for beam in self.tweezers])
        sign = np.array([float(beam.direction) for beam in self.tweezers])
        tones = np.array([beam.detuning for beam in self.tweezers])
        parts = [
            gaussian_sum(offset, waists, sign, self.amplitudes * (tones == tone)[:, None], self.k)
            for tone in np.unique(tones)
        ]
        return LocalField(*(np.stack(kind) for kind in zip(*parts, strict=True)))
