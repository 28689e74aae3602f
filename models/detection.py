"""What a detector adds and how its volts become quanta; the cold-damping reference.

All spectral densities are one-sided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .constants import BOLTZMANN, HBAR
from .errors import InputError
from .ranges import require_range

__all__ = [
    "Calibration",
    "cold_damping_occupation",
    "force_noise_psd",
    "imprecision_psd",
    "optimal_cold_damping",
    "quantum_length",
    "record_noise_std",
]


def _positive(name: str, value: float, unit: str) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"{name} must be positive, got {value!r} {unit}")
    return value


def imprecision_psd(efficiency: float, D: float) -> float:
    """Imprecision S_imp = 1/(4ηD_jj), quanta²/Hz, one-sided.

    Parameters
    ----------
    efficiency : float
        η, 1e-9 … 1: the one of the conditional state as well.
    D : float
        Recoil part of D_jj, 1/s; only scattered photons carry information.

    Raises
    ------
    InputError
        For an efficiency outside its range or a D that is not positive.
    """
    require_range("efficiency", efficiency, 1e-9, 1.0)
    return 1.0 / (4.0 * efficiency * _positive("D", D, "1/s"))


def quantum_length(mass: float, omega: float) -> float:
    """Length of one unit of z_j, √(ħ/(m_jω)), m; the zero-point spread is 1/√2 of it."""
    return math.sqrt(HBAR / (_positive("mass", mass, "kg") * _positive("omega", omega, "rad/s")))


def force_noise_psd(D: float, mass: float, omega: float) -> float:
    """Recoil force noise S_FF = 4ħmωD, N²/Hz, one-sided; S_imp·S_FF = ħ²/η in metres."""
    return 4.0 * HBAR * _positive("mass", mass, "kg") * _positive("omega", omega, "rad/s") * D


def record_noise_std(psd: float, sample_rate: float) -> float:
    """Return the standard deviation √(S f_s/2) of white noise S (unit²/Hz) sampled at f_s (Hz)."""
    return math.sqrt(psd * _positive("sample_rate", sample_rate, "Hz") / 2.0)


@dataclass(frozen=True)
class Calibration:
    """Scale between quanta, metres and volts of one channel.

    Attributes
    ----------
    mass : float
        m_j, kg.
    omega : float
        Common scale ω of the quanta, rad/s.
    volts_per_metre : float
        V/m; negative for a detector of reversed sign, which flips g_r, g_a and Re D_12 together.

    Raises
    ------
    InputError
        If mass or ω is not positive, or the gain is zero.
    """

    mass: float
    omega: float
    volts_per_metre: float

    def __post_init__(self) -> None:
        quantum_length(self.mass, self.omega)
        if not math.isfinite(self.volts_per_metre) or self.volts_per_metre == 0.0:
            raise InputError(f"volts_per_metre must not be zero, got {self.volts_per_metre!r} V/m")

    @classmethod
    def by_equipartition(
        cls, variance: float, mass: float, omega: float, temperature: float, *, polarity: int = 1
    ) -> Calibration:
        """Calibrate with a thermal record: ⟨z²⟩ = kT/(mω²).

        Parameters
        ----------
        variance : float
            Variance of the particle's line in the record (noise floor removed), V².
        mass : float
            kg.
        omega : float
            Frequency of the line, rad/s.
        temperature : float
            Centre-of-mass temperature (that of the gas, feedback off), K.
        polarity : int
            Sign of the gain, +1 or −1.
        """
        _positive("variance", variance, "V²")
        _positive("temperature", temperature, "K")
        length = math.sqrt(BOLTZMANN * temperature / (mass * omega**2))
        return cls(mass, omega, math.copysign(math.sqrt(variance) / length, polarity))

    @property
    def metres_per_quantum(self) -> float:
        """√(ħ/(mω)), m."""
        return quantum_length(self.mass, self.omega)

    @property
    def volts_per_quantum(self) -> float:
        """Gain in V per unit of z_j."""
        return self.volts_per_metre * self.metres_per_quantum

    def scale(self, source: str, target: str) -> float:
        """Factor that turns amplitudes of unit ``source`` into ``target``; squared for spectra.

        Raises
        ------
        InputError
            For a unit other than "quanta", "m" or "V".
        """
        volts = {"quanta": self.volts_per_quantum, "m": self.volts_per_metre, "V": 1.0}
        for unit in (source, target):
            if unit not in volts:
                raise InputError(f"unknown unit {unit!r}; known: {', '.join(volts)}")
        return volts[source] / volts[target]


def cold_damping_occupation(D_total: float, damping: float, psd: float) -> float:
    """Occupation n = (D_tot + Γ²S_imp/4)/Γ − ½ under narrow-band cold damping, γ ≪ Γ.

    Parameters
    ----------
    D_total : float
        D_jj + γ(n̄ + ½) without the noise of the feedback, 1/s.
    damping : float
        Feedback damping Γ, 1/s.
    psd : float
        Imprecision, quanta²/Hz, one-sided.
    """
    _positive("damping", damping, "1/s")
    return (D_total + 0.25 * damping**2 * psd) / damping - 0.5


def optimal_cold_damping(D_total: float, psd: float) -> float:
    """Feedback damping of least occupation, Γ = 2√(D_tot/S_imp), 1/s."""
    return 2.0 * math.sqrt(_positive("D_total", D_total, "1/s") / _positive("psd", psd, "1/Hz"))
