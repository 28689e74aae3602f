"""What a plot of the window shows, as a figure for paper and as a table of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter
from numpy.typing import NDArray

from .style import BLACK, BLUE, GREEN, ORANGE, VERMILLION, new_figure, style

__all__ = ["Line", "Picture", "picture_figure", "picture_table"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, BLACK)
_WIDTH, _HEIGHT = 6.0, 2.3  # inches, of a plot
_MARKS = 6.0  # smallest part of the height of the tallest plot


@dataclass(frozen=True)
class Line:
    """One curve of a plot.

    Attributes
    ----------
    name : str
        What it is.
    x, y : ndarray, shape (n,)
        In the units of the axes; of logarithmic axes the values themselves.
    kind : {"line", "strokes", "dots"}
        Joined points, pairs of points that are joined (errors), or single points.
    colour : int or None
        Number of a channel, for lines of one channel to look alike; None for black.
    dashed : bool
        How it is drawn.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    kind: Literal["line", "strokes", "dots"] = "line"
    colour: int | None = 0
    dashed: bool = False


@dataclass(frozen=True)
class Picture:
    """A plot: its lines, the names of its axes with units, and what of them is seen.

    Attributes
    ----------
    lines : tuple of Line
    x_label, y_label : str
    x_range, y_range : (float, float)
        In the units of the axes.
    x_log, y_log : bool
    height : float
        Relative to the other plots of a panel.
    """

    lines: tuple[Line, ...]
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_log: bool = False
    y_log: bool = False
    height: float = field(default=1.0)


def picture_figure(pictures: Sequence[Picture]) -> Figure:
    """Draw the plots of a panel one above the other, as they are seen.

    Parameters
    ----------
    pictures : sequence of Picture
        From top to bottom.

    Examples
    --------
    >>> x = np.linspace(0.0, 1.0, 5)
    >>> line = Line("z1", x, x**2)
    >>> figure = picture_figure([Picture((line,), "time (s)", "z1 (V)", (0.0, 1.0), (0.0, 1.0))])
    >>> figure.axes[0].get_ylabel()
    'z1 (V)'
    """
    tallest = max(p.height for p in pictures)
    shares = [max(p.height, tallest / _MARKS) for p in pictures]
    height = 0.5 + _HEIGHT * sum(shares) / tallest
    with style():
        figure = new_figure(_WIDTH, height)
        grid = figure.subplots(len(pictures), 1, squeeze=False, height_ratios=shares)
        for number, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=True)):
            _draw(axes, picture)
            below = pictures[number + 1] if number + 1 < len(pictures) else None
            if below is not None and below.x_range == picture.x_range:
                axes.tick_params(which="both", labelbottom=False)
                axes.set_xlabel("")
    return figure


def _draw(axes: Axes, picture: Picture) -> None:
    axes.set_xscale("log" if picture.x_log else "linear")
    axes.set_yscale("log" if picture.y_log else "linear")
    if picture.x_log:
        low, high = picture.x_range
        axes.xaxis.set_major_formatter(EngFormatter())
        axes.xaxis.set_minor_formatter(EngFormatter() if high < 10.0 * low else NullFormatter())
    joined = {line.name for line in picture.lines if line.kind != "strokes"}
    told: set[str] = set()
    for line in picture.lines:
        colour = BLACK if line.colour is None else _COLOURS[line.colour % len(_COLOURS)]
        errors = line.kind == "strokes" and line.name in joined
        label = None if errors or line.name in told else line.name
        told |= {label} if label else set()
        if line.kind == "strokes":
            x, y = (np.asarray(v[: len(v) // 2 * 2]).reshape(-1, 2).T for v in (line.x, line.y))
            drawn = axes.plot(x, y, color=colour, lw=0.7)
            drawn[0].set_label(label or "")
        elif line.kind == "dots":
            axes.plot(line.x, line.y, "o", color=colour, label=label)
        else:
            dash = "--" if line.dashed else "-"
            axes.plot(line.x, line.y, dash, color=colour, lw=0.9, label=label)
    axes.set_xlim(*picture.x_range)
    axes.set_ylim(*picture.y_range)
    axes.set_xlabel(picture.x_label)
    axes.set_ylabel(picture.y_label)
    if len(told) > 1:
        axes.legend(loc="upper right")


def picture_table(pictures: Sequence[Picture]) -> str:
    """Return the numbers of plots as tab-separated values: two columns a line, with a header.

    Strokes of errors are told by their ends, two rows each.

    Examples
    --------
    >>> x = np.array([0.0, 1.0])
    >>> line = Line("z1", x, x**2)
    >>> print(picture_table([Picture((line,), "time (s)", "z1 (V)", (0.0, 1.0), (0.0, 1.0))]))
    z1: time (s)	z1: z1 (V)
    0	0
    1	1
    <BLANKLINE>
    """
    heads, columns = list[str](), list[list[str]]()
    for picture in pictures:
        for line in picture.lines:
            name = _plain(line.name) + (" (ends of errors)" if line.kind == "strokes" else "")
            heads += [f"{name}: {_plain(picture.x_label)}", f"{name}: {_plain(picture.y_label)}"]
            columns += [[f"{value:.10g}" for value in values] for values in (line.x, line.y)]
    rows = [heads, *(list(row) for row in zip_longest(*columns, fillvalue=""))]
    return "".join("\t".join(row) + "\n" for row in rows)


def _plain(text: str) -> str:
    """A text that stays in its cell."""
    return " ".join(text.split())
