"""Time-dependent linear models of a trap array, from first principles.

Where the particles rest is a matter of time scales, and there are two answers:

- ``"averaged"`` (the default): the positions are fixed where the *cycle-averaged* force vanishes,
  interaction included. A(t) = Σ_k w_k(t) A_k is then exact in the light. What is left of the
  force, b(t), drives the mean and nothing else. This is the answer for light that changes faster
  than the particles can follow and for anything near the mechanical frequencies; it stays right
  for slow light as long as the forced excursion (:meth:`ArrayModel.excursion`) is small against
  1/k.
- ``"instantaneous"``: the equilibrium follows the light, frozen at each time as by
  ``TrapArray.with_light(state, time=…)``. The state is the displacement from the moving
  equilibrium; its inertia, of relative order (rate of the light/ω)², is neglected. This is the
  answer for light much slower than the particles that moves them far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import TrapArray
from ...models.array_checks import measured_table, position_array
from ...models.coefficients import kept_axes, pull_rates, recoil_rates
from ...models.constants import HBAR, bose_occupation
from ...models.errors import InputError, NotTrappedError
from ...models.oscillators import oscillator_drift, oscillator_noise, oscillator_output
from ...models.reprs import short_repr
from .array_drift import LightParts, averaged_positions, light_parts
from .drift import ModulatedModel
from .floquet import driven_mean
from .following import follow, spline_parts
from .program import LightProgram
from .weights import mean_weights

__all__ = ["ArrayModel", "array_model"]

Array: TypeAlias = NDArray[np.float64]

_SLOW = 0.1  # rate of the light over ω below which the equilibrium follows it to 1 %
_MOST_EXCURSION = 0.1  # rad of optical phase


@dataclass(frozen=True)
class ArrayModel:
    """A modulated model of an array, and the assumption under which it was made.

    Attributes
    ----------
    model : ModulatedModel
        States (x_1, p_x1, …, x_2, …) of the axes asked, one scale ω.
    at : str
        "averaged", "instantaneous" or "positions".
    positions : ndarray, shape (n, 3) or (t, n, 3)
        Where it is linearised, m; for "instantaneous" at :attr:`times`.
    times : ndarray, shape (t,)
        Times of the positions, s; empty unless "instantaneous".
    omegas : ndarray, shape (n,)
        Axial frequencies without interaction in the averaged light, rad/s.
    masses : ndarray, shape (n,)
        kg.
    k : float
        Wave number of the light, 1/m.
    """

    model: ModulatedModel
    at: str
    positions: Array
    times: Array
    omegas: Array
    masses: Array
    k: float

    __repr__ = short_repr

    def excursion(self) -> Array:
        """Largest forced excursion of each coordinate over a period, shape (n·axes,), m.

        Of the averaged positions; infinite where the light drives a resonance without damping.

        Raises
        ------
        InputError
            If the light is not periodic.
        """
        mean = driven_mean(self.model)[:, 0::2]
        masses = np.repeat(self.masses, mean.shape[1] // len(self.masses))
        length = np.sqrt(HBAR / (masses * self.model.omega))
        return np.asarray(np.abs(mean).max(axis=0) * length)

    def doubts(self) -> tuple[str, ...]:
        """Sentences on where the assumption is doubtful; empty when nothing is."""
        period = self.model.period
        if not period:
            return ()
        ratio = 2.0 * math.pi / (period * float(self.omegas.min()))
        if self.at == "instantaneous":
            if ratio <= _SLOW:
                return ()
            return (
                f"the light repeats at {ratio:.2g} of the slowest trap frequency: the equilibrium "
                "does not follow it, use at='averaged'",
            )
        moved = self.k * float(self.excursion().max())
        if moved <= _MOST_EXCURSION:
            return ()
        return (
            f"the light drives the particles by {moved:.2g} rad of optical phase: the linear model "
            "is doubtful",
        )


def array_model(
    array: TrapArray,
    program: LightProgram,
    *,
    at: Literal["averaged", "instantaneous"] | ArrayLike = "averaged",
    axes: str = "z",
    span: tuple[float, float] | None = None,
    samples: int = 128,
) -> ArrayModel:
    """Linearise an array under time-dependent light.

    Parameters
    ----------
    array : TrapArray
        Particles, beams and gas; the program replaces the phases of the beams (their detunings
        too) and scales, or with powers in W replaces, their powers.
    program : LightProgram
        One phase and one power per beam.
    at : "averaged", "instantaneous" or array_like of shape (n, 3)
        Where to linearise, see the module; positions in m stay fixed.
    axes : str
        Which axes move, for example "z" or "xyz".
    span : pair of float, optional
        Times between which "instantaneous" samples light without a period, s; the first (or 0)
        sets the scale ω of such light.
    samples : int
        Samples of the moving equilibrium, 8 … 100000, joined by cubic splines.

    Returns
    -------
    ArrayModel
        The model, where it is linearised, and its doubts.

    Raises
    ------
    InputError
        For a program that does not fit, or light without a period where one is needed.
    NotTrappedError
        If the light does not hold a particle.

    Examples
    --------
    Light at rest gives the model of the array itself.

    >>> import numpy as np
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> first, second = (beam.phase for beam in trap.tweezers)
    >>> found = ob.theory.array_model(trap, ob.theory.LightProgram.pair(first - second))
    >>> bool(np.allclose(found.model.frozen(0.0).drift, trap.linearize().drift))
    True
    """
    if program.beams != len(array.tweezers):
        raise InputError(
            f"the array has {len(array.tweezers)} beams, the program has {program.beams}"
        )
    kept = kept_axes(axes)
    light = program.relative_to([beam.power for beam in array.tweezers])
    begin = 0.0 if span is None else span[0]
    mean = mean_weights(light) if light.period is not None else light([begin])[0]
    if isinstance(at, str) and at == "instantaneous":
        return _following(array, light, mean, kept, _span(light, span), samples)
    if isinstance(at, str):
        if at != "averaged":
            raise InputError(f"at must be 'averaged', 'instantaneous' or positions, got {at!r}")
        if light.period is None:
            raise InputError(
                "light without a period has no cycle average: give positions, or "
                "at='instantaneous' with a span"
            )
        places, name = averaged_positions(array, light), "averaged"
    else:
        places, name = position_array(at, len(array.spheres)), "positions"
    parts = light_parts(array, places)
    parts = _corrected(parts, _corrections(array, parts, mean), np.eye(light.count)[:, 1:])
    omegas = _axial(array, parts, mean)
    omega = float(omegas.mean())
    drift, noise, force = _quadratures(array, parts, omega, kept)
    base_drift, base_noise = _base(array, omega, kept)
    drift[0] += base_drift
    noise[0] += base_noise
    output = oscillator_output(drift.shape[-1] // 2)
    model = ModulatedModel(light, drift, noise, output, omega, force)
    return ArrayModel(model, name, places, np.zeros(0), omegas, array.masses, array.k)


def _span(light: LightProgram, span: tuple[float, float] | None) -> tuple[float, float]:
    """Times between which the moving equilibrium is sampled, s."""
    if light.period:
        return 0.0, light.period
    if span is None:
        raise InputError("light without a period needs a span of times (s) to be sampled in")
    if not (all(map(math.isfinite, span)) and span[0] < span[1]):
        raise InputError(f"span must be two increasing times, got {span[0]!r} and {span[1]!r} s")
    return span


def _following(
    array: TrapArray,
    light: LightProgram,
    mean: Array,
    kept: list[int],
    span: tuple[float, float],
    samples: int,
) -> ArrayModel:
    """Model at an equilibrium that follows the light: its entries become splines in time."""
    times, places, parts = follow(array, light, span, samples)
    centre = light_parts(array, averaged_positions(array, light)) if light.period else None
    if centre is None:
        centre = light_parts(array, places[0])
    corrections = _corrections(array, centre, mean)
    powers = light(times)[:, 1 : 1 + light.beams]
    parts = _corrected(parts, corrections, powers)
    omegas = _axial(array, _corrected(centre, corrections, np.eye(light.count)[:, 1:]), mean)
    omega = float(omegas.mean())
    drift, noise, _ = _quadratures(array, parts, omega, kept)
    weights, drift_parts, noise_parts = spline_parts(times, drift, noise, light)
    base_drift, base_noise = _base(array, omega, kept)
    drift_parts[0] += base_drift
    noise_parts[0] += base_noise
    output = oscillator_output(drift.shape[-1] // 2)
    model = ModulatedModel(weights, drift_parts, noise_parts, output, omega)
    return ArrayModel(model, "instantaneous", places, times, omegas, array.masses, array.k)


def _corrections(array: TrapArray, parts: LightParts, mean: Array) -> Array:
    """What measured frequencies add to the stiffness of a beam at its full power, (n, 3), N/m."""
    table = measured_table(array.measured_omegas, len(array.spheres))
    alone = np.einsum("k,knaa->na", mean, parts.alone)
    change = (array.masses[:, None] * table**2 - alone) / mean[1 : 1 + len(alone), None]
    return np.where(np.isnan(table), 0.0, change)


def _corrected(parts: LightParts, corrections: Array, powers: Array) -> LightParts:
    """Let measured frequencies replace the traps': (n, 3) corrections times powers (k or t, n)."""
    own, stiffness = parts.alone.copy(), parts.stiffness.copy()
    for j, axis in np.argwhere(corrections != 0.0).tolist():
        own[:, j, axis, axis] += corrections[j, axis] * powers[:, j]
        stiffness[:, j, axis, j, axis] += corrections[j, axis] * powers[:, j]
    return replace(parts, alone=own, stiffness=stiffness)


def _axial(array: TrapArray, parts: LightParts, weights: Array) -> Array:
    """Axial frequencies without interaction, shape (n,), rad/s."""
    alone = np.tensordot(weights, parts.alone, axes=1)[:, 2, 2]
    if alone.min() <= 0.0:
        raise NotTrappedError(
            f"particle {int(alone.argmin()) + 1} is not trapped along z: the stiffness is "
            f"{alone.min():.3g} N/m"
        )
    return np.asarray(np.sqrt(alone / array.masses))


def _base(array: TrapArray, omega: float, kept: list[int]) -> tuple[Array, Array]:
    """Motion and gas: what no light changes in A and N."""
    gas = array.gas
    damping = np.repeat(array.damping_rates, len(kept))
    occupation = bose_occupation(omega, 0.0 if gas is None else gas.temperature)
    none = np.zeros((damping.size, damping.size))
    noise = oscillator_noise(np.diag(damping * (occupation + 0.5)))
    return oscillator_drift(omega, none, damping), noise


def _quadratures(
    array: TrapArray, parts: LightParts, omega: float, kept: list[int]
) -> tuple[Array, Array, Array]:
    """What the light adds to A, N and b, the last being F/√(ħm_jω)."""
    masses = np.repeat(array.masses, len(kept))
    drift = oscillator_drift(0.0, pull_rates(array.masses, omega, parts.stiffness, kept))
    noise = oscillator_noise(recoil_rates(array.masses, omega, parts.diffusion, kept))
    force = np.zeros(drift.shape[:-1])
    pushes = parts.forces[:, :, kept].reshape(len(force), -1)
    force[:, 1::2] = pushes / np.sqrt(HBAR * masses * omega)
    return drift, noise, force
