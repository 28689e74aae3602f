"""Chains, rings and grids of tweezers, and their light trimmed to equal lines.

With φ_j growing by a step along a chain, what j+1 feels of j goes with cos(kd − step) and what j
feels of j+1 with cos(kd + step): kd = 5.25π and a step of π/4 make neighbours unidirectional.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import Place, TrapArray
from ...models.errors import ConvergenceError, InputError
from ...models.families import LightFamily
from ...models.gas import Gas
from ...models.ranges import require_count, require_finite, require_finite_array
from ...models.sphere import Sphere
from ...models.tweezer import Tweezer
from .network import CouplingNetwork

__all__ = [
    "chain_family",
    "grid",
    "level_lines",
    "linear_chain",
    "phase_gradient",
    "ring",
    "trap_array",
]

Array: TypeAlias = NDArray[np.float64]
Spheres: TypeAlias = Sphere | Sequence[Sphere]

_SETTLED = 1e-9  # relative spread of lines that counts as level
_TRIALS = 25


def trap_array(
    positions: ArrayLike,
    spheres: Spheres,
    *,
    powers: ArrayLike = 0.17,
    phases: ArrayLike = 0.0,
    waists: ArrayLike = (7e-7, 8e-7),
    polarizations: ArrayLike = (0.0, 1.0),
    wavelength: float = 1064e-9,
    gas: Gas | None = None,
    radiative_correction: bool = False,
) -> TrapArray:
    """Put one sphere into a tweezer at each position; single values hold for all of them.

    Parameters
    ----------
    positions : array_like, shape (n, 3)
        Foci, m.
    spheres : Sphere or sequence of n
        The particles.
    powers, phases : float or array_like, shape (n,)
        W, rad.
    waists, polarizations : array_like, shape (2,) or (n, 2)
        (w_x, w_y) in m; Jones vectors (x, y).
    wavelength : float
        m.
    gas : Gas, optional
        Residual gas.
    radiative_correction : bool
        As for :class:`TrapArray`.

    Raises
    ------
    InputError
        For shapes that do not fit or values out of range.
    """
    places = require_finite_array("positions", positions, "m")
    if places.ndim != 2 or places.shape[1] != 3:
        raise InputError(f"positions must have shape (n, 3) in m, got {places.shape}")
    count = len(places)
    one = isinstance(spheres, Sphere)
    balls = (spheres,) * count if isinstance(spheres, Sphere) else tuple(spheres)
    if not one and len(balls) != count:
        raise InputError(f"{count} positions need 1 or {count} spheres, got {len(balls)}")
    watts = _each("powers", powers, (count,), np.float64)
    turns = _each("phases", phases, (count,), np.float64)
    widths = _each("waists", waists, (count, 2), np.float64)
    jones = _each("polarizations", polarizations, (count, 2), np.complex128)
    beams = tuple(
        Tweezer(
            (float(place[0]), float(place[1]), float(place[2])),
            float(watts[j]),
            float(widths[j][0]),
            float(widths[j][1]),
            float(turns[j]),
            (complex(jones[j][0]), complex(jones[j][1])),
        )
        for j, place in enumerate(places)
    )
    return TrapArray(balls, beams, wavelength, gas, radiative_correction)


def _each(name: str, values: ArrayLike, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
    """Broadcast to one entry per particle."""
    try:
        return np.broadcast_to(np.asarray(values, dtype=kind), shape)
    except (TypeError, ValueError):
        wanted = " or ".join(str(s) for s in (shape[1:], shape) if s)
        raise InputError(f"{name} must have shape {wanted}, got {np.shape(values)}") from None


def _check_count(count: int, least: int) -> None:
    require_count("the number of particles", count, least)


def linear_chain(
    spheres: Spheres, count: int, spacing: float, *, phase_step: float = 0.0, **options: Any
) -> TrapArray:
    """Line up particles along x.

    Parameters
    ----------
    spheres : Sphere or sequence of ``count``
        The particles.
    count : int
        Number of particles.
    spacing : float
        Distance of neighbouring foci, m.
    phase_step : float
        φ_{j+1} − φ_j, rad.
    **options
        Powers, waists, polarisations, gas, …: as for :func:`trap_array`.

    Returns
    -------
    TrapArray
        The particles and their beams, in the order of the chain.

    Examples
    --------
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> chain = ob.theory.linear_chain(sphere, 4, 3e-6, phase_step=0.5)
    >>> chain.foci.shape, [round(beam.phase, 6) for beam in chain.tweezers]
    ((4, 3), [0.0, 0.5, 1.0, 1.5])
    """
    _check_count(count, 1)
    require_finite("spacing", spacing, "m")
    require_finite("phase_step", phase_step, "rad")
    places = np.zeros((count, 3))
    places[:, 0] = spacing * np.arange(count)
    return trap_array(places, spheres, phases=phase_step * np.arange(count), **options)


def ring(
    spheres: Spheres, count: int, spacing: float, *, winding: int = 0, **options: Any
) -> TrapArray:
    """Set particles on a regular polygon in the x–y plane.

    Round waists and circular polarisation, the defaults here, make all places of the ring equal:
    a dipole that turns in the plane sends as much light into every direction of it.

    Parameters
    ----------
    spheres : Sphere or sequence of ``count``
        The particles.
    count : int
        Number of particles.
    spacing : float
        Distance of neighbouring foci, m.
    winding : int
        Turns of the phase around the ring: φ_{j+1} − φ_j = 2π·winding/count.
    **options
        Powers, waists, polarisations, gas, …: as for :func:`trap_array`.

    Returns
    -------
    TrapArray
        The particles and their beams, in the order around the ring.

    Examples
    --------
    >>> import math
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> around = ob.theory.ring(sphere, 6, 3e-6).foci
    >>> [round(1e6 * math.dist(around[j], around[j - 1]), 6) for j in range(6)]  # µm
    [3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    """
    _check_count(count, 3)
    require_finite("spacing", spacing, "m")
    require_finite("winding", winding)
    angle = 2.0 * math.pi / count * np.arange(count)
    radius = 0.5 * spacing / math.sin(math.pi / count)
    places = radius * np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], axis=1)
    usual: dict[str, Any] = {"waists": (7e-7, 7e-7), "polarizations": (1.0, 1.0j)}
    return trap_array(places, spheres, phases=winding * angle, **(usual | options))


def grid(
    spheres: Spheres,
    shape: tuple[int, int],
    spacing: float | tuple[float, float],
    *,
    phase_steps: tuple[float, float] = (0.0, 0.0),
    **options: Any,
) -> TrapArray:
    """Set particles on a rectangular grid in the x–y plane, y running fastest.

    Parameters
    ----------
    spheres : Sphere or sequence
        The particles.
    shape : tuple of int
        Numbers along x and y.
    spacing : float or (float, float)
        Distances along x and y, m.
    phase_steps : tuple of float
        Phase per site along x and y, rad.
    **options
        Powers, waists, polarisations, gas, …: as for :func:`trap_array`.

    Returns
    -------
    TrapArray
        The particles and their beams.

    Examples
    --------
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> net = ob.theory.grid(sphere, (2, 3), (3e-6, 4e-6))
    >>> len(net.spheres), [round(1e6 * float(x), 6) for x in net.foci[-1]]  # µm
    (6, [3.0, 8.0, 0.0])
    """
    if np.shape(shape) != (2,):
        raise InputError(f"shape needs two numbers of particles, got {shape!r}")
    for number in shape:
        _check_count(number, 1)
    steps = _each("spacing", spacing, (2,), np.float64)
    turns = _each("phase_steps", phase_steps, (2,), np.float64)
    sites = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 2)
    places = np.concatenate([sites * steps, np.zeros((len(sites), 1))], axis=1)
    return trap_array(places, spheres, phases=sites @ turns, **options)


def phase_gradient(array: TrapArray, gradient: Sequence[float]) -> TrapArray:
    """Copy with phases gradient·r_j added, as under a tilted wave front.

    Parameters
    ----------
    array : TrapArray
        Whose foci r_j count.
    gradient : sequence of 3 floats
        (x, y, z), rad/m.
    """
    slope = np.asarray(gradient, dtype=np.float64)
    if slope.shape != (3,) or not np.isfinite(slope).all():
        raise InputError(f"gradient needs three finite entries in rad/m, got {gradient!r}")
    tweezers = tuple(
        replace(beam, phase=beam.phase + float(slope @ np.array(beam.position)))
        for beam in array.tweezers
    )
    return replace(array, tweezers=tweezers)


def level_lines(array: TrapArray, at: Place = "equilibrium") -> TrapArray:
    """Copy with powers trimmed until all lines ω̃_j are equal, at their mean.

    Neighbours shift the lines at the ends of a chain less than in its middle; a chain is uniform
    only after this, as powers are trimmed in the laboratory.

    Parameters
    ----------
    array : TrapArray
        Whose powers are trimmed.
    at : "equilibrium", "focus" or array_like of shape (n, 3)
        Where the lines are looked at.

    Returns
    -------
    TrapArray
        With other powers.

    Raises
    ------
    InputError
        If the array has measured frequencies, which do not follow the power.
    ConvergenceError
        If no powers level the lines.

    Examples
    --------
    >>> import numpy as np
    >>> import optobind as ob
    >>> sphere = ob.load_trap("simulated-pair").spheres[0]
    >>> chain = ob.theory.level_lines(ob.theory.linear_chain(sphere, 3, 3e-6))
    >>> lines = ob.theory.CouplingNetwork.exact(chain).lines
    >>> bool(np.ptp(lines) < 1e-8 * lines.mean())
    True
    """
    if array.measured_omegas is not None:
        raise InputError("measured frequencies do not follow the power: level computed ones")
    target = float(CouplingNetwork.exact(array, at).lines.mean())
    for _ in range(_TRIALS):
        lines = CouplingNetwork.exact(array, at).lines
        if np.abs(lines / target - 1.0).max() < _SETTLED:
            return array
        array = replace(
            array,
            tweezers=tuple(
                replace(beam, power=beam.power * float(target / line) ** 2)
                for beam, line in zip(array.tweezers, lines, strict=True)
            ),
        )
    raise ConvergenceError("no powers level the lines: binding is too strong or too far off")


def chain_family(
    array: TrapArray,
    *,
    phase_step: ArrayLike | None = None,
    spacing: ArrayLike | None = None,
    power: ArrayLike | None = None,
    pressure: ArrayLike | None = None,
) -> LightFamily:
    """Vary an array as a whole; what is given broadcasts, the rest stays.

    Parameters
    ----------
    array : TrapArray
        At least two particles.
    phase_step : array_like, optional
        φ_{j+1} − φ_j, rad; the first beam keeps its phase.
    spacing : array_like, optional
        Distance of the first two foci, m; all foci scale about their centre.
    power : array_like, optional
        Mean power of the beams, W; all scale alike.
    pressure : array_like, optional
        Pa.

    Raises
    ------
    InputError
        For fewer than two particles or values out of range.
    """
    if len(array.spheres) < 2:
        raise InputError("a chain needs two particles, the array has 1")
    options: dict[str, ArrayLike] = {}
    index = np.arange(len(array.spheres))
    if phase_step is not None:
        steps = np.asarray(phase_step, dtype=np.float64)[..., None]
        options["phases"] = array.tweezers[0].phase + steps * index
    if spacing is not None:
        scale = np.asarray(spacing, dtype=np.float64) / math.dist(array.foci[0], array.foci[1])
        if not (np.isfinite(scale).all() and scale.min(initial=np.inf) > 0.0):
            raise InputError("spacing must be positive and finite, in m")
        centre = array.foci.mean(axis=0)
        options["foci"] = centre + scale[..., None, None] * (array.foci - centre)
    if power is not None:
        own = np.array([beam.power for beam in array.tweezers])
        options["powers"] = np.asarray(power, dtype=np.float64)[..., None] * own / own.mean()
    if pressure is not None:
        options["pressures"] = pressure
    return LightFamily.of(array, **options)
