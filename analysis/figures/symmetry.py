"""Figure 3(b) of the Letter: PT phases and eigenfrequency cuts, ideal or of a rig."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from ...models.array_phases import ArraySymmetry
from ...models.phases import SymmetryMap
from ...models.regimes import exceptional_detunings
from .style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    VERMILLION,
    new_figure,
    panel_letter,
    si_prefix,
    style,
)

__all__ = ["Cut", "pair_symmetry_figure", "symmetry_figure"]

Array = NDArray[np.float64]

_LIGHT = 0.42  # unbroken areas are light, the broken one is full
_SAME = 0.01  # areas that differ in fewer points than this look the same
_FINE = 361  # points a side to which smooth values of a rig are interpolated
_SPLINE = 6  # fewer points a side make no cubic spline


@dataclass(frozen=True)
class Cut:
    """Eigenfrequencies against detuning at one g_a, in the units of the figure.

    Attributes
    ----------
    g_a : ndarray, shape (n,)
        Where the cut runs on the vertical axis.
    label : str
        What it is, for the panel.
    detuning : ndarray, shape (n,)
        δω, ascending.
    real, imaginary : ndarray, shape (2, n)
        Re and Im of both eigenfrequencies, the real ones from their mean.
    exceptional : sequence of float
        δω of the exceptional points.
    """

    g_a: Array
    label: str
    detuning: Array
    real: Array
    imaginary: Array
    exceptional: Sequence[float] = field(default=())


def symmetry_figure(symmetry: SymmetryMap, cuts: Sequence[Cut]) -> Figure:
    """Fig. 3(b) of the Letter for ideal constants, in units of g_r.

    Parameters
    ----------
    symmetry : SymmetryMap
        Of :func:`ideal_symmetry` with g_r = 1.
    cuts : sequence of Cut
        Drawn beside it, the topmost first.
    """
    with style():
        figure, axes, panels = _layout(len(cuts))
        x, reach = symmetry.delta_omega, float(np.abs(symmetry.g_a).max())
        axes.axhspan(-reach, reach, color=ORANGE, alpha=_LIGHT, lw=0)
        axes.axhspan(-1.0, 1.0, color="white", lw=0)
        axes.axhspan(-1.0, 1.0, color=BLUE, alpha=_LIGHT, lw=0)
        # Denser where the parabola turns: both exceptional points start at g_a = g_r.
        fine = 1.0 + np.linspace(0.0, 1.0, 200) ** 2 * (reach - 1.0)
        lower, upper = exceptional_detunings(fine)
        for sign in (1.0, -1.0):
            axes.fill_betweenx(sign * fine, sign * lower, sign * upper, color=VERMILLION, lw=0)
            border = sign * np.concatenate([lower[::-1], upper])
            axes.plot(border, sign * np.concatenate([fine[::-1], fine]), color=BLACK, lw=1.1)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(-reach, reach)
        axes.set_xlabel("mechanical detuning $\\delta\\omega/g_r$")
        axes.set_ylabel("antireciprocal coupling $g_a/g_r$")
        _draw_cuts(axes, panels, cuts, ("$\\delta\\omega/g_r$", "/$g_r$"))
        _symmetry_legend(figure, [])
        panel_letter(axes, "b")
    return figure


def pair_symmetry_figure(
    symmetry: ArraySymmetry,
    cuts: Sequence[Cut],
    scale: float,
    own: tuple[float, float],
    title: str,
) -> Figure:
    """Fig. 3(b) of a rig: full dynamics, δω by power balance, g_a by set phase.

    Parameters
    ----------
    symmetry : ArraySymmetry
        Of :func:`array_symmetry` over half a turn of φ.
    cuts : sequence of Cut
        Drawn beside it, the topmost first, divided by ``scale``.
    scale : float
        rad/s per unit of the axes: 2π kHz, for example.
    own : tuple of float
        (δω, g_a) as the rig is set, rad/s.
    title : str
        Written above the map.
    """
    unit = f"{si_prefix(scale / math.tau)[1]}Hz"
    with style():
        figure, axes, panels = _layout(len(cuts))
        mesh = _mesh(symmetry)
        x, y = _areas(axes, mesh, scale)
        extra: list[Patch | Line2D] = []
        unstable, valid = symmetry.unstable, symmetry.valid
        if unstable.any() and (unstable != symmetry.broken)[valid].mean() > _SAME:
            axes.contour(
                x, y, mesh.onset, [0.0], colors=[BLACK], linewidths=0.9, linestyles="dashed"
            )
            extra.append(Line2D([], [], color=BLACK, ls="--", lw=0.9, label="onset of growth"))
        if not symmetry.valid.all():
            extra.append(Patch(facecolor="white", edgecolor=GREY, label="not held"))
        axes.plot(own[0] / scale, own[1] / scale, "*", ms=9.0, mfc="white", mec=BLACK, zorder=7)
        axes.set_title(title, loc="right", fontsize=7.5)
        axes.set_xlim(*_covered(x))
        low, high = float(y.min()), float(y.max())
        axes.set_ylim(low, high if high > low else low + 1.0)
        axes.set_xlabel(f"detuning by power balance $\\delta\\omega/2\\pi$ ({unit})")
        axes.set_ylabel(f"antireciprocal coupling $g_a/2\\pi$ ({unit}), by $\\varphi$")
        _draw_cuts(axes, panels, cuts, (f"$\\delta\\omega/2\\pi$ ({unit})", f"/2π ({unit})"))
        extra.append(
            Line2D([], [], ls="", marker="*", ms=8.0, mfc="white", mec=BLACK, label="as set")
        )
        _symmetry_legend(figure, extra)
        panel_letter(axes, "b")
    return figure


@dataclass(frozen=True)
class _Mesh:
    """Smooth values over set phase and balance, finer than they were computed."""

    x: Array
    y: Array
    g_r: Array
    excess: Array
    onset: Array


def _mesh(symmetry: ArraySymmetry) -> _Mesh:
    """Interpolate where the pair is held everywhere."""
    fields = [
        symmetry.delta_omega, symmetry.g_a, symmetry.g_r, symmetry.excess, symmetry.onset
    ]  # fmt: skip
    valid = symmetry.valid
    if valid.all() and min(valid.shape) >= _SPLINE:
        old = symmetry.phi, symmetry.balance
        phi, balance = (np.linspace(axis[0], axis[-1], _FINE) for axis in old)
        fields = [RectBivariateSpline(*old, values)(phi, balance) for values in fields]
        valid = np.ones(fields[0].shape, dtype=bool)
    x, y, *rest = fields
    g_r, excess, onset = (np.ma.masked_array(values, ~valid) for values in rest)
    return _Mesh(x, y, g_r, excess, onset)


def _areas(axes: Axes, mesh: _Mesh, scale: float) -> tuple[Array, Array]:
    """Fill the areas over the curved mesh (δω, g_a), which is returned in units of ``scale``."""
    x, y = mesh.x / scale, mesh.y / scale
    dominance = np.abs(y) - np.abs(mesh.g_r / scale)
    reach = float(np.abs(dominance).max()) + 1.0
    axes.contourf(x, y, dominance, [0.0, reach], colors=[ORANGE], alpha=_LIGHT)
    axes.contourf(x, y, dominance, [-reach, 0.0], colors=[BLUE], alpha=_LIGHT)
    excess = mesh.excess / scale**2
    if excess.min() < 0.0:
        axes.contourf(x, y, excess, [float(excess.min()) - 1.0, 0.0], colors=[VERMILLION])
        axes.contour(x, y, excess, [0.0], colors=[BLACK], linewidths=1.1)
    return x, y


def _covered(values: Array) -> tuple[float, float]:
    """Range that every row of a slightly curved mesh covers; the whole range if none is."""
    low, high = float(values.min(axis=1).max()), float(values.max(axis=1).min())
    if low >= high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 1.0, high + 1.0)


def _layout(rows: int) -> tuple[Figure, Axes, NDArray[np.object_]]:
    """Return a map on the left, rows of two panels on the right."""
    figure = new_figure(7.3, 4.0)
    grid = figure.add_gridspec(rows, 3, width_ratios=[1.8, 1.0, 1.0])
    axes = figure.add_subplot(grid[:, 0])
    panels = np.empty((rows, 2), dtype=object)
    for row in range(rows):
        for column in range(2):
            shared = {"sharex": panels[0, 0], "sharey": panels[0, column]} if row else {}
            panels[row, column] = figure.add_subplot(grid[row, 1 + column], **shared)
    return figure, axes, panels


def _draw_cuts(
    axes: Axes, panels: NDArray[np.object_], cuts: Sequence[Cut], units: tuple[str, str]
) -> None:
    """Draw cuts beside the map and where they lie on it."""
    last = len(cuts) - 1
    for row, cut in enumerate(cuts):
        axes.plot(cut.detuning, cut.g_a, color=BLACK, ls=":", lw=1.0, zorder=4)
        for point in cut.exceptional:
            level = np.interp(point, cut.detuning, cut.g_a)
            axes.plot(point, level, "o", ms=3.8, mfc="white", mec=BLACK, mew=0.9, zorder=6)
        for panel, values in zip(panels[row], (cut.real, cut.imaginary), strict=True):
            _cut(panel, cut, values)
            panel.tick_params(labelbottom=row == last)
        panels[row, 0].set_title(cut.label, loc="left", fontsize=7.5, pad=2.5)
    panels[last // 2, 0].set_ylabel(f"Re $\\omega_\\pm${units[1]}")
    panels[last // 2, 1].set_ylabel(f"Im $\\omega_\\pm${units[1]}")
    largest = max(float(np.abs(cut.imaginary).max()) for cut in cuts)
    panels[0, 1].set_ylim(*(1.15 * max(largest, 1e-12) * np.array([-1.0, 1.0])))
    for column in range(2):
        panels[last, column].set_xlabel(units[0])


def _cut(panel: Axes, cut: Cut, values: Array) -> None:
    """Draw both branches of one part of the eigenfrequencies."""
    panel.axhline(0.0, color=GREY, lw=0.5, zorder=0)
    for branch, color, dash in zip(values, (VERMILLION, BLUE), ("-", (0, (3.5, 1.6))), strict=True):
        panel.plot(cut.detuning, branch, color=color, ls=dash, lw=1.4)
    for point in cut.exceptional:
        panel.axvline(point, color=BLACK, ls=":", lw=0.7, zorder=0)
    panel.set_xlim(cut.detuning[0], cut.detuning[-1])
    panel.yaxis.set_major_locator(MaxNLocator(4, symmetric=True))
    panel.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))


def _symmetry_legend(figure: Figure, extra: Sequence[Patch | Line2D]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=BLUE, alpha=_LIGHT, label="$|g_r|>|g_a|$"),
        Patch(facecolor=ORANGE, alpha=_LIGHT, label="$|g_a|>|g_r|$, unbroken"),
        Patch(facecolor=VERMILLION, label="$\\mathcal{PT}$ broken"),
        Line2D([], [], color=BLACK, lw=1.1, label="exceptional points"),
        *extra,
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, columnspacing=1.2)
