"""Periodic orbits in the full field by harmonic balance: limit cycles without integrating.

Every coordinate is a Fourier sum q(θ) = Re Σ_h c_h e^{−ihθ}, θ = Ωt, up to a few harmonics; the
sums and Ω solve m q̈ + mγ q̇ = F(q) projected on these harmonics, with the compiled forces of all
three dimensions at equidistant phases. The Bessel balance of :mod:`.limit_cycle` is its first
harmonic with the far-field force.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.optimize import root

from ...models.array import TrapArray
from ...models.errors import ConvergenceError, InputError
from ...models.ranges import require_range
from ...models.reprs import short_repr
from .kernels import forces_along
from .limit_cycle import LimitCycle
from .packing import make_work, pack_beams, pack_particles

__all__ = ["PeriodicOrbit", "periodic_orbit"]

_Array = NDArray[np.float64]

_STEPS = 240  # of the linearised motion in one period: midpoint steps, exponents to 1e-4 Ω


@dataclass(frozen=True)
class PeriodicOrbit:
    """One period of a self-sustained oscillation.

    Attributes
    ----------
    positions : ndarray, shape (s, n, 3)
        At equidistant phases of one period, m.
    omega : float
        Ω, rad/s.
    coefficients : ndarray, shape (H + 1, n, 3)
        c_h of q(t) = Re Σ_h c_h e^{−ihΩt}, relative to the equilibrium, m.
    """

    positions: _Array
    omega: float
    coefficients: NDArray[np.complex128]

    __repr__ = short_repr

    def growth_rate(self, trap: TrapArray) -> float:
        """Growth rate of the fastest deviation from the orbit, its phase aside, 1/s.

        The Floquet exponents of the motion linearised along one period; the one of a shift in
        time is zero and is left out.

        Parameters
        ----------
        trap : TrapArray
            The array that the orbit is of.
        """
        size = 3 * len(trap.spheres)
        orders = np.arange(len(self.coefficients))[:, None]
        coefficients = self.coefficients.reshape(len(orders), size)
        step = 2.0 * np.pi / (self.omega * _STEPS)
        mass, gamma = np.repeat(trap.masses, 3), np.repeat(trap.damping_rates, 3)
        rest, drift = trap.equilibrium(), np.zeros((2 * size, 2 * size))
        # Velocities in units of Ω times length keep the numbers near one.
        drift[:size, size:] = self.omega * np.eye(size)
        drift[size:, size:] = -np.diag(gamma)
        map_of_period = np.eye(2 * size)
        for index in range(_STEPS):
            waves = np.exp(-1j * orders * (2.0 * np.pi * (index + 0.5) / _STEPS)) * coefficients
            places = rest + waves.sum(axis=0).real.reshape(-1, 3)
            drift[size:, :size] = -trap.stiffness(places) / (mass[:, None] * self.omega)
            map_of_period = linalg.expm(step * drift) @ map_of_period
        speed = (-1j * orders * coefficients).sum(axis=0).real
        pull = (-(orders**2) * coefficients).sum(axis=0).real
        ahead = np.concatenate([speed, pull])
        others = np.linalg.svd((ahead / np.linalg.norm(ahead))[None])[2][1:]
        largest = np.abs(np.linalg.eigvals(others @ map_of_period @ others.T)).max()
        return float(np.log(largest) * self.omega / (2.0 * np.pi))

    @property
    def amplitudes(self) -> _Array:
        """Amplitude |c_1| of the fundamental, shape (n, 3), m."""
        return np.asarray(np.abs(self.coefficients[1]))

    def relative_amplitude(self, pair: tuple[int, int] = (0, 1), axis: int = 2) -> float:
        """Amplitude of the fundamental of the difference of two particles along an axis, m."""
        first, second = (self.coefficients[1, j, axis] for j in pair)
        return float(abs(second - first))


class _Balance:
    """Residual of the harmonic balance in scaled unknowns."""

    def __init__(self, trap: TrapArray, harmonics: int, length: float, particle: int) -> None:
        self.harmonics, self.samples = harmonics, 4 * harmonics + 4
        self.count = len(trap.spheres)
        self.size, self.length = 3 * self.count, length
        # A phase is free: Im c_1 of this particle's z is zero, its place is taken by Ω.
        self.gauge = (harmonics + 1) * self.size + 3 * particle + 2
        self.beams, self.particles = pack_beams(trap), pack_particles(trap)
        self.work = make_work(self.beams, self.count)
        self.mass, self.gamma = np.repeat(trap.masses, 3), np.repeat(trap.damping_rates, 3)
        self.places = trap.equilibrium()
        self.scale = float(trap.axial_omegas(self.places).mean())

    def pack(self, coefficients: NDArray[np.complex128], omega: float) -> _Array:
        """Real unknowns of c_0 … c_H (H + 1, 3n) and Ω."""
        parts = np.concatenate([coefficients.real, coefficients[1:].imag]) / self.length
        unknowns = parts.ravel()
        unknowns[self.gauge] = omega / self.scale
        return np.asarray(unknowns)

    def unpack(self, unknowns: _Array) -> tuple[NDArray[np.complex128], float]:
        """Inverse of :meth:`pack`."""
        parts = unknowns.copy()
        omega = float(parts[self.gauge] * self.scale)
        parts[self.gauge] = 0.0
        real = parts.reshape(-1, self.size) * self.length
        coefficients = real[: self.harmonics + 1].astype(np.complex128)
        coefficients[1:] += 1j * real[self.harmonics + 1 :]
        return coefficients, omega

    def positions(self, coefficients: NDArray[np.complex128]) -> _Array:
        """Positions (s, n, 3), m, over one period."""
        phases = np.arange(self.samples) * (2.0 * np.pi / self.samples)
        waves = np.exp(-1j * np.outer(phases, np.arange(self.harmonics + 1)))
        motion = (waves @ coefficients).real.reshape(self.samples, self.count, 3)
        return np.asarray(self.places + motion)

    def __call__(self, unknowns: _Array) -> _Array:
        """Force minus inertia and friction, per harmonic, in units of mω²·length."""
        coefficients, omega = self.unpack(unknowns)
        places = self.positions(coefficients)
        forces = np.empty_like(places)
        times = np.zeros(self.samples)
        forces_along(self.beams, self.particles, self.work, places, times, forces)
        spectrum = np.fft.ifft(forces.reshape(self.samples, self.size), axis=0)
        orders = np.arange(self.harmonics + 1)[:, None]
        # F = Re Σ F_h e^{−ihθ}: ifft holds F_h/2 for h > 0.
        harmonic = spectrum[: self.harmonics + 1] * np.where(orders > 0, 2.0, 1.0)
        turn = orders * omega
        response = self.mass * (-(turn**2) - 1j * turn * self.gamma) * coefficients
        rest = (harmonic - response) / (self.mass * self.scale**2 * self.length)
        return np.concatenate([rest.real.ravel(), rest[1:].imag.ravel()])


def periodic_orbit(
    trap: TrapArray, guess: LimitCycle, *, pair: tuple[int, int] = (0, 1), harmonics: int = 4
) -> PeriodicOrbit:
    """Find the limit cycle of an array near a guess from the Bessel balance.

    Parameters
    ----------
    trap : TrapArray
        The array, with gas.
    guess : LimitCycle
        From :func:`~optobind.theory.nonlinear.limit_cycle.limit_cycle`.
    pair : tuple of int
        The particles that the guess describes; others start at rest.
    harmonics : int
        Highest harmonic, 1 … 16.

    Returns
    -------
    PeriodicOrbit
        Positions (s, n, 3) in m and Ω in rad/s.

    Raises
    ------
    InputError
        For a pair that is not in the array.
    ConvergenceError
        If there is no orbit near the guess, or deviations from it grow.

    Examples
    --------
    In the full field it turns close to the Ω of the Bessel balance in harmonic traps.

    >>> from dataclasses import replace
    >>> import optobind as ob
    >>> first = ob.Tweezer((0.0, 0.0, 0.0), 0.15, 8e-7, 8e-7, -1.58)
    >>> second = ob.Tweezer((2.75 * 1064e-9, 0.0, 0.0), 0.19, 8e-7, 8e-7)
    >>> trap = ob.TrapArray((ob.Sphere(7e-8),) * 2, (first, second), gas=ob.Gas(100.0, 1.0))
    >>> pair = replace(ob.theory.FarFieldPair.of_trap(trap), duffing=(0.0, 0.0))
    >>> guess = ob.theory.limit_cycle(pair)
    >>> orbit = ob.theory.periodic_orbit(trap, guess, harmonics=2)
    >>> orbit.positions.shape[1:], abs(orbit.omega / guess.omega - 1.0) < 0.02
    ((2, 3), True)
    """
    order = int(require_range("harmonics", harmonics, 1, 16))
    count = len(trap.spheres)
    if pair[0] == pair[1] or not all(0 <= index < count for index in pair):
        raise InputError(f"pair must name two of the particles 0 … {count - 1}, got {pair}")
    balance = _Balance(trap, order, guess.relative_amplitude, pair[0])
    coefficients = np.zeros((order + 1, balance.size), dtype=np.complex128)
    coefficients[1, 3 * pair[0] + 2] = guess.amplitudes[0]
    coefficients[1, 3 * pair[1] + 2] = guess.amplitudes[1] * np.exp(1j * guess.phase)
    start = balance.pack(coefficients, guess.omega)
    solution = root(balance, start, tol=1e-11)
    found, omega = balance.unpack(solution.x)
    smallest = 1e-3 * guess.relative_amplitude
    if np.abs(balance(solution.x)).max() > 1e-8 or np.abs(found[1]).max() < smallest:
        raise ConvergenceError("no periodic orbit was found near the Bessel balance")
    orbit = PeriodicOrbit(
        balance.positions(found), omega, found.reshape(order + 1, balance.count, 3)
    )
    rate = orbit.growth_rate(trap)
    if rate > 0.0:
        raise ConvergenceError(
            f"the periodic orbit is unstable, deviations grow at {rate:.3g} 1/s: the array does "
            "not stay on it, simulate it instead"
        )
    return orbit
