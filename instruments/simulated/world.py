"""Particles, light, gas, feedback and detectors in one object that advances sample by sample.

World time is the number of samples produced: a command acts from the next sample on, so that the
index of every change is known exactly and a record depends on seed and commands only, not on how it
was read. Detectors are AC-coupled: they show the deviation from the present equilibrium.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import BlockStatus
from ...models.errors import InputError, NotTrappedError
from ...models.gas import Gas
from ...models.light import TweezerState
from ...models.pair import PairConstants
from .closed_loop import ClosedLoop
from .engine import Engine
from .loops import Loops
from .mechanics import OperatingPoint, WorldMechanics
from .points import PointFinder
from .settings import WorldSettings
from .settling import LightPath, Settling
from .stage import Stage

__all__ = ["SimulatedWorld"]

_SCRATCH = 65536
_SWITCH_STREAM = 1  # of the seed: the jitter of the gate


class SimulatedWorld(Stage, Loops):
    """The simulated laboratory behind its devices.

    Parameters
    ----------
    mechanics : WorldMechanics
        Physics: :class:`~.mechanics.TrapMechanics`.
    settings : WorldSettings
        Sample rate, seed, detectors, feedback.

    Attributes
    ----------
    idle : bool
        True while nobody samples: then light settles at once and the particles follow it.
    device_rng : numpy.random.Generator
        For the noise of the RF source; the gauge's generator is a child of it.
    switch_rng : numpy.random.Generator
        For the jitter of the feedback gate's switch.

    Raises
    ------
    NotTrappedError
        If the configured light does not hold the particles.
    """

    def __init__(self, mechanics: WorldMechanics, settings: WorldSettings) -> None:
        self._mechanics, self._settings = mechanics, settings
        self._lock = threading.RLock()
        self._light, self._gas = mechanics.light, mechanics.gas
        seeds = np.random.SeedSequence(settings.seed).spawn(4)
        self.device_rng = np.random.default_rng(seeds[3])
        self.switch_rng = _switch_generator(settings.seed)
        everyone = (True,) * mechanics.particles
        point = mechanics.operating_point(self._light, self._gas, everyone)
        self._engine = Engine(settings, point, seeds)
        self._position = 0
        self._begin_stage(PointFinder(mechanics))
        self._settling = Settling(settings.sample_rate)
        self._asked: tuple[LightPath, float, int] | None = None  # light of devices, and since when
        self.idle = self._warm = False
        self._engine.thermalise(range(mechanics.particles))

    # -- what can be seen -----------------------------------------------------------------------

    @property
    def settings(self) -> WorldSettings:
        """Set-up."""
        return self._settings

    @property
    def lock(self) -> threading.RLock:
        """Held while samples are produced: what devices change together changes under it."""
        return self._lock

    @property
    def position(self) -> int:
        """Number of samples produced so far."""
        return self._position

    @property
    def time(self) -> float:
        """World time, s."""
        return self._position / self._settings.sample_rate

    @property
    def point(self) -> OperatingPoint:
        """Operating point of the present segment."""
        return self._engine.point

    @property
    def light(self) -> TweezerState | None:
        """Light at this sample, on its way while an SLM settles."""
        with self._lock:
            return self._settling.light(self._position) or self._light

    @property
    def gas(self) -> Gas | None:
        """Gas."""
        return self._gas

    @property
    def lost(self) -> tuple[bool, ...]:
        """Which particles are lost."""
        return tuple(not there for there in self._engine.present)

    @property
    def pair(self) -> PairConstants | None:
        """Constants of the pair; None unless exactly two particles are there."""
        return self._engine.point.pair

    @property
    def equilibrium(self) -> NDArray[np.float64]:
        """Equilibria along z at this sample, m, shape (N,)."""
        left = self._settling.left(self._position)
        return np.asarray(self.point.equilibrium - left * self._engine.equilibrium_step)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Absolute z of the particles, m, shape (N,)."""
        deviation = self._engine.memory.state[0::2] * self.point.lengths
        return np.asarray(self.equilibrium + deviation)

    @property
    def momenta(self) -> NDArray[np.float64]:
        """Momenta along z, kg m/s, shape (N,)."""
        scale = self.point.masses * self.point.omega * self.point.lengths
        return np.asarray(self._engine.memory.state[1::2] * scale)

    def closed_loop(self, gate: bool | None = None) -> ClosedLoop:
        """Exact discrete system of states, filters, delays and detectors as they are set now.

        ``gate`` says instead what the feedback gate would be.
        """
        with self._lock:
            return self._engine.closed_loop(gate)

    def growth_rate(self, gate: bool | None = None, light: TweezerState | None = None) -> float:
        """Largest real part of the closed loop's poles, 1/s; negative when stable.

        ``gate`` and ``light`` say what these would be instead of what they are.

        Raises
        ------
        NotTrappedError, InputError
            If that light does not hold the particles, or cannot be described.
        """
        if light is None:
            return self.closed_loop(gate).growth_rate
        with self._lock:
            closed = self._engine.gate if gate is None else gate
            point = self._mechanics.operating_point(light, self._gas, self._engine.present)
            seeds = np.random.SeedSequence(0).spawn(3)
            return Engine(self._settings, point, seeds).closed_loop(closed).growth_rate

    def truth(self) -> dict[str, float]:
        """Values that a pair fit of the out-of-loop record should find, see :mod:`.truth`.

        Raises
        ------
        InputError
            Unless exactly two particles are there.
        """
        with self._lock:
            if len(self.lost) != 2 or any(self.lost):
                raise InputError("the truth of a pair fit needs two present particles")
            return self._engine.truth()

    # -- commands: from the next sample on --------------------------------------------------------

    def set_pressure(self, pressure: float) -> None:
        """Change the gas pressure, Pa.

        Raises
        ------
        InputError
            For a pressure out of range or a world without gas.
        """
        with self._lock:
            if self._gas is None:
                raise InputError("this world has no gas whose pressure could be set")
            self._gas = replace(self._gas, pressure=pressure)
            # Gas moves no equilibrium: a settling light goes on.
            self._engine.install(*self._solve(self._light), keep_deviation=True)

    def set_light(self, state: TweezerState) -> None:
        """Change the light at once; see :meth:`follow`."""
        self.follow(lambda _time: state, 0.0, jump=True)

    def follow(self, path: LightPath, duration: float, *, jump: bool = False) -> None:
        """Let the light follow a path.

        Parameters
        ----------
        path : callable
            Light at a time (s) after this command.
        duration : float
            Time after which the light rests, s.
        jump : bool
            Whether the light jumps at the start: the particles stay, the equilibria jump.

        Raises
        ------
        InputError
            If the final light cannot be described; nothing has changed then. Light that does not
            hold a particle is not refused: the particle is lost.
        """
        with self._lock:
            final = self._in_modulators(path(duration))
            self.require_describable(final)
            self._asked = path, duration, self._position
            self._engine.rest(self.equilibrium)
            self._settling.end()
            if self._shown is not None:  # a pattern plays on in other light
                self._rebase(final)
                return
            if self.idle or duration <= 0.0:
                self._move_to(final, keep_deviation=self.idle)
                return
            if jump:
                self._move_to(self._in_modulators(path(0.0)), keep_deviation=False)
            self._settling.begin(
                lambda time: self._in_modulators(path(time)), duration, self._position
            )
            self._begin_segment()

    def _relight(self) -> None:
        """Make the light anew of what devices set and modulators do."""
        if self._asked is None:
            light = self._light
            assert light is not None, "a world without light has no signals"
            self._asked = (lambda _time: light), 0.0, self._position
        path, duration, begin = self._asked
        passed = (self._position - begin) / self._settings.sample_rate
        left = max(0.0, duration - passed)
        self.follow(lambda time: path(passed + time), left, jump=True)

    def require_describable(self, light: TweezerState) -> None:
        """Raise InputError for light that is wrong in itself, not if it loses particles."""
        with self._lock:
            try:
                self._mechanics.operating_point(light, self._gas, self._engine.present)
            except NotTrappedError:
                return

    def reload(self) -> None:
        """Put lost particles back into their traps, as cold as feedback keeps them.

        Raises
        ------
        NotTrappedError
            If the light does not hold them; nothing has changed then.
        """
        with self._lock:
            back = [j for j, gone in enumerate(self.lost) if gone]
            if not back:
                return
            light, everyone = self.light, (True,) * len(self.lost)
            point = self._mechanics.operating_point(light, self._gas, everyone)
            self._engine.rest(self.equilibrium)
            self._engine.install(point, everyone, keep_deviation=False)
            self._engine.thermalise(back)

    def renew(self, seed: int) -> None:
        """Begin anew at the present light and gas with another seed, as a new world would.

        What is sampled then depends on the light, the gas and the seed alone, whatever was done
        before: each point of a sweep can be made again by itself.

        Raises
        ------
        InputError
            While a particle is lost or a pattern is played.
        """
        with self._lock:
            if any(self.lost):
                raise InputError("a particle is lost: reload it, then begin anew")
            if self.held:
                raise InputError("a pattern holds the feedback gate: halt it, then begin anew")
            seeds = np.random.SeedSequence(seed).spawn(4)
            self.device_rng = np.random.default_rng(seeds[3])
            self.switch_rng = _switch_generator(seed)
            self._light, gate = self._settling.goal or self._light, self._engine.gate
            self._settling.end()
            everyone = (True,) * self._mechanics.particles
            point = self._mechanics.operating_point(self._light, self._gas, everyone)
            self._engine = Engine(self._settings, point, seeds)
            self._engine.switch(gate)
            self._engine.thermalise(range(self._mechanics.particles))
            self._warm = False

    # -- production -------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Let the closed loop forget how it began; once, and before the first sample at the latest.

        The first call also loads the kernels, which takes seconds when they must be compiled.
        """
        with self._lock:
            if not self._warm:
                self._warm = True
                self._engine.warm_up()

    def advance(
        self, counts: NDArray[np.int16], truth: NDArray[np.float64] | None = None
    ) -> BlockStatus:
        """Produce the next ``len(counts)`` samples.

        Parameters
        ----------
        counts : ndarray of int16, shape (n, channels)
            Filled with ADC codes.
        truth : ndarray, shape (n, 2N), optional
            Filled with the states in quanta of the operating point, (z_1, p_1, …).

        Returns
        -------
        BlockStatus
            SATURATED if a sample was clipped, PARTICLE_LOST while a particle is missing.
        """
        with self._lock:
            self.warm_up()
            done, saturated = 0, False
            while done < len(counts):
                left = self._settling.left(self._position) or len(counts)
                left = min(left, len(counts) - done)
                end = done + self._switching.steady(self._position, left)
                part = None if truth is None else truth[done:end]
                made, clipped = self._engine.run(counts[done:end], part)
                done += made
                self._position += made
                self._switching.step(made)
                self._switch()
                saturated = saturated or clipped
                self._take_out_lost()
                if self._settling.reached(self._position):
                    self._begin_segment()
            status = BlockStatus.SATURATED if saturated else BlockStatus.OK
            return status | BlockStatus.PARTICLE_LOST if any(self.lost) else status

    def skip(self, samples: int) -> None:
        """Advance without keeping the samples."""
        scratch = np.zeros((min(samples, _SCRATCH), len(self._settings.detectors)), dtype=np.int16)
        for done in range(0, samples, _SCRATCH):
            self.advance(scratch[: samples - done])

    # -- inner workings ---------------------------------------------------------------------------

    def _solve(self, light: TweezerState | None) -> tuple[OperatingPoint, tuple[bool, ...]]:
        """Operating point with as many particles as the light holds, and who they are."""
        return self._points.find(light, self._gas, self._engine.present, self._light)

    def _move_to(self, light: TweezerState, *, keep_deviation: bool) -> None:
        """Re-linearise; the particles stay where they are, or follow their equilibria."""
        point, present = self._solve(light)
        self._light = light
        self._engine.install(point, present, keep_deviation=keep_deviation)

    def _begin_segment(self) -> None:
        """Start the way to the next knot of a settling light, or rest at the last."""
        start = self.point.equilibrium
        target = self._settling.target()
        if target is None:
            self._engine.rest(start)
            return
        left = self._settling.left(self._position)
        point, present = self._solve(target)
        self._light = target
        self._engine.equilibrium_step = (point.equilibrium - start) / left
        self._engine.install(point, present, keep_deviation=True)

    def _take_out_lost(self) -> None:
        """Take out the particles that left the range of the linear model."""
        if not self._engine.lose_what_left():
            return
        self._engine.rest(self.equilibrium)
        point, present = self._solve(self._light)
        self._engine.install(point, present, keep_deviation=False)


def _switch_generator(seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, _SWITCH_STREAM))
