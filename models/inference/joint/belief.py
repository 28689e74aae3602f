"""What is known of a rig before the next record: a Gaussian belief over a law's parameters.

It foresees a light with its uncertainty, says what a measurement there would tell, and learns from
what was measured. Whoever steers a rig to a working point asks this and nothing else.

What the law lacks differs from light to light. By default lights know nothing of each other; with
a :class:`Nearness` close lights lack nearly the same, so that a record also says what the law
lacks beside it (Gaussian-process regression on the residuals of the law).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .fits import JointFit
from .frame import Tolerances
from .law import LAW, PairLaw, PairSetting
from .points import FORESEEN, Forecast, foreseen_table

__all__ = ["Belief", "Lit", "Nearness"]

_Array = NDArray[np.float64]

_ITERATIONS = 60
_TOLERANCE = 1e-8  # squared standard errors


class Lit(Protocol):
    """Any setting of the light of a pair."""

    @property
    def phi(self) -> float:
        """Set phase, rad."""
        ...

    @property
    def distance(self) -> float:
        """M."""
        ...

    @property
    def balance(self) -> float:
        """(P_2 − P_1)/(P_1 + P_2)."""
        ...


S = TypeVar("S", bound=Lit)


@dataclass(frozen=True)
class Nearness:
    """How far what the law lacks stays the same: lengths of a Gaussian correlation.

    Attributes
    ----------
    phi : float
        rad.
    distance : float
        m.
    balance : float
        Of (P_2 − P_1)/(P_1 + P_2).
    """

    phi: float = 0.7
    distance: float = 1e-7
    balance: float = 0.05

    def correlation(self, ones: Sequence[Lit], others: Sequence[Lit]) -> _Array:
        """Correlation of what the law lacks, shape (n, m)."""
        a, b = (
            np.array([(s.phi, s.distance, s.balance) for s in some], np.float64).reshape(-1, 3)
            for some in (ones, others)
        )
        apart = a[:, None] - b[None]
        apart[..., 0] = 2.0 * np.sin(0.5 * apart[..., 0])
        apart /= np.array([self.phi, self.distance, self.balance])
        return np.asarray(np.exp(-0.5 * np.sum(apart**2, axis=-1)))


@dataclass(frozen=True)
class _Record(Generic[S]):
    """What was measured at a light: rows of ``FORESEEN``, and the covariance of the estimates."""

    setting: S
    measured: _Array
    covariance: _Array
    rows: tuple[int, ...]


class _Data(NamedTuple):
    """All records in one column: estimates, what weighs them, and where each number belongs."""

    measured: _Array
    weight: _Array
    settings: list[Lit]
    record: NDArray[np.intp]
    row: NDArray[np.intp]


@dataclass(frozen=True)
class Belief(Generic[S]):
    """Values and covariance of the law's parameters.

    Attributes
    ----------
    law : Forecast
        The optics, such as a PairLaw.
    values : ndarray, shape (P,)
        ``law.parameters``.
    names : tuple of str
        Parameters that are not known exactly.
    covariance : ndarray, shape (p, p)
        Theirs.
    tolerances : Tolerances
        What the law lacks at any light; ``phase`` is by how much φ walks from record to record.
    records : tuple
        What was learnt from since.
    first : Belief or None
        What was known before the first of them.
    near : Nearness or None
        How far what the law lacks stays the same; None where each record has its own.
    """

    law: Forecast[S]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    covariance: NDArray[np.float64]
    tolerances: Tolerances
    records: tuple[_Record[S], ...] = ()
    first: Belief[S] | None = None
    near: Nearness | None = None

    @staticmethod
    def of(fit: JointFit) -> Belief[PairSetting]:
        """What a global fit leaves."""
        names = tuple(n for n in fit.free if n in LAW)
        rows = [fit.free.index(n) for n in names]
        shared = fit.covariance()[np.ix_(rows, rows)]
        law: PairLaw = fit.law
        steady = replace(fit.tolerances, phase=0.0)
        return Belief(law, fit.values[: len(LAW)], names, shared, steady)

    @classmethod
    def beforehand(
        cls,
        law: Forecast[S],
        values: Mapping[str, float],
        errors: Mapping[str, float],
        tolerances: Tolerances,
        near: Nearness | None = None,
    ) -> Belief[S]:
        """What a rig file tells: values of the law's parameters, and errors of those in doubt."""
        every = law.parameters
        unknown = [n for n in (*values, *errors) if n not in every]
        missing = [n for n in every if n not in values]
        if unknown or missing:
            raise InputError(
                f"a belief is over {', '.join(every)}: unknown {unknown}, missing {missing}"
            )
        names = tuple(n for n in every if n in errors)
        spread = np.diag(np.array([errors[n] for n in names]) ** 2)
        known = np.array([values[n] for n in every])
        return cls(law, known, names, spread, tolerances, near=near)

    def predict(
        self, setting: S
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
        mean, jacobian, lacking = self._foreseen([setting])
        return mean[0], jacobian[0], jacobian[0] @ self.covariance @ jacobian[0].T + lacking

    def together(self, settings: Sequence[S]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Foresee lights together.

        Returns
        -------
        mean : ndarray, shape (n, 5)
            As of :meth:`predict`.
        covariance : ndarray, shape (5n, 5n)
            Of all of them, what they share included.
        """
        mean, jacobian, lacking = self._foreseen(settings)
        wide = jacobian.reshape(-1, len(self.names))
        return mean, wide @ self.covariance @ wide.T + lacking

    def _foreseen(self, settings: Sequence[S]) -> tuple[_Array, _Array, _Array]:
        """Mean (n, 5), derivatives (n, 5, p) and covariance (5n, 5n) of what the law lacks."""
        mean, slopes = self._table(self.values, settings)
        lacking = self._correlated(settings, settings)
        if self.near is None or not self.records:
            return mean, slopes, lacking
        data, means, known = self._learnt
        cross = self._correlated(settings, data.settings)[:, self._places(data)]
        gain = cross @ data.weight
        mean = mean + (gain @ (data.measured - means)).reshape(mean.shape)
        slopes = slopes - (gain @ known).reshape(slopes.shape)
        return mean, slopes, lacking - gain @ cross.T

    @cached_property
    def _learnt(self) -> tuple[_Data, _Array, _Array]:
        """All records, and what the law has for them at the values."""
        return self._data(), *self._at_records(self.values)

    @staticmethod
    def _places(data: _Data) -> NDArray[np.intp]:
        """Of each number among the five of every record."""
        return np.asarray(len(FORESEEN) * data.record + data.row, np.intp)

    def _table(self, values: _Array, settings: Sequence[S]) -> tuple[_Array, _Array]:
        return foreseen_table(self.law, values, self.names, settings, self.law.parameters)

    def _correlated(self, ones: Sequence[Lit], others: Sequence[Lit]) -> _Array:
        """Covariance of what the law lacks at lights, (5n, 5m)."""
        t = self.tolerances
        own = np.diag(np.array([t.coupling] * 3 + [t.line] * 2) ** 2)
        same = np.eye(len(ones), len(others))
        like = same if self.near is None else self.near.correlation(ones, others)
        return np.asarray(np.kron(like, own), np.float64)

    def information(self, setting: S, expected: NDArray[np.float64]) -> float:
        """Expected information of a measurement, nats: ½ ln det(1 + C⁻¹ J Σ Jᵀ).

        Parameters
        ----------
        setting : PairSetting
            Where.
        expected : ndarray, shape (5, 5)
            Covariance of what a record there would find.
        """
        _, jacobian, lacking = self._foreseen([setting])
        noise = np.linalg.cholesky(expected + lacking)
        white = np.linalg.solve(noise, jacobian[0])
        gain = np.eye(len(FORESEEN)) + white @ self.covariance @ white.T
        return 0.5 * float(np.linalg.slogdet(gain)[1])

    def updated(
        self,
        setting: S,
        measured: NDArray[np.float64],
        covariance: NDArray[np.float64],
        names: Sequence[str] = FORESEEN,
    ) -> Belief[S]:
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
        return self.with_record(setting, measured, covariance, names).settled()

    def with_record(
        self,
        setting: S,
        measured: NDArray[np.float64],
        covariance: NDArray[np.float64],
        names: Sequence[str] = FORESEEN,
    ) -> Belief[S]:
        """The same with a record that is not yet learnt from, see :meth:`settled`."""
        rows = tuple(FORESEEN.index(n) for n in names)
        known = np.asarray(measured, np.float64), np.asarray(covariance, np.float64)
        first = self.first if self.first is not None else self
        return replace(self, records=(*self.records, _Record(setting, *known, rows)), first=first)

    def settled(self, start: NDArray[np.float64] | None = None) -> Belief[S]:
        """Learn from all records, beginning at other values where some are given."""
        begun = self if start is None else replace(self, values=start)
        values, information = begun.maximum()
        return replace(self, values=values, covariance=_inverse(information))

    def maximum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values (P,) where all records and what was known first agree best; information (p, p)."""
        first = self.first or self
        places = [self.law.parameters.index(n) for n in self.names]
        prior, data = _inverse(first.covariance), self._data()
        kept, damping, best = self.values.copy(), 0.0, np.inf
        values, information, slope = kept, prior, np.zeros(len(places))
        for _ in range(_ITERATIONS):
            cost, bend, rise = self._terms(values, first.values, prior, places, data)
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

    def cost(self) -> float:
        """−2 ln of the posterior at the values, up to a constant of the records."""
        first = self.first or self
        places = [self.law.parameters.index(n) for n in self.names]
        prior = _inverse(first.covariance)
        return self._terms(self.values, first.values, prior, places, self._data())[0]

    def _terms(
        self,
        values: _Array,
        known: _Array,
        prior: _Array,
        places: Sequence[int],
        data: _Data,
    ) -> tuple[float, _Array, _Array]:
        """−2 ln of the posterior, its information and slope, at given values."""
        away = known[places] - values[places]
        means, slopes = self._at_records(values)
        apart, weighed = data.measured - means, data.weight @ slopes
        cost = float(away @ prior @ away) + float(apart @ data.weight @ apart)
        return cost, prior + slopes.T @ weighed, prior @ away + weighed.T @ apart

    def _at_records(self, values: _Array) -> tuple[_Array, _Array]:
        """What the law has for every number that was measured, (R,), and derivatives (R, p)."""
        if not self.records:
            return np.zeros(0), np.zeros((0, len(self.names)))
        means, slopes = self._table(values, [r.setting for r in self.records])
        rows = [list(record.rows) for record in self.records]
        return (
            np.concatenate([mean[r] for mean, r in zip(means, rows, strict=True)]),
            np.concatenate([slope[r] for slope, r in zip(slopes, rows, strict=True)]),
        )

    def _data(self) -> _Data:
        """All records: errors, what the law lacks, and how φ has walked since."""
        records = self.records
        settings: list[Lit] = [r.setting for r in records]
        record = np.repeat(np.arange(len(records)), [len(r.rows) for r in records])
        row = np.array([i for r in records for i in r.rows], np.intp)
        if not records:
            return _Data(np.zeros(0), np.zeros((0, 0)), settings, record, row)
        places = len(FORESEEN) * record + row
        noise = self._correlated(settings, settings)[np.ix_(places, places)]
        end = np.cumsum([len(r.rows) for r in records])
        for one, stop in zip(records, end.tolist(), strict=True):
            noise[stop - len(one.rows) : stop, stop - len(one.rows) : stop] += one.covariance
        if self.tolerances.phase > 0.0 and "phi_0" in self.names:
            # φ_i = φ_now − what it walked since: those before share the younger one's walk.
            _, slopes = self._at_records(self.values)
            turn = slopes[:, self.names.index("phi_0")]
            age = (len(records) - record).astype(np.float64)
            shared = self.tolerances.phase**2 * np.minimum(age[:, None], age[None])
            noise = noise + shared * np.outer(turn, turn)
        measured = np.concatenate([r.measured for r in records])
        return _Data(measured, _inverse(noise), settings, record, row)


def _inverse(matrix: _Array) -> _Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)
