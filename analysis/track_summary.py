"""What trajectories of a record say of themselves: whiteness, occupations, what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.inference.exact.goodness import InnovationSums, Whiteness
from ..models.inference.tracking.modes import Occupations, amplitude_weights, occupations_of
from ..models.inference.tracking.tracker import TrackedSamples
from .choice import Progress
from .tracking import Tracking

__all__ = ["Sink", "TrackSummary", "summarise"]

Sink = Callable[[int, int, TrackedSamples], object]
"""Takes start and stop of a stretch, and states of some of its samples."""

_DOUBTFUL = 1e-3
_LONG = 1 << 62  # samples of a stretch whose begin and end are far away


@dataclass(frozen=True)
class TrackSummary:
    """Trajectories in a few numbers.

    Attributes
    ----------
    samples, stretches : int
        What was followed.
    seconds : float
        The same in time.
    unit : str
        Of positions.
    whiteness : Whiteness
        Of the innovations.
    squares : ndarray, shape (c,)
        Mean square of the innovations of each channel, 1 if the covariances are right.
    measured : Occupations
        Of the motion: what was tracked and what is not known of it together.
    filtered, retrodicted : Occupations
        Of what is not known of the motion, far from begin and end of a stretch. Filtered it is the
        conditional state of the detection; retrodicted it is an error, no state, and may be less
        than the vacuum's ½.
    modes : tuple of (float, float)
        Frequency in Hz and damping rate Γ in 1/s of the normal modes.
    warnings : tuple of str
        What the user should know before quoting the numbers.
    """

    samples: int
    stretches: int
    seconds: float
    unit: str
    whiteness: Whiteness
    squares: NDArray[np.float64]
    measured: Occupations
    filtered: Occupations
    retrodicted: Occupations
    modes: tuple[tuple[float, float], ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        white = self.whiteness
        return {
            "samples": self.samples,
            "stretches": self.stretches,
            "seconds": self.seconds,
            "unit": self.unit,
            "innovations": {
                "chi2": white.chi2,
                "dof": white.dof,
                "p_value": white.p_value,
                "mean_squares": self.squares.tolist(),
            },
            "measured": _moments(self.measured),
            "conditional": {
                "filtered": _moments(self.filtered),
                "retrodicted": {"energies": self.retrodicted.energies.tolist()},
            },
            "modes": [{"frequency": f, "damping": d} for f, d in self.modes],
            "warnings": list(self.warnings),
        }


def _moments(moments: Occupations) -> dict[str, Any]:
    """Occupations, and correlations of every pair of particles."""
    count = len(moments.energies)
    return {
        "occupations": moments.occupations.tolist(),
        "coherences": {
            f"{j + 1}{k + 1}": [moments.coherences[j, k].real, moments.coherences[j, k].imag]
            for j in range(count)
            for k in range(j + 1, count)
        },
    }


def summarise(
    tracking: Tracking, sink: Sink | None = None, progress: Progress | None = None
) -> TrackSummary:
    """Follow a record from its begin to its end.

    Parameters
    ----------
    tracking : Tracking
        From :func:`optobind.track`.
    sink : callable, optional
        Takes all that is followed, in order.
    progress : callable, optional
        Called with the share of the samples that were followed, 0 … 1.
    """
    channels = len(tracking.columns)
    sums, squares = InnovationSums(channels), np.zeros(channels)
    weights = amplitude_weights(tracking.dynamics.particles)
    moments, done = np.zeros((len(weights), len(weights)), complex), 0
    for start, stop, parts in tracking.stretches():
        for part in parts:
            sums.add(part.innovations)
            squares += np.einsum("mi,mi->i", part.innovations, part.innovations)
            moments += _products(part.filtered, weights)
            done += len(part)
            if sink is not None:
                sink(start, stop, part)
            if progress is not None:
                progress(done / tracking.ranges.samples)
    filtered = occupations_of(tracking.steady.after[-1], tracking.unit)
    later = occupations_of(tracking.steady.retrodicted(_LONG).steady, tracking.unit)
    total = moments / done + filtered.coherences
    measured = Occupations(total.diagonal().real.copy(), total, filtered.vacuum)
    white = _judged(tracking, sums)
    values = tracking.modes.eigenvalues
    return TrackSummary(
        done, len(tracking.ranges), done / tracking.record.sample_rate, tracking.unit, white,
        squares / done, measured, filtered, later,
        tuple((-v.imag / (2.0 * math.pi), -2.0 * v.real) for v in values.tolist()),
        (*tracking.warnings, *_doubts(white)),
    )  # fmt: skip


def _products(states: NDArray[np.float64], weights: NDArray[Any]) -> NDArray[Any]:
    """Σ a* aᵀ over samples, by products of the few columns."""
    columns = np.ascontiguousarray(states.T)
    second = np.array([[float(np.sum(a * b)) for b in columns] for a in columns])
    return np.asarray(weights.conj() @ second @ weights.T)


def _judged(tracking: Tracking, sums: InnovationSums) -> Whiteness:
    """Whiteness; a fit of the same samples has taken of it, the errors of another add to it."""
    fit, file = tracking.fit, tracking.record.provenance.get("file")
    if fit is None:
        return sums.judged()
    exact = fit.statistics.get("estimator") == "exact"
    own = exact and file is not None and fit.input.get("file") == file
    return sums.judged(tracking.steady.gains, tracking.dynamics.covariance, own=own)


def _doubts(white: Whiteness) -> tuple[str, ...]:
    """What innovations that are not white say."""
    if white.p_value is None or white.p_value > _DOUBTFUL:
        return ()
    return (
        f"the innovations are not white (p = {white.p_value:.2g}): the model does not describe the "
        "record – a drift, a tone, a filter or delay of the detectors, feedback, or another mode – "
        "and the covariances are not to be trusted",
    )
