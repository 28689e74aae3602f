"""The summary of a sweep: fitted parameters against one axis, or as maps over two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...acquisition.sweeps.knobs import Knob, knob_of
from ...acquisition.sweeps.plan import SweepPlan
from ...acquisition.sweeps.rows import Row
from ...models.inference.parameters import PARAMETERS
from ..sweep_values import GROUPS, fitted_names, fitted_values, set_points
from .style import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    new_figure,
    panel_letter,
    si_prefix,
    style,
)

__all__ = ["sweep_figure"]

Array = NDArray[np.float64]

_OWN = {"mode_1": r"$\Omega_1$", "mode_2": r"$\Omega_2$", "gap": r"$|\Omega_2-\Omega_1|$"}
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE)
_MOST_PANELS = 6


def sweep_figure(plan: SweepPlan, rows: Sequence[Row]) -> Figure:
    """Draw what a sweep has found so far.

    Parameters
    ----------
    plan : SweepPlan
        What is measured.
    rows : sequence of Row
        Points so far; those whose fit may not be quoted are left out.

    Returns
    -------
    matplotlib.figure.Figure
        With one axis: panels against it, repeats as single points, the range of the references as
        a band. With two: maps. With more, or places that only a program knows: panels against the
        number of the point.
    """
    taken = [row for row in rows if row.kind != "reference"]
    groups = _groups(taken)
    with style():
        if not groups:
            figure = new_figure(7.0, 1.2)
            figure.text(0.5, 0.5, "no point has been fitted yet", ha="center", va="center")
            return figure
        if len(plan.axes) == 2 and plan.foreseen:
            return _maps(plan, taken, [name for group in groups for name in group])
        return _curves(plan, taken, [row for row in rows if row.kind == "reference"], groups)


def _groups(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Groups of which something was found; of unknown fits their first parameters."""
    known = fitted_names(rows)
    found = [tuple(name for name in group if name in known) for group in GROUPS]
    return [group for group in found if group][:_MOST_PANELS] or [(name,) for name in known[:4]]


def _symbol(name: str) -> str:
    if name in _OWN:
        return _OWN[name]
    return PARAMETERS[name].tex if name in PARAMETERS else name


def _places(plan: SweepPlan, rows: Sequence[Row], axis: int) -> tuple[Array, str]:
    """Values of an axis as read back where they were, and its label with the prefix used."""
    knob = knob_of(plan.axes[axis].knob)
    return _scaled(knob, set_points(rows, axis))


def _scaled(knob: Knob, raw: Array) -> tuple[Array, str]:
    if knob.turns:
        return raw / np.pi, f"{knob.symbol} (π)"
    factor, prefix = si_prefix(float(np.abs(raw).max(initial=0.0))) if knob.holds.unit else (1, "")
    unit = f" ({prefix}{knob.holds.unit})" if knob.holds.unit else ""
    return raw / factor, f"{knob.symbol}{unit}"


def _curves(
    plan: SweepPlan,
    rows: Sequence[Row],
    references: Sequence[Row],
    groups: Sequence[tuple[str, ...]],
) -> Figure:
    """Panels against the one axis, or against the number of the point."""
    if len(plan.axes) == 1:
        places, label = _places(plan, rows, 0)
    else:
        places, label = np.array([float(row.number) for row in rows]), "point"
    lines = (len(groups) + 1) // 2
    figure = new_figure(7.0, 0.4 + 2.1 * lines)
    grid = figure.subplots(lines, 2, squeeze=False)
    for number, (axes, group) in enumerate(zip(grid.flat, groups, strict=False)):
        panel_letter(axes, "abcdef"[number])
        _panel(axes, places, rows, references, group)
        axes.set_xlabel(label)
    for axes in list(grid.flat)[len(groups) :]:
        axes.set_axis_off()
    return figure


def _panel(
    axes: Axes,
    places: Array,
    rows: Sequence[Row],
    references: Sequence[Row],
    group: Sequence[str],
) -> None:
    """Parameters of one unit on one scale; in the same colour the range of the references."""
    found = {name: fitted_values(rows, name) for name in group}
    largest = max(float(np.nanmax(np.abs(v), initial=0.0)) for _, v, _, _ in found.values())
    factor, prefix = si_prefix(largest)
    unit = next(unit for _, _, _, unit in found.values())
    for (name, (index, values, errors, _)), colour in zip(found.items(), _COLOURS, strict=False):
        axes.errorbar(
            places[index],
            values / factor,
            errors / factor,
            fmt="o",
            color=colour,
            label=_symbol(name),
        )
        _, again, _, _ = fitted_values(references, name)
        if len(again):
            low, high = float(np.nanmin(again)) / factor, float(np.nanmax(again)) / factor
            axes.axhspan(low, high, color=colour, alpha=0.15, linewidth=0.0)
    turns = "/2π" if unit == "Hz" else ""
    symbols = ", ".join(f"{_symbol(name)}{turns}" for name in group)
    axes.set_ylabel(f"{symbols} ({prefix}{unit})" if unit else symbols)
    if len(group) > 1:
        axes.legend()


def _maps(plan: SweepPlan, rows: Sequence[Row], names: Sequence[str]) -> Figure:
    """Parameters in colour over two axes; each marker is a setting, repeats averaged."""
    chosen = names[:_MOST_PANELS]
    lines = (len(chosen) + 1) // 2
    figure = new_figure(7.0, 0.4 + 2.5 * lines)
    grid = figure.subplots(lines, 2, squeeze=False)
    for number, (axes, name) in enumerate(zip(grid.flat, chosen, strict=False)):
        panel_letter(axes, "abcdef"[number])
        index, values, _, unit = fitted_values(rows, name)
        mine = [rows[i] for i in index]
        across, x_label = _places(plan, mine, 0)
        along, y_label = _places(plan, mine, 1)
        factor, prefix = si_prefix(float(np.nanmax(np.abs(values), initial=0.0)))
        limit = float(np.nanmax(np.abs(values), initial=0.0)) / factor
        signed = bool((values < 0.0).any())
        drawn = axes.scatter(
            across,
            along,
            c=values / factor,
            cmap="RdBu_r" if signed else "viridis",
            vmin=-limit if signed else None,
            vmax=limit if signed else None,
            marker="s",
            s=60.0,
        )
        turns = "/2π" if unit == "Hz" else ""
        figure.colorbar(drawn, ax=axes, label=f"{_symbol(name)}{turns} ({prefix}{unit})")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
    for axes in list(grid.flat)[len(chosen) :]:
        axes.set_axis_off()
    return figure
