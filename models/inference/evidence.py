"""Is an effect there? Likelihood ratios of nested models, with a simulated null distribution.

A hypothesis fixes or ties parameters of a fit: "re_D12 = 0", "g_a = 0", the pair at its exceptional
point. With ln L̂ the maximum of the fit and ln L̂_0 that under the hypothesis, Λ = 2(ln L̂ − ln L̂_0)
follows χ² with as many degrees of freedom as the hypothesis takes away, as long as the data are
many and no parameter sits on a bound; a simulated null distribution needs neither.
With k parameters taken away and n data, ΔBIC = Λ − k ln n; exp(ΔBIC/2) is the Bayes factor in
favour of the effect if the prior of each parameter is as wide as the error that one datum would
leave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..errors import InputError
from .fitted import FittedLikelihood
from .optimiser import Likelihood
from .result import FitResult
from .steps import invert

__all__ = ["HYPOTHESES", "Evidence", "Simulates", "evidence"]

HYPOTHESES: dict[str, dict[str, float | str]] = {
    "uncorrelated": {"re_D12": 0.0},
    "reciprocal": {"g_a": 0.0},
    "antireciprocal": {"g_r": 0.0},
    "lower exceptional point": {"omega_2": "omega_1 - 2*sqrt(abs(g_a**2 - g_r**2))"},
    "upper exceptional point": {"omega_2": "omega_1 + 2*sqrt(abs(g_a**2 - g_r**2))"},
}
"""Hypotheses by name: a parameter's value, or the expression that ties it.

The exceptional points of Eq. (12), δω = 2g_a ± 2√(g_a² − g_r²), lie at ω̃_2 − ω̃_1 = ±2√(g_a² − g_r²)
between the lines of a fit. Their ratio says how surely a pair is on its side of the transition
between broken and unbroken symmetry.
"""

_OF_BROKEN_SYMMETRY = ("lower exceptional point", "upper exceptional point")
_MIN_SIMULATED = 20


@runtime_checkable
class Simulates(Protocol):
    """A likelihood that can draw the data that its model makes."""

    def simulated(self, values: NDArray[np.float64], rng: np.random.Generator) -> Likelihood[Any]:
        """The same likelihood of data drawn at these parameters of the model, (P,)."""


@dataclass(frozen=True)
class Evidence:
    """What the data say against a hypothesis.

    Attributes
    ----------
    hypothesis : mapping of str to float or str
        What it fixes, or ties.
    ratio : float
        Λ = 2(ln L̂ − ln L̂_0), not below 0; of a spectrum, whose bins and segments are correlated,
        over the mean that it then has.
    dof : int
        Parameters that the hypothesis takes away.
    p_value : float
        Probability of a larger Λ if the hypothesis holds: by χ², or of the simulated sets.
    delta_bic : float or None
        Λ − dof·ln n, positive in favour of the effect; None where the data have no count n.
    simulated : ndarray, shape (n,), or None
        Λ of sets drawn under the hypothesis, in rising order.
    parameters : mapping of str to float
        All parameters at the maximum under the hypothesis, in the unit of the record.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> found = ob.evidence(ob.analyse_spectrum(record).result, {"g_a": 0.0})
    >>> found.ratio > 100.0, found.delta_bic < found.ratio
    (True, True)
    """

    hypothesis: Mapping[str, float | str]
    ratio: float
    dof: int
    p_value: float
    delta_bic: float | None
    simulated: NDArray[np.float64] | None
    parameters: Mapping[str, float]

    def __repr__(self) -> str:
        """Hypothesis, ratio and p in one line."""
        said = ", ".join(f"{name} = {value}" for name, value in self.hypothesis.items())
        return f"<Evidence against {said}: Λ = {self.ratio:.4g}, p = {self.p_value:.2g}>"

    @property
    def significance(self) -> float:
        """Two-sided standard deviations of a normal variable with this p-value."""
        return float(stats.norm.isf(0.5 * self.p_value)) if self.p_value > 0.0 else math.inf


def evidence(
    result: FitResult,
    hypothesis: str | Mapping[str, float | str],
    *,
    simulate: int = 0,
    seed: int = 0,
) -> Evidence:
    """Weigh a fit against a hypothesis that fixes or ties some of its parameters.

    Parameters
    ----------
    result : FitResult
        A converged fit by a likelihood, in the process that made it.
    hypothesis : str or mapping
        A name of ``HYPOTHESES``, or parameter to value (0 or in the unit of the record) or to the
        expression that ties it to others.
    simulate : int
        So many sets are drawn under the hypothesis and fitted with and without it, 0 or at least
        20; the p-value is then the share of them with a larger ratio (never below 1/(n + 1)).
    seed : int
        Of the drawn sets.

    Returns
    -------
    Evidence
        Ratio, p-value and ΔBIC.

    Raises
    ------
    InputError
        For names that are unknown or were not fitted, a result without its likelihood, a composite
        likelihood, one whose data cannot be drawn, or an exceptional point where there is none.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> found = ob.evidence(ob.analyse_spectrum(record).result, "uncorrelated")
    >>> found.dof, found.significance > 5.0
    (1, True)
    """
    stated = _stated(hypothesis)
    fitted = result.fitted
    if fitted is None or fitted.composite:
        raise InputError(
            f"a likelihood ratio needs a likelihood of this process; the {result.model} result "
            "has none (averaged curves and transitions state their own re_D12_p_value)"
        )
    for name in stated:
        if name not in fitted.optimum.free:
            known = ", ".join(fitted.optimum.free)
            raise InputError(
                f"{name!r} was not fitted, so nothing is to be tested; fitted: {known}"
            )
    if simulate and simulate < _MIN_SIMULATED:
        raise InputError(f"simulate must be 0 or at least {_MIN_SIMULATED} sets, got {simulate}")
    ratio, values = _ratio(fitted, stated)
    ratio /= _excess(fitted, stated)
    if hypothesis in _OF_BROKEN_SYMMETRY:
        g_r, g_a = (float(values[fitted.space.names.index(name)]) for name in ("g_r", "g_a"))
        # The maximum may lie where the expression is folded, at |g_r| = |g_a|.
        if abs(g_r) > 1.01 * abs(g_a):
            raise InputError(
                f"there is no exceptional point where |g_r| > |g_a|, here {abs(g_r):.4g} and "
                f"{abs(g_a):.4g} rad/s: ask for 'reciprocal' or 'antireciprocal' instead"
            )
    dof = len(stated)
    drawn = _null(fitted, stated, values, simulate, seed) if simulate else None
    if drawn is None:
        p_value = float(stats.chi2.sf(ratio, dof))
    else:
        p_value = (1.0 + float(np.sum(drawn >= ratio))) / (len(drawn) + 1.0)
    count = _count_of(result)
    return Evidence(
        hypothesis=stated,
        ratio=ratio,
        dof=dof,
        p_value=p_value,
        delta_bic=None if count is None else ratio - dof * math.log(count),
        simulated=drawn,
        parameters=dict(zip(fitted.space.names, values.tolist(), strict=True)),
    )


def _stated(hypothesis: str | Mapping[str, float | str]) -> dict[str, float | str]:
    if not isinstance(hypothesis, str):
        return dict(hypothesis)
    if hypothesis not in HYPOTHESES:
        raise InputError(f"unknown hypothesis {hypothesis!r}; known: {', '.join(HYPOTHESES)}")
    return HYPOTHESES[hypothesis]


def _ratio(
    fitted: FittedLikelihood, stated: Mapping[str, float | str]
) -> tuple[float, NDArray[np.float64]]:
    """Λ, and the parameters at the maximum under the hypothesis."""
    params = fitted.parameters()
    for name, value in stated.items():
        if isinstance(value, str):
            params[name].set(expr=value)
        else:
            params[name].set(value=value, vary=False)
    log_likelihood, values, _ = fitted.maximised(params)
    return max(2.0 * (fitted.maximum - log_likelihood), 0.0), values


def _excess(fitted: FittedLikelihood, stated: Mapping[str, float | str]) -> float:
    """How much larger than χ² the ratio is on average, where estimates scatter otherwise than F⁻¹.

    The mean eigenvalue of (A F⁻¹ Aᵀ)⁻¹ A C Aᵀ for the contrasts A that the hypothesis sets to zero
    and the covariance C of the estimates (Rao and Scott).
    """
    if fitted.scatter is None:
        return 1.0
    free, x = fitted.optimum.free, fitted.optimum.x
    contrasts = np.zeros((len(stated), len(free)))
    for row, (name, value) in zip(contrasts, stated.items(), strict=True):
        row[free.index(name)] = 1.0
        if isinstance(value, str):
            for column in range(len(free)):
                step = 1e-6 * (abs(x[column]) or 1.0)
                up, down = x.copy(), x.copy()
                up[column], down[column] = x[column] + step, x[column] - step
                slope = _tied(fitted, name, value, up) - _tied(fitted, name, value, down)
                row[column] -= slope / (2.0 * step)
    own = contrasts @ invert(fitted.optimum.fisher)[0] @ contrasts.T
    found = float(np.trace(np.linalg.solve(own, contrasts @ fitted.scatter @ contrasts.T)))
    return found / len(stated)


def _tied(fitted: FittedLikelihood, name: str, expression: str, x: NDArray[np.float64]) -> float:
    """What an expression ties a parameter to, at fitted values x."""
    params = fitted.parameters(x)
    params[name].set(expr=expression)
    return float(params[name].value)


def _null(
    fitted: FittedLikelihood,
    stated: Mapping[str, float | str],
    values: NDArray[np.float64],
    count: int,
    seed: int,
) -> NDArray[np.float64]:
    """Λ of sets drawn under the hypothesis, each fitted from its truth."""
    if not isinstance(fitted.likelihood, Simulates):
        raise InputError("data of this likelihood cannot be drawn: leave simulate out")
    params = fitted.parameters()
    for name, value in zip(fitted.space.names, values, strict=True):
        if params[name].vary and not params[name].expr:
            params[name].set(value=float(np.clip(value, params[name].min, params[name].max)))
    found = []
    for child in np.random.SeedSequence(seed).spawn(count):
        likelihood = fitted.likelihood.simulated(values, np.random.default_rng(child))
        found.append(_ratio(fitted.of(likelihood, params), stated)[0])
    return np.sort(np.array(found))


def _count_of(result: FitResult) -> float | None:
    """Independent complex values of a channel that went into the likelihood.

    Of N real samples there are N/2, as a spectrum of all of them has.
    """
    known = result.statistics
    if "bins" in known and "weight" in known:
        return max(float(known["bins"]) * float(known["weight"]), 1.0)
    if known.get("estimator") == "exact":
        return max(0.5 * float(known["samples"]), 1.0)
    return None
