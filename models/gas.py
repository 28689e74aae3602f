"""Damping and heating by residual gas, from the continuum to free molecular flow.

γ = (6πμR/m)·0.619/(0.619 + Kn)·(1 + c_K) with Kn = λ_mfp/R,
c_K = 0.31Kn/(0.785 + 1.152Kn + Kn²) and λ_mfp = (μ/p)√(πkT/2m_gas) (Beresnev et al. 1990).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .constants import ATOMIC_MASS, BOLTZMANN, bose_occupation
from .errors import InputError
from .ranges import require_range
from .sphere import Sphere

__all__ = ["GAS_SPECIES", "Gas"]

# Name: (molar mass in u, viscosity in Pa s at 293.15 K, Sutherland's constant in K).
GAS_SPECIES: dict[str, tuple[float, float, float]] = {
    "air": (28.97, 1.82e-5, 110.4),
    "Ar": (39.948, 2.23e-5, 144.4),
    "He": (4.0026, 1.96e-5, 79.4),
    "N2": (28.0134, 1.76e-5, 111.0),
    "Ne": (20.180, 3.13e-5, 61.0),
    "Xe": (131.293, 2.27e-5, 252.1),
}
_REFERENCE_TEMPERATURE = 293.15


@dataclass(frozen=True)
class Gas:
    """Residual gas.

    Attributes
    ----------
    pressure : float
        Pa; 0 … 1.1e5.
    temperature : float
        K; 1 … 3000.
    species : str
        A key of :data:`GAS_SPECIES`.

    Raises
    ------
    InputError
        For a value outside its range or an unknown species.

    Examples
    --------
    >>> import optobind as ob
    >>> gas = ob.Gas(pressure=1e-6)
    >>> gas.damping_rate(ob.Sphere(70e-9)) < 1e-4
    True
    """

    pressure: float
    temperature: float = 293.0
    species: str = "air"

    def __post_init__(self) -> None:
        require_range("pressure", self.pressure, 0.0, 1.1e5, "Pa")
        require_range("temperature", self.temperature, 1.0, 3000.0, "K")
        if self.species not in GAS_SPECIES:
            known = ", ".join(sorted(GAS_SPECIES))
            raise InputError(f"unknown gas species {self.species!r}; known: {known}")

    @property
    def molecular_mass(self) -> float:
        """Mass of a molecule, kg."""
        return GAS_SPECIES[self.species][0] * ATOMIC_MASS

    @property
    def viscosity(self) -> float:
        """μ by Sutherland's law, Pa s."""
        _, reference, constant = GAS_SPECIES[self.species]
        ratio = self.temperature / _REFERENCE_TEMPERATURE
        weight = (_REFERENCE_TEMPERATURE + constant) / (self.temperature + constant)
        return reference * math.pow(ratio, 1.5) * weight

    @property
    def mean_free_path(self) -> float:
        """λ_mfp, m; infinite without gas."""
        if self.pressure == 0.0:
            return math.inf
        thermal = math.pi * BOLTZMANN * self.temperature / (2.0 * self.molecular_mass)
        return self.viscosity / self.pressure * math.sqrt(thermal)

    def damping_rate(self, sphere: Sphere) -> float:
        """Energy damping rate γ, 1/s."""
        return self._reduced_damping(sphere.radius) / sphere.mass

    def _reduced_damping(self, radius: float) -> float:
        """Friction coefficient mγ, kg/s."""
        if self.pressure == 0.0:
            return 0.0
        knudsen = self.mean_free_path / radius
        slip = 0.31 * knudsen / (0.785 + 1.152 * knudsen + knudsen**2)
        stokes = 6.0 * math.pi * self.viscosity * radius
        return stokes * 0.619 / (0.619 + knudsen) * (1.0 + slip)

    def occupation(self, omega: float) -> float:
        """Thermal occupation n̄ at ω (rad/s) and the gas temperature."""
        return bose_occupation(omega, self.temperature)

    def heating_rate(self, sphere: Sphere, omega: float) -> float:
        """Phonon heating rate γ n̄, 1/s."""
        return self.damping_rate(sphere) * self.occupation(omega)

    def crossover_pressure(self, sphere: Sphere, omega: float, recoil_rate: float) -> float:
        """Pressure at which γ(p) n̄ equals the recoil heating rate D_jj, Pa.

        Taken in free molecular flow, where γ ∝ p (to 1 % below 20 mbar for R = 100 nm).

        Parameters
        ----------
        sphere : Sphere
            The particle.
        omega : float
            Its frequency, rad/s.
        recoil_rate : float
            D_jj, 1/s; positive.

        Raises
        ------
        InputError
            If ``recoil_rate`` is not positive.
        """
        if not (math.isfinite(recoil_rate) and recoil_rate > 0.0):
            raise InputError(f"recoil_rate must be positive, got {recoil_rate!r} 1/s")
        probe = Gas(1e-6, self.temperature, self.species)
        return probe.pressure * recoil_rate / probe.heating_rate(sphere, omega)

    def radius_from_damping(self, gamma: float, density: float) -> float:
        """Radius whose damping rate is γ, m: the usual way to weigh a levitated sphere.

        Parameters
        ----------
        gamma : float
            Measured energy damping rate, 1/s.
        density : float
            Assumed density, kg/m³.

        Raises
        ------
        InputError
            If no radius of 1 nm … 10 µm fits.
        """
        low, high = 1e-9, 1e-5
        fastest = self.damping_rate(Sphere(low, density))
        slowest = self.damping_rate(Sphere(high, density))
        if not slowest <= gamma <= fastest:
            raise InputError(
                f"gamma must lie in {slowest:.4g} … {fastest:.4g} 1/s at this pressure "
                f"(radius 1 nm … 10 µm), got {gamma:g} 1/s"
            )
        # γ falls with R on the whole range: halve the interval in log R.
        for _ in range(80):
            middle = math.sqrt(low * high)
            if self.damping_rate(Sphere(middle, density)) > gamma:
                low = middle
            else:
                high = middle
        return math.sqrt(low * high)
