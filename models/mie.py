"""Beyond the dipole for one sphere: Mie theory of pressure, recoil and gradient force.

The scattering amplitudes come from miepython (extra ``mie``); what is made of them here holds in
light that is a plane wave across the sphere, with the axial momentum A·ħk of a focus for recoil:

- pressure: C_pr = ∫dσ (1 − cos θ), against C_sca = k⁴|α|²/(6πε0²) of the dipole;
- recoil along the beam: ∫dσ (A − cos θ)², against (A² + 2/5)C_sca; across it ∫dσ n_x², ∫dσ n_y²,
  against 2/5 and 1/5 for light polarised along y;
- gradient force of a beam wider than the sphere: the forward amplitude S(0) = ½Σ(2n+1)(a_n + b_n)
  shifts the phase of the light as a dipole of α_f = 4πiε0S(0)/k³ does, U = −¼ Re α_f |E|²; the
  electric dipole alone, α_e = 6πiε0a_1/k³, is given beside it.

With dσ/dΩ = (|S_1|² sin²φ + |S_2|² cos²φ)/k² and φ measured from the polarisation. Couplings of two
particles follow the dipoles: g scales with (Re α_f)² to the extent that this is what scatters, so
twice the error of α is the measure of doubt for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0
from .errors import InputError
from .ranges import require_range
from .sphere import Sphere

__all__ = ["MieCorrections", "dipole_radius", "mie_corrections"]

# Angular integrands are polynomials in cos θ of twice the highest multipole order.
_NODES = 64


@dataclass(frozen=True)
class MieCorrections:
    """Mie over dipole, 1 where the dipole (real α of Clausius and Mossotti) is exact.

    Attributes
    ----------
    size : float
        kR.
    electric_dipole : float
        Re α_e/α of the first electric multipole.
    gradient : float
        Re α_f/α of the gradient force; trap frequencies go with its square root.
    pressure : float
        Scattering force.
    recoil : tuple of float
        Momentum diffusion along (x, y, z), polarisation along y.
    asymmetry : float
        Mean cosine g of the scattered light, 0 for a dipole.
    """

    size: float
    electric_dipole: float
    gradient: float
    pressure: float
    recoil: tuple[float, float, float]
    asymmetry: float

    @property
    def frequency(self) -> float:
        """Trap frequency over that of the dipole."""
        return math.sqrt(max(0.0, self.gradient))

    def doubts(self, tolerance: float = 0.1) -> tuple[str, ...]:
        """Sentences on what is off by more than a share (0.1: 10 %); empty if nothing is."""
        named = {
            "the gradient force": self.gradient,
            "the scattering force": self.pressure,
            "recoil along x": self.recoil[0],
            "recoil along y": self.recoil[1],
            "recoil along z": self.recoil[2],
        }
        return tuple(
            f"kR = {self.size:.2f}: Mie theory gives {100.0 * (ratio - 1.0):+.0f} % for {what}"
            for what, ratio in named.items()
            if abs(ratio - 1.0) > tolerance
        )


def _miepython() -> Any:
    """Import the package that computes the amplitudes."""
    try:
        import miepython
    except ImportError:
        raise InputError(
            "Mie theory needs miepython: install it with pip install optobind[mie]"
        ) from None
    return miepython


def mie_corrections(
    sphere: Sphere, wavelength: float, propagation_factor: float = 1.0
) -> MieCorrections:
    """Compare Mie theory with the dipole for one sphere.

    Parameters
    ----------
    sphere : Sphere
        The particle.
    wavelength : float
        m; 200 nm … 20 µm.
    propagation_factor : float
        A of the focus, 0.1 … 1.

    Returns
    -------
    MieCorrections
        Ratios of Mie theory to the dipole: force, pressure, recoil.

    Raises
    ------
    InputError
        If miepython is missing, or for a value out of range.

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.mie_corrections(ob.Sphere(70e-9), 1064e-9)
    >>> 0.9 < found.gradient < 1.2
    True
    """
    require_range("wavelength", wavelength, 2e-7, 2e-5, "m")
    A = require_range("propagation_factor", propagation_factor, 0.1, 1.0)
    k = 2.0 * math.pi / wavelength
    size, alpha = k * sphere.radius, sphere.polarizability
    forward, electric = _amplitudes(sphere.index, size)
    unit = 4.0 * math.pi * EPSILON_0 / k**3
    mu, weight, parallel, perpendicular = _pattern(sphere.index, size)

    def integral(across: NDArray[np.float64], along: NDArray[np.float64]) -> float:
        """∫dσ of weights for the two planes, in 1/k²."""
        return float(np.sum(weight * (parallel * along + perpendicular * across)))

    flat, sine = np.full_like(mu, math.pi), 1.0 - mu**2
    scattered = integral(flat, flat)
    dipole = k**6 * alpha**2 / (6.0 * math.pi * EPSILON_0**2)  # k²C_sca
    pressure = integral(flat * (1.0 - mu), flat * (1.0 - mu))
    # ∫sin²φcos²φ = π/4, ∫cos⁴φ = 3π/4; n_y = sin θ cos φ lies along the polarisation.
    wide, narrow = 0.75 * math.pi * sine, 0.25 * math.pi * sine
    axial = flat * (A - mu) ** 2
    recoil = (
        integral(wide, narrow) / (0.4 * dipole),
        integral(narrow, wide) / (0.2 * dipole),
        integral(axial, axial) / ((A * A + 0.4) * dipole),
    )
    return MieCorrections(
        size=size,
        electric_dipole=float((1.5j * unit * electric).real / alpha),
        gradient=float((1j * unit * forward).real / alpha),
        pressure=pressure / dipole,
        recoil=recoil,
        asymmetry=integral(flat * mu, flat * mu) / scattered,
    )


def _amplitudes(index: float, size: float) -> tuple[complex, complex]:
    """S(0) and a_1 with the time factor exp(−iωt), as in Bohren and Huffman."""
    a, b = (np.atleast_1d(c) for c in _miepython().coefficients(complex(index), size))
    order = np.arange(1, len(a) + 1)
    return complex(0.5 * np.sum((2 * order + 1) * (a + b))), complex(a[0])


def _pattern(
    index: float, size: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights in cos θ with |S_2|² (in the plane of polarisation) and |S_1|²."""
    mu, weight = np.polynomial.legendre.leggauss(_NODES + 4 * math.ceil(size))
    first, second = _miepython().S1_S2(complex(index), size, mu, norm="wiscombe")
    return mu, weight, np.abs(second) ** 2, np.abs(first) ** 2


def dipole_radius(
    index: float, wavelength: float, tolerance: float = 0.1, propagation_factor: float = 1.0
) -> float:
    """Radius up to which no dipole number is off by more than a share, m.

    Parameters
    ----------
    index : float
        Refractive index.
    wavelength : float
        m.
    tolerance : float
        0.1 for 10 %; 0.001 … 1.
    propagation_factor : float
        A of the focus.

    Returns
    -------
    float
        m.

    Examples
    --------
    >>> import optobind as ob
    >>> 50e-9 < ob.dipole_radius(1.45, 1064e-9) < 150e-9
    True
    """
    require_range("tolerance", tolerance, 1e-3, 1.0)
    wavelength = require_range("wavelength", wavelength, 2e-7, 2e-5, "m")

    def good(radius: float) -> bool:
        sphere = Sphere(radius, index=index)
        return not mie_corrections(sphere, wavelength, propagation_factor).doubts(tolerance)

    low, high = 1e-3 * wavelength, 0.5 * wavelength
    # The first crossing: corrections rise from zero as (kR)².
    radii = np.geomspace(low, high, 60)
    bad = next((float(r) for r in radii if not good(float(r))), None)
    if bad is None:
        return high
    low, high = max(low, bad / float(radii[1] / radii[0])), bad
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if good(middle) else (low, middle)
    return low
