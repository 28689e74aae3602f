"""The likelihood of all records in the parameters that they share.

Every record has parameters of its own: its lines, its heating, the drift of its phase, noises; and
every light has what the law lacks there (:mod:`.law`). They are eliminated: at given shared
parameters ln L is maximised over all others, by Newton's steps in the arrow-shaped information
matrix, whose Schur complement is the information on the shared ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..matrices import NAMES
from .frame import Frame, Tolerances
from .law import PairLaw, PairSetting
from .parts import GaussianPart, Part, Terms

__all__ = ["SHARED", "JointLikelihood", "JointPoint"]

_Array = NDArray[np.float64]

SHARED = NAMES["global"]
"""Parameters of a global fit, in the order of its values."""

_ITERATIONS = 40
_TOLERANCE = 1e-10  # squared standard errors
_LEAST_DAMPING, _MOST_DAMPING = 1e-4, 1e10


@dataclass(frozen=True)
class JointPoint:
    """The likelihood at given shared parameters, all others at their maximum.

    Attributes
    ----------
    log_likelihood : float
        Relative to the sum of what the records reach alone, priors included; −inf where there is no
        model.
    score : ndarray, shape (P,)
        By the shared parameters.
    fisher : ndarray, shape (P, P)
        Information that is left when the others are eliminated.
    own : ndarray, shape (q,)
        Parameters of records and lights.
    whole : ndarray, shape (P + q, P + q)
        Information on all.
    """

    log_likelihood: float
    score: NDArray[np.float64]
    fisher: NDArray[np.float64]
    own: NDArray[np.float64]
    whole: NDArray[np.float64]

    def normal_equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Score and Fisher information of the shared parameters."""
        return self.score, self.fisher


class JointLikelihood:
    """Records of one pair under many lights.

    Parameters
    ----------
    law : PairLaw
        How the pair follows the light.
    settings : sequence of PairSetting
        One for each record.
    parts : sequence of Part
        What each record says.
    groups : sequence of int
        Group of each record, from 0: records of one group share the drift of φ.
    tolerances : Tolerances
        What the law lacks, and how far φ drifts.
    priors : mapping of str to (float, float)
        What is known of shared parameters: value and standard error.
    raw : sequence of bool
        Which records were in quanta of ω before they were fitted.
    steady : sequence of bool
        Which were taken with feedback on, whose noise may be common to both particles.
    """

    def __init__(
        self,
        law: PairLaw,
        settings: Sequence[PairSetting],
        parts: Sequence[Part],
        groups: Sequence[int],
        tolerances: Tolerances,
        priors: Mapping[str, tuple[float, float]],
        raw: Sequence[bool] = (),
        steady: Sequence[bool] = (),
    ) -> None:
        self.frame = Frame.of(law, settings, parts, groups, tolerances, raw, steady)
        self.parts, self.priors = tuple(parts), dict(priors)
        self._last = self.frame.start()

    @property
    def names(self) -> tuple[str, ...]:
        """Shared parameters."""
        return SHARED

    def evaluate(self, values: NDArray[np.float64]) -> JointPoint:
        """Likelihood with everything but the shared parameters at its maximum."""
        own, damping = self._last.copy(), 0.0
        here = self._assembled(values, own)
        if here is None:
            own = self.frame.start()
            here = self._assembled(values, own)
        if here is None:
            return self._nothing()
        p = len(SHARED)
        for _ in range(_ITERATIONS):
            step = _solved(here.fisher[p:, p:], here.score[p:], damping)
            if float(here.score[p:] @ step) < _TOLERANCE:
                break
            there = self._assembled(values, own + step)
            if there is None or there.log_likelihood < here.log_likelihood - 1e-10:
                damping = max(10.0 * damping, _LEAST_DAMPING)
                if damping > _MOST_DAMPING:
                    break
                continue
            damping = 0.0 if damping <= _LEAST_DAMPING else 0.1 * damping
            own, here = own + step, there
        self._last = own
        corner, arm = here.fisher[:p, :p], here.fisher[p:, :p]
        left = corner - arm.T @ _solved(here.fisher[p:, p:], arm, 0.0)
        return JointPoint(here.log_likelihood, here.score[:p], left, own, here.fisher)

    def simulated(self, values: NDArray[np.float64], rng: np.random.Generator) -> JointLikelihood:
        """The same records drawn anew at shared parameters; results alone can be drawn.

        What the law lacks and the drifts of φ are drawn from their distributions.
        """
        if not all(isinstance(part, GaussianPart) for part in self.parts):
            raise InputError(
                "records whose likelihoods are summed cannot be drawn: fit their results"
            )
        point = self.evaluate(values)
        own = self.frame.drawn(values, point.own, rng)
        seen, _ = self.frame.shown(values, own)
        parts = [
            part.drawn(self.frame.own_values(i, seen[i], own), rng)
            for i, part in enumerate(self.parts)
            if isinstance(part, GaussianPart)
        ]
        other = copy(self)
        other.frame, other.parts = self.frame.of_parts(parts), tuple(parts)
        other.begin_at(own)
        return other

    def begin_at(self, own: NDArray[np.float64]) -> None:
        """Begin the next search for the parameters of records and lights here."""
        self._last = own

    def _assembled(self, values: _Array, own: _Array) -> Terms | None:
        frame, p = self.frame, len(SHARED)
        size = p + len(own)
        score, fisher = np.zeros(size), np.zeros((size, size))
        total = 0.0
        seen, lines, jacobians, line_slopes = frame.linearised(values, own)
        for i, part in enumerate(self.parts):
            places, chain = frame.chain(i, jacobians[i])
            terms = part.terms(frame.own_values(i, seen[i], own))
            if terms is None:
                return None
            total += terms.log_likelihood
            score[places] += chain.T @ terms.score
            fisher[np.ix_(places, places)] += chain.T @ terms.fisher @ chain
        rows, slopes = frame.prior_rows(own, lines, line_slopes)
        total -= 0.5 * float(rows @ rows)
        score -= slopes.T @ rows
        fisher += slopes.T @ slopes
        for name, (centre, error) in self.priors.items():
            at = SHARED.index(name)
            pull = (values[at] - centre) / error
            total -= 0.5 * pull**2
            score[at] -= pull / error
            fisher[at, at] += 1.0 / error**2
        return Terms(total, score, fisher)

    def _nothing(self) -> JointPoint:
        p, q = len(SHARED), len(self._last)
        return JointPoint(
            -np.inf, np.zeros(p), np.zeros((p, p)), self._last, np.zeros((p + q, p + q))
        )


def _solved(matrix: _Array, right: _Array, damping: float) -> _Array:
    """(M + μ diag M)⁻¹ r on a unit diagonal."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    unit = matrix / np.outer(scale, scale) + (damping + 1e-13) * np.eye(len(scale))
    wide = scale if right.ndim == 1 else scale[:, None]
    return np.asarray(np.linalg.solve(unit, right / wide) / wide)
