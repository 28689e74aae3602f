"""Options of every SLM driver: optics, calibration, look-up table, wavefront, tolerances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...models.errors import InputError
from ...models.ranges import require_range
from ..hologram.calibration import GratingCalibration
from ..hologram.correction import load_correction
from ..hologram.feedback import HologramSettings
from ..hologram.files import read_image, read_numbers
from ..hologram.grid import Illumination, PixelGrid
from ..hologram.lut import PhaseLut
from ..hologram.synthesis import HologramOptics
from ..hologram.zernike import zernike_wavefront

__all__ = ["SlmOptions", "pair_of", "pixels_of"]

_IMAGES = (".png", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class SlmOptions:
    """How an SLM sits in its optics; all values SI.

    Attributes
    ----------
    wavelength, focal_length : float
        Of the light and, effectively, from the SLM's plane to the traps, m.
    rotation : float
        Of the SLM against the traps' axes, rad; ``flip_x`` and ``flip_y`` come first.
    flip_x, flip_y : bool
        Mirror columns or rows.
    matrix : 2 × 2 floats, optional
        Measured (x, y) per slope, m per (rad per pixel), instead of focal length, rotation, flips.
    offset : three floats
        Where the undiffracted light is focused, m.
    front_distance : float
        Distance of the SLM's image before the front focal plane of the lens, m.
    fill_factor : float
        Active share of a pixel's area.
    optical_axis : two floats, optional
        (column, row) where the axis meets the SLM; its middle without it.
    beam_waist : float, optional
        1/e² radius of the beam on the SLM, m; uniform without it.
    pupil_radius : float, optional
        Radius on the SLM beyond which light misses the objective, m.
    beam : path, optional
        Measured intensity on the SLM, an image or array of (rows, columns), instead of a waist.
    lut : path, optional
        Measured phase of each grey level, see :meth:`.PhaseLut.load`.
    lut_wavelength : float, optional
        Wavelength of that measurement or of ``two_pi_level``, m; ``wavelength`` without it.
    two_pi_level : float, optional
        Grey level of 2π; the number of levels without it.
    phase_sign : {1, -1}
        -1 if larger grey levels mean a smaller phase: z and φ then come out reversed otherwise.
    wavefront : path, optional
        Wavefront correction, see :func:`.load_correction`; an image needs ``wavefront_level``
        unless its 2π is the number of its levels.
    wavefront_sign : {1, -1}
        -1 for a file that holds the aberration.
    zernike : mapping, optional
        Further correction: rms phase, rad, by Noll index or name, over ``zernike_radius``.
    zernike_radius : float, optional
        m; ``pupil_radius`` without it.
    largest_slope : float
        Steepest grating that is used, rad per pixel; it sets the field of view.
    dump : two or three floats, optional
        Where light goes that no spot shall have, m; the corner of the field farthest from the
        spots without it.
    efficiency : float, optional
        Share of the incident light that weights adding up to 1 stand for; see
        :func:`.make_hologram`.
    phase_tolerance, weight_tolerance : float
        What feedback aims at: rad between two spots, and relative.
    worst_phase_error, worst_weight_error : float
        A pattern whose hologram is further off is refused.
    settling_time : float
        Until a new mask is as stated, s, without the time of a frame.

    Raises
    ------
    InputError
        For a value outside its range.
    """

    wavelength: float
    focal_length: float
    rotation: float = 0.0
    flip_x: bool = False
    flip_y: bool = False
    matrix: Sequence[Sequence[float]] | None = None
    offset: Sequence[float] = (0.0, 0.0, 0.0)
    front_distance: float = 0.0
    fill_factor: float = 1.0
    optical_axis: Sequence[float] | None = None
    beam_waist: float | None = None
    pupil_radius: float | None = None
    beam: str | Path | None = None
    lut: str | Path | None = None
    lut_wavelength: float | None = None
    two_pi_level: float | None = None
    phase_sign: int = 1
    wavefront: str | Path | None = None
    wavefront_level: float | None = None
    wavefront_sign: int = 1
    zernike: Mapping[int | str, float] = field(default_factory=dict)
    zernike_radius: float | None = None
    largest_slope: float = 0.5 * math.pi
    dump: Sequence[float] | None = None
    efficiency: float | None = None
    phase_tolerance: float = math.radians(0.08)
    weight_tolerance: float = 4e-3
    worst_phase_error: float = math.radians(1.0)
    worst_weight_error: float = 0.05
    settling_time: float = 0.05

    def __post_init__(self) -> None:
        require_range("wavelength", self.wavelength, 1e-7, 2e-5, "m")
        require_range("focal_length", self.focal_length, 1e-5, 10.0, "m")
        require_range("largest_slope", self.largest_slope, 0.01, math.pi, "rad/pixel")
        require_range("settling_time", self.settling_time, 0.0, 10.0, "s")
        require_range("worst_phase_error", self.worst_phase_error, 0.0, math.pi, "rad")
        require_range("worst_weight_error", self.worst_weight_error, 0.0, 1.0)
        if self.efficiency is not None:
            require_range("efficiency", self.efficiency, 0.01, 1.0)
        for name in ("phase_sign", "wavefront_sign"):
            if getattr(self, name) not in (1, -1):
                raise InputError(f"{name} must be 1 or -1, got {getattr(self, name)!r}")
        if len(self.offset) != 3:
            raise InputError(f"offset must be three numbers (x, y, z) in m, got {self.offset!r}")
        if self.dump is not None and len(self.dump) not in (2, 3):
            raise InputError(f"dump must be two or three numbers in m, got {self.dump!r}")
        if self.optical_axis is not None and len(self.optical_axis) != 2:
            raise InputError(f"optical_axis must be (column, row), got {self.optical_axis!r}")
        if self.zernike and self.zernike_radius is None and self.pupil_radius is None:
            raise InputError("zernike terms need zernike_radius (or pupil_radius), m")
        if self.lut is not None and self.two_pi_level is not None:
            raise InputError("give lut or two_pi_level, not both")
        if self.beam is not None and self.beam_waist is not None:
            raise InputError("give beam or beam_waist, not both")

    @property
    def feedback(self) -> HologramSettings:
        """Tolerances of the feedback."""
        return HologramSettings(self.phase_tolerance, self.weight_tolerance)

    def calibration(self, pitch: tuple[float, float]) -> GratingCalibration:
        """Grating ↔ position for pixels of this pitch (m)."""
        x, y, z = (float(value) for value in self.offset)
        if self.matrix is None:
            return GratingCalibration.from_optics(
                self.wavelength,
                self.focal_length,
                pitch,
                rotation=self.rotation,
                flip_x=self.flip_x,
                flip_y=self.flip_y,
                offset=(x, y, z),
                front_distance=self.front_distance,
            )
        try:
            (a, b), (c, d) = ((float(v) for v in row) for row in self.matrix)
        except (TypeError, ValueError):
            raise InputError(f"matrix must be 2 × 2 numbers, got {self.matrix!r}") from None
        return GratingCalibration(
            ((a, b), (c, d)),
            pitch,
            self.wavelength,
            self.focal_length,
            (x, y, z),
            self.front_distance,
        )

    def phase_lut(self, bits: int, default: PhaseLut | None = None) -> PhaseLut:
        """Grey level ↔ phase; ``default`` is what the device itself states."""
        measured = self.lut_wavelength or self.wavelength
        if self.lut is not None:
            lut = PhaseLut.load(self.lut, bits=bits, sign=self.phase_sign)
        elif self.two_pi_level is None and default is not None:
            return default if self.phase_sign == 1 else PhaseLut(-default.phases)
        else:
            level = float(2**bits) if self.two_pi_level is None else self.two_pi_level
            lut = PhaseLut.linear(level, bits=bits, sign=self.phase_sign)
        return lut if measured == self.wavelength else lut.at_wavelength(measured, self.wavelength)

    def optics(
        self,
        pixels: tuple[int, int],
        pitch: tuple[float, float],
        bits: int = 8,
        default_lut: PhaseLut | None = None,
    ) -> HologramOptics:
        """Everything that a hologram depends on; reads the files.

        Raises
        ------
        FileError
            For a file that cannot be used.
        """
        axis = None if self.optical_axis is None else tuple(map(float, self.optical_axis))
        grid = PixelGrid(pixels, pitch, self.fill_factor, axis)  # type: ignore[arg-type]
        correction = np.zeros(grid.shape)
        if self.wavefront is not None:
            correction += load_correction(
                self.wavefront, grid, two_pi_level=self.wavefront_level, sign=self.wavefront_sign
            )
        if self.zernike:
            radius = self.zernike_radius or self.pupil_radius or 0.0
            correction += zernike_wavefront(grid, self.zernike, radius)
        return HologramOptics(
            grid,
            self.calibration(pitch),
            self._illumination(grid),
            self.phase_lut(bits, default_lut),
            correction if self.wavefront is not None or self.zernike else None,
        )

    def _illumination(self, grid: PixelGrid) -> Illumination:
        """Light on the SLM."""
        if self.beam is None:
            return Illumination.beam(grid, self.beam_waist, self.pupil_radius)
        if Path(self.beam).suffix.lower() in _IMAGES:
            intensity, _ = read_image(self.beam, "beam")
        else:
            intensity = read_numbers(self.beam, "beam")
        return Illumination.measured(grid, intensity, self.pupil_radius)


def pair_of(what: str, value: float | Sequence[float]) -> tuple[float, float]:
    """Two numbers from one or two."""
    try:
        parts = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)] * 2
    except (TypeError, ValueError):
        parts = []
    if isinstance(value, str) or len(parts) != 2:
        raise InputError(f"{what} must be one or two numbers, got {value!r}")
    return parts[0], parts[1]


def pixels_of(value: Sequence[int]) -> tuple[int, int]:
    """Return (columns, rows) as whole numbers."""
    columns, rows = pair_of("pixels", value)
    if not (columns.is_integer() and rows.is_integer() and isinstance(value, Sequence)):
        raise InputError(f"pixels must be two whole numbers (columns, rows), got {value!r}")
    return int(columns), int(rows)
