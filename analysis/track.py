"""What a record is tracked by: a model or a fit of it, its units, delays, mixing and offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..models.constants import HBAR
from ..models.errors import ConvergenceError, InputError
from ..models.inference.convention import own_scale
from ..models.inference.exact.fits import Known, fit_exact, samples_of
from ..models.inference.result import FitResult
from ..models.inference.tracking.dynamics import fitted_dynamics, model_dynamics
from ..models.inference.tracking.steady import filter_of
from ..models.linear import LinearModel
from .choice import Progress, with_input
from .tracking import Tracking, scaled

__all__ = ["Part", "track"]

_Array = NDArray[np.float64]
Part = Literal["steady", "releases"]
# Samples of a block by which offset and power are known, and so many of them, over the record.
_BLOCK, _PROBES = 1 << 16, 64
# Variance of a state of which nothing is known, in that of the samples.
_DIFFUSE = 1e4


def track(
    record: Record,
    model: FitResult | LinearModel | None = None,
    *,
    channels: Sequence[int] | None = None,
    part: Part | None = None,
    band: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> Tracking:
    """Follow the particles of a record: positions, momenta and amplitudes with their covariances.

    A Kalman filter of the linear model gives what is known of each moment by the samples up to it,
    a sweep backward what the later ones add. Each stretch begins anew behind a gap, with the
    model's own spread.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    model : FitResult or LinearModel, optional
        Result of a fit of this or a like record, or a model with imprecision; by default the
        record is fitted.
    channels : sequence of int, optional
        Columns, particle 1 first; out-of-loop detectors by default, or those of the fit.
    part : {"steady", "releases"}, optional
        What is followed: stretches with feedback on, or releases. Releases for a fit of releases
        or a record that holds nothing else.
    band : (float, float), optional
        Hz, for the fit.
    progress : callable, optional
        Called with the share of the fit that is done, 0 … 1.

    Returns
    -------
    Tracking
        Nothing is followed yet: iterate over it, or read a range.

    Raises
    ------
    InputError
        For a model that does not suit the record, or that has no filter.
    ConvergenceError
        If the fit did not converge.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> tracking = ob.track(record)
    >>> start, stop = record.steady()[0]
    >>> track = tracking.read(start + 1000, start + 3000)
    >>> track.positions.shape, track.unit
    ((2000, 2), 'quanta')
    >>> bool((track.errors[:, 0] < track.positions[:, 0].std()).all())
    True
    """
    part, fitted = part or _usual_part(record, model), model is None
    if model is None:
        model = _fitted(record, part, channels, band, progress)
    if isinstance(model, FitResult) and not model.converged:
        raise ConvergenceError(f"the {model.model} fit did not converge: nothing to track by")
    chosen = _columns(record, model, channels)
    ranges = record.steady() if part == "steady" else record.releases()
    factor, metres = _units(record, chosen, model)
    scale = _unmixing(model) @ np.diag(record.scale[list(chosen)] * factor)
    probe = _probe(record, chosen, ranges, scale)
    mean = probe.mean(axis=(0, 1), dtype=np.float64)
    power = float(np.mean(probe.var(axis=(0, 1), dtype=np.float64)))
    if fitted and part == "steady" and isinstance(model, FitResult):
        model, mean = _sharpened(record, chosen, model, probe)
    diffuse, delays = _DIFFUSE * power, _delays(record, chosen, model, part)
    if isinstance(model, FitResult):
        dynamics = fitted_dynamics(model, record.sample_rate, diffuse=diffuse, delays=delays)
    else:
        dynamics = model_dynamics(model, record.sample_rate, diffuse=diffuse, delays=delays)
    fit = model if isinstance(model, FitResult) else None
    return Tracking(record, chosen, ranges, filter_of(dynamics), scale, mean, fit, metres)


def _usual_part(record: Record, model: FitResult | LinearModel | None) -> Part:
    """Releases for a fit of releases, or where there is nothing else."""
    if isinstance(model, FitResult):
        return "releases" if {"n_0", "n1_0"} & set(model.parameters) else "steady"
    try:
        record.steady()
    except InputError:
        return "releases"
    return "steady"


def _fitted(
    record: Record,
    part: Part,
    channels: Sequence[int] | None,
    band: tuple[float, float] | None,
    progress: Progress | None,
) -> FitResult:
    """Fit what is to be tracked."""
    if part == "steady":
        from .spectrum import analyse_spectrum

        return analyse_spectrum(record, channels=channels, band=band, progress=progress).result
    from .reheating import analyse_reheating

    return analyse_reheating(record, channels=channels, band=band, progress=progress).result


def _columns(
    record: Record, model: FitResult | LinearModel, channels: Sequence[int] | None
) -> tuple[int, ...]:
    """Columns that suit the model."""
    if isinstance(model, FitResult):
        wanted = 1 if "omega" in model.parameters else 2
    else:
        wanted = model.channels
    chosen = record.check_columns(record.usual[:wanted] if channels is None else channels)
    if len(chosen) != wanted:
        raise InputError(
            f"the model has {wanted} channels, {len(chosen)} are chosen of {record.path} "
            f"({', '.join(record.names)}); choose them with channels"
        )
    return chosen


def _units(
    record: Record, columns: tuple[int, ...], model: FitResult | LinearModel
) -> tuple[_Array, tuple[float, ...] | None]:
    """Units of the model per unit of the record, and metres of one of them."""
    if isinstance(model, FitResult):
        unit, omega = str(model.input.get("unit", "quanta")), own_scale(model)
    else:
        unit, omega = model.unit, float(model.drift[0, 1])
    masses = record.masses_of(columns)
    if unit == record.unit:
        return np.ones(len(columns)), (1.0,) * len(columns) if unit == "m" else None
    if unit != "quanta" or record.unit != "m" or masses is None:
        raise InputError(
            f"the model is in {unit}, {record.path} in {record.unit}"
            + (" without masses" if masses is None and record.unit == "m" else "")
            + ": fit this record, or give a model in its unit"
        )
    factor = np.sqrt(np.array(masses) * omega / HBAR)
    return factor, tuple((1.0 / factor).tolist())


def _unmixing(model: FitResult | LinearModel) -> _Array:
    """T⁻¹ of the cross-talk that a fit of spectra took off the record."""
    if not isinstance(model, FitResult):
        return np.eye(model.channels)
    count = 1 if "omega" in model.parameters else 2
    mixing = model.input.get("mixing")
    if mixing is None:
        return np.eye(count)
    one, two = mixing
    return np.asarray(np.linalg.inv([[1.0, one], [two, 1.0]]))


def _delays(
    record: Record, columns: tuple[int, ...], model: FitResult | LinearModel, part: Part
) -> tuple[float, ...]:
    """What is known of the channels' delays; a fit of releases was made without."""
    if part == "releases" and isinstance(model, FitResult):
        return ()
    if isinstance(model, FitResult) and model.input.get("delay") is not None:
        return (0.0, float(model.input["delay"]))
    return tuple(record.delays[column] for column in columns) if record.delays else ()


def _probe(
    record: Record, columns: tuple[int, ...], ranges: Ranges, scale: _Array
) -> NDArray[np.float32]:
    """Blocks of one length, spread over the record, in the model's unit, shape (m, n, c)."""
    size = int(min(_BLOCK, ranges.lengths.max()))
    counts = ranges.lengths // size
    first = np.repeat(ranges.starts, counts)
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = first + size * within
    if len(starts) > _PROBES:
        starts = starts[np.linspace(0, len(starts) - 1, _PROBES).round().astype(int)]
    with record.source.held():
        blocks = [record.source.counts(at, at + size, columns) for at in starts.tolist()]
    return np.stack([scaled(block, scale).astype(np.float32) for block in blocks])


def _sharpened(
    record: Record, columns: tuple[int, ...], result: FitResult, probe: NDArray[np.float32]
) -> tuple[FitResult, _Array]:
    """The fit of a spectrum, sharpened by the samples themselves, and their offset.

    A fit within a band knows the imprecision less well than a second of samples tells: errors of
    a per cent would show in innovations, and be taken for a wrong model.
    """
    mixing = {name: result.input[name] for name in ("mixing", "delay") if name in result.input}
    detection: dict[str, Known] = {}
    delays = _delays(record, columns, result, "steady")
    if len(columns) == 2 and delays and delays[1] != delays[0]:
        detection["delay_12"] = delays[0] - delays[1]
    samples = samples_of(probe)
    kind: Literal["single", "pair"] = "single" if len(columns) == 1 else "pair"
    unit = str(result.input.get("unit", "quanta"))
    ratio = float(result.input.get("mass_ratio", 1.0)) if unit == "m" else 1.0
    fit = fit_exact(
        samples, record.sample_rate, kind, result, released=False, detection=detection,
        mass_ratio=ratio, unit=unit,
    )  # fmt: skip
    if not fit.converged:
        raise ConvergenceError(
            f"the exact fit of {record.path} did not converge: {'; '.join(fit.warnings)}; track by "
            "a fit or a model of your own"
        )
    fit = replace(fit, warnings=(*result.warnings, *fit.warnings), input={**fit.input, **mixing})
    return with_input(fit, record, columns), samples.offset
