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
from ...models.oscillators import oscillator_drift, oscillator_noise, oscillator_output
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

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (6)–(9).

    Examples
    --------
    At a phase that rests it is the pair of the Letter.

    >>> import numpy as np
    >>> import optobind as ob
    >>> rates = dict(omega=3e5, kd=6.0, G=4e3, D11=2e3, D22=2e3, phi=0.5)
    >>> frozen = ob.theory.far_field_model(**rates).frozen(0.0)
    >>> pair = ob.PairConstants.far_field(**rates, delta_omega=0.0).to_linear()
    >>> bool(np.allclose(frozen.drift, pair.drift) and np.allclose(frozen.noise, pair.noise))
    True
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
    damping, bath = _bath(gamma, n_thermal, 2)
    pull, diffusion = np.zeros((5, 2, 2)), np.zeros((5, 2, 2))
    diffusion[0] = bath
    for j, (recoil, bare) in enumerate(
        ((D11, omega - 0.5 * delta_omega), (D22, omega + 0.5 * delta_omega))
    ):
        pull[1 + j, j, j] = -(bare**2) / omega
        diffusion[1 + j, j, j] = recoil
    # cos φ carries g_r and Re D_12, sin φ carries g_a; 2(g_r ± g_a)(z_other − z_own).
    pull[3] = 2.0 * rate * cosine * np.array([[-1.0, 1.0], [1.0, -1.0]])
    pull[4] = 2.0 * rate * sine * np.array([[-1.0, 1.0], [-1.0, 1.0]])
    diffusion[3, 0, 1] = diffusion[3, 1, 0] = rate * sine
    light = LightProgram.pair(phi, power_1, power_2)
    return _modulated(light, omega, pull, damping, diffusion)


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

    Returns
    -------
    ModulatedModel
        States (z, p).

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    A weak modulation at 2ω, of depth m, grows the amplitude at mω/4.

    >>> import optobind as ob
    >>> wave = ob.theory.power_modulation(0.01, 6e5)
    >>> model = ob.theory.single_model(omega=3e5, D=1e3, power=wave)
    >>> round(ob.theory.floquet(model).growth_rate / 3e5, 5)
    0.0025
    """
    require_range("omega", omega, 1e-9, 1e12, "rad/s")
    require_range("D", D, 0.0, 1e15, "1/s")
    damping, bath = _bath((gamma,), (n_thermal,), 1)
    pull, diffusion = np.zeros((2, 1, 1)), np.zeros((2, 1, 1))
    diffusion[0], diffusion[1] = bath, D
    pull[1] = -omega
    program = LightProgram.pair(0.0, power)
    alone = LightProgram(program.phases[:1], program.powers[:1])
    return _modulated(alone, omega, pull, damping, diffusion)


def _bath(
    gamma: tuple[float, ...], n_thermal: tuple[float, ...], count: int
) -> tuple[Array, Array]:
    """What no light changes: damping (n,), and the diffusion γ(n̄ + ½) of the gas, (n, n)."""
    for name, values in (("gamma", gamma), ("n_thermal", n_thermal)):
        if np.shape(values) != (count,):
            raise InputError(f"{name} needs one value per particle, {count}, got {values!r}")
    for damping, occupation in zip(gamma, n_thermal, strict=True):
        require_range("gamma", damping, 0.0, 1e12, "1/s")
        require_range("n_thermal", occupation, 0.0, 1e15)
    rates = np.array(gamma, dtype=np.float64)
    return rates, np.diag(rates * (np.array(n_thermal) + 0.5))


def _modulated(
    light: LightProgram, omega: float, pull: Array, damping: Array, diffusion: Array
) -> ModulatedModel:
    """Model of one part for each weight of the light; the first has ż = ωp and the damping."""
    first = np.arange(len(pull)) == 0
    drift = oscillator_drift(omega * first, pull, np.outer(first, damping))
    output = oscillator_output(damping.size)
    return ModulatedModel(light, drift, oscillator_noise(diffusion), output, omega)
