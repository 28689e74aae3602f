"""The bare pair stepper and the bound that its random numbers set; see bench/ for the ratio."""

from __future__ import annotations

from typing import Any

from numba import njit

from ...models.rng import next_normal

__all__ = ["rng_bound", "step_pair"]


@njit(cache=True, nogil=True)
def step_pair(positions: Any, state: Any, step: Any, root: Any, stream: Any) -> None:
    """Step x ← F x + L ξ for four states and keep the positions before each step.

    Parameters
    ----------
    positions : ndarray, shape (n, 2)
        Filled with (z_1, z_2).
    state : ndarray, shape (4,)
        (z_1, p_1, z_2, p_2), updated in place.
    step, root : ndarray, shape (4, 4)
        F and the lower Cholesky factor L of Q, see ``LinearModel.discretise``.
    stream : ndarray of uint64, shape (4,)
        From :func:`~optobind.models.rng.new_stream`; moves on by 4 n deviates.
    """
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    x0, x1, x2, x3 = state[0], state[1], state[2], state[3]
    f00, f01, f02, f03 = step[0, 0], step[0, 1], step[0, 2], step[0, 3]
    f10, f11, f12, f13 = step[1, 0], step[1, 1], step[1, 2], step[1, 3]
    f20, f21, f22, f23 = step[2, 0], step[2, 1], step[2, 2], step[2, 3]
    f30, f31, f32, f33 = step[3, 0], step[3, 1], step[3, 2], step[3, 3]
    l00, l10, l11 = root[0, 0], root[1, 0], root[1, 1]
    l20, l21, l22 = root[2, 0], root[2, 1], root[2, 2]
    l30, l31, l32, l33 = root[3, 0], root[3, 1], root[3, 2], root[3, 3]
    for k in range(positions.shape[0]):
        positions[k, 0] = x0
        positions[k, 1] = x2
        a, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        b, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        c, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        d, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        # Summed in pairs: the chain from state to state is what limits the speed.
        y0 = (f00 * x0 + f01 * x1) + (f02 * x2 + f03 * x3) + l00 * a
        y1 = (f10 * x0 + f11 * x1) + (f12 * x2 + f13 * x3) + (l10 * a + l11 * b)
        y2 = (f20 * x0 + f21 * x1) + (f22 * x2 + f23 * x3) + (l20 * a + l21 * b + l22 * c)
        y3 = (f30 * x0 + f31 * x1) + (f32 * x2 + f33 * x3)
        y3 += (l30 * a + l31 * b) + (l32 * c + l33 * d)
        x0, x1, x2, x3 = y0, y1, y2, y3
    state[0], state[1], state[2], state[3] = x0, x1, x2, x3
    stream[0], stream[1], stream[2], stream[3] = s0, s1, s2, s3


@njit(cache=True, nogil=True)
def rng_bound(steps: int, stream: Any) -> float:
    """Draw and add up the 4 ``steps`` deviates of a pair run: no exact stepper can be faster."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    first = second = third = fourth = 0.0
    for _ in range(steps):
        a, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        b, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        c, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        d, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        first += a
        second += b
        third += c
        fourth += d
    stream[0], stream[1], stream[2], stream[3] = s0, s1, s2, s3
    return first + second + third + fourth
