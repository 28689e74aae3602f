"""Simulation studies as batches: pulls of an estimator, distributions under a null hypothesis.

A study is many sets of one simulated experiment, a task each, so that it resumes, runs in parallel
and on a cluster like the fits of files. Set k of a study has the seed (seed, k), wherever it is
carried out: a study with more sets goes on with those that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...acquisition.csd import estimate_csd
from ...models.errors import ConvergenceError
from ...models.inference.evidence import evidence
from ...models.inference.matrices import model_pair
from ...models.inference.result import FitResult
from ...models.inference.spectral.fits import fit_pair
from ...models.simulation import simulate_model
from .fits import row_of
from .tasks import Row, Task

__all__ = ["pulls_of", "spectrum_set", "study_tasks"]


def study_tasks(
    work: Callable[..., Row], sets: int, seed: int, arguments: Mapping[str, Any]
) -> list[Task]:
    """Make the tasks of a study.

    Parameters
    ----------
    work : callable
        Of a module; called with ``arguments`` and ``seed``, a list of two numbers.
    sets : int
        Number of simulated sets.
    seed : int
        Of the study.
    arguments : mapping
        Plain values.
    """
    return [Task(work, {**arguments, "seed": [seed, k]}, {"set": k}) for k in range(sets)]


def pulls_of(result: FitResult, truth: Mapping[str, float]) -> Row:
    """Estimates less the truth in standard errors, of all that was fitted: columns NAME_pull."""
    return {
        f"{name}_pull": (p.value - truth[name]) / p.stderr
        for name, p in result.parameters.items()
        if p.stderr and name in truth
    }


def spectrum_set(
    *,
    truth: Mapping[str, float],
    samples: int,
    sample_rate: float,
    segment: int,
    band: Sequence[float],
    seed: Sequence[int],
    hypothesis: str | Mapping[str, float | str] | None = None,
) -> Row:
    """One steady record of a pair in quanta and the fit of its spectra.

    The line holds values and errors, pulls, the statistics of the fit, and where a hypothesis is
    given its likelihood ratio: with a truth that obeys it, one draw of the null distribution.

    Parameters
    ----------
    truth : mapping
        The eleven parameters of a pair fit.
    samples : int
        Length of the record.
    sample_rate : float
        Hz.
    segment : int
        Samples per segment.
    band : (float, float)
        Hz.
    seed : sequence of int
        Of this set.
    hypothesis : str or mapping, optional
        As of :func:`optobind.evidence`.
    """
    rng = np.random.default_rng(list(seed))
    data, _ = simulate_model(model_pair(truth), samples, sample_rate, rng)
    csd = estimate_csd(data, sample_rate, segment, unit="quanta")
    result = fit_pair(csd, band=(band[0], band[1]))
    if not result.converged:
        raise ConvergenceError(f"the fit did not converge: {'; '.join(result.warnings)}")
    row = {**row_of(result), **pulls_of(result, truth)}
    if hypothesis is not None:
        found = evidence(result, hypothesis)
        row |= {"likelihood_ratio": found.ratio, "likelihood_ratio_p_value": found.p_value}
    return row
