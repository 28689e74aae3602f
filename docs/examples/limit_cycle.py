"""Past the exceptional point a pair grows until the light saturates: a limit cycle (Refs. 16, 17).

Two 70 nm spheres with g_r = 0, δω = 2g_a, in the full field of the tweezers, in gas of 1 mbar and
1 K without its noise: from 50 nm the relative motion grows at the linear rate, and settles where
the gain 2J_1(x)/x at x = k′A_− balances the loss (δω² + γ²)/4g_aδω. The linear model would grow
for ever.
"""

from __future__ import annotations

import math

import numpy as np
from _gallery import BLACK, BLUE, GREY, SKY, VERMILLION, build, new_figure, panel_letter, style
from matplotlib.figure import Figure

from optobind import Gas, Sphere, TrapArray, Tweezer
from optobind.theory import (
    FarFieldPair,
    TrajectorySettings,
    bessel_gain,
    limit_cycle,
    simulate_full_field,
)

# Set values at which the local kd = 5.5π, φ = −π/2 and δω = 2g_a: power leans by 12 %.
DISTANCE, PHI, BALANCE = 2.92604e-6, -1.58168021, 0.11889502


def draw() -> Figure:
    """Simulate, and draw growth, the cycle itself and the balance."""
    beams = (
        Tweezer((0.0, 0.0, 0.0), 0.17 * (1.0 - BALANCE), 8e-7, 8e-7, PHI),
        Tweezer((DISTANCE, 0.0, 0.0), 0.17 * (1.0 + BALANCE), 8e-7, 8e-7),
    )
    trap = TrapArray((Sphere(70e-9),) * 2, beams, gas=Gas(100.0, 1.0))
    pair = FarFieldPair.of_trap(trap)
    cycle = limit_cycle(pair)
    start = trap.equilibrium()
    start[0, 2] += 50e-9
    settings = TrajectorySettings(recoil=False, thermal_noise=False, sample_every=3)
    record = simulate_full_field(trap, 2.5e-3, settings, start=(start, np.zeros((2, 3))))
    z, ms = 1e9 * (record.positions[..., 2] - trap.equilibrium()[:, 2]), 1e3 * record.times
    growth = trap.linearize(axes="xyz").growth_rate
    with style():
        figure = new_figure(7.2, 3.0)
        a, b, c = figure.subplots(1, 3, width_ratios=[1.5, 1.0, 1.0])
        a.plot(ms, z[:, 1] - z[:, 0], color=SKY, lw=0.4, rasterized=True)
        for sign in (1.0, -1.0):
            a.axhline(sign * 1e9 * cycle.relative_amplitude, color=VERMILLION, ls="--",
                      label="Bessel balance" if sign > 0 else None)  # fmt: skip
            a.plot(ms, sign * 25.0 * np.exp(growth * record.times), color=BLACK, lw=0.9,
                   label="linear growth" if sign > 0 else None)  # fmt: skip
        reach = 1.6e9 * cycle.relative_amplitude
        a.set(xlabel="time (ms)", ylabel="$z_2-z_1$ (nm)", xlim=(0.0, ms[-1]), ylim=(-reach, reach))
        a.legend(loc="upper right", ncols=2)
        period = 1e3 * math.tau / cycle.omega
        late = ms > ms[-1] - 2.5 * period
        for particle, color in enumerate((BLUE, VERMILLION)):
            b.plot(1e3 * (ms[late] - ms[late][0]), z[late, particle], color=color,
                   label=f"$z_{particle + 1}$")  # fmt: skip
        b.set(xlabel="time (µs)", ylabel="displacement (nm)", ylim=(-230.0, 280.0))
        b.legend(loc="upper right", ncols=2)
        x = np.linspace(1e-3, 4.2, 200)
        c.plot(x, [bessel_gain(float(v)) for v in x], color=BLUE, label="gain $2J_1(x)/x$")
        loss = (pair.delta_omega**2 + pair.gamma[0] ** 2) / (
            4 * pair.couplings[1] * pair.delta_omega
        )
        c.axhline(loss, color=VERMILLION, ls="--", label="loss")
        measured = 0.5e-9 * np.ptp((z[:, 1] - z[:, 0])[late]) * pair.k_prime
        c.plot(measured, loss, "o", ms=5.0, color=BLACK, mfc="white", label="full field")
        c.axhline(0.0, color=GREY, lw=0.5)
        c.set(xlabel="$x=k'A_-$", ylabel="share of the coupling", xlim=(0.0, 4.2))
        c.legend(loc="upper right")
        for axes, letter in zip((a, b, c), "abc", strict=True):
            panel_letter(axes, letter)
    return figure


if __name__ == "__main__":
    build(draw, __file__)
