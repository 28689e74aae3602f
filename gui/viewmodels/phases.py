"""The phase diagram: where the light is, was and may go, and what was fitted there."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .curves import Curve
from .units import format_si

if TYPE_CHECKING:
    from ...acquisition.sweeps.folder import SweepFolder
    from ...acquisition.sweeps.plan import SweepPlan
    from ...acquisition.sweeps.rows import Row
    from ...models.array import TrapArray
    from ...models.inference.result import FitResult
    from ...models.light import TweezerState

__all__ = [
    "DiagramPoint",
    "FittedPoint",
    "PhasesModel",
    "SymmetryView",
    "plan_points",
    "sweep_points",
    "symmetry_view",
]

_TRAIL_SECONDS = 60.0
_MOST_MEASURED = 200
_MOST_PLANNED = 5000
_TWO_PI = 2.0 * math.pi
_CIRCLE = np.linspace(0.0, _TWO_PI, 49)


@dataclass(frozen=True)
class DiagramPoint:
    """A set-point: φ (rad), distance (m), whether it was measured, and in words."""

    phi: float
    separation: float
    measured: bool
    text: str = ""


@dataclass(frozen=True)
class FittedPoint:
    """δω/2π and g_a/2π of a fit with their covariance, Hz and Hz²."""

    delta: float
    g_a: float
    covariance: NDArray[np.float64]

    def ellipse(self) -> Curve:
        """Outline of one standard error (39 % of a plane normal distribution)."""
        values, vectors = np.linalg.eigh(self.covariance)
        axes = vectors * np.sqrt(np.maximum(values, 0.0))
        around = axes @ np.stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])
        return Curve(self.delta + around[0], self.g_a + around[1])


@dataclass(frozen=True)
class SymmetryView:
    """Fig. 3(b) at one g_r, frequencies in Hz.

    Attributes
    ----------
    lower, upper : Curve
        Exceptional points of both signs of g_a: the phase between them is broken.
    growth : Curve
        Where amplitudes begin to grow although gas damps, one outline a sign of g_a.
    threshold : float
        |g_r|: above it coupling is antireciprocal.
    span : (float, float)
        Half widths of the picture in δω and g_a.
    """

    lower: Curve
    upper: Curve
    growth: Curve
    threshold: float
    span: tuple[float, float]


def symmetry_view(g_r: float, gamma: float, reach: tuple[float, float]) -> SymmetryView:
    """Borders of Fig. 3(b), Eq. (12) of the Letter: δω = ±2 sqrt(g_a² − g_r²).

    Parameters
    ----------
    g_r, gamma : float
        Reciprocal coupling and mean damping, Hz (divided by 2π).
    reach : (float, float)
        |δω| and |g_a| that must be in sight, Hz.
    """
    threshold = abs(g_r)
    top = 1.35 * max(reach[1], 2.0 * threshold, 1.0)
    g_a = np.linspace(threshold, top, 120)
    split = 2.0 * np.sqrt(np.maximum(g_a**2 - threshold**2, 0.0))
    grown = np.maximum(g_a**2 - threshold**2 - (0.5 * gamma) ** 2, 0.0)
    inside = grown > 0.0
    edge = 2.0 * np.sqrt(grown[inside])
    outline = np.concatenate([-edge[::-1], edge])
    height = np.concatenate([g_a[inside][::-1], g_a[inside]])
    both = Curve(np.concatenate([-split[::-1], split]), np.concatenate([g_a[::-1], g_a]))
    width = 1.2 * max(reach[0], 2.0 * top)
    return SymmetryView(
        lower=Curve(both.x, -both.y),
        upper=both,
        growth=Curve(outline, height),
        threshold=threshold,
        span=(width, top),
    )


def sweep_points(folder: SweepFolder) -> list[DiagramPoint]:
    """Set-points of a sweep: those that were measured, then those that are planned.

    Parameters
    ----------
    folder : SweepFolder
        Of the sweep; knobs that are none of the light do not move a point.
    """
    return plan_points(folder.plan, folder.header.light, folder.rows())


def plan_points(
    plan: SweepPlan, light: TweezerState, rows: Sequence[Row] = ()
) -> list[DiagramPoint]:
    """Set-points of a sweep that begins with a light; arguments as of a folder's header.

    Raises
    ------
    InputError
        For a tweezer that the light does not have.
    """
    from ...acquisition.sweeps.knobs import knob_of
    from ...acquisition.sweeps.points import planned_points

    knobs = [knob_of(axis.knob) for axis in plan.axes]
    if len(light.sites) < 2:
        return []

    def at(setting: Sequence[float], measured: bool, text: str) -> DiagramPoint:
        state = light
        for knob, value in zip(knobs, setting, strict=True):
            state = state if knob.set_light is None else knob.set_light(state, value)
        phi = math.remainder(state.relative_phase, _TWO_PI)
        return DiagramPoint(phi, state.separation, measured, text)

    rows = [row for row in rows if row.kind != "reference"]
    done = {row.setting for row in rows}
    found = [at(s, True, "") for s in dict.fromkeys(row.setting for row in rows)]
    planned = dict.fromkeys(p.setting for p in planned_points(plan) if p.kind != "reference")
    left = [s for s in planned if s not in done]
    return found + [at(s, False, "") for s in left[:_MOST_PLANNED]]


class PhasesModel:
    """State of the phase diagram.

    Attributes
    ----------
    live : DiagramPoint or None
        Light as read back.
    fitted : FittedPoint or None
        The newest fit, if it is of what is measured now.
    sweep : list of DiagramPoint
        Of a sweep that was opened, goes on, or is chosen in the queue.
    measured : list of DiagramPoint
        Set-points at which there was a good fit while the window was open.
    """

    def __init__(self) -> None:
        self.live: DiagramPoint | None = None
        self.fitted: FittedPoint | None = None
        self.sweep: list[DiagramPoint] = []
        self.measured: list[DiagramPoint] = []
        self._trail: deque[tuple[float, float, float]] = deque(maxlen=600)
        self._fits: deque[tuple[float, float, float]] = deque(maxlen=600)

    def set_light(self, state: TweezerState | None, now: float) -> None:
        """Take the light as read back, at a monotonic time (s)."""
        if state is None or len(state.sites) < 2:
            self.live = None
            return
        phi = math.remainder(state.relative_phase, _TWO_PI)
        self.live = DiagramPoint(phi, state.separation, True)
        last = self._trail[-1] if self._trail else None
        if last is None or last[1:] != (phi, state.separation):
            if last is not None:
                self._trail.append((now, *last[1:]))  # there until now
            self._trail.append((now, phi, state.separation))

    def set_fit(self, result: FitResult | None, now: float) -> None:
        """Take a fit of what is measured now, None while there is none."""
        self.fitted = None if result is None else fitted_point(result)
        if self.fitted is None:
            return
        self._fits.append((now, self.fitted.delta, self.fitted.g_a))
        if self.live is not None and self.live not in self.measured:
            self.measured = [*self.measured, self.live][-_MOST_MEASURED:]

    def trail(self, now: float) -> Curve:
        """Set-points of the last minute; a jump of φ by a turn is no line."""
        kept = [p for p in self._trail if now - p[0] <= _TRAIL_SECONDS]
        older = [p for p in self._trail if now - p[0] > _TRAIL_SECONDS][-1:]
        table = np.array(older + kept).reshape(-1, 3)
        return Curve(table[:, 1], table[:, 2])

    def fits(self, now: float) -> Curve:
        """Fits of the last minute, Hz."""
        table = np.array([p for p in self._fits if now - p[0] <= _TRAIL_SECONDS]).reshape(-1, 3)
        return Curve(table[:, 1], table[:, 2])

    def distances(self, trap: TrapArray) -> tuple[float, float]:
        """Range of distances in sight: half a wave to either side of the light, spheres apart."""
        own = float(np.linalg.norm(trap.foci[0] - trap.foci[1]))
        centre = own if self.live is None else self.live.separation
        least = 1.05 * sum(sphere.radius for sphere in trap.spheres)
        half = 0.5 * trap.wavelength
        return max(centre - half, least), max(centre, least) + half


def fitted_point(result: FitResult) -> FittedPoint | None:
    """δω and g_a of a pair fit with the covariance of both; None where they were not fitted."""
    parameters = result.parameters
    names = ("omega_1", "omega_2", "g_a")
    if any(name not in parameters for name in names):
        return None
    values = [parameters[name].value / _TWO_PI for name in names]
    varying = list(result.varying)
    covariance = np.zeros((3, 3))
    for a, one in enumerate(names):
        for b, other in enumerate(names):
            if one in varying and other in varying:
                covariance[a, b] = result.covariance[varying.index(one), varying.index(other)]
    mixing = np.array([[-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) / _TWO_PI
    plane = mixing @ covariance @ mixing.T
    if not np.isfinite(plane).all():
        return None
    return FittedPoint(values[1] - values[0], values[2], plane)


def constants_text(values: Mapping[str, float] | None) -> str:
    """Predicted g_r and damping in words, for the title of Fig. 3(b)."""
    if values is None or "g_r" not in values:
        return "waiting for a fit or a prediction of gᵣ"
    return f"at gᵣ = {format_si(values['g_r'] / _TWO_PI, 'Hz', 3)} of the present light"
