"""Two particles and what they do to each other, as a small drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from .style import BLACK, GREY, PINK

__all__ = ["Couple", "pictogram"]

_LEAST = 0.04  # of the largest rate: less is drawn as nothing


@dataclass(frozen=True)
class Couple:
    """Rates of a pair in any one unit.

    Attributes
    ----------
    g_r, g_a, re_D12 : float
        Reciprocal and antireciprocal coupling, Re D_12.
    """

    g_r: float
    g_a: float
    re_D12: float


def pictogram(axes: Axes, couple: Couple, title: str, caption: str = "") -> None:
    """Draw a pair: arrows g_r ± g_a between the particles, a wave for correlated noise.

    Parameters
    ----------
    axes : Axes
        An empty panel.
    couple : Couple
        Arrows and wave are as strong as its rates.
    title, caption : str
        Written before and under the drawing.
    """
    axes.set_xlim(-1.75, 1.45)
    axes.set_ylim(-0.86, 0.52)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.text(-1.72, 0.0, title, fontweight="bold", fontsize=9.0, va="center", ha="left")
    axes.text(0.0, -0.72, caption, fontsize=7.5, va="center", ha="center")
    to_first, to_second = couple.g_r + couple.g_a, couple.g_r - couple.g_a
    largest = max(abs(to_first), abs(to_second), abs(couple.re_D12), 1e-300)
    _arrow(axes, to_first / largest, 0.24, (0.62, -0.62))
    _arrow(axes, to_second / largest, -0.24, (-0.62, 0.62))
    if abs(couple.re_D12) / largest > _LEAST:
        _wave(axes, couple.re_D12 / largest)
    for number, x in ((1, -0.9), (2, 0.9)):
        axes.add_patch(Circle((x, 0.0), 0.27, facecolor="#DDDDDD", edgecolor=BLACK, lw=0.9))
        axes.text(x, 0.0, str(number), ha="center", va="center", fontsize=8.0)


def _arrow(axes: Axes, strength: float, y: float, ends: tuple[float, float]) -> None:
    """Draw what one particle does to the other, with its sign; nothing leaves a faint line."""
    if abs(strength) < _LEAST:
        axes.plot(ends, (y, y), color=GREY, lw=0.6, ls=(0, (2, 2)))
        return
    arrow = FancyArrowPatch(
        (ends[0], y), (ends[1], y), arrowstyle="-|>", mutation_scale=7.0 + 3.0 * abs(strength),
        lw=0.7 + 1.5 * abs(strength), color=BLACK, shrinkA=0.0, shrinkB=0.0,
    )  # fmt: skip
    axes.add_patch(arrow)
    sign = "+" if strength > 0.0 else "−"
    axes.text(0.0, y + np.copysign(0.17, y), sign, ha="center", va="center", fontsize=8.0)


def _wave(axes: Axes, strength: float) -> None:
    """Draw correlated noise between the particles."""
    x = np.linspace(-0.6, 0.6, 200)
    height = 0.11 * abs(strength)
    axes.plot(x, height * np.sin(7.0 * np.pi * x), color=PINK, lw=0.8 + 0.8 * abs(strength))
