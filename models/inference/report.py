"""Reports of fits for reading, and the way back to lmfit."""

from __future__ import annotations

import lmfit

from .result import FitResult

__all__ = ["fit_report", "to_lmfit"]


def to_lmfit(result: FitResult) -> lmfit.Parameters:
    """Fitted parameters as lmfit.Parameters with standard errors and correlations."""
    params = lmfit.Parameters()
    correlations = result.correlations()
    for name, fitted in result.parameters.items():
        params.add(name, value=fitted.value, vary=fitted.vary)
        params[name].stderr = fitted.stderr
        if name in correlations:
            params[name].correl = correlations[name]
    return params


def fit_report(result: FitResult) -> str:
    """Text report by lmfit: values, errors, correlations above 0.1."""
    return str(lmfit.fit_report(to_lmfit(result)))
