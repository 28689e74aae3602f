"""What one record contributes to a global fit: its likelihood, or its result with covariance.

Both say ln L, score and Fisher information as functions of the record's own parameters in the
convention of the result (quanta). A result is a Gaussian of what a global fit explains, everything
else marginalised; its covariance is the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..fitted import FittedLikelihood
from ..parameters import PARAMETERS
from ..result import FitResult
from .law import PairSetting
from .seen import SEEN

__all__ = ["GaussianPart", "LikelihoodPart", "Measured", "Part", "Terms", "part_of"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One fitted record and the light under which it was taken.

    Attributes
    ----------
    setting : PairSetting
        As set.
    result : FitResult
        Of a pair, by a spectrum or by releases, in quanta.
    name : str
        For tables: the file, or what tells it apart.
    group : str or None
        Records of one group share the drift of φ, as those at φ and φ + π that alternate; None for
        a drift of its own.
    raw : bool
        Whether the record itself was in quanta of ω, so that D scales as q² rather than q.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.analyse_spectrum(record).result
    >>> ob.Measured(ob.PairSetting(phi=0.4, distance=2.45e-6), result, "first").setting.phi
    0.4
    """

    setting: PairSetting
    result: FitResult
    name: str = ""
    group: str | None = None
    raw: bool = False


class Terms(NamedTuple):
    """Ln L relative to its maximum, score (P,) and Fisher information (P, P) of a record."""

    log_likelihood: float
    score: _Array
    fisher: _Array


class Part(Protocol):
    """A record's likelihood of its own parameters."""

    @property
    def names(self) -> tuple[str, ...]:
        """Own parameters: some of ``SEEN``, then others that the record keeps to itself."""

    @property
    def start(self) -> _Array:
        """Where its likelihood is largest, shape (P,)."""

    @property
    def others(self) -> tuple[str, ...]:
        """Those of the names that are not among ``SEEN``."""

    def terms(self, values: _Array) -> Terms | None:
        """Ln L and its derivatives; None where there is no model."""


@dataclass(frozen=True)
class GaussianPart:
    """A result with its covariance.

    Attributes
    ----------
    names : tuple of str
        Fitted parameters among ``SEEN``.
    start : ndarray, shape (P,)
        Estimates.
    precision : ndarray, shape (P, P)
        Inverse of their covariance.
    """

    names: tuple[str, ...]
    start: NDArray[np.float64]
    precision: NDArray[np.float64]
    others: tuple[str, ...] = ()

    def terms(self, values: _Array) -> Terms:
        """Ln L and its derivatives."""
        apart = self.start - values
        slope = self.precision @ apart
        return Terms(-0.5 * float(apart @ slope), slope, self.precision)

    def drawn(self, values: _Array, rng: np.random.Generator) -> GaussianPart:
        """The same record measured once more, of these parameters."""
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        return GaussianPart(
            self.names, values + root @ rng.standard_normal(len(values)), self.precision
        )


class LikelihoodPart:
    """A record's likelihood itself; needs the process that fitted it.

    Parameters
    ----------
    fitted : FittedLikelihood
        Of a converged fit.
    """

    def __init__(self, fitted: FittedLikelihood) -> None:
        self._fitted = fitted
        free = [n for n in fitted.space.names if n in fitted.optimum.free]
        if len(free) != len(fitted.optimum.free):
            raise InputError("a summed likelihood needs fits without ties")
        own = [n for n in SEEN if n in free]
        self.others = tuple(n for n in free if n not in SEEN)
        self.names = (*own, *self.others)
        self._all = fitted.space.names
        self._places = np.array([self._all.index(n) for n in self.names])
        self._record = fitted.optimum.values
        self._free = [fitted.space.names.index(n) for n in fitted.optimum.free]
        self._narrowed = np.linalg.inv(fitted.spread())
        self.start = self._shown(self._record)[self._places]

    def _shown(self, values: _Array) -> _Array:
        return values if self._fitted.shown is None else np.asarray(self._fitted.shown(values))

    def _in_record(self, values: _Array) -> _Array:
        """All parameters of the model as the likelihood is asked for them, from own ones as shown.

        A likelihood whose estimates scatter otherwise than it says is stretched about its maximum
        until it says so. At given lines what is shown is an affine function of the others.
        """
        whole = self._shown(self._record).copy()
        whole[self._places] = values
        if self._fitted.shown is None:
            return self._stretched(whole)
        lines = np.array([PARAMETERS[n].kind == "frequency" for n in self._all])
        base = np.where(lines, whole, 0.0)
        zero = self._shown(base)
        columns = np.flatnonzero(~lines)
        slope = np.empty((len(columns), len(columns)))
        for at, place in enumerate(columns):
            probe = base.copy()
            probe[place] = 1.0
            slope[:, at] = (self._shown(probe) - zero)[columns]
        base[columns] = np.linalg.solve(slope, (whole - zero)[columns])
        return self._stretched(base)

    def _stretched(self, record: _Array) -> _Array:
        found = record.copy()
        found[self._free] = self._record[self._free] + self._narrowed @ (
            record[self._free] - self._record[self._free]
        )
        return found

    def terms(self, values: _Array) -> Terms | None:
        """Ln L and its derivatives; None where there is no model."""
        record = self._in_record(values)
        point = self._fitted.likelihood.evaluate(record)
        if not np.isfinite(point.log_likelihood):
            return None
        score, fisher = point.normal_equations()
        chain = np.empty((len(record), len(values)))
        for j, value in enumerate(values):
            step = 1e-6 * (abs(value) or 1.0)
            up, down = values.copy(), values.copy()
            up[j], down[j] = value + step, value - step
            chain[:, j] = (self._in_record(up) - self._in_record(down)) / (2.0 * step)
        rise = float(point.log_likelihood) - self._fitted.maximum
        return Terms(rise, chain.T @ score, chain.T @ fisher @ chain)


def part_of(measured: Measured, *, summed: bool = False) -> Part:
    """What a record contributes: its likelihood (``summed``) or its Gaussian.

    Raises
    ------
    InputError
        If the result is no converged pair in quanta, or lacks what a global fit explains.
    """
    result, name = measured.result, measured.name or "a record"
    unit = result.input.get("unit")
    if "g_r" not in result.parameters or not result.converged:
        raise InputError(f"{name}: a global fit needs converged fits of pairs, not {result!r}")
    if unit != "quanta":
        raise InputError(
            f"{name} is in {unit}, not calibrated: a global fit compares heating with couplings, "
            "both in quanta; calibrate the detectors first (optobind calibrate)"
        )
    needed = [n for n in SEEN[:-1] if n not in result.varying]
    if needed:
        raise InputError(f"{name}: {', '.join(needed)} must be fitted, not fixed, in every record")
    if summed:
        if result.fitted is None:
            raise InputError(f"{name} holds no likelihood: sum those of fits of this process only")
        if result.fitted.composite:
            raise InputError(f"{name} is a composite likelihood, which cannot be summed")
        return LikelihoodPart(result.fitted)
    names = tuple(n for n in SEEN if n in result.varying)
    rows = [result.varying.index(n) for n in names]
    covariance = result.covariance[np.ix_(rows, rows)]
    scale = np.sqrt(np.diag(covariance))
    if not (np.isfinite(scale).all() and (scale > 0.0).all()):
        raise InputError(f"{name} does not determine {', '.join(names)}")
    precision = np.linalg.inv(covariance / np.outer(scale, scale)) / np.outer(scale, scale)
    return GaussianPart(names, np.array([result.value(n) for n in names]), precision)
