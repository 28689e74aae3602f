"""What people do with the spectrum of one line: the same data, other estimators.

Each takes an averaged periodogram and returns values and standard errors of omega, gamma, D and
noise; the window is ignored, as it is in practice.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit, minimize

from optobind.models.spectra import CsdEstimate

__all__ = ["PEERS", "Estimate", "estimates"]

_Array = NDArray[np.float64]
Estimate = dict[str, tuple[float, float]]
"""Value and standard error by name; nan where the method gives none."""

NAMES = ("omega", "gamma", "D", "noise")


def spectrum(frequency: _Array, logs: _Array) -> _Array:
    """One-sided density of z̈ + γż + ω²z = ωf with ⟨ff⟩ = 2Dδ, and white noise."""
    omega, gamma, diffusion, noise = np.exp(logs)
    w = 2.0 * math.pi * frequency
    shape = 4.0 * diffusion * omega**2 / ((omega**2 - w**2) ** 2 + (gamma * w) ** 2)
    return np.asarray(shape + noise)


def start(frequency: _Array, density: _Array) -> _Array:
    """Peak, width at half of it, area and floor, as one reads them off a plot."""
    smooth = np.convolve(density, np.ones(3) / 3.0, mode="same")
    top = int(np.argmax(smooth))
    floor = float(np.quantile(density, 0.1))
    above = smooth > 0.5 * (smooth[top] + floor)
    width = max(int(above.sum()), 1) * float(frequency[1] - frequency[0])
    gamma = 2.0 * math.pi * width
    peak = max(float(smooth[top]) - floor, 0.1 * float(smooth[top]))
    omega = 2.0 * math.pi * float(frequency[top])
    return np.log([omega, gamma, 0.25 * peak * gamma**2, max(floor, 1e-30)])


def _of(logs: _Array, covariance: _Array) -> Estimate:
    values = np.exp(logs)
    errors = values * np.sqrt(np.abs(np.diag(covariance)))
    return {n: (float(v), float(e)) for n, v, e in zip(NAMES, values, errors, strict=True)}


def least_squares(frequency: _Array, density: _Array, averages: float) -> Estimate:
    """Unweighted least squares on the density, errors from the scatter of the residuals."""
    scale = float(density.max())
    logs, covariance = curve_fit(
        lambda f, *p: spectrum(f, np.array(p)) / scale,
        frequency, density / scale, start(frequency, density), maxfev=4000,
    )  # fmt: skip
    return _of(logs, covariance)


def decibels(frequency: _Array, density: _Array, averages: float) -> Estimate:
    """Unweighted least squares on ten times the logarithm."""
    logs, covariance = curve_fit(
        lambda f, *p: 10.0 * np.log10(spectrum(f, np.array(p))),
        frequency, 10.0 * np.log10(density), start(frequency, density), maxfev=4000,
    )  # fmt: skip
    return _of(logs, covariance)


def whittle(frequency: _Array, density: _Array, averages: float) -> Estimate:
    """Maximum likelihood of exponential bins, the window ignored, errors from its curvature."""

    def minus(logs: _Array) -> float:
        expected = spectrum(frequency, logs)
        return float(averages * (np.log(expected) + density / expected).sum())

    logs = start(frequency, density)
    found = minimize(minus, logs, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-6})
    step, at = 1e-3, found.x
    slopes = np.array(
        [
            (np.log(spectrum(frequency, at + d)) - np.log(spectrum(frequency, at - d))) / (2 * step)
            for d in step * np.eye(4)
        ]
    )
    return _of(at, np.linalg.pinv(averages * slopes @ slopes.T))


PEERS = {
    "least squares": least_squares,
    "least squares on dB": decibels,
    "likelihood without window": whittle,
}


def estimates(csd: CsdEstimate, band: tuple[float, float], averages: float) -> dict[str, Estimate]:
    """All of them; one that fails is left out."""
    keep = (csd.frequencies >= band[0]) & (csd.frequencies <= band[1])
    frequency, density = csd.frequencies[keep], csd.matrix[keep, 0, 0].real
    found = {}
    for name, method in PEERS.items():
        try:
            found[name] = method(frequency, density, averages)
        except (RuntimeError, ValueError, np.linalg.LinAlgError):
            continue
    return found
