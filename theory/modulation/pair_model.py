"""Modulated models from the constants of the Letter: a far-field pair, and one particle.

Quadratures carry ONE fixed scale ω, however the powers change: ω_j(t)² ∝ P_j(t), G ∝ √(P_1P_2)/ω
and D_jj ∝ P_j/ω with that ω.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.ranges import require_range
from .drift import ModulatedModel
from .program import LightProgram
from .waveform import Waveform, time_array

__all__ = ["PairRates", "far_field_model", "pair_rates", "single_model"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class PairRates:
    """Rates of a pair at given times, in quanta of the model's scale ω.

    Attributes
    ----------
    times : ndarray, shape (t,)
        s.
    g_r, g_a : ndarray, shape (t,)
        Reciprocal and antireciprocal coupling, rad/s.
    lines : ndarray, shape (t, 2)
        Lines ω̃_j without mutual coupling, rad/s; NaN where a particle is not held.
    total_diffusion : ndarray, shape (t, 2)
        Recoil and gas together, D_jj + γ_j(n̄_j + ½), 1/s.
    re_D12 : ndarray, shape (t,)
        Shot-noise correlation, 1/s.
    """

    times: Array
    g_r: Array
    g_a: Array
    lines: Array
    total_diffusion: Array
    re_D12: Array


def pair_rates(model: ModulatedModel, times: ArrayLike) -> PairRates:
    """Read g_r(t), g_a(t) and their like from a model of a pair, far-field or of an array.

    Raises
    ------
    InputError
        If the model has other than four states.
    """
    if model.states != 4:
        raise InputError(f"a pair has 4 states, the model has {model.states}")
    t = time_array(times)
    drift, noise = model.drift(t), model.noise(t)
    plus, minus = 0.5 * drift[:, 1, 2], 0.5 * drift[:, 3, 0]
    squares = -drift[:, [1, 3], [0, 2]] * model.omega
    return PairRates(
        times=t,
        g_r=0.5 * (plus + minus),
        g_a=0.5 * (plus - minus),
        lines=np.sqrt(np.where(squares > 0.0, squares, np.nan)),
        total_diffusion=0.5 * noise[:, [1, 3], [1, 3]],
        re_D12=0.5 * noise[:, 1, 3],
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
    require_range("G", G, -1e15, 1e15, "rad/s")
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
    count = len(drift) // 2
    for name, values in (("gamma", gamma), ("n_thermal", n_thermal)):
        if np.shape(values) != (count,):
            raise InputError(f"{name} needs one value per particle, {count}, got {values!r}")
    for j, (damping, occupation) in enumerate(zip(gamma, n_thermal, strict=True)):
        require_range("gamma", damping, 0.0, 1e12, "1/s")
        require_range("n_thermal", occupation, 0.0, 1e15)
        drift[2 * j, 2 * j + 1] = omega
        drift[2 * j + 1, 2 * j + 1] = -damping
        noise[2 * j + 1, 2 * j + 1] = damping * (2.0 * occupation + 1.0)
