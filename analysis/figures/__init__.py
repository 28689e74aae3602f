"""The figures of results and reports, one module a subject; looks: :mod:`.style`."""

from __future__ import annotations

from .comparison import ComparedValue, comparison_figure
from .reheating import reheating_figure
from .spectrum import spectrum_figure
from .style import data_uri, save_figure

__all__ = [
    "ComparedValue",
    "comparison_figure",
    "data_uri",
    "reheating_figure",
    "save_figure",
    "spectrum_figure",
]
