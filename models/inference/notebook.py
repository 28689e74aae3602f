"""Results as notebooks want them: HTML, lmfit's tables, pandas, numbers that carry their errors."""

from __future__ import annotations

import html
import math
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .report import estimate_text, unit_text

if TYPE_CHECKING:
    from .result import FitResult

__all__ = ["frame_of", "html_of", "intervals_of", "package", "uncertain_values"]


def package(name: str) -> Any:
    """Import a package of the extra "tables".

    Raises
    ------
    InputError
        If it is not installed; says how to get it.
    """
    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"this needs the package {name}: pip install 'optobind[tables]'") from None


def html_of(result: FitResult) -> str:
    """Write a result as an HTML table: symbols, values ± errors, units, p-value and warnings."""
    rows = []
    for name, parameter in result.parameters.items():
        symbol, unit = unit_text(name, parameter.unit)
        note = "" if parameter.vary else " (fixed)"
        cells = (name, symbol, estimate_text(parameter) + note, unit)
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in cells))
    head = f"{result.model} fit" + ("" if result.converged else ": NOT CONVERGED")
    p_value = result.statistics.get("p_value")
    below = "" if p_value is None else f"<p>p = {p_value:.3g}</p>"
    warned = "".join(f"<li>{html.escape(text)}</li>" for text in result.warnings)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f"<table><caption>{html.escape(head)}</caption><thead><tr><th>parameter</th><th></th>"
        f"<th>value ± error</th><th>unit</th></tr></thead><tbody>{body}</tbody></table>{below}"
        + (f"<ul>{warned}</ul>" if warned else "")
    )


def intervals_of(
    result: FitResult, names: Sequence[str] | None, sigmas: Sequence[float]
) -> dict[str, list[tuple[float, float]]]:
    """Intervals by profile likelihoods in the form of ``lmfit.conf_interval``."""
    from .profiles import profile

    levels = [math.erf(sigma / math.sqrt(2.0)) for sigma in sorted(sigmas)]
    found = {}
    for name in result.varying if names is None else names:
        limits = profile(result, name, levels=levels).intervals.values()
        pairs = list(zip(levels, limits, strict=True))
        low = [(level, ends[0]) for level, ends in reversed(pairs)]
        high = [(level, ends[1]) for level, ends in pairs]
        found[name] = [*low, (0.0, result.value(name)), *high]
    return found


def uncertain_values(result: FitResult) -> dict[str, Any]:
    """Parameters as numbers of the package uncertainties, their correlations kept."""
    uncertainties = package("uncertainties")
    names = [name for name in result.varying if name in result.parameters]
    index = [result.varying.index(name) for name in names]
    covariance = result.covariance[np.ix_(index, index)]
    values = [result.value(name) for name in names]
    made = dict(zip(names, uncertainties.correlated_values(values, covariance), strict=True))
    for name, p in result.parameters.items():
        if name not in made:
            # Fixed: without an error, of which the package warns in general.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                made[name] = uncertainties.ufloat(p.value, p.stderr or 0.0)
    return {name: made[name] for name in result.parameters}


def frame_of(result: FitResult) -> Any:
    """Parameters as a pandas.DataFrame: value, stderr, unit, vary."""
    rows = {
        name: (p.value, math.nan if p.stderr is None else p.stderr, p.unit, p.vary)
        for name, p in result.parameters.items()
    }
    columns = ["value", "stderr", "unit", "vary"]
    frame = package("pandas").DataFrame.from_dict(rows, orient="index", columns=columns)
    frame.index.name = "parameter"
    return frame
