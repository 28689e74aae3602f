"""What a fit of the simulated record should find, in the fits' convention.

A spectrum determines the lines ω̃_j with feedback and gas, the total force noise, and couplings on
the scale of (ω̃_1+ω̃_2)/2. With q = ω/[(ω̃_1+ω̃_2)/2] rates scale as g → qg, D → qD and imprecision
as S → S/q for a record in metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...models.linear import LinearModel
from .closed_loop import build_closed_loop
from .detection import white_level
from .feedback import held_force_input
from .kernels import Chain, Dynamics, Loop
from .mechanics import OperatingPoint
from .settings import DetectorSettings, WorldSettings

__all__ = ["fit_truth"]


def _effective_line(
    j: int, point: OperatingPoint, chain: Chain, loop: Loop, gate: bool, dt: float
) -> tuple[float, float]:
    """(ω̃_j, γ_j) of particle j without mutual coupling, from the pole of its own closed loop."""
    drift = point.model.drift[2 * j : 2 * j + 2, 2 * j : 2 * j + 2]
    alone = LinearModel(drift, np.zeros((2, 2)), np.eye(2))
    step, _ = alone.discretise(dt)
    c = int(loop.detector[j])
    dynamics = Dynamics(
        step, np.zeros((2, 2)), held_force_input(drift, dt), np.zeros(2), np.zeros(1)
    )
    own_chain = chain._replace(
        response=chain.response[c : c + 1, j : j + 1],
        skew=chain.skew[c : c + 1, j : j + 1],
        mixing=np.zeros((1, 1)),
        diagonal=np.zeros(1),
        keep=chain.keep[c : c + 1],
        dark=np.zeros(1),
        offset=np.zeros(1),
    )
    own_loop = Loop(
        detector=np.zeros(1, dtype=np.int64),
        per_volt=loop.per_volt[j : j + 1],
        keep=loop.keep[j : j + 1],
        taps=loop.taps[j : j + 1],
        lags=loop.lags[j : j + 1],
    )
    poles = build_closed_loop(dynamics, own_chain, own_loop, gate, dt).poles
    line = 1j * math.sqrt(max(0.0, -drift[1, 0] * point.omega))
    pole = poles[np.argmin(np.abs(poles - line))]
    return float(abs(pole)), -2.0 * float(pole.real)


def fit_truth(
    settings: WorldSettings,
    detectors: Sequence[DetectorSettings],
    point: OperatingPoint,
    chain: Chain,
    loop: Loop,
    gate: bool,
) -> dict[str, float]:
    """Truth of a pair fit: omega_j, gamma_j, g_r, g_a, D11, D22, re_D12, noise_j.

    D is the total diffusion: recoil, gas and the feedback's force noise |H(ω̃_j)|²S_imp/4. noise_j
    is that of the particle's first out-of-loop channel, ADC steps included. rad/s, quanta²/Hz.
    """
    rate = settings.sample_rate
    lines, gammas, diffusion, floor = [], [], [], []
    for j in range(2):
        line, gamma = _effective_line(j, point, chain, loop, gate, 1.0 / rate)
        lines.append(line)
        gammas.append(gamma)
        c = int(loop.detector[j])
        total = 0.5 * float(point.model.noise[2 * j + 1, 2 * j + 1])
        if gate and loop.taps[j].any():
            gain = settings.feedback.damping_of(j) * line / point.omega
            gain *= float(chain.response[c, j] * loop.per_volt[j])
            total += 0.25 * gain**2 * white_level(chain, c, j, line, rate)
        diffusion.append(total)
        mine = [i for i, d in enumerate(detectors) if d.particle == j]
        out = next((i for i in mine if detectors[i].role == "out_of_loop"), mine[0])
        adc = (1.0 / chain.per_volt) ** 2 / 12.0 * 2.0 / rate / float(chain.response[out, j]) ** 2
        floor.append(white_level(chain, out, j, line, rate) + adc)
    drift, q = point.model.drift, 2.0 * point.omega / (lines[0] + lines[1])
    return {
        "omega_1": lines[0],
        "omega_2": lines[1],
        "gamma_1": gammas[0],
        "gamma_2": gammas[1],
        "g_r": q * 0.25 * float(drift[1, 2] + drift[3, 0]),
        "g_a": q * 0.25 * float(drift[1, 2] - drift[3, 0]),
        "D11": q * diffusion[0],
        "D22": q * diffusion[1],
        "re_D12": q * 0.5 * float(point.model.noise[1, 3]),
        "noise_1": floor[0] / q,
        "noise_2": floor[1] / q,
    }
