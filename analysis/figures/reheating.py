"""Figure of reheating curves: E_1, E_2, E_± and C with error bars, fit and residuals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...models.inference.reheating.estimate import ReheatingEstimate
from ...models.inference.result import FitResult
from .reheating_view import ReheatingView, reheating_view
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    VERMILLION,
    new_figure,
    panel_letter,
    pull_panel,
    si_prefix,
    style,
)

__all__ = ["reheating_figure"]

# Rows of the view in one panel, their names and colours.
_PANELS = (
    ((0, 1), ("$E_1$", "$E_2$"), (BLUE, VERMILLION)),
    ((2, 3), ("$E_+$", "$E_-$"), (ORANGE, PINK)),
    ((4, 5), ("Re $C$", "Im $C$"), (GREEN, GREY)),
)
# One particle: releases stand in pairs, whose halves are shown beside each other.
_SINGLE = (((0, 1), ("$E$ odd", "$E$ even"), (BLUE, VERMILLION)),)


def reheating_figure(estimate: ReheatingEstimate, result: FitResult) -> Figure:
    """Draw reheating curves with their fit.

    Of one particle E of every other release is drawn. The fitted imprecision is taken off E_1, E_2
    and E_±. Error bars are those of single points,
    which correlate along a curve; the residuals below are decorrelated.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Averaged curves.
    result : FitResult
        Of :func:`fit_reheating`.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure` or :func:`data_uri`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_reheating(record)
    >>> figure = ob.reheating_figure(analysis.estimate, analysis.result)
    """
    view = reheating_view(estimate, result)
    factor, prefix = si_prefix(view.times)
    times = view.times / factor
    scale, unit = _energy_unit(estimate, view)
    with style():
        alone = result.model == "single"
        panels = _SINGLE if alone else _PANELS
        figure = new_figure(3.5 if alone else 7.3, 4.3)
        grid = figure.subplots(2, len(panels), sharex=True, squeeze=False, height_ratios=[2.5, 1.0])
        for column, (rows, names, colors) in enumerate(panels):
            axes, below = grid[:, column]
            for row, name, color in zip(rows, names, colors, strict=True):
                _curve(axes, times, view, row, scale, color, name)
                pull_panel(below, times, view.pulls[row], color)
            _finish(axes, names, unit)
            below.set_xlabel(f"time after release ({prefix}s)")
            below.set_xlim(0.0, None)
        grid[1, 0].set_ylabel("residual (σ)")
        grid[0, 0].set_title(
            f"{(2 if alone else 1) * estimate.repetitions} releases",
            loc="right",
            color=GREY,
            fontsize=7.0,
        )
        for letter, axes in zip("abcdef", grid.ravel(), strict=False):
            panel_letter(axes, letter)
    return figure


def _energy_unit(estimate: ReheatingEstimate, view: ReheatingView) -> tuple[float, str]:
    if estimate.unit == "quanta":
        return 1.0, "quanta"
    factor, prefix = si_prefix(view.data[:2], power=2)
    return factor, f"{prefix}{estimate.unit}²"


def _curve(
    axes: Axes,
    times: NDArray[np.float64],
    view: ReheatingView,
    row: int,
    scale: float,
    color: str,
    name: str,
) -> None:
    """Draw one curve with error bars and fit."""
    axes.errorbar(
        times, view.data[row] / scale, view.stderr[row] / scale, fmt="o", ms=2.2, mew=0,
        elinewidth=0.6, color=color, alpha=0.8, label=name, zorder=1,
    )  # fmt: skip
    axes.plot(times, view.model[row] / scale, color=BLACK, lw=0.9, zorder=3)


def _finish(axes: Axes, names: tuple[str, str], unit: str) -> None:
    """Leave room for the legend, name the axis, and mark zero where it is crossed."""
    axes.plot([], [], color=BLACK, lw=0.9, label="fit")
    low, high = axes.get_ylim()
    if low < 0.0 < high:
        axes.axhline(0.0, color=GREY, lw=0.5, zorder=0)
    axes.set_ylim(low, high + 0.14 * (high - low))
    axes.set_ylabel(f"{', '.join(names)} ({unit})")
    axes.legend(loc="upper left", ncols=3, columnspacing=0.9, borderaxespad=0.0)
