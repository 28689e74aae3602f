"""Tightly focused light: the vector field behind an aplanatic objective (Richards and Wolf 1959).

A Gaussian input beam of waist w_in, filling f_0 = w_in/(f·NA), is refracted onto the sphere of
plane waves a(s) ∝ √cosθ exp[−sin²θ/(f_0² NA²)] (e_φe_φ + e_θe_ρ)·ê. E(r) = ∫a(s) e^{iks·r} dΩ is
an exact solution of Maxwell's equations, with a field along z off axis; derivatives are factors
iks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0, SPEED_OF_LIGHT
from .errors import InputError
from .ranges import require_range

__all__ = ["AplanaticObjective", "aplanatic_factor"]

Complex = NDArray[np.complex128]

_NODES = 28  # of each quadrature at the focus; distance from it adds to them


@dataclass(frozen=True)
class AplanaticObjective:
    """An aplanatic objective in vacuum.

    Attributes
    ----------
    numerical_aperture : float
        NA = sin θ_max; 0.05 … 0.99.
    filling : float
        Waist of the input beam over the radius of the aperture; above 0.1, infinite for a uniformly
        filled (overfilled) pupil.

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> round(ob.AplanaticObjective(0.8).propagation_factor, 2)
    0.82
    """

    numerical_aperture: float
    filling: float = math.inf

    def __post_init__(self) -> None:
        require_range("numerical_aperture", self.numerical_aperture, 0.05, 0.99)
        if not self.filling >= 0.1:
            raise InputError(
                f"filling must be at least 0.1 (inf: overfilled), got {self.filling!r}"
            )

    @property
    def propagation_factor(self) -> float:
        """Factor A = ∂_z arg E/k at the focus: the mean cos θ of the field on the axis."""
        mu, weight = self._polar_nodes(64)
        # On the axis e_φ and e_θ add to (1 + cos θ)/2 of the input polarisation.
        amplitude = weight * self._apodisation(mu) * (1.0 + mu)
        return float(np.sum(amplitude * mu) / np.sum(amplitude))

    def effective_waists(
        self, polarization: tuple[complex, ...], wavelength: float
    ) -> tuple[float, float]:
        """1/e² radii (w_x, w_y), m, of the Gaussian with the focus' curvature of |E|².

        Parameters
        ----------
        polarization : tuple of complex
            Jones vector (x, y).
        wavelength : float
            m.
        """
        k = 2.0 * math.pi / wavelength
        value, first, second = self.field(np.zeros((1, 3)), k, 1.0, polarization)
        bent = np.einsum("ni,naai->a", value.conj(), second).real
        slope = np.einsum("nai,nai->a", first.conj(), first).real
        # |E|² ≈ E_0²(1 − 2x²/w²).
        curvature = 2.0 * (bent + slope) / float(np.vdot(value, value).real)
        return math.sqrt(-4.0 / curvature[0]), math.sqrt(-4.0 / curvature[1])

    def field(
        self,
        offset: NDArray[np.float64],
        k: float,
        power: float,
        polarization: tuple[complex, ...],
    ) -> tuple[Complex, Complex, Complex]:
        """Field and its derivatives at offsets from the focus, light along +z, phase 0 there.

        Parameters
        ----------
        offset : ndarray, shape (n, 3)
            m.
        k : float
            Wave number, 1/m.
        power : float
            Power through the focus, W.
        polarization : tuple of complex
            Jones vector (x, y), normalised.

        Returns
        -------
        value, first, second : ndarray, shapes (n, 3), (n, 3, 3), (n, 3, 3, 3)
            E_i, ∂_aE_i, ∂_a∂_bE_i.
        """
        across = k * float(np.hypot(offset[:, 0], offset[:, 1]).max(initial=0.0))
        along = k * float(np.abs(offset[:, 2]).max(initial=0.0))
        direction, amplitude = self._plane_waves(across, along, polarization)
        # P = (ε0c/2)(2π/k)²∫|a|²dΩ, with the solid angle inside both factors of the weights.
        strength = math.sqrt(2.0 * power / (EPSILON_0 * SPEED_OF_LIGHT)) * k / (2.0 * math.pi)
        wave = strength * np.exp(1j * k * (offset @ direction.T))
        slope = 1j * k * direction
        value = wave @ amplitude
        first = np.einsum("nm,ma,mi->nai", wave, slope, amplitude, optimize=True)
        second = np.einsum("nm,ma,mb,mi->nabi", wave, slope, slope, amplitude, optimize=True)
        return value, first, second

    def _plane_waves(
        self, across: float, along: float, polarization: tuple[complex, ...]
    ) -> tuple[NDArray[np.float64], Complex]:
        """Directions (m, 3) and weighted amplitudes (m, 3), ∫|a|²dΩ = 1, fine for k·offset."""
        aperture = self.numerical_aperture
        # e^{iks·r} oscillates k·ρ·NA times in angle; quadratures converge beyond that.
        turns = 2 * (_NODES // 2) + math.ceil(across * aperture)
        polar = _NODES + math.ceil(0.5 * across * aperture + 0.5 * along * (1.0 - self._least_mu))
        mu, weight = (part[:, None] for part in self._polar_nodes(polar))
        angle = (np.arange(turns) + 0.5) * (2.0 * math.pi / turns)
        cosine, sine = np.cos(angle)[None, :], np.sin(angle)[None, :]
        rho = np.sqrt(1.0 - mu**2)
        direction = np.stack(np.broadcast_arrays(rho * cosine, rho * sine, mu), axis=-1)
        radial = polarization[0] * cosine + polarization[1] * sine
        azimuthal = polarization[1] * cosine - polarization[0] * sine
        vector = np.stack(
            np.broadcast_arrays(
                mu * cosine * radial - sine * azimuthal,
                mu * sine * radial + cosine * azimuthal,
                -rho * radial,
            ),
            axis=-1,
        )
        apodisation = self._apodisation(mu)
        solid = weight * (2.0 * math.pi / turns)
        norm = math.sqrt(float(2.0 * math.pi * np.sum(weight * apodisation**2)))
        weighted = (solid * apodisation / norm)[..., None] * vector
        return direction.reshape(-1, 3), weighted.reshape(-1, 3)

    @property
    def _least_mu(self) -> float:
        return math.sqrt(1.0 - self.numerical_aperture**2)

    def _polar_nodes(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gauss–Legendre nodes and weights in μ = cos θ over the aperture."""
        node, weight = np.polynomial.legendre.leggauss(count)
        half = 0.5 * (1.0 - self._least_mu)
        return 1.0 - half * (1.0 - node), half * weight

    def _apodisation(self, mu: NDArray[np.float64]) -> NDArray[np.float64]:
        """√cosθ of energy conservation times the Gaussian of the input beam."""
        width = self.filling * self.numerical_aperture
        return np.asarray(np.sqrt(mu) * np.exp(-(1.0 - mu**2) / width**2))


def aplanatic_factor(numerical_aperture: float, filling: float = math.inf) -> float:
    """A of an aplanatic objective, by quadrature over its aperture.

    Parameters
    ----------
    numerical_aperture : float
        NA; 0.8 overfilled gives 0.82.
    filling : float
        Waist of the input beam over the radius of the aperture.

    Returns
    -------
    float
        A, 0 … 1.

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> round(ob.aplanatic_factor(0.8), 2)
    0.82
    """
    return AplanaticObjective(numerical_aperture, filling).propagation_factor
