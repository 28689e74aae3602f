"""Segment and band chosen from the data."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_spectra import csd_of, record

from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_single
from optobind.models.inference.spectral.choose import choose_band, choose_segment
from optobind.models.inference.spectral.fits import fit_single

HZ = 2 * np.pi
FS = 5e5


def single_record(width, samples, seed=0, frequency=60e3, noise=1e-5, height=5e-3):
    gamma = HZ * width
    truth = {"omega": HZ * frequency, "gamma": gamma, "D": height * gamma**2 / 4, "noise": noise}
    return record(model_single(truth), samples, FS, np.random.default_rng(seed))


@pytest.mark.parametrize("width", [50.0, 300.0, 3000.0])
@pytest.mark.parametrize("seed", range(4))
def test_several_bins_fit_into_a_line(width, seed):
    y = single_record(width, 1 << 18, seed)
    bins = width / (FS / choose_segment(y, FS))
    assert 2.5 < bins < 40


def test_a_line_that_the_record_hardly_resolves_gets_the_whole_record():
    y = single_record(8.0, 100_000, 2)
    assert choose_segment(y, FS) >= 1 << 16


def test_integers_and_a_band_are_understood():
    y = single_record(300.0, 1 << 17) + single_record(20.0, 1 << 17, 5, frequency=120e3)
    raw = np.round(y / np.abs(y).max() * 30000).astype(np.int16)
    near = choose_segment(raw[:, 0], FS, (50e3, 70e3))
    assert 2.5 < 300.0 / (FS / near) < 40


def test_the_band_holds_the_line_and_the_floor_but_neither_dc_nor_foreign_lines():
    drift = np.cumsum(np.random.default_rng(3).standard_normal((1 << 18, 1)), axis=0) * 1e-4
    y = single_record(200.0, 1 << 18) + drift
    y += single_record(200.0, 1 << 18, 6, frequency=75e3, noise=0.0, height=5e-3)
    csd = csd_of(y, FS, 8192)
    low, high = choose_band(csd)
    near, far = sorted([abs(60e3 - low), abs(high - 60e3)])
    main = 60e3 if low < 60e3 < high else 75e3
    assert low < main - 1000 < main + 1000 < high
    assert not (low < 60e3 and high > 75e3)
    assert low > 5e3
    assert near < far or far < 20e3


@pytest.mark.parametrize("channels", [1, 2])
def test_the_band_reaches_thirty_widths_to_where_the_wings_sink_into_the_floor(channels):
    y = np.hstack([single_record(150.0, 1 << 18, 31 + j, height=1.0) for j in range(channels)])
    low, high = choose_band(csd_of(y, FS, 8192))
    assert low < 60e3 - 27 * 150
    assert high > 60e3 + 27 * 150


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("height", [2e-4, 1e-3, 2e-3])
def test_the_band_ends_half_way_to_a_foreign_line(side, height):
    foreign = 60e3 + side * 5e3
    y = single_record(200.0, 1 << 18, 33)
    y += single_record(200.0, 1 << 18, 34, frequency=foreign, noise=0.0, height=height)
    low, high = choose_band(csd_of(y, FS, 8192))
    near, far = (high, low) if side > 0 else (low, high)
    assert near == pytest.approx(60e3 + side * 2.5e3, abs=150.0)
    assert 4.5e3 < abs(far - 60e3) < 12e3


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_half_way_counts_from_the_line_of_a_pair_that_is_next_to_the_foreign_one(side):
    pair = [
        single_record(200.0, 1 << 18, 51 + j, frequency=60e3 + offset)
        for j, offset in enumerate((-1.5e3, 1.5e3))
    ]
    foreign = single_record(
        200.0, 1 << 18, 53, frequency=60e3 + side * 6.5e3, noise=0.0, height=2e-4
    )
    pair[0 if side < 0.0 else 1] += foreign
    low, high = choose_band(csd_of(np.hstack(pair), FS, 8192))
    assert (high if side > 0 else low) == pytest.approx(60e3 + side * 4e3, abs=150.0)


def test_a_wide_line_beside_a_narrow_one_and_a_foreign_one_keeps_its_band():
    wide = single_record(500.0, 1 << 18, 41) + single_record(
        100.0, 1 << 18, 42, frequency=90e3, noise=0.0, height=1e-3
    )
    y = np.hstack([wide, single_record(80.0, 1 << 18, 43, frequency=60.2e3)])
    low, high = choose_band(csd_of(y, FS, 8192))
    assert low < 60e3 - 20 * 500
    assert 60e3 + 20 * 500 < high < 90e3


def test_lines_chosen_blindly_are_fitted_right():
    y = single_record(120.0, 1 << 18, 9)
    csd = csd_of(y, FS, choose_segment(y, FS))
    result = fit_single(csd, band=choose_band(csd))
    assert abs(result.value("gamma") - HZ * 120) < 4 * result.stderr("gamma")
    assert abs(result.value("omega") - HZ * 60e3) < 4 * result.stderr("omega")


def test_noise_and_bad_records_are_refused():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1 << 15, 1))
    assert 64 <= choose_segment(noise, FS) <= 1 << 15
    with pytest.raises(InputError, match="no line stands out"):
        choose_band(csd_of(noise, FS, 1024))
    with pytest.raises(InputError, match="at least 64 samples"):
        choose_segment(noise[:10], FS)
    with pytest.raises(InputError, match="sample_rate"):
        choose_segment(noise, 0.0)
    with pytest.raises(InputError, match="not finite"):
        choose_segment(noise * np.nan, FS)


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", [0.3, 3.0, 10.0])
def test_mains_hum_is_not_taken_for_the_particle(amplitude):
    y = single_record(200.0, 1 << 18, 11)
    t = np.arange(len(y))[:, None] / FS
    hum = np.sin(HZ * 50 * t + 1) + np.sin(HZ * 150 * t) / 3
    y = np.hstack([y, single_record(220.0, 1 << 18, 12, frequency=61e3)])
    y += amplitude * y.std(axis=0) * hum
    segment = choose_segment(y, FS)
    assert 2.5 < 200.0 / (FS / segment) < 40
    low, high = choose_band(csd_of(y, FS, segment))
    assert 40e3 < low < 59e3 < 62e3 < high < 80e3


def test_two_channels_are_led_by_their_common_line():
    y = np.hstack([single_record(200.0, 1 << 18, 13), single_record(200.0, 1 << 18, 14, 60.5e3)])
    y[:, :1] += 3 * single_record(200.0, 1 << 18, 15, frequency=150e3, noise=0.0)
    low, high = choose_band(csd_of(y, FS, 8192))
    assert 40e3 < low < 59e3 < 62e3 < high < 110e3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_strong_lines_much_narrower_than_the_record_resolves_get_long_segments(seed):
    # Its imperfectly divided flanks look like a second line, hundreds of hertz wide.
    gamma = HZ * 2.0
    truth = {"omega": HZ * 60e3, "gamma": gamma, "D": 1e3, "noise": 1e-6}
    y = record(model_single(truth), 1 << 18, FS, np.random.default_rng(seed))
    segment = choose_segment(y, FS)
    assert segment >= 1 << 17
    low, high = choose_band(csd_of(y, FS, segment))
    assert 59e3 < low < 60e3 < high < 61e3


@pytest.mark.slow
def test_strong_wide_lines_of_one_channel_are_resolved():
    gamma = HZ * 477.0
    truth = {"omega": HZ * 60e3, "gamma": gamma, "D": 2e3, "noise": 1e-8}
    for seed in range(3):
        y = record(model_single(truth), 1 << 18, FS, np.random.default_rng(seed))
        assert 2.0 < 477.0 / (FS / choose_segment(y, FS)) < 40


def test_bands_have_a_bounded_number_of_bins():
    y = np.hstack([single_record(100.0, 1 << 18, 1), single_record(100.0, 1 << 18, 2, 75e3)])
    low, high = choose_band(csd_of(y, FS, 1 << 17))
    assert (high - low) / (FS / (1 << 17)) <= 20001


def test_a_band_without_bins_is_refused():
    y = single_record(300.0, 1 << 14)
    for band in [(60000.1, 60000.2), (3e5, 4e5)]:
        with pytest.raises(InputError, match="holds no bin"):
            choose_segment(y, FS, band)
    # Too narrow for the first look, yet not empty.
    assert 64 <= choose_segment(y, FS, (60000.0, 60100.0)) <= 1 << 14


@pytest.mark.slow
def test_an_overdamped_line_is_resolved_down_to_its_corner():
    """At 1 bar D is told below ω²/γ = 17 kHz; bins of 20 kHz made its error five times larger."""
    truth = {"omega": 2 * np.pi * 1e5, "gamma": 2 * np.pi * 6e5, "D": 3.77e4, "noise": 1e-12}
    found = []
    for seed in range(4):
        samples = record(model_single(truth), 1 << 17, 5e6, np.random.default_rng(seed))
        segment = choose_segment(samples, 5e6)
        csd = csd_of(samples, 5e6, segment)
        result = fit_single(csd, band=choose_band(csd))
        found.append((result.value("D") - truth["D"]) / result.stderr("D"))
        assert result.stderr("D") < 0.06 * truth["D"]
    assert np.abs(found).max() < 4.0
