"""Figure of a global fit: g_r, g_a and Re D_12 against φ, with the fitted curves and bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...models.inference.joint.law import PairSetting
from ...models.inference.joint.parts import Measured
from ...models.inference.joint.points import predicted
from ...models.inference.joint.seen import DETECTION, Motion, mixed
from ...models.inference.parameters import PARAMETERS
from .style import (
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

if TYPE_CHECKING:
    from ..joint import GlobalAnalysis

__all__ = ["global_figure"]

_SHOWN = ("g_r", "g_a", "re_D12")
_COLORS = (BLUE, VERMILLION, GREEN, ORANGE, PINK)
_POINTS = 181
_RATES = ("omega_1", "omega_2", "g_r", "g_a", "D11", "D22", "re_D12")


def global_figure(analysis: GlobalAnalysis) -> Figure:
    """Draw couplings and correlated recoil against the set phase, with the fitted law.

    Every record is a point, the fitted mixing of the detectors taken off; each distance and power
    has its curve with a band of one standard deviation: of the shared parameters, and of what the
    law lacks. Below, the deviations in standard deviations of point and band together.

    Parameters
    ----------
    analysis : GlobalAnalysis
        Of :func:`fit_global`.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure` or :func:`data_uri`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> figure = ob.global_figure(ob.fit_global([record]))
    """
    families = _families(analysis.fit.measured)
    factor, prefix = si_prefix([_unmixed(analysis, m)[0] / math.tau for m in analysis.fit.measured])
    with style():
        figure = new_figure(7.3, 4.3)
        grid = figure.subplots(2, 3, sharex=True, height_ratios=[2.5, 1.0])
        for number, members in enumerate(families):
            color = _COLORS[number % len(_COLORS)]
            for column in range(3):
                _draw(grid[:, column], analysis, members, column, color, factor * math.tau)
        for column, name in enumerate(_SHOWN):
            axes = grid[0, column]
            axes.axhline(0.0, color=GREY, lw=0.5, zorder=0)
            axes.set_ylabel(f"{PARAMETERS[name].tex}/2π ({prefix}Hz)")
            grid[1, column].set_xlabel("set phase φ (rad)")
            grid[1, column].set_xlim(-math.pi, math.pi)
        grid[1, 0].set_ylabel("deviation (σ)")
        grid[0, 0].legend(loc="best", title="distance")
        for letter, axes in zip("abcdef", grid.ravel(), strict=True):
            panel_letter(axes, letter)
    return figure


def _families(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Records of one distance and power together."""
    found: dict[tuple[float, ...], list[Measured]] = {}
    for one in measured:
        found.setdefault(one.setting.same_light[1:], []).append(one)
    return list(found.values())


def _unmixed(
    analysis: GlobalAnalysis, one: Measured
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """g_r, g_a, Re D_12 of a record with the detectors' mixing taken off, and their errors."""
    m12, m21, first, second, _, common = (analysis.result.value(n) for n in DETECTION)
    det = first * second - m12 * m21
    back = (-m12 / det, -m21 / det, second / det, first / det)
    common = common if one.result.model == "pair" else 0.0
    motion = Motion(
        *(np.array([one.result.value(n) - (common if n == "re_D12" else 0.0)]) for n in _RATES)
    )
    plain = mixed(motion, back)[0]
    errors = [one.result.stderr(n) or 0.0 for n in _SHOWN]
    return plain[[_RATES.index(n) for n in _SHOWN]], np.array(errors)


def _draw(
    pair: NDArray[np.object_],
    analysis: GlobalAnalysis,
    members: Sequence[Measured],
    column: int,
    color: str,
    unit: float,
) -> None:
    """Draw one quantity of one distance: points, curve, band, deviations."""
    axes: Axes = pair[0]
    setting = members[0].setting
    phases = np.linspace(-math.pi, math.pi, _POINTS)
    curve, spread = _curve(analysis, setting, phases, column)
    label = f"{1e6 * setting.distance:.3f} µm"
    axes.plot(phases, curve / unit, color=color, lw=1.0, label=label if column == 0 else None)
    low, high = (curve - spread) / unit, (curve + spread) / unit
    axes.fill_between(phases, low, high, color=color, alpha=0.25, lw=0)
    at = np.array([math.remainder(m.setting.phi, math.tau) for m in members])
    found = [_unmixed(analysis, m) for m in members]
    values = np.array([v[column] for v, _ in found])
    errors = np.array([e[column] for _, e in found])
    axes.errorbar(at, values / unit, errors / unit, fmt="o", ms=3.0, elinewidth=0.8, color=color)
    law, width = _curve(analysis, setting, at, column)
    pull_panel(pair[1], at, (values - law) / np.hypot(errors, width), color)


def _curve(
    analysis: GlobalAnalysis, setting: PairSetting, phases: NDArray[np.float64], column: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The law along φ and its standard deviation."""
    lights = [PairSetting(p, setting.distance, setting.powers) for p in phases.tolist()]
    values, covariance = predicted(analysis.fit, lights)
    return values[:, column], np.sqrt(covariance[:, column, column])
