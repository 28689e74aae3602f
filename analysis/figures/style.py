"""How figures look: colours, sizes, units on axes, and how they become bytes.

Figures are drawn on the Agg canvas without pyplot: nothing global is left behind, no display is
needed.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ...models.errors import FileError
from ...models.prefixes import prefix_for

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PINK",
    "SKY",
    "VERMILLION",
    "data_uri",
    "new_figure",
    "panel_letter",
    "pull_panel",
    "save_figure",
    "si_prefix",
    "style",
]

# Okabe and Ito's palette: told apart by all readers, and in print.
BLACK, GREY = "#000000", "#777777"
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PINK = "#E69F00", "#56B4E9", "#CC79A7"

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.5,
    "legend.markerscale": 1.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.6,
    "errorbar.capsize": 0.0,
    "savefig.dpi": 200.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "optobind",
    "mathtext.fontset": "dejavusans",
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Use the style of this module while figures are drawn or saved."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches on an Agg canvas."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def si_prefix(values: ArrayLike, *, power: int = 1) -> tuple[float, str]:
    """Choose the SI prefix in which the largest value has one to three digits.

    Parameters
    ----------
    values : array_like
        In the unit without prefix (to the given power); zeros and NaN do not count.
    power : int
        Exponent of the unit: 2 for m².

    Returns
    -------
    factor, prefix
        Divide values by ``factor``; write ``prefix`` before the unit.
    """
    magnitudes = np.abs(np.ravel(np.asarray(values, dtype=np.float64)))
    magnitudes = magnitudes[np.isfinite(magnitudes) & (magnitudes > 0.0)]
    exponent, prefix = prefix_for(float(magnitudes.max(initial=0.0)), power=power)
    return 10.0 ** (exponent * power), prefix


def panel_letter(axes: Axes, letter: str) -> None:
    """Write (a), (b), … above the upper left corner."""
    axes.set_title(f"({letter})", loc="left", fontweight="bold", pad=3.0)


def pull_panel(
    axes: Axes,
    x: NDArray[np.float64],
    pulls: NDArray[np.float64],
    color: str,
) -> None:
    """Draw standardised residuals over bands of one and two standard deviations."""
    if not axes.lines:
        axes.axhspan(-2.0, 2.0, color=GREY, alpha=0.10, lw=0)
        axes.axhspan(-1.0, 1.0, color=GREY, alpha=0.16, lw=0)
        axes.axhline(0.0, color=BLACK, lw=0.6)
        axes.set_ylim(-3.4, 3.4)
    axes.plot(x, pulls, "o", color=color, ms=2.0, mew=0, rasterized=len(x) > 2000)
    reach = max(1.12 * float(np.nanmax(np.abs(pulls), initial=0.0)), axes.get_ylim()[1])
    axes.set_ylim(-reach, reach)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 4, 5, 10], symmetric=True))


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix (.png, .svg, .pdf) chooses the format.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : path-like
        Where.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    FileError
        If it cannot be written.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.save_figure(ob.ideal_phases(8).figures["fig3b"], "fig3b.png").name
    'fig3b.png'
    """
    path = Path(path)
    try:
        with style():
            figure.savefig(path, metadata=_metadata(path.suffix.lstrip(".")))
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise FileError(f"cannot write {path}: {error}") from None
    return path


def _metadata(kind: str) -> dict[str, str | None]:
    """Leave the date out: the same data give the same bytes."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})  # type: ignore[return-value]


def data_uri(figure: Figure, kind: Literal["svg", "png"] = "svg") -> str:
    """Return a figure as a ``data:`` address, for a page that needs no other file."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=_metadata(kind))
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
