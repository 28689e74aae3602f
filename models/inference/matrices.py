"""The linear model behind every fit: its matrices from parameters, with derivatives.

All fits, of spectra and of releases, take A and N from here.

A fit knows the lines ω̃_j only and takes ω = (ω̃_1+ω̃_2)/2 of itself as the scale:
z̈_1 = −ω̃_1² z_1 + 2ω(g_r+g_a) z_2 − γ_1 ż_1 + ω f_1, z̈_2 likewise with g_r−g_a, and
⟨f_j f_l⟩ = 2 D_jl δ with the total diffusion D_jj (recoil, gas, feedback noise).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..linear import LinearModel
from ..oscillators import oscillator_noise, oscillator_output, pair_drift

__all__ = [
    "NAMES",
    "DriftDerivatives",
    "drift_derivatives",
    "model_pair",
    "model_single",
    "values_of",
]

NAMES: dict[str, tuple[str, ...]] = {
    "single": ("omega", "gamma", "D", "noise"),
    "pair": (
        "omega_1",
        "omega_2",
        "gamma_1",
        "gamma_2",
        "g_r",
        "g_a",
        "D11",
        "D22",
        "re_D12",
        "noise_1",
        "noise_2",
    ),
    "reheating": (
        "D11",
        "D22",
        "re_D12",
        "g_r",
        "g_a",
        "omega_1",
        "omega_2",
        "n1_0",
        "n2_0",
        "re_C0",
        "im_C0",
        "noise_1",
        "noise_2",
        "gamma_1",
        "gamma_2",
    ),
    "single reheating": ("omega", "gamma", "D", "noise", "n_0"),
    "detection": ("noise_12", "mix_12", "mix_21", "delay_12"),
    "global": (
        "G",
        "kd_0",
        "phi_0",
        "kappa",
        "omega_0",
        "balance_0",
        "omega_slope",
        "mix_12",
        "mix_21",
        "gain_1",
        "gain_2",
        "delay_12",
        "common_D",
    ),
}
"""Parameters of every fit, in the order of its values and covariance; "detection" are those that an
exact fit of a pair may hold besides, "global" what many records of one pair share."""


@dataclass(frozen=True)
class DriftDerivatives:
    """A linear model's matrices with their derivatives for P parameters.

    Attributes
    ----------
    drift, noise : ndarray, shape (n, n)
        A in 1/s and N of V̇ = AV + VAᵀ + N.
    output : ndarray, shape (c, n)
        C.
    d_drift, d_noise : ndarray, shape (P, n, n)
        Derivatives.
    """

    drift: NDArray[np.float64]
    noise: NDArray[np.float64]
    output: NDArray[np.float64]
    d_drift: NDArray[np.float64]
    d_noise: NDArray[np.float64]


def single_matrices(values: NDArray[np.float64]) -> DriftDerivatives:
    """State (z, p = ż/ω) of (omega, gamma, D); derivatives in this order."""
    omega, gamma, diffusion = values[:3]
    drift = np.array([[0.0, omega], [-omega, -gamma]])
    noise = np.array([[0.0, 0.0], [0.0, 2.0 * diffusion]])
    d_drift, d_noise = np.zeros((3, 2, 2)), np.zeros((3, 2, 2))
    d_drift[0, 0, 1], d_drift[0, 1, 0] = 1.0, -1.0
    d_drift[1, 1, 1] = -1.0
    d_noise[2, 1, 1] = 2.0
    return DriftDerivatives(drift, noise, np.array([[1.0, 0.0]]), d_drift, d_noise)


def pair_matrices(values: NDArray[np.float64], mass_ratio: float = 1.0) -> DriftDerivatives:
    """State (z_1, p_1, z_2, p_2), p_j = ż_j/ω, of the nine parameters before the noises.

    For a record in metres z_1 feels sqrt(m_2/m_1) z_2: ``mass_ratio`` is m_2/m_1 there, and 1 for
    records in quanta.
    """
    w1, w2, y1, y2, g_r, g_a, d11, d22, d12 = values[:9]
    w = 0.5 * (w1 + w2)
    up, down = 2.0 * math.sqrt(mass_ratio), 2.0 / math.sqrt(mass_ratio)
    drift = pair_drift(w, (w1 * w1, w2 * w2), g_r, g_a, (y1, y2), mass_ratio)
    noise, output = oscillator_noise([[d11, d12], [d12, d22]]), oscillator_output(2)
    d_drift, d_noise = np.zeros((9, 4, 4)), np.zeros((9, 4, 4))
    d_drift[:2, 0, 1] = d_drift[:2, 2, 3] = 0.5
    d_drift[:2, 1, 0] = 0.5 * (w1 / w) ** 2
    d_drift[:2, 3, 2] = 0.5 * (w2 / w) ** 2
    d_drift[0, 1, 0] -= 2.0 * w1 / w
    d_drift[1, 3, 2] -= 2.0 * w2 / w
    d_drift[2, 1, 1] = d_drift[3, 3, 3] = -1.0
    d_drift[4, 1, 2], d_drift[4, 3, 0] = up, down
    d_drift[5, 1, 2], d_drift[5, 3, 0] = up, -down
    d_noise[6, 1, 1] = d_noise[7, 3, 3] = 2.0
    d_noise[8, 1, 3] = d_noise[8, 3, 1] = 2.0
    return DriftDerivatives(drift, noise, output, d_drift, d_noise)


def drift_derivatives(
    model: str, values: NDArray[np.float64], mass_ratio: float = 1.0
) -> DriftDerivatives:
    """Matrices of "single" or "pair" at parameter values in the order of ``NAMES``."""
    return single_matrices(values) if model == "single" else pair_matrices(values, mass_ratio)


def values_of(model: str, params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Numbers in the order of ``NAMES`` from lmfit.Parameters, a FitResult's mapping or floats.

    Raises
    ------
    InputError
        If a parameter is missing or not finite.
    """
    names = NAMES[model]
    missing = [name for name in names if name not in params]
    if missing:
        raise InputError(
            f"the {model} model needs {', '.join(missing)}; its parameters: {', '.join(names)}"
        )
    values = np.array([float(getattr(params[name], "value", params[name])) for name in names])
    if not np.isfinite(values).all():
        raise InputError(f"parameters of the {model} model must be finite, got {values.tolist()}")
    return values


def model_single(params: Mapping[str, Any], *, unit: str = "quanta") -> LinearModel:
    """Linear model (z, ż/ω) of parameters ``omega``, ``gamma``, ``D``, ``noise``.

    Parameters
    ----------
    params : mapping
        lmfit.Parameters, the parameters of a FitResult, or floats; rad/s, D in unit²/s, noise
        one-sided in unit²/Hz.
    unit : str
        Unit of the record.
    """
    values = values_of("single", params)
    m = single_matrices(values)
    return LinearModel(m.drift, m.noise, m.output, np.array([values[3]]), unit)


def model_pair(
    params: Mapping[str, Any], *, mass_ratio: float = 1.0, unit: str = "quanta"
) -> LinearModel:
    """Linear model (z_1, ż_1/ω, z_2, ż_2/ω) of the eleven parameters of a pair fit.

    Parameters
    ----------
    params : mapping
        lmfit.Parameters, the parameters of a FitResult, or floats; rad/s, D in unit²/s, noise
        one-sided in unit²/Hz.
    mass_ratio : float
        m_2/m_1 for a record in m; 1 for quanta.
    unit : str
        Unit of the record.
    """
    values = values_of("pair", params)
    m = pair_matrices(values, mass_ratio)
    return LinearModel(m.drift, m.noise, m.output, values[9:], unit)
