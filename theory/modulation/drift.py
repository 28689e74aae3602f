"""Linear models under time-dependent light: A(t) = Σ_k w_k(t) A_k, and the same for the noise.

With dx = [A(t) x + b(t)] dt + dW, ⟨dW dWᵀ⟩ = N(t) dt, the mean obeys ẋ = Ax + b and the covariance
V̇ = AV + VAᵀ + N.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.ranges import require_range
from ...models.reprs import short_repr
from .weights import Retimed, Weights, fourier_weights, mean_weights

__all__ = ["ModulatedModel"]

Array: TypeAlias = NDArray[np.float64]


def _parts(name: str, parts: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.array(parts, dtype=np.float64)
    if array.shape != shape:
        raise InputError(f"{name} must have shape {shape}, its shape is {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds a value that is not finite")
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class ModulatedModel:
    """A linear stochastic model whose drift, noise and force follow the light.

    Attributes
    ----------
    weights : Weights
        w_k(t), usually a :class:`~.program.LightProgram`.
    drift_parts : ndarray, shape (k, n, n)
        A_k, 1/s; states in pairs (z_1, p_1, z_2, p_2, …).
    noise_parts : ndarray, shape (k, n, n)
        N_k, unit²/s; symmetric.
    output : ndarray, shape (c, n)
        C, from states to channels.
    omega : float
        The common scale ω of the quadratures, rad/s.
    force_parts : ndarray, shape (k, n)
        b_k, 1/s: what is left of the mean force at the fixed positions.
    imprecision : ndarray, shape (c, c)
        One-sided spectral density of the detection noise, unit²/Hz.
    unit : str
        Unit of the output.

    Raises
    ------
    InputError
        If shapes do not agree, a value is not finite or a part of the noise is not symmetric.

    Examples
    --------
    Fast two-tone light averages the far-field coupling away.

    >>> import optobind as ob
    >>> model = ob.theory.far_field_model(
    ...     omega=3e5, kd=6.0, G=4e3, D11=2e3, D22=2e3, phi=ob.theory.detuned(1e6)
    ... )
    >>> [round(abs(float(m.drift[1, 2]))) for m in (model.frozen(0.0), model.averaged())]  # 1/s
    [1280, 0]
    """

    weights: Weights
    drift_parts: Array
    noise_parts: Array
    output: Array
    omega: float
    force_parts: Array = field(default_factory=lambda: np.zeros((0, 0)))
    imprecision: Array = field(default_factory=lambda: np.zeros((0, 0)))
    unit: str = "quanta"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        require_range("omega", self.omega, 1e-9, 1e12, "rad/s")
        drift = np.asarray(self.drift_parts, dtype=np.float64)
        if drift.ndim != 3 or drift.shape[1] != drift.shape[2] or drift.shape[1] % 2:
            raise InputError(
                f"drift_parts must have shape (k, n, n), n even, its shape is {drift.shape}"
            )
        count, n = self.weights.count, drift.shape[1]
        noise = _parts("noise_parts", self.noise_parts, (count, n, n))
        if not np.allclose(
            noise, noise.swapaxes(1, 2), rtol=1e-9, atol=1e-12 * np.abs(noise).max()
        ):
            raise InputError("every part of the noise must be symmetric")
        force = np.asarray(self.force_parts, dtype=np.float64)
        force = _parts("force_parts", force if force.size else np.zeros((count, n)), (count, n))
        # The checks of output and imprecision are those of a LinearModel.
        probe = LinearModel(drift[0], noise[0], self.output, self.imprecision, self.unit)
        for name, value in (
            ("drift_parts", _parts("drift_parts", drift, (count, n, n))),
            ("noise_parts", noise),
            ("force_parts", force),
            ("output", probe.output),
            ("imprecision", probe.imprecision),
        ):
            object.__setattr__(self, name, value)

    @property
    def states(self) -> int:
        """Number of states n."""
        return int(self.drift_parts.shape[1])

    @property
    def channels(self) -> int:
        """Number of output channels c."""
        return int(self.output.shape[0])

    @property
    def period(self) -> float | None:
        """Period T of the light, s; 0 if it rests, None if it has none."""
        return self.weights.period

    def require_period(self) -> float:
        """Return the period.

        Raises
        ------
        InputError
            If the light rests or is not periodic.
        """
        period = self.period
        if period is None:
            raise InputError(
                "the light is not periodic (or its frequencies are not commensurate); propagate it "
                "over finite times"
            )
        if period == 0.0:
            raise InputError("the light rests, it has no period: use frozen(0.0), a LinearModel")
        return period

    def drift(self, times: ArrayLike) -> Array:
        """A(t) at times (s), shape (t, n, n), 1/s."""
        return np.tensordot(self.weights(times), self.drift_parts, axes=1)

    def noise(self, times: ArrayLike) -> Array:
        """N(t) at times (s), shape (t, n, n), unit²/s."""
        return np.tensordot(self.weights(times), self.noise_parts, axes=1)

    def force(self, times: ArrayLike) -> Array:
        """b(t) at times (s), shape (t, n), 1/s."""
        return np.asarray(self.weights(times) @ self.force_parts)

    def at(self, times: ArrayLike) -> tuple[Array, Array, Array]:
        """A(t), N(t) and b(t) at times (s) from one evaluation of the light."""
        weights = self.weights(times)
        drift = np.tensordot(weights, self.drift_parts, axes=1)
        noise = np.tensordot(weights, self.noise_parts, axes=1)
        return drift, noise, np.asarray(weights @ self.force_parts)

    def frozen(self, time: float) -> LinearModel:
        """Model with the light frozen at a time (s): the quasi-static picture."""
        return self._with(self.weights([time])[0])

    def averaged(self) -> LinearModel:
        """Model of the cycle-averaged light: the limit of fast modulation.

        Raises
        ------
        InputError
            If the light has no period.
        """
        return self._with(mean_weights(self.weights))

    def harmonics(self, orders: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """A_n and N_n of A(t) = Σ_n A_n e^{2πint/T}, each of shape (2·orders + 1, n, n)."""
        coefficients = fourier_weights(self.weights, orders)
        drift = np.tensordot(coefficients, self.drift_parts, axes=1)
        return drift, np.tensordot(coefficients, self.noise_parts, axes=1)

    def played_at(self, frequency: float) -> ModulatedModel:
        """Same light repeated at another frequency (Hz); positions and parts stay.

        Raises
        ------
        InputError
            If the light has no period or the frequency is not positive.
        """
        require_range("frequency", frequency, 1e-9, 1e12, "Hz")
        return replace(self, weights=Retimed(self.weights, frequency * self.require_period()))

    def undamped(self) -> ModulatedModel:
        """Without the damping −γ_jp_j; the noise stays."""
        drift = self.drift_parts.copy()
        index = np.arange(1, self.states, 2)
        drift[:, index, index] = 0.0
        return replace(self, drift_parts=drift)

    def _with(self, weights: Array) -> LinearModel:
        return LinearModel(
            np.tensordot(weights, self.drift_parts, axes=1),
            np.tensordot(weights, self.noise_parts, axes=1),
            self.output,
            self.imprecision,
            self.unit,
        )
