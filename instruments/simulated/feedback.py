"""Cold damping in discrete time: a low-pass, a short FIR filter with phase lead, and a delay.

The force held from t_k to t_{k+1} is u[k] = Σ_i c_i v[k−d−im], v the low-passed record. With θ = ωT
the loop sees, from z to force,

    H(θ) = Σ_i c_i e^{−imθ} · e^{−idθ} · (1−a)/(1−ae^{−iθ}) · e^{−iθ/2} sin(θ/2)/(θ/2),

filter, delay and hold included. Viscous damping −Γp_j is H = −iΓω/ω_scale; a loop whose phase is
off by φ has e^{iφ} times that: it damps with Γ cos φ and shifts the line by −Γ sin φ/2. The eight
real c_i give
exactly that at the line ω̃_j and come close to it in a band around it (least squares, with a weight
on Σc_i² against noise off the line, the larger the more noise the loop has). The neighbourhood
matters: a loop with group delay τ changes a particle's apparent mass by Γτ/2, and with it the g and
D that a spectrum shows, by percents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from .detection import white_level
from .kernels import TAPS, Chain, Loop
from .mechanics import OperatingPoint
from .settings import DetectorSettings, WorldSettings

__all__ = ["delay_samples", "design_loop", "held_force_input", "ring_length"]

# Half width of the band around a line in which the loop should look viscous.
_BAND = 0.2
# Weight of Σc²: a floor, and what is added per ratio of the loop's force noise to the recoil.
_RESTRAINT = (1e-6, 1e-4)


def delay_samples(settings: WorldSettings, delay: float) -> int:
    """Delay in whole samples."""
    return round(delay * settings.sample_rate)


def ring_length(settings: WorldSettings, slowest: float = 2.0 * math.pi * 2e3) -> int:
    """Power of two that holds delay and lead for lines down to ``slowest`` (rad/s)."""
    span = 1.5 * 2.0 * math.pi / slowest * settings.sample_rate
    need = delay_samples(settings, settings.feedback.delay) + int(span) + 8
    return 1 << need.bit_length()


def held_force_input(drift: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
    """Response of the states to forces held for dt, ∫exp(As)ds·B, shape (2N, N)."""
    states = len(drift)
    block = np.zeros((states + states // 2,) * 2)
    block[:states, :states] = drift
    block[np.arange(1, states, 2), states + np.arange(states // 2)] = 1.0
    return np.asarray(linalg.expm(block * dt)[:states, states:])


def _path(
    theta: NDArray[np.float64], keeps: tuple[float, float], delay: int
) -> NDArray[np.complex128]:
    """H without the taps at angles θ: delay, hold, low-passes."""
    turn = np.exp(-1j * theta)
    path = np.exp(-1j * theta * (delay + 0.5)) * np.sinc(theta / (2.0 * math.pi))
    for keep in keeps:
        path = path * (1.0 - keep) / (1.0 - keep * turn)
    return np.asarray(path)


def _taps(
    line: float, keeps: tuple[float, float], delay: int, restraint: float, lead: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Taps for H = −ie^{iφ}θ/θ_line with lead φ, and their lags in samples without the delay."""
    lags = max(1, round(math.pi / 3.0 / line)) * np.arange(TAPS)
    theta = line * np.append(1.0, np.linspace(1.0 - _BAND, 1.0 + _BAND, 41))
    response = np.exp(-1j * np.outer(theta, lags)) * _path(theta, keeps, delay)[:, None]
    wanted = -1j * theta / line * np.exp(1j * lead)
    rows = np.vstack([response[1:].real, response[1:].imag]) / math.sqrt(41.0)
    aims = np.concatenate([wanted[1:].real, wanted[1:].imag]) / math.sqrt(41.0)
    exact = np.vstack([response[0].real, response[0].imag])
    # Least squares with two equality constraints (Lagrange).
    system = np.zeros((TAPS + 2, TAPS + 2))
    system[:TAPS, :TAPS] = rows.T @ rows + restraint * np.eye(TAPS)
    system[:TAPS, TAPS:], system[TAPS:, :TAPS] = exact.T, exact
    right = np.concatenate([rows.T @ aims, [math.sin(lead), -math.cos(lead)]])
    return np.asarray(np.linalg.solve(system, right)[:TAPS]), lags


def design_loop(
    settings: WorldSettings,
    detectors: Sequence[DetectorSettings],
    in_loop: NDArray[np.int64],
    chain: Chain,
    point: OperatingPoint,
    present: Sequence[bool],
    longest: int,
) -> Loop:
    """Feedback law for each present particle, tuned to its line ω̃_j without mutual coupling.

    The controller follows the lines: it is tuned anew whenever the light changes. One that is set
    to a centre frequency stays there.
    """
    feedback, dt = settings.feedback, 1.0 / settings.sample_rate
    count = len(present)
    keep = [math.exp(-2.0 * math.pi * feedback.corner_of(j) * dt) for j in range(count)]
    delay = delay_samples(settings, feedback.delay)
    believed = feedback.delay if feedback.assumed_delay is None else feedback.assumed_delay
    taps, per_volt = np.zeros((count, TAPS)), np.zeros(count)
    lags = np.full((count, TAPS), delay, dtype=np.int64)
    for j in range(count):
        if not present[j]:
            continue
        drift = point.model.drift
        square = -drift[2 * j + 1, 2 * j] * point.omega
        centre = feedback.centre_of(j)
        if centre is not None:
            square = (2.0 * math.pi * centre) ** 2
        damping = feedback.damping_of(j)
        detector = detectors[in_loop[j]]
        per_volt[j] = 1.0 / (detector.volts_per_metre * detector.polarity * point.lengths[j])
        # A line that is not there (local stiffness < 0), or one beyond reach, is not damped.
        if damping == 0.0 or not 0.0 < square * dt * dt < (0.9 * math.pi) ** 2:
            continue
        keeps = (keep[j], float(chain.keep[in_loop[j]]))
        line = math.sqrt(square)
        noise = white_level(chain, int(in_loop[j]), j, line, settings.sample_rate)
        noise *= 0.25 * damping**2 / (0.5 * point.model.noise[2 * j + 1, 2 * j + 1])
        restraint = _RESTRAINT[0] + _RESTRAINT[1] * float(noise)
        lead = feedback.lead_of(j)
        shape, steps = _taps(line * dt, keeps, delay_samples(settings, believed), restraint, lead)
        if delay + steps[-1] >= longest:
            continue
        taps[j] = damping * line / point.omega * shape
        lags[j] += steps
    return Loop(detector=in_loop, per_volt=per_volt, keep=np.array(keep), taps=taps, lags=lags)
