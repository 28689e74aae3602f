"""Grey level ↔ phase of a modulator at one wavelength.

A modulator's grey level g gives the phase p(g). For a phase that the hologram asks for, the level
whose phase is nearest on the circle is shown; the phase that it really gives is kept beside it, so
that every prediction is about what is shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError, InputError
from ...models.ranges import require_range
from .files import read_numbers

__all__ = ["PhaseLut"]

_TURN = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class PhaseLut:
    """Phase of each grey level.

    Attributes
    ----------
    phases : ndarray
        Phase of grey levels 0, 1, 2, …, rad: 2 … 65536 values.

    Raises
    ------
    InputError
        For too few or too many values, values that are not finite, or fewer than two phases that
        differ.
    """

    phases: NDArray[np.float64]

    def __post_init__(self) -> None:
        phases = np.asarray(self.phases, dtype=float)
        if phases.ndim != 1 or not 2 <= len(phases) <= 65536:
            raise InputError(f"a LUT lists 2 … 65536 phases, got an array of {phases.shape}")
        if not np.all(np.isfinite(phases)):
            raise InputError("a phase of the LUT is not a finite number")
        if len(np.unique(np.round(phases % _TURN, 9))) < 2:
            raise InputError("all levels of the LUT give the same phase")
        object.__setattr__(self, "phases", phases)

    @classmethod
    def linear(cls, two_pi_level: float = 256.0, *, bits: int = 8, sign: int = 1) -> PhaseLut:
        """p(g) = ± 2π g / two_pi_level.

        Parameters
        ----------
        two_pi_level : float
            Grey level (or one beyond the last, such as 256) of the phase 2π; above 2^bits the
            modulator does not reach 2π and what is missing is a gap.
        bits : int
            Bits of a grey level; 1 … 16.
        sign : {1, -1}
            -1 if a larger grey level means a smaller phase (a shorter optical path).
        """
        require_range("bits", bits, 1, 16)
        require_range("two_pi_level", two_pi_level, 2.0, 4.0 * 2**bits)
        if sign not in (1, -1):
            raise InputError(f"phase sign must be 1 or -1, got {sign!r}")
        return cls(sign * _TURN / two_pi_level * np.arange(2**bits))

    @classmethod
    def load(cls, path: str | Path, *, bits: int = 8, sign: int = 1) -> PhaseLut:
        """Measured response: ``.npy``, or text with one phase (rad) per level, or (level, phase).

        Parameters
        ----------
        path : path
            The file; a table of (level, phase) is interpolated between its levels.
        bits : int
            Bits of a grey level.
        sign : {1, -1}
            Multiplies the phases.

        Raises
        ------
        FileError
            Says what is wrong with the file.
        """
        require_range("bits", bits, 1, 16)
        table, levels = read_numbers(path, "LUT"), 2**bits
        if table.ndim == 2 and table.shape[1] == 1:
            table = table[:, 0]
        if table.ndim == 1:
            if len(table) != levels:
                raise FileError(f"LUT {path} has {len(table)} phases, a level each are {levels}")
            return cls(sign * table)
        if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2:
            raise FileError(f"LUT {path} must have 1 or 2 columns, its shape is {table.shape}")
        given, phases = table.T
        if np.any(np.diff(given) <= 0.0) or given[0] > 0.0 or given[-1] < levels - 1:
            raise FileError(f"LUT {path}: levels must rise from 0 to {levels - 1}")
        return cls(sign * np.interp(np.arange(levels), given, phases))

    def at_wavelength(self, measured: float, used: float) -> PhaseLut:
        """The same modulator at another wavelength (m): phases ∝ 1/λ, dispersion left out."""
        for value in (measured, used):
            require_range("wavelength", value, 1e-7, 2e-5, "m")
        return PhaseLut(self.phases * (measured / used))

    @property
    def levels(self) -> int:
        """Number of grey levels."""
        return len(self.phases)

    @property
    def distinct(self) -> int:
        """Number of phases between 0 and 2π that are used."""
        return len(np.unique(self.greys))

    @cached_property
    def usable(self) -> NDArray[np.intp]:
        """Levels within 2π of level 0; neighbouring phases do not jump beyond that range."""
        return np.flatnonzero(np.abs(self.phases - self.phases[0]) < _TURN - 1e-9)

    @cached_property
    def greys(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Grey level of each of :attr:`steps` equal steps of phase from 0 to 2π."""
        turned = self.phases[self.usable] % _TURN
        order = np.argsort(turned, kind="stable")
        known, order = turned[order], self.usable[order]
        # Neighbours on the circle: the last one before 0 and the first one after 2π.
        ring = np.concatenate([[known[-1] - _TURN], known, [known[0] + _TURN]])
        which = np.concatenate([[order[-1]], order, [order[0]]])
        wanted = _TURN * np.arange(self.steps) / self.steps
        above = np.clip(np.searchsorted(ring, wanted), 1, len(ring) - 1)
        nearer = wanted - ring[above - 1] <= ring[above] - wanted
        found = which[np.where(nearer, above - 1, above)]
        return found.astype(np.uint8) if self.levels <= 256 else found.astype(np.uint16)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """Phase that is shown minus the phase of each step, rad, −π … π."""
        wanted = _TURN * np.arange(self.steps) / self.steps
        return np.remainder(self.phases[self.greys] - wanted + math.pi, _TURN) - math.pi

    @cached_property
    def kernel_errors(self) -> NDArray[np.float32]:
        """:attr:`errors` in single precision; empty if step and level are the same."""
        same = self.steps >= 64 and np.array_equal(self.greys, np.arange(self.steps))
        if same and np.all(np.abs(self.errors) < 1e-9):
            return np.zeros(0, np.float32)
        return self.errors.astype(np.float32)

    @cached_property
    def steps(self) -> int:
        """Steps of phase in the table: one a level if they are equal, else many more."""
        count = self.levels
        if count & (count - 1) == 0:
            gaps = np.diff(np.sort(self.phases % _TURN))
            if np.allclose(gaps, _TURN / count, rtol=0.0, atol=1e-9):
                return count
        return int(1 << max(10, 2 + (count - 1).bit_length()))
