"""Where a sphere is no longer a dipole: Mie theory over Eq. (1)'s point dipole.

Gradient force, radiation pressure and recoil of one sphere in 1064 nm light, divided by what the
dipole gives, against radius. Outside the band the dipole is off by more than 10 %; dotted lines
mark where each material gets there first. Needs the extra ``mie``.
"""

from __future__ import annotations

import numpy as np
from _gallery import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    VERMILLION,
    build,
    new_figure,
    panel_letter,
    style,
)
from matplotlib.figure import Figure

from optobind import Sphere, dipole_radius, mie_corrections

WAVELENGTH = 1064e-9


def draw() -> Figure:
    """Draw ratios for silica and for silicon nitride."""
    radii = np.linspace(10e-9, 200e-9, 96)
    with style():
        figure = new_figure(7.0, 3.2)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, letter, index, name in zip(
            panels, "ab", (1.45, 2.0), ("silica", "silicon nitride"), strict=True
        ):
            found = [
                mie_corrections(Sphere(float(r), index=index), WAVELENGTH, 0.82) for r in radii
            ]
            curves = (
                ("gradient force", BLUE, [m.gradient for m in found]),
                ("radiation pressure", VERMILLION, [m.pressure for m in found]),
                ("recoil along $x$", GREEN, [m.recoil[0] for m in found]),
                ("recoil along $y$", ORANGE, [m.recoil[1] for m in found]),
                ("recoil along $z$", PINK, [m.recoil[2] for m in found]),
            )
            axes.axhspan(0.9, 1.1, color=GREY, alpha=0.18, lw=0, label="within 10 %")
            for label, color, values in curves:
                axes.plot(1e9 * radii, values, color=color, label=label)
            limit = dipole_radius(index, WAVELENGTH, 0.1, 0.82)
            axes.axvline(1e9 * limit, color=BLACK, ls=":", lw=0.9)
            axes.annotate(
                f"{1e9 * limit:.0f} nm", (1e9 * limit, 0.62), (4, 0), textcoords="offset points"
            )
            axes.set(xlabel="radius $R$ (nm)", xlim=(10.0, 200.0), ylim=(0.5, 1.8))
            axes.set_title(f"{name}, $n={index:g}$, $A=0.82$")
            panel_letter(axes, letter)
        panels[0].set_ylabel("Mie theory / dipole")
        panels[0].legend(loc="upper left")
    return figure


if __name__ == "__main__":
    build(draw, __file__)
