"""Figures: what they show is right, and they come out as pictures."""

import base64
import struct

import numpy as np
import pytest
from scipy import signal

from optobind.acquisition.csd import estimate_csd
from optobind.analysis.figures import comparison_figure, data_uri, reheating_figure, spectrum_figure
from optobind.analysis.figures.comparison import ComparedValue
from optobind.analysis.figures.reheating_view import reheating_view
from optobind.analysis.figures.spectrum_view import mean_variance, spectrum_view
from optobind.analysis.figures.style import save_figure, si_prefix
from optobind.models.errors import FileError
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import fit_reheating
from optobind.models.inference.spectral.fits import fit_pair, fit_single
from optobind.models.inference.spectral.windows import information_of
from optobind.models.pair import PairConstants
from optobind.models.spectra import CsdEstimate

RATE = 5e5
NOISE = 1e-5
CONSTANTS = {
    "omega": 2.47e5, "delta_omega": 1.0e4, "g_r": -2.0e3, "g_a": 1.5e3,
    "D11": 3e4, "D22": 3.1e4, "re_D12": 5e3,
}  # fmt: skip


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.clip(values, 0.0, None))


def trajectories(pair, start, count, samples, seed):
    """Independent records (count, samples, 2) with imprecision, all at once."""
    rng = np.random.default_rng(seed)
    step, added = pair.to_linear().discretise(1.0 / RATE)
    kick = root(added)
    x = rng.standard_normal((count, 4)) @ root(start).T
    out = np.empty((count, samples, 2))
    for k in range(samples):
        out[:, k] = x[:, [0, 2]]
        x = x @ step.T + rng.standard_normal((count, 4)) @ kick.T
    return out + rng.standard_normal(out.shape) * np.sqrt(NOISE * RATE / 2)


@pytest.fixture(scope="module")
def cooled():
    return PairConstants(**CONSTANTS, gamma=(5e3, 5.5e3))


@pytest.fixture(scope="module")
def spectrum(cooled):
    records = trajectories(cooled, cooled.to_linear().steady_state(), 120, 4096, 3)
    csd = estimate_csd(records, RATE, 4096, unit="quanta")
    return csd, fit_pair(csd, band=(25e3, 60e3))


@pytest.fixture(scope="module")
def reheating(cooled):
    start = cooled.to_linear().steady_state()
    released = trajectories(PairConstants(**CONSTANTS), start, 300, 300, 5)
    estimate = estimate_reheating(released, RATE)
    return estimate, fit_reheating(estimate)


@pytest.mark.parametrize("averages", [1, 8, 300])
def test_variance_of_one_bin_is_that_of_the_independent_averages(averages):
    csd = white_estimate(averages)
    assert mean_variance(csd, 1) == pytest.approx(1.0 / csd.effective_averages, rel=1e-9)


@pytest.mark.parametrize("averages", [1, 8, 300])
def test_variance_of_many_bins_is_that_of_the_likelihood(averages):
    csd = white_estimate(averages)
    weight = information_of(csd).weight
    assert mean_variance(csd, 100) * 100 == pytest.approx(1.0 / weight, rel=0.01)


def white_estimate(averages):
    window = signal.get_window("hann", 512)
    effective = averages / (1.0 + 2.0 * (1.0 - 1.0 / averages) / 36.0)
    return CsdEstimate(
        np.arange(257.0), np.ones((257, 1, 1), complex), averages, window, 256, 512.0, "V",
        effective_averages=effective,
    )  # fmt: skip


def test_variance_of_groups_is_what_white_noise_shows():
    rng = np.random.default_rng(2)
    csd = estimate_csd(rng.standard_normal((4000, 1280, 1)), 512.0, 512, unit="V")
    single = white_estimate(4)
    powers = []
    for record in rng.standard_normal((1500, 1280, 1)):
        powers.append(estimate_csd(record, 512.0, 512, unit="V").matrix[20:236, 0, 0].real)
    ratio = np.array(powers) / csd.matrix[20:236, 0, 0].real.mean()
    for size in (1, 3, 12):
        means = ratio.reshape(1500, -1, size).mean(axis=2)
        assert means.var() == pytest.approx(mean_variance(single, size), rel=0.06)


def test_residuals_of_a_right_model_have_unit_variance(spectrum):
    view = spectrum_view(*spectrum)
    assert view.pulls.shape[0] == 4
    assert np.abs(view.pulls.mean(axis=1)).max() < 4.0 / np.sqrt(view.pulls.shape[1])
    assert view.pulls.std() == pytest.approx(1.0, abs=0.1)


def test_residuals_show_a_wrong_model(spectrum):
    csd, result = spectrum
    half = CsdEstimate(**{**vars(csd), "matrix": csd.matrix * 1.5})
    assert spectrum_view(half, result).pulls[:2].mean() > 2.0


def test_residuals_of_reheating_are_decorrelated(reheating):
    view = reheating_view(*reheating)
    assert view.pulls.std() == pytest.approx(1.0, abs=0.2)
    neighbours = np.mean(view.pulls[:, 1:] * view.pulls[:, :-1]) / np.mean(view.pulls**2)
    assert abs(neighbours) < 0.3


def test_errors_of_curves_agree_with_the_scatter_of_the_repetitions(reheating):
    estimate, result = reheating
    view = reheating_view(estimate, result)
    ratio = view.stderr[[0, 1, 4, 5]] / estimate.stderr
    assert ratio == pytest.approx(np.ones_like(ratio), abs=0.35)
    # Circular amplitudes: the mean of M exponentially distributed energies scatters by E/√M.
    raw = view.model[2:4] + estimate.layout.noise_gain * NOISE
    assert view.stderr[2:4] == pytest.approx(raw / np.sqrt(300), rel=0.1)


def test_collective_energies_are_combinations_of_the_fitted_curves(reheating):
    data = reheating_view(*reheating).data
    assert data[2] - data[3] == pytest.approx(2.0 * data[4])
    assert data[2] + data[3] == pytest.approx(data[0] + data[1])


def test_a_pair_fit_has_all_its_panels(spectrum):
    figure = spectrum_figure(*spectrum)
    labels = " ".join(axes.get_ylabel() for axes in figure.axes)
    for part in ("power spectral density (1/Hz)", "|S_{12}|", "arg", "coherence", "Re", "Im"):
        assert part in labels
    assert {axes.get_xlabel() for axes in figure.axes} == {"", "frequency (kHz)"}


def test_a_single_fit_can_be_drawn(spectrum):
    csd = spectrum[0].select((0,))
    figure = spectrum_figure(csd, fit_single(csd, band=(30e3, 50e3)))
    assert len(figure.axes) == 2


def test_a_record_in_metres_gets_a_prefix(spectrum):
    csd = spectrum[0]
    metres = CsdEstimate(**{**vars(csd), "matrix": csd.matrix * 1e-22, "unit": "m"})
    figure = spectrum_figure(metres, fit_pair(metres, band=(25e3, 60e3)))
    assert "fm²/Hz" in figure.axes[0].get_ylabel()


def test_reheating_is_drawn_with_errors_and_residuals(reheating):
    figure = reheating_figure(*reheating)
    assert len(figure.axes) == 6
    assert figure.axes[0].get_ylabel() == "$E_1$, $E_2$ (quanta)"
    assert figure.axes[3].get_xlabel() == "time after release (µs)"


def test_comparison_needs_no_truth():
    values = [ComparedValue("g_r", "spectrum", 1e3, 50.0, exact=1.1e3)]
    assert "exact prediction" in comparison_figure(values).axes[1].get_xlabel()
    known = [ComparedValue("g_r", "reheating", 1e3, 50.0, truth=1.1e3)]
    assert "truth" in comparison_figure(known).axes[1].get_xlabel()
    assert known[0].pull == pytest.approx(-2.0)


@pytest.mark.slow
def test_pictures_are_sharp_and_reproducible(spectrum, tmp_path):
    path = save_figure(spectrum_figure(*spectrum), tmp_path / "a.png")
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    assert width > 150 * 7
    assert height > 150 * 5
    again = save_figure(spectrum_figure(*spectrum), tmp_path / "b.png")
    assert again.read_bytes() == path.read_bytes()


def test_data_addresses_hold_the_whole_picture(reheating):
    head, _, body = data_uri(reheating_figure(*reheating)).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert b"</svg>" in base64.b64decode(body)


@pytest.mark.parametrize("name", ["a.docx", "nowhere/a.png"])
def test_a_picture_that_cannot_be_written_is_named(name, tmp_path):
    figure = comparison_figure([ComparedValue("g_r", "spectrum", 1e3, 50.0, exact=1.1e3)])
    with pytest.raises(FileError, match="cannot write"):
        save_figure(figure, tmp_path / name)


@pytest.mark.parametrize(
    ("values", "power", "expected"),
    [
        ([2e-9], 1, (1e-9, "n")), ([999.0], 1, (1.0, "")), ([1000.0], 1, (1e3, "k")),
        ([3e-24], 2, (1e-24, "p")), ([0.0, np.nan], 1, (1.0, "")), ([5e-5, 1e-3], 1, (1e-3, "m")),
    ],
)  # fmt: skip
def test_prefixes(values, power, expected):
    factor, prefix = si_prefix(values, power=power)
    assert (factor, prefix) == (pytest.approx(expected[0]), expected[1])
