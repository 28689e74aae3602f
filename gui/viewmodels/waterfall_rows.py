"""Spectra as rows of a waterfall: numbers of 16 bits, to one part in 400, and back.

A density is kept as the logarithm in thousandths of a decade, a phase in 10⁻⁴ rad. What is summed
before is summed as densities and complex cross-spectra: a mean of rows is a mean of powers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.spectra import CsdEstimate

if TYPE_CHECKING:
    from ...acquisition.snapshots import SpectrumSnapshot

__all__ = [
    "COLUMNS",
    "CROSS",
    "MOST_AUTOS",
    "NONE",
    "PER_DECADE",
    "PER_RADIAN",
    "PHASE",
    "PLANES",
    "Grid",
    "RowSum",
    "decode",
]

COLUMNS = 8192
"""Frequencies that a row holds at most; of more, neighbours are averaged."""
MOST_AUTOS = 4
CROSS, PHASE = MOST_AUTOS, MOST_AUTOS + 1
PLANES = MOST_AUTOS + 2
"""Auto spectra of the first channels, then |S_12| and arg S_12."""
PER_DECADE, PER_RADIAN = 1000.0, 1e4
NONE = -32768
"""Stored where there is no number."""
_LARGEST = 32000
Stored = NDArray[np.int16]


@dataclass(frozen=True)
class Grid:
    """Frequencies and channels of rows that can be compared.

    Attributes
    ----------
    first, step : float
        Hz, of the columns; ``step`` is that of the spectrum where nothing was averaged.
    count : int
        Columns.
    channels : tuple of str
        Names; the first ``MOST_AUTOS`` are kept.
    unit : str
        Of the samples.
    sample_rate : float
        Hz.
    overlap : int
        Samples.
    window : ndarray
        Taper of the segments.
    """

    first: float
    step: float
    count: int
    channels: tuple[str, ...]
    unit: str
    sample_rate: float
    overlap: int = 0
    window: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros(0), repr=False, compare=False
    )

    @classmethod
    def of(cls, snapshot: SpectrumSnapshot) -> Grid | None:
        """The grid of a spectrum; None for one without a frequency above zero."""
        csd = snapshot.csd
        kept = csd.frequencies[csd.frequencies > 0.0]
        if kept.size < 2:
            return None
        merged = _merged(kept.size)
        bin_width = float(kept[1] - kept[0])
        return cls(
            float(kept[0]) + 0.5 * (merged - 1) * bin_width,
            merged * bin_width,
            kept.size // merged,
            snapshot.channels,
            csd.unit,
            csd.sample_rate,
            csd.overlap,
            csd.window,
        )

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Hz."""
        return np.asarray(self.first + self.step * np.arange(self.count))

    @property
    def autos(self) -> int:
        """Auto spectra that a row holds."""
        return min(MOST_AUTOS, len(self.channels))

    def planes(self) -> tuple[int, ...]:
        """Planes that rows of this grid fill."""
        own = tuple(range(self.autos))
        return own if self.autos < 2 else (*own, CROSS, PHASE)


def _merged(size: int) -> int:
    """Neighbours that become one column."""
    return -(-size // COLUMNS)


class RowSum:
    """Sum of spectra of one grid and one set-point.

    Parameters
    ----------
    grid : Grid
        Of all that is added.
    basis : hashable
        What all of it must agree in: set-point, stream, file.
    """

    def __init__(self, grid: Grid, basis: object) -> None:
        self.grid, self.basis = grid, basis
        self.count = 0
        self.averages = 0.0
        self.first_sample = self.last_sample = 0
        self.wall = 0.0
        self._autos = np.zeros((grid.autos, grid.count))
        self._cross = np.zeros(grid.count if grid.autos > 1 else 0, np.complex128)

    def add(self, snapshot: SpectrumSnapshot, first_sample: int, wall: float) -> None:
        """Take a spectrum in, whose samples begin at ``first_sample``, taken at ``wall`` (s)."""
        csd = snapshot.csd
        matrix = csd.matrix[csd.frequencies > 0.0]
        merged = _merged(matrix.shape[0])
        rows = self.grid.count * merged
        for j in range(self.grid.autos):
            self._autos[j] += matrix[:rows, j, j].real.reshape(-1, merged).mean(axis=1)
        if self._cross.size:
            self._cross += matrix[:rows, 0, 1].reshape(-1, merged).mean(axis=1)
        self._note(csd.effective_averages or float(csd.averages), 1, wall)
        self._extend(first_sample, csd.last_sample)

    def merge(self, other: RowSum) -> None:
        """Take another sum in."""
        self._autos += other._autos
        self._cross += other._cross
        self._note(other.averages * other.count, other.count, other.wall)
        self._extend(other.first_sample, other.last_sample)

    def _note(self, averages: float, count: int, wall: float) -> None:
        """Averages are the mean: rows that follow each other share most of their samples."""
        total = self.averages * self.count + averages
        self.count += count
        self.averages, self.wall = total / self.count, wall

    def _extend(self, first: int, last: int) -> None:
        fresh = self.last_sample == 0
        self.first_sample = first if fresh else min(self.first_sample, first)
        self.last_sample = max(self.last_sample, last)

    def encode(self) -> dict[int, Stored]:
        """Numbers of 16 bits of every plane, ``NONE`` where there is none."""
        scale = 1.0 / max(1, self.count)
        found = {j: _logs(auto * scale) for j, auto in enumerate(self._autos)}
        if self._cross.size:
            found[CROSS] = _logs(np.abs(self._cross) * scale)
            known = np.isfinite(self._cross)
            phase = np.angle(np.where(known, self._cross, 0.0)) * PER_RADIAN
            found[PHASE] = np.where(known, np.rint(phase), NONE).astype(np.int16)
        return found


def _logs(density: NDArray[np.float64]) -> Stored:
    good = density > 0.0
    good &= density < math.inf
    whole = bool(good.all())
    steps = np.log10(density if whole else np.where(good, density, 1.0))
    steps *= PER_DECADE
    np.clip(np.rint(steps, out=steps), -_LARGEST, _LARGEST, out=steps)
    stored = steps.astype(np.int16)
    return stored if whole else np.where(good, stored, np.int16(NONE))


def decode(grid: Grid, planes: dict[int, Stored], averages: float) -> CsdEstimate:
    """The spectrum that a row keeps; NaN where it holds no number.

    Only S_12 of the cross-spectra is kept; others of more channels are zero.
    """
    matrix = np.zeros((grid.count, grid.autos, grid.autos), np.complex128)
    for j in range(grid.autos):
        matrix[:, j, j] = _densities(planes[j])
    if grid.autos > 1:
        phase = np.where(planes[PHASE] == NONE, 0.0, planes[PHASE] / PER_RADIAN)
        cross = _densities(planes[CROSS]) * np.exp(1j * phase)
        matrix[:, 0, 1], matrix[:, 1, 0] = cross, cross.conj()
    return CsdEstimate(
        grid.frequencies,
        matrix,
        max(1, round(averages)),
        grid.window,
        grid.overlap,
        grid.sample_rate,
        grid.unit,
        averages,
    )


def _densities(stored: Stored) -> NDArray[np.float64]:
    values = 10.0 ** (stored / PER_DECADE)
    return np.where(stored == NONE, np.nan, values)
