"""Expected standard errors of a pair's parameters, of releases and of a cooled spectrum.

The exact likelihood knows its Fisher information without data (physics.md §10). Transitions and
averaged curves are no likelihoods: their errors are those that they report of a simulated set. The
errors of M repetitions, or of M times the time, are 1/√M of those of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from ...detection import cold_damping_occupation, optimal_cold_damping, record_noise_std
from ...errors import InputError
from ...spectra import CsdEstimate
from ..exact.gains import NoFilterError, gains_of
from ..exact.likelihood import ExactLikelihood
from ..exact.model import FilterModel
from ..matrices import NAMES, model_pair
from ..reheating.estimate import estimate_reheating
from ..reheating.fits import reheating_estimators
from ..reheating.moments import initial_covariance, reheating_model
from ..spectral.fits import expected_csd
from ..spectral.problem import prepared
from ..steady.likelihood import SteadyLikelihood
from ..steady.transform import Stretches
from ..steps import invert

__all__ = [
    "Cooling",
    "exact_error",
    "reported_errors",
    "spectrum_covariance",
    "spectrum_error",
    "steady_error",
]

_Array = NDArray[np.float64]

_FIXED = ("gamma_1", "gamma_2")  # of a reheating fit, unless they show
_SIMULATED = 120  # repetitions of the simulated set
_BAND = 30.0  # widths of a line on either side, physics.md §10
_BINS = 8.0  # in the width of a cooled line
_AVERAGES = 100
_LIFETIMES = 300.0  # of a cooled line in the stretch that stands for a long one


@dataclass(frozen=True)
class Cooling:
    """A pair under cold damping, in quanta.

    Attributes
    ----------
    damping : float
        Γ of the loops, 1/s.
    occupations : (float, float)
        n_1 and n_2 that result.
    """

    damping: float
    occupations: tuple[float, float]

    @classmethod
    def of(cls, values: Mapping[str, float], damping: float | None = None) -> Cooling:
        """Narrow-band cold damping, n + ½ = (D + Γ² S_imp/4)/Γ; Γ = 2√(D/S_imp) unless given.

        Parameters
        ----------
        values : mapping
            D11, D22, noise_1, noise_2 in quanta.
        damping : float, optional
            Γ, 1/s.
        """
        pairs = [(values["D11"], values["noise_1"]), (values["D22"], values["noise_2"])]
        best = min(optimal_cold_damping(d, s) for d, s in pairs)
        gamma = best if damping is None else damping
        one, two = (cold_damping_occupation(d, gamma, s) for d, s in pairs)
        return cls(gamma, (max(one, 0.0), max(two, 0.0)))

    def cooled(self, values: Mapping[str, float]) -> dict[str, float]:
        """Parameters of a pair fit while the loops, independent of each other, damp the pair."""
        found = {n: float(values.get(n, 0.0)) for n in NAMES["pair"]}
        for j in ("1", "2"):
            found[f"gamma_{j}"] += self.damping
            found[f"D{j}{j}"] += 0.25 * self.damping**2 * found[f"noise_{j}"]
        return found

    def start(self, values: Mapping[str, float]) -> dict[str, float]:
        """n_1(0), n_2(0) and C(0) of the cooled pair, coupled and detuned as it is.

        To first order in g, C(0)(Γ − i(ω̃_1−ω̃_2)) = D_12 − i(g_r+g_a)E_2 + i(g_r−g_a)E_1. A pair
        that the loops do not hold begins at the occupations of uncoupled particles.
        """
        model = model_pair(self.cooled(values))
        if np.linalg.eigvals(model.drift).real.max() >= 0.0:
            n1, n2 = self.occupations
            return {"n1_0": n1, "n2_0": n2, "re_C0": 0.0, "im_C0": 0.0}
        v = solve_continuous_lyapunov(model.drift, -model.noise)
        return {
            "n1_0": max(0.5 * float(v[0, 0] + v[1, 1]) - 0.5, 0.0),
            "n2_0": max(0.5 * float(v[2, 2] + v[3, 3]) - 0.5, 0.0),
            "re_C0": 0.5 * float(v[0, 2] + v[1, 3]),
            "im_C0": 0.5 * float(v[0, 3] - v[1, 2]),
        }


def exact_error(
    values: Mapping[str, float], name: str, release_time: float, sample_rate: float
) -> float:
    """Standard error of a parameter from one release, by the exact likelihood.

    Parameters
    ----------
    values : mapping
        All parameters of a reheating fit, in quanta.
    name : str
        Parameter.
    release_time : float
        s.
    sample_rate : float
        Hz.

    Raises
    ------
    InputError
        If the values are no model, or the name is not fitted.
    """
    model = FilterModel("pair", True)
    free = [i for i, n in enumerate(model.names) if n not in _FIXED]
    if name not in model.names or name in _FIXED:
        raise InputError(f"{name!r} is no parameter of a fit of releases")
    likelihood = ExactLikelihood(model, [], sample_rate, np.ones(2), np.zeros(2))
    space = likelihood.space(np.array([values[n] for n in model.names]))
    if space is None:
        raise InputError("these values are no model of a pair")
    samples = max(round(release_time * sample_rate), 16)
    try:
        fisher = gains_of(space, np.ones(samples, dtype=bool)).information()
    except NoFilterError:
        raise InputError("these values are no model of a pair") from None
    covariance, determined = invert(fisher[np.ix_(free, free)])
    at = [model.names[i] for i in free].index(name)
    return math.sqrt(covariance[at, at]) if determined else math.inf


def simulated_releases(
    values: Mapping[str, float], count: int, samples: int, sample_rate: float, seed: int
) -> _Array:
    """Releases of the linear model, exactly discretised, shape (count, samples, 2)."""
    rng = np.random.default_rng(seed)
    step, spread = reheating_model(values).discretise(1.0 / sample_rate)
    lengths, vectors = np.linalg.eigh(spread)
    kick = (vectors * np.sqrt(lengths.clip(0.0))).T
    root = np.linalg.cholesky(initial_covariance(values) + 1e-12 * np.eye(4))
    state = rng.standard_normal((count, 4)) @ root.T
    out = np.empty((count, samples, 2))
    for at in range(samples):
        out[:, at] = state[:, ::2]
        state = state @ step.T + rng.standard_normal((count, 4)) @ kick
    size = [record_noise_std(values[n], sample_rate) for n in ("noise_1", "noise_2")]
    return out + np.array(size) * rng.standard_normal(out.shape)


def reported_errors(
    values: Mapping[str, float], name: str, release_time: float, sample_rate: float, seed: int = 0
) -> dict[str, float]:
    """Standard errors from one release that transitions and curves would report.

    Parameters are those of :func:`exact_error`; ``seed`` is that of the simulated set.

    Returns
    -------
    dict
        By estimator; one that cannot be had of these releases is left out.
    """
    samples = max(round(release_time * sample_rate), 16)
    data = simulated_releases(values, _SIMULATED, samples, sample_rate, seed)
    try:
        found = reheating_estimators(estimate_reheating(data, sample_rate, unit="quanta"))
    except (InputError, ArithmeticError):
        return {}
    errors = {key: fit.stderr(name) for key, fit in found.items() if fit.converged}
    return {key: e * math.sqrt(_SIMULATED) for key, e in errors.items() if e is not None}


def spectrum_error(
    values: Mapping[str, float], name: str, cooling: Cooling, sample_rate: float
) -> float:
    """Standard error of a parameter from one second of a cooled out-of-loop record.

    The loops are taken as independent: cross-talk in the loop makes correlated force noise that
    looks like Re D_12 (physics.md §10).

    Parameters
    ----------
    values : mapping
        As for :func:`exact_error`.
    name : str
        Parameter of a pair fit.
    cooling : Cooling
        Γ of the loops.
    sample_rate : float
        Hz.

    Returns
    -------
    float
        Infinite where the cooled pair is unstable.
    """
    covariance = spectrum_covariance(values, cooling, sample_rate)
    at = NAMES["pair"].index(name)
    return math.inf if covariance is None else math.sqrt(covariance[at, at])


def spectrum_covariance(
    values: Mapping[str, float], cooling: Cooling, sample_rate: float
) -> NDArray[np.float64] | None:
    """Covariance of a pair fit of one second of a cooled out-of-loop record.

    Parameters are those of :func:`spectrum_error`.

    Returns
    -------
    ndarray, shape (11, 11), or None
        ``NAMES["pair"]``; None where the cooled pair is unstable or the record does not tell.
    """
    gamma, cooled = cooling.damping, cooling.cooled(values)
    segment = 1 << max(math.ceil(math.log2(_BINS * 2.0 * math.pi * sample_rate / gamma)), 5)
    grid = np.arange(segment // 2 + 1, dtype=np.float64) * (sample_rate / segment)
    empty = CsdEstimate(
        grid, np.zeros((len(grid), 2, 2), np.complex128), _AVERAGES,
        np.hanning(segment + 1)[:-1], segment // 2, sample_rate, "quanta",
    )  # fmt: skip
    low, high = _band(cooled, gamma)
    band = (max(low, grid[1]), min(high, grid[-2]))
    try:
        full = CsdEstimate(
            grid, expected_csd(empty, cooled), _AVERAGES, empty.window, segment // 2,
            sample_rate, "quanta",
        )  # fmt: skip
        problem, _ = prepared("pair", full, band, 1.0)
        point = problem.evaluate(np.array([cooled[n] for n in NAMES["pair"]]))
    except (InputError, ArithmeticError):
        return None
    if not math.isfinite(point.log_likelihood):
        return None
    covariance, determined = invert(point.normal_equations()[1])
    seconds = (segment + (_AVERAGES - 1) * (segment // 2)) / sample_rate
    return covariance * seconds if determined else None


def steady_error(
    values: Mapping[str, float], name: str, cooling: Cooling, sample_rate: float
) -> float:
    """Standard error from one second of a cooled record, by the exact likelihood of its band.

    The Fisher information of whole stretches needs no data and grows with their length.
    Parameters and return value are those of :func:`spectrum_error`.
    """
    gamma, cooled = cooling.damping, cooling.cooled(values)
    length = round(_LIFETIMES * sample_rate / gamma)
    low, high = _band(cooled, gamma)
    first = max(math.ceil(low * length / sample_rate), 1)
    last = min(math.floor(high * length / sample_rate), (length - 1) // 2)
    bins = np.arange(first, last + 1, dtype=np.int64)
    stretch = Stretches(length, bins, np.zeros((1, len(bins), 2), np.complex128))
    likelihood = SteadyLikelihood(FilterModel("pair", False), [stretch], sample_rate)
    point = likelihood.evaluate(np.array([cooled[n] for n in likelihood.names]))
    if not math.isfinite(point.log_likelihood):
        return math.inf
    covariance, determined = invert(point.normal_equations()[1])
    at = likelihood.names.index(name)
    return math.sqrt(covariance[at, at] * length / sample_rate) if determined else math.inf


def _band(cooled: Mapping[str, float], gamma: float) -> tuple[float, float]:
    """The band of a fit, widths of a cooled line around both, Hz."""
    lines = sorted(cooled[n] / (2.0 * math.pi) for n in ("omega_1", "omega_2"))
    width = _BAND * gamma / (2.0 * math.pi)
    return lines[0] - width, lines[1] + width
