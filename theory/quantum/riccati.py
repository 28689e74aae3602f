"""Matrix Riccati flows V̇ = ÂV + VÂᵀ + N̂ − V Q V: exact maps, varying coefficients, fixed points.

With V = XY⁻¹ the flow is linear, d(X; Y)/dt = M(X; Y), M = [[Â, N̂], [Q, −Âᵀ]]. Q = 0 is the
Lyapunov flow of unconditional moments, so both share one code. A map over a finite time is kept as
(Φ, P, G), V → P + Φ V (1 + GV)⁻¹ Φᵀ, which composes without growing exponentials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ...models.errors import ConvergenceError

__all__ = ["RiccatiMap", "fixed_point", "flow_generator", "propagate_varying"]

Matrix = NDArray[np.float64]

# Steps of one batch of matrix exponentials, and how often a step may be halved.
_BATCH, _HALVINGS = 2048, 12
# Gauss nodes at ½ ∓ √15/10 of a step.
_NODE = float(np.sqrt(15.0) / 10.0)


def flow_generator(drift: Matrix, noise: Matrix, gain: Matrix | None = None) -> Matrix:
    """M = [[Â, N̂], [Q, −Âᵀ]], shape (2n, 2n); Q = 0 unless given."""
    n = len(drift)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = drift, noise
    block[n:, n:] = -drift.T
    if gain is not None:
        block[n:, :n] = gain
    return block


@dataclass(frozen=True)
class RiccatiMap:
    """V → P + Φ V (1 + GV)⁻¹ Φᵀ: the Riccati flow over a finite time.

    Attributes
    ----------
    transition : ndarray, shape (n, n)
        Φ.
    added : ndarray, shape (n, n)
        P, the covariance that starts from V = 0.
    information : ndarray, shape (n, n)
        G, what the measurement learns of the initial state.
    """

    transition: Matrix
    added: Matrix
    information: Matrix

    @classmethod
    def over(cls, generator: Matrix, time: float) -> RiccatiMap:
        """Exact map of a constant generator over ``time``, by scaling and doubling."""
        norm = float(np.abs(generator).sum(axis=1).max(initial=0.0)) * time
        doublings = max(0, int(np.ceil(np.log2(norm)))) if norm > 1.0 else 0
        result = cls._from_exponential(
            np.asarray(linalg.expm(generator * (time / 2**doublings)), dtype=np.float64)
        )
        for _ in range(doublings):
            result = result.then(result)
        return result

    @classmethod
    def _from_exponential(cls, exponential: Matrix) -> RiccatiMap:
        """From e^{Mt}; its lower right block is Φ⁻ᵀ."""
        n = len(exponential) // 2
        inverse = np.asarray(np.linalg.inv(exponential[n:, n:]), dtype=np.float64)
        return cls(
            inverse.T.copy(),
            _symmetric(exponential[:n, n:] @ inverse),
            _symmetric(inverse @ exponential[n:, :n]),
        )

    def then(self, later: RiccatiMap) -> RiccatiMap:
        """Compose with a later map (Redheffer's star product)."""
        n = len(self.transition)
        # W = (1 + P_1 G_2)⁻¹; V_1 = P_1 + Φ_1V(1+G_1V)⁻¹Φ_1ᵀ put into the later map.
        between = np.linalg.inv(np.eye(n) + self.added @ later.information)
        onward = later.transition @ between
        return RiccatiMap(
            onward @ self.transition,
            _symmetric(later.added + onward @ self.added @ later.transition.T),
            _symmetric(
                self.information + self.transition.T @ later.information @ between @ self.transition
            ),
        )

    def __call__(self, covariance: Matrix) -> Matrix:
        """Apply the map to V, shape (n, n)."""
        n = len(self.transition)
        middle = np.linalg.solve((np.eye(n) + self.information @ covariance).T, covariance.T).T
        return _symmetric(self.added + self.transition @ middle @ self.transition.T)


def _symmetric(matrix: Matrix) -> Matrix:
    return np.asarray(0.5 * (matrix + matrix.T))


def fixed_point(generator: Matrix, *, rtol: float = 1e-12) -> Matrix:
    """Covariance to which the flow tends from V = 0, by doubling the time until it stands still.

    Doubling converges quadratically in the time, also where the eigenvalues of M come so near to
    the imaginary axis that an ordered Schur form of M cannot separate them.

    Raises
    ------
    ConvergenceError
        If the covariance does not settle.
    """
    norm = float(np.abs(generator).sum(axis=1).max())
    flow = RiccatiMap.over(generator, 1.0 / norm)
    for _ in range(100):
        longer = flow.then(flow)
        scale = np.abs(longer.added).max()
        change = np.abs(longer.added - flow.added).max()
        flow = longer
        # Before the first oscillations are over P grows steadily and cannot pass by accident.
        if not np.isfinite(scale):
            break
        if change <= rtol * scale and np.abs(flow.transition).max() < 1e-3:
            return flow.added
    raise ConvergenceError("the conditional covariance does not settle: a mode is hardly observed")


def propagate_varying(
    generator_at: Callable[[float], Matrix],
    covariance: Matrix,
    times: Matrix,
    *,
    rtol: float = 1e-9,
) -> Matrix:
    """V at ascending times under a generator M(t), by a Magnus series of sixth order.

    Each interval between two times is done in equal steps, halved until V is accurate to ``rtol``
    of √(V_iiV_jj). The exponent is made of M at three Gauss nodes and of commutators, so
    it stays in the Lie algebra of M and V stays symmetric.

    Parameters
    ----------
    generator_at : callable
        M at a time in s, shape (2n, 2n).
    covariance : ndarray, shape (n, n)
        V at the time 0.
    times : ndarray, shape (t,)
        Ascending, at least 0, s.
    rtol : float
        Relative accuracy.

    Raises
    ------
    ConvergenceError
        If halving does not help: the generator jumps or is not finite.
    """
    current, clock = covariance, 0.0
    moments = np.empty((len(times), *covariance.shape))
    for index, time in enumerate(times):
        if time > clock:
            current = _converged(generator_at, current, clock, float(time), rtol)
            clock = float(time)
        moments[index] = current
    return moments


def _converged(
    generator_at: Callable[[float], Matrix], start: Matrix, begin: float, end: float, rtol: float
) -> Matrix:
    """V at ``end``, with steps halved until V stands still."""
    norm = float(np.abs(generator_at(0.5 * (begin + end))[: len(start), : len(start)]).sum(1).max())
    steps = max(2, int(np.ceil(0.5 * norm * (end - begin))))
    coarse = _magnus(generator_at, start, begin, end, steps)
    for _ in range(_HALVINGS):
        steps *= 2
        fine = _magnus(generator_at, start, begin, end, steps)
        scale = np.sqrt(np.outer(np.diag(fine), np.diag(fine)))
        # At sixth order the finer result is 63 times better than the difference; trust a third.
        if (np.abs(fine - coarse) <= 20.0 * rtol * scale).all():
            return fine
        coarse = fine
    raise ConvergenceError(
        f"the moments between {begin:g} s and {end:g} s do not converge in {steps} steps"
    )


def _magnus(
    generator_at: Callable[[float], Matrix], start: Matrix, begin: float, end: float, steps: int
) -> Matrix:
    """V at ``end`` by ``steps`` steps of sixth order."""
    n, h = len(start), (end - begin) / steps
    current = start
    for first in range(0, steps, _BATCH):
        centre = begin + h * (np.arange(first, min(first + _BATCH, steps)) + 0.5)
        nodes = [
            np.stack([generator_at(float(t)) for t in centre + shift * h])
            for shift in (-_NODE, 0.0, _NODE)
        ]
        for step in linalg.expm(_exponent(nodes[0], nodes[1], nodes[2], h)):
            upper = step[:n, :n] @ current + step[:n, n:]
            lower = step[n:, :n] @ current + step[n:, n:]
            current = _symmetric(np.linalg.solve(lower.T, upper.T).T)
    return current


def _exponent(one: Matrix, two: Matrix, three: Matrix, h: float) -> Matrix:
    """Magnus exponent of sixth order from M at three Gauss nodes (Blanes et al. 2009, sec. 5.3)."""

    def commutator(a: Matrix, b: Matrix) -> Matrix:
        return a @ b - b @ a

    mean = h * two
    slope = h * np.sqrt(15.0) / 3.0 * (three - one)
    curve = h * 10.0 / 3.0 * (three - 2.0 * two + one)
    inner = commutator(mean, slope)
    outer = slope - commutator(mean, 2.0 * curve + inner) / 60.0
    return np.asarray(mean + curve / 12.0 + commutator(-20.0 * mean - curve + inner, outer) / 240.0)
