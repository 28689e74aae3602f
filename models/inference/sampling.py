"""Posterior samples of a fit by emcee, with the likelihood of the fit itself (extra ``mcmc``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .fitted import FittedLikelihood
from .parameters import PARAMETERS
from .result import FitResult
from .steps import invert

__all__ = ["Posterior", "sample_posterior"]

_Array = NDArray[np.float64]

_MIN_LENGTHS = 50  # autocorrelation times that a chain must hold to be believed


@dataclass(frozen=True)
class Posterior:
    """Samples of the posterior density.

    Attributes
    ----------
    names : tuple of str
        Fitted parameters, the columns of ``samples``.
    samples : ndarray, shape (n, p)
        In the unit of the result.
    log_likelihood : ndarray, shape (n,)
        Ln L of each.
    autocorrelation : ndarray, shape (p,)
        Autocorrelation time of each parameter, steps.
    acceptance : float
        Share of accepted proposals.
    converged : bool
        Whether the chain is longer than 50 autocorrelation times.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> posterior = ob.sample_posterior(ob.analyse_spectrum(record).result, steps=40)
    >>> low, high = posterior.interval("g_r", level=0.95)
    >>> low < high < 0.0
    True
    """

    names: tuple[str, ...]
    samples: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    autocorrelation: NDArray[np.float64]
    acceptance: float
    converged: bool

    def __repr__(self) -> str:
        """Size and quality in one line."""
        longest = float(np.max(self.autocorrelation))
        state = "" if self.converged else ", TOO SHORT"
        return f"<Posterior: {len(self.samples)} samples, {longest:.0f} steps apart{state}>"

    def interval(self, name: str, level: float = 0.68) -> tuple[float, float]:
        """Central interval of a parameter.

        Raises
        ------
        InputError
            For an unknown name.
        """
        if name not in self.names:
            raise InputError(f"{name!r} was not sampled; known: {', '.join(self.names)}")
        column = self.samples[:, self.names.index(name)]
        low, high = np.quantile(column, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
        return float(low), float(high)


def sample_posterior(
    result: FitResult, *, steps: int = 2000, walkers: int | None = None, seed: int = 0
) -> Posterior:
    """Draw from the posterior of a fit.

    The prior is flat in the logarithm of scale parameters (D, γ, noise, n(0)) and flat in all
    others, within the bounds of the fit. It is not the likelihood's alone: where the data are poor
    its intervals differ from those of profiles. Spectra take neighbouring bins and segments as
    independent: their samples are stretched about the estimate until they scatter as estimates do.

    Parameters
    ----------
    result : FitResult
        A converged fit by a likelihood, in the process that made it.
    steps : int
        Of each walker; the first quarter is thrown away.
    walkers : int, optional
        At least twice the parameters; four times by default.
    seed : int
        Of the proposals.

    Returns
    -------
    Posterior
        Samples in the unit of the result.

    Raises
    ------
    InputError
        If emcee is not installed, the result has no likelihood or a composite one, or steps and
        walkers are too few.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> posterior = ob.sample_posterior(ob.analyse_spectrum(record).result, steps=40)
    >>> posterior.samples.shape[1]
    11
    """
    try:
        import emcee
    except ImportError:
        raise InputError("sampling needs emcee: pip install 'optobind[mcmc]'") from None
    fitted = result.fitted
    if fitted is None or fitted.composite:
        raise InputError(f"this {result.model} result holds no likelihood that could be sampled")
    density = _Density(fitted)
    count = 4 * density.size if walkers is None else walkers
    if steps < 20 or count < 2 * density.size:
        raise InputError(
            f"sampling {density.size} parameters needs 20 steps and {2 * density.size} walkers or "
            f"more, got {steps} and {count}"
        )
    rng = np.random.default_rng(seed)
    sampler = emcee.EnsembleSampler(count, density.size, density)
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc(density.around(rng, count), steps)
    times = sampler.get_autocorr_time(quiet=True, tol=0)
    drop = steps // 4
    thin = max(1, int(0.5 * np.nanmin(times))) if np.isfinite(times).any() else 1
    chain = sampler.get_chain(discard=drop, thin=thin, flat=True)
    weights = sampler.get_log_prob(discard=drop, thin=thin, flat=True)
    return Posterior(
        names=fitted.optimum.free,
        samples=np.array([density.shown(row) for row in chain]),
        log_likelihood=np.asarray(weights),
        autocorrelation=np.asarray(times),
        acceptance=float(np.mean(sampler.acceptance_fraction)),
        converged=bool(steps > _MIN_LENGTHS * np.nanmax(times)),
    )


class _Density:
    """Posterior density of the fitted parameters, scales in their logarithm: ln L, a flat prior."""

    def __init__(self, fitted: FittedLikelihood) -> None:
        self._fitted, self._space = fitted, fitted.space
        self.size = len(fitted.optimum.free)
        self._log = np.array(
            [
                name in PARAMETERS and PARAMETERS[name].positive and x > 0.0
                for name, x in zip(fitted.optimum.free, fitted.optimum.x, strict=True)
            ]
        )
        x = fitted.optimum.x
        positive = np.where(self._log, x, 1.0)
        self._scale, self._centre = 1.0 / positive, np.where(self._log, np.log(positive), x)
        self._spread = fitted.spread() * self._scale[:, None] / self._scale[None, :]

    def __call__(self, y: _Array) -> float:
        x = self._values(y)
        if not bool(np.all((x >= self._space.low) & (x <= self._space.high))):
            return -math.inf
        found = self._fitted.likelihood.evaluate(self._space.all_values(x)).log_likelihood
        return float(found) if math.isfinite(found) else -math.inf

    def _values(self, y: _Array) -> _Array:
        return np.where(self._log, np.exp(np.where(self._log, y, 0.0)), y)

    def around(self, rng: np.random.Generator, count: int) -> _Array:
        """Admissible starts scattered as the covariance says, shape (count, p)."""
        covariance, _ = invert(self._fitted.optimum.fisher)
        scale, centre = self._scale, self._centre
        # On a unit diagonal: rad/s beside m²/Hz differ by forty orders of magnitude.
        sigma = np.sqrt(np.diag(covariance))
        values, vectors = np.linalg.eigh(covariance / np.outer(sigma, sigma))
        root = (scale * sigma)[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
        found: list[_Array] = []
        for shrink in (0.5, 0.2, 0.05, 0.01):
            drawn = centre + shrink * rng.standard_normal((4 * count, self.size)) @ root.T
            found += [row for row in drawn if math.isfinite(self(row))]
            if len(found) >= count:
                return np.array(found[:count])
        raise InputError("no start of the chains near the fit is a model: it lies on a bound")

    def shown(self, y: _Array) -> list[float]:
        """Fitted parameters in the unit of the result."""
        x = self._values(self._centre + self._spread @ (y - self._centre))
        x = np.clip(x, self._space.low, self._space.high)
        values = self._space.all_values(x)
        known = self._space.names
        free: dict[str, Any] = dict(zip(self._fitted.optimum.free, x.tolist(), strict=True))
        return [
            self._fitted.as_shown(values, name) if name in known else float(free[name])
            for name in self._fitted.optimum.free
        ]
