"""Parameters for the covariance of the curves, from the transitions between neighbouring windows.

Generalised least squares needs the covariance Σ of the curves before it can weigh them. The curves
themselves know D from their rise alone, hardly at all when they barely rise, and a Σ with a wrong
D, or one that is evaluated at its own estimate, makes errors dishonest. The single repetitions know
better: from window to window ŷ_{b+1} = B ŷ_b + noise, so that the Gaussian likelihood of each
window given its predecessor,

    −2 ln L = M Σ_b [ln det K_{b,b+1} + tr(K_{b,b+1}⁻¹ S_{b,b+1})] − (the same for window b alone),

with K the exact moments of (y_b, y_{b+1}) and S the measured ones, fixes frequencies, couplings and
diffusion without reference to the rise. Its maximum is consistent; it serves as Σ's argument and as
the start of the fit, not as its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ConvergenceError
from .bins import BinLayout
from .estimate import ReheatingEstimate
from .moments import amplitude_moments

__all__ = ["NONLINEAR", "MarkovLikelihood", "natural_scale", "physical"]

_Array = NDArray[np.float64]

NONLINEAR = ("g_r", "g_a", "omega_1", "omega_2", "gamma_1", "gamma_2")
"""Parameters in which the moments are not linear."""

_MAX_CORRELATION = 0.98
_RIDGE = 1e-13


def physical(values: Mapping[str, float], vacuum: float) -> dict[str, float]:
    """Return values that a covariance can be made of: positive, correlations at most 0.98."""
    safe = dict(values)
    for name in ("D11", "D22", "n1_0", "n2_0", "noise_1", "noise_2"):
        safe[name] = max(safe[name], 0.0)
    _limit(safe, ("re_D12",), safe["D11"] * safe["D22"])
    _limit(safe, ("re_C0", "im_C0"), (safe["n1_0"] + vacuum) * (safe["n2_0"] + vacuum))
    return safe


def _limit(values: dict[str, float], names: tuple[str, ...], product: float) -> None:
    """Shrink a cross moment to 0.98 of what Cauchy and Schwarz allow."""
    size = float(np.linalg.norm([values[name] for name in names]))
    allowed = _MAX_CORRELATION * float(np.sqrt(product))
    if size > allowed:
        for name in names:
            values[name] *= allowed / size


@dataclass(frozen=True)
class MarkovLikelihood:
    """Conditional likelihood of neighbouring windows.

    Attributes
    ----------
    estimate : ReheatingEstimate
        Its ``pairs`` are the data.
    priors : mapping
        Name to (value, standard error).
    bins : int
        Number of leading windows in use.
    """

    estimate: ReheatingEstimate
    priors: Mapping[str, tuple[float, float]]
    bins: int

    @property
    def layout(self) -> BinLayout:
        """Windows in use."""
        return self.estimate.layout.first(self.bins)

    @property
    def data(self) -> _Array:
        """Measured second moments of neighbours in use, shape (bins−1, 8, 8)."""
        return self.estimate.pairs[: self.bins - 1]

    def _pairs(self, values: Mapping[str, float]) -> _Array:
        moments = amplitude_moments(self.layout, values, vacuum=self.estimate.vacuum)
        pairs = np.empty((len(moments.lagged), 8, 8))
        pairs[:, :4, :4], pairs[:, 4:, 4:] = moments.equal[:-1], moments.equal[1:]
        pairs[:, :4, 4:] = moments.lagged
        pairs[:, 4:, :4] = moments.lagged.swapaxes(1, 2)
        return pairs

    def deviance(self, values: Mapping[str, float]) -> float:
        """−2 ln L with priors; infinite where the moments are not positive."""
        pairs = self._pairs(physical(values, self.estimate.vacuum))
        data = self.data
        both = _deviance(pairs, data)
        alone = _deviance(pairs[1:, :4, :4], data[1:, :4, :4])
        prior = sum(((value - values[n]) / error) ** 2 for n, (value, error) in self.priors.items())
        return self.estimate.repetitions * (both - alone) + prior

    def score(self, values: Mapping[str, float], varying: Sequence[str]) -> tuple[_Array, _Array]:
        """Score vector and Fisher matrix of the varying parameters."""
        safe = physical(values, self.estimate.vacuum)
        pairs = self._pairs(safe)
        slopes = np.stack([self._slope(safe, pairs, name) for name in varying])
        data = self.data
        score, fisher = _score(pairs, slopes, data)
        inner = (slice(None), slice(1, None), slice(4), slice(4))
        less = _score(pairs[1:, :4, :4], slopes[inner], data[1:, :4, :4])
        score = self.estimate.repetitions * (score - less[0])
        fisher = self.estimate.repetitions * (fisher - less[1])
        for name, (value, error) in self.priors.items():
            if name in varying:
                at = varying.index(name)
                score[at] += (value - values[name]) / error**2
                fisher[at, at] += 1.0 / error**2
        return score, fisher

    def _slope(self, values: Mapping[str, float], base: _Array, name: str) -> _Array:
        """Derivative of the pair moments: exact for linear parameters, central for the others."""
        if name in NONLINEAR:
            step = 3e-4 / float(self.layout.times[-1])
            ahead = self._pairs({**values, name: values[name] + step})
            behind = self._pairs({**values, name: values[name] - step})
            return np.asarray((ahead - behind) / (2.0 * step))
        step = natural_scale(self.estimate, name)
        return np.asarray((self._pairs({**values, name: values[name] + step}) - base) / step)


def natural_scale(estimate: ReheatingEstimate, name: str) -> float:
    """Scale of a parameter in which the moments are linear."""
    energy = 0.5 * float(estimate.E1.mean() + estimate.E2.mean())
    if name.startswith("noise"):
        return energy / estimate.layout.noise_gain
    if "D" in name:
        return energy / float(estimate.layout.times[-1])
    return energy


def _deviance(model: _Array, data: _Array) -> float:
    """Sum of ln det K + tr K⁻¹S over blocks."""
    sign, logarithm = np.linalg.slogdet(model)
    if not (sign > 0.0).all():
        return float("inf")
    return float(logarithm.sum() + np.einsum("bii->", np.linalg.solve(model, data)))


def _score(model: _Array, slopes: _Array, data: _Array) -> tuple[_Array, _Array]:
    """½ Σ tr[K⁻¹K′(K⁻¹S − 1)] and ½ Σ tr[K⁻¹K′K⁻¹K′]."""
    if not (np.isfinite(model).all() and np.isfinite(slopes).all()):
        raise ConvergenceError("the model grows beyond all numbers within the release")
    # Windows that one growing mode fills are perfectly correlated: keep them invertible.
    model = model + _RIDGE * model * np.eye(model.shape[-1])
    applied = np.linalg.solve(model[None], slopes)
    excess = np.linalg.solve(model, data) - np.eye(model.shape[-1])
    score = 0.5 * np.einsum("pbij,bji->p", applied, excess)
    rows = applied.reshape(len(slopes), -1)
    columns = applied.swapaxes(2, 3).reshape(len(slopes), -1)
    return score, 0.5 * rows @ columns.T
