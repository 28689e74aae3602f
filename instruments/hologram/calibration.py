"""Where a grating and a lens on the modulator put a spot, and which optical phase it gets there.

A term exp[i(k_x x + k_y y + c r² + φ)] of the mask is focused by a lens of focal length f. With the
modulator's image a distance f + s before it, Collins' integral with A = −Z/f, B = f − sZ/f,
D = −s/f puts the spot at B k⊥/k, a distance Z = 2fBc/k behind the focus, with the optical phase
φ + kZ + kD(X² + Y²)/(2B), up to a constant: the wave travels on by Z, and a modulator outside
the front focal plane (s ≠ 0) tilts the phase over the field. Time factor exp(−iω_L t), light along
+z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = ["Grating", "GratingCalibration"]

_Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Grating:
    """What puts light at one spot.

    Attributes
    ----------
    slope : tuple of float
        Phase slope along columns and rows, rad per pixel.
    curvature : float
        Lens term c of c·r², rad/m².
    phase : float
        What the light gains on its way to the spot, rad: to be taken off the phase wanted there.
    """

    slope: tuple[float, float]
    curvature: float
    phase: float


@dataclass(frozen=True)
class GratingCalibration:
    """Grating ↔ position.

    Attributes
    ----------
    matrix : tuple of tuple of float
        (X, Y) = matrix · slope, m per (rad per pixel); measured, or from :meth:`from_optics`.
    pitch : tuple of float
        Pixel pitch along x and y, m.
    wavelength : float
        m.
    focal_length : float
        Effective focal length from the modulator's plane to the spots, m.
    offset : tuple of float
        Where the undiffracted light is focused, m.
    front_distance : float
        Distance s of the modulator (its image) before the lens' front focal plane, m.

    Raises
    ------
    InputError
        For a value outside its range or a matrix that maps to a line.
    """

    matrix: _Matrix
    pitch: tuple[float, float]
    wavelength: float
    focal_length: float
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    front_distance: float = 0.0

    def __post_init__(self) -> None:
        require_range("wavelength", self.wavelength, 1e-7, 2e-5, "m")
        require_range("focal_length", self.focal_length, 1e-5, 10.0, "m")
        require_range("front_distance", self.front_distance, -10.0, 10.0, "m")
        for value in self.pitch:
            require_range("pitch", value, 1e-7, 1e-3, "m")
        for value in self.offset:
            require_range("offset", value, -1e-2, 1e-2, "m")
        matrix = np.asarray(self.matrix, dtype=float)
        if matrix.shape != (2, 2) or not np.all(np.isfinite(matrix)):
            raise InputError(f"the grating matrix must be 2 × 2 numbers, got {self.matrix!r}")
        scale = float(np.abs(matrix).max())
        if not abs(np.linalg.det(matrix)) > 1e-6 * scale**2:
            raise InputError("the grating matrix maps a plane to a line: measure it again")

    @classmethod
    def from_optics(
        cls,
        wavelength: float,
        focal_length: float,
        pitch: tuple[float, float],
        *,
        rotation: float = 0.0,
        flip_x: bool = False,
        flip_y: bool = False,
        offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
        front_distance: float = 0.0,
    ) -> GratingCalibration:
        """Calibration of a modulator turned by ``rotation`` (rad), its axes flipped first."""
        require_range("rotation", rotation, -2.0 * math.pi, 2.0 * math.pi, "rad")
        sx = (-1.0 if flip_x else 1.0) * wavelength * focal_length / (2.0 * math.pi * pitch[0])
        sy = (-1.0 if flip_y else 1.0) * wavelength * focal_length / (2.0 * math.pi * pitch[1])
        c, s = math.cos(rotation), math.sin(rotation)
        matrix = ((c * sx, -s * sy), (s * sx, c * sy))
        return cls(matrix, pitch, wavelength, focal_length, offset, front_distance)

    @property
    def wavenumber(self) -> float:
        """2π/λ, rad/m."""
        return 2.0 * math.pi / self.wavelength

    def grating(self, position: tuple[float, float, float]) -> Grating:
        """Grating, lens and phase of a spot at ``position`` (m)."""
        x, y, z = (p - o for p, o in zip(position, self.offset, strict=True))
        k, b = self.wavenumber, self._b(z)
        slope = np.linalg.solve(np.asarray(self.matrix), (x, y)) * (self.focal_length / b)
        return Grating(
            (float(slope[0]), float(slope[1])),
            k * z / (2.0 * self.focal_length * b),
            k * z - k * self.front_distance * (x**2 + y**2) / (2.0 * self.focal_length * b),
        )

    def position(self, grating: Grating) -> tuple[float, float, float]:
        """Where a grating and a lens put the spot, m."""
        f, s = self.focal_length, self.front_distance
        z = 2.0 * f * grating.curvature * f / (self.wavenumber + 2.0 * grating.curvature * s)
        x, y = np.asarray(self.matrix) @ grating.slope * (self._b(z) / f)
        return float(x) + self.offset[0], float(y) + self.offset[1], z + self.offset[2]

    def field_of_view(self, largest_slope: float = math.pi) -> float:
        """Full width of the square round the origin that slopes up to ``largest_slope`` reach, m.

        Parameters
        ----------
        largest_slope : float
            rad per pixel; at π a grating has two pixels a period and no preferred side.

        Raises
        ------
        InputError
            If the origin is out of reach.
        """
        require_range("largest_slope", largest_slope, 0.01, math.pi, "rad/pixel")
        inverse: NDArray[np.float64] = np.linalg.inv(np.asarray(self.matrix))
        shift = np.abs(inverse @ self.offset[:2])
        half = float(np.min((largest_slope - shift) / np.abs(inverse).sum(axis=1)))
        if half <= 0.0:
            raise InputError(
                f"the origin is out of reach: it needs {shift.max():.3g} rad/pixel, at most "
                f"{largest_slope:.3g}; check offset and matrix"
            )
        return 2.0 * half

    def _b(self, z: float) -> float:
        """Element B of the ray matrix, m."""
        b = self.focal_length - self.front_distance * z / self.focal_length
        if not b > 0.01 * self.focal_length:
            raise InputError(
                f"a spot at z = {z:g} m is out of reach with front_distance "
                f"{self.front_distance:g} m and focal_length {self.focal_length:g} m"
            )
        return b
