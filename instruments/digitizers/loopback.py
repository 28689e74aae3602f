"""Loop-back self test: whether the gate is wired as the rig file says, and when it acts.

A digitizer channel watches the gate: a monitor of the feedback, or a cable from the gate's line to
a spare input. The gate is switched at known samples and the edges are looked for in the record.
Works on any digitizer and gate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..protocols import DeviceState, Digitizer, Gate

__all__ = ["LoopbackReport", "RecordReader", "find_edge", "loopback_test"]

_CATCHES = 200
_CLEAR = 6.0  # levels must differ by so many standard deviations of the noise


@dataclass(frozen=True)
class LoopbackReport:
    """What the loop-back channel showed.

    Attributes
    ----------
    polarity : {1, -1, 0}
        1 if the channel is higher while the gate is closed, -1 if lower, 0 if nothing was seen.
    delays : tuple of int
        Samples from each command to the edge. A command counts from the sample that the digitizer
        took when it was given, if ``present_sample`` tells, else from the first sample not read by
        then.
    ends : tuple of int
        Samples from the count after each command, when it had been carried out, to its edge; what
        is above 0 is the age of that count. Empty if the digitizer does not count.
    delay, jitter : float
        Mean and standard deviation of the delays, s; nan if nothing was seen.
    lag : float
        Mean time by which the samples read lagged behind those taken when a command was given, s,
        after catching up: an event put at the first sample not yet read is too early by
        lag + delay. 0 if not known.
    levels : tuple of float
        Channel with the gate open and closed, V.
    sample_rate : float
        Hz.
    lost : int
        Samples lost meanwhile.
    problems : tuple of str
        What is not as configured; empty if all is well.
    """

    polarity: Literal[1, -1, 0]
    delays: tuple[int, ...]
    ends: tuple[int, ...]
    delay: float
    jitter: float
    lag: float
    levels: tuple[float, float]
    sample_rate: float
    lost: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as configured."""
        return not self.problems


def loopback_test(
    digitizer: Digitizer,
    gate: Gate,
    channel: int,
    *,
    toggles: int = 10,
    dwell: float = 0.02,
    polarity: Literal[1, -1] = 1,
    delay: float = 0.0,
    tolerance: float = 1e-3,
    longest_jitter: float = 5e-3,
) -> LoopbackReport:
    """Switch the gate to and fro and look for the edges.

    On a feedback gate particles are uncooled for ``dwell`` at a time; the gate is left as it was
    found.

    Parameters
    ----------
    digitizer : Digitizer
        Connected, not running; started and stopped here.
    gate : Gate
        Connected.
    channel : int
        Column that watches the gate.
    toggles : int
        Times that the gate is switched, 2 … 10000.
    dwell : float
        Time between two switches, s; must outlast the delay.
    polarity : {1, -1}
        Configured: whether the channel is higher (1) or lower while the gate is closed.
    delay : float
        Configured delay, s.
    tolerance : float
        Largest difference of measured and configured delay, s.
    longest_jitter : float
        Largest standard deviation of the delays, s.

    Raises
    ------
    InputError
        For a channel that there is not, or values out of range.
    DeviceError
        If a device fails; the gate has been asked to go back by then.
    """
    info = digitizer.info
    if not 0 <= channel < len(info.channels):
        raise InputError(f"channel must lie in 0 … {len(info.channels) - 1}, got {channel}")
    toggles = int(require_range("toggles", toggles, 2, 10000))
    require_range("dwell", dwell, 16.0 / info.sample_rate, 10.0, "s")
    require_range("delay", delay, 0.0, dwell, "s")
    if digitizer.state is not DeviceState.READY:
        raise DeviceError(f"{digitizer.name} is {digitizer.state.value}: it must be ready")
    rows = round(dwell * info.sample_rate)
    found = gate.read()
    try:
        digitizer.start()
        stretches, states, lags, aheads, lost = _toggle(
            digitizer, gate, channel, rows, toggles, found
        )
    finally:
        try:
            digitizer.stop()
        finally:
            gate.set(found)
    volts = [stretch * info.scale[channel] for stretch in stretches]
    wanted = (polarity, delay, tolerance, longest_jitter)
    return _judge(volts, states, lags, aheads, lost, info.sample_rate, wanted)


def _toggle(
    digitizer: Digitizer, gate: Gate, channel: int, rows: int, toggles: int, closed: bool
) -> tuple[list[NDArray[np.float64]], list[bool], list[int], list[int | None], int]:
    """Record one stretch before the first switch and one after each, caught up before it.

    Returns the stretches, the gate's states, how far reading lagged before and after each switch,
    and the loss.
    """
    reader = RecordReader(digitizer, channel, rows)
    stretches, states = [], []
    lags: list[int] = []
    aheads: list[int | None] = []
    for number in range(toggles + 1):
        if number:
            closed = not closed
            lags.append(reader.catch_up(rows // 2))
            gate.set(closed)
            aheads.append(reader.ahead())
        stretches.append(reader.read(rows))
        states.append(closed)
    return stretches, states, lags, aheads, reader.lost


class RecordReader:
    """Reads one channel and counts what is lost."""

    def __init__(self, digitizer: Digitizer, channel: int, rows: int) -> None:
        info = digitizer.info
        self._digitizer, self._channel = digitizer, channel
        self._buffer = np.empty((rows, len(info.channels)), dtype=info.dtype)
        self._position = 0
        self.lost = 0

    def read(self, rows: int) -> NDArray[np.float64]:
        """Read at most as many rows as a stretch has."""
        done = 0
        while done < rows:
            result = self._digitizer.read_into(self._buffer[done:rows])
            end = result.first_sample + result.samples
            if result.finished:
                raise DeviceError(f"{self._digitizer.name} ended a block early, at sample {end}")
            if result.waiting:
                raise DeviceError(f"{self._digitizer.name} waits for {result.waiting}: let it come")
            self.lost += result.first_sample - self._position
            self._position = end
            done += result.samples
        return self._buffer[:rows, self._channel].astype(np.float64)

    def ahead(self) -> int | None:
        """How far the digitizer says to be ahead of what was read; None if it does not count."""
        present = self._digitizer.present_sample()
        return None if present is None else present - self._position

    def catch_up(self, enough: int) -> int:
        """Read what has come, until ``enough`` or fewer samples wait; return how many do."""
        for _ in range(_CATCHES):
            present = self._digitizer.present_sample()
            behind = 0 if present is None else max(0, present - self._position)
            if behind <= enough:
                return behind
            self.read(min(behind, len(self._buffer)))
        raise DeviceError(
            f"{self._digitizer.name} is read more than half a dwell behind what it samples: "
            "raise dwell, or free the computer"
        )


def _judge(
    volts: list[NDArray[np.float64]],
    states: list[bool],
    lags: list[int],
    aheads: list[int | None],
    lost: int,
    rate: float,
    wanted: tuple[Literal[1, -1], float, float, float],
) -> LoopbackReport:
    """Levels from the ends of the stretches, edges between them, and the comparison."""
    polarity, delay, tolerance, longest_jitter = wanted
    lag = float(np.mean(lags)) / rate
    half = len(volts[0]) // 2
    ends = {
        state: [v[half:] for v, s in zip(volts, states, strict=True) if s is state]
        for state in (False, True)
    }
    low, high = (float(np.median(np.concatenate(ends[state]))) for state in (False, True))
    noise = float(np.median([np.std(part) for part in ends[False] + ends[True]]))
    seen: Literal[1, -1, 0] = 1 if high > low else -1
    problems = [f"{lost} samples were lost: the delays are not known"] if lost else []
    if abs(high - low) <= _CLEAR * max(noise, 1e-12):
        problems.append(
            f"the channel does not follow the gate ({low:.4g} V open, {high:.4g} V closed, noise "
            f"{noise:.2g} V): check the cable and the channel"
        )
        said = tuple(problems)
        return LoopbackReport(0, (), (), math.nan, math.nan, lag, (low, high), rate, lost, said)
    middle = 0.5 * (low + high)
    delays = [
        find_edge(v, middle, rising=state is (seen == 1))
        for v, state in zip(volts[1:], states[1:], strict=True)
    ]
    there = [d - behind for d, behind in zip(delays, lags, strict=True) if d is not None]
    after = tuple(
        d - ahead
        for d, ahead in zip(delays, aheads, strict=True)
        if d is not None and ahead is not None
    )
    if len(there) < len(delays):
        problems.append(f"{len(delays) - len(there)} of {len(delays)} edges were not seen")
    mean = float(np.mean(there)) / rate if there else math.nan
    jitter = float(np.std(there)) / rate if there else math.nan
    if seen != polarity:
        problems.append("the polarity is reversed: exchange active_high, or the wiring")
    if not abs(mean - delay) <= tolerance:
        problems.append(f"the delay is {mean:.3g} s, configured are {delay:.3g} s")
    if not jitter <= longest_jitter:
        problems.append(f"the delay jitters by {jitter:.2g} s, at most {longest_jitter:.2g} s")
    return LoopbackReport(
        seen, tuple(there), after, mean, jitter, lag, (low, high), rate, lost, tuple(problems)
    )


def find_edge(volts: NDArray[np.float64], middle: float, *, rising: bool) -> int | None:
    """First sample of the new level: the step between the two levels that fits best."""
    excess = volts - middle if rising else middle - volts
    edge = int(np.argmin(np.concatenate(([0.0], np.cumsum(excess)))))
    return edge if edge < len(volts) else None
