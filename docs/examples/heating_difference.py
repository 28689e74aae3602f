"""The Letter's headline: the heating rates of a_+ and a_− differ by 10–15 %, Eq. (8).

(D_+ − D_−)/D_11 = 2 Re D_12/D_11 at φ = 0 depends on nothing but distance and numerical aperture.
Lines: noise kernel of Eq. (5), exact at any distance; A is the slope of the phase in the focus,
1 for a plane wave and 0.82 for an overfilled objective of NA 0.8. Circles: the full field of
aplanatic objectives, from first principles.
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

from optobind import AplanaticObjective, Sphere, TrapArray, Tweezer, aplanatic_factor, noise_kernel
from optobind.theory import coupling_to_recoil

WAVELENGTH = 1064e-9
PEAKS = ((4.5, BLUE), (5.5, GREEN), (6.5, VERMILLION))  # kd/π with |sin kd| = 1


def first_principles(kd: float, aperture: float) -> float:
    """The difference of two 70 nm spheres in the foci of overfilled objectives, %."""
    lens = AplanaticObjective(aperture)
    beams = tuple(
        Tweezer.focused(lens, (x * WAVELENGTH / math.tau, 0.0, 0.0), 0.2, WAVELENGTH)
        for x in (0.0, kd)
    )
    trap = TrapArray((Sphere(70e-9),) * 2, beams, WAVELENGTH)
    return 100.0 * abs(trap.pair_constants("focus").heating_rate_difference)


def draw() -> Figure:
    """Draw the difference against distance and against NA."""
    kd = math.pi * np.linspace(3.3, 9.2, 700)
    apertures = np.linspace(0.3, 0.95, 66)
    with style():
        figure = new_figure(7.0, 3.1)
        left, right = figure.subplots(1, 2, sharey=True)
        for axes in (left, right):
            axes.axhspan(10.0, 15.0, color=ORANGE, alpha=0.22, lw=0, label="10–15 % of the Letter")
        for label, factor, color in (
            ("$A=1$", 1.0, BLACK),
            ("NA 0.8, $A=0.82$", aplanatic_factor(0.8), BLUE),
        ):
            curve = 200.0 * np.abs(noise_kernel(kd, factor))
            left.plot(kd * 1e6 * WAVELENGTH / math.tau, curve, color=color, label=label)
        envelope = 200.0 * coupling_to_recoil() / kd
        left.plot(kd * 1e6 * WAVELENGTH / math.tau, envelope, color=GREY, ls=":",
                  label="far field, $2G/(kd\\,D_{11})$")  # fmt: skip
        for turns, color in PEAKS:
            values = [
                200.0 * abs(float(noise_kernel(turns * math.pi, aplanatic_factor(float(na)))))
                for na in apertures
            ]
            distance = 0.5e6 * turns * WAVELENGTH
            right.plot(apertures, values, color=color, label=f"$d={distance:.2f}$ µm")
            for na in (0.4, 0.6, 0.8, 0.9):
                found = first_principles(turns * math.pi, na)
                right.plot(na, found, "o", color=color, mfc="white", ms=4.0)
        right.plot([], [], "o", color=GREY, mfc="white", ms=2.5, label="full aplanatic field")
        left.set(xlabel="distance $d$ (µm)", ylabel="$|D_+-D_-|/D_{11}$ at $\\varphi=0$ (%)")
        left.set(xlim=(1.8, 4.8), ylim=(0.0, 22.0), yticks=(0, 5, 10, 15, 20))
        right.set(xlabel="numerical aperture", xlim=(0.3, 0.95))
        for axes, letter in ((left, "a"), (right, "b")):
            axes.legend(loc="upper right", ncols=2 if axes is right else 1)
            panel_letter(axes, letter)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
