"""Figure 3(a) of the Letter: regimes over phase and distance, ideal or of a rig."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from ...models.array_phases import ArrayRegimes
from ...models.phases import LETTER_POINTS, RegimeMap, finer_regimes
from .pictogram import Couple, pictogram
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    new_figure,
    panel_letter,
    si_prefix,
    style,
)

__all__ = ["pair_regimes_figure", "regimes_figure"]

Array = NDArray[np.float64]

_COLORS = {
    "reciprocal": BLUE,
    "antireciprocal": ORANGE,
    "unidirectional": GREEN,
    "noise_correlated": PINK,
}
_KEY = "arrows: $g_r\\pm g_a$; wave: Re $D_{12}$"
_CAPTIONS = {
    "I": "$g_a=\\mathrm{Re}\\,D_{12}=0$",
    "II": "$g_a=g_r$",
    "III": "$g_r=\\mathrm{Re}\\,D_{12}=0$",
    "IV": "$g_r=g_a=0$",
}
_LABELS = {
    "reciprocal": "reciprocal",
    "unidirectional": "unidirectional",
    "antireciprocal": "antireciprocal",
    "noise_correlated": "noise-correlated",
}
_FILL = {"noise_correlated": 0.85}  # the smallest area shows through the least
_USUAL_FILL = 0.62  # overlaps of two regimes stay visible
_FINE = 361  # points a side to which smooth rates of a rig are interpolated
_SPLINE = 6  # fewer points a side make no cubic spline


def regimes_figure(regimes: RegimeMap) -> Figure:
    """Fig. 3(a) of the Letter for ideal constants, with the points I–IV.

    Parameters
    ----------
    regimes : RegimeMap
        Of :func:`ideal_regimes`.
    """
    with style():
        figure = new_figure(7.0, 3.75)
        grid = figure.add_gridspec(4, 2, width_ratios=[1.62, 1.0])
        axes = figure.add_subplot(grid[:, 0])
        _regions(axes, regimes)
        for name, (phi, kd) in LETTER_POINTS.items():
            for turn in (phi, -phi) if name == "II" else (phi,):
                _point(axes, turn / math.pi, kd / math.pi, name)
        panel_letter(axes, "a")
        for row, (name, (phi, kd)) in enumerate(LETTER_POINTS.items()):
            panel = figure.add_subplot(grid[row, 1])
            couple = Couple(
                math.cos(kd) * math.cos(phi),
                math.sin(kd) * math.sin(phi),
                math.sin(kd) * math.cos(phi),
            )
            pictogram(panel, couple, name, _CAPTIONS[name])
            if row == 0:
                panel.set_title(_KEY, fontsize=7.0)
        _regime_legend(figure, [])
    return figure


def pair_regimes_figure(
    found: ArrayRegimes, own: tuple[float, float], couple: Couple, title: str
) -> Figure:
    """Fig. 3(a) with the exact couplings of a rig.

    Parameters
    ----------
    found : ArrayRegimes
        Of :func:`array_regimes`.
    own : tuple of float
        (φ, kd) as the rig is set.
    couple : Couple
        Its rates there, rad/s.
    title : str
        Written above the map.
    """
    with style():
        figure = new_figure(7.0, 3.75)
        grid = figure.add_gridspec(3, 2, width_ratios=[1.62, 1.0])
        axes = figure.add_subplot(grid[:, 0])
        axes.set_title(title, loc="right", fontsize=7.5)
        regimes = found.regimes
        _regions(axes, finer_regimes(regimes, _FINE))
        extra: list[Patch | Line2D] = []
        if not regimes.valid.all():
            _unheld(axes, regimes.phi / math.pi, regimes.kd / math.pi, regimes.valid)
            extra.append(Patch(facecolor="none", edgecolor=GREY, hatch="////", label="not held"))
        if found.unstable.any() and not found.unstable.all():
            x, y, onset = _onset(found)
            axes.contour(
                x, y, onset.T, [0.0], colors=BLACK, linestyles="dashed", linewidths=0.9, zorder=4
            )
            extra.append(Line2D([], [], color=BLACK, ls="--", lw=0.8, label="onset of growth"))
        place = math.remainder(own[0], math.tau) / math.pi, own[1] / math.pi
        axes.plot(*place, "*", ms=9.0, mfc="white", mec=BLACK, zorder=5, clip_on=False)
        panel_letter(axes, "a")
        panel = figure.add_subplot(grid[1, 1])
        pictogram(panel, couple, "★", "as set")
        panel.set_title(_KEY, fontsize=7.0)
        _rates(figure.add_subplot(grid[2, 1]), couple)
        _regime_legend(figure, extra)
    return figure


def _fill(name: str) -> float:
    return _FILL.get(name, _USUAL_FILL)


def _regions(axes: Axes, regimes: RegimeMap) -> None:
    """Fill the regimes over (φ, kd) and draw their borders."""
    x, y, margins = regimes.phi / math.pi, regimes.kd / math.pi, regimes.margins
    for name, color in _COLORS.items():
        margin = margins[name].T
        if margin.max() <= 0.0:
            continue
        axes.contourf(x, y, margin, [0.0, 1.5], colors=[color], alpha=_fill(name), zorder=1)
        if margin.min() < 0.0:
            axes.contour(x, y, margin, [0.0], colors=[color], linewidths=0.9, zorder=2)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    axes.set_xlabel("relative tweezer phase $\\varphi/\\pi$")
    axes.set_ylabel("tweezer distance $kd/\\pi$")
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.yaxis.set_major_locator(MultipleLocator(0.5))


def _rates(axes: Axes, couple: Couple) -> None:
    """Write the rates as they are."""
    factor, prefix = si_prefix([couple.g_r, couple.g_a, couple.re_D12])
    factor *= math.tau
    names = {"g_r": couple.g_r, "g_a": couple.g_a, "\\mathrm{Re}\\,D_{12}": couple.re_D12}
    lines = [f"${name}/2\\pi={value / factor:.3g}$ {prefix}Hz" for name, value in names.items()]
    axes.set_axis_off()
    axes.text(0.5, 0.95, "\n".join(lines), ha="center", va="top", transform=axes.transAxes)


def _onset(found: ArrayRegimes) -> tuple[Array, Array, Array]:
    """Where growth sets in, smooth: (φ/π, kd/π, sign); positive where no pair is held."""
    regimes, largest = found.regimes, float(np.abs(found.onset).max())
    onset = np.where(regimes.valid, found.onset, largest)
    phi, kd = regimes.phi, regimes.kd
    if regimes.valid.all() and min(onset.shape) >= _SPLINE:
        fine = np.linspace(phi[0], phi[-1], _FINE), np.linspace(kd[0], kd[-1], _FINE)
        phi, kd, onset = *fine, RectBivariateSpline(phi, kd, onset)(*fine)
    return phi / math.pi, kd / math.pi, onset


def _unheld(axes: Axes, x: Array, y: Array, valid: NDArray[np.bool_]) -> None:
    """Hatch where no pair is held."""
    axes.contourf(
        x, y, np.where(valid, 0.0, 1.0).T, [0.5, 1.5], colors="none", hatches=["////"], zorder=3
    )


def _point(axes: Axes, x: float, y: float, name: str) -> None:
    axes.plot(x, y, "o", ms=5.0, mfc="white", mec=BLACK, mew=1.0, zorder=5, clip_on=False)
    if name:
        axes.annotate(
            name, (x, y), (5.0, 4.0), textcoords="offset points", fontsize=8.5,
            fontweight="bold", zorder=6,
        )  # fmt: skip


def _regime_legend(figure: Figure, extra: Sequence[Patch | Line2D]) -> None:
    handles = [
        Patch(facecolor=color, alpha=_fill(name), edgecolor=color, label=_LABELS[name])
        for name, color in _COLORS.items()
    ]
    figure.legend(
        handles=[*handles, *extra], loc="outside lower center", ncols=6, columnspacing=1.4
    )
