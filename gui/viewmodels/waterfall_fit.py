"""The fit of a stretch of the past in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fit import fit_rows, goodness
from .units import format_si

if TYPE_CHECKING:
    from ...analysis.recorded.past import PastStretch

__all__ = ["fitted_words"]


def fitted_words(found: PastStretch) -> str:
    """Which samples were fitted, and what came out, or why nothing did."""
    length = format_si((found.last_sample - found.first_sample) / found.sample_rate, "s", 3)
    head = f"{length} of samples {found.first_sample} … {found.last_sample}"
    result = found.fitted.result
    if result is None:
        return f"{head}: {found.fitted.error or 'no fit'}"
    quality, _ = goodness(result.statistics)
    parts = [f"{result.model} fit" + ("" if result.converged else ", NOT CONVERGED"), quality]
    parts += [f"{r.symbol} {r.words}" for r in fit_rows(result)]
    return f"{head}: " + " · ".join(part for part in parts if part)
