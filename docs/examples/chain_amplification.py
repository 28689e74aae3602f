"""A chain that amplifies one way: Hatano–Nelson physics of optical binding, Eq. (6).

Twelve particles, kd = 5.2π, phases 0.17π apart: neighbours drive forward more than backward.
(a) The spectrum of a ring encircles the drive at iγ/2, that of an open chain does not. (b) The
chain amplifies forward only, (c) by g_f/|x_+| per site, and (d) its modes pile up at one end as
(g_f/g_b)^j. Binding beyond neighbours, which the far field has, undoes much of it (dashed).
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, BLUE, GREY, ORANGE, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure

from optobind.theory import (
    CouplingNetwork,
    amplification_per_site,
    bloch_band,
    bulk_hops,
    end_to_end,
    growth_per_site,
    hatano_nelson_frequencies,
    normal_modes,
    skin_effect,
    transfer_function,
)

COUNT, OMEGA = 12, 2 * math.pi * 60e3
KHZ = 2e3 * math.pi


def draw() -> Figure:
    """Draw spectra, amplification and modes."""
    whole = CouplingNetwork.chain(
        COUNT, omega=OMEGA, kd=5.2 * math.pi, G=KHZ * 16.0, phase_step=0.17 * math.pi
    )
    (forward,), (backward,) = bulk_hops(whole, 1)
    gamma = 2.0 * 0.6 * abs(forward - backward)
    near, whole = (n.damped(gamma).levelled() for n in (whole.within(1), whole))
    line = float(near.lines[0])
    detuning = np.linspace(-2.5, 2.5, 401)
    at = (line + KHZ * detuning) / math.tau
    sites = np.arange(1, COUNT + 1)
    with style():
        figure = new_figure(7.0, 4.8)
        (a, b), (c, d) = figure.subplots(2, 2)
        band = bloch_band(np.linspace(0.0, math.tau, 300), [forward], [backward]) / KHZ
        a.fill(band.real, band.imag, color=BLUE, alpha=0.12)
        a.plot(band.real, band.imag, color=BLUE, label="ring")
        open_chain = hatano_nelson_frequencies(COUNT, forward, backward) / KHZ
        a.plot(open_chain.real, open_chain.imag, "o", color=VERMILLION, label="open chain")
        a.plot(
            0.0, 0.5 * gamma / KHZ, "*", ms=6, mfc=ORANGE, mec=BLACK, label="drive, $i\\gamma/2$"
        )
        a.set_ylim(-0.75, 0.95)
        a.set(xlabel="Re $\\Omega/2\\pi$ (kHz)", ylabel="Im $\\Omega/2\\pi$ (kHz)")
        for network, dash, named in ((near, "-", True), (whole, "--", False)):
            gain = end_to_end(network.to_linear(), at)
            b.plot(detuning, gain.forward_db, color=BLUE, ls=dash,
                   label="first to last" if named else None)  # fmt: skip
            b.plot(detuning, gain.backward_db, color=VERMILLION, ls=dash,
                   label="last to first" if named else None)  # fmt: skip
        b.axhline(0.0, color=GREY, lw=0.5)
        b.plot([], [], color=GREY, ls="--", label="whole far field")
        b.set(xlabel="drive detuning (kHz)", ylabel="amplification (dB)", ylim=(-150.0, 30.0))
        f = [line / math.tau]
        for network, dash in ((near, "o-"), (whole, "s--")):
            model = network.to_linear()
            profile = [
                abs(transfer_function(model, f, target=j, source=0)[0]) for j in range(COUNT)
            ]
            c.plot(sites, np.array(profile) / profile[0], dash, color=BLUE, ms=3.5)
            skin = skin_effect(normal_modes(model))
            d.plot(sites, skin.profile, dash, color=BLUE, ms=3.5,
                   label="neighbours" if network is near else "whole far field")  # fmt: skip
        step = amplification_per_site(forward, backward, gamma)
        c.plot(sites, step ** (sites - 1.0), color=BLACK, ls=":", label=f"{step:.2f} per site")
        c.set(xlabel="site $j$", ylabel="$|z_j/z_1|$, site 1 driven", yscale="log")
        shape = np.exp(2.0 * growth_per_site(forward, backward) * (sites - 0.5 * COUNT))
        middle = float(skin_effect(normal_modes(near.to_linear())).profile[COUNT // 2 - 1])
        d.plot(sites, middle * shape, color=BLACK, ls=":", label="$(g_f/g_b)^j$")
        d.set(xlabel="site $j$", ylabel="share in the modes", yscale="log")
        for axes, letter in zip((a, b, c, d), "abcd", strict=True):
            panel_letter(axes, letter)
        a.legend(loc="upper center", ncols=3)
        for axes in (b, c, d):
            axes.legend()
    return figure


if __name__ == "__main__":
    build(draw, __file__)
