"""Linear Gaussian dynamics: moments, steady state, spectra and exact discretisation.

Every prediction, every simulated step and every fit of the project starts from one
:class:`LinearModel`. With dx = A x dt + dW, ⟨dW dWᵀ⟩ = N dt the covariance obeys
V̇ = AV + VAᵀ + N, and the output is y = C x + white imprecision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from .errors import InputError, UnstableModelError
from .reprs import short_repr

__all__ = ["LinearModel"]


def _square(name: str, matrix: ArrayLike, size: int | None = None) -> NDArray[np.float64]:
    array = np.array(matrix, dtype=np.float64)
    if (
        array.ndim != 2
        or array.shape[0] != array.shape[1]
        or array.shape[0] != (size or len(array))
    ):
        wanted = f"({size}, {size})" if size else "square"
        raise InputError(f"{name} must be {wanted}, its shape is {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds a value that is not finite")
    return array


@dataclass(frozen=True)
class LinearModel:
    """A linear stochastic model with white noise.

    Attributes
    ----------
    drift : ndarray, shape (n, n)
        A, 1/s.
    noise : ndarray, shape (n, n)
        N of V̇ = AV + VAᵀ + N, unit²/s (a force correlator ⟨ff⟩ = 2D gives N = 2D).
    output : ndarray, shape (c, n)
        C, from states to channels.
    imprecision : ndarray, shape (c, c)
        One-sided power spectral density of the white detection noise, unit²/Hz.
    unit : str
        Unit of the output: "quanta" (dimensionless z_j), "m" or "V".

    Raises
    ------
    InputError
        If shapes do not agree, a value is not finite, or noise is not symmetric.

    Examples
    --------
    >>> import optobind as ob
    >>> model = ob.LinearModel(
    ...     drift=[[0.0, 3e5], [-3e5, -1e3]], noise=[[0.0, 0.0], [0.0, 4e4]], output=[[1.0, 0.0]]
    ... )
    >>> model.is_stable, round(model.growth_rate)
    (True, -500)
    """

    drift: NDArray[np.float64]
    noise: NDArray[np.float64]
    output: NDArray[np.float64]
    imprecision: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    unit: str = "quanta"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        drift = _square("drift", self.drift)
        noise = _square("noise", self.noise, len(drift))
        output = np.atleast_2d(np.array(self.output, dtype=np.float64))
        if output.shape[1] != len(drift):
            raise InputError(f"output needs {len(drift)} columns, its shape is {output.shape}")
        if not np.allclose(noise, noise.T, rtol=1e-9, atol=1e-12 * abs(noise).max(initial=0.0)):
            raise InputError("noise must be symmetric")
        channels = len(output)
        imprecision = np.array(self.imprecision, dtype=np.float64)
        if imprecision.size == 0:
            imprecision = np.zeros((channels, channels))
        elif imprecision.ndim == 1:
            imprecision = np.diag(imprecision)
        imprecision = _square("imprecision", imprecision, channels)
        for name, value in zip(
            ("drift", "noise", "output", "imprecision"),
            (drift, noise, output, imprecision),
            strict=True,
        ):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def states(self) -> int:
        """Number of states n."""
        return int(self.drift.shape[0])

    @property
    def channels(self) -> int:
        """Number of output channels c."""
        return int(self.output.shape[0])

    @cached_property
    def eigenvalues(self) -> NDArray[np.complex128]:
        """Eigenvalues of the drift, 1/s."""
        return np.asarray(linalg.eigvals(self.drift), dtype=np.complex128)

    @property
    def growth_rate(self) -> float:
        """Largest real part of the eigenvalues, 1/s; negative for a stable model."""
        return float(self.eigenvalues.real.max())

    @property
    def is_stable(self) -> bool:
        """Whether every amplitude decays."""
        return self.growth_rate < 0.0

    def require_stable(self, advice: str = "") -> None:
        """Raise :class:`UnstableModelError` unless every amplitude decays."""
        if not self.is_stable:
            raise UnstableModelError(self.growth_rate, advice)

    def discretise(self, dt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact step: x(t+dt) = F x(t) + w with ⟨wwᵀ⟩ = Q (Van Loan 1978).

        Parameters
        ----------
        dt : float
            Step, s; at least 0.

        Returns
        -------
        F, Q : ndarray, shape (n, n)
            Q is symmetric positive semidefinite.
        """
        if not (np.isfinite(dt) and dt >= 0.0):
            raise InputError(f"a time step must be finite and at least 0 s, got {dt!r}")
        n = self.states
        # Van Loan's block exponential holds exp(−A dt): halve the step until it is harmless, then
        # double with F ← F², Q ← Q + F Q Fᵀ, which is exact.
        norm = float(np.abs(self.drift).sum(axis=1).max(initial=0.0)) * dt
        doublings = max(0, int(np.ceil(np.log2(norm)))) if norm > 1.0 else 0
        block = np.zeros((2 * n, 2 * n))
        block[:n, :n] = -self.drift
        block[:n, n:] = self.noise
        block[n:, n:] = self.drift.T
        exponential = linalg.expm(block * (dt / 2**doublings))
        step = exponential[n:, n:].T.copy()
        covariance = step @ exponential[:n, n:]
        for _ in range(doublings):
            covariance = covariance + step @ covariance @ step.T
            step = step @ step
        return step, 0.5 * (covariance + covariance.T)

    def propagate(self, covariance: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
        """Covariance at given times from V̇ = AV + VAᵀ + N, exact for any times.

        Parameters
        ----------
        covariance : array_like, shape (n, n)
            V(0), unit².
        times : array_like, shape (t,)
            Times, s, at least 0 and in any order.

        Returns
        -------
        ndarray, shape (t, n, n)
        """
        start = _square("covariance", covariance, self.states)
        moments = np.empty((np.size(times), self.states, self.states))
        cache: dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for index, time in enumerate(np.ravel(np.asarray(times, dtype=np.float64))):
            if float(time) not in cache:
                cache[float(time)] = self.discretise(float(time))
            step, added = cache[float(time)]
            moments[index] = step @ start @ step.T + added
        return moments

    def steady_state(self) -> NDArray[np.float64]:
        """Stationary covariance, AV + VAᵀ + N = 0, shape (n, n).

        Raises
        ------
        UnstableModelError
            If the model grows.
        """
        self.require_stable("a steady state does not exist, use finite times")
        covariance = linalg.solve_continuous_lyapunov(self.drift, -self.noise)
        return np.asarray(0.5 * (covariance + covariance.T))

    def transfer(self, frequencies: ArrayLike) -> NDArray[np.complex128]:
        """Response χ(f) = (2πif − A)⁻¹, shape (n_freq, n, n), s."""
        f = np.ravel(np.asarray(frequencies, dtype=np.float64))
        identity = np.eye(self.states)
        return np.asarray(np.linalg.inv(2j * np.pi * f[:, None, None] * identity - self.drift))

    def csd(
        self, frequencies: ArrayLike, *, include_imprecision: bool = True
    ) -> NDArray[np.complex128]:
        """One-sided cross-spectral density S = 2 C χ N χ† Cᵀ, shape (n_freq, c, c), unit²/Hz.

        S_jl = ⟨Z_j Z_l*⟩ with Z(f) = ∫ z exp(−2πift) dt, the conjugate of ``scipy.signal.csd``.

        Raises
        ------
        UnstableModelError
            If the model grows.
        """
        self.require_stable("spectra do not exist, use finite-time covariances")
        response = self.output @ self.transfer(frequencies)
        spectrum = 2.0 * response @ self.noise @ response.conj().swapaxes(-1, -2)
        if include_imprecision:
            spectrum = spectrum + self.imprecision
        return np.asarray(spectrum)

    def autocovariance(self, lags: ArrayLike) -> NDArray[np.float64]:
        """Stationary R(τ) = ⟨y(t+τ) yᵀ(t)⟩, no imprecision, at lags τ ≥ 0, shape (n_lag, c, c)."""
        covariance = self.steady_state()
        taus = np.ravel(np.asarray(lags, dtype=np.float64))
        return np.stack(
            [self.output @ linalg.expm(self.drift * t) @ covariance @ self.output.T for t in taus]
        )
