"""Fig. 2: the couplings of two tweezers, their recoil and its correlation, Eqs. (6) and (8).

Couplings g_r ± g_a on particle 1 and 2, and the correlated recoil Re D_12, of two 70 nm silica
spheres against relative phase and distance: exact where the particles settle, exact at the foci,
and in the far field. Light pushes the particles behind the foci, where their phase differs from
the one that was set. Im D_12 is g_a exactly.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLUE, GREEN, GREY, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from optobind import Sphere, TrapArray, array_regimes, pair_family
from optobind.theory import linear_chain

DISTANCE, PHASE = 2.45e-6, 0.25 * math.pi
CURVES = (
    ("$g_r+g_a$ (2 drives 1)", BLUE), ("$g_r-g_a$ (1 drives 2)", VERMILLION), ("Re $D_{12}$", GREEN)
)  # fmt: skip
LINES = {"equilibrium": "-", "focus": "--"}


def rates(trap: TrapArray, phi: np.ndarray, separation: np.ndarray) -> dict[str, np.ndarray]:
    """g_r + g_a, g_r − g_a and Re D_12 in kHz, each of three ways, shape (3, n)."""
    found = {}
    for at in LINES:
        regimes = array_regimes(trap, phi, separation, at).regimes
        g_r, g_a, cross = (np.ravel(r) for r in (regimes.g_r, regimes.g_a, regimes.re_D12))
        found[at] = np.array([g_r + g_a, g_r - g_a, cross])
    family = pair_family(trap, phi=phi[:, None], separation=separation[None, :])
    far = [family.member(index).far_field("focus") for index in np.ndindex(family.shape)]
    found["far"] = np.array([[f.g_r + f.g_a, f.g_r - f.g_a, f.D[0, 1].real] for f in far]).T
    return {name: values / (2e3 * math.pi) for name, values in found.items()}


def plot(axes: Axes, x: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """Draw the three rates, each of three ways."""
    axes.axhline(0.0, color=GREY, lw=0.5)
    for row, (_, color) in enumerate(CURVES):
        for at, dash in LINES.items():
            axes.plot(x, found[at][row], color=color, ls=dash, lw=1.3 if dash == "-" else 0.9)
        axes.plot(x, found["far"][row], color=color, ls=":", lw=0.9)
    axes.set_xlim(x[0], x[-1])
    axes.xaxis.set_major_locator(MultipleLocator(0.5))


def draw() -> Figure:
    """Draw rates against phase and against distance."""
    trap = linear_chain(Sphere(70e-9), 2, DISTANCE, powers=0.2, waists=(7.5e-7,) * 2)
    phi, distance = math.pi * np.linspace(-1.0, 1.0, 73), np.linspace(1.8e-6, 4e-6, 221)
    recoil = trap.pair_constants().constants.D11 / (2e3 * math.pi)
    with style():
        figure = new_figure(7.0, 3.4)
        left, right = figure.subplots(1, 2, sharey=True)
        plot(left, phi / math.pi, rates(trap, phi, np.array([DISTANCE])))
        plot(right, 1e6 * distance, rates(trap, np.array([PHASE]), distance))
        left.set(xlabel="set phase $\\varphi/\\pi$", ylabel="rate$/2\\pi$ (kHz)")
        left.set_title(f"$d={1e6 * DISTANCE:g}$ µm; recoil $D_{{11}}/2\\pi={recoil:.1f}$ kHz")
        right.set(xlabel="distance $d$ (µm)")
        right.set_title("$\\varphi=\\pi/4$")
        panel_letter(left, "a")
        panel_letter(right, "b")
        handles = [left.plot([], [], color=color, label=name)[0] for name, color in CURVES]
        named = (("-", "exact, equilibrium"), ("--", "exact, foci"), (":", "far field, foci"))
        handles += [left.plot([], [], color=GREY, ls=d, label=text)[0] for d, text in named]
        figure.legend(handles=handles, loc="outside lower center", ncols=6, columnspacing=1.2)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
