"""Significance against measuring time, one line an estimator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..planning import Forecast

__all__ = ["planning_figure"]

_DASHES = {"exact": "-", "transitions": "--", "curves": ":", "cooled_spectrum": "-."}


def planning_figure(forecast: Forecast) -> Figure:
    """Draw value over error as it grows with the root of the measuring time.

    Parameters
    ----------
    forecast : Forecast
        Of :func:`~..planning.forecast_reheating`.

    Returns
    -------
    Figure
        One axis, both logarithmic.
    """
    figure = new_figure(6.0, 4.0)
    axis = figure.subplots()
    known = {name: one for name, one in forecast.estimators.items() if one.stderr > 0.0}
    times = [one.measuring_time for one in known.values()]
    grid = np.geomspace(0.1 * min(times), 10.0 * max(times), 50)
    for name, one in known.items():
        reached = abs(forecast.value) / one.stderr
        axis.plot(
            grid,
            reached * np.sqrt(grid / one.measuring_time),
            _DASHES.get(name, "-"),
            label=name.replace("_", " "),
        )
    axis.axhline(forecast.significance, color="0.5", linewidth=0.8)
    axis.set(
        xscale="log", yscale="log", xlabel="measuring time (s)",
        ylabel=f"{forecast.parameter} / standard error",
        ylim=(max(0.2, 0.1 * forecast.significance), 10.0 ** math.ceil(
            math.log10(20.0 * forecast.significance))),
    )  # fmt: skip
    axis.legend(frameon=False)
    return figure
