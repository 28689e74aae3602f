from __future__ import annotations

import numpy as np
import pytest

from optobind.instruments.hologram.kernels import shape_light
from optobind.instruments.hologram.lut import PhaseLut

EMPTY = np.zeros((0, 0), np.float32)
LUTS = {
    "identity": PhaseLut.linear(),
    "odd 2π level": PhaseLut.linear(211.3),
    "falling": PhaseLut.linear(250.0, sign=-1),
    "gap": PhaseLut.linear(300.0),
    "ten bits": PhaseLut.linear(1000.0, bits=10),
}


def run(lut: PhaseLut, columns, rows, coefficients, correction=EMPTY, pattern=EMPTY):
    planes = np.ascontiguousarray(np.stack([columns.real, columns.imag]), dtype=np.float32)
    image = np.zeros((len(rows), columns.shape[1]), lut.greys.dtype)
    sums = np.zeros(rows.shape, complex)
    shape_light(
        planes, planes, rows, coefficients, correction, pattern, lut.greys, lut.kernel_errors,
        image, sums,
    )  # fmt: skip
    return image, sums


@pytest.mark.parametrize("name", list(LUTS))
@pytest.mark.parametrize(("spots", "shape"), [(1, (37, 53)), (2, (64, 1031)), (5, (91, 600))])
@pytest.mark.parametrize("dressed", [False, True])
def test_levels_and_sums_agree_with_double_precision(name, spots, shape, dressed):
    lut, rng = LUTS[name], np.random.default_rng(spots)
    ny, nx = shape
    columns = np.exp(1j * rng.uniform(-2.0, 2.0, (spots, 1)) * np.arange(nx))
    rows = np.exp(1j * rng.uniform(-2.0, 2.0, spots) * np.arange(ny)[:, None])
    coefficients = rng.uniform(0.5, 1.5, spots) * np.exp(1j * rng.uniform(0.0, 6.0, spots))
    correction, pattern, shift = EMPTY, EMPTY, 0.0
    if dressed:
        shift = rng.uniform(-20.0, 20.0, shape)
        correction = (shift * lut.steps / (2.0 * np.pi)).astype(np.float32)
        pattern = rng.uniform(0.0, 1.0, shape).astype(np.float32)
    image, sums = run(lut, columns, rows, coefficients, correction, pattern)

    field = np.einsum("j,jx,yj->yx", coefficients, columns, rows)
    wanted, shown = np.angle(field) + shift, lut.phases[image]
    error = np.abs(np.angle(np.exp(1j * (shown - wanted))))
    # No level is nearer than the one chosen; the choice is made in steps of the table.
    ring = np.sort(np.mod(lut.phases[lut.usable], 2.0 * np.pi))
    place = np.searchsorted(ring, np.mod(wanted, 2.0 * np.pi)) % len(ring)
    nearest = np.minimum(
        *(np.abs(np.angle(np.exp(1j * (ring[place - k] - wanted)))) for k in (0, 1))
    )
    slack = 2.0 * np.pi / lut.steps if lut.kernel_errors.size else 0.0
    clear = np.abs(field) > 1e-3 * np.abs(field).max()
    assert np.all(error[clear] <= nearest[clear] + slack + 2e-3)

    light = np.exp(1j * (shown - shift)) * (pattern if dressed else 1.0)
    expected = np.einsum("yx,jx->yj", light, columns.conj())
    assert np.allclose(sums, expected, rtol=0.0, atol=3e-5 * nx)


def test_without_columns_to_detect_on_only_the_image_is_made():
    lut, columns, rows = LUTS["identity"], np.ones((1, 40), complex), np.ones((3, 1), complex)
    planes = np.ascontiguousarray(np.stack([columns.real, columns.imag]), dtype=np.float32)
    image, sums = np.zeros((3, 40), np.uint8), np.ones((3, 1), complex)
    turn = np.array([np.exp(2j * np.pi * 200.4 / 256.0)])
    shape_light(
        planes, planes[:, :, :0], rows, turn, EMPTY, EMPTY, lut.greys, lut.kernel_errors, image,
        sums,
    )  # fmt: skip
    assert np.all(image == 200)
    assert not np.any(sums)
