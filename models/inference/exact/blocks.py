"""Constants of their own for every block of repetitions: what drifts between blocks is averaged.

A phase that drifts by 0.3 rad rms biases the fit of all repetitions together by many standard
errors; blocks that are short against the drift are each fitted with their own constants, and the
mean over blocks is free of that bias (physics.md §10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...errors import InputError
from ..result import MIN_DOF, FitResult, FittedParameter, presupposed_cross_talk
from .fits import Known, fit_exact, samples_of

__all__ = ["LEAST_BLOCK", "blocked", "blocks_of", "fit_blocks", "mean_of_blocks"]

_Array = NDArray[np.float64]

LEAST_BLOCK = 5
"""Fewest releases that may have constants of their own."""

_DOUBTFUL = 1e-3


def blocks_of(batches: Iterable[NDArray[Any]], total: int, size: int) -> Iterator[NDArray[Any]]:
    """Split releases into blocks of nearly equal size, in their order.

    Parameters
    ----------
    batches : iterable of ndarray, shape (m, n, c)
        Together ``total`` releases of one length.
    total, size : int
        Number of releases, and about how many go to a block.

    Raises
    ------
    InputError
        For a size below 5 releases, or so large that there are no two blocks.
    """
    if size < LEAST_BLOCK:
        raise InputError(f"a block needs at least {LEAST_BLOCK} releases, got {size}")
    count = round(total / size)
    if count < 2:
        raise InputError(f"{total} releases give no two blocks of {size}: choose a smaller block")
    edges = np.diff(np.linspace(0, total, count + 1).round().astype(int))
    kept: list[NDArray[Any]] = []
    have, at = 0, 0
    for batch in batches:
        first = 0
        while first < len(batch) and at < len(edges):
            part = batch[first : first + int(edges[at]) - have]
            kept.append(part)
            have, first = have + len(part), first + len(part)
            if have == edges[at]:
                yield np.concatenate(kept)
                kept, have, at = [], 0, at + 1


def fit_blocks(
    blocks: Iterable[NDArray[Any]],
    factor: _Array,
    sample_rate: float,
    start: FitResult,
    detection: Mapping[str, Known] | None = None,
) -> list[FitResult]:
    """Exact fits of every block, each begun at the fit of all.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (m, n, c)
        Releases.
    factor : ndarray, shape (c,)
        Unit of ``start`` per stored value.
    sample_rate : float
        Hz.
    start : FitResult
        Of all releases by the exact likelihood; what it held fixed stays so.
    detection : mapping, optional
        As for :func:`fit_exact`.
    """
    model: Literal["single", "pair"] = "single" if "omega" in start.parameters else "pair"
    unit = str(start.input["unit"])
    return [
        fit_exact(
            samples_of(block, factor), sample_rate, model, start, detection=detection, unit=unit
        )
        for block in blocks
    ]


def mean_of_blocks(fits: Sequence[FitResult], whole: FitResult) -> FitResult:
    """Mean over blocks by their releases, with its covariance.

    Parameters
    ----------
    fits : sequence of FitResult
        Of blocks; those that did not converge are left out, and said.
    whole : FitResult
        Of all releases, whose other statistics stay.

    Returns
    -------
    FitResult
        ``statistics``: ``blocks``, and ``drift_p_value`` of the scatter of blocks about their
        errors: small where parameters drift.

    Raises
    ------
    InputError
        If fewer than two blocks can be used.
    """
    names = whole.varying
    used = [fit for fit in fits if fit.converged and set(names) <= set(fit.varying)]
    if len(used) < 2:
        raise InputError(f"{len(used)} of {len(fits)} blocks can be fitted: choose larger blocks")
    weight = np.array([float(fit.statistics["repetitions"]) for fit in used])
    weight /= weight.sum()
    rows = [[fit.varying.index(name) for name in names] for fit in used]
    spreads = np.stack(
        [fit.covariance[np.ix_(row, row)] for fit, row in zip(used, rows, strict=True)]
    )
    values = np.array([[fit.value(name) for name in names] for fit in used])
    mean = weight @ values
    covariance = np.einsum("b,bij->ij", weight**2, spreads)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    table = {
        name: p if name not in names else FittedParameter(
            float(mean[names.index(name)]), float(errors[names.index(name)]), p.unit
        )
        for name, p in whole.parameters.items()
    }  # fmt: skip
    said = [text for text in whole.warnings if "not white" not in text]
    if len(used) < len(fits):
        said.append(f"{len(fits) - len(used)} of {len(fits)} blocks did not converge: left out")
    statistics = {**_white(used), "blocks": len(used), "drift_p_value": _drift(values, spreads)}
    if "re_D12" in names:
        statistics.update(_evidence(table))
    return replace(
        whole,
        parameters=table,
        covariance=covariance,
        statistics={**whole.statistics, **statistics},
        input={**whole.input, "blocks": len(used)},
        warnings=tuple(said),
        fitted=None,
    )


def blocked(
    batches: Iterable[NDArray[Any]],
    factor: _Array,
    sample_rate: float,
    whole: FitResult,
    size: int,
    detection: Mapping[str, Known] | None = None,
) -> FitResult:
    """Mean of the exact fits of blocks of about ``size`` releases; errors as the parts have."""
    total = int(whole.statistics["repetitions"])
    blocks = blocks_of(batches, total, size)
    return mean_of_blocks(fit_blocks(blocks, factor, sample_rate, whole, detection), whole)


def _white(fits: Sequence[FitResult]) -> dict[str, Any]:
    """Whiteness and likelihood of all blocks together."""
    chi2 = sum(float(fit.statistics["chi2"]) for fit in fits)
    dof = sum(float(fit.statistics["dof"]) for fit in fits)
    return {
        "chi2": chi2,
        "dof": dof,
        "reduced_chi2": chi2 / dof if dof > 0.0 else None,
        "p_value": float(stats.chi2.sf(chi2, dof)) if dof >= MIN_DOF else None,
        "log_likelihood": sum(float(fit.statistics["log_likelihood"]) for fit in fits),
    }


def _drift(values: _Array, spreads: _Array) -> float:
    """Probability of a larger scatter of the blocks if nothing drifts.

    Errors of the mean block: those of single ones go up and down with their values.
    """
    apart = values - values.mean(axis=0)
    common = spreads.mean(axis=0)
    scale = np.sqrt(np.diag(common))
    inverse = np.linalg.pinv(common / np.outer(scale, scale), hermitian=True)
    chi2 = float(np.einsum("bi,ij,bj->", apart / scale, inverse, apart / scale))
    return float(stats.chi2.sf(chi2, (len(values) - 1) * values.shape[1]))


def _evidence(table: Mapping[str, FittedParameter]) -> dict[str, Any]:
    """How far the mean Re D_12 is from 0."""
    value, error = table["re_D12"].value, table["re_D12"].stderr
    z = value / error if error else 0.0
    return {
        "re_D12_z": z,
        "re_D12_likelihood_ratio": z * z,
        "re_D12_p_value": float(stats.chi2.sf(z * z, 1)),
        "re_D12_cross_talk": presupposed_cross_talk(table),
    }
