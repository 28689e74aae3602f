"""Fig. 1: binding forces on two particles, reciprocal and antireciprocal, Eqs. (1) and (4).

At kd = 5π, φ = 0 each particle is pulled against the other, F_1 = −F_2, as Newton has it. At
kd = 5.5π, φ = π/2 both are pushed the same way, F_1 = F_2: light carries the difference away.
Exact forces of Eq. (1) on two 70 nm spheres, beside the far field sin(kd ∓ φ ± k′(z_2 − z_1))/kd.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, BLUE, GREY, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from optobind import Sphere, TrapArray, binding_force, pair_green
from optobind.theory import FarFieldPair, linear_chain

WAVELENGTH = 1064e-9


def pair(kd: float, phi: float) -> TrapArray:
    """Two silica spheres with φ = φ_1 − φ_2."""
    return linear_chain(
        Sphere(70e-9),
        2,
        kd * WAVELENGTH / math.tau,
        phase_step=-phi,
        powers=0.2,
        waists=(8e-7,) * 2,
    )


def forces(kd: float, phi: float, relative: float = 0.0) -> np.ndarray:
    """Axial binding forces, exact and in the far field, rows, with z_2 − z_1 in m; in fN."""
    trap = pair(kd, phi)
    places = trap.foci + np.array([[0.0, 0.0, -0.5 * relative], [0.0, 0.0, 0.5 * relative]])
    exact = binding_force(trap.polarizabilities, trap.field(places), pair_green(places, trap.k))
    beam = trap.tweezers[0].propagation_factor(trap.k)
    light = trap.far_field("focus")
    ideal = FarFieldPair(
        tuple(trap.axial_omegas(trap.foci)), kd, phi, light.G, beam * trap.k, tuple(trap.masses)
    )
    far = ideal.binding_forces(-0.5 * relative, 0.5 * relative)
    return 1e15 * np.array([exact[:, 2], far])


def draw() -> Figure:
    """Draw the forces against relative position, phase and distance."""
    shift, turn = np.linspace(-0.5, 0.5, 101), np.linspace(-1.0, 1.0, 121)
    steps = np.linspace(4.0, 9.0, 301)
    moved = "relative position $(z_2-z_1)/\\lambda$"
    panels = [
        ("reciprocal: $kd=5\\pi$, $\\varphi=0$", moved, shift,
         [forces(5 * math.pi, 0.0, s * WAVELENGTH) for s in shift]),
        ("antireciprocal: $kd=5.5\\pi$, $\\varphi=\\pi/2$", moved,
         shift, [forces(5.5 * math.pi, math.pi / 2, s * WAVELENGTH) for s in shift]),
        ("at rest in the foci: $kd=5.25\\pi$", "relative phase $\\varphi/\\pi$", turn,
         [forces(5.25 * math.pi, math.pi * p) for p in turn]),
        ("at rest in the foci: $\\varphi=\\pi/4$", "distance $kd/\\pi$", steps,
         [forces(math.pi * d, math.pi / 4) for d in steps]),
    ]  # fmt: skip
    with style():
        figure = new_figure(7.0, 4.6)
        grid = figure.subplots(2, 2, sharey=True)
        for axes, letter, (title, label, x, values) in zip(grid.flat, "abcd", panels, strict=True):
            table = np.array(values)
            axes.axhline(0.0, color=GREY, lw=0.5)
            for particle, color in enumerate((BLUE, VERMILLION)):
                axes.plot(x, table[:, 0, particle], color=color, label=f"$F_{particle + 1}$")
                axes.plot(x, table[:, 1, particle], color=BLACK, ls=":", lw=0.9)
            axes.set(xlabel=label, xlim=(x[0], x[-1]))
            axes.set_title(title, fontsize=8.0)
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2.5, 5, 10]))
            panel_letter(axes, letter)
        for axes in grid[:, 0]:
            axes.set_ylabel("axial binding force (fN)")
        grid[0, 0].plot([], [], color=BLACK, ls=":", lw=0.9, label="far field")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
