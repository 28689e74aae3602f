"""How couplings, correlated recoil and lines of one pair follow the light, Eqs. (6) and (8).

The Letter's far field, made good enough for fits of many settings. With ρ = kd, the transverse
field of a dipole a(ρ) = e^{iρ}(1/ρ + i/ρ² − 1/ρ³) and A = ∂_z ln E/(ik), the z force of a dipole
on another responds by h = a − a′/(A²ρ), so that to lowest order

    g_r = G Re h cos φ,  g_a = G Im h sin φ,  D_12 = G Im h e^{iφ}

(h → e^{iρ}/ρ for large ρ: Eqs. (6) and (8)). Binding shifts the equilibria, by forces of the same
size: A k(z_1 − z_2) = −κ' Re a sin φ with κ' = 4G/ω and k|x_1 − x_2| changes by κ' t Re a′ cos φ,
t = (ω_z/ω_x)². So φ at the particles is φ_l = φ − κ' Re a sin φ_l, and the displacement
ε = 2(φ_l − φ)/(A²ρ) adds ε Re a′ sin φ_l to g_r, −ε Im a′ cos φ_l to g_a and ε Im a′ sin φ_l to
Re D_12. Against the equilibria from first principles this leaves 0.6 % of G/ρ (physics.md §1; far
field at fixed φ: 10 %).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...array import TrapArray
from ...errors import InputError
from ...light import TweezerState
from ...ranges import require_finite
from ..matrices import NAMES

__all__ = ["LAW", "Foreseen", "PairLaw", "PairSetting"]

_Array = NDArray[np.float64]

LAW = NAMES["global"][:7]
"""Parameters of the law: the coupling constant at the law's power and omega_0; what is added to k
times the set distance and to the set phase; the shift of the equilibria over its lowest order
4G/ω; the frequency of either trap at the law's power without binding; what is added to the set
balance; d ln ω/d ln P."""

_ITERATIONS = 7  # of the equilibria: each gains nearly a digit


@dataclass(frozen=True)
class PairSetting:
    """The light of a pair as it was set, and the gas.

    Attributes
    ----------
    phi : float
        Set phase φ_1 − φ_2, rad.
    distance : float
        Of the foci, m.
    powers : (float, float)
        P_1 and P_2, W; equal and 1 where they are not known.
    pressure : float or None
        Pa.

    Examples
    --------
    >>> import optobind as ob
    >>> light = ob.PairSetting(phi=0.4, distance=2.45e-6, powers=(0.20, 0.19))
    >>> round(light.balance, 4)
    -0.0256
    """

    phi: float
    distance: float
    powers: tuple[float, float] = (1.0, 1.0)
    pressure: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no light is."""
        require_finite("phi", self.phi, "rad")
        if not (math.isfinite(self.distance) and self.distance > 0.0):
            raise InputError(f"distance must be positive, got {self.distance!r} m")
        if len(self.powers) != 2 or not all(math.isfinite(p) and p > 0.0 for p in self.powers):
            raise InputError(f"powers must be two positive numbers in W, got {self.powers!r}")
        if self.pressure is not None and not (
            math.isfinite(self.pressure) and self.pressure >= 0.0
        ):
            raise InputError(f"pressure must be at least 0 Pa, got {self.pressure!r}")

    @classmethod
    def of(cls, state: TweezerState, pressure: float | None = None) -> PairSetting:
        """Setting of the first two sites of a state of the light."""
        powers = state.sites[0].power, state.sites[1].power
        return cls(state.relative_phase, state.separation, powers, pressure)

    @property
    def balance(self) -> float:
        """(P_2 − P_1)/(P_1 + P_2)."""
        return (self.powers[1] - self.powers[0]) / (self.powers[0] + self.powers[1])

    @property
    def same_light(self) -> tuple[float, ...]:
        """Equal for settings of one light, φ counted modulo 2π."""
        turn = round(math.remainder(self.phi, math.tau), 4)
        turn = math.pi if abs(abs(turn) - math.pi) < 1e-4 else turn
        return (turn, round(self.distance, 11), *(float(f"{p:.4g}") for p in self.powers))


class Foreseen(NamedTuple):
    """What the law foresees at n settings, rad/s and rad, shape (n,) each."""

    g_r: _Array
    g_a: _Array
    re_D12: _Array
    omega_1: _Array
    omega_2: _Array
    phi_local: _Array


@dataclass(frozen=True)
class PairLaw:
    """What is known of the optics beforehand.

    Attributes
    ----------
    wavelength : float
        m.
    slope : float
        A = ∂_z ln E/(ik) at the particles, 1 for plane waves.
    transverse : float
        (ω_z/ω_x)², by how much softer the traps are along z.
    power : float
        W: G and omega_0 are those of two traps of this power.

    Examples
    --------
    >>> import optobind as ob
    >>> round(ob.PairLaw(wavelength=1064e-9).k * 1e-6, 3)
    5.905
    """

    wavelength: float
    slope: float = 1.0
    transverse: float = 0.1
    power: float = 1.0

    @classmethod
    def gaussian(
        cls, wavelength: float, waists: tuple[float, float], powers: tuple[float, float]
    ) -> PairLaw:
        """The optics of two Gaussian beams of these waists (m) and powers (W)."""
        k = math.tau / wavelength
        ranges = [0.5 * k * waist**2 for waist in waists]
        slope = 1.0 - sum(1.0 / z for z in ranges) / (2.0 * k)
        # ω_x² = 4U/(m w²), ω_z² = U(1/z_x² + 1/z_y²)/m.
        soft = 0.25 * waists[0] ** 2 * sum(1.0 / z**2 for z in ranges)
        return cls(wavelength, slope, soft, 0.5 * sum(powers))

    @classmethod
    def of(cls, trap: TrapArray) -> PairLaw:
        """The optics of an array's first two tweezers."""
        first, second = trap.tweezers[:2]
        waists = 0.5 * (first.waist_x + second.waist_x), 0.5 * (first.waist_y + second.waist_y)
        return cls.gaussian(trap.wavelength, waists, (first.power, second.power))

    @property
    def k(self) -> float:
        """Wave number, 1/m."""
        return math.tau / self.wavelength

    def foresee(
        self,
        values: Mapping[str, float],
        settings: Sequence[PairSetting],
        turn: _Array | float = 0.0,
    ) -> Foreseen:
        """Couplings, correlated recoil and lines in the convention of fits.

        Parameters
        ----------
        values : mapping
            The parameters ``LAW``.
        settings : sequence of PairSetting
            n of them.
        turn : ndarray, shape (n,), or float
            Added to φ, rad.
        """
        return self.foresee_table(values, setting_table(settings), turn)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters, ``LAW``."""
        return LAW

    def columns(self, values: _Array, settings: Sequence[PairSetting]) -> _Array:
        """g_r, g_a, re_D12, omega_1, omega_2 for rows of values (k, ≥ 7), shape (k, n, 5)."""
        named = {name: values[:, j, None] for j, name in enumerate(LAW)}
        found = self.foresee_table(named, setting_table(settings))
        five = (found.g_r, found.g_a, found.re_D12, found.omega_1, found.omega_2)
        return np.stack(np.broadcast_arrays(*five), axis=-1)

    def foresee_table(
        self, values: Mapping[str, float | _Array], table: _Array, turn: _Array | float = 0.0
    ) -> Foreseen:
        """The same for settings as columns φ, d, P_1, P_2 of a table (…, n, 4).

        Values and turn may have leading dimensions, which broadcast against the n settings.
        """
        v, phi = values, table[..., 0] + values["phi_0"] + turn
        rho = self.k * table[..., 1] + v["kd_0"]
        first = table[..., 2] / self.power * (1.0 - v["balance_0"])
        second = table[..., 3] / self.power * (1.0 + v["balance_0"])
        bare_1, bare_2 = (v["omega_0"] * p ** v["omega_slope"] for p in (first, second))
        omega = 0.5 * (bare_1 + bare_2)
        rate = v["G"] * np.sqrt(first * second) * v["omega_0"] / omega
        pull = 4.0 * v["kappa"] * rate / omega
        local, apart = phi, rho
        for _ in range(_ITERATIONS):
            wave, slope = _waves(apart)
            local = phi - pull * wave.real * np.sin(local)
            apart = rho + pull * self.transverse * slope.real * np.cos(local)
        square = self.slope**2
        (wave, slope), sine, cosine = _waves(apart), np.sin(local), np.cos(local)
        h = wave - slope / (square * apart)
        lifted = 2.0 * (local - phi) / (square * apart)
        g_r = rate * (h.real * cosine + lifted * slope.real * sine)
        g_a = rate * (h.imag * sine - lifted * slope.imag * cosine)
        # Eq. (9): each line is shifted by what acts on its particle.
        line_1, line_2 = bare_1 + g_r + g_a, bare_2 + g_r - g_a
        # Quanta are counted on the lines of a fit: g and D scale as ω over their mean.
        own = omega / (0.5 * (line_1 + line_2))
        cross = rate * (h.imag * cosine + lifted * slope.imag * sine)
        return Foreseen(own * g_r, own * g_a, own * cross, line_1, line_2, local)


def setting_table(settings: Sequence[PairSetting]) -> _Array:
    """Columns φ, d, P_1, P_2 of settings, shape (n, 4)."""
    return np.array([(s.phi, s.distance, *s.powers) for s in settings], dtype=np.float64)


def _waves(rho: _Array) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Transverse field a(ρ) of a dipole across its axis, over k³/4πε_0 times it, and a′(ρ)."""
    turn, one = np.exp(1j * rho), 1.0 / rho
    two, three = one * one, one * one * one
    field = one + 1j * two - three
    return turn * field, turn * (1j * field - two - 2j * three + 3.0 * three * one)
