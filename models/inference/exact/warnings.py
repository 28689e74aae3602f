"""What a user should know before quoting the numbers of an exact fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..result import FittedParameter

__all__ = ["exact_warnings"]

_DOUBTFUL = 1e-3


def exact_warnings(
    table: Mapping[str, FittedParameter],
    statistics: Mapping[str, Any],
    converged: bool,
    determined: bool,
    at_bounds: Sequence[str],
) -> tuple[str, ...]:
    """Return the warnings of a fit, one line each."""
    found = []
    if not converged:
        found.append("the exact fit did not converge: do not quote its numbers")
    if not determined:
        found.append(
            "these samples do not tell all free parameters apart: fix some, or give priors"
        )
    p_value = statistics["p_value"]
    if p_value is not None and p_value < _DOUBTFUL:
        found.append(
            f"what the model does not foresee of the samples is not white (chi2 = "
            f"{statistics['chi2']:.4g} for {statistics['dof']:.4g} degrees of freedom, "
            f"p = {p_value:.2g}): a further line, filter, drift or noise is in the record"
        )
    for name in at_bounds:
        found.append(
            f"{name} = {table[name].value:.6g} sits on a bound: its error is not symmetric"
        )
    return tuple(found)
