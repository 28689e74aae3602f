"""Optics for the tests, and the far field by the book: nothing here is shared with the product."""

from __future__ import annotations

import numpy as np

from optobind.instruments.hologram.calibration import GratingCalibration
from optobind.instruments.hologram.grid import Illumination, PixelGrid
from optobind.instruments.hologram.lut import PhaseLut
from optobind.instruments.hologram.synthesis import HologramOptics
from optobind.instruments.protocols import SpotPattern

WAVELENGTH, FOCAL_LENGTH, PITCH = 1064e-9, 3e-3, 8e-6
DUMP = (9e-5, 9e-5, 0.0)


def make_optics(
    pixels=(480, 300), *, waist=1.5e-3, pupil=None, lut=None, correction=None, fill=1.0, pitch=None
) -> HologramOptics:
    pitch = pitch or (PITCH, PITCH)
    grid = PixelGrid(pixels, pitch, fill)
    return HologramOptics(
        grid,
        GratingCalibration.from_optics(WAVELENGTH, FOCAL_LENGTH, pitch),
        Illumination.beam(grid, waist, pupil),
        lut or PhaseLut.linear(),
        correction,
    )


def make_pair(separation=3e-6, angle=0.3, weight=0.5, phi=0.7, centre=(5e-6, -3e-6), dz=0.0):
    x, y = 0.5 * separation * np.cos(angle), 0.5 * separation * np.sin(angle)
    return SpotPattern(
        ((centre[0] + x, centre[1] + y, dz), (centre[0] - x, centre[1] - y, 0.0)),
        (weight, 1.0 - weight),
        (phi, 0.0),
    )


def amplitude_on(pixels, waist=1.5e-3, pupil=None, pitch=(PITCH, PITCH)) -> np.ndarray:
    """The beam on the modulator."""
    x = (np.arange(pixels[0]) - (pixels[0] - 1) / 2) * pitch[0]
    y = (np.arange(pixels[1]) - (pixels[1] - 1) / 2) * pitch[1]
    r2 = x**2 + y[:, None] ** 2
    beam = np.ones(r2.shape) if waist is None else np.exp(-r2 / waist**2)
    return beam if pupil is None else beam * (r2 <= pupil**2)


def field_at(
    phase: np.ndarray, amplitude: np.ndarray, position, *, pitch=(PITCH, PITCH), fill=1.0
) -> complex:
    """Light at a position behind a lens, in units of a flat mask's focus (Fresnel, all pixels).

    The double sum over the pixels of A exp(iψ) exp[ikZ − ik(xX + yY)/f − ikZ(x² + y²)/(2f²)], the
    exponential averaged over the active area of each pixel by Gauss-Legendre quadrature.
    """
    k, (X, Y, Z) = 2.0 * np.pi / WAVELENGTH, position
    nodes, weights = np.polynomial.legendre.leggauss(6)

    def axis(count: int, step: float, at: float) -> np.ndarray:
        middle = (np.arange(count) - (count - 1) / 2) * step
        x = middle[:, None] + 0.5 * step * np.sqrt(fill) * nodes
        wave = np.exp(-1j * k * (x * at / FOCAL_LENGTH + Z * x**2 / (2.0 * FOCAL_LENGTH**2)))
        return wave @ weights / 2.0

    rows, columns = phase.shape
    kernel = axis(rows, pitch[1], Y)[:, None] * axis(columns, pitch[0], X)
    total = np.sum(amplitude * np.exp(1j * phase) * kernel)
    return complex(total / amplitude.sum() * np.exp(1j * k * Z))


def spots_of(phase: np.ndarray, amplitude: np.ndarray, positions, **keywords) -> np.ndarray:
    """:func:`field_at` at several positions."""
    return np.array([field_at(phase, amplitude, p, **keywords) for p in positions])


def errors_of(light: np.ndarray, pattern: SpotPattern) -> tuple[float, float]:
    """Largest error of a phase between two spots, degrees, and largest relative weight error."""
    turned = light * np.exp(-1j * np.asarray(pattern.phases))
    phases = np.angle(turned * turned[0].conjugate())
    weights = np.asarray(pattern.weights) / np.sum(pattern.weights)
    shares = np.abs(light) ** 2 / np.sum(np.abs(light) ** 2)
    return float(np.degrees(np.ptp(phases))), float(np.max(np.abs(shares / weights - 1.0)))
