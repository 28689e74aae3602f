"""How a trajectory is computed, and the checks of the step against the fastest motion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...models.array import TrapArray
from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = ["TrajectorySettings", "fastest_frequency", "resolve_step"]

_LEAST_STEPS = 20.0  # per period of the fastest trap frequency
_DEFAULT_STEPS = 50.0


@dataclass(frozen=True)
class TrajectorySettings:
    """Settings of :func:`~optobind.theory.nonlinear.simulate.simulate_full_field`.

    Attributes
    ----------
    dt : float or None
        Step, s; at least 20 steps per period of the fastest trap frequency. None takes 50.
    sample_every : int
        Steps between the samples that are kept.
    gas : bool
        Friction and thermal noise of the array's gas.
    thermal_noise : bool
        False keeps the friction of the gas and leaves out its noise, which shows limit cycles bare.
    recoil : bool
        Recoil noise, correlated over particles and axes: ⟨ΔpΔp⟩ = 2 Re P dt.
    recoil_refresh : int
        Steps between evaluations of P at the positions of the particles: 1 for each step, 0 for
        once, at the equilibrium. An evaluation costs about three steps of a pair.
    binding, scattering : bool
        Leave out the binding force between particles, or the scattering force.
    detunings : tuple of float or None
        Slow detuning of each tweezer, Hz, on top of its own: its phase advances by −2πν_jt, so that
        φ(t) = φ_0 + 2π(ν_2 − ν_1)t.
    lost_waists, lost_rayleighs : float
        A particle is lost beyond this many waists across its beam, or Rayleigh ranges (the shorter
        one) along it, from its focus. Spheres that touch are lost too.

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> bare = ob.theory.TrajectorySettings(thermal_noise=False, recoil=False, sample_every=10)
    >>> bare.gas, bare.sample_every
    (True, 10)
    """

    dt: float | None = None
    sample_every: int = 1
    gas: bool = True
    thermal_noise: bool = True
    recoil: bool = True
    recoil_refresh: int = 20
    binding: bool = True
    scattering: bool = True
    detunings: tuple[float, ...] | None = None
    lost_waists: float = 2.0
    lost_rayleighs: float = 4.0

    def __post_init__(self) -> None:
        if self.dt is not None:
            require_range("dt", self.dt, 1e-15, 1.0, "s")
        for name, least in (("sample_every", 1), ("recoil_refresh", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"{name} must be a whole number of at least {least}, got {value!r}"
                )
        require_range("lost_waists", self.lost_waists, 0.1, 100.0)
        require_range("lost_rayleighs", self.lost_rayleighs, 0.1, 100.0)
        if self.detunings is not None:
            if np.ndim(self.detunings) != 1:
                raise InputError(f"detunings needs one value per tweezer, got {self.detunings!r}")
            object.__setattr__(
                self,
                "detunings",
                tuple(require_range("detunings", nu, -1e9, 1e9, "Hz") for nu in self.detunings),
            )


def fastest_frequency(trap: TrapArray) -> float:
    """Largest frequency of motion at the equilibrium, binding included, rad/s.

    Raises
    ------
    NotTrappedError
        If a particle is not held.
    """
    mass = np.repeat(trap.masses, 3)
    stiffness = trap.stiffness(trap.equilibrium())
    squares = np.linalg.eigvals(stiffness / np.sqrt(np.outer(mass, mass)))
    return float(np.sqrt(np.abs(squares).max()))


def resolve_step(trap: TrapArray, settings: TrajectorySettings) -> float:
    """Step in use, s.

    Raises
    ------
    InputError
        For a step that resolves the fastest motion or the slow detunings with fewer than 20 points,
        or detunings that do not match the tweezers.
    """
    period = 2.0 * math.pi / fastest_frequency(trap)
    step = period / _DEFAULT_STEPS if settings.dt is None else settings.dt
    if step * _LEAST_STEPS > period:
        raise InputError(
            f"dt must be at most {period / _LEAST_STEPS:.3g} s (20 steps per period of the fastest "
            f"trap frequency, {1e-3 / period:.4g} kHz), got {step:.3g} s"
        )
    detunings = settings.detunings or ()
    if settings.detunings is not None and len(detunings) != len(trap.tweezers):
        raise InputError(
            f"detunings needs one value per tweezer, {len(trap.tweezers)}, got {len(detunings)}"
        )
    fastest = max((abs(nu) for nu in detunings), default=0.0)
    if fastest * step * _LEAST_STEPS > 1.0:
        if settings.dt is None:
            return 1.0 / (_DEFAULT_STEPS * fastest)
        raise InputError(
            f"dt must be at most {1.0 / (_LEAST_STEPS * fastest):.3g} s for a detuning of "
            f"{fastest:g} Hz, got {step:.3g} s"
        )
    return step
