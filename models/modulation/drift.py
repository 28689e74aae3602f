"""Linear models under time-dependent light: A(t) = Σ_k w_k(t) A_k, and the same for the noise.

With dx = [A(t) x + b(t)] dt + dW, ⟨dW dWᵀ⟩ = N(t) dt, the mean obeys ẋ = Ax + b and the covariance
V̇ = AV + VAᵀ + N. Quadratures carry ONE fixed scale ω, however the powers change:
ω_j(t)² ∝ P_j(t), G ∝ √(P_1P_2)/ω and D_jj ∝ P_j/ω with that ω.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..linear import LinearModel
from ..ranges import require_range
from .program import LightProgram, Retimed, Weights, fourier_weights, mean_weights
from .waveform import Waveform

__all__ = ["ModulatedModel", "far_field_model", "single_model"]

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
    """

    weights: Weights
    drift_parts: Array
    noise_parts: Array
    output: Array
    omega: float
    force_parts: Array = field(default_factory=lambda: np.zeros((0, 0)))
    imprecision: Array = field(default_factory=lambda: np.zeros((0, 0)))
    unit: str = "quanta"

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


def far_field_model(
    *,
    omega: float,
    kd: float,
    G: float,
    D11: float,
    D22: float,
    phi: Waveform | float,
    power_1: Waveform | float = 1.0,
    power_2: Waveform | float = 1.0,
    delta_omega: float = 0.0,
    gamma: tuple[float, float] = (0.0, 0.0),
    n_thermal: tuple[float, float] = (0.0, 0.0),
) -> ModulatedModel:
    """Eqs. (6)–(9) with φ(t) and power factors p_j(t), in the far field at the foci.

    g_r ± g_a = (G/kd)√(p_1p_2) cos(kd ∓ φ), D_jj p_j, D_12 = (G/kd)√(p_1p_2) sin kd e^{iφ},
    s_{1,2} = g_r ± g_a and trap stiffness ω_j²p_j/ω. For fixed φ and p_j = 1 it is
    ``PairConstants.far_field(...).to_linear()``. The particles are held where the cycle-averaged
    force vanishes (:mod:`.array_drift` computes that place, and the drive that is left there).

    Parameters
    ----------
    omega, delta_omega : float
        Mean ω and difference ω_2 − ω_1 without binding, at power factors 1, rad/s. This ω stays
        the scale of the quanta.
    kd, G, D11, D22, gamma, n_thermal
        As for :meth:`PairConstants.far_field`, at power factors 1.
    phi : Waveform or float
        φ(t) = arg E_1 − arg E_2 at the particles, rad.
    power_1, power_2 : Waveform or float
        Power factors, unit "1".

    Returns
    -------
    ModulatedModel
        States (z_1, p_1, z_2, p_2).

    Raises
    ------
    InputError
        For a value outside its range, or D_11D_22 < (G sin kd/kd)²: not completely positive at
        some phase.
    """
    require_range("omega", omega, 1e-9, 1e12, "rad/s")
    require_range("kd", kd, 1e-6, 1e9)
    require_range("delta_omega", delta_omega, -1.999 * omega, 1.999 * omega, "rad/s")
    for name, value in (("D11", D11), ("D22", D22)):
        require_range(name, value, 0.0, 1e15, "1/s")
    rate = G / kd
    sine, cosine = math.sin(kd), math.cos(kd)
    if (rate * sine) ** 2 > D11 * D22 * (1.0 + 1e-9):
        raise InputError(
            f"D11·D22 = {D11 * D22:.6g} is smaller than (G sin kd/kd)² = {(rate * sine) ** 2:.6g}: "
            "the master equation would not be positive"
        )
    drift, noise = np.zeros((5, 4, 4)), np.zeros((5, 4, 4))
    _oscillator(drift[0], noise[0], omega, gamma, n_thermal)
    for j, (recoil, bare) in enumerate(
        ((D11, omega - 0.5 * delta_omega), (D22, omega + 0.5 * delta_omega))
    ):
        drift[1 + j, 2 * j + 1, 2 * j] = -(bare**2) / omega
        noise[1 + j, 2 * j + 1, 2 * j + 1] = 2.0 * recoil
    # cos φ carries g_r and Re D_12, sin φ carries g_a; 2(g_r ± g_a)(z_other − z_own).
    for part, first, second in ((3, cosine, cosine), (4, sine, -sine)):
        drift[part, 1, [2, 0]] = 2.0 * rate * first, -2.0 * rate * first
        drift[part, 3, [0, 2]] = 2.0 * rate * second, -2.0 * rate * second
    noise[3, 1, 3] = noise[3, 3, 1] = 2.0 * rate * sine
    output = np.zeros((2, 4))
    output[0, 0] = output[1, 2] = 1.0
    return ModulatedModel(LightProgram.pair(phi, power_1, power_2), drift, noise, output, omega)


def single_model(
    *, omega: float, D: float, power: Waveform | float, gamma: float = 0.0, n_thermal: float = 0.0
) -> ModulatedModel:
    """One particle under a power factor p(t): z̈ + γż + ω²p(t)z = ωf, ⟨ff⟩ = 2Dp(t) + gas.

    Parameters
    ----------
    omega : float
        ω at p = 1, and the scale, rad/s.
    D : float
        Recoil heating rate at p = 1, 1/s.
    power : Waveform or float
        p(t), unit "1".
    gamma, n_thermal : float
        Gas damping (1/s) and occupation.

    Raises
    ------
    InputError
        For a value outside its range.
    """
    require_range("omega", omega, 1e-9, 1e12, "rad/s")
    require_range("D", D, 0.0, 1e15, "1/s")
    drift, noise = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    _oscillator(drift[0], noise[0], omega, (gamma,), (n_thermal,))
    drift[1, 1, 0] = -omega
    noise[1, 1, 1] = 2.0 * D
    program = LightProgram.pair(0.0, power)
    alone = LightProgram(program.phases[:1], program.powers[:1])
    return ModulatedModel(alone, drift, noise, np.array([[1.0, 0.0]]), omega)


def _oscillator(
    drift: Array,
    noise: Array,
    omega: float,
    gamma: tuple[float, ...],
    n_thermal: tuple[float, ...],
) -> None:
    """Fill in what no light changes: ż = ωp, damping and gas noise."""
    for j, (damping, occupation) in enumerate(zip(gamma, n_thermal, strict=True)):
        require_range("gamma", damping, 0.0, 1e12, "1/s")
        require_range("n_thermal", occupation, 0.0, 1e15)
        drift[2 * j, 2 * j + 1] = omega
        drift[2 * j + 1, 2 * j + 1] = -damping
        noise[2 * j + 1, 2 * j + 1] = damping * (2.0 * occupation + 1.0)
