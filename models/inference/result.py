"""What every fit returns: parameters with honest errors, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .digits import measured
from .parameters import unit_of
from .space import Ties

if TYPE_CHECKING:
    import lmfit

    from .fitted import FittedLikelihood
    from .identifiability import Identifiability

__all__ = [
    "MIN_DOF",
    "FitResult",
    "FittedParameter",
    "Interval",
    "fitted_parameters",
    "presupposed_cross_talk",
]

Interval = tuple[float, float]
"""Lower and upper limit; infinite where the data do not end it."""

MIN_DOF = 5.0
"""Degrees of freedom below which no fit states a p-value."""


@dataclass(frozen=True)
class FittedParameter:
    """One parameter of a fit.

    Attributes
    ----------
    value : float
        Estimate; angular frequencies and rates in rad/s.
    stderr : float or None
        One standard deviation; None for a fixed parameter.
    unit : str
        Unit of value and stderr.
    vary : bool
        Whether it was fitted.
    """

    value: float
    stderr: float | None
    unit: str
    vary: bool = True


@dataclass(frozen=True, repr=False)
class FitResult:
    """Outcome of a fit.

    Attributes
    ----------
    model : str
        "single", "pair" or "reheating".
    parameters : mapping of str to FittedParameter
        All parameters, fixed ones included.
    varying : tuple of str
        Names in the order of ``covariance``.
    covariance : ndarray, shape (p, p)
        Covariance of the fitted parameters.
    statistics : mapping
        Goodness of fit and counts, plain JSON values.
    input : mapping
        Provenance: band, channels, segment, averages, unit, ….
    converged : bool
        Whether the optimiser met its criteria.
    warnings : tuple of str
        What the user should know before quoting the numbers.
    confidence : mapping of str to mapping of str to (low, high)
        Intervals of a parameter by level of confidence, such as "0.68", from its profile
        likelihood; empty until :func:`with_intervals` was asked.
    fitted : FittedLikelihood or None
        The likelihood with its data, for intervals; stays in the process of the fit.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.analyse_spectrum(record).result
    >>> result.value("g_r") < 0.0 < result.stderr("g_r")
    True
    >>> result.parameters["g_r"].unit
    'rad/s'
    """

    model: str
    parameters: Mapping[str, FittedParameter]
    varying: tuple[str, ...]
    covariance: NDArray[np.float64]
    statistics: Mapping[str, Any]
    input: Mapping[str, Any]
    converged: bool
    warnings: tuple[str, ...] = field(default=())
    confidence: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    fitted: FittedLikelihood | None = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: everything but the likelihood with its data."""
        return {**self.__dict__, "fitted": None}

    def value(self, name: str) -> float:
        """Estimate of one parameter."""
        return self.parameters[name].value

    def stderr(self, name: str) -> float | None:
        """Standard error of one parameter."""
        return self.parameters[name].stderr

    def __repr__(self) -> str:
        """Model, first parameters with errors, and whether it converged, in one line."""
        found = list(self.parameters.items())
        shown = [f"{name} = {measured(p.value, p.stderr)} {p.unit}" for name, p in found[:3]]
        more = [f"… {len(found) - 3} more"] if len(found) > 3 else []
        state = [] if self.converged else ["NOT CONVERGED"]
        return f"<FitResult {self.model}: {', '.join([*shown, *more, *state])}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from .notebook import html_of

        return html_of(self)

    @property
    def params(self) -> lmfit.Parameters:
        """The parameters as ``lmfit.Parameters`` with errors and correlations, rad/s."""
        from .report import to_lmfit

        return to_lmfit(self)

    def conf_interval(
        self, names: Sequence[str] | None = None, sigmas: Sequence[float] = (1.0, 2.0)
    ) -> dict[str, list[tuple[float, float]]]:
        """Intervals by profile likelihoods, in the form of ``lmfit.conf_interval``.

        Parameters
        ----------
        names : sequence of str, optional
            All fitted parameters by default.
        sigmas : sequence of float
            Levels, in standard deviations of a normal law.

        Returns
        -------
        dict
            For each name (level, limit) from the lowest limit to the highest, the estimate (0,
            value) in the middle.

        Raises
        ------
        InputError
            If the result does not know its likelihood any more.
        """
        from .notebook import intervals_of

        return intervals_of(self, names, sigmas)

    def uvalues(self) -> dict[str, Any]:
        """Return the parameters as correlated numbers of the package ``uncertainties``.

        Raises
        ------
        InputError
            If it is not installed (extra ``tables``).
        """
        from .notebook import uncertain_values

        return uncertain_values(self)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` of value, stderr, unit and vary by parameter.

        Raises
        ------
        InputError
            If pandas is not installed (extra ``tables``).
        """
        from .notebook import frame_of

        return frame_of(self)

    def correlations(self) -> dict[str, dict[str, float]]:
        """Correlation coefficients of every pair of fitted parameters."""
        sigma = np.sqrt(np.diag(self.covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix = self.covariance / np.outer(sigma, sigma)
        return {
            a: {b: float(matrix[i, j]) for j, b in enumerate(self.varying) if j != i}
            for i, a in enumerate(self.varying)
        }

    def identifiability(self) -> Identifiability:
        """What the data of this fit cannot separate, see :func:`optobind.identifiability`."""
        from .identifiability import identifiability

        return identifiability(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: parameters, correlations, intervals, statistics, input (no NaN)."""
        return {
            "model": self.model,
            "parameters": {
                name: {
                    "value": _finite(p.value),
                    "stderr": _finite(p.stderr),
                    "unit": p.unit,
                    "vary": p.vary,
                }
                for name, p in self.parameters.items()
            },
            "correlations": {
                a: {b: _finite(c) for b, c in row.items()} for a, row in self.correlations().items()
            },
            "confidence": {
                name: {
                    level: [_finite(low), _finite(high)] for level, (low, high) in limits.items()
                }
                for name, limits in self.confidence.items()
            },
            "statistics": dict(self.statistics),
            "input": dict(self.input),
            "converged": self.converged,
            "warnings": list(self.warnings),
        }


def fitted_parameters(
    values: Mapping[str, float],
    free: Mapping[str, float],
    ties: Ties,
    covariance: NDArray[np.float64],
    unit: str,
) -> dict[str, FittedParameter]:
    """Values, errors and units of all parameters; errors of tied ones follow from their ties.

    Parameters
    ----------
    values : mapping
        All parameters of the model, in its order.
    free : mapping
        The fitted ones, helpers of ties included, in the order of ``covariance``.
    ties : Ties
        ∂(all)/∂(fitted).
    covariance : ndarray, shape (p, p)
        Of the fitted parameters.
    unit : str
        Unit of the record.
    """
    spread = np.sqrt(np.maximum(np.diag(ties.matrix @ covariance @ ties.matrix.T), 0.0))
    table = {}
    for i, (name, value) in enumerate(values.items()):
        error = float(spread[i]) if ties.matrix[i].any() else None
        table[name] = FittedParameter(float(value), error, unit_of(name, unit), name in free)
    for i, (name, value) in enumerate(free.items()):
        if name not in values:
            error = math.sqrt(max(float(covariance[i, i]), 0.0))
            table[name] = FittedParameter(float(value), error, unit_of(name, unit))
    return table


def presupposed_cross_talk(table: Mapping[str, FittedParameter]) -> float | None:
    """Symmetric cross-talk ε of the detectors that moves Re D_12 by its standard error.

    Mixing y = (1 + εσ)z adds ε(D_11 + D_22) to Re D_12, and no fit of one light setting can tell
    (physics.md §10). None where Re D_12 was not fitted.
    """
    correlation = table.get("re_D12")
    if correlation is None or not correlation.stderr:
        return None
    total = table["D11"].value + table["D22"].value
    return correlation.stderr / total if total > 0.0 else None


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
