"""How small the recoil must be for optical binding to squeeze and to entangle, Eq. (13).

Under φ = 2ωt at kd = nπ, g = G/kd: (a) two vacua become entangled for a while if D < g/2;
(b) a_− is squeezed below the vacuum, to D/2g, if D < g: the Letter's condition. (c) A static g_r
entangles squeezed inputs if D < g_r. Free space has D = kd·g/1.07 (kd = 5π: 14.7) and never does.
Lines: rotating wave; circles: full dynamics at ω = 100 g.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    build,
    new_figure,
    panel_letter,
    style,
)
from matplotlib.figure import Figure

from optobind import PairConstants
from optobind.theory import (
    coupling_to_recoil,
    differential_variance,
    evolve,
    log_negativity,
    minimum_variance,
    modulated_log_negativity,
    modulated_pair,
    product_state,
    squeezed_state,
    vacuum_state,
)

OMEGA = 100.0  # in units of g


def full_dynamics(ratio: float, times: list[float]) -> np.ndarray:
    """Covariances under φ = 2ωt without the rotating wave, from the vacuum."""
    return evolve(modulated_pair(omega=OMEGA, g=1.0, D=ratio), vacuum_state(), times, rtol=1e-5)


def static_best(ratio: float, r: float) -> float:
    """Largest E_N under a static g_r = 0.05 ω of two inputs squeezed by r."""
    rate = 0.05
    pair = PairConstants(1.0, 0.0, rate, 0.0, ratio * rate, ratio * rate, 0.0)
    start = product_state(squeezed_state(r), squeezed_state(r))
    times = np.concatenate([np.geomspace(1e-3, 1.0, 25), np.linspace(1.2, 40.0, 80)])
    return float(log_negativity(evolve(pair, start, times)).max())


def draw() -> Figure:
    """Draw the three thresholds."""
    t, late = np.linspace(0.0, 2.6, 400), [0.4, 0.8, 1.2]
    palette = (BLACK, BLUE, GREEN, ORANGE, VERMILLION)
    with style():
        figure = new_figure(7.2, 2.9)
        first, second, third = figure.subplots(1, 3)
        for ratio, color in zip((0.05, 0.1, 0.2, 0.3, 0.5), palette, strict=True):
            curve = modulated_log_negativity(ratio, 1.0, t)
            first.plot(t, curve, color=color)
            first.text(2.65, curve[-1], f"${ratio:g}$", color=color, va="center", fontsize=7.0)
            if ratio in (0.1, 0.2, 0.3):
                points = log_negativity(full_dynamics(ratio, late))
                first.plot(late, points, "o", ms=3.5, color=color, mfc="white")
        first.plot([], [], "o", ms=2.5, color=GREY, mfc="white", label="full dynamics")
        first.legend(loc="upper left", handletextpad=0.0)
        first.set(xlabel="time $gt$", ylabel="$E_N$ (ebits)", xlim=(0, 3.0), ylim=(-0.07, 2.2))
        first.set_title("vacua, $\\varphi=2\\omega t$, by $D/g$", fontsize=7.5)
        ratios = np.linspace(0.0, 1.5, 200)
        second.axhline(0.5, color=GREY, ls="--", lw=0.9, label="vacuum")
        second.plot(ratios, [differential_variance(r, 1.0) for r in ratios], color=BLUE,
                    label="$D/2g$")  # fmt: skip
        second.axvspan(0.0, 0.5, color=GREEN, alpha=0.18, lw=0, label="vacua entangle")
        second.axvspan(0.5, 1.0, color=ORANGE, alpha=0.18, lw=0, label="squeezed only")
        for ratio in (0.3, 0.7, 1.2):
            end = minimum_variance(full_dynamics(ratio, [2.5])).min()
            second.plot(ratio, end, "o", ms=3.5, color=BLUE, mfc="white")
        second.set(
            xlabel="recoil $D/g$", ylabel="squeezed variance of $a_-$", xlim=(0, 1.5), ylim=(0, 0.8)
        )
        second.legend(loc="upper left")
        grid = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01, 1.1, 1.2])
        for r, color in ((0.0, BLACK), (-1.0, GREEN), (-2.0, BLUE), (-3.0, VERMILLION)):
            best = [static_best(float(x), r) for x in grid]
            third.plot(
                grid, best, "o-", ms=1.8, color=color, label=f"$|r|={-r:g}$" if r else "vacua"
            )
        third.axvline(1.0, color=GREY, ls="--", lw=0.9)
        free = 5.0 * math.pi / coupling_to_recoil()
        third.set(xlabel="recoil $D/|g_r|$", ylabel="largest $E_N$ (ebits)", xlim=(0, 1.25))
        third.legend(title="inputs", title_fontsize=7.0)
        third.set_title("static $g_r$", fontsize=7.5)
        second.text(
            1.47, 0.04, f"free space:\n$D/g={free:.1f}\\rightarrow$", ha="right", fontsize=7.0
        )
        for axes, letter in zip((first, second, third), "abc", strict=True):
            panel_letter(axes, letter)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
