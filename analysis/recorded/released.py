"""What is computed of the releases of a stretch, in the process of the fits: curves, then the fit.

Both are those of :mod:`..reheating`; a few single releases are shown beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.record import Ranges, Record
from ...acquisition.records.selected import without_releases
from ...models.constants import HBAR
from ...models.errors import OptobindError
from ...models.inference.reheating.estimate import ReheatingAccumulator, ReheatingEstimate
from ...models.inference.result import FitResult
from ...models.reprs import short_repr
from ..reheating import analyse_reheating
from ..release_average import average_releases
from ..releases import Releases
from .tasks import StretchTask, stretch_record

__all__ = ["FittedReleases", "average_curves", "fit_releases"]

_SINGLES, _LEFT_OUT = 8, 4  # single releases that are shown: counted ones, and left out ones


def _none() -> NDArray[np.float64]:
    return np.zeros((0, 2, 0))


@dataclass(frozen=True)
class FittedReleases:
    """Curves of the releases within a stretch and their fit, or why there is none.

    ``single``, shape (n, 2, t), holds energies of single releases that begin at ``first_samples``.
    """

    estimate: ReheatingEstimate | None
    result: FitResult | None = None
    error: str = ""
    single: NDArray[np.float64] = field(default_factory=_none)
    first_samples: tuple[int, ...] = ()

    __repr__ = short_repr


def average_curves(task: StretchTask) -> FittedReleases:
    """Average the releases of a stretch: there at once, where the fit takes minutes."""
    try:
        record = _in_one_light(task)
        estimate = average_releases(_counted(record, task), band=task.band).estimate
    except OptobindError as error:
        return FittedReleases(None, error=str(error))
    return FittedReleases(estimate, None, "", *_singles(record, estimate, task))


def fit_releases(task: StretchTask) -> FittedReleases:
    """Average and fit the releases of a stretch, by the exact likelihood of their samples."""
    try:
        record = _in_one_light(task)
        found = analyse_reheating(_counted(record, task), band=task.band)
    except OptobindError as error:
        return FittedReleases(None, error=str(error))
    singles = _singles(record, found.estimate, task)
    return FittedReleases(found.estimate, found.result, "", *singles)


def _in_one_light(task: StretchTask) -> Record:
    """The stretch, of whose releases those in the chosen light count."""
    record = stretch_record(task)
    settings = record.settings
    if len(settings) > 1:
        chosen = settings[task.setting]
        record = record.at_phase("reversed" if chosen.phase else "as-set")
        if any(one.power != chosen.power for one in record.settings):
            record = record.at_power(chosen.power)
    return record


def _counted(record: Record, task: StretchTask) -> Record:
    return without_releases(record, task.without)


def _singles(
    record: Record, estimate: ReheatingEstimate, task: StretchTask
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Energies of the newest releases and of some that are left out, and where they begin."""
    columns = record.check_columns(record.usual)
    if len(columns) != 2:
        return _none(), ()
    try:
        ranges = record.releases()
        out = np.isin(ranges.starts, task.without)
        shown = sorted((*np.flatnonzero(~out)[-_SINGLES:], *np.flatnonzero(out)[-_LEFT_OUT:]))
        chosen = Ranges(ranges.array[shown])
        samples = np.concatenate(list(Releases(record, columns, chosen)))
        masses = record.masses_of(columns) if estimate.unit == "quanta" else None
        factor = np.ones(2)
        if masses is not None:
            factor = np.sqrt(np.array(masses) * estimate.layout.omega_ref / HBAR)
        collected = ReheatingAccumulator(
            record.sample_rate,
            omega_ref=estimate.layout.omega_ref,
            window=estimate.layout.window,
            unit=estimate.unit,
        )
        collected.add(samples * factor)
    except OptobindError:  # the curves are what counts
        return _none(), ()
    energies = collected.latest_energies(len(chosen))
    return energies, tuple(int(start) for start in chosen.starts)
