"""Wavefront correction: the phase that makes the focus sharp, added to every mask."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ...models.ranges import require_range
from .files import read_image, read_numbers
from .grid import PixelGrid

__all__ = ["load_correction"]

_IMAGES = (".png", ".bmp", ".tif", ".tiff")


def load_correction(
    path: str | Path, grid: PixelGrid, *, two_pi_level: float | None = None, sign: int = 1
) -> NDArray[np.float64]:
    """Read a wavefront correction as phase, rad, with the shape of the modulator.

    Parameters
    ----------
    path : path
        ``.npy``, ``.npz`` or text hold radians, an image holds grey levels.
    grid : PixelGrid
        The pixels; the shape must be (rows, columns).
    two_pi_level : float, optional
        Grey level of 2π in an image; 256 (65536 for 16 bits) without it.
    sign : {1, -1}
        -1 for a file that holds the aberration instead of its correction.

    Raises
    ------
    FileError
        For a file that cannot be read, or of another shape; names both shapes.
    """
    if Path(path).suffix.lower() in _IMAGES:
        greys, levels = read_image(path, "wavefront correction")
        top = float(levels) if two_pi_level is None else two_pi_level
        phase = greys * (2.0 * math.pi / require_range("two_pi_level", top, 2.0, 131072.0))
    else:
        phase = read_numbers(path, "wavefront correction")
    if phase.shape != grid.shape:
        raise FileError(
            f"wavefront correction {path} is {phase.shape} (rows, columns), the modulator has "
            f"{grid.shape}"
        )
    return sign * phase
