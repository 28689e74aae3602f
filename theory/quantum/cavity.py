"""Two particles that scatter coherently into one cavity mode, beside their binding in free space.

H/ħ = Δ a†a + Σ_j (g_j a† + g_j* a)(b_j + b_j†) with z_j = (b_j + b_j†)/√2, Δ = ω_c − ω_L and the
energy decay κ of the mode (Gonzalez-Ballester et al., PRA 100, 013805 (2019); Rudolph et al., PRA
101, 011804(R) (2020)). With a = (X + iY)/√2 the six states are (z_1, p_1, z_2, p_2, X, Y).

For |Δ + iκ/2| ≫ ω the mode follows, a = −i√2 Σ g_jz_j/(iΔ + κ/2), and Eq. (7) returns with
g_r = 2 Re(g_1*g_2) Δ/(Δ² + κ²/4), D_jl = κ g_jg_l*/(Δ² + κ²/4), Im D_12 = g_a and
s_j = −2|g_j|²Δ/(Δ² + κ²/4): one scattering channel with D_11D_22 = |D_12|², where Δ > κ/2 makes g_r
exceed the recoil.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.pair import PairConstants
from ...models.ranges import require_range
from .homodyne import HomodyneDetection

__all__ = ["ScatteringCavity"]


@dataclass(frozen=True)
class ScatteringCavity:
    """A cavity mode into which both particles scatter.

    Attributes
    ----------
    detuning : float
        Δ = ω_c − ω_L, rad/s; Δ > 0 cools.
    linewidth : float
        κ, energy decay rate, 1/s, positive.
    couplings : tuple of complex
        (g_1, g_2), rad/s; their phases are those of the tweezers at the cavity's mode.
    input_occupation : float
        Thermal occupation of the cavity's input, 0 for light.

    Raises
    ------
    InputError
        For a value that is not finite, or a linewidth that is not positive.

    References
    ----------
    C. Gonzalez-Ballester et al., PRA 100, 013805 (2019).
    H. Rudolph et al., PRA 101, 011804(R) (2020).

    Examples
    --------
    Far detuned, a cavity makes the binding exceed the recoil, which free space forbids.

    >>> import optobind as ob
    >>> cavity = ob.theory.ScatteringCavity(detuning=1e7, linewidth=1e6, couplings=(1e5, 1e5))
    >>> round(cavity.reciprocal_coupling / float(cavity.diffusion[0, 0].real), 6)
    20.0
    """

    detuning: float
    linewidth: float
    couplings: tuple[complex, complex]
    input_occupation: float = 0.0

    def __post_init__(self) -> None:
        require_range("detuning", self.detuning, -1e15, 1e15, "rad/s")
        require_range("linewidth", self.linewidth, 1e-6, 1e15, "1/s")
        require_range("input_occupation", self.input_occupation, 0.0, 1e9)
        try:
            first, second = (complex(value) for value in self.couplings)
        except (TypeError, ValueError):
            raise InputError(f"couplings must be 2 numbers, got {self.couplings!r}") from None
        for value in (first, second):
            require_range("|coupling|", abs(value), 0.0, 1e15, "rad/s")
        object.__setattr__(self, "couplings", (first, second))

    def to_linear(self, pair: PairConstants) -> LinearModel:
        """Six-state model of pair and cavity, states (z_1, p_1, z_2, p_2, X, Y), outputs z_1, z_2.

        Parameters
        ----------
        pair : PairConstants
            Frequencies, binding, recoil and gas of the particles without the cavity.
        """
        alone = pair.to_linear()
        drift, noise = np.zeros((6, 6)), np.zeros((6, 6))
        drift[:4, :4], noise[:4, :4] = alone.drift, alone.noise
        drift[4, 5], drift[5, 4] = self.detuning, -self.detuning
        drift[4, 4] = drift[5, 5] = -0.5 * self.linewidth
        noise[4, 4] = noise[5, 5] = self.linewidth * (self.input_occupation + 0.5)
        # H/ħ = 2 Σ z_j (Re g_j X + Im g_j Y).
        for particle, g in enumerate(self.couplings):
            z, p = 2 * particle, 2 * particle + 1
            drift[p, 4], drift[p, 5] = -2.0 * g.real, -2.0 * g.imag
            drift[4, z], drift[5, z] = 2.0 * g.imag, -2.0 * g.real
        output = np.zeros((2, 6))
        output[0, 0] = output[1, 2] = 1.0
        return LinearModel(drift, noise, output)

    def detection(self, efficiency: float = 1.0, angle: float = 0.0) -> HomodyneDetection:
        """Homodyne detection of the cavity's output, L = e^{−iθ}√κ a.

        Parameters
        ----------
        efficiency : float
            η, losses in mirrors included, 0 … 1.
        angle : float
            θ, rad; the record follows X cos θ + Y sin θ.

        Raises
        ------
        InputError
            For a thermal input, whose noise does not belong to a vacuum record.
        """
        if self.input_occupation > 0.0:
            raise InputError(
                f"detection needs a vacuum input, input_occupation is {self.input_occupation:g}"
            )
        angle = require_range("angle", angle, -1e3, 1e3, "rad")
        rows = np.zeros((1, 6), dtype=np.complex128)
        rows[0, 4:] = math.sqrt(0.5 * self.linewidth) * np.exp(-1j * angle) * np.array([1.0, 1.0j])
        return HomodyneDetection(rows, np.array([efficiency]))

    @property
    def _follow(self) -> float:
        """1/(Δ² + κ²/4), s²."""
        return 1.0 / (self.detuning**2 + 0.25 * self.linewidth**2)

    @property
    def reciprocal_coupling(self) -> float:
        """Cavity-mediated g_r = 2 Re(g_1*g_2) Δ/(Δ² + κ²/4) for |Δ + iκ/2| ≫ ω, rad/s."""
        first, second = self.couplings
        return 2.0 * (first.conjugate() * second).real * self.detuning * self._follow

    @property
    def diffusion(self) -> NDArray[np.complex128]:
        """D_jl = κ g_jg_l*(2n + 1)/(Δ² + κ²/4) in its real part, (2, 2), 1/s; Im D_12 = g_a."""
        g = np.array(self.couplings, dtype=np.complex128)
        product = self.linewidth * self._follow * np.outer(g, g.conj())
        return np.asarray(product.real * (2.0 * self.input_occupation + 1.0) + 1j * product.imag)

    @property
    def spring_shifts(self) -> tuple[float, float]:
        """Optical springs s_j = −2|g_j|²Δ/(Δ² + κ²/4) for |Δ + iκ/2| ≫ ω, rad/s."""
        first, second = (-2.0 * abs(g) ** 2 * self.detuning * self._follow for g in self.couplings)
        return first, second

    def adiabatic_pair(self, pair: PairConstants) -> PairConstants:
        """Pair constants with the cavity eliminated, to leading order in ω/|Δ + iκ/2|.

        The damping, of the next order, is left out: see :meth:`cooling_rates`.
        """
        noise = self.diffusion
        shifts = [own + s for own, s in zip(pair.shifts, self.spring_shifts, strict=True)]
        return replace(
            pair,
            g_r=pair.g_r + self.reciprocal_coupling,
            g_a=pair.g_a + float(noise[0, 1].imag),
            D11=pair.D11 + float(noise[0, 0].real),
            D22=pair.D22 + float(noise[1, 1].real),
            re_D12=pair.re_D12 + float(noise[0, 1].real),
            shift_1=shifts[0],
            shift_2=shifts[1],
        )

    def scattering_rates(self, omega: float) -> tuple[float, float]:
        """Rates κ/(κ²/4 + (Δ ∓ ω)²) per |g|² of anti-Stokes and Stokes scattering, s."""
        omega = require_range("omega", omega, 1e-6, 1e15, "rad/s")
        quarter = 0.25 * self.linewidth**2
        cooling, heating = (
            self.linewidth / (quarter + (self.detuning - sign * omega) ** 2) for sign in (1.0, -1.0)
        )
        return cooling, heating

    def cooling_rates(self, omega: float) -> tuple[float, float]:
        """Energy damping rates |g_j|²κ[1/(κ²/4 + (Δ−ω)²) − 1/(κ²/4 + (Δ+ω)²)], 1/s.

        For g_j ≪ κ, ω and particles that do not share a frequency; with one frequency the cavity
        damps the bright mode Σ g_jb_j at the sum of both rates and leaves the dark one.
        """
        cooling, heating = self.scattering_rates(omega)
        first, second = (abs(g) ** 2 * (cooling - heating) for g in self.couplings)
        return first, second

    def minimum_occupation(self, omega: float) -> float:
        """Occupation A_+/(A_− − A_+) that the cavity alone cools to; (κ/4ω)² at Δ = ω ≫ κ.

        Raises
        ------
        InputError
            For Δ ≤ 0, where the cavity heats.
        """
        cooling, heating = self.scattering_rates(omega)
        if cooling <= heating:
            raise InputError(f"the cavity cools only for detuning > 0, got {self.detuning:g} rad/s")
        return heating / (cooling - heating)
