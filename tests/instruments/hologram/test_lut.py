from __future__ import annotations

import math

import numpy as np
import pytest

from optobind.instruments.hologram.lut import PhaseLut
from optobind.models.errors import FileError, InputError

TURN = 2.0 * math.pi


def test_the_level_of_two_pi_need_not_be_the_last():
    lut = PhaseLut.linear(200.0)
    assert lut.phases[100] == pytest.approx(math.pi)
    assert lut.distinct == 200
    assert np.max(np.abs(lut.errors)) <= TURN / 400.0 + TURN / lut.steps


def test_levels_beyond_two_pi_are_not_used():
    assert PhaseLut.linear(211.3).greys.max() == 211
    assert PhaseLut.linear(128.0).greys.max() == 127


def test_a_modulator_that_does_not_reach_two_pi_shows_its_gap():
    lut = PhaseLut.linear(320.0)
    assert np.max(np.abs(lut.errors)) == pytest.approx(0.5 * TURN * 65 / 320, rel=0.02)
    assert lut.greys[0] == lut.greys[-1] == 0


def test_a_falling_response_gives_the_mirror_image():
    rising, falling = PhaseLut.linear(), PhaseLut.linear(sign=-1)
    assert falling.phases[falling.greys[64]] % TURN == pytest.approx(TURN / 4)
    assert falling.greys[64] == 192
    assert rising.greys[64] == 64


def test_every_phase_gets_the_nearest_level_of_a_measured_response():
    rng = np.random.default_rng(2)
    phases = np.cumsum(rng.uniform(0.2, 1.8, 256)) / 256.0 * TURN * 1.2 + 0.7
    lut = PhaseLut(phases)
    wanted = TURN * np.arange(lut.steps) / lut.steps
    usable = phases[phases - phases[0] < TURN]
    distance = np.abs(np.angle(np.exp(1j * (usable[None, :] - wanted[:, None]))))
    assert np.allclose(np.abs(lut.errors), distance.min(axis=1), atol=1e-12)


def test_phases_scale_with_the_inverse_wavelength():
    lut = PhaseLut.linear(256.0).at_wavelength(1064e-9, 1550e-9)
    assert lut.phases[255] == pytest.approx(TURN * 255 / 256 * 1064 / 1550)


@pytest.mark.parametrize("kind", ["npy", "column", "table"])
def test_responses_are_read_from_files(tmp_path, kind):
    phases = np.linspace(0.0, 6.5, 256)
    if kind == "npy":
        path = tmp_path / "lut.npy"
        np.save(path, phases)
    elif kind == "column":
        path = tmp_path / "lut.txt"
        path.write_text("# rad\n" + "\n".join(f"{p:.9f}" for p in phases), encoding="utf-8")
    else:
        path = tmp_path / "lut.csv"
        path.write_text("0, 0.0\n100, 2.549019608\n255, 6.5\n", encoding="utf-8")
    assert np.allclose(PhaseLut.load(path).phases, phases, atol=1e-8)
    assert np.allclose(PhaseLut.load(path, sign=-1).phases, -phases, atol=1e-8)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1.0\n2.0\n", "has 2 phases, a level each are 256"),
        ("0 0\n200 5\n", "levels must rise from 0 to 255"),
        ("0 0\n10 1\n5 2\n255 5\n", "levels must rise from 0 to 255"),
        ("0 0 1\n255 5 1\n", "must have 1 or 2 columns"),
        ("zero one\n", "is not an array of numbers"),
        ("0 nan\n255 5\n", "not finite"),
        ("", "is empty"),
    ],
)
def test_files_that_are_no_response_are_refused(tmp_path, text, complaint):
    path = tmp_path / "lut.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=complaint):
        PhaseLut.load(path)


def test_what_is_no_lut_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        PhaseLut.load(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="all levels of the LUT give the same phase"):
        PhaseLut(np.full(256, 1.0))
    with pytest.raises(InputError, match="two_pi_level must lie in 2 … 1024"):
        PhaseLut.linear(1.0)
    with pytest.raises(InputError, match="phase sign must be 1 or -1"):
        PhaseLut.linear(sign=0)
