"""A pattern player on an NI card: the feedback line and the light, on the inputs' sample clock.

The line is played by a counter or by a buffered output task. Either ends by itself at the idle
level; a counter that counts a clock of the card does so whatever becomes of program, inputs and
computer's bus. Whoever holds this driver holds the line: on a rig that is the guardian of the gate.
Analogue outputs turn φ and step the power; 0 V leaves the light as it is set.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_count, require_range
from ..patterns import FEEDBACK, PHASE, POWER, Pattern, PatternCapabilities, power_of
from ..protocols import DeviceState
from .named_tasks import NamedTasks
from .ni_pattern_limits import PatternLimits, PatternWires, read_limits
from .ni_pattern_plan import (
    Buffered,
    Wire,
    buffered,
    levels_of,
    require_single_pulse,
    train_of,
)
from .ni_pattern_tasks import PatternTasks

__all__ = ["NiPatternPlayer"]

_TASKS = ("-line", "-counter", "-output", "-static")
_MOST_SAMPLES = 50_000_000  # in the memory of this computer, 4 bytes a sample of a line


class NiPatternPlayer(NamedTasks):
    """Plays the feedback line, and optical phase and power on analogue outputs.

    ``connect`` asks the card what it can play and makes no task. The line must not be held by
    another task when a pattern is armed: a :class:`~.ni_gate.NiGate` lends it.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Name of the card; the one whose inputs are the rig's digitizer.
    feedback_line : str or None
        Digital line that switches the feedback, such as "port0/line0": port 0 only.
    feedback_counter : str or None
        Counter whose output switches it, such as "ctr0"; not beside ``feedback_line``.
    active_high : bool
        Whether feedback acts while the line is high.
    phase_output : str or None
        Analogue output that turns the optical phase, such as "ao0".
    volts_per_rad : float or None
        Voltage of a phase of 1 rad, V/rad; needed with ``phase_output`` for phases in rad.
    power_output : str or None
        Analogue output that steps the power, such as "ao1": a modulation input takes it.
    volts_per_share : float or None
        Voltage by which the power doubles, V; 0 V leaves it as it is set, and what lies between is
        taken as linear. Needed with ``power_output`` for shares of the power.
    power_trap : {"all", "1", "2"}
        Whose power that is.
    offset : int
        Samples by which an edge acts later in the record than it stands in the pattern, as the
        loop-back test measures it.
    grpc : str or None
        ``host:port`` of an NI gRPC device server.
    timeout : float
        Longest wait of a call, s.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "Dev1",
        feedback_line: str | None = None,
        feedback_counter: str | None = None,
        active_high: bool = True,
        phase_output: str | None = None,
        volts_per_rad: float | None = None,
        power_output: str | None = None,
        volts_per_share: float | None = None,
        power_trap: Literal["all", "1", "2"] = "all",
        offset: int = 1,
        grpc: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(name, "pattern", device, grpc, timeout, _TASKS, ("gate",))
        if (feedback_line is None) == (feedback_counter is None):
            raise InputError(
                "the feedback is switched by feedback_line or by feedback_counter: give one of them"
            )
        if volts_per_rad is not None:
            require_range("size of volts_per_rad", abs(volts_per_rad), 1e-6, 1e3, "V/rad")
        if volts_per_share is not None:
            require_range("size of volts_per_share", abs(volts_per_share), 1e-6, 1e3, "V")
        power = POWER if power_trap == "all" else power_of(int(power_trap))
        self._light: dict[str, Wire] = {}
        if phase_output is not None:
            self._light[PHASE] = Wire(phase_output, "rad", volts_per_rad)
        if power_output is not None:
            self._light[power] = Wire(power_output, "share", volts_per_share)
        outputs = {name: wire.output for name, wire in self._light.items()}
        if len(set(outputs.values())) < len(outputs):
            raise InputError(f"phase and power cannot both be played on {phase_output}")
        self._wires = PatternWires(feedback_line, feedback_counter, outputs)
        self._high = bool(active_high)
        self._offset = require_count("offset", offset, 0, 1000)
        self._tasks = PatternTasks(self._system, device, self._session, self._timeout)
        self._limits: PatternLimits | None = None
        self._idle_volts: dict[str, float] = {}  # of outputs that have been played, by name
        self._unknown = False  # whether a lost copy of this driver may have left voltages
        self._left = True  # whether a copy of this driver may have left tasks on the server

    @property
    def limits(self) -> PatternLimits:
        """What the card can play."""
        if self._limits is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._limits

    @property
    def capabilities(self) -> PatternCapabilities:
        """What it can play; complete after ``connect``."""
        limits = self.limits
        rates = [rate for rate in (limits.line_rate, limits.output_rate) if rate]
        counter = self._wires.counter is not None
        return PatternCapabilities(
            lines=(FEEDBACK,) if limits.feedback else (),
            waveforms=tuple(self._light) if limits.output_rate else (),
            max_rate=min(rates, default=0.0),
            max_samples=None if counter and not limits.output_rate else _MOST_SAMPLES,
            single_pulse=counter,
            returns_to_idle=counter and limits.timebase is not None,
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about what the card cannot play."""
        return self.limits.missing

    @property
    def offset(self) -> int:
        """Samples by which an edge acts later in the record than it stands in the pattern."""
        return self._offset

    def _open(self) -> str:
        self._close()  # what a fault has left
        self._reach()
        self._left = self.left_behind()
        with self._system.errors():
            self._limits = read_limits(self._system, self._device, self._wires)
            identity = self._system.identity(self._device)
        wires = (self._wires.line or self._wires.counter, *self._wires.outputs.values())
        return f"{identity}, plays {', '.join(wire for wire in wires if wire)}"

    def _close(self) -> None:
        kept = self._take_broken()
        if kept:
            self._tasks.forget()
            self._left = True
        else:
            try:
                self._end()
            except Exception:
                kept = True
        self._leave(kept=kept)

    # -- checked ----------------------------------------------------------------------------------

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        """Raise InputError, with what the card can play, if it cannot play this; sends nothing."""
        can, limits = self.capabilities, self.limits
        wanted = [*pattern.levels, *pattern.waveforms]
        unknown = sorted(set(wanted) - {*can.lines, *can.waveforms})
        if unknown or not wanted:
            there = ", ".join((*can.lines, *can.waveforms)) or "nothing"
            why = "".join(f"; {reason}" for reason in limits.missing)
            asked = ", ".join(unknown) or "an empty pattern"
            raise InputError(f"{self._name} cannot play {asked}, it can play {there}{why}")
        require_range(f"{self._name}: sample rate", sample_rate, 1.0, can.max_rate, "Hz")
        if FEEDBACK in pattern.levels:
            if not pattern.levels[FEEDBACK].idle:
                raise InputError(f"{self._name}: the idle level of {FEEDBACK} must be on (True)")
            if self._wires.counter is not None:
                require_single_pulse(self._name, pattern)
        for rows in self._rows(pattern):
            if len(rows.rows) > _MOST_SAMPLES:
                raise InputError(
                    f"{self._name} holds {_MOST_SAMPLES} samples, this pattern takes "
                    f"{len(rows.rows)}: play fewer repetitions at a time, or begin the period idle "
                    "and without a lead, so that one period is enough"
                )

    def _rows(self, pattern: Pattern) -> list[Buffered]:
        """What is written into buffers: the line's levels, then the outputs' volts."""
        found = []
        if FEEDBACK in pattern.levels and self._wires.counter is None:
            track = pattern.levels[FEEDBACK]
            found.append(buffered(levels_of(track, pattern.period), track.idle, pattern))
        if pattern.waveforms:
            volts = self._volts(pattern)
            columns = np.stack([values for values, _ in volts.values()], axis=1)
            found.append(buffered(columns, np.array([idle for _, idle in volts.values()]), pattern))
        return found

    def _volts(self, pattern: Pattern) -> dict[str, tuple[NDArray[np.float64], float]]:
        """Voltages of a period and when idle, by the name of the signal."""
        found = {}
        for name, wave in pattern.waveforms.items():
            values, idle = self._light[name].volts(f"{self._name}: {name}", wave)
            largest = max(abs(idle), float(np.abs(values).max()))
            require_range(
                f"{self._name}: largest voltage of {name}", largest, 0.0, self.limits.volts, "V"
            )
            found[name] = values, idle
        return found

    # -- played -----------------------------------------------------------------------------------

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Load it: sample 0 of the pattern is the first sample of the inputs' next start.

        Raises
        ------
        InputError
            If it cannot be played.
        DeviceError
            If the card refuses; the tasks are ended then, the lines idle.
        """
        self._require_link()
        self.check(pattern, sample_rate)
        self._release_left()
        self._whoever_is_dead(lambda: self._arm(pattern, sample_rate))

    def _arm(self, pattern: Pattern, sample_rate: float) -> None:
        with self._using():
            self._end()
            try:
                self._describe(pattern, sample_rate)
                self._state = DeviceState.RUNNING
                self._tasks.start()
            except BaseException:
                with suppress(Exception):
                    self._end()
                raise

    def _describe(self, pattern: Pattern, rate: float) -> None:
        rows = self._rows(pattern)
        if FEEDBACK in pattern.levels:
            if self._wires.line is not None:
                self._tasks.add_line(self._wires.line, rows.pop(0), rate, high=self._high)
            else:
                assert self._wires.counter is not None
                train = train_of(self._name, pattern, rate, self._tasks.clock, self.limits.timebase)
                self._tasks.add_counter(self._wires.counter, train, idle_high=self._high)
        if pattern.waveforms:
            self._idle_volts = {
                self._wires.outputs[name]: idle for name, (_, idle) in self._volts(pattern).items()
            }
            self._tasks.add_outputs(tuple(self._idle_volts), rows.pop(0), rate, self.limits.volts)

    def played(self) -> int | None:
        """Samples played so far; None where only a counter plays: it does not count them.

        Raises
        ------
        DeviceError
            If what is played has ended with an error, such as an underflow.
        """
        with self._using():
            return self._tasks.played()

    # -- ended ------------------------------------------------------------------------------------

    def halt(self) -> None:
        """End it at once, write the idle levels and read the line back. Safe in any state.

        A counter returns to its idle level when it is stopped; nothing is written to it.

        Raises
        ------
        DeviceError
            If the line is not known to be at its idle level.
        """
        if self._state is DeviceState.DISCONNECTED:
            return  # disconnecting has halted it
        self.release()
        with self._using():
            self._rest()
            if self._wires.line is None or not self.limits.feedback:
                return
            shown = self._tasks.hold_line(self._wires.line, self._high)
        if shown is not self._high:
            raise DeviceError(
                f"{self._name}: {self._wires.line} was set to its idle level but reads otherwise: "
                "check its wiring"
            )

    def release(self) -> None:
        """End the tasks, also those that a copy of this driver has left: the lines are free.

        Raises
        ------
        DeviceError
            If one cannot be ended.
        """
        self._release_left()
        with self._using():
            self._end()

    def inherit(self) -> None:
        """Take over from a copy of this driver that is gone, whose outputs may be anywhere."""
        self._unknown = True

    def rest(self) -> None:
        """Write what outputs have when idle, so that the light is as it is set.

        What a copy has left that is gone is set to 0 V.

        Raises
        ------
        DeviceError
            If that fails.
        """
        with self._using():
            if self._unknown:
                self._idle_volts = dict.fromkeys(self._wires.outputs.values(), 0.0)
            self._rest()

    def _rest(self) -> None:
        if self._idle_volts:
            self._tasks.hold_outputs(self._idle_volts, self.limits.volts)
        self._idle_volts, self._unknown = {}, False

    def _end(self) -> None:
        """End the tasks; a line that is not a counter's stays at the level it had."""
        self._tasks.end()
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY

    def _release_left(self) -> None:
        """Clear tasks of this name on the server, once for each connection that broke."""
        if self._left and self._system.remote:
            kinds = ["counter" if self._wires.counter is not None else "line"]
            kinds += ["output"] if self._wires.outputs else []
            with self._using():
                self._tasks.clear_left((*kinds, "static"))
        self._left = False
