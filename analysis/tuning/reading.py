"""What a short out-of-loop record says of a particle: its occupation, and how fast it is damped.

In-loop records are squashed: the loop writes its imprecision onto the motion that it sees, and a
record can fall below its own noise while the particle heats. Only out-of-loop columns come here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...acquisition.csd import estimate_csd
from ...instruments.rig import Rig
from ...models.constants import BOLTZMANN, HBAR
from ...models.detection import quantum_length
from ...models.errors import InputError
from ...models.inference.growth import LineDamping, line_damping, line_frequency

__all__ = ["LineReader", "Occupation", "readers_of"]

_PARTS = 8  # stretches whose scatter is the error
_SEGMENTS = 4  # per stretch
_BAND = (0.1, 3.0)  # of the line: what counts as its motion
_FLOOR = (4.0, 8.0)  # of the line: where the imprecision is read off
_SEARCH = (0.7, 1.3)  # of the expected line: where it is looked for


@dataclass(frozen=True)
class Occupation:
    """Mean occupation of a line, from ∫S_zz df less the imprecision.

    Attributes
    ----------
    value, stderr : float
        n̄ = ⟨z²⟩ − ½ in quanta of the line.
    line : float
        Hz.
    rise : float
        Energy of the last half over that of the first.
    """

    value: float
    stderr: float
    line: float
    rise: float = 1.0

    @property
    def energy(self) -> float:
        """n̄ + ½."""
        return self.value + 0.5

    @property
    def kelvin(self) -> float:
        """Temperature of the mean energy, K."""
        return max(self.energy, 0.0) * HBAR * math.tau * self.line / BOLTZMANN


@dataclass(frozen=True)
class LineReader:
    """Reads one particle's out-of-loop column.

    Attributes
    ----------
    particle : int
        From 0.
    column : int
        Of the samples.
    name : str
        Of the detector.
    volts_per_metre : float
        Calibration.
    mass : float
        kg.
    expected : float
        Line by the rig's model, Hz.
    band : (float, float) or None
        Hz that count as the motion; None for 0.1 … 3 times the line.
    """

    particle: int
    column: int
    name: str
    volts_per_metre: float
    mass: float
    expected: float
    band: tuple[float, float] | None = None

    def _limits(self) -> tuple[float, float]:
        low, high = self.band or (_BAND[0] * self.expected, _BAND[1] * self.expected)
        return low, high

    def _line(self, x: NDArray[np.float64], rate: float) -> float:
        if len(x) < 16.0 * rate / self.expected:
            raise InputError(f"{len(x)} samples are too few to find a line at {self.expected:g} Hz")
        low, high = (share * self.expected for share in _SEARCH)
        if self.band is not None:
            low, high = max(low, self.band[0]), min(high, self.band[1])
        return line_frequency(x, rate, low, high)

    def damping(self, volts: NDArray[np.float64], rate: float, step: float) -> LineDamping:
        """Damping of the line; ``step`` as of :func:`line_damping`."""
        x = volts[:, self.column]
        return line_damping(x, rate, self._line(x, rate), step)

    def square(self, energy: float) -> float:
        """Mean square of the voltage for ⟨z²⟩ in quanta of the expected line, V²."""
        length = quantum_length(self.mass, math.tau * self.expected)
        return energy * (length * self.volts_per_metre) ** 2

    def occupation(self, volts: NDArray[np.float64], rate: float) -> Occupation:
        """Occupation with its error, from the scatter of stretches.

        Raises
        ------
        InputError
            For a record too short to resolve the band, or a rate too low for it.
        """
        x = volts[:, self.column] / self.volts_per_metre
        low, high = self._limits()
        if high > 0.5 * rate:
            raise InputError(
                f"the band {low:g} … {high:g} Hz of {self.name} is beyond half of the sample rate "
                f"{rate:g} Hz: give a lower one with --band"
            )
        line = self._line(x, rate)
        length = quantum_length(self.mass, math.tau * line)
        rows = len(x) // _PARTS
        segment = rows // _SEGMENTS * 2
        if segment * low / rate < 8.0:
            raise InputError(
                f"{len(x) / rate:.3g} s are too short for a spectrum from {low:g} Hz on: take "
                "longer (--seconds)"
            )
        parts = [self._energy(x[k * rows : (k + 1) * rows], rate, segment) for k in range(_PARTS)]
        energies = np.array(parts) / length**2
        half = _PARTS // 2
        rise = float(energies[half:].mean() / max(float(energies[:half].mean()), 1e-300))
        spread = float(energies.std(ddof=1)) / math.sqrt(_PARTS)
        return Occupation(float(energies.mean()) - 0.5, spread, line, rise)

    def _energy(self, x: NDArray[np.float64], rate: float, segment: int) -> float:
        """⟨z²⟩ of a stretch less its imprecision, m²."""
        csd = estimate_csd(x, rate, segment, unit="m")
        f, s = csd.frequencies, csd.matrix[:, 0, 0].real
        low, high = self._limits()
        inside = (f >= low) & (f <= high)
        top = min(_FLOOR[1] * self.expected, 0.45 * rate)
        bottom = min(max(_FLOOR[0] * self.expected, 1.2 * high), 0.9 * top)
        floor = float(s[(f >= bottom) & (f <= top)].mean())
        return float((s[inside] - floor).sum() * csd.bin_width)


def readers_of(rig: Rig, band: tuple[float, float] | None = None) -> tuple[LineReader, ...]:
    """Readers of the particles that have an out-of-loop detector, by particle.

    Raises
    ------
    InputError
        Without particles in the rig, or without an out-of-loop detector.
    """
    if rig.trap is None:
        raise InputError(f"rig {rig.name} has no particles: their masses make quanta of volts")
    channels = rig.channels("out_of_loop")
    if not channels:
        raise InputError(
            f"rig {rig.name} has no out-of-loop detector: what a loop sees of itself is squashed "
            "and tells no occupation"
        )
    lines = _lines_of(rig)
    seen: dict[int, LineReader] = {}
    for d in channels:
        assert d.particle is not None
        mass = rig.trap.spheres[d.particle].mass
        seen.setdefault(
            d.particle,
            LineReader(
                d.particle, d.channel, d.name, d.volts_per_metre, mass, lines[d.particle], band
            ),
        )
    return tuple(seen[p] for p in sorted(seen))


def _lines_of(rig: Rig) -> list[float]:
    """Lines ω̃_j of the rig's model without mutual coupling, Hz, at the light configured."""
    assert rig.trap is not None
    model = rig.trap.linearize()
    drift = model.drift
    return [
        math.sqrt(max(0.0, -float(drift[2 * j + 1, 2 * j] * drift[2 * j, 2 * j + 1]))) / math.tau
        for j in range(len(rig.trap.spheres))
    ]
