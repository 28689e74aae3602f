"""The pair model, Eqs. (6)–(12) of the Letter (Rudolph et al., PRL 133, 233603).

State order (z_1, p_1, z_2, p_2), dimensionless with one common scale ω = (ω_1+ω_2)/2, vacuum
variance 1/2. ω_1 = ω − δω/2, ω_2 = ω + δω/2. See docs/theory/symbols.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .linear import LinearModel
from .oscillators import oscillator_model, pair_drift
from .ranges import require_finite
from .regimes import (
    eigenfrequencies,
    exceptional_detunings,
    exceptional_square,
    radicand,
    regime_flags,
)

__all__ = ["PairConstants"]


@dataclass(frozen=True)
class PairConstants:
    """Constants of the linearised pair; all rates in rad/s.

    Attributes
    ----------
    omega : float
        Mean frequency ω without binding; the scale of both particles' quanta.
    delta_omega : float
        Detuning δω = ω_2 − ω_1 of the bare frequencies.
    g_r, g_a : float
        Reciprocal and antireciprocal coupling, Eq. (6); g_a = Im D_12.
    D11, D22 : float
        Recoil heating rates dn/dt of the particles.
    re_D12 : float
        Re D_12, the shot-noise correlation, Eq. (8).
    gamma : tuple of float
        Energy damping rates γ_j by gas, 1/s.
    n_thermal : tuple of float
        Occupations n̄_j of the gas bath.
    shift_1, shift_2 : float or None
        Local stiffness shifts s_j; None stands for Eq. (9), s_{1,2} = g_r ± g_a.

    Raises
    ------
    InputError
        For a frequency or diffusion that is not positive, or D_11 D_22 < |D_12|².

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (6)–(12).

    Examples
    --------
    >>> import optobind as ob
    >>> pair = ob.PairConstants(
    ...     omega=3e5, delta_omega=2e4, g_r=5e3, g_a=8e3, D11=5e4, D22=5e4, re_D12=1e4
    ... )
    >>> pair.symmetry_broken, [name for name, found in pair.regime().items() if found]
    (True, ['unidirectional'])
    """

    omega: float
    delta_omega: float
    g_r: float
    g_a: float
    D11: float
    D22: float
    re_D12: float
    gamma: tuple[float, float] = (0.0, 0.0)
    n_thermal: tuple[float, float] = (0.0, 0.0)
    shift_1: float | None = None
    shift_2: float | None = None

    def __post_init__(self) -> None:
        self._check_numbers()
        if not (math.isfinite(self.omega) and self.omega > 0.0):
            raise InputError(f"omega must be positive, got {self.omega!r} rad/s")
        if abs(self.delta_omega) >= 2.0 * self.omega:
            raise InputError(
                f"delta_omega must lie within ±2 omega, got {self.delta_omega!r} rad/s"
            )
        if min(self.D11, self.D22, *self.gamma, *self.n_thermal) < 0.0:
            raise InputError("D11, D22, gamma and n_thermal must be at least 0")
        # Complete positivity of Eq. (7); rounding of a physical D must pass.
        if self.re_D12**2 + self.g_a**2 > self.D11 * self.D22 * (1.0 + 1e-9):
            raise InputError(
                f"D11·D22 = {self.D11 * self.D22:.6g} is smaller than |D12|² = "
                f"{self.re_D12**2 + self.g_a**2:.6g}: the master equation would not be positive"
            )

    def _check_numbers(self) -> None:
        """Every rate is one finite number; gamma and n_thermal are two."""
        for name in ("gamma", "n_thermal"):
            if np.shape(getattr(self, name)) != (2,):
                raise InputError(f"{name} needs two values, got {getattr(self, name)!r}")
        rates = ("omega", "delta_omega", "g_r", "g_a", "D11", "D22", "re_D12")
        for name in rates:
            require_finite(name, getattr(self, name), "rad/s")
        for value in (*self.gamma, *self.n_thermal):
            require_finite("gamma and n_thermal", value)
        for name in ("shift_1", "shift_2"):
            if getattr(self, name) is not None:
                require_finite(name, getattr(self, name), "rad/s")

    @classmethod
    def far_field(
        cls,
        *,
        omega: float,
        kd: float,
        phi: float,
        G: float,
        D11: float,
        D22: float,
        delta_omega: float = 0.0,
        gamma: tuple[float, float] = (0.0, 0.0),
        n_thermal: tuple[float, float] = (0.0, 0.0),
    ) -> PairConstants:
        """Far-field constants, Eqs. (6) and (8): g_r, g_a and Re D_12 from G, kd and φ."""
        require_finite("phi", phi, "rad")
        if require_finite("kd", kd) <= 0.0:
            raise InputError(f"kd must be positive, got {kd!r}")
        rate = G / kd
        return cls(
            omega=omega,
            delta_omega=delta_omega,
            g_r=rate * math.cos(kd) * math.cos(phi),
            g_a=rate * math.sin(kd) * math.sin(phi),
            D11=D11,
            D22=D22,
            re_D12=rate * math.sin(kd) * math.cos(phi),
            gamma=gamma,
            n_thermal=n_thermal,
        )

    @property
    def shifts(self) -> tuple[float, float]:
        """Local stiffness shifts (s_1, s_2), rad/s; Eq. (9) unless given."""
        first = self.g_r + self.g_a if self.shift_1 is None else self.shift_1
        second = self.g_r - self.g_a if self.shift_2 is None else self.shift_2
        return first, second

    @property
    def bare_frequencies(self) -> tuple[float, float]:
        """(ω_1, ω_2) without binding, rad/s."""
        return self.omega - 0.5 * self.delta_omega, self.omega + 0.5 * self.delta_omega

    @property
    def line_frequencies(self) -> tuple[float, float]:
        """(ω̃_1, ω̃_2) with ω̃_j² = ω_j² + 2ωs_j: the lines without the mutual coupling, rad/s."""
        squares = self._line_squares
        if min(squares) <= 0.0:
            raise InputError("binding anti-traps a particle: ω_j² + 2ωs_j is not positive")
        return math.sqrt(squares[0]), math.sqrt(squares[1])

    @property
    def _line_squares(self) -> tuple[float, float]:
        """ω_j² + 2ωs_j, (rad/s)²; negative where binding anti-traps."""
        (w1, w2), (s1, s2) = self.bare_frequencies, self.shifts
        return w1 * w1 + 2.0 * self.omega * s1, w2 * w2 + 2.0 * self.omega * s2

    @property
    def diffusion(self) -> NDArray[np.complex128]:
        """D, shape (2, 2), hermitian, with Im D_12 = g_a (Eq. (8))."""
        cross = self.re_D12 + 1j * self.g_a
        return np.array([[self.D11, cross], [cross.conjugate(), self.D22]])

    @property
    def total_diffusion(self) -> tuple[float, float]:
        """Recoil and gas together, D_jj + γ_j(n̄_j + ½): what a spectrum shows, rad/s."""
        first, second = (g * (n + 0.5) for g, n in zip(self.gamma, self.n_thermal, strict=True))
        return self.D11 + first, self.D22 + second

    def to_linear(self) -> LinearModel:
        """Return Eq. (7) with gas damping as a :class:`LinearModel` of (z_1, p_1, z_2, p_2)."""
        total = self.total_diffusion
        drift = pair_drift(self.omega, self._line_squares, self.g_r, self.g_a, self.gamma)
        return oscillator_model(drift, [[total[0], self.re_D12], [self.re_D12, total[1]]])

    def dynamical_matrix(self) -> NDArray[np.float64]:
        """H_NH of Eq. (11) in the frame rotating at ω + g_r, shape (2, 2), rad/s."""
        half, r, a = 0.5 * self.delta_omega, self.g_r, self.g_a
        return np.array([[-half + a, -r - a], [-r + a, half - a]])

    def eigenfrequencies(self) -> NDArray[np.complex128]:
        """ω_± of Eq. (12) in the rotating wave approximation, shape (2,), rad/s."""
        return eigenfrequencies(self.delta_omega, self.g_r, self.g_a)

    @property
    def symmetry_broken(self) -> bool:
        """Whether the generalized PT symmetry is broken: Eq. (12) is imaginary."""
        return bool(radicand(self.delta_omega, self.g_r, self.g_a) < 0.0)

    def exceptional_points(self) -> tuple[float, float] | None:
        """Detunings δω = 2g_a ± 2√(g_a² − g_r²) of the exceptional points (rotating wave), rad/s.

        None while |g_a| < |g_r|, where none exists. The exact condition is that
        |ω̃_2² − ω̃_1²| = 4ω√(g_a² − g_r²); gas with γ_1 = γ_2 does not move it.
        """
        if exceptional_square(self.g_r, self.g_a) < 0.0:
            return None
        lower, upper = exceptional_detunings(self.g_a, self.g_r)
        return float(lower), float(upper)

    def exceptional_line_splitting(self) -> float | None:
        """Exact |ω̃_2² − ω̃_1²| at the exceptional points, 4ω√(g_a² − g_r²), (rad/s)²."""
        square = float(exceptional_square(self.g_r, self.g_a))
        return None if square < 0.0 else 4.0 * self.omega * math.sqrt(square)

    def regime(self) -> dict[str, bool]:
        """Regimes of Fig. 3(a), see :func:`.regimes.regime_flags`."""
        flags = regime_flags(self.g_r, self.g_a, self.re_D12)
        return {name: bool(flag) for name, flag in flags.items()}

    def heating_rates(self) -> tuple[float, float]:
        """Heating rates (D_+, D_−) of a_± = (a_1 ± a_2)/√2: (D_11 + D_22)/2 ± Re D_12, rad/s."""
        mean = 0.5 * (self.D11 + self.D22)
        return mean + self.re_D12, mean - self.re_D12

    def saturation_occupation(self) -> float:
        """Occupation D/(2|g_a| + γ) − ½ at which the damped mode saturates (g_r = 0, δω = 2g_a).

        D is the mean of both particles' total diffusion, gas included, and γ that of the gas
        damping: they share the mode equally. Without gas it is D_11/(2|g_a|) − ½. The Letter prints
        ⟨ξ†ξ⟩ = 2D_11 δ below Eq. (11); Eq. (7) gives D_11 δ, and only that yields this number,
        which the Letter itself quotes for D_11 = D_22 (docs/theory/errata.md).
        """
        if self.g_a == 0.0:
            raise InputError("no mode is damped at g_a = 0")
        return sum(self.total_diffusion) / (4.0 * abs(self.g_a) + sum(self.gamma)) - 0.5
