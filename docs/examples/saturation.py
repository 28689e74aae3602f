"""Non-Hermitian damping saturates above the ground state, below Eq. (11).

Two particles with g_r = 0 and δω = 2g_a: b = (a_1 − ia_2)/√2 decays at g_a, but recoil heats it to
D_11/2g_a − ½ = D_11kd/2G − ½, 7.6 quanta at kd = 5.5π. Free-space light always
heats by more than it damps. The other mode, (a_1 + ia_2)/√2, grows, and leaks in later beyond the
rotating wave.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, BLUE, GREY, ORANGE, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure

from optobind import PairConstants
from optobind.theory import (
    coupling_to_recoil,
    damped_mode_occupation,
    evolve,
    far_field_saturation,
    growing_mode,
    occupation,
    rotating_wave_occupation,
    thermal_state,
)

OMEGA, KD = 2 * math.pi * 60e3, 5.5 * math.pi


def pair(coupling: float) -> PairConstants:
    """Antireciprocal pair in the far field at kd = 5.5π with g_a = coupling·ω, δω = 2g_a."""
    rate = coupling * OMEGA
    recoil = rate * KD / coupling_to_recoil()
    return PairConstants(OMEGA, 2.0 * rate, 0.0, rate, recoil, recoil, 0.0)


def draw() -> Figure:
    """Draw occupations in time, and where they end against distance."""
    final = far_field_saturation(KD)
    with style():
        figure = new_figure(7.0, 3.1)
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
        scaled = np.linspace(0.0, 4.5, 271)
        for n, color in ((60.0, VERMILLION), (0.0, BLUE)):
            system = pair(0.003)
            times = scaled / system.g_a
            exact = damped_mode_occupation(system, thermal_state(n, n), times)
            left.plot(scaled, exact, color=color, label=f"damped mode, $n_0={n:g}$")
            ideal = rotating_wave_occupation(system, n, times)
            left.plot(scaled, ideal, color=BLACK, ls=":", label=None if n else "rotating wave")
            grown = occupation(evolve(system, thermal_state(n, n), times), growing_mode(system.g_a))
            left.plot(scaled, grown, color=color, ls="--", lw=0.8,
                      label=None if n else "growing mode")  # fmt: skip
        left.axhline(final, color=ORANGE, lw=3.0, alpha=0.5, zorder=0,
                     label=f"$D_{{11}}kd/2G-1/2={final:.1f}$")  # fmt: skip
        left.set(xlabel="time $g_at$", ylabel="occupation", yscale="log")
        left.set(xlim=(0.0, 4.5), ylim=(0.05, 1e4))
        left.legend(loc="lower right", ncols=2)
        distance = math.pi * np.linspace(0.5, 10.0, 300)
        for factor, color in ((1.0, BLACK), (0.8, GREY)):
            curve = [far_field_saturation(float(kd), factor) for kd in distance]
            right.plot(distance / math.pi, curve, color=color, label=f"$A={factor:g}$")
        right.plot(KD / math.pi, final, "o", color=ORANGE, ms=4.5, label="as in (a)")
        right.set(
            xlabel="distance $kd/\\pi$", ylabel="occupation in the end", xlim=(0, 10), ylim=(0, 18)
        )
        right.legend(loc="upper left")
        panel_letter(left, "a")
        panel_letter(right, "b")
    return figure


if __name__ == "__main__":
    build(draw, __file__)
