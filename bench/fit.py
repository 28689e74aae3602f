"""The pair fit of 3000 bins against lmfit's leastsq on signed-root deviances, same model."""

from __future__ import annotations

from dataclasses import replace

import lmfit
import numpy as np

from bench.row import Row, paired
from optobind.models.inference.convention import fit_convention
from optobind.models.inference.matrices import NAMES, drift_derivatives, values_of
from optobind.models.inference.spectral.fits import fit_pair
from optobind.models.inference.spectral.periodogram import BinGrid, expected_with_derivatives
from optobind.models.inference.spectral.problem import pair_parameters
from optobind.models.inference.spectral.windows import kappa
from optobind.models.pair import PairConstants
from optobind.models.spectra import CsdEstimate

BINS, AVERAGES, SEGMENT, RATE = 3000, 60, 16384, 5e5


def measured() -> CsdEstimate:
    """A spectrum of 3000 bins drawn from its own expectation (bins independent)."""
    pair = PairConstants.far_field(
        omega=3.8e5, kd=17.7, phi=0.6, G=1.8e5, D11=5.7e4, D22=5.0e4, delta_omega=9e3,
        gamma=(6e3, 6.5e3),
    )  # fmt: skip
    values = {**fit_convention(pair), "noise_1": 1e-6, "noise_2": 1e-6}
    window = np.hanning(SEGMENT + 1)[:-1]
    frequencies = np.arange(SEGMENT // 2 + 1) * RATE / SEGMENT
    centre = int(3.8e5 / 2.0 / np.pi / (RATE / SEGMENT))
    keep = slice(max(1, centre - BINS // 2), max(1, centre - BINS // 2) + BINS)
    empty = CsdEstimate(
        frequencies[keep], np.zeros((BINS, 2, 2), complex), AVERAGES, window, SEGMENT // 2, RATE,
        "quanta", float(AVERAGES),
    )  # fmt: skip
    rng = np.random.default_rng(3)
    model = _matrix(empty, values_of("pair", values))
    root = np.linalg.cholesky(model)
    shape = (BINS, 2, AVERAGES)
    draws = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2.0)
    z = root @ draws
    return replace(empty, matrix=z @ z.conj().swapaxes(1, 2) / AVERAGES)


def _matrix(csd: CsdEstimate, values: np.ndarray) -> np.ndarray:
    """Expected periodogram with imprecision, without derivatives."""
    matrices = drift_derivatives("pair", values)
    bare = replace(matrices, d_drift=np.zeros((0, 4, 4)), d_noise=np.zeros((0, 4, 4)))
    s11, s22, real, imag = expected_with_derivatives(BinGrid.of(csd), bare)[0]
    matrix = np.empty((len(s11), 2, 2), complex)
    matrix[:, 0, 0], matrix[:, 1, 1] = s11 + values[9], s22 + values[10]
    matrix[:, 0, 1], matrix[:, 1, 0] = real + 1j * imag, real - 1j * imag
    return matrix


def rows() -> list[Row]:
    """CPU time of lmfit over ours from the same start; the estimates must agree."""
    csd = measured()
    band = (float(csd.frequencies[0]), float(csd.frequencies[-1]))
    start = pair_parameters(csd, band)
    weight = csd.averages / kappa(csd.window, csd.overlap, csd.averages)

    def residual(params: lmfit.Parameters) -> np.ndarray:
        """Two signed-root deviances a bin, from the eigenvalues of S⁻¹Ŝ."""
        model = _matrix(csd, values_of("pair", params))
        ratio = np.linalg.solve(model, csd.matrix)
        half = 0.5 * np.trace(ratio, axis1=1, axis2=2).real
        split = np.sqrt((half**2 - np.linalg.det(ratio).real).clip(0.0))
        # In order of size: an exchange of two residuals would spoil numerical derivatives.
        eigenvalues = np.concatenate([half - split, half + split]).clip(1e-12)
        deviance = 2.0 * weight * (eigenvalues - np.log(eigenvalues) - 1.0).clip(0.0)
        return np.asarray(np.sign(eigenvalues - 1.0) * np.sqrt(deviance))

    def ours() -> dict[str, float]:
        result = fit_pair(csd, band=band, start=values, params=None)
        return {name: result.value(name) for name in NAMES["pair"]}

    def peer() -> dict[str, float]:
        best = lmfit.minimize(residual, start, method="leastsq")
        return {name: float(best.params[name].value) for name in NAMES["pair"]}

    values = {name: float(start[name].value) for name in NAMES["pair"]}
    mine, theirs = ours(), peer()
    errors = fit_pair(csd, band=band)
    worst = max(abs(mine[n] - theirs[n]) / (errors.stderr(n) or np.inf) for n in mine)
    own, other, ratio = paired(ours, peer, 5)
    detail = f"{own * 1e3:.1f} ms against {other * 1e3:.0f} ms; estimates within {worst:.2f} σ"
    if worst > 0.1:
        detail += " (NOT the same estimate)"
        ratio = 0.0
    return [Row("pair fit, 3000 bins, against lmfit leastsq", ratio, 3.0, detail)]
