"""Fused kernels: dynamics, detection, feedback and ADC of the simulated world, sample by sample.

At sample k, in this order: the detectors see x(t_k); the feedback filters what its detectors show
and holds a force until t_{k+1}; the state takes its exact step. Dynamics and detection draw from
streams of their own, each the same number per sample: a record does not depend on how it is read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...models.rng import next_normal

__all__ = [
    "TAPS",
    "Chain",
    "Dynamics",
    "Loop",
    "Memory",
    "Table",
    "advance_many",
    "advance_pair",
]

_Array = NDArray[np.float64]
TAPS = 8


class Dynamics(NamedTuple):
    """Exact step of 2N states: x ← F x + B u + L ξ + drift; lost beyond |z_j| > limits_j."""

    step: _Array
    root: _Array
    force: _Array
    drift: _Array
    limits: _Array


class Table(NamedTuple):
    """Exact steps under light that changes with each sample: those of ``Dynamics``, stacked.

    Setting ``order[k % len(order)]`` holds from sample k to the next.
    """

    step: _Array
    root: _Array
    force: _Array
    drift: _Array
    limits: _Array
    order: NDArray[np.int64]

    @classmethod
    def steady(cls, d: Dynamics) -> Table:
        """One setting for all samples."""
        parts = (d.step[None], d.root[None], d.force[None], d.drift[None])
        return cls(*parts, d.limits, np.zeros(1, np.int64))


class Chain(NamedTuple):
    """Detection of c detectors, of which the first ``counts.shape[1]`` are digitised.

    response and skew (c, N): V per quantum of z and of p, cross-talk and sampling delay included;
    mixing (c, c): lower root of the noise
    before the low-pass, V; diagonal (c,): its diagonal; is_diagonal: whether there is nothing else;
    keep (c,): one-pole coefficient; dark (c,): noise after the low-pass, V; offset (c,): V;
    per_volt: counts per volt; top: largest count.
    """

    response: _Array
    skew: _Array
    mixing: _Array
    diagonal: _Array
    is_diagonal: bool
    keep: _Array
    dark: _Array
    offset: _Array
    per_volt: float
    top: float


class Loop(NamedTuple):
    """Feedback: detector per particle, quanta per volt, low-pass, eight taps at integer lags.

    u_j[k] = Σ_i taps_ji v_j[k − lags_ji], v_j[k] = keep_j v_j[k−1] + (1 − keep_j) y_j[k].
    """

    detector: NDArray[np.int64]
    per_volt: _Array
    keep: _Array
    taps: _Array
    lags: NDArray[np.int64]


class Memory(NamedTuple):
    """What a kernel updates in place: state, filters, ring of past v (power of two), streams."""

    state: _Array
    low_pass: _Array
    filtered: _Array
    ring: _Array
    cursor: NDArray[np.int64]
    streams: NDArray[np.uint64]


@njit(cache=True, nogil=True)
def _count(volts: float, per_volt: float, top: float) -> Any:
    """ADC code and whether it is clipped."""
    code = np.rint(volts * per_volt)
    if code > top:
        return top, True
    if code < -top - 1.0:
        return -top - 1.0, True
    return code, False


@njit(cache=True, nogil=True)
def advance_pair(
    dynamics: Any, chain: Any, loop: Any, memory: Any, gate: float, counts: Any, truth: Any
) -> Any:
    """Advance two particles by ``len(counts)`` samples or until one is lost.

    Returns
    -------
    done : int
        Samples written; the last one precedes the loss, if there is one.
    saturated : bool
        Whether a digitised sample was clipped.
    """
    step, root, force, drift = dynamics.step, dynamics.root, dynamics.force, dynamics.drift
    f00, f01, f02, f03 = step[0, 0], step[0, 1], step[0, 2], step[0, 3]
    f10, f11, f12, f13 = step[1, 0], step[1, 1], step[1, 2], step[1, 3]
    f20, f21, f22, f23 = step[2, 0], step[2, 1], step[2, 2], step[2, 3]
    f30, f31, f32, f33 = step[3, 0], step[3, 1], step[3, 2], step[3, 3]
    l00, l10, l11 = root[0, 0], root[1, 0], root[1, 1]
    l20, l21, l22 = root[2, 0], root[2, 1], root[2, 2]
    l30, l31, l32, l33 = root[3, 0], root[3, 1], root[3, 2], root[3, 3]
    b00, b10, b20, b30 = force[0, 0], force[1, 0], force[2, 0], force[3, 0]
    b01, b11, b21, b31 = force[0, 1], force[1, 1], force[2, 1], force[3, 1]
    d0, d1, d2, d3 = drift[0], drift[1], drift[2], drift[3]
    limit_1, limit_2 = dynamics.limits[0], dynamics.limits[1]
    x0, x1, x2, x3 = memory.state[0], memory.state[1], memory.state[2], memory.state[3]
    s0, s1 = memory.streams[0, 0], memory.streams[0, 1]
    s2, s3 = memory.streams[0, 2], memory.streams[0, 3]
    t0, t1 = memory.streams[1, 0], memory.streams[1, 1]
    t2, t3 = memory.streams[1, 2], memory.streams[1, 3]
    detectors, digitised = chain.response.shape[0], counts.shape[1]
    volts, noise = np.zeros(detectors), np.zeros(detectors)
    ring, mask, cursor = memory.ring, memory.ring.shape[1] - 1, memory.cursor[0]
    v1, v2 = memory.filtered[0], memory.filtered[1]
    i1, i2 = loop.detector[0], loop.detector[1]
    keep_1, keep_2 = loop.keep[0], loop.keep[1]
    in_1 = (1.0 - keep_1) * loop.per_volt[0]
    in_2 = (1.0 - keep_2) * loop.per_volt[1]
    keep_truth = truth.shape[0] > 0
    saturated = False
    done = 0
    for k in range(counts.shape[0]):
        if keep_truth:
            truth[k, 0], truth[k, 1], truth[k, 2], truth[k, 3] = x0, x1, x2, x3
        for c in range(detectors):
            xi, t0, t1, t2, t3 = next_normal(t0, t1, t2, t3)
            value = chain.response[c, 0] * x0 + chain.response[c, 1] * x2
            value += chain.skew[c, 0] * x1 + chain.skew[c, 1] * x3
            if chain.is_diagonal:
                value += chain.diagonal[c] * xi
            else:
                noise[c] = xi
                for m in range(c + 1):
                    value += chain.mixing[c, m] * noise[m]
            if chain.keep[c] > 0.0:
                value = chain.keep[c] * memory.low_pass[c] + (1.0 - chain.keep[c]) * value
                memory.low_pass[c] = value
            if chain.dark[c] > 0.0:
                xi, t0, t1, t2, t3 = next_normal(t0, t1, t2, t3)
                value += chain.dark[c] * xi
            volts[c] = value
        for c in range(digitised):
            code, clipped = _count(volts[c] + chain.offset[c], chain.per_volt, chain.top)
            saturated = saturated or clipped
            counts[k, c] = np.int16(code)
        v1 = keep_1 * v1 + in_1 * volts[i1]
        v2 = keep_2 * v2 + in_2 * volts[i2]
        ring[0, cursor & mask] = v1
        ring[1, cursor & mask] = v2
        u1 = 0.0
        u2 = 0.0
        for i in range(TAPS):
            u1 += loop.taps[0, i] * ring[0, (cursor - loop.lags[0, i]) & mask]
            u2 += loop.taps[1, i] * ring[1, (cursor - loop.lags[1, i]) & mask]
        u1 *= gate
        u2 *= gate
        cursor += 1
        a, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        b, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        e, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        g, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        y0 = (f00 * x0 + f01 * x1) + (f02 * x2 + f03 * x3)
        y1 = (f10 * x0 + f11 * x1) + (f12 * x2 + f13 * x3)
        y2 = (f20 * x0 + f21 * x1) + (f22 * x2 + f23 * x3)
        y3 = (f30 * x0 + f31 * x1) + (f32 * x2 + f33 * x3)
        x0 = y0 + (b00 * u1 + b01 * u2) + (l00 * a + d0)
        x1 = y1 + (b10 * u1 + b11 * u2) + (l10 * a + l11 * b + d1)
        x2 = y2 + (b20 * u1 + b21 * u2) + (l20 * a + l21 * b + l22 * e + d2)
        x3 = y3 + (b30 * u1 + b31 * u2) + ((l30 * a + l31 * b) + (l32 * e + l33 * g) + d3)
        done += 1
        if abs(x0) > limit_1 or abs(x2) > limit_2:
            break
    memory.state[0], memory.state[1], memory.state[2], memory.state[3] = x0, x1, x2, x3
    memory.streams[0, 0], memory.streams[0, 1] = s0, s1
    memory.streams[0, 2], memory.streams[0, 3] = s2, s3
    memory.streams[1, 0], memory.streams[1, 1] = t0, t1
    memory.streams[1, 2], memory.streams[1, 3] = t2, t3
    memory.filtered[0], memory.filtered[1] = v1, v2
    memory.cursor[0] = cursor
    return done, saturated


@njit(cache=True, nogil=True)
def advance_many(
    table: Any, chain: Any, loop: Any, memory: Any, gate: float, counts: Any, truth: Any
) -> Any:
    """Advance any number of particles: the plain form of :func:`advance_pair`, same draws.

    The light may change with each sample, see :class:`Table`.
    """
    period = table.order.shape[0]
    states, particles = memory.state.shape[0], memory.filtered.shape[0]
    s0, s1 = memory.streams[0, 0], memory.streams[0, 1]
    s2, s3 = memory.streams[0, 2], memory.streams[0, 3]
    t0, t1 = memory.streams[1, 0], memory.streams[1, 1]
    t2, t3 = memory.streams[1, 2], memory.streams[1, 3]
    detectors, digitised = chain.response.shape[0], counts.shape[1]
    volts, noise = np.zeros(detectors), np.zeros(detectors)
    x, after = memory.state, np.zeros(states)
    xi, u = np.zeros(states), np.zeros(particles)
    ring, mask, cursor = memory.ring, memory.ring.shape[1] - 1, memory.cursor[0]
    keep_truth = truth.shape[0] > 0
    saturated = False
    done = 0
    for k in range(counts.shape[0]):
        if keep_truth:
            for i in range(states):
                truth[k, i] = x[i]
        for c in range(detectors):
            noise[c], t0, t1, t2, t3 = next_normal(t0, t1, t2, t3)
            value = 0.0
            for j in range(particles):
                value += chain.response[c, j] * x[2 * j] + chain.skew[c, j] * x[2 * j + 1]
            if chain.is_diagonal:
                value += chain.diagonal[c] * noise[c]
            else:
                for m in range(c + 1):
                    value += chain.mixing[c, m] * noise[m]
            if chain.keep[c] > 0.0:
                value = chain.keep[c] * memory.low_pass[c] + (1.0 - chain.keep[c]) * value
                memory.low_pass[c] = value
            if chain.dark[c] > 0.0:
                extra, t0, t1, t2, t3 = next_normal(t0, t1, t2, t3)
                value += chain.dark[c] * extra
            volts[c] = value
        for c in range(digitised):
            code, clipped = _count(volts[c] + chain.offset[c], chain.per_volt, chain.top)
            saturated = saturated or clipped
            counts[k, c] = np.int16(code)
        for j in range(particles):
            seen = loop.per_volt[j] * volts[loop.detector[j]]
            memory.filtered[j] = loop.keep[j] * memory.filtered[j] + (1.0 - loop.keep[j]) * seen
            ring[j, cursor & mask] = memory.filtered[j]
            u[j] = 0.0
            for i in range(TAPS):
                u[j] += gate * loop.taps[j, i] * ring[j, (cursor - loop.lags[j, i]) & mask]
        cursor += 1
        for i in range(states):
            xi[i], s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        at = table.order[k % period]
        for i in range(states):
            value = table.drift[at, i]
            for m in range(states):
                value += table.step[at, i, m] * x[m]
            for m in range(i + 1):
                value += table.root[at, i, m] * xi[m]
            for j in range(particles):
                value += table.force[at, i, j] * u[j]
            after[i] = value
        lost = False
        for i in range(states):
            x[i] = after[i]
        for j in range(particles):
            lost = lost or abs(x[2 * j]) > table.limits[j]
        done += 1
        if lost:
            break
    memory.streams[0, 0], memory.streams[0, 1] = s0, s1
    memory.streams[0, 2], memory.streams[0, 3] = s2, s3
    memory.streams[1, 0], memory.streams[1, 1] = t0, t1
    memory.streams[1, 2], memory.streams[1, 3] = t2, t3
    memory.cursor[0] = cursor
    return done, saturated
