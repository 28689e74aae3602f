"""From spots to a mask, and from a mask to the light that arrives at each spot.

The light at spot j is V_j = Σ A e^{iψ} s_j X_j* Y_j* / Σ A over the pixels: A the amplitude on the
modulator, ψ the phase that the shown grey level really gives (wavefront correction taken off
again, for it only cancels an aberration), s_j the envelope sinc(slope · active width/2π) of a
pixel. |V_j|² is the share of the incident light in spot j. The sum runs over the pixels, so that a
position need not lie on any raster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from .calibration import Grating, GratingCalibration
from .grid import Illumination, PixelGrid
from .kernels import shape_light
from .lut import PhaseLut

__all__ = ["Complex", "HologramOptics", "Image", "Synthesis"]

Complex = NDArray[np.complex128]
Image = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class HologramOptics:
    """Modulator, light and calibration: all that a hologram depends on but the spots.

    Attributes
    ----------
    grid : PixelGrid
        Pixels.
    calibration : GratingCalibration
        Grating ↔ position.
    illumination : Illumination
        Light on the modulator.
    lut : PhaseLut
        Grey level ↔ phase.
    correction : ndarray of float, shape (rows, columns), or None
        Wavefront correction, added to every mask, rad.

    Raises
    ------
    InputError
        If the correction has another shape than the modulator or is not finite.
    """

    grid: PixelGrid
    calibration: GratingCalibration
    illumination: Illumination
    lut: PhaseLut
    correction: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        steps = self.lut.steps / (2.0 * math.pi)
        scaled = None
        if self.correction is not None:
            if self.correction.shape != self.grid.shape:
                raise InputError(
                    f"the wavefront correction is {self.correction.shape} (rows, columns), the "
                    f"modulator has {self.grid.shape}"
                )
            if not np.all(np.isfinite(self.correction)):
                raise InputError("the wavefront correction holds values that are not finite")
            wrapped = np.remainder(self.correction, 2.0 * math.pi)
            scaled = np.ascontiguousarray(wrapped * steps, dtype=np.float32)
        object.__setattr__(self, "_scaled_correction", scaled)

    @property
    def scaled_correction(self) -> NDArray[np.float32] | None:
        """Correction in steps of the LUT."""
        return self._scaled_correction  # type: ignore[attr-defined,no-any-return]


class Synthesis:
    """Masks for spots at given places; amplitudes and phases may change from call to call.

    Parameters
    ----------
    optics : HologramOptics
        Modulator, light, calibration.
    positions : sequence of (x, y, z)
        Where the spots are, m.

    Raises
    ------
    InputError
        For a spot whose grating is finer than two pixels a period.
    """

    def __init__(
        self, optics: HologramOptics, positions: Sequence[tuple[float, float, float]]
    ) -> None:
        self.optics, self.positions = optics, tuple(positions)
        self._scatter = 0.0
        gratings = [optics.calibration.grating(position) for position in positions]
        self._gained = np.array([grating.phase for grating in gratings])
        grid, light = optics.grid, optics.illumination
        columns, across = _phasors(grid, gratings, 0, light.lit[0])
        rows, along = _phasors(grid, gratings, 1, light.lit[1])
        across, along = across * light.columns[:, None], along * light.rows[:, None]
        spread = [np.ptp([g.slope[axis] for g in gratings]) for axis in (0, 1)]
        picks = [np.arange(grid.pixels[0]), np.arange(grid.pixels[1])]
        self._all = _Raster(optics, columns, across, rows, along, *picks)
        # Fewer samples along the axis on which the spots differ less.
        axis = 0 if spread[0] < spread[1] else 1
        picks[axis] = _sample(grid.pixels[axis])
        self._fewer = _Raster(optics, columns, across, rows, along, *picks)

    @property
    def image(self) -> Image:
        """Grey levels of the last call that was not sampled."""
        return self._all.image

    def dither(self, amplitude: float) -> None:
        """Scatter the phases of the spots over rows and columns, at random but always alike.

        Where the spacing of the spots keeps step with the pixels, only few combinations of their
        phases occur, and all pixels of one combination round and flip together. Scattering by as
        much as these combinations are apart makes the light a smooth function of what is set.

        Parameters
        ----------
        amplitude : float
            Width of the scatter, rad; 0 takes it away.
        """
        if amplitude == self._scatter:
            return
        self._scatter = amplitude
        rng = np.random.default_rng(1)
        count = len(self._gained)
        scatter = [amplitude * rng.uniform(-0.5, 0.5, (n, count)) for n in self.optics.grid.pixels]
        for raster in (self._all, self._fewer):
            raster.scatter(*scatter)

    def show(self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64]) -> None:
        """Compute the mask only.

        Parameters
        ----------
        amplitudes, phases : ndarray, shape (N,)
            What enters the superposition; the optical phases are at the spots, rad.
        """
        self._all.run(amplitudes * np.exp(1j * (phases - self._gained)), sum_light=False)

    def light(
        self, amplitudes: NDArray[np.float64], phases: NDArray[np.float64], *, sampled: bool = False
    ) -> Complex:
        """Compute the mask and return the complex amplitude at each spot.

        Parameters
        ----------
        amplitudes, phases : ndarray, shape (N,)
            What enters the superposition.
        sampled : bool
            Only about a sixteenth of the pixels: quicker, and good to about a percent.
        """
        raster = self._fewer if sampled else self._all
        found = raster.run(amplitudes * np.exp(1j * (phases - self._gained)))
        return np.asarray(found * np.exp(1j * self._gained))


class _Raster:
    """All pixels, or some of the rows or columns, with what the kernel needs of them."""

    def __init__(
        self,
        optics: HologramOptics,
        columns: Complex,
        across: NDArray[np.float64],
        rows: Complex,
        along: NDArray[np.float64],
        column_picks: NDArray[np.intp],
        row_picks: NDArray[np.intp],
    ) -> None:
        self._lut, self._picks = optics.lut, (column_picks, row_picks)
        self._true = columns[column_picks], rows[row_picks]
        self._detect = _planes((columns * across)[column_picks].T)
        self._sensed = (np.conj(rows) * along)[row_picks]
        whole = len(column_picks) == len(columns) and len(row_picks) == len(rows)

        def part(array: NDArray[np.float32] | None) -> NDArray[np.float32]:
            if array is None:
                return np.zeros((0, 0), np.float32)
            return array if whole else np.ascontiguousarray(array[np.ix_(row_picks, column_picks)])

        light = optics.illumination
        self._correction, self._pattern = part(optics.scaled_correction), part(light.pattern)
        lit_rows, lit_columns = light.rows[row_picks], light.columns[column_picks]
        by_row = self._pattern @ lit_columns if self._pattern.size else lit_columns.sum()
        self._total = float(np.sum(lit_rows * by_row))
        self.image: Image = np.empty((len(row_picks), len(column_picks)), optics.lut.greys.dtype)
        self._sums = np.empty((len(row_picks), columns.shape[1]), complex)
        self.scatter()

    def scatter(
        self, columns: NDArray[np.float64] | None = None, rows: NDArray[np.float64] | None = None
    ) -> None:
        """Add phases (all columns or rows, N) to what makes the mask; what detects stays."""
        x, y = self._true
        if columns is not None and rows is not None:
            x = x * np.exp(1j * columns[self._picks[0]])
            y = y * np.exp(1j * rows[self._picks[1]])
        self._columns, self._rows = _planes(x.T), np.ascontiguousarray(y)

    def run(self, coefficients: Complex, *, sum_light: bool = True) -> Complex:
        """Fill the image; return the light at each spot in units of a flat, full beam's."""
        shape_light(
            self._columns,
            self._detect if sum_light else self._detect[:, :, :0],
            self._rows,
            coefficients,
            self._correction,
            self._pattern,
            self._lut.greys,
            self._lut.kernel_errors,
            self.image,
            self._sums,
        )
        return np.asarray(np.einsum("yj,yj->j", self._sums, self._sensed) / self._total)


def _sample(count: int) -> NDArray[np.intp]:
    """One of each group of 16, at places that keep no step with a grating (golden section)."""
    groups = min(count, max(48, count // 16))
    place = np.arange(groups) + (np.arange(groups) * 0.6180339887498949) % 1.0
    return np.unique((place * count / groups).astype(np.intp))


def _phasors(
    grid: PixelGrid, gratings: list[Grating], axis: int, lit: NDArray[np.float64]
) -> tuple[Complex, NDArray[np.float64]]:
    """exp[i(kx + cx²)] along an axis, (n, N), and the envelope of a pixel for the local slope."""
    x, pitch = (grid.x, grid.y)[axis], grid.pitch[axis]
    slope = np.array([grating.slope[axis] for grating in gratings]) / pitch
    curvature = np.array([grating.curvature for grating in gratings])
    local = slope + 2.0 * curvature * x[:, None]
    steepest = float(np.max(np.abs(local[lit > 1e-3 * lit.max()])) * pitch)
    if steepest > math.pi:
        raise InputError(
            f"a spot needs a phase slope of {steepest:.3g} rad per pixel where light is, at most "
            f"{math.pi:.3g}: move it nearer to the axis or to z = 0"
        )
    phase = slope * x[:, None] + curvature * x[:, None] ** 2
    envelope = np.sinc(local * grid.active[axis] / (2.0 * math.pi))
    return np.exp(1j * phase), envelope


def _planes(values: Complex) -> NDArray[np.float32]:
    """Real and imaginary part in single precision, (2, N, n)."""
    return np.ascontiguousarray(np.stack([values.real, values.imag]), dtype=np.float32)
