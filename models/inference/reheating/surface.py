"""lmfit surface of the reheating fit: start values, bounds, ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import lmfit
import numpy as np

from ...errors import InputError
from ..matrices import NAMES
from ..parameters import PARAMETERS
from .estimate import ReheatingEstimate
from .start import start_values

__all__ = ["bounded_parameters", "reheating_parameters", "with_ties"]

_NAMES = NAMES["reheating"]


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

    Returns
    -------
    lmfit.Parameters
        Of :func:`fit_reheating`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")
    >>> estimate = ob.analyse_reheating(record).estimate
    >>> params = ob.reheating_parameters(estimate)
    >>> params["gamma_1"].vary  # the gas is weak: fixed at 0
    False
    """
    start = dict(start_values(estimate) if values is None else values)
    return bounded_parameters(_NAMES, start, estimate.omega_ref)


def bounded_parameters(
    names: Sequence[str], values: Mapping[str, float], omega: float
) -> lmfit.Parameters:
    """Return parameters with the bounds of their kinds; damping is fixed.

    Parameters
    ----------
    names : sequence of str
        Of the table of parameters.
    values : mapping
        Start values.
    omega : float
        About where the lines lie, rad/s: couplings stay below a fifth of it.
    """
    parameters = lmfit.Parameters()
    for name in names:
        kind = PARAMETERS[name].kind
        low, high = (0.0, np.inf) if PARAMETERS[name].positive else (-np.inf, np.inf)
        if kind == "coupling":
            low, high = -0.2 * omega, 0.2 * omega
        if kind == "frequency":
            low, high = 0.5 * omega, 1.5 * omega
        parameters.add(name, value=values[name], min=low, max=high, vary=kind != "damping")
    return parameters


def with_ties(parameters: lmfit.Parameters, given: lmfit.Parameters | None) -> lmfit.Parameters:
    """Return the automatic parameters with what a user gave (value, bounds, vary, expr) on top.

    Raises
    ------
    InputError
        For names that the model does not know.
    """
    if given is None:
        return parameters
    names = tuple(parameters)
    needed = {name for name, p in given.items() if p.expr is None}
    helpers = set(given) - set(names)
    used = " ".join(p.expr for p in given.values() if p.expr)
    unknown = sorted(name for name in helpers if name not in used)
    if unknown:
        raise InputError(f"unknown parameter {unknown[0]!r}; known: {', '.join(names)}")
    merged = lmfit.Parameters()
    for name in [*sorted(helpers), *names]:
        own = given[name] if name in given else parameters[name]
        if name in needed or name not in given:
            merged.add(name, value=own.value, vary=own.vary, min=own.min, max=own.max)
        else:
            merged.add(name, value=parameters[name].value if name in parameters else 0.0)
    for name, own in given.items():
        if own.expr is not None:
            merged[name].expr = own.expr
    return merged
