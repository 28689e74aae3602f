"""What is known of the detectors, taken off a spectrum before it is fitted: delays and mixing.

At one light setting no fit can tell cross-talk from coupling, nor a small delay from a complex
coupling (physics.md §10): what is known has to be said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Record
from ..models.errors import InputError
from ..models.inference.exact.fits import Known
from ..models.inference.result import FitResult
from ..models.inference.spectral.fits import fit_pair
from ..models.lowpass import keeps_of
from ..models.ranges import require_range
from ..models.spectra import CsdEstimate

__all__ = [
    "Ranges",
    "corrected",
    "delay_warning",
    "delays_of",
    "detection_of",
    "lowpass_of",
    "notched",
    "tone_warning",
    "without_ranges",
]

Ranges = Sequence[tuple[float, float]]
"""Ranges of frequencies that are left out, Hz."""

_DOUBTFUL = 1e-3  # p-value below which a delay is looked for
_RISE = 10.0  # of ln L that speaks for a delay
_TRIED = 8  # delays to either side, of up to a quarter of a period
_STEPS = 6  # parabolas that refine the best of them


def corrected(
    csd: CsdEstimate,
    record: Record,
    columns: tuple[int, ...],
    delay: float | None,
    mixing: tuple[float, float] | None,
) -> CsdEstimate:
    """Take off low-passes, delays and mixing of the detectors.

    Parameters
    ----------
    csd : CsdEstimate
        Of these columns.
    record : Record
        Tells low-passes and delays of its channels, where the rig knew them.
    columns : tuple of int
        Fitted columns.
    delay : float or None
        By how much the second of two columns was sampled later than the first, s; None for what
        the record tells.
    mixing : (float, float) or None
        T_12 and T_21 of y = Tz with T = [[1, T_12], [T_21, 1]].

    Raises
    ------
    InputError
        If one channel alone is fitted, or a value is out of range.
    """
    if (delay is not None or mixing is not None) and csd.channels != 2:
        raise InputError("delay and mixing are between two channels, one is fitted")
    keeps = lowpass_of(record, columns)
    if keeps is not None:
        csd = csd.unfiltered(keeps)
    delays = delays_of(record, columns, delay)
    if any(delays):
        csd = csd.undelayed(delays)
    if mixing is not None:
        one, two = (require_range("mixing", share, -0.9, 0.9) for share in mixing)
        csd = csd.unmixed(np.array([[1.0, one], [two, 1.0]]))
    return csd


def delays_of(record: Record, columns: Sequence[int], delay: float | None) -> list[float]:
    """By how much each column is sampled later, s: as given for the second, or as recorded.

    Raises
    ------
    InputError
        If a given delay is longer than a thousand samples.
    """
    if delay is None:
        return [record.delays[column] if record.delays else 0.0 for column in columns]
    period = 1.0 / record.sample_rate
    return [0.0, require_range("delay", delay, -1e3 * period, 1e3 * period, "s")]


def lowpass_of(record: Record, columns: Sequence[int]) -> NDArray[np.float64] | None:
    """What each column's known low-pass keeps of a sample; None where all are flat."""
    corners = [record.lowpass[column] if record.lowpass else None for column in columns]
    return keeps_of(corners, record.sample_rate)


def detection_of(
    record: Record,
    columns: Sequence[int],
    delay: float | None,
    mixing: tuple[float, float] | None,
) -> dict[str, Known]:
    """What is known of two detectors, as an exact fit takes it: delay_12, mix_12 and mix_21.

    Raises
    ------
    InputError
        If a delay is a sample or longer, or a mixing out of range.
    """
    found: dict[str, Known] = {}
    if len(columns) != 2:
        if delay is not None or mixing is not None:
            raise InputError("delay and mixing are between two channels, one is fitted")
        return found
    first, second = delays_of(record, columns, delay)
    if second != first:
        if abs(second - first) * record.sample_rate > 1.0:
            raise InputError(
                f"an exact fit takes delays of up to one sample, "
                f"{1e6 / record.sample_rate:.4g} us; channel 2 is {1e6 * (second - first):.4g} us "
                "later than channel 1: choose another --estimator"
            )
        # A channel that is sampled later shows earlier what the other one shows.
        found["delay_12"] = first - second
    if mixing is not None:
        for name, share in zip(("mix_12", "mix_21"), mixing, strict=True):
            found[name] = require_range("mixing", share, -0.9, 0.9)
    return found


def without_ranges(csd: CsdEstimate, exclude: Ranges) -> CsdEstimate:
    """Leave out ranges of frequencies."""
    for low, high in exclude:
        csd = csd.without(low, high)
    return csd


def notched(
    samples: NDArray[np.float64], sample_rate: float, exclude: Ranges
) -> NDArray[np.float64]:
    """Samples (n, c) without what lies in excluded ranges, for the choice of a segment."""
    if not exclude:
        return samples
    lines = np.fft.rfft(samples, axis=0)
    frequencies = np.fft.rfftfreq(len(samples), 1.0 / sample_rate)
    for low, high in exclude:
        lines[(frequencies >= low) & (frequencies <= high)] = 0.0
    return np.asarray(np.fft.irfft(lines, len(samples), axis=0))


def delay_warning(
    csd: CsdEstimate,
    band: tuple[float, float],
    result: FitResult,
    masses: tuple[float, float] | None,
) -> tuple[str, ...]:
    """Name a delay between the channels where one describes the data far better.

    Parameters
    ----------
    csd : CsdEstimate
        As fitted.
    band : (float, float)
        Hz.
    result : FitResult
        The pair fit of it, in the unit of the record.
    masses : (float, float) or None
        As given to the fit.
    """
    p_value = result.statistics.get("p_value")
    if p_value is None or p_value > _DOUBTFUL:
        return ()

    def likelihood(delay: float) -> float:
        turned = csd.undelayed((0.0, delay))
        try:
            found = fit_pair(turned, band=band, start=result, masses=masses)
        except (InputError, ArithmeticError):
            return -np.inf
        return float(found.statistics["log_likelihood"])

    frequency = 0.25 * (result.value("omega_1") + result.value("omega_2")) / np.pi
    step = 0.25 / frequency / _TRIED
    tried = {k * step: likelihood(k * step) for k in range(-_TRIED, _TRIED + 1)}
    best = max(tried, key=lambda delay: tried[delay])
    for _ in range(_STEPS):
        step *= 0.5
        for delay in (best - step, best + step):
            tried.setdefault(delay, likelihood(delay))
        best = max(tried, key=lambda delay: tried[delay])
    if tried[best] - tried[0.0] < _RISE:
        return ()
    turn = 360.0 * frequency * best
    return (
        f"a delay of channel 2 by {1e6 * best:.3g} µs (a phase of {turn:.3g}° at the lines) would "
        f"describe these data far better (ln L + {tried[best] - tried[0.0]:.3g}): if the card "
        f'samples its channels one after the other, say so, --delay "{1e6 * best:.3g} us"',
    )


def tone_warning(result: FitResult, seconds: float) -> tuple[str, ...]:
    """Name lines that keep their phase over the whole record: no particle in gas does."""
    found = []
    for number in ("", "_1", "_2"):
        name = f"gamma{number}"
        if name in result.parameters and result.parameters[name].vary:
            gamma = result.value(name)
            if gamma * seconds < 1.0:
                line = result.value(f"omega{number}") / (2.0 * np.pi)
                width = gamma / (2.0 * np.pi)
                found.append(
                    f"the line at {line:.6g} Hz keeps its phase over the whole record "
                    f"(gamma/2π = {width:.2g} Hz): a tone of a drive or mains rather "
                    f"than a particle, unless the record is that short; leave it out, --exclude "
                    f"{line - 500.0:.0f} {line + 500.0:.0f}"
                )
    return tuple(found)
