"""What a detector adds, and the length of a quantum; the cold-damping reference.

All spectral densities are one-sided.
"""

from __future__ import annotations

import math

from .constants import HBAR
from .errors import InputError
from .ranges import require_range

__all__ = [
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
