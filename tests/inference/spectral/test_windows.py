"""How much the bins of averaged, overlapping, tapered segments tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from optobind.models.errors import InputError
from optobind.models.inference.spectral.windows import (
    Taper,
    group_factors,
    independent_averages,
    information_of,
    kappa,
)
from optobind.models.spectra import CsdEstimate


def estimate(averages, effective=0.0, window="hann", segment=256, overlap=128):
    taper = signal.get_window(window, segment)
    f = np.fft.rfftfreq(segment, 1e-3)
    matrix = np.ones((len(f), 1, 1), complex)
    return CsdEstimate(f, matrix, averages, taper, overlap, 1e3, "V", effective)


@pytest.mark.parametrize("averages", [1, 2, 7, 1000])
def test_kappa_of_half_overlapping_hann_windows(averages):
    hann = signal.get_window("hann", 1024)
    want = 35 / 18 + 1 / 6 * (1 - 1 / averages)
    assert kappa(hann, 512, averages) == pytest.approx(want, rel=1e-3)
    nu = averages / (1 + 2 * (1 - 1 / averages) / 36)
    assert independent_averages(hann, 512, averages) == pytest.approx(nu, rel=1e-6)


def test_kappa_of_separate_boxcars_is_one():
    assert kappa(np.ones(128), 0, 9) == pytest.approx(1.0)


@pytest.mark.parametrize(("window", "overlap"), [("hann", 128), ("blackman", 192), ("boxcar", 0)])
def test_kappa_is_the_variance_of_a_mean_over_bins(window, overlap):
    rng = np.random.default_rng(3)
    taper = signal.get_window(window, 256)
    means = []
    for _ in range(1500):
        x = rng.standard_normal(256 + 5 * (256 - overlap))
        p = signal.welch(x, window=taper, noverlap=overlap, detrend=False)[1][4:124]
        means.append(p.mean())
    got = np.var(means) / np.mean(means) ** 2 * 6 * 120
    assert got == pytest.approx(kappa(taper, overlap, 6), rel=0.12)
    assert group_factors(taper, overlap, 6, 120)[-1] == pytest.approx(got, rel=0.12)


def test_group_factors_run_from_one_bin_to_kappa():
    hann = signal.get_window("hann", 1024)
    factors = group_factors(hann, 512, 8, 400)
    assert factors[0] == pytest.approx(8 / independent_averages(hann, 512, 8))
    assert factors[-1] == pytest.approx(kappa(hann, 512, 8), rel=0.01)


def test_an_exponential_average_counts_by_its_effective_number():
    plain = information_of(estimate(40))
    fewer = information_of(estimate(100000, effective=plain.independent))
    assert fewer.weight == pytest.approx(plain.weight, rel=1e-6)
    # A number not given, or that of the plain average, changes nothing.
    assert information_of(estimate(40, plain.independent)).weight == pytest.approx(plain.weight)


def test_float32_windows_are_still_sums_of_cosines():
    rounded = signal.get_window("hann", 4096).astype(np.float32).astype(float)
    np.testing.assert_allclose(Taper.of(rounded).amplitudes, [-0.25, 0.5, -0.25], atol=1e-7)


def test_unusable_windows_are_refused():
    with pytest.raises(InputError, match="at least 8"):
        Taper.of(np.ones(4))
    with pytest.raises(InputError, match="overlap 300"):
        information_of(estimate(3, overlap=300))
    with pytest.raises(InputError, match="at least 1 average"):
        information_of(estimate(0))
