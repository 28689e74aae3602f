"""The gate and the patterns of the simulated world: feedback and light as played."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping

from ...models.errors import InputError
from ...models.gas import Gas
from ...models.light import TweezerState
from ..patterns import FEEDBACK, Pattern
from .engine import Engine
from .kernels import Table
from .mechanics import OperatingPoint, WorldMechanics
from .played_light import SIGNALS, PlayedLight, with_signal
from .playing import Playing, Switching
from .points import PointFinder
from .settings import WorldSettings

__all__ = ["Stage"]


class Stage(ABC):
    """The part of a world that a gate and a pattern player act on.

    Attributes
    ----------
    armed : Pattern or None
        What begins with the first sample of the digitizer's next start.
    """

    _lock: threading.RLock
    _engine: Engine
    _mechanics: WorldMechanics
    _settings: WorldSettings
    _light: TweezerState | None
    _gas: Gas | None
    _position: int

    def _begin_stage(self, points: PointFinder) -> None:
        """Begin with nothing played."""
        self.armed: Pattern | None = None
        self._points = points
        self._switching = Switching(self._settings.feedback.closed)
        self._shown: PlayedLight | None = None
        self._still: dict[str, float] = {}
        self._tables: dict[int, tuple[OperatingPoint, Table]] = {}  # by stretch of the period

    def modulate(self, values: Mapping[str, float]) -> None:
        """Let modulators that stand still change the light that devices set, from now on.

        Parameters
        ----------
        values : mapping of str to float
            By signal, see :attr:`signals`: rad that are added to φ, shares of the power as it is
            set. Those that are left out change nothing.

        Raises
        ------
        InputError
            For a signal that this world does not have, or light that cannot be described.
        """
        if unknown := sorted(set(values) - set(self.signals)):
            raise InputError(f"this world has no signal {', '.join(unknown)}")
        with self._lock:
            before, self._still = self._still, dict(values)
            if self._still == before:
                return
            try:
                self._relight()
            except InputError:
                self._still = before
                raise

    def _in_modulators(self, light: TweezerState) -> TweezerState:
        """Light of devices behind the modulators that stand still."""
        for name, value in self._still.items():
            light = with_signal(light, name, value)
        return light

    @abstractmethod
    def _relight(self) -> None:
        """Make the light anew of what devices set and modulators do."""

    @abstractmethod
    def _move_to(self, light: TweezerState, *, keep_deviation: bool) -> None:
        """Re-linearise; the particles stay where they are, or follow their equilibria."""

    @property
    def gate_closed(self) -> bool:
        """Whether feedback acts."""
        return self._engine.gate

    @property
    def gate_set(self) -> bool:
        """Whether feedback acts once a switch that is late has acted."""
        return self._switching.settled

    def set_gate(self, closed: bool, *, after: int = 0) -> None:
        """Close (True) or open the feedback gate, ``after`` so many samples."""
        with self._lock:
            self._switching.command(self._position + after, bool(closed))
            self._switch()

    def play(self, pattern: Pattern | None) -> None:
        """Play a pattern from the next sample on; None ends the one that is played.

        Feedback acts while the gate is closed and the pattern's line ``FEEDBACK`` is high.

        Raises
        ------
        InputError
            For a line or signal that this world does not have.
        """
        names = () if pattern is None else (*pattern.levels, *pattern.waveforms)
        if unknown := sorted(set(names) - {FEEDBACK, *self.signals}):
            raise InputError(f"this world has no line or signal {', '.join(unknown)}")
        with self._lock:
            if self._shown is not None:  # the light that was set
                self._move_to(self._shown.base, keep_deviation=False)
            self._switching.playing = playing = None if pattern is None else Playing(pattern)
            self._shown, self._tables = None, {}
            if playing is not None and playing.pattern.waveforms and self._light is not None:
                self._shown = PlayedLight(playing, self._light, self._settings.sample_rate)
            self._switch()

    def begin_pattern(self) -> None:
        """Play what is armed from the next sample on, the digitizer's first one."""
        armed, self.armed = self.armed, None
        if armed is not None:
            self.play(armed)

    def skip_pattern(self, samples: int) -> None:
        """Let time pass for the pattern alone: a card plays on though nobody takes its samples."""
        with self._lock:
            self._switching.step(samples)
            if self._shown is not None:
                self._shown.forget()
            self._switch()

    @property
    def played(self) -> int | None:
        """Samples of the pattern's clock that have passed; None when none is played."""
        playing = self._switching.playing
        return None if playing is None else playing.position

    @property
    def held(self) -> bool:
        """Whether a pattern holds the line of the feedback gate."""
        playing = self._switching.playing
        patterns = (self.armed, None if playing is None else playing.pattern)
        return any(one is not None and FEEDBACK in one.levels for one in patterns)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the waveforms that can be played: of a pair's light."""
        pair = self._light is not None and self._mechanics.particles == 2
        return SIGNALS if pair else ()

    def _rebase(self, light: TweezerState) -> None:
        """Let what is played change other light than that with which it began."""
        assert self._shown is not None
        self._shown.base = light
        self._shown.forget()
        self._tables = {}
        self._switch()

    def _switch(self) -> None:
        """Let feedback be on or off as it is to be at the next sample."""
        acts = self._switching.acts(self._position)
        if acts is not self._engine.gate:
            self._engine.switch(acts)
        if self._shown is not None and self._shown.changes():
            self._show(self._shown)

    def _show(self, shown: PlayedLight) -> None:
        """Let the light be what the pattern has it be; the particles stay where they are."""
        number = shown.segment()
        if not all(self._engine.present) or number is None:
            self._move_to(shown.light(), keep_deviation=False)
            return
        if number not in self._tables:
            fast = shown.modulation()
            if fast is None:
                self._move_to(shown.light(), keep_deviation=False)
                return
            point, models, forces = self._points.modulated(fast, self._gas)
            table = self._engine.table(point, models, forces, fast.order)
            self._tables[number] = point, table
        point, table = self._tables[number]
        self._engine.install(point, self._engine.present, keep_deviation=False)
        self._engine.modulate(table, shown.since())
