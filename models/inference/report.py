"""Reports of fits for reading, and the way back to lmfit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .digits import in_hertz, measured
from .parameters import symbol_of
from .result import FitResult, FittedParameter

if TYPE_CHECKING:  # lmfit takes seconds to load; a report needs none of it
    import lmfit

__all__ = ["estimate_text", "fit_report", "to_lmfit", "unit_text"]

# Weaker correlations are not listed.
_CORRELATED = 0.1


def fit_report(result: FitResult, *, correlations: bool = True) -> str:
    """Write a fit for reading: values with errors to the same digit, units, χ², p, warnings.

    Angular frequencies and rates are divided by 2π and marked so, as in every table; values of the
    result itself are in rad/s.

    Parameters
    ----------
    result : FitResult
        Any fit.
    correlations : bool
        Whether correlation coefficients above 0.1 are listed.

    Returns
    -------
    str
        Several lines of plain text.

    Examples
    --------
    >>> import numpy as np
    >>> from optobind import FitResult, fit_report
    >>> from optobind.models.inference.result import FittedParameter
    >>> found = {"g_r": FittedParameter(6.2832e4, 125.7, "rad/s")}
    >>> result = FitResult("pair", found, ("g_r",), np.eye(1), {}, {}, True)
    >>> print(fit_report(result))
    pair fit
      g_r  gᵣ/2π  10000 ± 20  Hz
    """
    estimator = result.statistics.get("estimator")
    head = f"{result.model} fit" + (f" by {estimator}" if estimator else "")
    lines = [head + ("" if result.converged else ": NOT CONVERGED"), *_values(result)]
    lines += _quality(result)
    if correlations:
        lines += _correlations(result)
    if "gamma_prior" in result.input:
        lines.append(f"  {result.input['gamma_prior']['words']}")
    lines += _unseparated(result)
    lines += [f"warning: {text}" for text in result.warnings]
    return "\n".join(lines)


def _unseparated(result: FitResult) -> list[str]:
    """What the data of a pair cannot separate."""
    if "re_D12" not in result.varying:
        return []
    from .identifiability import identifiability, separation_lines

    found = separation_lines(identifiability(result, filtered=False))
    return ["  not separated by these data", *(f"    {line}" for line in found)]


def _values(result: FitResult) -> list[str]:
    """A line a parameter: name, symbol, value ± error, unit."""
    rows = []
    for name, p in result.parameters.items():
        symbol, unit = unit_text(name, p.unit)
        note = "" if p.vary else "  (fixed)" if p.stderr is None else "  (tied)"
        rows.append((name, symbol, estimate_text(p), unit + note))
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    return [
        f"  {name:<{wide[0]}}  {symbol:<{wide[1]}}  {text:>{wide[2]}}  {unit}".rstrip()
        for name, symbol, text, unit in rows
    ]


def unit_text(name: str, unit: str) -> tuple[str, str]:
    """Symbol and unit of a parameter as a reader sees them: g_r in rad/s is gᵣ/2π in Hz."""
    shown = in_hertz(None, unit)[1]
    return symbol_of(name) + ("" if shown == unit else "/2π"), shown


def estimate_text(parameter: FittedParameter) -> str:
    """Value ± error of a parameter, in the unit of :func:`unit_text`."""
    value, error = (in_hertz(x, parameter.unit)[0] for x in (parameter.value, parameter.stderr))
    assert value is not None
    return measured(value, error)


def _quality(result: FitResult) -> list[str]:
    """χ², its degrees of freedom and p."""
    known = result.statistics
    if "chi2" not in known:
        return []
    p_value = known.get("p_value")
    shown = "too few degrees of freedom for a p-value" if p_value is None else f"p = {p_value:.2g}"
    return [f"  χ² = {known['chi2']:.4g} for {known['dof']:.4g} degrees of freedom, {shown}"]


def _correlations(result: FitResult) -> list[str]:
    """Correlation coefficients, the largest first."""
    pairs = [
        (abs(value), one, two, value)
        for one, row in result.correlations().items()
        for two, value in row.items()
        if result.varying.index(one) < result.varying.index(two) and abs(value) > _CORRELATED
    ]
    if not pairs:
        return []
    pairs.sort(reverse=True)
    listed = [f"    {one}, {two}: {value:+.2f}".replace("-", "−") for _, one, two, value in pairs]
    return ["  correlations", *listed]


def to_lmfit(result: FitResult) -> lmfit.Parameters:
    """Fitted parameters as lmfit.Parameters with standard errors and correlations.

    Parameters
    ----------
    result : FitResult
        Any fit.

    Returns
    -------
    lmfit.Parameters
        Values with ``stderr``, ``vary`` and ``correl``; rad/s.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> params = ob.to_lmfit(ob.analyse_spectrum(record).result)
    >>> params["g_r"].stderr > 0.0, -1.0 < params["g_r"].correl["g_a"] < 1.0
    (True, True)
    """
    from lmfit import Parameters

    params = Parameters()
    correlations = result.correlations()
    for name, fitted in result.parameters.items():
        params.add(name, value=fitted.value, vary=fitted.vary)
        params[name].stderr = fitted.stderr
        if name in correlations:
            params[name].correl = correlations[name]
    return params
