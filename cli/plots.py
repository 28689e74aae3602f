"""The figures of results and reports, one module a subject; looks: :mod:`.figure_style`."""

from __future__ import annotations

from .comparison_figure import ComparedValue, comparison_figure
from .figure_style import data_uri, save_figure
from .reheating_figure import reheating_figure
from .spectrum_figure import spectrum_figure

__all__ = [
    "ComparedValue",
    "comparison_figure",
    "data_uri",
    "reheating_figure",
    "save_figure",
    "spectrum_figure",
]
