"""The pair along z with nothing but traps, friction and the far-field binding force.

F_1 = f sin(kd − φ + k′u), F_2 = f sin(kd + φ − k′u) with u = z_2 − z_1, f = K_0/(k′kd) and
K_0 = 2√(m_1m_2) ω G: linearised, g_r ± g_a of Eq. (6) with the shifts of Eq. (9). Independent of
the full field; the model in which limit cycles can be understood.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.errors import InputError
from ...models.ranges import require_count, require_finite_array, require_range
from ...models.reprs import short_repr
from ...models.rng import fill_normal, new_stream
from .anharmonic import trap_anharmonicity
from .kernels import inner
from .recoil import cholesky_root

__all__ = ["FarFieldPair", "FarFieldTrajectory", "simulate_far_field"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class FarFieldPair:
    """Two particles on a line with far-field binding.

    Attributes
    ----------
    omegas : tuple of float
        Trap frequencies (ω_1, ω_2) without binding, rad/s; their mean is ω.
    kd, phi : float
        Distance and phase, for z_1 = z_2 = 0.
    G : float
        Coupling constant of Eq. (6), rad/s.
    k_prime : float
        k′ = Ak, 1/m.
    masses : tuple of float
        kg.
    gamma : tuple of float
        Damping rates, 1/s.
    duffing : tuple of float
        β_j of the force −m_j(ω_j²z + β_jz³), 1/(m² s²).

    Raises
    ------
    InputError
        For a value outside its range.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (6) and (9).

    Examples
    --------
    At kd = 5.5π and φ = −π/2 binding is antireciprocal.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.FarFieldPair(
    ...     omegas=(3.98e5, 4.02e5), kd=5.5 * math.pi, phi=-0.5 * math.pi, G=2e3 * 5.5 * math.pi,
    ...     k_prime=5.4e6, masses=(2.7e-18, 2.7e-18),
    ... )
    >>> [round(rate, 6) + 0.0 for rate in pair.couplings]
    [0.0, 2000.0]
    """

    omegas: tuple[float, float]
    kd: float
    phi: float
    G: float
    k_prime: float
    masses: tuple[float, float]
    gamma: tuple[float, float] = (0.0, 0.0)
    duffing: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, low, high, unit in (
            ("omegas", 1e-3, 1e9, "rad/s"),
            ("masses", 1e-27, 1e-6, "kg"),
            ("gamma", 0.0, 1e9, "1/s"),
            ("duffing", -1e40, 1e40, "1/(m² s²)"),
        ):
            values = getattr(self, name)
            if np.shape(values) != (2,):
                raise InputError(f"{name} needs two values, got {values!r}")
            object.__setattr__(
                self, name, tuple(require_range(name, value, low, high, unit) for value in values)
            )
        require_range("kd", self.kd, 1e-3, 1e6)
        require_range("phi", self.phi, -1e9, 1e9, "rad")
        require_range("G", self.G, -1e9, 1e9, "rad/s")
        require_range("k_prime", self.k_prime, 1.0, 1e9, "1/m")

    @classmethod
    def of_trap(cls, trap: TrapArray, pair: tuple[int, int] = (0, 1)) -> FarFieldPair:
        """Take local far-field constants, gas and Duffing coefficients from two particles.

        φ is chosen such that the reduced pair, pushed by its own mean force, rests at the local
        phase of the array. k′ is the mean of k Re Λ_j.
        """
        far = trap.far_field(pair=pair)
        index = list(pair)
        one, two = far.slopes
        if min(one.real, two.real) <= 0.0:
            raise InputError(
                "a far-field pair needs light along +z at both particles, A = "
                f"{one.real:.3g} and {two.real:.3g}"
            )
        mutual = one.conjugate() * two
        k_prime = 0.5 * trap.k * (one.real + two.real)
        omegas = trap.axial_omegas(trap.equilibrium())[index]
        masses = trap.masses[index]
        duffing = trap_anharmonicity(trap).duffing[index, 2]
        rates = trap.damping_rates[index].tolist()
        G = far.G * abs(mutual) / mutual.real
        local = far.phi - cmath.phase(mutual)
        force = 2.0 * math.sqrt(masses[0] * masses[1]) * omegas.mean() * G / (k_prime * far.kd)
        rest = force / (masses * omegas**2)
        u = rest[1] * math.sin(far.kd + local) - rest[0] * math.sin(far.kd - local)
        return cls(
            omegas=(float(omegas[0]), float(omegas[1])),
            kd=far.kd,
            phi=float(local + k_prime * u),
            G=float(G),
            k_prime=k_prime,
            masses=(float(masses[0]), float(masses[1])),
            gamma=(rates[0], rates[1]),
            duffing=(float(duffing[0]), float(duffing[1])),
        )

    @property
    def omega(self) -> float:
        """ω = (ω_1 + ω_2)/2, rad/s."""
        return 0.5 * (self.omegas[0] + self.omegas[1])

    @property
    def delta_omega(self) -> float:
        """δω = ω_2 − ω_1, rad/s."""
        return self.omegas[1] - self.omegas[0]

    @property
    def force_amplitude(self) -> float:
        """Largest force f = K_0/(k′kd), N."""
        mass = math.sqrt(self.masses[0] * self.masses[1])
        return 2.0 * mass * self.omega * self.G / (self.k_prime * self.kd)

    @property
    def couplings(self) -> tuple[float, float]:
        """(g_r, g_a) of Eq. (6) at z_1 = z_2 = 0, rad/s."""
        rate = self.G / self.kd
        return (
            rate * math.cos(self.kd) * math.cos(self.phi),
            rate * math.sin(self.kd) * math.sin(self.phi),
        )

    def binding_forces(self, z_1: ArrayLike, z_2: ArrayLike) -> tuple[_Array, _Array]:
        """(F_1, F_2) at positions in m, N."""
        turn = self.k_prime * (np.asarray(z_2, dtype=np.float64) - np.asarray(z_1))
        f = self.force_amplitude
        return f * np.sin(self.kd - self.phi + turn), f * np.sin(self.kd + self.phi - turn)


@dataclass(frozen=True)
class FarFieldTrajectory:
    """Samples of :func:`simulate_far_field`.

    Attributes
    ----------
    times : ndarray, shape (s,)
        s.
    positions, velocities : ndarray, shape (s, 2)
        (z_1, z_2) in m and m/s.
    """

    times: _Array
    positions: _Array
    velocities: _Array

    __repr__ = short_repr


@inner
def _accelerate(z: Any, omegas: Any, duffing: Any, push: Any, phases: Any, out: Any) -> None:
    turn = phases[2] * (z[1] - z[0])
    out[0] = push[0] * math.sin(phases[0] + turn)
    out[1] = push[1] * math.sin(phases[1] - turn)
    for j in range(2):
        out[j] -= (omegas[j] ** 2 + duffing[j] * z[j] ** 2) * z[j]


@njit(cache=True, nogil=True)
def _advance(
    state: Any,
    omegas: Any,
    duffing: Any,
    push: Any,
    phases: Any,
    keep: Any,
    root: Any,
    stream: Any,
    dt: float,
    every: int,
    positions: Any,
    velocities: Any,
) -> None:
    """BAOAB as in :mod:`.stepping`, for two coordinates."""
    z, v = state[0], state[1]
    a, draws = np.empty(2), np.zeros(2)
    noisy = root[0, 0] > 0.0 or root[1, 1] > 0.0
    _accelerate(z, omegas, duffing, push, phases, a)
    for row in range(positions.shape[0]):
        for _ in range(every):
            if noisy:
                fill_normal(draws, stream)
            for j in range(2):
                v[j] += 0.5 * dt * a[j]
                z[j] += 0.5 * dt * v[j]
            v[0] = keep[0] * v[0] + root[0, 0] * draws[0]
            v[1] = keep[1] * v[1] + root[1, 0] * draws[0] + root[1, 1] * draws[1]
            for j in range(2):
                z[j] += 0.5 * dt * v[j]
            _accelerate(z, omegas, duffing, push, phases, a)
            for j in range(2):
                v[j] += 0.5 * dt * a[j]
        for j in range(2):
            positions[row, j] = z[j]
            velocities[row, j] = v[j]


def simulate_far_field(
    pair: FarFieldPair,
    duration: float,
    *,
    start: tuple[float, float],
    dt: float | None = None,
    sample_every: int = 1,
    force_noise: ArrayLike | None = None,
    seed: int = 0,
) -> FarFieldTrajectory:
    """Integrate the reduced pair with the BAOAB step.

    Parameters
    ----------
    pair : FarFieldPair
        The model.
    duration : float
        s.
    start : tuple of float
        (z_1, z_2) at rest, m.
    dt : float, optional
        Step, s; at most 1/20 of the shorter period, 1/50 of it by default.
    sample_every : int
        Steps between samples.
    force_noise : array_like, shape (2, 2), optional
        ⟨f_jf_l⟩ of white force noise, N² s.
    seed : int
        Seed of the noise.

    Returns
    -------
    FarFieldTrajectory
        Times (s,), positions and velocities (s, 2).

    Raises
    ------
    InputError
        For a step too long or noise that is not a symmetric 2 × 2 matrix.

    Examples
    --------
    Without binding, friction and noise each particle swings on at its own amplitude.

    >>> import optobind as ob
    >>> pair = ob.theory.FarFieldPair(
    ...     omegas=(4e5, 4e5), kd=17.3, phi=-1.5, G=0.0, k_prime=5.4e6, masses=(2.7e-18, 2.7e-18)
    ... )
    >>> record = ob.theory.simulate_far_field(pair, 1e-4, start=(1e-8, -1e-8))
    >>> record.positions.shape[1], round(1e8 * float(abs(record.positions).max()), 3)
    (2, 1.0)
    """
    period = 2.0 * math.pi / max(pair.omegas)
    step = period / 50.0 if dt is None else require_range("dt", dt, 1e-15, period / 20.0, "s")
    require_range("sample_every", sample_every, 1, 10**9)
    require_count("seed", seed, 0, 2**63)
    begin = require_finite_array("start", start, "m")
    if begin.shape != (2,):
        raise InputError(f"start needs two positions (z_1, z_2) in m, got shape {begin.shape}")
    rows = max(1, round(require_range("duration", duration, 0.0, 1e6, "s") / step / sample_every))
    noise = np.zeros((2, 2)) if force_noise is None else np.array(force_noise, dtype=np.float64)
    if noise.shape != (2, 2) or not np.allclose(noise, noise.T):
        raise InputError(f"force_noise must be a symmetric 2 × 2 matrix, got {force_noise!r}")
    gamma, masses = np.array(pair.gamma), np.array(pair.masses)
    total = np.add.outer(gamma, gamma)
    safe = np.where(total > 0.0, total, 1.0)
    time = np.where(total > 0.0, -np.expm1(-total * step) / safe, step)
    root = np.zeros((2, 2))
    cholesky_root(noise * time / np.outer(masses, masses), root)
    positions, velocities = np.empty((rows + 1, 2)), np.empty((rows + 1, 2))
    positions[0], velocities[0] = begin, 0.0
    _advance(
        np.array([positions[0], velocities[0]]),
        np.array(pair.omegas),
        np.array(pair.duffing),
        pair.force_amplitude / masses,
        np.array([pair.kd - pair.phi, pair.kd + pair.phi, pair.k_prime]),
        np.exp(-gamma * step),
        root,
        new_stream(np.random.SeedSequence(seed)),
        step,
        int(sample_every),
        positions[1:],
        velocities[1:],
    )
    times = np.asarray(np.arange(rows + 1) * (step * sample_every), dtype=np.float64)
    return FarFieldTrajectory(times, positions, velocities)
