"""Reheating of one particle by the estimators of the pair, two releases at a time.

Two releases of one particle are two particles that know nothing of each other and have the same
parameters: a pair without coupling, correlation or coherence, whose second half is tied to the
first. So every release counts once, and covariance, goodness and errors are those of the pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..matrices import NAMES
from ..result import FitResult
from .basins import search
from .estimate import ReheatingEstimate
from .fits import ESTIMATORS
from .surface import reheating_parameters

__all__ = ["paired", "paired_batches", "single_estimators", "values_of_pair"]

_PAIR = {"omega": "omega_1", "gamma": "gamma_1", "D": "D11", "noise": "noise_1", "n_0": "n1_0"}
_SECOND = {
    "omega_1": "omega_2", "gamma_1": "gamma_2", "D11": "D22", "noise_1": "noise_2", "n1_0": "n2_0",
}  # fmt: skip
_NONE = ("g_r", "g_a", "re_D12", "re_C0", "im_C0")


def paired(releases: NDArray[Any]) -> NDArray[Any]:
    """Put two releases of one channel side by side: (m, n, 1) → (m // 2, n, 2)."""
    even = releases[: len(releases) - len(releases) % 2, :, 0]
    return np.ascontiguousarray(np.stack([even[0::2], even[1::2]], axis=2))


def paired_batches(batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The same of batches that follow each other; the last of an odd number is left out."""
    left: NDArray[Any] | None = None
    for batch in batches:
        whole = batch if left is None else np.concatenate([left, batch])
        left = whole[-1:] if len(whole) % 2 else None
        if len(whole) > 1:
            yield paired(whole)


def values_of_pair(values: Mapping[str, float]) -> dict[str, float]:
    """Parameters of a pair from those of one particle; those of a pair as they are."""
    if "omega" not in values:
        return dict(values)
    found = {name: 0.0 for name in _NONE}
    for own, name in _PAIR.items():
        found[name] = found[_SECOND[name]] = values[own]
    return found


def single_estimators(estimate: ReheatingEstimate) -> dict[str, FitResult]:
    """Results of curves and transitions by name, with the parameters of one particle.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Of releases that were put in pairs by :func:`paired`.

    Returns
    -------
    dict
        ``model="single"``; omega, gamma, D, noise, n_0.

    Raises
    ------
    InputError, ConvergenceError
        As :func:`fit_reheating`.
    """
    if not estimate.curves()[:2].min() > 0.0:
        raise InputError("the channel holds no signal: its energy is 0")
    parameters = reheating_parameters(estimate)
    for name in _NONE:
        parameters[name].set(value=0.0, vary=False)
    floor = np.asarray(estimate.noise_floor)
    noise = float(floor[:, 0].mean()), float(0.5 * np.hypot(*floor[:, 1]))
    parameters["noise_1"].set(value=max(noise[0], parameters["noise_1"].min))
    for first, second in _SECOND.items():
        parameters[second].set(expr=first)
    # Nothing was said by a user: damping is tried as in any fit of releases.
    outcome = search(estimate, {"noise_1": noise}, parameters, None)
    return {name: _of_one(result(outcome)) for name, result in ESTIMATORS.items()}


def _of_one(result: FitResult) -> FitResult:
    """A result of the tied pair with the names of one particle."""
    own = {name: single for single, name in _PAIR.items()}
    order = [_PAIR[name] for name in NAMES["single reheating"]]
    statistics = {k: v for k, v in result.statistics.items() if not k.startswith("re_D12")}
    pairs = int(statistics["repetitions"])
    statistics["repetitions"] = 2 * pairs
    kept = [name for name in result.varying if name in own]
    rows = [result.varying.index(name) for name in kept]
    return replace(
        result,
        model="single",
        parameters={own[name]: result.parameters[name] for name in order},
        varying=tuple(own[name] for name in kept),
        covariance=result.covariance[np.ix_(rows, rows)],
        statistics=statistics,
        input={**result.input, "repetitions": statistics["repetitions"]},
        warnings=tuple(_renamed(text, own, pairs) for text in result.warnings),
        fitted=None,
    )


def _renamed(text: str, own: Mapping[str, str], pairs: int) -> str:
    """A warning of the pair in the words of one particle, whose releases went two by two."""
    text = text.replace(f"only {pairs} repetitions", f"only {2 * pairs} repetitions, two by two")
    for name, single in own.items():
        text = text.replace(name, single)
    return text
