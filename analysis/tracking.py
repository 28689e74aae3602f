"""Trajectories of a record: where every particle was, how fast it went, and how well known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..models.errors import InputError
from ..models.inference.result import FitResult
from ..models.inference.tracking.dynamics import Dynamics
from ..models.inference.tracking.modes import Modes, amplitude_weights, normal_modes
from ..models.inference.tracking.steady import SteadyFilter
from ..models.inference.tracking.tracker import TrackedSamples, Tracker
from ..models.reprs import short_repr

__all__ = ["Track", "Tracking", "scaled"]

_Array = NDArray[np.float64]
# Samples of a block that is filtered at once.
_BLOCK = 1 << 16
# Samples that one call of Tracking.read returns at most: 1 GB with its covariances.
_MOST_READ = 1 << 21


@dataclass(frozen=True)
class Track:
    """Trajectories of a range of samples, in the unit of the model.

    Attributes
    ----------
    first_sample : int
        Index in the record.
    sample_rate : float
        Hz.
    unit : str
        "quanta" (dimensionless z_j and p_j), "m" or "V", of positions and of momenta p_j = ż_j/ω.
    filtered, retrodicted : ndarray, shape (m, 2N)
        (z_1, p_1, z_2, p_2, …) given all samples up to each, and given all of the stretch.
    filtered_covariance, retrodicted_covariance : ndarray, shape (m, 2N, 2N)
        Of what is not known of them.
    innovations : ndarray, shape (m, c)
        What each sample brought that was not foreseen: white with variance 1.
    modes : Modes
        Normal modes of the model.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> tracking = ob.track(record, part="releases")
    >>> track = tracking.read(*record.releases()[0])
    >>> track.amplitudes.shape == track.positions.shape
    True
    """

    first_sample: int
    sample_rate: float
    unit: str
    filtered: _Array
    retrodicted: _Array
    filtered_covariance: _Array
    retrodicted_covariance: _Array
    innovations: _Array
    modes: Modes

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.filtered)

    @property
    def times(self) -> _Array:
        """Time of each sample since the record began, s."""
        return np.asarray((self.first_sample + np.arange(len(self))) / self.sample_rate)

    @property
    def positions(self) -> _Array:
        """Retrodicted z_j, shape (m, N)."""
        return self.retrodicted[:, ::2]

    @property
    def momenta(self) -> _Array:
        """Retrodicted p_j = ż_j/ω, shape (m, N)."""
        return self.retrodicted[:, 1::2]

    @property
    def errors(self) -> _Array:
        """Standard errors of the retrodicted states, shape (m, 2N)."""
        return np.sqrt(np.diagonal(self.retrodicted_covariance, axis1=1, axis2=2))

    @property
    def amplitudes(self) -> NDArray[np.complex128]:
        """Retrodicted a_j = (z_j + ip_j)/√2 of every particle, turning as e^{−iωt}, (m, N)."""
        return self.retrodicted @ amplitude_weights(self.retrodicted.shape[1] // 2).T

    @property
    def mode_amplitudes(self) -> NDArray[np.complex128]:
        """Retrodicted amplitudes of the normal modes, shape (m, modes)."""
        return self.retrodicted @ self.modes.weights.T


@dataclass(frozen=True)
class Tracking:
    """Trajectories of a record, made when they are asked for: iterate, or :meth:`read` a range.

    Attributes
    ----------
    record : Record
        Where the samples are.
    columns : tuple of int
        Channels, particle 1 first.
    ranges : Ranges
        Stretches; each begins anew, without memory of what was before a gap.
    steady : SteadyFilter
        Gains and covariances.
    scale, offset : ndarray, shape (c, c) and (c,)
        Samples are scale · (stored value) − offset.
    fit : FitResult or None
        What the model was made of.
    metres : tuple of float or None
        Metres of one unit of z_j, where known.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> tracking = ob.track(record)
    >>> sum(len(track) for track in tracking) == tracking.ranges.samples
    True
    """

    record: Record
    columns: tuple[int, ...]
    ranges: Ranges
    steady: SteadyFilter
    scale: _Array
    offset: _Array
    fit: FitResult | None = None
    metres: tuple[float, ...] | None = None

    def __repr__(self) -> str:
        """File, particles and stretches in one line."""
        return (
            f"<Tracking of {self.dynamics.particles} particles in {self.record.path}: "
            f"{self.ranges.samples} samples in {len(self.ranges)} stretches, {self.unit}>"
        )

    @property
    def dynamics(self) -> Dynamics:
        """The model per sample."""
        return self.steady.dynamics

    @property
    def unit(self) -> str:
        """Unit of positions and momenta."""
        return self.dynamics.model.unit

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of the fit, and what the model does not let be known."""
        found = [] if self.fit is None else list(self.fit.warnings)
        if not self.modes.condition < 1e3:
            found.append(
                "near an exceptional point the normal modes are nearly one (condition "
                f"{self.modes.condition:.2g}): read the particles' amplitudes instead of the modes'"
            )
        return tuple(found)

    @cached_property
    def modes(self) -> Modes:
        """Normal modes of the model."""
        return normal_modes(self.dynamics.model)

    def stretches(self) -> Iterator[tuple[int, int, Iterator[TrackedSamples]]]:
        """Iterate over stretches: start, stop, and the states in bounded memory, in order."""
        with self.record.source.held():
            for start, stop in self.ranges:
                yield start, stop, self._tracked(start, stop)

    def __iter__(self) -> Iterator[Track]:
        for start, stop, parts in self.stretches():
            for part in parts:
                for low in range(0, len(part), _BLOCK):
                    yield self._track(start, stop, part, low, min(low + _BLOCK, len(part)))

    def read(self, start: int, stop: int) -> Track:
        """Trajectories of a range of samples within one stretch.

        Parameters
        ----------
        start, stop : int
            Indices in the record, such as those of ``record.steady()`` or ``record.releases()``.

        Raises
        ------
        InputError
            If the range does not lie within one stretch, or is longer than memory should hold.
        """
        at = self.ranges.holding(start, stop) if start < stop else None
        if at is None:
            raise InputError(
                f"samples {start} … {stop} do not lie within one tracked stretch of "
                f"{self.record.path}: {self.ranges!r}"
            )
        if stop - start > _MOST_READ:
            raise InputError(
                f"{stop - start} samples are more than {_MOST_READ} at once: iterate over the "
                "tracking, or write it to a file with optobind track"
            )
        whole = self.ranges[at]
        # What lies further away than the lag says nothing.
        low = max(whole[0], start - self.steady.lag - self.steady.settled)
        high = min(whole[1], stop + self.steady.lag)
        with self.record.source.held():
            parts = list(self._tracked(low, high))
        joined = TrackedSamples(
            low - whole[0],
            np.concatenate([p.filtered for p in parts]),
            np.concatenate([p.retrodicted for p in parts]),
            np.concatenate([p.innovations for p in parts]),
        )
        return self._track(*whole, joined, start - low, stop - low)

    def _tracked(self, start: int, stop: int) -> Iterator[TrackedSamples]:
        """States from a sample on as if nothing had been before."""
        tracker = Tracker(self.steady)
        for low in range(start, stop, _BLOCK):
            found = tracker.add(self.samples(low, min(low + _BLOCK, stop)))
            if found is not None:
                yield found
        yield tracker.end()

    def samples(self, start: int, stop: int) -> _Array:
        """What is tracked: samples (m, c) of a range in the model's unit, without offset."""
        counts = self.record.source.counts(start, stop, self.columns)
        return scaled(counts, self.scale) - self.offset

    def _track(self, start: int, stop: int, part: TrackedSamples, low: int, high: int) -> Track:
        """Rows low … high of what was tracked in a stretch."""
        rows, length = part.first + np.arange(low, high), stop - start
        return Track(
            start + part.first + low, self.record.sample_rate, self.unit,
            part.filtered[low:high], part.retrodicted[low:high],
            self.steady.filtered(length).at(rows), self.steady.retrodicted(length).at(rows),
            part.innovations[low:high], self.modes,
        )  # fmt: skip


def scaled(counts: NDArray[np.generic], scale: _Array) -> _Array:
    """Stored values (m, c) in the model's unit."""
    values = np.asarray(counts, np.float64)
    if np.count_nonzero(scale) == len(scale):
        return np.asarray(values * scale.diagonal())
    return np.asarray(np.einsum("mc,dc->md", values, scale))
