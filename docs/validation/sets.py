"""One simulated set of each study, fitted in every way that is compared: a row of numbers.

Truths are in quanta of the fit. A column NAME/ESTIMATOR/value and one NAME/ESTIMATOR/error; of
optobind's fits NAME/ESTIMATOR/root as well, the signed root of the profile likelihood at the truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from peers import estimates

from optobind.acquisition.csd import estimate_csd
from optobind.models.errors import ConvergenceError, InputError
from optobind.models.inference.exact.gains import gains_of
from optobind.models.inference.exact.likelihood import ExactLikelihood
from optobind.models.inference.exact.model import FilterModel
from optobind.models.inference.exact.releases import fit_releases_exact
from optobind.models.inference.matrices import model_pair, model_single
from optobind.models.inference.planning.forecast import simulated_releases
from optobind.models.inference.profiles import signed_root
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import reheating_estimators
from optobind.models.inference.result import FitResult
from optobind.models.inference.spectral.fits import fit_pair, fit_single
from optobind.models.inference.spectral.windows import information_of
from optobind.models.simulation import simulate_model
from optobind.models.spectra import CsdEstimate

__all__ = ["bound", "drawn_line", "line_set", "line_truth", "pair_set", "release_set"]

Row = dict[str, float]


def line_truth(
    bins: float, ratio: float, segment: int, sample_rate: float, frequency: float
) -> dict[str, float]:
    """A line so many bins wide, whose peak is so many times as high as the noise."""
    gamma = 2.0 * math.pi * bins * sample_rate / segment
    diffusion = 1e5
    peak = 4.0 * diffusion / gamma**2
    return {
        "omega": 2.0 * math.pi * frequency, "gamma": gamma, "D": diffusion, "noise": peak / ratio,
    }  # fmt: skip


def band_of(truth: Mapping[str, float], sample_rate: float, segment: int) -> tuple[float, float]:
    """Thirty widths, and as many bins at least, on both sides of the lines."""
    lines = [v / (2.0 * math.pi) for n, v in truth.items() if n.startswith("omega")]
    width = max(v for n, v in truth.items() if n.startswith("gamma")) / (2.0 * math.pi)
    reach = 30.0 * max(width, sample_rate / segment)
    return max(min(lines) - reach, 5e2), min(max(lines) + reach, 0.49 * sample_rate)


def bound(truth: Mapping[str, float], samples: int, sample_rate: float) -> Row:
    """Cramér–Rao bound of a steady record: standard errors by the exact Fisher information."""
    kind = "pair" if "omega_1" in truth else "single"
    model = FilterModel(kind, False)
    likelihood = ExactLikelihood(model, [], sample_rate, np.ones(2 if kind == "pair" else 1),
                                 np.zeros(2 if kind == "pair" else 1))  # fmt: skip
    space = likelihood.space(np.array([truth[n] for n in model.names]))
    if space is None:
        raise InputError("these values are no model")
    fisher = gains_of(space, np.ones(samples, dtype=bool)).information()
    errors = np.sqrt(np.diag(np.linalg.inv(fisher)))
    return {name: float(e) for name, e in zip(model.names, errors, strict=True)}


def _columns(
    result: FitResult, truth: Mapping[str, float], estimator: str, names: Sequence[str], roots: bool
) -> Row:
    row: Row = {}
    for name in names:
        row[f"{name}/{estimator}/value"] = result.value(name)
        row[f"{name}/{estimator}/error"] = result.parameters[name].stderr or math.nan
        if roots:
            row[f"{name}/{estimator}/root"] = signed_root(result, name, truth[name])
    return row


def _converged(result: FitResult) -> FitResult:
    if not result.converged:
        raise ConvergenceError(f"the fit did not converge: {'; '.join(result.warnings)}")
    return result


def _spectrum(
    data: NDArray[np.float64], sample_rate: float, segment: int, window: str
) -> CsdEstimate:
    if window == "hann":
        return estimate_csd(data, sample_rate, segment, unit="quanta")
    # One boxcar over each stretch of a segment, side by side.
    cut = data[: len(data) // segment * segment].reshape(-1, segment, data.shape[1])
    transform = np.fft.rfft(cut, axis=1)
    matrix = np.einsum("kfj,kfl->fjl", transform, transform.conj()) / len(cut)
    matrix *= 2.0 / (sample_rate * segment)
    frequencies = np.fft.rfftfreq(segment, 1.0 / sample_rate)
    return CsdEstimate(
        frequencies, matrix, len(cut), np.ones(segment), 0, sample_rate, "quanta", float(len(cut))
    )


def line_set(
    *,
    truth: Mapping[str, float],
    samples: int,
    sample_rate: float,
    segment: int,
    window: str,
    seed: Sequence[int],
    others: bool = True,
) -> Row:
    """A record of one particle: the fit of its spectrum, and what people do."""
    rng = np.random.default_rng(list(seed))
    data, _ = simulate_model(model_single(truth), samples, sample_rate, rng)
    csd = _spectrum(data, sample_rate, segment, window)
    band = band_of(truth, sample_rate, segment)
    result = _converged(fit_single(csd, band=band))
    row = _columns(result, truth, "optobind", tuple(truth), True)
    if others:
        averages = information_of(csd).independent
        for estimator, found in estimates(csd, band, averages).items():
            for name, (value, error) in found.items():
                row[f"{name}/{estimator}/value"] = value
                row[f"{name}/{estimator}/error"] = error
    return row


def pair_set(
    *,
    truth: Mapping[str, float],
    samples: int,
    sample_rate: float,
    segment: int,
    names: Sequence[str],
    seed: Sequence[int],
) -> Row:
    """A record of a pair and the fit of its spectra."""
    rng = np.random.default_rng(list(seed))
    data, _ = simulate_model(model_pair(truth), samples, sample_rate, rng)
    csd = _spectrum(data, sample_rate, segment, "hann")
    result = _converged(fit_pair(csd, band=band_of(truth, sample_rate, segment)))
    return _columns(result, truth, "optobind", names, True)


def release_set(
    *,
    truth: Mapping[str, float],
    repetitions: int,
    samples: int,
    sample_rate: float,
    names: Sequence[str],
    seed: Sequence[int],
) -> Row:
    """Releases of a pair and all three estimators."""
    number = int(np.random.SeedSequence(list(seed)).generate_state(1)[0])
    data = simulated_releases(truth, repetitions, samples, sample_rate, number)
    found = reheating_estimators(estimate_reheating(data, sample_rate, unit="quanta"))
    found["exact"] = fit_releases_exact(data, sample_rate)
    row: Row = {}
    for estimator, result in found.items():
        row |= _columns(_converged(result), truth, estimator, names, False)
    return row


def drawn_line(*, samples: int, sample_rate: float, seed: Sequence[int]) -> Row:
    """A line drawn at random, fitted: one rank of a simulation-based calibration."""
    rng = np.random.default_rng([*seed, 1])
    segment = int(rng.choice([1024, 2048, 4096]))
    truth = line_truth(
        float(np.exp(rng.uniform(np.log(0.7), np.log(30.0)))),
        float(np.exp(rng.uniform(np.log(2.0), np.log(300.0)))),
        segment,
        sample_rate,
        float(rng.uniform(0.15, 0.35)) * sample_rate,
    )
    return line_set(
        truth=truth, samples=samples, sample_rate=sample_rate, segment=segment,
        window="hann", seed=[*seed, 2], others=False,
    )  # fmt: skip
