"""The expected periodogram against brute force, at exceptional points and for tiny linewidths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, signal

from optobind.models.errors import InputError, UnstableModelError
from optobind.models.inference.matrices import model_pair, pair_matrices, single_matrices
from optobind.models.inference.spectral.periodogram import BinGrid, expected_with_derivatives
from optobind.models.inference.spectral.windows import Taper
from optobind.models.spectra import CsdEstimate

FS, L = 5e5, 512
HZ = 2 * np.pi
PAIR = np.array([HZ * 50e3, HZ * 50.4e3, 2e3, 1.5e3, 1e3, 600.0, 5e3, 6e3, 2e3, 0.0, 0.0])


def brute_force(model, window, bins):
    """Tapered double sum over the covariance sequence R(mΔ) = C e^{AmΔ} V Cᵀ."""
    v = linalg.solve_continuous_lyapunov(model.drift, -model.noise)
    step = linalg.expm(model.drift / FS)
    n = len(window)
    lags, x = np.empty((n, len(model.output), len(model.output))), v @ model.output.T
    for m in range(n):
        lags[m] = model.output @ x
        x = step @ x
    c = lags.shape[1]
    index = np.arange(n)
    distance = index[:, None] - index[None, :]
    out = np.empty((len(bins), c, c), dtype=complex)
    for i, k in enumerate(bins):
        phase = window * np.exp(-2j * np.pi * k * index / n)
        for j in range(c):
            for q in range(c):
                r = np.where(distance >= 0, lags[abs(distance), j, q], lags[abs(distance), q, j])
                out[i, j, q] = phase @ r @ phase.conj()
    return out * 2 / (FS * np.sum(window**2))


def entries(matrix):
    return np.stack(
        [matrix[:, 0, 0].real, matrix[:, 1, 1].real, matrix[:, 0, 1].real, matrix[:, 0, 1].imag]
    )


@pytest.mark.parametrize("name", ["hann", "boxcar", "hamming", "blackman", "flattop"])
@pytest.mark.parametrize("narrow", [1.0, 1e-2])
def test_closed_form_equals_the_double_sum_over_covariances(name, narrow):
    window = signal.get_window(name, L)
    values = PAIR.copy()
    values[2:6] *= narrow
    bins = np.arange(45, 60)
    model = pair_matrices(values)
    got = expected_with_derivatives(BinGrid(bins, FS, Taper.of(window)), model)[0]
    want = entries(brute_force(model, window, bins))
    assert np.abs(got - want).max() < 1e-10 * np.abs(want).max()


def test_any_window_is_handled_by_the_covariance_sequence():
    window = signal.windows.hann(L, sym=True) * np.linspace(0.5, 1.0, L)
    bins = np.arange(45, 60)
    model = pair_matrices(PAIR)
    taper = Taper.of(window)
    assert taper.amplitudes is None
    got = expected_with_derivatives(BinGrid(bins, FS, taper), model)[0]
    want = entries(brute_force(model, window, bins))
    assert np.abs(got - want).max() < 1e-11 * np.abs(want).max()


def test_a_line_a_thousand_times_narrower_than_a_bin_is_the_window_itself():
    window = signal.get_window("hann", 4096)
    bin_width = FS / 4096
    omega, gamma, variance = HZ * 410.3 * bin_width, HZ * bin_width * 1e-3, 7.0
    bins = np.arange(400, 422)
    model = single_matrices(np.array([omega, gamma, gamma * variance]))
    got = expected_with_derivatives(BinGrid(bins, FS, Taper.of(window)), model)[0, 0]
    n = np.arange(4096)
    kernel = [abs(np.sum(window * np.exp(2j * np.pi * (410.3 - k) * n / 4096))) ** 2 for k in bins]
    want = np.array(kernel) * 2 * variance / 2 / (FS * np.sum(window**2))
    assert np.abs(got - want).max() < 3e-3 * want.max()


def test_wide_lines_far_below_nyquist_reproduce_the_continuous_spectrum():
    values = PAIR.copy()
    values[2:4] = HZ * 400, HZ * 300
    window = signal.get_window("hann", 1 << 16)
    bins = np.arange(6000, 7200)
    grid = BinGrid(bins, FS, Taper.of(window))
    got = expected_with_derivatives(grid, pair_matrices(values))[0]
    names = ("omega_1", "omega_2", "gamma_1", "gamma_2", "g_r", "g_a", "D11", "D22", "re_D12")
    model = model_pair(dict(zip((*names, "noise_1", "noise_2"), values, strict=True)))
    want = entries(model.csd(bins * FS / (1 << 16)))
    # The window smooths by (bin/linewidth)², and wings alias: nothing else differs.
    assert np.abs(got - want).max() < 2e-3 * want.max()


def test_aliased_lines_come_out_at_their_folded_frequency():
    window = signal.get_window("hann", 4096)
    model = single_matrices(np.array([HZ * (FS + 30e3), 3e3, 10.0]))
    bins = np.arange(1, 2048)
    got = expected_with_derivatives(BinGrid(bins, FS, Taper.of(window)), model)[0, 0]
    assert abs(bins[np.argmax(got)] * FS / 4096 - 30e3) < 200


def exceptional_pair():
    """γ_1 = γ_2 and |ω̃_2² − ω̃_1²| = 4ω sqrt(g_a² − g_r²): eigenvalues and eigenvectors merge."""
    g_a, g_r = HZ * 60, HZ * 20
    w1 = HZ * 50e3
    w2 = w1
    for _ in range(60):
        w2 = np.sqrt(w1**2 + 2 * (w1 + w2) * np.sqrt(g_a**2 - g_r**2))
    return np.array([w1, w2, 800.0, 800.0, g_r, g_a, 5e3, 6e3, 2e3, 0.0, 0.0])


def identical_pair():
    return np.array([HZ * 50e3, HZ * 50e3, 800.0, 800.0, 0.0, 0.0, 5e3, 6e3, 2e3, 0.0, 0.0])


def critically_damped():
    return np.array([HZ * 20e3, HZ * 40e3, HZ * 40e3, HZ * 90e3, 0.0, 50.0, 5e3, 6e3, 2e3, 0, 0])


@pytest.mark.parametrize("make", [exceptional_pair, identical_pair, critically_damped])
def test_spectra_are_exact_where_eigenvectors_fail(make):
    values = make()
    window = signal.get_window("hann", L)
    bins = np.arange(30, 70)
    model = pair_matrices(values)
    got = expected_with_derivatives(BinGrid(bins, FS, Taper.of(window)), model)[0]
    want = entries(brute_force(model, window, bins))
    assert np.abs(got - want).max() < 1e-10 * np.abs(want).max()


@pytest.mark.parametrize("offset", [1e-7, 1e-5, 1e-3])
def test_both_routes_agree_near_an_exceptional_point(offset):
    values = exceptional_pair()
    values[5] *= 1 + offset
    grid = BinGrid(np.arange(380, 450), FS, Taper.of(signal.get_window("hann", 4096)))
    fast = expected_with_derivatives(grid, pair_matrices(values))
    slow = expected_with_derivatives(grid, pair_matrices(values), use_modes=False)
    scale = np.abs(slow).max(axis=(1, 2), keepdims=True)
    assert (np.abs(fast - slow) / scale)[0].max() < 1e-8
    assert (np.abs(fast - slow) / scale).max() < 1e-4


@pytest.mark.parametrize("use_modes", [True, False])
@pytest.mark.parametrize("make", [lambda: PAIR, exceptional_pair])
def test_derivatives_are_those_of_finite_differences(make, use_modes):
    values = make()
    grid = BinGrid(np.arange(380, 450), FS, Taper.of(signal.get_window("hann", 4096)))
    got = expected_with_derivatives(grid, pair_matrices(values, 1.7), use_modes=use_modes)
    for i in range(9):
        step = 1e-6 * abs(values[i])
        up, down = values.copy(), values.copy()
        up[i] += step
        down[i] -= step
        # Without modes: differences across an exceptional point lose digits with them.
        high = expected_with_derivatives(grid, pair_matrices(up, 1.7), use_modes=False)[0]
        low = expected_with_derivatives(grid, pair_matrices(down, 1.7), use_modes=False)[0]
        want = (high - low) / (2 * step)
        assert np.abs(got[1 + i] - want).max() < 2e-5 * np.abs(want).max(), i


def test_matrices_are_those_of_the_pair_model():
    from optobind.models.pair import PairConstants

    constants = PairConstants(
        omega=HZ * 50e3, delta_omega=HZ * 300, g_r=HZ * 80, g_a=HZ * 50, D11=5e3, D22=6e3,
        re_D12=1e3, gamma=(700.0, 900.0), n_thermal=(3.0, 4.0),
    )  # fmt: skip
    from optobind.models.inference.convention import fit_convention

    found = {**fit_convention(constants), "noise_1": 0.0, "noise_2": 0.0}
    f = np.linspace(49e3, 51e3, 50)
    np.testing.assert_allclose(model_pair(found).csd(f), constants.to_linear().csd(f), rtol=1e-9)


def test_unstable_models_and_bins_off_the_grid_are_refused():
    grid = BinGrid(np.arange(380, 450), FS, Taper.of(signal.get_window("hann", 4096)))
    values = PAIR.copy()
    values[5] = 5e4
    with pytest.raises(UnstableModelError, match="grow"):
        expected_with_derivatives(grid, pair_matrices(values))
    odd = CsdEstimate(
        np.array([1.5, 2.5]) * FS / 64, np.zeros((2, 1, 1), complex), 1, np.ones(64), 0, FS
    )
    with pytest.raises(InputError, match="multiples of the bin width"):
        BinGrid.of(odd)
