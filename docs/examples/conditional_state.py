"""Homodyne detection and the rule D′ = D(1 − η): what it forbids, what a detector sees.

Steady conditional state of a purely reciprocal pair against the light that is lost, 1 − η: purity,
and entanglement under a static g_r (Riccati equation) and under φ = 2ωt of Eq. (13). Right of the
dashed lines D′ ≥ g, which forbids entanglement of any product input; left of them it is possible,
but a steady state needs better detection than that.
"""

from __future__ import annotations

import numpy as np
from _gallery import BLUE, GREEN, GREY, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure

from optobind import PairConstants
from optobind.theory import conditional_differential_variance, efficiency_needed, recoil_rule

G = 0.05  # coupling in units of ω
RATIOS = ((1.2, BLUE), (4.0, GREEN), (15.0, VERMILLION))  # D/g; 15 is free space at kd = 5π


def modulated(ratio: float, eta: float) -> float:
    """E_N of the steady conditional state under φ = 2ωt, rotating wave: V_+ = 1/2√η."""
    product = 2.0 * conditional_differential_variance(ratio, 1.0, eta) / np.sqrt(eta)
    return max(0.0, -0.5 * float(np.log2(product)))


def draw() -> Figure:
    """Draw purity and entanglement against lost light."""
    lost = np.geomspace(1e-4, 0.97, 121)
    with style():
        figure = new_figure(7.2, 2.9)
        panels = figure.subplots(1, 3)
        panels[0].plot(lost, 1.0 - lost, color=GREY, label="$\\eta$")
        for start, (ratio, color) in enumerate(RATIOS):
            pair = PairConstants(1.0, 0.0, G, 0.0, ratio * G, ratio * G, 0.0)
            rules = [recoil_rule(pair, 1.0 - float(x)) for x in lost]
            name = f"$D/g={ratio:g}$"
            points = slice(4 * start, None, 12)
            purity = [rule.purity for rule in rules]
            panels[0].plot(lost[points], purity[points], "o", color=color, label=name)
            panels[1].plot(lost, [rule.log_negativity for rule in rules], color=color, label=name)
            moving = [modulated(ratio, 1.0 - float(x)) for x in lost]
            panels[2].plot(lost, moving, color=color, label=name)
            for axes in panels:
                axes.axvline(1.0 - efficiency_needed(pair), color=color, ls="--", lw=0.8)
        titles = ("purity", "$E_N$ (ebits), static $g_r$", "$E_N$ (ebits), $\\varphi=2\\omega t$")
        for axes, letter, title in zip(panels, "abc", titles, strict=True):
            axes.set(xscale="log", xlabel="lost light $1-\\eta$", ylabel=title, xlim=(1e-4, 1.0))
            axes.set_ylim(bottom=0.0)
            panel_letter(axes, letter)
        panels[0].plot([], [], color=GREY, ls="--", lw=0.8, label="$D(1-\\eta)=g$")
        panels[0].legend(loc="lower left")
    return figure


if __name__ == "__main__":
    build(draw, __file__)
