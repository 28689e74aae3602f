"""A slow channel of a record ready to draw: in one unit, with its mean over the stretch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...models.prefixes import prefix_for
from .curves import Curve

if TYPE_CHECKING:
    from ...analysis.recorded.story import SlowSeries

__all__ = ["SlowView", "slow_view"]

_PREFIXED = ("K", "V", "W", "A", "Hz", "m", "s", "rad")
_MBAR = 100.0  # Pa
_MOST = 20_000


@dataclass(frozen=True)
class SlowView:
    """Readings over s since the first sample, their unit and range, and what is said of them."""

    curve: Curve
    unit: str
    y_range: tuple[float, float]
    words: str


def slow_view(
    series: SlowSeries, seconds: Callable[[float], float], stretch: tuple[int, int]
) -> SlowView:
    """Turn readings into a curve.

    Parameters
    ----------
    series : SlowSeries
        Readings; NaN where there was none.
    seconds : callable
        Sample to s since the first one.
    stretch : (int, int)
        Samples, half-open.
    """
    good = np.isfinite(series.values)
    samples, values = series.samples[good], series.values[good]
    scale, unit = _unit(series.unit, values)
    inside = (samples >= stretch[0]) & (samples < stretch[1])
    missed = int((~good).sum())
    words = [f"{values.size} readings"]
    if missed:
        words.append(f"{missed} without a value")
    if inside.any():
        part = scale * values[inside]
        spread = f" ± {part.std(ddof=1):.2g} (standard deviation)" if part.size > 1 else ""
        words.append(f"in the stretch {part.mean():.4g}{spread} {unit}".rstrip())
    else:
        words.append("none in the stretch")
    step = max(1, values.size // _MOST)
    x = np.array([seconds(float(s)) for s in samples[::step]])
    y = scale * values[::step]
    low, high = (float(y.min()), float(y.max())) if y.size else (0.0, 1.0)
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return SlowView(Curve(x, y), unit, (low - pad, high + pad), " · ".join(words))


def _unit(unit: str, values: np.ndarray) -> tuple[float, str]:
    """Factor and unit in which the readings are shown: one for all of them."""
    largest = float(np.abs(values).max(initial=0.0))
    if unit == "Pa":  # as everywhere in the window
        exponent = int(np.floor(np.log10(largest / _MBAR))) if largest > 0.0 else 0
        if -3 < exponent < 4:
            return 1.0 / _MBAR, "mbar"
        return 10.0**-exponent / _MBAR, f"10^{exponent} mbar"
    if unit in _PREFIXED and largest > 0.0:
        exponent, prefix = prefix_for(largest)
        return 10.0**-exponent, f"{prefix}{unit}"
    return 1.0, unit
