"""The feedback loops of the simulated world: retuned while it runs, and what would come of it."""

from __future__ import annotations

import math
import threading
from abc import ABC
from dataclasses import replace

from ...models.errors import InputError
from .engine import Engine
from .mechanics import WorldMechanics
from .settings import FeedbackSettings, WorldSettings

__all__ = ["Loops"]


class Loops(ABC):
    """The part of a world that a feedback controller acts on: one loop for each particle."""

    _lock: threading.RLock
    _engine: Engine
    _mechanics: WorldMechanics
    _settings: WorldSettings

    @property
    def damping(self) -> tuple[float, ...]:
        """Rate at which feedback damps each particle, rad/s; negative where it heats."""
        feedback = self._settings.feedback
        return tuple(
            feedback.damping_of(j) * math.cos(feedback.lead_of(j))
            for j in range(self._mechanics.particles)
        )

    def line(self, particle: int) -> float:
        """Line of a particle as its loop sees it, Hz; 0 where it has none."""
        with self._lock:
            return self._engine.line(particle) / math.tau

    def retune(
        self, particle: int, gain: float, phase: float, centre: float | None, corner: float
    ) -> None:
        """Set the loop of a particle anew, from the next sample on.

        Parameters
        ----------
        particle : int
            Whose loop.
        gain : float
            Γ, 1/s; what the loop has indeed may differ by its hidden error.
        phase : float
            Lead, rad; a hidden offset is added.
        centre : float or None
            Hz; None follows the line.
        corner : float
            Of the low-pass, Hz.

        Raises
        ------
        InputError
            For a particle that does not exist or a value out of range; nothing has changed then.
        """
        with self._lock:
            self._settings = self._with_loop(particle, gain, phase, centre, corner)
            self._engine.retune(self._settings)

    def retuned_growth(
        self, particle: int, gain: float, phase: float, centre: float | None, corner: float
    ) -> float:
        """Largest real part of the poles if a loop were set so, gate closed, 1/s.

        Raises
        ------
        InputError
            As for :meth:`retune`.
        """
        with self._lock:
            settings = self._with_loop(particle, gain, phase, centre, corner)
            return self._engine.closed_loop(True, settings).growth_rate

    def _with_loop(
        self, particle: int, gain: float, phase: float, centre: float | None, corner: float
    ) -> WorldSettings:
        """Settings with one loop changed."""
        count, now = self._mechanics.particles, self._settings.feedback
        if not 0 <= particle < count:
            raise InputError(f"loop must be 0 … {count - 1}, got {particle}")

        def changed(old: list[float], value: float) -> tuple[float, ...]:
            old[particle] = value
            return tuple(old)

        everyone = range(count)
        centres = [now.centre_of(j) for j in everyone]
        centres[particle] = centre
        feedback: FeedbackSettings = replace(
            now,
            damping=changed([now.gain_of(j) for j in everyone], gain),
            phase=changed([now.phase_of(j) for j in everyone], phase),
            corners=changed([now.corner_of(j) for j in everyone], corner),
            centre=tuple(centres),
        )
        return replace(self._settings, feedback=feedback)
