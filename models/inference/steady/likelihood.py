"""The exact likelihood of the Fourier coefficients of a band: value, score, expected information.

With G = 2 Re Σ U*D⁻¹U, h = 2 Re Σ U*D⁻¹y, M⁻¹ = (1 + JG)⁻¹J (see ``bins``) a stretch has

    ln L = −Σ_k [ln det D + y*D⁻¹y] − ½ ln det(1 + JG) + ½ hᵀM⁻¹h.

Score and information are traces over U, its derivatives and dD·D⁻¹U, all of which follow from one
Gram matrix of these vectors, whitened: bins are passed once, in tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..exact.model import FilterModel
from ..exact.statespace import StateSpace, discretised, stationary
from ..priors import Priors
from .bins import TILE, BinModel, Ends
from .kernels import score_sums, value_sums
from .transform import Stretches

__all__ = ["SteadyLikelihood", "SteadyPoint"]

_Array = NDArray[np.float64]
_Complex = NDArray[np.complex128]
_Told = Callable[[int], object] | None


@dataclass(frozen=True)
class _Outline:
    """What the value needs of stretches of one length.

    ``gram`` is G (r, r), ``pull`` h of every stretch (s, r).
    """

    data: Stretches
    ends: Ends
    gram: _Array
    pull: _Array
    white: float

    @cached_property
    def left(self) -> _Array:
        """(1 + JG)⁻¹."""
        return np.asarray(
            np.linalg.inv(np.eye(len(self.gram)) + self.ends.matrix @ self.gram), dtype=np.float64
        )

    @cached_property
    def inner(self) -> _Array:
        """M⁻¹ = (1 + JG)⁻¹ J, symmetric."""
        found = self.left @ self.ends.matrix
        return np.asarray(0.5 * (found + found.T))

    @property
    def log_likelihood(self) -> float:
        """Of all stretches, up to a constant; −inf where the covariance is not positive."""
        sign, log_det = np.linalg.slogdet(np.eye(len(self.gram)) + self.ends.matrix @ self.gram)
        if not (sign > 0.0 and np.isfinite(log_det)):
            return -np.inf
        pulled = float(np.einsum("sa,ab,sb->", self.pull, self.inner, self.pull))
        return float(self.white - 0.5 * len(self.pull) * log_det + 0.5 * pulled)


@dataclass(frozen=True)
class SteadyPoint:
    """The likelihood at given values.

    Attributes
    ----------
    likelihood : SteadyLikelihood
        Whose point this is.
    values : ndarray, shape (P,)
        All parameters.
    model : StateSpace or None
        One step; None where there is no stationary model.
    log_likelihood : float
        Priors included, up to a constant; −inf where there is no model.
    """

    likelihood: SteadyLikelihood
    values: _Array
    model: StateSpace | None
    log_likelihood: float
    outlines: Sequence[_Outline] = field(repr=False, default=())

    def normal_equations(self) -> tuple[_Array, _Array]:
        """Score (P,) and expected Fisher information (P, P), priors included."""
        return self._equations

    @cached_property
    def _equations(self) -> tuple[_Array, _Array]:
        slope = self.likelihood.prior.at(self.values)[1]
        fisher = np.diag(self.likelihood.prior.weight)
        if self.model is None:
            return slope, fisher
        for outline in self.outlines:
            part, information = _equations_of(self.model, outline, self.likelihood.told)
            slope, fisher = slope + part, fisher + information
        return slope, fisher


@dataclass(frozen=True)
class SteadyLikelihood:
    """Likelihood of the coefficients of a band of steady stretches.

    Stretches count as independent of each other, each begins in the stationary state.

    Attributes
    ----------
    model : FilterModel
        Parameters and what they make; not released.
    data : sequence of Stretches
        By length.
    sample_rate : float
        Hz.
    priors : mapping
        Name to (value, standard error).
    told : callable, optional
        Called with the number of bins that were passed, again and again: value and score each
        pass all of them.
    """

    model: FilterModel
    data: Sequence[Stretches]
    sample_rate: float
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    told: Callable[[int], object] | None = field(default=None, repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of values, score and information."""
        return self.model.names

    @property
    def prior(self) -> Priors:
        """What is known of the parameters beforehand."""
        return Priors(self.names, self.priors)

    def space(self, values: _Array) -> StateSpace | None:
        """One step of the model; None where there is none, or it has no stationary state."""
        continuous = self.model.continuous(values)
        if continuous is None:
            return None
        found = discretised(continuous, self.sample_rate, 1.0)
        empty = np.zeros((1, *found.step.shape))
        finite = all(np.isfinite(m).all() for m in (found.step, found.spread, found.initial))
        if not finite or stationary(found.step, found.spread, empty, empty) is None:
            return None
        return found

    def evaluate(self, values: _Array) -> SteadyPoint:
        """Value; score and information when they are asked for."""
        values = np.asarray(values, dtype=np.float64)
        model = self.space(values)
        nothing = SteadyPoint(self, values, None, -np.inf)
        if model is None:
            return nothing
        outlines = [_outlined(model, data, self.told) for data in self.data]
        total = sum(outline.log_likelihood for outline in outlines)
        total += self.prior.at(values)[0]
        if not np.isfinite(total):
            return nothing
        return SteadyPoint(self, values, model, float(total), outlines)


def _outlined(model: StateSpace, data: Stretches, told: _Told) -> _Outline:
    """Sums of the value over all bins of one length."""
    ends = Ends.of(model, data.length)
    gram = np.zeros(ends.matrix.shape)
    pull = np.zeros((len(data.data), len(gram)))
    white = 0.0
    for first in range(0, len(data.bins), TILE):
        part = slice(first, first + TILE)
        tile = BinModel.of(model, data.length, data.bins[part])
        white += value_sums(tile.spread, tile.ends, data.data[:, part], gram, pull)
        if told is not None:
            told(len(tile.turn))
    return _Outline(data, ends, np.tril(gram) + np.tril(gram, -1).T, pull, white)


@dataclass
class _Sums:
    """Over bins: local score, Σ tr D⁻¹dDD⁻¹dD, Gram matrix of (U, dU, dD D⁻¹U), Σ e·dh."""

    local: _Array
    pairs: _Array
    gram: _Array
    pulled: _Array


def _summed(model: StateSpace, outline: _Outline, told: _Told) -> _Sums:
    data, count, r = outline.data, model.d_step.shape[2], len(outline.gram)
    place = _places(model, r)
    kept = np.flatnonzero(place >= 0)
    gram = np.zeros((len(kept), len(kept)))
    sums = np.zeros(count), np.zeros((count, count)), np.zeros(count)
    weights = outline.pull @ outline.inner
    rows = np.empty((2 * model.channels * TILE, len(kept)))
    for first in range(0, len(data.bins), TILE):
        bins = data.bins[first : first + TILE]
        tile = BinModel.of(model, data.length, bins)
        slopes = tile.slopes()
        y = data.data[:, first : first + TILE]
        ours = rows[: 2 * model.channels * len(bins)]
        score_sums(
            (tile.spread, tile.ends), (slopes.spread, slopes.ends), y, weights, place, sums, ours
        )
        gram += ours.T @ ours
        if told is not None:
            told(len(bins))
    local, pairs, pulled = sums
    whole = np.zeros((len(place), len(place)))
    whole[np.ix_(kept, kept)] = 2.0 * gram
    return _Sums(local, np.tril(pairs) + np.tril(pairs, -1).T, whole, pulled)


def _places(model: StateSpace, r: int) -> NDArray[np.int64]:
    """Column of every end of (U, dU, dD D⁻¹U) among those that are not always 0, else −1."""
    count, n = model.d_step.shape[2], r // 2

    def moved(*slopes: _Array) -> NDArray[np.bool_]:
        return np.array([any(s[..., p].any() for s in slopes) for p in range(count)])

    forward = moved(model.d_step, model.d_output)
    ends = np.repeat(np.stack([forward, forward | moved(model.d_initial)], axis=1), n, axis=1)
    spread = forward | moved(model.d_spread, model.d_noise)
    kept = np.concatenate([np.ones(r, dtype=bool), ends.ravel(), np.repeat(spread, r)])
    return np.where(kept, np.cumsum(kept) - 1, -1)


def _equations_of(model: StateSpace, outline: _Outline, told: _Told) -> tuple[_Array, _Array]:
    """Score and expected information of the stretches of one length."""
    sums, ends = _summed(model, outline, told), outline.ends
    count, r, s = len(ends.slopes), len(outline.gram), len(outline.pull)
    blocks = sums.gram.reshape(2 * count + 1, r, 2 * count + 1, r).swapaxes(1, 2)
    g, h = blocks[0, 0], blocks[1 : count + 1, 0]  # UᵀU, dUᵀU
    e = blocks[count + 1 :, 0]  # Uᵀ D⁻¹dDD⁻¹ U
    d_gram = h + h.swapaxes(1, 2) - e
    j, dj, left, inner = ends.matrix, ends.slopes, outline.left, outline.inner
    slope = sums.local - 0.5 * s * np.einsum("ab,pba->p", left, dj @ g + j @ d_gram)
    # ½ d(hᵀM⁻¹h): M⁻¹dM M⁻¹ = −(1+JG)⁻¹dJ(1+GJ)⁻¹ + M⁻¹dG M⁻¹.
    inside = left @ dj @ left.T - inner @ d_gram @ inner
    slope += sums.pulled + 0.5 * np.einsum("sa,pab,sb->p", outline.pull, inside, outline.pull)
    return slope, s * _information(sums, blocks, outline)


def _information(sums: _Sums, blocks: _Array, outline: _Outline) -> _Array:
    """½ tr(Σ⁻¹dΣ Σ⁻¹dΣ) of one stretch, Σ = D + UJU* and its conjugate."""
    j, dj, inner = outline.ends.matrix, outline.ends.slopes, outline.inner
    count = len(dj)
    g, h, e = blocks[0, 0], blocks[1 : count + 1, 0], blocks[count + 1 :, 0]
    k = blocks[1 : count + 1, 1 : count + 1]
    lines = blocks[count + 1 :, 1 : count + 1]  # (dD_i Z)* D⁻¹ dU_j
    n = blocks[count + 1 :, count + 1 :]
    jg = j @ g
    x = dj @ g + j @ h  # dΣ Z = dD Z + dU JG + U x
    q = e + h.swapaxes(1, 2) @ jg + g @ x
    fisher = 2.0 * sums.pairs
    both = 2.0 * np.einsum("ab,ijba->ij", j, lines) + np.einsum("jab,iba->ij", dj, e)
    fisher = fisher + both + both.T
    fisher += np.einsum("iab,jba->ij", inner @ q, inner @ q)
    for one in range(count):
        for two in range(one, count):
            cross = np.block([[g, h[two].T], [h[one], k[one, two]]])
            first = np.block([[dj[one], j], [j, np.zeros_like(j)]])
            second = np.block([[dj[two], j], [j, np.zeros_like(j)]])
            term = float(np.sum((first @ cross @ second) * cross))
            seen = (
                n[one, two] + lines[one, two] @ jg + e[one] @ x[two]
                + jg.T @ lines[two, one].T + jg.T @ k[one, two] @ jg + jg.T @ h[one] @ x[two]
                + x[one].T @ (e[two] + h[two].T @ jg + g @ x[two])
            )  # fmt: skip
            term -= 2.0 * float(np.sum(inner * seen.T))
            fisher[one, two] += term
            if one != two:
                fisher[two, one] += term
    return np.asarray(0.5 * fisher)
