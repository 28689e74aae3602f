"""The cross-spectral estimate against scipy, against exact Gaussian statistics, and across gaps."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.acquisition.csd import CsdEstimator, estimate_csd
from optobind.models.blocks import Block, BlockStatus
from optobind.models.errors import InputError

RATE = 1.0e6


def coloured(n, channels, seed=1):
    """Lines of different width in every channel, correlated with a delay."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n + 8)
    b, a = scipy.signal.iirpeak(0.2, 20.0)
    columns = []
    for j in range(channels):
        mixed = common[j : n + j] + 0.5 * rng.normal(size=n)
        columns.append(scipy.signal.lfilter(b, a, mixed) + 0.1 * rng.normal(size=n))
    return np.stack(columns, axis=1)


def scipy_matrix(volts, segment):
    c = volts.shape[1]
    out = np.empty((segment // 2 + 1, c, c), complex)
    for j in range(c):
        for m in range(c):
            out[:, j, m] = np.conj(
                scipy.signal.csd(
                    volts[:, j],
                    volts[:, m],
                    RATE,
                    window="hann",
                    nperseg=segment,
                    noverlap=segment // 2,
                    detrend=False,
                )[1]
            )
    return out


def feed(estimator, samples, sizes, scale, first=0):
    position = 0
    for size in sizes:
        piece = samples[position : position + size]
        if piece.shape[0]:
            estimator.add(Block(first + position, piece, scale))
        position += size
    return estimator.estimate()


def assert_local(ours, theirs, tolerance):
    auto = np.sqrt(np.einsum("kjj->kj", theirs).real)
    local = auto[:, :, None] * auto[:, None, :]
    assert np.max(np.abs(ours - theirs) / local) < tolerance


@pytest.mark.parametrize("segment", [64, 1000, 4096])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_int16_blocks_give_the_conjugate_of_scipy_with_polarity_and_calibration(segment, channels):
    counts = np.round(2000 * coloured(20_000, channels)).astype(np.int16)
    scale = np.array([1e-4, -2e-4, 3e-5])[:channels]
    estimator = CsdEstimator(channels, segment, RATE, scale=scale, unit="m")
    found = feed(estimator, counts, [777] * 26, np.ones(channels))
    expected = scipy_matrix(counts * scale, segment)
    assert_local(found.matrix, expected, 1e-5)
    assert found.unit == "m"
    np.testing.assert_allclose(found.frequencies, np.fft.rfftfreq(segment, 1 / RATE))
    assert np.max(np.abs(found.matrix - found.matrix.conj().swapaxes(1, 2))) == 0.0


def test_scale_of_the_first_block_applies_unless_one_is_given():
    counts = np.round(2000 * coloured(5000, 2)).astype(np.int16)
    scale = np.array([1e-4, 5e-4])
    found = feed(CsdEstimator(2, 512, RATE), counts, [5000], scale)
    assert_local(found.matrix, scipy_matrix(counts * scale, 512), 1e-5)
    assert found.unit == "V"


def test_large_offset_costs_no_precision_and_stays_in_the_first_two_bins():
    rng = np.random.default_rng(3)
    weak = np.round(rng.normal(size=(40_000, 2)) * 2.0)
    counts = (weak + 30_000).astype(np.int16)
    offset = estimate_csd(counts, RATE, 4096, unit="V").matrix
    expected = scipy_matrix(counts.astype(float), 4096)
    assert_local(offset, expected, 1e-5)
    assert_local(offset[3:], scipy_matrix(weak, 4096)[3:], 1e-5)


@pytest.mark.slow
def test_float64_arrays_keep_double_precision():
    volts = coloured(20_000, 2) * 1e-12
    assert_local(estimate_csd(volts, RATE, 1000, unit="V").matrix, scipy_matrix(volts, 1000), 1e-11)


def test_integral_of_the_auto_spectrum_is_the_variance():
    volts = coloured(200_000, 1)
    found = estimate_csd(volts, RATE, 2048, unit="V")
    assert np.sum(found.matrix[:, 0, 0].real) * found.bin_width == pytest.approx(
        volts.var(), rel=0.02
    )


def test_sign_of_the_phase_a_delayed_copy_lags():
    # z_2(t) = z_1(t − τ): Z_2 = Z_1 exp(−2πifτ), S_12 = ⟨Z_1 Z_2*⟩ = S_11 exp(+2πifτ).
    rng = np.random.default_rng(5)
    noise = rng.normal(size=100_001)
    found = estimate_csd(np.stack([noise[1:], noise[:-1]], axis=1), RATE, 1024, unit="V")
    expected = np.exp(2j * np.pi * found.frequencies / RATE)
    ratio = found.matrix[20:-20, 0, 1] / found.matrix[20:-20, 0, 0]
    assert np.max(np.abs(ratio - expected[20:-20])) < 0.05


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=12),
    segment=st.integers(8, 300),
    overlap_share=st.floats(0.0, 0.95),
)
def test_estimate_does_not_depend_on_how_blocks_are_cut(sizes, segment, overlap_share):
    total = sum(sizes)
    overlap = int(overlap_share * segment)
    counts = np.round(1000 * coloured(total, 2)).astype(np.int16)
    if total < segment:
        with pytest.raises(InputError, match="too few samples"):
            feed(CsdEstimator(2, segment, RATE, overlap=overlap), counts, sizes, np.ones(2))
        return
    cut = feed(CsdEstimator(2, segment, RATE, overlap=overlap), counts, sizes, np.ones(2))
    whole = estimate_csd(counts, RATE, segment, overlap=overlap, unit="V")
    np.testing.assert_allclose(cut.matrix, whole.matrix, rtol=1e-6, atol=1e-6)
    assert cut.averages == whole.averages == 1 + (total - segment) // (segment - overlap)
    assert cut.last_sample <= total


def test_segments_never_hold_samples_from_both_sides_of_a_gap():
    a, b = coloured(3000, 2, seed=1), coloured(2500, 2, seed=2)
    estimator = CsdEstimator(2, 512, RATE, scale=np.ones(2))
    feed(estimator, a, [1000, 1000, 1000], np.ones(2))
    found = feed(estimator, b, [700, 1800], np.ones(2), first=3001)
    parts = [estimate_csd(x, RATE, 512, unit="V") for x in (a, b)]
    weights = [p.averages for p in parts]
    expected = sum(w * p.matrix for w, p in zip(weights, parts, strict=True)) / sum(weights)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-12, atol=1e-15)
    k = np.array(weights, float)
    assert found.averages == k.sum()
    assert found.effective_averages == pytest.approx(
        k.sum() ** 2 / (k.sum() + 2 * (k - 1).sum() / 36), rel=1e-12
    )
    assert (found.first_sample, found.last_sample) == (0, 3001 + 256 * (weights[1] + 1))


def test_block_marked_with_a_gap_starts_a_new_segment_although_its_index_fits():
    x = coloured(2000, 1)
    estimator = CsdEstimator(1, 512, RATE)
    estimator.add(Block(0, x[:500], np.ones(1)))
    estimator.add(Block(500, x[500:900], np.ones(1), status=BlockStatus.GAP_BEFORE))
    with pytest.raises(InputError, match="no stretch holds a segment of 512 samples"):
        estimator.estimate()


@pytest.mark.parametrize("k", [1, 2, 7, 100])
def test_effective_averages_of_a_linear_half_overlapping_hann_average(k):
    x = coloured(256 * (k + 1), 1)
    found = estimate_csd(x, RATE, 512, unit="V")
    assert found.averages == k
    assert found.effective_averages == pytest.approx(k / (1 + 2 * (1 - 1 / k) / 36), rel=1e-12)


@pytest.mark.parametrize("overlap", [0, 256, 384])
@pytest.mark.parametrize("averaging", [{}, {"averaging": "exponential", "alpha": 0.2}])
def test_effective_averages_match_the_scatter_of_simulated_spectra(overlap, averaging):
    rng = np.random.default_rng(11)
    values, nu = [], 0.0
    for _ in range(150):
        x = rng.normal(size=(512 * 6, 1)).astype(np.float32)
        estimator = CsdEstimator(1, 512, RATE, overlap=overlap, **averaging)
        found = feed(estimator, x, [x.shape[0]], np.ones(1))
        values.append(found.matrix[3:-3, 0, 0].real)
        nu = found.effective_averages
    scatter = np.mean(np.var(values, axis=0)) / np.mean(values) ** 2
    assert 1 / scatter == pytest.approx(nu, rel=0.03)


def test_exponential_average_weights_fall_from_the_newest_and_start_unbiased():
    x = coloured(512 * 3, 2)
    alpha = 0.3
    estimator = CsdEstimator(2, 512, RATE, overlap=0, averaging="exponential", alpha=alpha)
    found = feed(estimator, x, [512 * 3], np.ones(2))
    single = [
        estimate_csd(x[i * 512 : (i + 1) * 512], RATE, 512, unit="V").matrix for i in range(3)
    ]
    w = (1 - alpha) ** np.array([2, 1, 0])
    expected = np.tensordot(w / w.sum(), single, axes=1)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-10, atol=1e-14)
    assert found.effective_averages == pytest.approx(w.sum() ** 2 / (w**2).sum())


def test_time_constant_and_alpha_name_the_same_average():
    x = coloured(20_000, 1)
    tau = 3e-3
    alpha = 1 - np.exp(-256 / (RATE * tau))
    kwargs = {"averaging": "exponential"}
    a = feed(CsdEstimator(1, 512, RATE, time_constant=tau, **kwargs), x, [20_000], np.ones(1))
    b = feed(CsdEstimator(1, 512, RATE, alpha=alpha, **kwargs), x, [333] * 61, np.ones(1))
    np.testing.assert_allclose(a.matrix, b.matrix, rtol=1e-9)
    assert a.effective_averages == pytest.approx(b.effective_averages)
    assert a.averages == round((2 - alpha) / alpha)


def test_reset_forgets_and_estimates_go_on_after_an_intermediate_one():
    x = coloured(9000, 2)
    estimator = CsdEstimator(2, 512, RATE)
    feed(estimator, x[:4000], [4000], np.ones(2))
    estimator.reset()
    feed(estimator, x, [3000], np.ones(2))
    found = feed(estimator, x[3000:], [6000], np.ones(2), first=3000)
    np.testing.assert_allclose(
        found.matrix, estimate_csd(x, RATE, 512, unit="V").matrix, rtol=1e-12
    )


def test_segments_with_nan_are_left_out_and_counted_and_refused_for_whole_records():
    x = coloured(5120, 1).astype(np.float32)
    x[2600] = np.nan
    estimator = CsdEstimator(1, 512, RATE)
    found = feed(estimator, x, [5120], np.ones(1))
    assert estimator.rejected == 2
    assert found.averages == 17
    assert np.isfinite(found.matrix).all()
    with pytest.raises(InputError, match="samples must be finite"):
        estimate_csd(x, RATE, 512, unit="V")


def test_repetitions_are_stretches_of_their_own():
    x = coloured(6000, 2).reshape(6, 1000, 2)
    found = estimate_csd(x, RATE, 400, unit="V")
    expected = np.mean([estimate_csd(r, RATE, 400, unit="V").matrix for r in x], axis=0)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-12, atol=1e-16)
    assert found.averages == 24


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"segment": 4}, "segment must be at least 8 samples, got 4"),
        ({"sample_rate": -1.0}, "sample_rate must be positive"),
        ({"overlap": 512}, r"overlap must lie within 0 … 511"),
        ({"averaging": "peak"}, "known: linear, exponential"),
        ({"averaging": "exponential"}, "either time_constant"),
        ({"averaging": "exponential", "alpha": 0.0}, "alpha must lie within"),
        ({"averaging": "exponential", "time_constant": -1.0}, "time_constant must be positive"),
        ({"alpha": 0.5}, "belong to averaging='exponential'"),
        ({"scale": [1.0]}, "scale must hold 2 finite values"),
    ],
)
def test_values_out_of_range_are_named(kwargs, message):
    arguments = {"channels": 2, "segment": 512, "sample_rate": RATE, **kwargs}
    with pytest.raises(InputError, match=message):
        CsdEstimator(**arguments)


def test_block_of_other_width_is_refused():
    with pytest.raises(InputError, match=r"must be \(n, 2\)"):
        CsdEstimator(2, 512, RATE).add(Block(0, np.zeros((10, 3), np.int16), np.ones(3)))


def test_a_transposed_record_and_an_endless_segment_are_refused_before_room_is_made():
    record = np.zeros((200_000, 2))
    with pytest.raises(InputError, match=r"more channels \(200000\) than rows \(2\).*x\.T"):
        estimate_csd(record.T, RATE, 1 << 26, unit="V")
    with pytest.raises(InputError, match="too few samples"):
        estimate_csd(record, RATE, 1 << 44, unit="V")
