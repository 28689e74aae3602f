"""What a change along a record is: a lost particle, feedback, light or calibration, a drift.

A line that feedback cools is as much broader as it is weaker; one whose light or calibration
changed is not, and of a lost particle nothing is left. The samples of either side say which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.csd import MIN_SEGMENT, CsdEstimator
from ..acquisition.records.record import Ranges, Record
from ..models.blocks import Block
from ..models.errors import InputError
from ..models.inference.spectral.fits import fit_single
from ..models.inference.spectral.lines import Line
from ..models.inference.spectral.problem import bounded, single_start
from ..models.spectra import CsdEstimate
from ..models.steadiness import Change

__all__ = ["described"]

_MOST_SAMPLES = 1 << 19  # of either side, from which its line is read
_EDGE = 0.1  # of a stretch: rows at its ends hold both
_BESIDE = (0.6, 1.5)  # of the frequency, where the other line is looked for
_BINS_PER_LINE = 8.0
_BROADER = (1.0, 5.0, 25.0)  # linewidths with which a fit begins
_CLEARLY_BROADER = 1.5
_SEEN = 4.0  # standard errors of D of a line that is there
_BLOCKS = 'fit it block by block, optobind fit batch spectrum FILE --blocks "1 s" --out TABLE.csv'


@dataclass(frozen=True)
class _Motion:
    """What a fit of one stretch says of the line there."""

    width: float  # rad/s
    power: float


def described(record: Record, column: int, change: Change, frequency: float, width: float) -> str:
    """Say what changes, where, by how much, and what to do.

    Parameters
    ----------
    record : Record
        From which the two sides of a change are read.
    column : int
        Channel.
    change : Change
        What the rows of the line say.
    frequency, width : float
        Of the line, Hz.
    """
    name = record.names[column]
    where = f"from sample {change.start} to {change.stop}"
    if change.kind == "power":
        return (
            f"the power of the line of {name} drifts by a factor {change.amount:.3g} over the "
            f"record, {where}: D and V² are averages, their errors too small; {_BLOCKS}"
        )
    if change.kind == "frequency":
        return (
            f"the frequency of the line of {name} drifts by {change.amount:+.3g} Hz "
            f"({abs(change.amount) / width:.2g} linewidths) over the record, {where}: the line is "
            f"broadened, gamma too large, the error of omega too small; {_BLOCKS}"
        )
    inside, outside = _sides(record, column, change, frequency, width)
    weaker = change.amount < 1.0
    cold, hot = (inside, outside) if weaker else (outside, inside)
    if cold is not None and hot is not None:
        share, broader = cold.power / hot.power, cold.width / hot.width
        if share < 1.0 and broader > min(_CLEARLY_BROADER, 1.0 / math.sqrt(share)):
            return (
                f"feedback was {'on' if weaker else 'off'} {where}: with it the line of {name} has "
                f"{100.0 * share:.2g} % of its power and is {broader:.2g} times as "
                f"broad{_remedy(change)}"
            )
    if change.kind == "gone":
        return (
            f"the line of {name} is gone {where} ({100.0 * change.amount:.2g} % of its power): the "
            "particle was lost, or cooled below the noise"
        )
    return (
        f"the power of the line of {name} is {change.amount:.2g} times that elsewhere {where}: "
        f"light or calibration changed{_remedy(change)}"
    )


def _remedy(change: Change) -> str:
    """What to do about a change that is not left out."""
    if change.kind != "level":
        return ""
    return f"; D and gamma are averages of both: {_BLOCKS}"


def _sides(
    record: Record, column: int, change: Change, frequency: float, width: float
) -> tuple[_Motion | None, _Motion | None]:
    """The line in a stretch that changed, and in the rest."""
    stretch = Ranges([(change.start, change.stop)])
    steady = record.steady()
    parts = stretch.cut_to(steady), steady.without(stretch)
    inside, outside = (_motion(record, column, part, frequency, width) for part in parts)
    return inside, outside


def _motion(
    record: Record, column: int, ranges: Ranges, frequency: float, width: float
) -> _Motion | None:
    """Width and power of the line in the longest of some ranges, if it is seen there."""
    if not len(ranges):
        return None
    start, stop = (int(end) for end in ranges[int(np.argmax(ranges.lengths))])
    edge = int(_EDGE * (stop - start))
    start, stop = start + edge, min(stop - edge, start + edge + _MOST_SAMPLES)
    rate = record.sample_rate
    wanted = 2 ** round(math.log2(max(_BINS_PER_LINE * rate / width, 256.0)))
    segment = min(wanted, 2 ** int(math.log2(max(stop - start, 1))) // 4)
    if segment < MIN_SEGMENT:
        return None
    estimator = CsdEstimator(1, segment, rate)
    samples = record.read(start, stop, (column,))
    estimator.add(Block(0, samples.astype(np.float32), np.ones(1)))
    csd = estimator.estimate()
    band = _BESIDE[0] * frequency, min(_BESIDE[1] * frequency, 0.49 * rate)
    fits = []
    for ratio in _BROADER:
        try:
            begin = bounded("single", csd, _start(csd, band, frequency, ratio * width))
            fits.append(fit_single(csd, band=band, params=begin))
        except (InputError, ArithmeticError):
            continue  # no line there
    fits = [fit for fit in fits if fit.converged]
    if not fits:
        return None
    best = max(fits, key=lambda fit: float(fit.statistics["log_likelihood"]))
    error = best.stderr("D")
    if error is None or best.value("D") < _SEEN * error:
        return None
    return _Motion(best.value("gamma"), best.value("D") / best.value("gamma"))


def _start(
    csd: CsdEstimate, band: tuple[float, float], frequency: float, width: float
) -> NDArray[np.float64]:
    """Where a fit begins: a line of some width on the floor."""
    f, spectrum = csd.frequencies, csd.matrix[:, 0, 0].real
    floor = float(np.quantile(spectrum[(f > band[0]) & (f < band[1])], 0.2))
    near = np.abs(f - frequency) <= max(0.5 * width, csd.bin_width)
    height = max(float(spectrum[near].mean()) - floor, 0.1 * floor)
    return single_start(Line(frequency, width, height, floor, 0.0))
