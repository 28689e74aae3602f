"""The fit table, its verdict, and strips of parameters over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.inference.digits import as_precise
from ...models.inference.parameters import symbol_of
from .run import duration_text
from .units import HeldPrefixes, prefix_factor, value_with_error

if TYPE_CHECKING:
    from ...acquisition.snapshots import FitSnapshot
    from ...models.inference.result import FitResult

__all__ = ["Age", "FitRow", "FitTable", "Strip", "fit_rows", "strip", "verdict"]

_TWO_PI = 2.0 * math.pi
# Fits that are further apart (s) are not joined by a line.
_LONGEST_STEP = 3.0


@dataclass(frozen=True)
class FitRow:
    """A row: name, symbol, value ± error, unit, fitted?, prediction, distance to it in σ."""

    name: str
    symbol: str
    value: str
    unit: str
    vary: bool
    predicted: str
    pull: float | None

    @property
    def words(self) -> str:
        """Value, error and unit, and whether it is held."""
        text = f"{self.value} {self.unit}".rstrip()
        return text if self.vary else f"{text} fixed"

    @property
    def pull_text(self) -> str:
        """Distance to the prediction in standard errors."""
        return "" if self.pull is None else f"{self.pull:+.1f} σ".replace("-", "−")


@dataclass(frozen=True)
class FitTable:
    """All rows, the verdict (text and severity) and the warnings."""

    rows: tuple[FitRow, ...]
    verdict: str
    severity: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Strip:
    """History of a parameter: seconds before now (≤ 0), value, and value ∓ σ, in ``unit``.

    ``joined`` tells whether a point and the next belong together: while there were no fits, nothing
    is known.
    """

    name: str
    unit: str
    ages: NDArray[np.float64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    joined: NDArray[np.bool_]


def shown(value: float, unit: str) -> tuple[float, str]:
    """Value and unit on screen: rates in rad/s or 1/s are divided by 2π and shown in Hz."""
    if unit in ("rad/s", "1/s"):
        return value / _TWO_PI, "Hz"
    return value, "" if unit == "quanta" else unit.replace("^2", "²")


def fit_rows(
    result: FitResult,
    prediction: Mapping[str, float] | None = None,
    held: HeldPrefixes | None = None,
) -> tuple[FitRow, ...]:
    """Rows of a result; ``prediction`` holds values by parameter name, in the result's units."""
    return tuple(
        _row(name, parameter, (prediction or {}).get(name), held)
        for name, parameter in result.parameters.items()
    )


def _row(
    name: str, parameter: Any, predicted: float | None, held: HeldPrefixes | None = None
) -> FitRow:
    value, unit = shown(parameter.value, parameter.unit)
    stderr = None if parameter.stderr is None else shown(parameter.stderr, parameter.unit)[0]
    text, shown_unit = value_with_error(value, stderr, unit, held, name)
    if parameter.vary and (stderr is None or not math.isfinite(stderr)):
        text += " ± ?"
    pull = None
    guess = ""
    if predicted is not None and math.isfinite(predicted):
        expected = shown(predicted, parameter.unit)[0]
        guess = _like(expected, stderr, shown_unit, unit)
        if stderr and math.isfinite(stderr):
            pull = (value - expected) / stderr
    return FitRow(name, symbol_of(name), text, shown_unit, parameter.vary, guess, pull)


def _like(expected: float, stderr: float | None, prefixed: str, unit: str) -> str:
    """Write a prediction with the prefix and the decimals of the estimate."""
    scale = prefix_factor(prefixed, unit)
    error = None if not stderr else stderr / scale
    return as_precise(expected / scale, error)


def verdict(snapshot: FitSnapshot | None) -> tuple[str, str]:
    """One line on the fit and its severity ("good", "warning", "error" or "info")."""
    if snapshot is None:
        return "no fit yet", "info"
    if snapshot.result is None:
        return snapshot.error or "no fit yet", "error" if snapshot.error else "info"
    result = snapshot.result
    parts = [f"{result.model} fit"]
    severity = "good"
    if not result.converged:
        parts.append("NOT CONVERGED")
        severity = "error"
    quality, poor = goodness(result.statistics)
    if quality:
        parts.append(quality)
        severity = "warning" if poor and severity == "good" else severity
    if snapshot.fits_per_second > 0.0:
        parts.append(f"{snapshot.fits_per_second:.1f} fits/s")
    if result.warnings and severity == "good":
        severity = "warning"
    return "  ·  ".join(parts), severity


class Age:
    """How long something has not changed; its text is empty while it is fresh."""

    def __init__(self, what: str, limit: float = 3.0) -> None:
        self.what = what
        self.limit = limit
        self._sequence: int | None = None
        self._since = 0.0

    def text(self, sequence: int | None, now: float) -> str:
        """Take the newest sequence number (None: nothing yet) at a monotonic time (s)."""
        if sequence is None or sequence != self._sequence:
            self._sequence, self._since = sequence, now
        age = now - self._since
        return "" if age < self.limit else f"no new {self.what} for {duration_text(age)}"


def goodness(statistics: Mapping[str, Any]) -> tuple[str, bool]:
    """Goodness of fit in words, and whether it is poor."""
    p_value = statistics.get("p_value")
    if isinstance(p_value, (int, float)) and math.isfinite(p_value):
        return f"p = {p_value:.2g}", p_value < 1e-3
    value = statistics.get("reduced_chi2")
    if isinstance(value, (int, float)) and math.isfinite(value):
        return f"χ²/ν = {value:.3g}", not 0.5 < value < 2.0
    return "", False


def fit_table(
    snapshot: FitSnapshot | None,
    prediction: Mapping[str, float] | None = None,
    held: HeldPrefixes | None = None,
) -> FitTable:
    """Everything the panel shows of a fit."""
    text, severity = verdict(snapshot)
    if snapshot is None or snapshot.result is None:
        return FitTable((), text, severity, ())
    rows = fit_rows(snapshot.result, prediction, held)
    return FitTable(rows, text, severity, snapshot.result.warnings)


def strip(
    history: list[tuple[float, FitResult]],
    name: str,
    now: float,
    span: float = 120.0,
    breaks: Iterable[float] = (),
) -> Strip:
    """History of one parameter over the last ``span`` seconds, in display units.

    Points before and after a change of a set-point (``breaks``, s since the epoch) are not joined.
    """
    unit = ""
    points: list[tuple[float, float, float]] = []
    for when, result in history:
        parameter = result.parameters.get(name)
        if parameter is None or now - when > span or not math.isfinite(parameter.value):
            continue
        value, unit = shown(parameter.value, parameter.unit)
        spread = shown(parameter.stderr or 0.0, parameter.unit)[0]
        points.append((when - now, value, spread if math.isfinite(spread) else 0.0))
    table = np.array(points).reshape(-1, 3)
    ages, values, sigma = table[:, 0], table[:, 1], table[:, 2]
    steps = np.diff(ages, append=0.0)
    joined = steps <= max(_LONGEST_STEP, 5.0 * float(np.median(steps)) if ages.size else 0.0)
    for mark in breaks:
        after = int(np.searchsorted(ages, mark - now))
        if 0 < after < ages.size:
            joined[after - 1] = False
    return Strip(name, unit, ages, values, values - sigma, values + sigma, joined)
