"""Tries of loops: each watched, what is set between two of them, and the way back.

What is set between two tries is always the newest setting that was known to cool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...acquisition.tuning.probe import Probe, ProbeRequest
from ...instruments.controller_protocol import LoopSetting
from ...models.errors import DeviceError, InputError, OptobindError, UnstableModelError
from ...models.inference.growth import LineDamping
from .plan import Desk, LoopTuning, Stage, Step, TuneSettings, TuningEndedError
from .reading import LineReader, Occupation

__all__ = ["LoopTries", "turned"]


def turned(setting: LoopSetting, timing: str, angle: float) -> LoopSetting:
    """Setting with its phase (or the delay that makes it) turned by an angle, rad, of lead."""
    if timing == "phase":
        return replace(setting, phase=math.remainder(setting.phase + angle, math.tau))
    if not setting.centre:
        raise InputError("a loop that is set by its delay needs a centre frequency to be tuned")
    period = 1.0 / setting.centre
    # A lead is a delay less, up to whole periods: the shortest delay that does it.
    return replace(setting, delay=(setting.delay - angle / math.tau * period) % period)


class LoopTries:
    """Tries settings of the loops of some particles.

    Parameters
    ----------
    desk : Desk
        Sets and probes.
    readers : sequence of LineReader
        One for each particle with an out-of-loop detector.
    settings : TuneSettings
        How.
    ceiling : float
        Largest mean square that is thought safe, V².
    tell : callable
        Called with each Step.
    """

    def __init__(
        self,
        desk: Desk,
        readers: Sequence[LineReader],
        settings: TuneSettings,
        ceiling: float,
        tell: Callable[[Step], None] = lambda step: None,
    ) -> None:
        self._desk, self._settings, self._ceiling = desk, settings, ceiling
        self._readers = {reader.particle: reader for reader in readers}
        self._tell = tell
        self._limits = desk.capabilities
        self._warm: dict[int, float] = {}  # newest energy of each particle, V²
        self.loops: dict[int, LoopTuning] = {}

    def back(self) -> None:
        """Set every loop to what was known to cool last; what fails is tried for the others."""
        failures = []
        for loop in self.loops.values():
            try:
                self._desk.set(loop.particle, loop.safe)
            except OptobindError as error:
                failures.append(str(error))
        if failures:
            raise DeviceError(
                "a feedback loop could not be set back, look at the controller: "
                + "; ".join(failures)
            )

    def _probe(
        self,
        loop: LoopTuning,
        setting: LoopSetting | None,
        seconds: float,
        *,
        allow_growth: bool = False,
        stay: bool = False,
    ) -> Probe:
        """Try a setting; a lost particle, another one that is heated, and a request end it all."""
        columns = tuple(reader.column for reader in self._readers.values())
        ceilings = []
        for particle in self._readers:
            before = self._warm.get(particle, 0.0)
            ceiling = max(self._ceiling, 4.0 * before)
            if particle == loop.particle and not allow_growth and before > 0.0:
                # A setting that should cool must not heat by much.
                ceiling = min(ceiling, self._settings.heat * before)
            ceilings.append(ceiling)
        request = ProbeRequest(
            loop.particle, setting, loop.safe, columns, seconds, tuple(ceilings), allow_growth, stay
        )
        probe = self._desk.probe(request)
        if probe.trouble in ("ended on request", "a particle is lost"):
            raise TuningEndedError(f"tuning of particle {loop.particle + 1}: {probe.trouble}")
        if probe.column is not None:
            self._hold_another(loop, probe.column)
        if len(probe.volts):
            tail = probe.volts[-max(1, len(probe.volts) // 8) :]
            for particle, reader in self._readers.items():
                self._warm[particle] = float((tail[:, reader.column] ** 2).mean())
        return probe

    def _damping(self, loop: LoopTuning, probe: Probe, rate: float) -> LineDamping | None:
        """Damping seen in a probe; None where it is too short to say."""
        step = max(0.1 / rate, self._apart(loop.particle))
        try:
            return self._readers[loop.particle].damping(probe.volts, probe.sample_rate, step)
        except InputError:
            return None

    def _hold_another(self, loop: LoopTuning, column: int) -> None:
        """Turn another loop down whose particle is what grew too far; end where it is not ours."""
        for particle, reader in self._readers.items():
            if reader.column != column or particle == loop.particle:
                continue
            other = self.loops.get(particle)
            if other is None or other.rate_per_gain is not None:
                raise TuningEndedError(
                    f"particle {particle + 1} heats while loop {loop.particle + 1} is tuned: "
                    + ("tune both" if other is None else "they are coupled too strongly for it")
                )
            self._turn_down(other)

    def _turn_down(self, loop: LoopTuning) -> None:
        """Hold a loop that is not known to cool at its least gain."""
        low, loop.cools = max(self._limits.gain_range[0], 0.0), False
        loop.safe = self._desk.set(loop.particle, replace(loop.start, gain=low))

    def _apart(self, particle: int) -> float:
        """Time over which the lines of other particles average out, s."""
        own = self._readers[particle].expected
        others = [abs(r.expected - own) for p, r in self._readers.items() if p != particle]
        nearest = max(min([own, *others]), 0.01 * own)
        # Lines that no try of this length tells apart are taken as one.
        return min(1.2 / nearest, self._settings.probe_seconds / 24.0) if others else 4.0 / own

    def _add(
        self,
        loop: LoopTuning,
        stage: Stage,
        setting: LoopSetting,
        damping: LineDamping | None = None,
        occupation: Occupation | None = None,
        trouble: str = "",
    ) -> None:
        rate = None if damping is None else damping.rate
        error = None if damping is None else damping.stderr
        loop.add(Step(loop.particle, stage, setting, rate, error, occupation, trouble))

    def _cooled(self, loop: LoopTuning, setting: LoopSetting) -> None:
        loop.safe, loop.cools = setting, True

    def _try(self, loop: LoopTuning, setting: LoopSetting, seconds: float) -> Probe | None:
        """Try a setting that should cool, to stay; None where it is refused."""
        try:
            return self._probe(loop, setting, seconds, stay=True)
        except (InputError, UnstableModelError) as error:
            self._add(loop, "gain", setting, trouble=f"refused: {error}")
            return None

    def _gain_range(self) -> tuple[float, float]:
        low, high = self._limits.gain_range
        most = self._settings.most_gain
        return low, high if most is None else min(high, most)

    def _turned(self, setting: LoopSetting, angle: float) -> LoopSetting:
        """Turned, within the controller's range of phases or delays."""
        found = turned(setting, self._limits.timing, angle)
        if self._limits.timing == "phase":
            low, high = self._limits.phase_range
            for whole in (0.0, math.tau, -math.tau):
                if low <= found.phase + whole <= high:
                    return replace(found, phase=found.phase + whole)
        return found
