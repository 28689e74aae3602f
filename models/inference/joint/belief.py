"""What is known of a rig before the next record: a Gaussian belief over the law's parameters.

It foresees a light with its uncertainty, says what a measurement there would tell, and learns from
what was measured. Whoever steers a rig to a working point asks this and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .fits import JointFit
from .frame import Tolerances
from .law import LAW, PairLaw, PairSetting
from .points import FORESEEN, foreseen_table

__all__ = ["Belief"]

_Array = NDArray[np.float64]

_ITERATIONS = 60
_TOLERANCE = 1e-8  # squared standard errors


@dataclass(frozen=True)
class _Record:
    """What was measured at a light: rows of ``FORESEEN``, and the precision of the estimates."""

    setting: PairSetting
    measured: _Array
    precision: _Array
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Belief:
    """Values and covariance of the law's parameters.

    Attributes
    ----------
    law : PairLaw
        The optics.
    values : ndarray, shape (7,)
        ``LAW``.
    names : tuple of str
        Parameters that are not known exactly.
    covariance : ndarray, shape (p, p)
        Theirs.
    tolerances : Tolerances
        What the law lacks at any light.
    records : tuple
        What was learnt from since.
    first : Belief or None
        What was known before the first of them.
    """

    law: PairLaw
    values: NDArray[np.float64]
    names: tuple[str, ...]
    covariance: NDArray[np.float64]
    tolerances: Tolerances
    records: tuple[_Record, ...] = ()
    first: Belief | None = None

    @classmethod
    def of(cls, fit: JointFit) -> Belief:
        """What a global fit leaves."""
        names = tuple(n for n in fit.free if n in LAW)
        rows = [fit.free.index(n) for n in names]
        shared = fit.covariance()[np.ix_(rows, rows)]
        return cls(fit.law, fit.values[: len(LAW)], names, shared, fit.tolerances)

    @classmethod
    def beforehand(
        cls,
        law: PairLaw,
        values: Mapping[str, float],
        errors: Mapping[str, float],
        tolerances: Tolerances,
    ) -> Belief:
        """What a rig file tells: values of ``LAW``, and standard errors of those in doubt."""
        unknown = [n for n in (*values, *errors) if n not in LAW]
        missing = [n for n in LAW if n not in values]
        if unknown or missing:
            raise InputError(
                f"a belief is over {', '.join(LAW)}: unknown {unknown}, missing {missing}"
            )
        names = tuple(n for n in LAW if n in errors)
        spread = np.array([errors[n] for n in names])
        return cls(law, np.array([values[n] for n in LAW]), names, np.diag(spread**2), tolerances)

    def predict(
        self, setting: PairSetting
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Foresee a light.

        Returns
        -------
        mean : ndarray, shape (5,)
            g_r, g_a, re_D12, omega_1, omega_2, rad/s.
        jacobian : ndarray, shape (5, p)
            By the parameters in doubt.
        covariance : ndarray, shape (5, 5)
            Of the mean: what is not known, and what the law lacks.
        """
        mean, slopes = foreseen_table(self.law, self.values, self.names, [setting])
        jacobian = slopes[0]
        return mean[0], jacobian, jacobian @ self.covariance @ jacobian.T + self._lacking

    @property
    def _lacking(self) -> _Array:
        t = self.tolerances
        return np.diag(np.array([t.coupling] * 3 + [t.line] * 2) ** 2)

    def information(self, setting: PairSetting, expected: NDArray[np.float64]) -> float:
        """Expected information of a measurement, nats: ½ ln det(1 + C⁻¹ J Σ Jᵀ).

        Parameters
        ----------
        setting : PairSetting
            Where.
        expected : ndarray, shape (5, 5)
            Covariance of what a record there would find.
        """
        _, jacobian, _ = self.predict(setting)
        noise = np.linalg.cholesky(expected + self._lacking)
        white = np.linalg.solve(noise, jacobian)
        gain = np.eye(len(FORESEEN)) + white @ self.covariance @ white.T
        return 0.5 * float(np.linalg.slogdet(gain)[1])

    def updated(
        self,
        setting: PairSetting,
        measured: NDArray[np.float64],
        covariance: NDArray[np.float64],
        names: Sequence[str] = FORESEEN,
    ) -> Belief:
        """Learn from a record: the maximum over what was known first and all records since.

        Couplings turn with φ and kd, so that a Gaussian after each record would forget too much.

        Parameters
        ----------
        setting : PairSetting
            Light of the record.
        measured : ndarray, shape (m,)
            Estimates of ``names``, rad/s.
        covariance : ndarray, shape (m, m)
            Theirs.
        names : sequence of str
            Some of g_r, g_a, re_D12, omega_1, omega_2.
        """
        rows = [FORESEEN.index(n) for n in names]
        noise = _inverse(covariance + self._lacking[np.ix_(rows, rows)])
        record = _Record(setting, np.asarray(measured, np.float64), noise, tuple(rows))
        first = self.first if self.first is not None else self
        learnt = replace(self, records=(*self.records, record), first=first)
        values, information = learnt.maximum()
        return replace(learnt, values=values, covariance=_inverse(information))

    def maximum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values (7,) where all records and what was known first agree best; information (p, p)."""
        first = self.first or self
        places = [LAW.index(n) for n in self.names]
        prior = _inverse(first.covariance)
        kept, damping, best = self.values.copy(), 0.0, np.inf
        values, information, slope = kept, prior, np.zeros(len(places))
        for _ in range(_ITERATIONS):
            cost, bend, rise = self._terms(values, first.values, prior, places)
            if cost > best:
                damping = max(10.0 * damping, 1e-2)
            else:
                best, kept, damping = cost, values, 0.1 * damping
                information, slope = bend, rise
            step = np.linalg.solve(information + damping * np.diag(np.diag(information)), slope)
            if float(slope @ step) < _TOLERANCE:
                break
            values = kept.copy()
            values[places] += step
        return kept, information

    def _terms(
        self, values: _Array, known: _Array, prior: _Array, places: Sequence[int]
    ) -> tuple[float, _Array, _Array]:
        """−2 ln of the posterior, its information and slope, at given values."""
        away = known[places] - values[places]
        cost, bend, rise = float(away @ prior @ away), prior.copy(), prior @ away
        settings = [record.setting for record in self.records]
        means, slopes = foreseen_table(self.law, values, self.names, settings)
        for record, mean, slope in zip(self.records, means, slopes, strict=True):
            apart, j = record.measured - mean[list(record.rows)], slope[list(record.rows)]
            cost += float(apart @ record.precision @ apart)
            bend += j.T @ record.precision @ j
            rise += j.T @ record.precision @ apart
        return cost, bend, rise


def _inverse(matrix: _Array) -> _Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)
