"""Between the pair model's symbols and what a fit can know.

A spectrum determines the lines ω̃_j only, so a fit takes ω̃_j for omega_j and (ω̃_1+ω̃_2)/2 for the
scale ω of g, D and quanta. Predictions and truths are converted before they are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..constants import HBAR
from ..errors import InputError
from ..pair import PairConstants
from .parameters import unit_of
from .result import FitResult, FittedParameter

__all__ = ["fit_convention", "in_quanta"]


def fit_convention(constants: PairConstants, unit: str = "quanta") -> dict[str, float]:
    """Parameters that a pair fit of a record of these constants should find.

    With q = ω/[(ω̃_1+ω̃_2)/2]: omega_j = ω̃_j, g → qg. A record in "quanta" is fitted as it stands:
    D → q²D; a record in "m" is converted with the fit's own scale (:func:`in_quanta`): D → qD.
    D_jj is the total diffusion, gas included.

    Parameters
    ----------
    constants : PairConstants
        Truth or prediction, scale ω.
    unit : str
        "quanta" or "m", the unit of the record that is fitted.

    Returns
    -------
    dict
        omega_1, omega_2, gamma_1, gamma_2, g_r, g_a, D11, D22, re_D12 in rad/s.

    Raises
    ------
    InputError
        For a unit without a scale of quanta.
    """
    if unit not in {"quanta", "m"}:
        raise InputError(f"unit {unit!r} has no scale of quanta; known: quanta, m")
    first, second = constants.line_frequencies
    q = constants.omega / (0.5 * (first + second))
    d = q * q if unit == "quanta" else q
    total = constants.total_diffusion
    return {
        "omega_1": first,
        "omega_2": second,
        "gamma_1": constants.gamma[0],
        "gamma_2": constants.gamma[1],
        "g_r": q * constants.g_r,
        "g_a": q * constants.g_a,
        "D11": d * total[0],
        "D22": d * total[1],
        "re_D12": d * constants.re_D12,
    }


def in_quanta(result: FitResult, masses: tuple[float, ...]) -> FitResult:
    """Convert a fit of a record in m to quanta of the fit's own ω, errors included.

    D_jl = D_jl(m²/s)·sqrt(m_j m_l) ω/ħ and noise_j = noise_j(m²/Hz)·m_jω/ħ. A pair that was fitted
    without its masses gets g_r ± g_a of the symmetrised equations: z_1 in metres feels
    2ω(g_r+g_a) sqrt(m_2/m_1) z_2. Errors follow from the covariance, that of ω included.

    Parameters
    ----------
    result : FitResult
        A "single" or "pair" fit with unit "m".
    masses : tuple of float
        kg, one for each particle.

    Raises
    ------
    InputError
        If the fit is not in m, or masses are missing or not positive.
    """
    unit = result.input.get("unit")
    if unit != "m":
        raise InputError(f"only a fit of a record in m converts to quanta, this one is in {unit!r}")
    wanted = 1 if result.model == "single" else 2
    if len(masses) != wanted or not all(math.isfinite(m) and m > 0.0 for m in masses):
        raise InputError(f"a {result.model} fit needs {wanted} positive masses in kg, got {masses}")
    names = list(result.parameters)
    values = np.array([result.parameters[name].value for name in names])
    convert = _single(masses) if wanted == 1 else _pair(masses, _fitted_ratio(result))
    converted = convert(values)
    jacobian = _derivative(convert, values)
    rows = [names.index(name) for name in result.varying]
    covariance = _full_covariance(result, names)
    spread = np.sqrt(np.maximum(np.diag(jacobian @ covariance @ jacobian.T), 0.0))
    parameters = {
        name: FittedParameter(
            float(converted[i]),
            float(spread[i]) if result.parameters[name].stderr is not None else None,
            unit_of(name, "quanta"),
            result.parameters[name].vary,
        )
        for i, name in enumerate(names)
    }
    cut = jacobian[np.ix_(rows, range(len(names)))]
    ratio = masses[1] / masses[0] if wanted == 2 else 1.0
    return replace(
        result,
        parameters=parameters,
        covariance=cut @ covariance @ cut.T,
        input={**result.input, "unit": "quanta", "masses": list(masses), "mass_ratio": ratio},
    )


def _fitted_ratio(result: FitResult) -> float:
    """m_2/m_1 that the fit assumed."""
    return float(result.input.get("mass_ratio", 1.0))


def _full_covariance(result: FitResult, names: list[str]) -> NDArray[np.float64]:
    """Covariance over all parameters; fixed ones have none, tied ones their own variance only."""
    covariance = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        covariance[i, i] = (result.parameters[name].stderr or 0.0) ** 2
    known = [name for name in result.varying if name in names]
    index = [names.index(name) for name in known]
    source = [result.varying.index(name) for name in known]
    covariance[np.ix_(index, index)] = result.covariance[np.ix_(source, source)]
    return covariance


_Conversion = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _single(masses: tuple[float, ...]) -> _Conversion:
    """(omega, gamma, D, noise) from m to quanta."""

    def convert(v: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = masses[0] * v[0] / HBAR
        return np.array([v[0], v[1], v[2] * scale, v[3] * scale])

    return convert


def _pair(masses: tuple[float, ...], fitted_ratio: float) -> _Conversion:
    """The eleven parameters from m to quanta, g_r ± g_a for the true mass ratio."""
    correction = math.sqrt(fitted_ratio * masses[0] / masses[1])

    def convert(v: NDArray[np.float64]) -> NDArray[np.float64]:
        omega = 0.5 * (v[0] + v[1])
        first, second = (m * omega / HBAR for m in masses)
        plus, minus = correction * (v[4] + v[5]), (v[4] - v[5]) / correction
        out = v.copy()
        out[4], out[5] = 0.5 * (plus + minus), 0.5 * (plus - minus)
        out[6] *= first
        out[7] *= second
        out[8] *= math.sqrt(first * second)
        out[9] *= first
        out[10] *= second
        return out

    return convert


def _derivative(convert: _Conversion, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central differences; every conversion is bilinear, so they are exact to rounding."""
    jacobian = np.zeros((len(values), len(values)))
    for j, value in enumerate(values):
        step = 1e-4 * (abs(value) or 1.0)
        up, down = values.copy(), values.copy()
        up[j] += step
        down[j] -= step
        jacobian[:, j] = (convert(up) - convert(down)) / (2.0 * step)
    return jacobian
