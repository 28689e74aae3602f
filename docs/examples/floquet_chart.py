"""Stability charts of modulated light: parametric tongues, and the one of Eq. (13).

(a) One particle, power 1 + ε cos Ωt: the Mathieu equation, whose stability borders (black) are
known. (b) Two tweezers a frequency Δν apart, φ = 2πΔνt, kd = 6π: growth where 2πΔν is near 2ω,
at a rate √(g² − Δ²/4) with Δ = 2πΔν − 2ω; |Δ| = 2g is Eq. (13) in the rotating wave (dashed).
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure
from scipy.special import mathieu_a, mathieu_b

from optobind.theory import (
    detuned,
    far_field_model,
    power_modulation,
    single_model,
    stability_chart,
)

OMEGA, KD = 2 * math.pi * 50e3, 6 * math.pi


def draw() -> Figure:
    """Draw both charts."""
    depths = np.linspace(0.01, 1.0, 90)
    singles = [
        single_model(omega=OMEGA, D=1.0, power=power_modulation(float(e), 1.0)) for e in depths
    ]
    slow = np.linspace(0.55, 2.8, 200)
    rates = np.linspace(1e-4, 0.1, 90)
    pairs = [
        far_field_model(omega=OMEGA, kd=KD, G=g * OMEGA * KD, D11=1.0, D22=1.0, phi=detuned(1.0))
        for g in rates
    ]
    fast = np.linspace(1.6, 2.4, 200)
    charts = (
        (slow, depths, stability_chart(singles, slow * OMEGA / math.tau)),
        (fast, rates, stability_chart(pairs, fast * OMEGA / math.tau)),
    )
    with style():
        figure = new_figure(7.0, 3.2)
        left, right = figure.subplots(1, 2)
        for axes, (x, y, chart) in zip((left, right), charts, strict=True):
            growth = np.ma.masked_where(chart.stable(1e-4), chart.growth / OMEGA)
            mesh = axes.pcolormesh(x, y, growth, cmap="viridis_r", vmin=0.0, shading="nearest",
                                   rasterized=True)  # fmt: skip
            figure.colorbar(mesh, ax=axes, label="growth rate of amplitudes $/\\omega$", pad=0.02)
            axes.set(xlim=(x[0], x[-1]), ylim=(0.0, y[-1]))
        # z″ + (a − 2q cos 2s)z = 0 with s = Ωt/2: a = 4ω²/Ω², q = εa/2.
        q = np.linspace(0.0, 8.0, 4000)
        for order in (1, 2, 3):
            for border in (mathieu_a(order, q), mathieu_b(order, q)):
                good = border > 0.0
                left.plot(
                    2.0 / np.sqrt(border[good]), 2.0 * q[good] / border[good], color=BLACK, lw=0.9
                )
        left.set(
            xlabel="modulation frequency $\\Omega/\\omega$",
            ylabel="depth $\\varepsilon$ of the power",
        )
        for sign in (1.0, -1.0):
            right.plot(2.0 + 2.0 * sign * rates, rates, color=VERMILLION, ls="--", lw=1.0)
        right.set(xlabel="detuning of the tweezers $2\\pi\\Delta\\nu/\\omega$")
        right.set_ylabel("coupling $G/(kd\\,\\omega)$")
        left.lines[0].set_label("Mathieu")
        right.lines[0].set_label("Eq. (13)")
        left.legend(loc="lower right")
        right.legend(loc="lower left")
        figure.get_layout_engine().set(wspace=0.06)
        panel_letter(left, "a")
        panel_letter(right, "b")
    return figure


if __name__ == "__main__":
    build(draw, __file__)
