"""A dielectric sphere in the dipole approximation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .constants import EPSILON_0
from .ranges import require_range

__all__ = ["MATERIALS", "Sphere"]

# Name: (refractive index near 1064 nm, density in kg/m³). "silica" is the porous Stöber silica of
# levitation experiments, "fused_silica" the bulk glass.
MATERIALS: dict[str, tuple[float, float]] = {
    "diamond": (2.39, 3515.0),
    "fused_silica": (1.45, 2200.0),
    "polystyrene": (1.57, 1050.0),
    "silica": (1.45, 1850.0),
    "silicon": (3.55, 2329.0),
}

# Beyond this kR, Mie theory and the dipole polarizability differ by tens of percent in force.
_DIPOLE_LIMIT = 0.5


@dataclass(frozen=True)
class Sphere:
    """A homogeneous, lossless dielectric sphere.

    Attributes
    ----------
    radius : float
        R, m; 1 nm … 10 µm.
    density : float
        kg/m³; 100 … 25000.
    index : float
        Refractive index n = √ε at the trap wavelength; 1.0001 … 5.
    charge : float
        Net charge, C.

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> sphere = ob.Sphere(radius=70e-9, density=1850.0, index=1.45)
    >>> f"{1e18 * sphere.mass:.2f} ag"
    '2.66 ag'
    """

    radius: float
    density: float = 1850.0
    index: float = 1.45
    charge: float = 0.0

    def __post_init__(self) -> None:
        require_range("radius", self.radius, 1e-9, 1e-5, "m")
        require_range("density", self.density, 100.0, 25000.0, "kg/m³")
        require_range("index", self.index, 1.0001, 5.0)
        require_range("charge", self.charge, -1e-12, 1e-12, "C")

    @property
    def mass(self) -> float:
        """Mass, kg."""
        return 4.0 / 3.0 * math.pi * self.radius**3 * self.density

    @property
    def polarizability(self) -> float:
        """Clausius–Mossotti polarizability α = 4πε0R³(ε−1)/(ε+2), C m²/V."""
        epsilon = self.index**2
        return 4.0 * math.pi * EPSILON_0 * self.radius**3 * (epsilon - 1.0) / (epsilon + 2.0)

    def effective_polarizability(self, k: float) -> complex:
        """Polarizability with radiative correction, α/(1 − ik³α/(6πε0)), C m²/V.

        Parameters
        ----------
        k : float
            Wave number, 1/m.
        """
        alpha = self.polarizability
        return alpha / (1.0 - 1j * k**3 * alpha / (6.0 * math.pi * EPSILON_0))

    def dipole_doubt(self, k: float) -> tuple[float, str | None]:
        """Size parameter kR, and a sentence if it makes the dipole approximation doubtful.

        Parameters
        ----------
        k : float
            Wave number, 1/m.
        """
        # The field inside varies over k·n·R too: a high index spoils the dipole earlier.
        size = k * self.radius
        if max(size, size * self.index / 1.45) <= _DIPOLE_LIMIT:
            return size, None
        return size, (
            f"kR = {size:.2f} at index {self.index:g}: the dipole approximation is doubtful "
            f"above kR = {_DIPOLE_LIMIT * min(1.0, 1.45 / self.index):.2f}"
        )
