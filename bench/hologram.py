"""A two-spot hologram of 1920 × 1200 pixels: CPU time, and against numpy spot by spot."""

from __future__ import annotations

import numpy as np

from bench.row import Row, cpu_seconds, paired
from optobind.instruments.hologram.calibration import GratingCalibration
from optobind.instruments.hologram.feedback import make_hologram
from optobind.instruments.hologram.grid import Illumination, PixelGrid
from optobind.instruments.hologram.lut import PhaseLut
from optobind.instruments.hologram.synthesis import HologramOptics, Synthesis
from optobind.instruments.protocols import SpotPattern

PIXELS, PITCH, WAVELENGTH, FOCAL_LENGTH = (1920, 1200), 8e-6, 1064e-9, 3e-3
PATTERN = SpotPattern(((11.3e-6, 7.1e-6, 0.0), (9.6e-6, 5.2e-6, 0.3e-6)), (0.55, 0.45), (0.4, 0.0))
DUMP = (9e-5, 9e-5, 0.0)


def rows() -> list[Row]:
    """CPU time of the mask alone and with feedback and prediction; ratio to numpy."""
    pitch = (PITCH, PITCH)
    grid = PixelGrid(PIXELS, pitch)
    calibration = GratingCalibration.from_optics(WAVELENGTH, FOCAL_LENGTH, pitch)
    optics = HologramOptics(grid, calibration, Illumination.beam(grid), PhaseLut.linear())
    amplitudes, phases = np.sqrt(PATTERN.weights), np.array(PATTERN.phases)

    def mask() -> np.ndarray:
        synthesis = Synthesis(optics, PATTERN.positions)
        synthesis.show(amplitudes, phases)
        return synthesis.image

    def peer() -> np.ndarray:
        x, y = np.meshgrid(grid.x, grid.y)
        total = np.zeros(grid.shape, complex)
        for place, a, phase in zip(PATTERN.positions, amplitudes, phases, strict=True):
            spot = calibration.grating(place)
            kx, ky = spot.slope[0] / PITCH, spot.slope[1] / PITCH
            ramp = kx * x + ky * y + spot.curvature * (x**2 + y**2) + phase - spot.phase
            total += a * np.exp(1j * ramp)
        return np.rint(np.angle(total) * (128.0 / np.pi)).astype(np.int64).astype(np.uint8)

    different = np.count_nonzero(mask() != peer())
    if different > 1e-4 * grid.pixels[0] * grid.pixels[1]:
        raise SystemExit(f"bench: {different} pixels of the masks differ")
    own, other, ratio = paired(mask, peer, 5)
    best = 1e3 * min(cpu_seconds(mask) for _ in range(15))

    def whole() -> None:
        make_hologram(optics, PATTERN, dump=DUMP)

    whole()
    full = 1e3 * min(cpu_seconds(whole) for _ in range(15))
    report = make_hologram(optics, PATTERN, dump=DUMP).report
    name = "hologram, 2 spots at 1920 × 1200"
    return [
        Row(f"{name}, CPU ms", best, 10.0, "mask alone, best of 15", at_most=True),
        Row(f"{name} with feedback, CPU ms", full, 20.0, f"{report}, best of 15", at_most=True),
        Row(
            f"{name} against numpy spot by spot",
            ratio,
            25.0,
            f"{1e3 * own:.1f} ms against {1e3 * other:.0f} ms; {different} pixels differ",
        ),
    ]
