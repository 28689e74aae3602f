"""Forces, stiffness and diffusion of given dipoles and charges in given beams."""

from __future__ import annotations

from dataclasses import dataclass

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
from .tweezer import LocalField, Tweezer, total_field

__all__ = ["Mechanics"]

Array = NDArray[np.float64]


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
