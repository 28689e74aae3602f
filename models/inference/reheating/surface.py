"""lmfit surface of the reheating fit: names, bounds, units, ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..result import FittedParameter
from .estimate import ReheatingEstimate
from .gls import NAMES
from .start import start_values

__all__ = [
    "expression_gradient",
    "parameter_units",
    "parameter_values",
    "reheating_parameters",
    "with_ties",
]

_POSITIVE = ("D11", "D22", "n1_0", "n2_0", "noise_1", "noise_2", "gamma_1", "gamma_2")


def parameter_units(unit: str) -> dict[str, str]:
    """Units of the parameters for a record in "quanta", "m" or "V"."""
    quanta = unit == "quanta"
    units = dict.fromkeys(NAMES, "rad/s")
    for name in ("D11", "D22", "re_D12"):
        units[name] = "rad/s" if quanta else f"{unit}^2/s"
    for name in ("n1_0", "n2_0", "re_C0", "im_C0"):
        units[name] = "quanta" if quanta else f"{unit}^2"
    for name in ("noise_1", "noise_2"):
        units[name] = "1/Hz" if quanta else f"{unit}^2/Hz"
    return units


def reheating_parameters(
    estimate: ReheatingEstimate, values: Mapping[str, float] | None = None
) -> lmfit.Parameters:
    """Return start values and bounds of a reheating fit; gas damping fixed at 0.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Averaged curves.
    values : mapping, optional
        Start values; default from the curves.
    """
    start = dict(start_values(estimate) if values is None else values)
    omega = estimate.omega_ref
    parameters = lmfit.Parameters()
    for name in NAMES:
        low, high = (0.0, np.inf) if name in _POSITIVE else (-np.inf, np.inf)
        if name in ("g_r", "g_a"):
            low, high = -0.2 * omega, 0.2 * omega
        if name.startswith("omega"):
            low, high = 0.5 * omega, 1.5 * omega
        parameters.add(
            name,
            value=start[name],
            min=low,
            max=high,
            vary=not name.startswith("gamma"),
        )
    return parameters


def with_ties(parameters: lmfit.Parameters, given: lmfit.Parameters | None) -> lmfit.Parameters:
    """Return the automatic parameters with what a user gave (value, bounds, vary, expr) on top.

    Raises
    ------
    InputError
        For names that the reheating model does not know.
    """
    if given is None:
        return parameters
    needed = {name for name, p in given.items() if p.expr is None}
    helpers = set(given) - set(NAMES)
    used = " ".join(p.expr for p in given.values() if p.expr)
    unknown = sorted(name for name in helpers if name not in used)
    if unknown:
        raise InputError(f"unknown parameter {unknown[0]!r}; known: {', '.join(NAMES)}")
    merged = lmfit.Parameters()
    for name in [*sorted(helpers), *NAMES]:
        own = given[name] if name in given else parameters[name]
        if name in needed or name not in given:
            merged.add(name, value=own.value, vary=own.vary, min=own.min, max=own.max)
        else:
            merged.add(name, value=parameters[name].value if name in parameters else 0.0)
    for name, own in given.items():
        if own.expr is not None:
            merged[name].expr = own.expr
    return merged


def parameter_values(parameters: lmfit.Parameters) -> dict[str, float]:
    """Plain values after evaluating all ties."""
    parameters.update_constraints()
    return {name: float(p.value) for name, p in parameters.items()}


def expression_gradient(
    parameters: lmfit.Parameters, varying: Sequence[str], errors: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Derivatives of every parameter by the varying ones, ties included.

    Parameters
    ----------
    parameters : lmfit.Parameters
        At the values wanted.
    varying : sequence of str
        Names that vary.
    errors : ndarray, shape (p,)
        Steps of the central differences.
    """
    trial = parameters.copy()
    gradient = {name: np.zeros(len(varying)) for name in parameters}
    for column, name in enumerate(varying):
        centre, low, high = trial[name].value, trial[name].min, trial[name].max
        # A tie must be differentiable across a bound that its source sits on.
        trial[name].set(min=-np.inf, max=np.inf)
        step = float(errors[column])
        trial[name].value = centre + step
        ahead = parameter_values(trial)
        trial[name].value = centre - step
        behind = parameter_values(trial)
        trial[name].set(value=centre, min=low, max=high)
        for other in parameters:
            gradient[other][column] = (ahead[other] - behind[other]) / (2.0 * step)
    return gradient


def fitted(
    parameters: lmfit.Parameters,
    varying: Sequence[str],
    covariance: NDArray[np.float64],
    unit: str,
) -> dict[str, FittedParameter]:
    """Values, errors and units; the error of a tied parameter follows from its expression."""
    units = parameter_units(unit)
    errors = np.sqrt(np.diag(covariance))
    steps = np.where(errors > 0.0, 1e-3 * errors, 1e-6)
    gradient = expression_gradient(parameters, varying, steps)
    table = {}
    for name in [*NAMES, *(n for n in parameters if n not in NAMES)]:
        parameter, slope = parameters[name], gradient[name]
        error: float | None = None
        if parameter.vary or parameter.expr is not None:
            error = float(np.sqrt(max(float(slope @ covariance @ slope), 0.0)))
        table[name] = FittedParameter(
            float(parameter.value), error, units.get(name, ""), bool(parameter.vary)
        )
    return table
