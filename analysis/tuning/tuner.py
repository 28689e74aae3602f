"""The tuning of feedback loops: phase first, where a mistake is slow, then gain.

1. A look at what is there: loops that do not clearly damp are turned down.
2. At low gain three phases a third of a turn apart: damping and growth determine the phase of most
   damping. Each is tried for a moment only, see :mod:`...acquisition.tuning.probe`.
3. At that phase, and 0.7 rad to either side, at a larger gain: the occupations say the phase to a
   few hundredths.
4. The gain is raised in steps while the occupation falls, and a little beyond; a parabola in ln g
   has its minimum at the best gain.
5. The best gain at three phases: near its best a loop may like a phase a little off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...instruments.controller_protocol import LoopSetting
from ...models.errors import InputError
from ...models.inference.tuning import PhaseFit, fit_gain, fit_phase, least_of_parabola
from .plan import LoopTuning, TuningEndedError
from .reading import Occupation
from .tries import LoopTries

__all__ = ["FeedbackTuner"]

_THIRD = math.tau / 3.0
_SURE = 3.0  # standard errors
_SPREAD = 0.7  # rad to either side, where damping depends most on the phase
_FAR, _REFINED = 0.4, 3  # rad: then once more, at most so often
_TURN = 0.35  # rad to either side at the best gain
_FAST, _SLOW = 1.8, 1.3  # steps of the gain: while it pays in full, and near the best
_PAYS = 0.75  # energy after over before a step, below which it pays in full
_PAST = 1.25  # energy over the least at which the gain has been raised enough
_MOST_STEPS = 40
_TRIES = 9  # of the first phases, at other gains
_PHASES = 3
_MOST_RAISED = 3.0  # first gain over the one that was found
_HOT = 0.25  # of the ceiling: then little gain is enough to see growth, and much is dangerous
_LESS = 0.15  # of the gain
_LOOKS = 4  # at what is there, each twice as long
_NARROW = 0.02  # damping at the fine phase over the line, at most


class FeedbackTuner(LoopTries):
    """Tunes the loops of some particles; see :class:`~.tries.LoopTries` for the parameters."""

    def tune(self, particles: Sequence[int]) -> list[LoopTuning]:
        """Tune loops; they end at their best settings.

        Raises
        ------
        TuningEndedError
            If a loop cannot be tuned, or a try was ended on request; :meth:`back` has been called.
        InputError, DeviceError
            As of the desk.
        """
        for particle in particles:
            if particle not in self._readers:
                raise InputError(f"particle {particle + 1} has no out-of-loop detector")
            start = self._desk.read(particle)
            self.loops[particle] = LoopTuning(particle, start, start, tell=self._tell)
        try:
            self._look(list(self.loops.values()))
            for loop in self._hottest_first():
                self._find_phase(loop)
            # All are damped well before one is damped most: coupled motion must not grow.
            for particle in (*particles, *particles):
                self._raise_to(self.loops[particle], self._clear_gain(self.loops[particle]))
            for particle in particles:
                self._refine_phase(self.loops[particle])
            for particle in particles:
                self._find_gain(self.loops[particle])
                self._finish(self.loops[particle])
        except BaseException:
            self.back()
            raise
        return [self.loops[particle] for particle in particles]

    def _look(self, loops: Sequence[LoopTuning]) -> None:
        """Which loops damp as they are; those that heat are turned down at once.

        What cannot be told yet is looked at for twice as long; what cannot be told then is turned
        down as well.
        """
        unknown, seconds = list(loops), self._settings.probe_seconds
        for number in range(_LOOKS):
            probe = self._probe(unknown[0], None, seconds, allow_growth=True)
            if probe.column is not None:
                # One heats, and drives what it is coupled to: of the others this says nothing, and
                # there is no time to look again. They stay as they are until it is cold.
                for loop in unknown:
                    if self._readers[loop.particle].column == probe.column:
                        self._turn_down(loop)
                        self._add(loop, "start", loop.start, trouble=probe.trouble)
                break
            for loop in list(unknown):
                found = self._damping(loop, probe, 10.0 / self._settings.probe_seconds)
                sure = found is not None and abs(found.rate) > (_SURE + 1.0) * found.stderr
                last = number == _LOOKS - 1 or bool(probe.trouble)
                if not (sure or last or found is None):
                    continue
                unknown.remove(loop)
                if sure and found is not None and found.rate > 0.0:
                    self._cooled(loop, loop.start)
                else:
                    self._turn_down(loop)
                self._add(loop, "start", loop.start, found, trouble=probe.trouble)
            if not unknown:
                break
            seconds *= 2.0
        if all(loop.cools for loop in loops):
            longer = self._probe(loops[0], None, self._settings.seconds)
            for loop in loops if not longer.trouble else ():
                reader = self._readers[loop.particle]
                loop.before = reader.occupation(longer.volts, longer.sample_rate)
                self._add(loop, "start", loop.start, occupation=loop.before)

    def _hottest_first(self) -> list[LoopTuning]:
        """Loops that do not cool, hottest first, then the others.

        Motion of a hot particle drives those that it is coupled to: how these are damped is seen
        once it is cold.
        """
        return sorted(
            self.loops.values(), key=lambda u: (u.cools, -self._warm.get(u.particle, 0.0))
        )

    def _find_phase(self, loop: LoopTuning) -> None:
        """Three phases at low gain, again at other gains until all of them together say enough."""
        gain = self._settings.probe_gain or loop.start.gain / 3.0
        low, high = self._gain_range()
        if gain <= 0.0:
            raise InputError(
                f"loop {loop.particle + 1} has gain 0 and nobody knows what a small gain is: give "
                "one with --probe-gain"
            )
        most = max(_MOST_RAISED * loop.start.gain, 10.0 * gain)
        wanted, seen = gain, list[tuple[float, float, float, float]]()
        for _ in range(_TRIES):
            hot = self._warm.get(loop.particle, 0.0) > _HOT * self._ceiling
            gain = min(max(wanted * (_LESS if hot else 1.0), low), high)
            short = self._three_phases(loop, gain, seen)
            if len({phase for phase, *_ in seen}) == _PHASES:
                phases, rates, errors, gains = zip(*seen, strict=True)
                fit = fit_phase(phases, rates, errors, gains)
                if fit.significance > _SURE + 1.0 and self._take_phase(loop, fit, gains[-1]):
                    return
            wanted = min(wanted * (0.4 if short else 2.0), most)
        raise TuningEndedError(
            f"loop {loop.particle + 1}: no phase damps more than another at gains up to {gain:.3g} "
            f"{self._limits.gain_unit}: is the loop connected, its output on, the gate closed?"
        )

    def _three_phases(
        self, loop: LoopTuning, gain: float, seen: list[tuple[float, float, float, float]]
    ) -> bool:
        """Add damping at three phases (phase, Γ, error, gain); whether one was too short."""
        short = False
        for turn in (0.0, _THIRD, -_THIRD):
            setting = self._turned(replace(loop.start, gain=gain), turn)
            probe = self._probe(loop, setting, self._settings.probe_seconds, allow_growth=True)
            found = self._damping(loop, probe, 10.0 / self._settings.probe_seconds)
            self._add(loop, "phase", setting, found, trouble=probe.trouble)
            if probe.trouble and loop.cools:
                self._probe(loop, None, self._settings.probe_seconds)  # cools again
            if found is None:
                short = True
                continue
            if not loop.cools and not probe.trouble and found.rate > _SURE * found.stderr:
                self._cooled(loop, setting)
                self._desk.set(loop.particle, setting)
            seen.append((turn, found.rate, max(found.stderr, 1e-3 * abs(found.rate)), gain))
        return short

    def _take_phase(self, loop: LoopTuning, fit: PhaseFit, gain: float) -> bool:
        """Go to the phase of most damping at this gain; it is known to cool then."""
        setting = self._turned(replace(loop.start, gain=gain), fit.phase)
        loop.rate_per_gain = fit.amplitude / gain
        # Another loop that is not yet found may let the model grow, however good this one is.
        probe = self._probe(
            loop, setting, self._settings.probe_seconds, allow_growth=True, stay=True
        )
        found = self._damping(loop, probe, fit.amplitude)
        self._add(loop, "phase", setting, found, trouble=probe.trouble)
        # Less damping than foreseen may be the drive of another hot particle; growth is a mistake.
        grows = found is not None and found.rate < -_SURE * found.stderr
        if probe.trouble or grows:
            loop.rate_per_gain = None  # more tries will tell
            self._desk.set(loop.particle, loop.safe)
            return False
        self._cooled(loop, self._desk.read(loop.particle))
        return True

    def _refine_phase(self, loop: LoopTuning) -> None:
        """Occupation at the phase and to either side, again where that moves it far."""
        for _ in range(_REFINED):
            if abs(self._refined(loop)) < _FAR:
                return

    def _refined(self, loop: LoopTuning) -> float:
        """Turn the loop by a fit of the inverse occupations at three phases; by how much, rad."""
        reader, centre = self._readers[loop.particle], loop.safe
        phases, rates, errors = [], [], []
        for turn in (0.0, _SPREAD, -_SPREAD):
            setting = self._turned(centre, turn)
            probe = self._probe(loop, setting, self._settings.seconds, allow_growth=True)
            if probe.trouble:
                self._add(loop, "fine phase", setting, trouble=probe.trouble)
                return self._turn_by(loop, centre, -turn)  # the other way
            found = reader.occupation(probe.volts, probe.sample_rate)
            self._add(loop, "fine phase", setting, occupation=found)
            # Recoil over damping: where n̄ is large its inverse is the damping in some unit.
            phases.append(turn)
            rates.append(1.0 / found.energy)
            errors.append(max(found.stderr, 1e-3 * found.energy) / found.energy**2)
        fit = fit_phase(phases, rates, errors)
        if fit.significance < _SURE:
            return 0.0
        loop.phase_stderr = fit.stderr
        return self._turn_by(loop, centre, min(max(fit.phase, -_SPREAD), _SPREAD))

    def _turn_by(self, loop: LoopTuning, centre: LoopSetting, turn: float) -> float:
        """Turn a loop, watched; by how much it was, rad."""
        probe = self._probe(
            loop, self._turned(centre, turn), self._settings.probe_seconds, stay=True,
            allow_growth=True,
        )  # fmt: skip
        if probe.trouble:
            return 0.0
        self._cooled(loop, self._desk.read(loop.particle))
        return turn

    def _clear_gain(self, loop: LoopTuning) -> float:
        """Gain at which a line is clearly damped and far from its best."""
        assert loop.rate_per_gain is not None
        wanted = _NARROW * self._readers[loop.particle].expected * math.tau
        return min(wanted / loop.rate_per_gain, 0.2 * self._gain_range()[1])

    def _raise_to(self, loop: LoopTuning, gain: float) -> None:
        """Raise the gain in steps, each watched."""
        while loop.safe.gain < 0.95 * gain:
            setting = replace(loop.safe, gain=min(gain, 3.0 * loop.safe.gain))
            probe = self._try(loop, setting, self._settings.probe_seconds)
            if probe is None or probe.trouble:
                return
            self._cooled(loop, self._desk.read(loop.particle))

    def _find_gain(self, loop: LoopTuning) -> None:
        """Raise the gain while it pays, and a little beyond; then the minimum of a parabola."""
        tried: list[tuple[LoopSetting, Occupation]] = []
        setting, high = loop.safe, self._gain_range()[1]
        for _ in range(_MOST_STEPS):
            found = self._occupation(loop, setting)
            if found is None:
                break
            tried.append((setting, found))
            least = min(one.energy for _, one in tried)
            if found.energy > _PAST * least or setting.gain >= high:
                break
            pays = len(tried) < 2 or found.energy < _PAYS * tried[-2][1].energy
            factor = _FAST if pays else _SLOW
            setting = replace(setting, gain=min(high, factor * setting.gain))
        if not tried:
            raise TuningEndedError(f"loop {loop.particle + 1}: no gain could be measured")
        fit = fit_gain(
            [one.gain for one, _ in tried],
            [max(found.energy, 1e-9) for _, found in tried],
            [max(found.stderr, 1e-9) for _, found in tried],
        )
        self._take_least(loop, tried)
        best = replace(loop.safe, gain=fit.gain)
        found = self._occupation(loop, best)
        if found is not None:
            tried.append((best, found))
        self._turn_at_best(loop, tried, best)
        self._take_least(loop, tried)

    def _turn_at_best(
        self,
        loop: LoopTuning,
        tried: list[tuple[LoopSetting, Occupation]],
        best: LoopSetting,
    ) -> None:
        """The best gain at phases to either side, and at the least of the three."""
        turns, energies, errors = [], [], []
        for setting, found in tried[-1:]:
            turns.append(0.0)
            energies.append(math.log(max(found.energy, 1e-9)))
            errors.append(found.stderr / max(found.energy, 1e-9))
            best = setting
        for turn in (-_TURN, _TURN):
            setting = self._turned(best, turn)
            probed = self._occupation(loop, setting)
            if probed is None:
                continue
            tried.append((setting, probed))
            turns.append(turn)
            energies.append(math.log(max(probed.energy, 1e-9)))
            errors.append(probed.stderr / max(probed.energy, 1e-9))
        least = least_of_parabola(turns, energies, errors)
        if least is None:
            return
        setting = self._turned(best, min(max(least[0], -_TURN), _TURN))
        probed = self._occupation(loop, setting)
        if probed is not None:
            tried.append((setting, probed))

    def _occupation(self, loop: LoopTuning, setting: LoopSetting) -> Occupation | None:
        """Occupation at a setting, which stays if it cools; None where it was given up."""
        probe = self._try(loop, setting, self._settings.seconds)
        if probe is None:
            return None
        if probe.trouble:
            self._add(loop, "gain", setting, trouble=probe.trouble)
            return None
        found = self._readers[loop.particle].occupation(probe.volts, probe.sample_rate)
        self._add(loop, "gain", setting, occupation=found)
        if found.rise < 2.0:
            self._cooled(loop, self._desk.read(loop.particle))
        else:
            self._desk.set(loop.particle, loop.safe)
        return found

    def _take_least(
        self, loop: LoopTuning, tried: Sequence[tuple[LoopSetting, Occupation]]
    ) -> None:
        """Go to the setting of least occupation that was measured."""
        setting, _ = min(tried, key=lambda pair: pair[1].energy)
        self._cooled(loop, self._desk.set(loop.particle, setting))

    def _finish(self, loop: LoopTuning) -> None:
        """Measure once more what is left behind: the least of many is a little too low."""
        probe = self._probe(loop, None, 2.0 * self._settings.seconds, stay=True)
        if probe.trouble:
            raise TuningEndedError(f"loop {loop.particle + 1}: {probe.trouble} at the best setting")
        reader = self._readers[loop.particle]
        loop.after = reader.occupation(probe.volts, probe.sample_rate)
        loop.best, loop.phase = loop.safe, loop.safe.phase
        self._add(loop, "best", loop.safe, occupation=loop.after)
