"""The BAOAB step: kick, drift, exact Ornstein–Uhlenbeck, drift, kick (Leimkuhler, Matthews 2013).

With m_j dv_j = F_j(r) dt − m_jγ_j v_j dt + dW_j and ⟨dW dWᵀ⟩ = (2mγkT + 2 Re P) dt, a step h is
v += hF/2m, r += hv/2, v ← e^{−γh}v + ξ with ⟨ξξᵀ⟩ exact for gas and recoil together, r += hv/2, and
v += hF/2m with the new force. Second order in h; without gas and recoil it is velocity Verlet,
which is symplectic. P depends on r alone and kicks v alone: the noise means the same after Itô and
after Stratonovich.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...models.rng import fill_normal
from .kernels import field_and_force, inner
from .recoil import fill_recoil, kick_root

__all__ = ["ESCAPED", "KEPT", "TOUCHED", "Bath", "Limits", "State", "advance"]

_Array = NDArray[np.float64]
KEPT, ESCAPED, TOUCHED = 0, 1, 2


class Bath(NamedTuple):
    """What damps and kicks.

    keep (n,): e^{−γh}; gamma (n,): 1/s; heat (n,): 2mγkT, N² s; root (3n, 3n): lower root of the
    velocity kicks, m/s, overwritten when refreshed; noisy: whether there are any; refresh: steps
    between evaluations of Re P at the particles, 0 for never.
    """

    keep: _Array
    gamma: _Array
    heat: _Array
    root: _Array
    noisy: bool
    refresh: int


class Limits(NamedTuple):
    """Where a particle counts as lost: home (n, 3), m; across (n, 2) and along (n,), m; radius."""

    home: _Array
    across: _Array
    along: _Array
    radius: _Array


class State(NamedTuple):
    """What moves on: positions (n, 3), velocities (n, 3), stream (4,), steps done (1,)."""

    positions: _Array
    velocities: _Array
    stream: NDArray[np.uint64]
    steps: NDArray[np.int64]


@inner
def _check(limits: Any, positions: Any) -> Any:
    """Which particle is lost, and how; comparisons are such that NaN is a loss."""
    count = positions.shape[0]
    for j in range(count):
        x = (positions[j, 0] - limits.home[j, 0]) / limits.across[j, 0]
        y = (positions[j, 1] - limits.home[j, 1]) / limits.across[j, 1]
        z = (positions[j, 2] - limits.home[j, 2]) / limits.along[j]
        if not (x * x + y * y <= 1.0 and z * z <= 1.0):
            return j, ESCAPED
        for other in range(j):
            square = 0.0
            for a in range(3):
                square += (positions[j, a] - positions[other, a]) ** 2
            reach = limits.radius[j] + limits.radius[other]
            if square <= reach * reach:
                return j, TOUCHED
    return -1, KEPT


@inner
def _kick(velocities: Any, force: Any, mass: Any, time: float) -> None:
    for j in range(velocities.shape[0]):
        scale = time / mass[j]
        velocities[j, 0] += scale * force[j, 0]
        velocities[j, 1] += scale * force[j, 1]
        velocities[j, 2] += scale * force[j, 2]


@inner
def _drift(positions: Any, velocities: Any, time: float) -> None:
    for j in range(velocities.shape[0]):
        positions[j, 0] += time * velocities[j, 0]
        positions[j, 1] += time * velocities[j, 1]
        positions[j, 2] += time * velocities[j, 2]


@inner
def _exchange(velocities: Any, bath: Any, draws: Any, stream: Any) -> None:
    """Exact Ornstein–Uhlenbeck step of the velocities."""
    fill_normal(draws, stream)
    for j in range(velocities.shape[0]):
        for a in range(3):
            row = 3 * j + a
            total = bath.keep[j] * velocities[j, a]
            for m in range(row + 1):
                total += bath.root[row, m] * draws[m]
            velocities[j, a] = total


@njit(cache=True, nogil=True)
def advance(
    beams: Any,
    particles: Any,
    bath: Any,
    limits: Any,
    work: Any,
    state: Any,
    dt: float,
    every: int,
    positions: Any,
    velocities: Any,
) -> Any:
    """Fill samples (rows, n, 3), the first one after ``every`` steps, until a particle is lost.

    Returns
    -------
    rows : int
        Samples written before a loss.
    particle : int
        The lost one, or −1.
    how : int
        ``KEPT``, ``ESCAPED`` or ``TOUCHED``.
    """
    r, v = state.positions, state.velocities
    draws = np.empty(r.size)
    recoil = np.empty((r.size, r.size))
    half = 0.5 * dt
    step = state.steps[0]
    field_and_force(beams, particles, work, r, step * dt)
    for row in range(positions.shape[0]):
        for _ in range(every):
            if bath.refresh > 0 and step % bath.refresh == 0:
                fill_recoil(beams, particles, work, r, recoil)
                kick_root(recoil, bath.heat, bath.gamma, particles.mass, dt, bath.root)
            _kick(v, work.force, particles.mass, half)
            if bath.noisy:
                _drift(r, v, half)
                _exchange(v, bath, draws, state.stream)
                _drift(r, v, half)
            else:
                _drift(r, v, dt)
            step += 1
            lost, how = _check(limits, r)
            if how != KEPT:
                state.steps[0] = step
                return row, lost, how
            field_and_force(beams, particles, work, r, step * dt)
            _kick(v, work.force, particles.mass, half)
        positions[row] = r
        velocities[row] = v
    state.steps[0] = step
    return positions.shape[0], -1, KEPT
