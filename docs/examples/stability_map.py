"""Where a rig grows: growth rates over phase, distance and power balance, Eq. (12) and beyond.

The shipped rig ``simulated-pair``, exact couplings at equilibrium, full dynamics. Amplitudes grow
between the exceptional points, wherever antireciprocal coupling exceeds the reciprocal one and the
detuning; white is stable. Black lines: where growth sets in, at the exceptional points; star:
the rig as it is set.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, build, new_figure, panel_letter, style
from matplotlib.figure import Figure

from optobind import array_regimes, array_symmetry, load_trap
from optobind.theory import stability_map


def draw() -> Figure:
    """Draw two maps of one rig."""
    trap = load_trap("simulated-pair")
    phi = math.pi * np.linspace(-1.0, 1.0, 101)
    distance, balance = np.linspace(2.0e-6, 3.6e-6, 101), np.linspace(-0.15, 0.15, 101)
    maps = (
        stability_map(trap, phi=phi, separation=distance),
        stability_map(trap, phi=phi, balance=balance),
    )
    own = trap.tweezers[0].phase / math.pi
    powers = [beam.power for beam in trap.tweezers]
    places = (2.45, (powers[1] - powers[0]) / sum(powers))
    top = max(float(m.growth_rate.max()) for m in maps) / (2e3 * math.pi)
    with style():
        figure = new_figure(7.0, 3.2)
        panels = figure.subplots(1, 2)
        labels = ("distance $d$ (µm)", "power balance $(P_2-P_1)/(P_1+P_2)$")
        for axes, found, label, place in zip(panels, maps, labels, places, strict=True):
            y = found.second * (1e6 if found.names[1] == "separation" else 1.0)
            growth = np.ma.masked_less(found.masked.T / (2e3 * math.pi), 1e-3 * top)
            mesh = axes.pcolormesh(found.first / math.pi, y, growth, vmin=0.0, vmax=top,
                                   cmap="viridis_r", rasterized=True)  # fmt: skip
            axes.plot(own, place, "*", ms=9.0, mfc="white", mec=BLACK)
            axes.set(xlabel="set phase $\\varphi/\\pi$", ylabel=label)
        borders = (array_regimes(trap, phi, distance), array_symmetry(trap, phi, balance))
        for axes, border, y in zip(panels, borders, (1e6 * distance, balance), strict=True):
            axes.contour(phi / math.pi, y, border.onset.T, [0.0], colors=BLACK, linewidths=0.9)
        panel_letter(panels[0], "a")
        panel_letter(panels[1], "b")
        figure.colorbar(mesh, ax=panels, label="growth rate$/2\\pi$ of amplitudes (kHz)", pad=0.02)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
