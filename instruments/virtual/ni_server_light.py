"""What the analogue outputs of the virtual NI card do to the light of the simulated world.

A modulator takes the voltage of an output: φ turns by so many radians, the power changes by so many
shares of what is set; 0 V leaves the light as SLM and RF source have it. A voltage that rests is
light like any other; what is played on the inputs' clock is handed to the world as a whole, because
light that changes within a mechanical period is one modulated system, see
:mod:`~..simulated.played_light`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ..patterns import PHASE, Pattern, Waveform
from ..simulated.world import SimulatedWorld
from .ni_server_outputs import Buffer, PlayedVolts

__all__ = ["LightOutputs", "LightWire"]

_FOR_EVER = 1 << 40  # repetitions: a year of periods of 30 us
_MOST_ROWS = 1 << 24  # of a finite output that ends within its period


@dataclass(frozen=True)
class LightWire:
    """What one output modulates.

    Attributes
    ----------
    signal : str
        Of :data:`~..simulated.played_light.SIGNALS`: "phase", "power", "power 1" or "power 2".
    scale : float
        Volts that turn φ by 1 rad, or that double the power.
    """

    signal: str
    scale: float

    def value(self, volts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The signal at voltages: rad, or a share of the power, which is never below 0."""
        steps = volts / self.scale
        return steps if self.signal == PHASE else np.maximum(0.0, 1.0 + steps)


class LightOutputs:
    """Outputs that modulate the light of a world.

    Parameters
    ----------
    world : SimulatedWorld
        Of a pair.
    wires : mapping of str to LightWire
        By output, such as "ao0".

    Raises
    ------
    InputError
        For a signal that this world does not have.
    """

    def __init__(self, world: SimulatedWorld, wires: Mapping[str, LightWire]) -> None:
        self._world, self.wires = world, dict(wires)
        self._played: PlayedVolts | None = None
        unknown = sorted({wire.signal for wire in self.wires.values()} - {*world.signals})
        if unknown:
            there = ", ".join(world.signals) or "none"
            raise InputError(f"this world has no signal {', '.join(unknown)}, it has {there}")

    def follows(self, output: PlayedVolts) -> bool:
        """Whether an output plays a waveform for the light that is known to its end."""
        buffer = output.buffer
        whole = buffer.again or (buffer.finite is not None and buffer.written >= buffer.finite)
        return whole and any(name in self.wires for name in output.names)

    def hold(self, volts: Mapping[str, float]) -> None:
        """Let voltages rest from the next sample on; while a waveform is played nothing happens."""
        if self._played is None:
            self._world.modulate(
                {w.signal: float(w.value(np.array(volts[n]))) for n, w in self.wires.items()}
            )

    def begin(self, output: PlayedVolts) -> None:
        """Play the waveforms of an output from their first row on, with the next sample."""
        pattern = self._pattern(output)
        self._world.modulate({})
        self._world.play(pattern)
        self._played = output

    def end(self, output: PlayedVolts, volts: Mapping[str, float]) -> None:
        """An output has ended: its voltages rest from the next sample on."""
        if output is self._played:
            self._played = None
            self._world.play(None)
            self.hold(volts)

    def _pattern(self, output: PlayedVolts) -> Pattern:
        """What a buffer plays, as a pattern without lines; its last row stays."""
        rows, repetitions = _period(output.buffer)
        finite = output.buffer.finite
        idle = rows[-1] if finite is None else output.buffer.rows(finite - 1, 1)[0]
        waveforms = {}
        for column, name in enumerate(output.names):
            if (wire := self.wires.get(name)) is not None:
                unit = "rad" if wire.signal == PHASE else "share"
                values = wire.value(rows[:, column])
                rest = float(wire.value(np.array(idle[column])))
                waveforms[wire.signal] = Waveform(rest, values, unit)  # type: ignore[arg-type]
        return Pattern(len(rows), repetitions, waveforms=waveforms)


def _period(buffer: Buffer) -> tuple[NDArray[np.float64], int]:
    """Rows of a period, two or more, and how often it is played whole."""
    there = min(buffer.written, buffer.capacity)
    length = there if there > 1 else 2
    if buffer.finite is None:
        return buffer.rows(0, length), _FOR_EVER
    if buffer.finite % length != 1 and buffer.finite <= _MOST_ROWS:
        length = max(2, buffer.finite)  # it ends within a period, not with the first row of one
    return buffer.rows(0, length), max(1, buffer.finite // length)
