"""Working points of a given trap array: which Δν, modulation or balance the experiment must set."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar

from ...models.array import TrapArray
from ...models.errors import InputError
from ...models.light import Site, TweezerState
from ...models.reprs import short_repr
from .array_drift import averaged_positions
from .array_model import array_model
from .drift import ModulatedModel
from .drives import detuned, power_modulation
from .program import LightProgram
from .rotating import effective_rates, mean_lines
from .waveform import Sinusoid
from .working_points import Kind, WorkingPoint, find_working_point, resonant_frame

__all__ = [
    "ArrayWorkingPoint",
    "StaticBeamSplitter",
    "array_working_point",
    "best_phase_modulation",
    "static_beam_splitter",
]

Array: TypeAlias = NDArray[np.float64]

_PROBE = 1e3  # Hz; the averaged positions do not depend on it
_MOST_DEPTH = 3.0  # rad; J_1 has its maximum at 1.84
_MOST_BALANCE = 0.3


@dataclass(frozen=True)
class StaticBeamSplitter:
    """Light at rest at which the lines of a pair coincide.

    Attributes
    ----------
    state : TweezerState
        Phases and powers to set.
    phi : float
        Set phase φ, rad.
    balance : float
        (P_2 − P_1)/(P_1 + P_2) at which ω̃_1 = ω̃_2.
    rotating_rate : float
        √((g_r + g_a)(g_r − g_a))·ω/ω̃ of quanta at the lines ω̃, rad/s.
    rate : float
        Half the splitting of the exact eigenfrequencies, rad/s.
    growth_rate : float
        Largest growth rate with the array's own damping, 1/s.
    """

    state: TweezerState
    phi: float
    balance: float
    rotating_rate: float
    rate: float
    growth_rate: float

    @property
    def transfer_time(self) -> float:
        """Time after which the two states are swapped, π/(2g), s."""
        return math.pi / (2.0 * self.rate)


@dataclass(frozen=True)
class ArrayWorkingPoint:
    """A working point with what has to be set for it.

    Attributes
    ----------
    point : WorkingPoint
        Frequency, rates, damping needed and the model.
    drive : str
        "detuning", "phase" or "power".
    phi_0 : float
        Phase at t = 0 of two tones, or mean phase, rad.
    depth : float
        β of a phase modulation (rad) or m of a modulated power; NaN for two tones.
    program : LightProgram
        The light at the working point.
    positions : ndarray, shape (2, 3)
        Where the particles rest on average, m.
    doubts : tuple of str
        Where the linear model is doubtful there, see :meth:`ArrayModel.doubts`.
    """

    point: WorkingPoint
    drive: str
    phi_0: float
    depth: float
    program: LightProgram
    positions: Array
    doubts: tuple[str, ...]

    __repr__ = short_repr

    def plan_keys(self) -> dict[str, float]:
        """Keys of a reheating plan in whose releases a card plays this light.

        The plan adds φ(t) = 2πΔνt to φ as it is set, from the first sample of each release on: set
        ``phi_0`` and the powers of the array beforehand.

        Returns
        -------
        dict
            ``phase_rate``, Hz, to be given to :class:`optobind.ReheatingPlan`.

        Raises
        ------
        InputError
            For another drive than two tones.

        Examples
        --------
        >>> import optobind as ob
        >>> array = ob.load_trap("simulated-pair", ["tweezers.1.power=0.17 W"])
        >>> found = ob.theory.array_working_point(array, "two_mode_squeezing")
        >>> plan = ob.ReheatingPlan(release_time=1e-3, **found.plan_keys())
        >>> round(plan.phase_rate / 1e3)
        105
        """
        if self.drive != "detuning":
            raise InputError(
                f"a plan turns φ at a steady rate (drive='detuning'); it does not play a modulated "
                f"{self.drive}: give program to a player of waveforms of your own"
            )
        return {"phase_rate": self.point.frequency}


def _require_pair(array: TrapArray) -> None:
    if len(array.spheres) != 2:
        raise InputError(f"a working point needs a pair, got {len(array.spheres)} particles")


def array_working_point(
    array: TrapArray,
    kind: Kind,
    *,
    drive: Literal["detuning", "phase", "power"] = "detuning",
    phi_0: float | None = None,
    depth: float | None = None,
    particle: int = 0,
) -> ArrayWorkingPoint:
    """Find a working point of a pair from first principles.

    Parameters
    ----------
    array : TrapArray
        Two particles; their beams' phases and detunings are replaced.
    kind : str
        "beam_splitter", "one_mode_squeezing" or "two_mode_squeezing".
    drive : str
        "detuning" (two tones, φ = φ_0 + 2πΔνt), "phase" (φ = φ_0 + β cos Ωt) or "power" (p_j =
        1 + m cos Ωt of one particle, for one-mode squeezing).
    phi_0 : float, optional
        rad; of a phase modulation the best one by default, otherwise 0. With two tones it only
        turns the squeezed quadrature.
    depth : float, optional
        β in rad (the best by default) or m (0.1 by default).
    particle : int
        0 or 1, of one-mode squeezing.

    Returns
    -------
    ArrayWorkingPoint
        The working point and the light to set for it.

    Raises
    ------
    InputError
        For an array that is no pair, an unknown drive, or light that drives no such resonance.
    NotTrappedError
        If the averaged light does not hold a particle.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    >>> import optobind as ob
    >>> array = ob.load_trap("simulated-pair", ["tweezers.1.power=0.17 W"])
    >>> found = ob.theory.array_working_point(array, "two_mode_squeezing")
    >>> found.drive, found.point.growth_rate > 0.0
    ('detuning', True)
    """
    _require_pair(array)
    if drive not in ("detuning", "phase", "power"):
        raise InputError(f"unknown drive {drive!r}; known: detuning, phase, power")
    if drive == "power" and kind != "one_mode_squeezing":
        raise InputError(f"a power drives one-mode squeezing only, not {kind!r}")
    if drive == "phase" and (phi_0 is None or depth is None):
        best = best_phase_modulation(array, kind, particle=particle)
        phi_0 = best[0] if phi_0 is None else phi_0
        depth = best[1] if depth is None else depth
    phase = 0.0 if phi_0 is None else phi_0
    swing = 0.1 if depth is None else depth
    model = array_model(array, _program(drive, _PROBE, phase, swing, particle)).model
    point = find_working_point(model, kind, particle=particle)
    program = _program(drive, point.frequency, phase, swing, particle)
    found = array_model(array, program)
    return ArrayWorkingPoint(
        point=point,
        drive=drive,
        phi_0=phase,
        depth=math.nan if drive == "detuning" else swing,
        program=program,
        positions=found.positions,
        doubts=found.doubts(),
    )


def _program(
    drive: str, frequency: float, phi_0: float, depth: float, particle: int
) -> LightProgram:
    """Light of a drive that repeats at a frequency (Hz)."""
    omega = 2.0 * math.pi * frequency
    if drive == "detuning":
        return LightProgram.pair(detuned(frequency, phi_0))
    if drive == "phase":
        return LightProgram.pair(Sinusoid(phi_0, depth, omega))
    wave = power_modulation(depth, omega)
    return LightProgram.pair(phi_0, *(wave if j == particle else 1.0 for j in range(2)))


def _phase_program(phi_0: float, depth: float) -> LightProgram:
    return _program("phase", _PROBE, phi_0, depth, 0)


def best_phase_modulation(
    array: TrapArray, kind: Kind, *, particle: int = 0
) -> tuple[float, float]:
    """φ_0 and β (rad) of φ(t) = φ_0 + β cos Ωt that drive a resonance fastest (rotating wave).

    The positions are those of the unmodulated light while it searches; they move the optimum by
    O(g/ω).
    """
    _require_pair(array)
    base = array_model(
        array, _phase_program(0.0, 1.0), at=averaged_positions(array, _phase_program(0.0, 0.0))
    ).model

    def slowness(point: Array) -> float:
        depth = min(max(float(point[1]), 0.0), _MOST_DEPTH)
        model = replace(base, weights=_phase_program(float(point[0]), depth))
        return -_driven_rate(model.undamped(), kind, particle)

    phases = np.linspace(-math.pi, math.pi, 12, endpoint=False)
    grid = np.array([(phi, beta) for phi in phases for beta in np.linspace(0.3, _MOST_DEPTH, 6)])
    slowest = np.array([slowness(point) for point in grid])
    start = grid[int(slowest.argmin())].tolist()
    found = minimize(
        slowness,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-4 * abs(float(slowest.min()))},
    )
    phi = math.remainder(float(found.x[0]), 2.0 * math.pi)
    return phi, float(min(max(found.x[1], 0.0), _MOST_DEPTH))


def _driven_rate(model: ModulatedModel, kind: Kind, particle: int) -> float:
    """Rate of one resonance alone in the rotating wave, rad/s."""
    lines = mean_lines(model)
    target = {
        "beam_splitter": abs(float(lines[1] - lines[0])),
        "one_mode_squeezing": 2.0 * float(lines[particle]),
        "two_mode_squeezing": float(lines.sum()),
    }[kind]
    frequency = target / (2.0 * math.pi)
    rates = effective_rates(model.played_at(frequency), resonant_frame(kind, lines, frequency, 1))
    if kind == "beam_splitter":
        return rates.exchange.real
    if kind == "one_mode_squeezing":
        return abs(rates.one_mode[particle])
    return rates.two_mode_gain.real


def static_beam_splitter(array: TrapArray, phi: float | None = None) -> StaticBeamSplitter:
    """Find the power balance at which a pair swaps its states under light at rest.

    Parameters
    ----------
    array : TrapArray
        Two particles; total power and positions are kept.
    phi : float, optional
        Set phase, rad; by default that of the fastest exchange.

    Raises
    ------
    InputError
        If the lines do not meet within a balance of ±0.3, or the coupling is antireciprocal
        there, so that nothing is swapped.
    """
    _require_pair(array)
    base = TweezerState(
        tuple(Site(beam.position, beam.power, beam.phase) for beam in array.tweezers)
    )

    def product(phase: float, balance: float) -> float:
        state = base.with_pair(phi=phase, balance=balance)
        constants = array.with_light(state).pair_constants().constants
        return constants.g_r**2 - constants.g_a**2

    if phi is None:
        grid = np.linspace(-math.pi, math.pi, 16, endpoint=False)
        start = max(grid.tolist(), key=lambda value: product(value, base.balance))
        width = float(grid[1] - grid[0])
        phi = float(
            minimize_scalar(
                lambda value: -product(value, base.balance),
                bounds=(start - width, start + width),
                method="bounded",
                options={"xatol": 1e-3},
            ).x
        )

    def gap(balance: float) -> float:
        state = base.with_pair(phi=phi, balance=balance)
        lines = array.with_light(state).pair_constants().constants.line_frequencies
        return lines[1] - lines[0]

    if gap(-_MOST_BALANCE) * gap(_MOST_BALANCE) > 0.0:
        raise InputError(
            f"the two lines do not meet within a power balance of ±{_MOST_BALANCE:g}; use more "
            "equal particles or waists"
        )
    balance = float(brentq(gap, -_MOST_BALANCE, _MOST_BALANCE, xtol=1e-10))
    return _static_point(array, base.with_pair(phi=phi, balance=balance), phi, balance)


def _static_point(
    array: TrapArray, state: TweezerState, phi: float, balance: float
) -> StaticBeamSplitter:
    """Rates at a located balance."""
    lit = array.with_light(state)
    constants = lit.pair_constants().constants
    square = constants.g_r**2 - constants.g_a**2
    if square <= 0.0:
        raise InputError(
            f"the coupling is antireciprocal at phi = {phi:.4g} rad (g_r = {constants.g_r:.4g}, "
            f"g_a = {constants.g_a:.4g} rad/s): it amplifies instead of swapping, use another phi"
        )
    model = lit.linearize()
    lines = np.sort(model.eigenvalues.imag)[-2:]
    return StaticBeamSplitter(
        state=state,
        phi=phi,
        balance=balance,
        rotating_rate=math.sqrt(square) * constants.omega / constants.line_frequencies[0],
        rate=0.5 * float(lines[1] - lines[0]),
        growth_rate=model.growth_rate,
    )
