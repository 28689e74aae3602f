"""Fig. 3: regimes of optical binding over φ and kd, and where the PT symmetry breaks, Eq. (12).

(a) Which of g_r, g_a and Re D_12 prevails, with the points I–IV of the Letter. (b) Broken and
unbroken symmetry over detuning and g_a, and cuts through the eigenfrequencies with their
exceptional points. ``optobind phases`` draws the same, also for a rig.
"""

from __future__ import annotations

import numpy as np
from _gallery import build, new_figure, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from optobind import ideal_phases


def picture(figure: Figure, width: float, dpi: float) -> np.ndarray:
    """Pixels of a figure, (rows, columns, 4)."""
    figure.set_size_inches(width, figure.get_figheight())
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def draw() -> Figure:
    """Put both panels of Fig. 3 one above the other."""
    width, dpi = 7.2, 200.0
    with style():
        parts = [picture(part, width, dpi) for part in ideal_phases(8).figures.values()]
        whole = np.concatenate(parts)
        figure = new_figure(width, len(whole) / dpi)
        figure.set_layout_engine("none")
        figure.figimage(whole)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
