from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from optobind.instruments.hologram.correction import load_correction
from optobind.instruments.hologram.grid import Illumination, PixelGrid
from optobind.instruments.hologram.synthesis import HologramOptics
from optobind.models.errors import FileError, InputError

from .optics import make_optics

GRID = PixelGrid((7, 5), (8e-6, 8e-6))
PHASE = np.linspace(-4.0, 9.0, 35).reshape(5, 7)
GREYS = (np.arange(35).reshape(5, 7) * 7).astype(np.uint8)


def test_radians_are_read_from_arrays_and_text(tmp_path):
    np.save(tmp_path / "w.npy", PHASE.astype(np.float32))
    np.savez(tmp_path / "w.npz", phase=PHASE)
    np.savetxt(tmp_path / "w.csv", PHASE, delimiter=",")
    for name in ("w.npy", "w.npz", "w.csv"):
        assert np.allclose(load_correction(tmp_path / name, GRID), PHASE, atol=1e-6)
    assert np.allclose(load_correction(tmp_path / "w.npz", GRID, sign=-1), -PHASE)


def test_images_hold_grey_levels(tmp_path):
    for name in ("w.png", "w.bmp"):
        Image.fromarray(GREYS).save(tmp_path / name)
        turns = GREYS / 256.0
        assert np.allclose(load_correction(tmp_path / name, GRID), 2.0 * math.pi * turns)
        scaled = load_correction(tmp_path / name, GRID, two_pi_level=210.0)
        assert np.allclose(scaled, 2.0 * math.pi * GREYS / 210.0)
    deep = (np.arange(35).reshape(5, 7) * 1801).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = load_correction(tmp_path / "deep.png", GRID)
    assert np.allclose(found, 2.0 * math.pi * deep / 65536.0)


def test_files_that_do_not_fit_are_refused_by_name_and_shape(tmp_path):
    np.save(tmp_path / "turned.npy", PHASE.T)
    with pytest.raises(FileError, match=r"turned.npy is \(7, 5\).*the modulator has \(5, 7\)"):
        load_correction(tmp_path / "turned.npy", GRID)
    np.save(tmp_path / "complex.npy", PHASE + 1j)
    with pytest.raises(FileError, match="must hold real numbers, it holds complex128"):
        load_correction(tmp_path / "complex.npy", GRID)
    np.savez(tmp_path / "two.npz", a=PHASE, b=PHASE)
    with pytest.raises(FileError, match="must hold one array, it holds: a, b"):
        load_correction(tmp_path / "two.npz", GRID)
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FileError, match="is not an array of numbers"):
        load_correction(tmp_path / "object.npy", GRID)
    for name in ("broken.npy", "broken.npz", "broken.png"):
        (tmp_path / name).write_bytes(b"not what the name says")
        with pytest.raises(FileError, match="is no"):
            load_correction(tmp_path / name, GRID)
        with pytest.raises(FileError, match="cannot be read"):
            load_correction(tmp_path / f"missing-{name}", GRID)
    colour = np.zeros((5, 7, 3), np.uint8)
    colour[..., 1] = 9
    Image.fromarray(colour).save(tmp_path / "colour.png")
    with pytest.raises(FileError, match="is in colour"):
        load_correction(tmp_path / "colour.png", GRID)


def test_optics_refuse_a_correction_of_another_shape():
    optics = make_optics((40, 30))
    parts = (optics.grid, optics.calibration, optics.illumination, optics.lut)
    with pytest.raises(InputError, match=r"correction is \(40, 30\).*modulator has \(30, 40\)"):
        HologramOptics(*parts, np.zeros((40, 30)))
    with pytest.raises(InputError, match="not finite"):
        HologramOptics(*parts, np.full((30, 40), np.nan))


def test_measured_beams_are_checked():
    light = Illumination.measured(GRID, GREYS.astype(float))
    assert light.pattern is not None
    assert np.allclose(light.pattern**2, GREYS / GREYS.max(), atol=1e-6)
    with pytest.raises(InputError, match="the beam is"):
        Illumination.measured(GRID, GREYS.T)
    with pytest.raises(InputError, match="≥ 0"):
        Illumination.measured(GRID, -GREYS.astype(float))
    with pytest.raises(InputError, match="no pixel is lit"):
        Illumination.beam(PixelGrid((4, 4), (1e-3, 1e-3)), pupil_radius=1e-4)
