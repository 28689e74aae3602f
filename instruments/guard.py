"""One guard for all light, outside the drivers: allowed or not, slew, read-back.

A step of power or position faster than a trap can follow loses its particle; a set-point that a
device took differently than asked spoils a run without a word. Both end here. Nothing is sent
before the goal and the way to it are known to be allowed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from ..models.array import TrapArray
from ..models.errors import DeviceError, InputError, LightUnknownError, NotTrappedError
from ..models.light import Site, TweezerState
from ..models.ranges import require_range
from .protocols import AppliedLight, LightCapabilities, TweezerControl
from .ramp import RampPace
from .trapping import require_trapped, traps

__all__ = ["GuardedLight", "LightLimits", "Stopped"]

# Points of the way at which the rig's model is asked.
_POINTS = 8
_SLACK = 1e-9  # relative; distances of a read-back carry rounding


class Stopped(InputError):
    """A ramp that was ended on request; the light stays at its last step."""


@dataclass(frozen=True)
class LightLimits:
    """Slew rates and tolerances of the light; the ranges are those of the control.

    Attributes
    ----------
    power_slew : float
        W/s per site.
    position_slew : float
        m/s per site.
    power_tolerance : float
        Allowed relative difference between asked and read back.
    position_tolerance : float
        m.
    phase_tolerance : float
        rad, of φ; not checked while the light beats.
    longest : float
        A ramp that takes longer is refused, s.
    step_time : float
        Time between the steps of a ramp, s; on a slow link steps are larger, see :mod:`.ramp`.
    """

    power_slew: float = math.inf
    position_slew: float = math.inf
    power_tolerance: float = 0.05
    position_tolerance: float = 5e-8
    phase_tolerance: float = 0.1
    longest: float = 1.0
    step_time: float = 0.02


@dataclass(frozen=True)
class _Way:
    """From the light that is (None where it is not known) to the goal, in so many seconds."""

    start: TweezerState | None
    goal: TweezerState
    seconds: float

    def at(self, share: float) -> TweezerState:
        """Light after a share of the way; phases and detunings are those of the goal."""
        if share >= 1.0 or self.start is None:
            return self.goal
        pairs = zip(self.start.sites, self.goal.sites, strict=True)
        return TweezerState(tuple(_between(a, b, share) for a, b in pairs))


class GuardedLight:
    """A TweezerControl whose light is checked beforehand, moves slowly and is read back.

    Parameters
    ----------
    control : TweezerControl
        What is guarded.
    limits : LightLimits
        Slew rates and tolerances.
    trap : TrapArray, optional
        The model of the rig: light that holds no particles by it is refused.
    clock : callable
        Monotonic time, s.
    sleep : callable, optional
        Waits, s; by default a wait that a request to stop ends.
    """

    def __init__(
        self,
        control: TweezerControl,
        limits: LightLimits,
        trap: TrapArray | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._control, self.limits, self.trap = control, limits, trap
        self._clock, self._sleep = clock, sleep

    @classmethod
    def around(cls, light: TweezerControl, trap: TrapArray | None) -> GuardedLight:
        """Guard of a control that may have one already, which then learns of the rig's model."""
        if not isinstance(light, GuardedLight):
            return cls(light, LightLimits(), trap)
        if light.trap is None:
            light.trap = trap
        return light

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        return self._control.capabilities

    def check(self, state: TweezerState, *, allow_untrapped: bool = False) -> None:
        """Refuse what :meth:`apply` would refuse; reads the devices, writes nothing.

        Raises
        ------
        InputError
            If a value is out of range or cannot be set here, if it takes too long to get there or
            leads through light that is not allowed.
        NotTrappedError
            If the rig's model finds no particles held, unless ``allow_untrapped``.
        DeviceError
            If the devices cannot be read.
        """
        self._way(state, allow_untrapped)

    def check_way(self, start: TweezerState | None, goal: TweezerState) -> None:
        """Refuse a light, or the way to it from another one, that is not allowed.

        Writes nothing. A way that takes too long for one ramp is made in several, see :meth:`legs`.

        Parameters
        ----------
        start : TweezerState or None
            Where the way begins; None for the light that is.
        goal : TweezerState
            Where it ends.

        Raises
        ------
        InputError, NotTrappedError, DeviceError
            As :meth:`check`.
        """
        self._control.check(goal)
        if start is None:
            try:
                start = self._control.read().state
            except LightUnknownError:
                self._allow(_Way(None, goal, 0.0))
                return
        for begin, end in pairwise((start, *self.legs(start, goal))):
            self._allow(_Way(begin, end, self._slew_seconds(begin, end)))

    def legs(self, start: TweezerState, goal: TweezerState) -> tuple[TweezerState, ...]:
        """Goals of the ramps from one light to another, none longer than allowed; usually one."""
        seconds = self._slew_seconds(start, goal)
        count = max(1, math.ceil(seconds / self.limits.longest * (1.0 - _SLACK)))
        way = _Way(start, goal, seconds)
        return tuple(way.at(n / count) for n in range(1, count + 1))

    def check_jump(self, state: TweezerState, turns: Sequence[float] = (0.0,)) -> None:
        """Refuse light to which a card is to jump from the present one; writes nothing.

        Parameters
        ----------
        state : TweezerState
            Where it jumps to.
        turns : sequence of float
            Phases that are added to the first tweezer's meanwhile, rad.

        Raises
        ------
        InputError
            If a value is out of range, or the power may change no faster than at a slew rate.
        NotTrappedError
            If the rig's model finds no particles held.
        DeviceError
            If the devices cannot be read.
        """
        self._control.check(state)
        if math.isfinite(self.limits.power_slew):
            raise InputError(
                f"the power may change by {self.limits.power_slew:g} W/s at most (power_slew of "
                "the light), and a card steps it at once: leave the power of releases as it is "
                "set, or take power_slew out of the rig if the particles stand a step"
            )
        if self.trap is not None:
            for turn in turns:
                if not traps(self.trap, state.with_site(0, phase=state.sites[0].phase + turn)):
                    powers = ", ".join(f"{1e3 * site.power:.4g}" for site in state.sites)
                    raise NotTrappedError(
                        f"by the rig's model {powers} mW do not hold the particles"
                        f"{' at φ + π' if turn else ''}; nothing was sent: choose a power of "
                        "releases nearer to 1, or step one trap only"
                    )

    def apply(
        self,
        state: TweezerState,
        *,
        allow_untrapped: bool = False,
        stop: threading.Event | None = None,
        begun: Callable[[], object] = lambda: None,
    ) -> AppliedLight:
        """Ramp to a state of the light and read it back.

        Light that is not known is set in one step.

        Parameters
        ----------
        state : TweezerState
            What is wanted.
        allow_untrapped : bool
            Set it even if the rig's model finds no particles held.
        stop : threading.Event, optional
            Ends the ramp at the step that was made last.
        begun : callable
            Called once everything has been found allowed, before anything is sent.

        Raises
        ------
        InputError
            As :meth:`check`; nothing has been sent then.
        Stopped
            If the ramp was ended by ``stop``.
        DeviceError
            If a device fails (the light stays at the last step that held) or has other values
            afterwards.
        """
        way = self._way(state, allow_untrapped)
        begun()
        if way.start is None or way.seconds <= 0.0:
            applied = self._control.apply(state)
        else:
            self._ramp(way, stop or threading.Event())
            applied = self._control.confirm(state)
        self._compare(state, applied)
        return applied

    def step(self, state: TweezerState) -> None:
        """Make one step without guard; see :class:`~.protocols.TweezerControl`."""
        self._control.step(state)

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at a state."""
        return self._control.confirm(state)

    def read(self) -> AppliedLight:
        """Read the light back from the devices."""
        return self._control.read()

    def release(self) -> None:
        """Turn the trap light off: the particles are lost."""
        self._control.release()

    # -- before anything is sent ----------------------------------------------------------------

    def _way(self, goal: TweezerState, allow_untrapped: bool) -> _Way:
        """Way to a goal, after every check."""
        self._control.check(goal)
        try:
            start = self._control.read().state
        except LightUnknownError:
            start = None
        way = _Way(start, goal, 0.0 if start is None else self._seconds(start, goal))
        self._allow(way, allow_untrapped)
        return way

    def _allow(self, way: _Way, allow_untrapped: bool = False) -> None:
        """Refuse a way that leads through light that is not allowed."""
        if way.seconds > 0.0:
            self._check_separations(way)
        if self.trap is not None and not allow_untrapped:
            require_trapped(self.trap, self._points(way, self.trap))

    def _seconds(self, start: TweezerState, goal: TweezerState) -> float:
        """Time that the way takes at the allowed slew rates, s; not longer than allowed."""
        seconds = self._slew_seconds(start, goal)
        if seconds > self.limits.longest:
            raise InputError(
                f"this change takes {seconds:.3g} s at the allowed slew rate, at most "
                f"{self.limits.longest:g} s: move in smaller steps"
            )
        return seconds

    def _slew_seconds(self, start: TweezerState, goal: TweezerState) -> float:
        """Time that a way takes at the allowed slew rates, s."""
        limits, seconds = self.limits, [0.0]
        for a, b in zip(start.sites, goal.sites, strict=True):
            seconds.append(abs(b.power - a.power) / limits.power_slew)
            seconds.append(math.dist(a.position, b.position) / limits.position_slew)
        return max(seconds)

    def _check_separations(self, way: _Way) -> None:
        """Refuse a way on which tweezers pass each other closer than allowed.

        The start may be too close itself: then the distance must not shrink.
        """
        assert way.start is not None
        low, high = self.capabilities.separation_range
        ends = list(zip(way.start.sites, way.goal.sites, strict=True))
        for (i, (a, c)), (j, (b, d)) in combinations(enumerate(ends, start=1), 2):
            first = np.subtract(a.position, b.position)
            change = np.subtract(c.position, d.position) - first
            square = float(change @ change)
            share = 0.0 if square == 0.0 else min(max(-float(first @ change) / square, 0.0), 1.0)
            closest = float(np.linalg.norm(first + share * change))
            least = min(low, float(np.linalg.norm(first)), float(np.linalg.norm(first + change)))
            if closest < least * (1.0 - _SLACK):
                require_range(
                    f"separation of tweezers {i} and {j} on the way there, after {share:.0%},",
                    closest, low, high, "m",
                )  # fmt: skip

    @staticmethod
    def _points(way: _Way, trap: TrapArray) -> list[tuple[float, TweezerState]]:
        """Light at which the model is asked: the goal, and the way of a ramp of held particles."""
        points = [(1.0, way.goal)]
        if way.seconds > 0.0 and way.start is not None and traps(trap, way.start):
            points += [(n / _POINTS, way.at(n / _POINTS)) for n in range(_POINTS)]
        return points

    # -- on the way -----------------------------------------------------------------------------

    def _ramp(self, way: _Way, stop: threading.Event) -> None:
        """Make the steps, each no larger than the time since the last one allows."""
        sleep = stop.wait if self._sleep is None else self._sleep
        pace = RampPace(way.seconds, self.limits.step_time, clock=self._clock, sleep=sleep)
        share = 0.0
        while share < 1.0:
            reached, share = share, pace.wait()
            if stop.is_set():
                raise Stopped(
                    f"the light was stopped after {reached:.0%} of the way and stays there: "
                    "set it again when nothing else is under way"
                )
            self._control.step(way.at(share))
            pace.written()

    def _compare(self, wanted: TweezerState, applied: AppliedLight) -> None:
        """Raise DeviceError if the devices have other values than asked for."""
        limits = self.limits
        for number, (asked, found) in enumerate(
            zip(wanted.sites, applied.state.sites, strict=True), start=1
        ):
            if not abs(found.power - asked.power) <= limits.power_tolerance * asked.power:
                raise DeviceError(
                    f"power of tweezer {number} was set to {asked.power:.4g} W but reads back "
                    f"{found.power:.4g} W: check source and calibration"
                )
            distance = math.dist(asked.position, found.position)
            if not distance <= limits.position_tolerance:
                raise DeviceError(
                    f"tweezer {number} stands {distance:.3g} m from where it was set: "
                    "check device and calibration"
                )
        if applied.beat == 0.0 and not applied.phase_error <= limits.phase_tolerance:
            raise DeviceError(
                f"φ is off by {applied.phase_error:.3g} rad (tolerance "
                f"{limits.phase_tolerance:g} rad): check that the source is aligned"
            )


def _between(a: Site, b: Site, share: float) -> Site:
    """Site on the way from a to b; phase and detuning are those of the goal."""
    x, y, z = (p + (q - p) * share for p, q in zip(a.position, b.position, strict=True))
    return replace(b, position=(x, y, z), power=a.power + (b.power - a.power) * share)
