"""From the releases of a record to averaged curves: what every fit of them begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..models.constants import HBAR
from ..models.errors import InputError
from ..models.inference.reheating.estimate import (
    MIN_REPETITIONS,
    ReheatingAccumulator,
    ReheatingEstimate,
)
from ..models.inference.reheating.single import paired_batches
from .choice import Progress
from .detection import delays_of
from .release_survey import sound_releases
from .releases import Releases, probed_line

__all__ = ["AveragedReleases", "average_releases", "release_columns"]

# Five periods of at least four samples: no release that is shorter can be demodulated.
_MIN_RELEASE = 20


@dataclass(frozen=True)
class AveragedReleases:
    """Sound releases and their averaged windows.

    Attributes
    ----------
    releases : Releases
        To be read again.
    estimate : ReheatingEstimate
        In ``unit``.
    factor : ndarray, shape (c,)
        ``unit`` per unit of the record.
    unit : str
        "quanta" where the record is calibrated and the masses are known.
    scale : float
        Frequency whose quanta they are, rad/s; 0 for another unit.
    said : tuple of str
        What was left out and why.
    """

    releases: Releases
    estimate: ReheatingEstimate
    factor: NDArray[np.float64]
    unit: str
    scale: float
    said: tuple[str, ...]


def average_releases(
    record: Record,
    *,
    band: tuple[float, float] | None = None,
    release_index: int | None = None,
    channels: Sequence[int] | None = None,
    delay: float | None = None,
    progress: Progress | None = None,
) -> AveragedReleases:
    """Average windows of all sound releases of a record, in bounded memory.

    Parameters
    ----------
    record, band, release_index, channels, delay
        As of :func:`.analyse_reheating`.
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1.

    Raises
    ------
    InputError
        For a plain record, other than one or two channels, too few repetitions or a band without
        lines.
    """
    ranges = record.releases(release_index)
    chosen = release_columns(record, channels)
    _require_releases(record, ranges, len(chosen))
    assumed = _assumed_release(record, ranges, release_index)
    ranges, said = sound_releases(record, ranges, chosen, band)
    said = (*assumed, *said)
    _require_releases(record, ranges, len(chosen), said)
    masses = record.masses_of(chosen) if record.unit == "m" else None
    releases = Releases(record, chosen, ranges)
    unit, scale, factor = record.unit, 0.0, np.ones(len(chosen))
    if masses is not None:
        scale = probed_line(releases, band)
        factor = np.sqrt(np.array(masses) * scale / HBAR)
        unit = "quanta"
    delays = delays_of(record, chosen, delay)
    estimate = _averaged(releases, band, factor, unit, delays, progress)
    return AveragedReleases(releases, estimate, factor, unit, scale, tuple(said))


def release_columns(record: Record, channels: Sequence[int] | None) -> tuple[int, ...]:
    """Columns of a reheating fit.

    Raises
    ------
    InputError
        If they are not one or two of the record's.
    """
    chosen = record.check_columns(record.usual if channels is None else channels)
    if len(chosen) not in (1, 2):
        raise InputError(
            f"a reheating fit needs 1 or 2 channels, {record.path} offers {len(chosen)}: "
            f"{', '.join(record.names[c] for c in chosen) or 'none'}; choose them with --channels"
        )
    return chosen


def _assumed_release(record: Record, ranges: Ranges, release_index: int | None) -> tuple[str, ...]:
    """Say where nothing states when the particles were released."""
    if release_index is not None or record.release_index is not None:
        return ()
    if not np.array_equal(ranges.starts, record.recorded().starts):
        return ()  # a run, or a gate, says it
    return (
        "the file states no release index: its repetitions are taken for released from their "
        "first sample on; --release-index says otherwise",
    )


def _require_releases(
    record: Record, ranges: Ranges, channels: int, left_out: Sequence[str] = ()
) -> None:
    """Refuse releases that are too short or too few."""
    if (length := ranges[0][1] - ranges[0][0]) < _MIN_RELEASE:
        raise InputError(
            f"{record.path} holds {length} sample{'s' if length > 1 else ''} after the release, "
            f"at least {_MIN_RELEASE} are needed"
        )
    # Releases of one particle go two by two.
    least = MIN_REPETITIONS * (3 - channels)
    if len(ranges) < least:
        raise InputError(
            f"too few {'sound ' if left_out else ''}repetitions: {len(ranges)}, at least {least} "
            f"are needed{''.join(f'; {text}' for text in left_out)}"
        )


def _averaged(
    releases: Releases,
    band: tuple[float, float] | None,
    factor: NDArray[np.float64],
    unit: str,
    delays: Sequence[float],
    progress: Progress | None,
) -> ReheatingEstimate:
    """Averaged windows of all releases; those of one particle two by two."""
    rate, count = releases.record.sample_rate, len(releases.ranges)
    accumulator = ReheatingAccumulator(rate, band=band, unit=unit, keep=False, delays=delays)

    def watched() -> Iterator[NDArray[Any]]:
        done = 0
        for batch in releases:
            yield batch * factor
            done += len(batch)
            if progress is not None:
                progress(done / count)

    alone = len(releases.columns) == 1
    for batch in paired_batches(watched()) if alone else watched():
        accumulator.add(batch)
    return accumulator.estimate()
