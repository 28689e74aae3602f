"""Pixels of a modulator, and the light on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = ["Illumination", "PixelGrid"]

_Array = NDArray[np.float64]
_MOST_PIXELS = 16384


@dataclass(frozen=True)
class PixelGrid:
    """Pixels of a modulator: columns along x, rows along y (row 0 first).

    Attributes
    ----------
    pixels : tuple of int
        (columns, rows), 2 … 16384 each.
    pitch : tuple of float
        Distance of neighbouring pixels along x and y, m; 1e-7 … 1e-3.
    fill_factor : float
        Active share of a pixel's area; 0.1 … 1.
    centre : tuple of float or None
        (column, row) where the optical axis meets the modulator; None for its middle.

    Raises
    ------
    InputError
        For a value outside its range.
    """

    pixels: tuple[int, int]
    pitch: tuple[float, float]
    fill_factor: float = 1.0
    centre: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for what, count, step in zip(("columns", "rows"), self.pixels, self.pitch, strict=True):
            require_range(f"number of {what}", count, 2, _MOST_PIXELS)
            require_range(f"pitch of {what}", step, 1e-7, 1e-3, "m")
        require_range("fill_factor", self.fill_factor, 0.1, 1.0)
        if self.centre is not None:
            for what, value in zip(("column", "row"), self.centre, strict=True):
                require_range(f"{what} of the optical axis", value, -1e5, 1e5)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns), the shape of an image."""
        return self.pixels[1], self.pixels[0]

    @property
    def x(self) -> _Array:
        """Columns' positions from the optical axis, m."""
        return self._axis(0)

    @property
    def y(self) -> _Array:
        """Rows' positions from the optical axis, m."""
        return self._axis(1)

    @property
    def active(self) -> tuple[float, float]:
        """Width and height of a pixel's active area, m."""
        root = math.sqrt(self.fill_factor)
        return self.pitch[0] * root, self.pitch[1] * root

    def _axis(self, axis: int) -> _Array:
        count = self.pixels[axis]
        middle = 0.5 * (count - 1) if self.centre is None else self.centre[axis]
        return np.asarray((np.arange(count) - middle) * self.pitch[axis], dtype=float)


@dataclass(frozen=True)
class Illumination:
    """Amplitude of the light on a grid: a product columns × rows, times a pattern if given.

    Attributes
    ----------
    columns, rows : ndarray
        Amplitudes along x and y, ≥ 0.
    pattern : ndarray of float32, shape (rows, columns), or None
        What is not a product: a round pupil, a measured beam.
    """

    columns: _Array
    rows: _Array
    pattern: NDArray[np.float32] | None = None

    @classmethod
    def beam(
        cls, grid: PixelGrid, waist: float | None = None, pupil_radius: float | None = None
    ) -> Illumination:
        """A Gaussian beam, cut by a round pupil; both centred on the optical axis.

        Parameters
        ----------
        grid : PixelGrid
            The pixels.
        waist : float, optional
            Radius at which the intensity has dropped to 1/e², m; uniform without it.
        pupil_radius : float, optional
            Light outside this radius does not pass the objective, m.

        Raises
        ------
        InputError
            If no pixel is lit.
        """
        columns, rows = np.ones(grid.pixels[0]), np.ones(grid.pixels[1])
        if waist is not None:
            require_range("beam waist", waist, 1e-5, 1.0, "m")
            columns, rows = np.exp(-((grid.x / waist) ** 2)), np.exp(-((grid.y / waist) ** 2))
        return _lit(cls(columns, rows, _pupil(grid, pupil_radius)))

    @classmethod
    def measured(
        cls, grid: PixelGrid, intensity: NDArray[np.floating], pupil_radius: float | None = None
    ) -> Illumination:
        """A measured beam, cut by a round pupil.

        Parameters
        ----------
        grid : PixelGrid
            The pixels.
        intensity : ndarray, shape (rows, columns)
            In any unit, ≥ 0.
        pupil_radius : float, optional
            Light outside this radius does not pass the objective, m.

        Raises
        ------
        InputError
            For another shape, or values that are no intensities.
        """
        values = np.asarray(intensity, dtype=float)
        if values.shape != grid.shape:
            raise InputError(f"the beam is {values.shape}, the modulator {grid.shape} pixels")
        if not np.all(np.isfinite(values)) or values.min() < 0.0 or values.max() <= 0.0:
            raise InputError("a beam's intensity must be finite, ≥ 0 and not 0 everywhere")
        amplitude = np.sqrt(values / values.max()).astype(np.float32)
        pupil = _pupil(grid, pupil_radius)
        if pupil is not None:
            amplitude *= pupil
        return _lit(cls(np.ones(grid.pixels[0]), np.ones(grid.pixels[1]), amplitude))

    @property
    def total(self) -> float:
        """Sum of the amplitudes of all pixels."""
        by_row = self.columns.sum() if self.pattern is None else self.pattern @ self.columns
        return float(np.sum(self.rows * by_row))

    @property
    def lit(self) -> tuple[_Array, _Array]:
        """Largest amplitude in each column and each row: where light is at all."""
        if self.pattern is None:
            return self.columns, self.rows
        return self.columns * self.pattern.max(axis=0), self.rows * self.pattern.max(axis=1)


def _pupil(grid: PixelGrid, radius: float | None) -> NDArray[np.float32] | None:
    """1 inside a circle round the optical axis."""
    if radius is None:
        return None
    require_range("pupil_radius", radius, 1e-5, 1.0, "m")
    inside = np.hypot(grid.x, grid.y[:, None]) <= radius
    return np.ascontiguousarray(inside, dtype=np.float32)


def _lit(light: Illumination) -> Illumination:
    """Return the light, if any pixel has some."""
    if not light.total > 0.0:
        raise InputError("no pixel is lit: check beam, pupil_radius and optical axis")
    return light
