"""Fits of raw releases by the exact likelihood, from samples alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import lmfit
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ..reheating.estimate import MIN_REPETITIONS, estimate_reheating
from ..reheating.fits import fit_reheating
from ..reheating.start import start_values
from ..result import FitResult
from .fits import Known, Samples, fit_exact, samples_of

__all__ = ["fit_releases_exact"]

# Values that are demodulated for the start values at most.
_FOR_START = 1 << 24


def fit_releases_exact(
    data: ArrayLike | Iterable[NDArray[Any]],
    sample_rate: float,
    *,
    start: FitResult | Mapping[str, float] | None = None,
    params: lmfit.Parameters | None = None,
    detection: Mapping[str, Known] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    scale: ArrayLike = 1.0,
    unit: str = "quanta",
    progress: Callable[[float], object] | None = None,
) -> FitResult:
    """Fit releases of one particle or of a pair by the likelihood of their raw samples.

    Parameters
    ----------
    data : array_like, shape (m, n, c), or iterable of such arrays
        Repetitions, sample 0 the release; c is 1 or 2. What is iterated over is read again for
        every step of the fit, so that memory need not hold it: a list, or an object whose
        ``__iter__`` begins anew. Any real type. NaN marks missing samples; lengths may differ
        between arrays.
    sample_rate : float
        Hz.
    start : FitResult or mapping, optional
        Start values; by default the estimate from transitions between averaging windows.
    params : lmfit.Parameters, optional
        Values, bounds, ``vary`` and ``expr`` for any of the parameters.
    detection : mapping, optional
        What the detectors add, by name: ``noise_12`` (common noise, unit²/Hz), ``mix_12``,
        ``mix_21`` (cross-talk) and ``delay_12`` (s, by which channel 2 shows later what channel 1
        shows; negative for a multiplexed card, which samples it later). A number fixes it,
        (value, standard error) is a prior, None frees it. Nothing by default. Mixing without
        a prior is degenerate with Re D_12 and g_a.
    priors : mapping, optional
        What is known from elsewhere: name to (value, standard error).
    scale : array_like, shape (c,) or one number
        Unit per stored value.
    unit : str
        "quanta", "m" or "V".
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1.

    Returns
    -------
    FitResult
        Parameters of :func:`fit_reheating`, or omega, gamma, D, noise and n_0 of one particle.
        ``statistics["estimator"]`` is "exact".

    Raises
    ------
    InputError
        For unknown names, other shapes, or too few complete releases to begin without ``start``.

    Examples
    --------
    >>> import numpy as np
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> releases = np.stack([record.read(*span) for span in record.releases()])
    >>> result = ob.fit_releases_exact(releases, record.sample_rate, unit=record.unit)
    >>> result.stderr("re_D12") < ob.fit_reheating(releases, record.sample_rate).stderr("re_D12")
    True
    """
    records = data if _batches(data) else np.asarray(data)
    samples = samples_of(records, np.asarray(scale, dtype=np.float64))  # type: ignore[arg-type]
    channels = len(samples.scale)
    if channels not in (1, 2):
        raise InputError(f"an exact fit takes 1 or 2 channels, got {channels}")
    if start is None:
        start = _start(samples, sample_rate, unit)
    model: Literal["single", "pair"] = "single" if channels == 1 else "pair"
    return fit_exact(
        samples, sample_rate, model, start, params=params, detection=detection, priors=priors,
        unit=unit, progress=progress,
    )  # fmt: skip


def _batches(data: object) -> bool:
    """Whether data are several arrays (m, n, c) rather than one."""
    if isinstance(data, np.ndarray) or not isinstance(data, Iterable):
        return False
    return not isinstance(data, list | tuple) or (len(data) > 0 and np.ndim(data[0]) == 3)


def _start(samples: Samples, sample_rate: float, unit: str) -> FitResult | dict[str, float]:
    """Start values from the complete releases at the beginning."""
    taken: list[NDArray[np.float64]] = []
    room = _FOR_START
    for batch in samples.records:
        some = np.asarray(batch[: max(1, room // batch[0].size)], np.float64)
        data = some * samples.scale - samples.offset
        whole = data[np.isfinite(data).all(axis=(1, 2))]
        if taken:
            length = min(taken[0].shape[1], whole.shape[1])
            taken = [one[:, :length] for one in taken]
            whole = whole[:, :length]
        taken.append(whole)
        room -= data.size
        if room <= 0:
            break
    releases = np.concatenate(taken)
    if len(releases) < MIN_REPETITIONS:
        raise InputError(
            f"too few complete releases to begin: {len(releases)}, at least {MIN_REPETITIONS} are "
            "needed, or start values"
        )
    if releases.shape[2] == 2:
        estimate = estimate_reheating(releases, sample_rate, unit=unit)
        return fit_reheating(estimate, estimator="transitions")
    values = start_values(estimate_reheating(np.repeat(releases, 2, 2), sample_rate, unit=unit))
    names = {"omega": "omega_1", "D": "D11", "noise": "noise_1", "n_0": "n1_0", "gamma": "gamma_1"}
    return {name: values[other] for name, other in names.items()}
