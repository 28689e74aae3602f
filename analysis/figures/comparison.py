"""Figure that sets estimates beside predictions and, in a simulation, beside the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...models.inference.matrices import NAMES
from ...models.inference.parameters import PARAMETERS
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    new_figure,
    panel_letter,
    style,
)

__all__ = ["COMPARED", "ComparedValue", "comparison_figure"]

COMPARED = NAMES["pair"]
"""Parameters that are compared, in the order of figures and tables."""

_KILOHERTZ = 1.0 / (2.0 * math.pi * 1e3)
_RATES = ("g_r", "g_a", "re_D12")
_LOOKS = {"spectrum": (BLUE, "o"), "reheating": (VERMILLION, "s")}


@dataclass(frozen=True)
class ComparedValue:
    """An estimate beside what it should be.

    Attributes
    ----------
    name : str
        Parameter.
    source : {"spectrum", "reheating"}
        Which fit.
    value, stderr : float
        Estimate and standard error; rad/s, or the unit of the fit.
    truth : float or None
        Value in the simulation.
    exact, far_field : float or None
        Predictions for the configured light.
    unit : str
        Unit of all of them.
    """

    name: str
    source: str
    value: float
    stderr: float
    truth: float | None = None
    exact: float | None = None
    far_field: float | None = None
    unit: str = "rad/s"

    @property
    def pull(self) -> float | None:
        """(value − truth)/stderr."""
        if self.truth is None or not self.stderr > 0.0:
            return None
        return (self.value - self.truth) / self.stderr

    @property
    def pull_exact(self) -> float | None:
        """(value − exact prediction)/stderr."""
        if self.exact is None or not self.stderr > 0.0:
            return None
        return (self.value - self.exact) / self.stderr


def comparison_figure(values: Sequence[ComparedValue]) -> Figure:
    """Draw couplings with errors beside predictions, and all pulls.

    Parameters
    ----------
    values : sequence of ComparedValue
        Of one or two fits; pulls are against the truth where it is known, else against the exact
        prediction.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> predicted = ob.predictions(ob.load_trap("simulated-pair"))
    >>> fits = {"spectrum": ob.analyse_spectrum(record).result}
    >>> figure = ob.comparison_figure(ob.compare(fits, None, predicted))
    """
    with style():
        figure = new_figure(7.3, 3.5)
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1.0])
        _couplings(left, [v for v in values if v.name in _RATES])
        _pulls(right, values)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=len(labels), markerscale=1.0
        )
        panel_letter(left, "a")
        panel_letter(right, "b")
    return figure


def _by_name(values: Sequence[ComparedValue]) -> Mapping[str, list[ComparedValue]]:
    found: dict[str, list[ComparedValue]] = {}
    for name in COMPARED:
        mine = [v for v in values if v.name == name]
        if mine:
            found[name] = mine
    return found


def _couplings(axes: Axes, values: Sequence[ComparedValue]) -> None:
    """g_r, g_a and Re D_12 on one axis in kHz, a row per parameter and fit."""
    rows = _by_name(values)
    for place, mine in enumerate(rows.values()):
        for lane, value in enumerate(mine):
            _estimate(axes, value, place + 0.22 * (lane - 0.5 * (len(mine) - 1)))
        for label, number, marker, color in (
            ("predicted, exact", mine[0].exact, "D", GREEN),
            ("predicted, far field", mine[0].far_field, "d", ORANGE),
        ):
            if number is not None:
                axes.plot(
                    number * _KILOHERTZ, place + 0.33, marker, ms=4.2, mfc="none", mec=color,
                    mew=1.0, label=_once(axes, label), zorder=4,
                )  # fmt: skip
    axes.axvline(0.0, color=GREY, lw=0.6, zorder=0)
    axes.set_yticks(range(len(rows)), [PARAMETERS[name].tex for name in rows])
    axes.set_ylim(len(rows) - 0.45, -0.45)
    axes.set_xlabel("rate / 2π (kHz)")


def _estimate(axes: Axes, value: ComparedValue, y: float) -> None:
    """Draw one estimate with its error, and the truth behind it."""
    color, marker = _LOOKS[value.source]
    label = _once(axes, f"{value.source} fit (±1σ)")
    axes.errorbar(
        value.value * _KILOHERTZ, y, xerr=value.stderr * _KILOHERTZ, fmt=marker, ms=3.5,
        color=color, elinewidth=1.1, capsize=2.0, label=label, zorder=3,
    )  # fmt: skip
    if value.truth is not None:
        x = value.truth * _KILOHERTZ
        axes.plot(
            [x, x], [y - 0.1, y + 0.1], color=BLACK, lw=1.4, label=_once(axes, "truth"), zorder=2
        )


def _once(axes: Axes, label: str) -> str | None:
    """Label, unless the legend has it already."""
    return None if label in axes.get_legend_handles_labels()[1] else label


def _pulls(axes: Axes, values: Sequence[ComparedValue]) -> None:
    """Deviations in standard deviations."""
    rows = _by_name([v for v in values if v.pull is not None or v.pull_exact is not None])
    against_truth = any(v.pull is not None for v in values)
    axes.axvspan(-2.0, 2.0, color=GREY, alpha=0.10, lw=0)
    axes.axvspan(-1.0, 1.0, color=GREY, alpha=0.16, lw=0)
    axes.axvline(0.0, color=BLACK, lw=0.6)
    reach = 3.3
    for place, mine in enumerate(rows.values()):
        for lane, value in enumerate(mine):
            pull = value.pull if against_truth else value.pull_exact
            if pull is None:
                continue
            color, marker = _LOOKS[value.source]
            y = place + 0.24 * (lane - 0.5 * (len(mine) - 1))
            axes.errorbar(pull, y, xerr=1.0, fmt=marker, ms=3.5, color=color, elinewidth=0.9)
            reach = max(reach, abs(pull) + 1.3)
    axes.set_yticks(range(len(rows)), [PARAMETERS[name].tex for name in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-reach, reach)
    what = "truth" if against_truth else "exact prediction"
    axes.set_xlabel(f"(estimate − {what}) / σ")
