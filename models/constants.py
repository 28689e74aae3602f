"""CODATA constants in SI units, under the symbols of the formulas."""

from __future__ import annotations

import math

from scipy import constants as _codata

__all__ = ["ATOMIC_MASS", "BOLTZMANN", "EPSILON_0", "HBAR", "SPEED_OF_LIGHT", "bose_occupation"]

HBAR: float = _codata.hbar
BOLTZMANN: float = _codata.k
EPSILON_0: float = _codata.epsilon_0
SPEED_OF_LIGHT: float = _codata.c
ATOMIC_MASS: float = _codata.atomic_mass


def bose_occupation(omega: float, temperature: float) -> float:
    """Mean occupation of a mode in equilibrium, n = 1/(exp(ħω/kT) − 1).

    Parameters
    ----------
    omega : float
        Angular frequency, rad/s.
    temperature : float
        Temperature, K; zero gives zero.
    """
    if temperature <= 0.0:
        return 0.0
    return 1.0 / math.expm1(HBAR * omega / (BOLTZMANN * temperature))
