import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.models.regimes import regime_flags

OMEGA = 2 * math.pi * 50e3


def _damping_pair(ratio, diffusion):
    """g_r = 0, δω = 2g_a: φ = π/2, kd = 5.5π, where Re D_12 vanishes too."""
    g = ratio * OMEGA
    return PairConstants(OMEGA, 2 * g, 0.0, g, diffusion * g, diffusion * g, 0.0)


def _occupation(covariance, sign):
    """⟨b†b⟩ of b = (a_1 + i·sign·a_2)/√2 with a_j = (z_j + ip_j)/√2."""
    row = 0.5 * np.array([1, 1j, 1j * sign, -sign])
    return (row @ covariance @ row.conj()).real - 0.5


def _reference(gaussian_pair):
    inputs = gaussian_pair["inputs"]
    return PairConstants.far_field(
        omega=inputs["omega"],
        delta_omega=inputs["delta_omega"],
        kd=inputs["kd"],
        phi=inputs["phi"],
        G=inputs["G_over_kd"] * inputs["kd"],
        D11=inputs["D11"],
        D22=inputs["D22"],
        gamma=tuple(inputs["gamma"]),
        n_thermal=tuple(inputs["n_thermal"]),
    )


def test_far_field_constants_match_the_reference(gaussian_pair):
    pair = _reference(gaussian_pair)
    for name in ("g_r", "g_a", "re_D12"):
        assert getattr(pair, name) == pytest.approx(gaussian_pair[name], rel=1e-9)


def test_linear_model_matches_the_reference(gaussian_pair):
    model = _reference(gaussian_pair).to_linear()
    assert np.allclose(model.drift, gaussian_pair["drift"], rtol=1e-9, atol=0)
    assert np.allclose(model.noise, gaussian_pair["diffusion"], rtol=1e-9, atol=0)


def test_moments_and_spectra_match_the_reference_to_nine_digits(gaussian_pair):
    pair = _reference(gaussian_pair)
    start = np.diag(gaussian_pair["inputs"]["V0_diag"])
    moments = pair.to_linear().propagate(start, gaussian_pair["times"])
    for found, expected in zip(moments, np.array(gaussian_pair["covariance"]), strict=True):
        assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()
    spectra = pair.to_linear().csd(gaussian_pair["frequencies_hz"])
    expected = np.array(gaussian_pair["csd"]) @ [1, 1j]
    assert np.abs(spectra / expected - 1).max() < 1e-9


def test_lines_are_the_eigenfrequencies_without_mutual_coupling(gaussian_pair):
    pair = _reference(gaussian_pair)
    drift = pair.to_linear().drift.copy()
    drift[1, 2] = drift[3, 0] = drift[1, 1] = drift[3, 3] = 0.0
    found = np.sort(np.linalg.eigvals(drift).imag)[2:]
    assert np.allclose(found, np.sort(pair.line_frequencies), rtol=1e-12)


def test_diffusion_carries_the_antireciprocity(gaussian_pair):
    pair = _reference(gaussian_pair)
    assert pair.diffusion[0, 1] == pair.re_D12 + 1j * pair.g_a
    assert np.array_equal(pair.diffusion, pair.diffusion.conj().T)


def test_given_shifts_replace_equation_9():
    pair = PairConstants(OMEGA, 0.0, 2e3, 1e3, 5e3, 5e3, 0.0, shift_1=700.0, shift_2=-300.0)
    drift = pair.to_linear().drift
    assert drift[1, 0] == pytest.approx(-(OMEGA + 1400.0))
    assert drift[3, 2] == pytest.approx(-(OMEGA - 600.0))


@given(
    g_r=st.floats(-1, 1),
    g_a=st.floats(-1, 1),
    delta=st.floats(-4, 4),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_equation_12_gives_the_eigenvalues_of_equation_11(g_r, g_a, delta):
    pair = PairConstants(1e4, delta, g_r, g_a, 5.0, 5.0, 0.0)
    found = np.linalg.eigvals(pair.dynamical_matrix().astype(complex))
    # A defective matrix loses half the digits: compare the squares, which are analytic.
    expected = pair.eigenfrequencies() ** 2
    assert np.abs(found**2 - expected).max() < 1e-6
    if abs(expected[0]) > 1e-9:  # not within rounding of an exceptional point
        assert pair.symmetry_broken == (expected[0].real < 0)


@pytest.mark.parametrize(("g_r", "g_a"), [(0.3, 1.0), (-0.4, -0.9), (0.0, 0.7)])
def test_exceptional_points_are_where_eigenvalues_coalesce(g_r, g_a):
    points = PairConstants(1e4, 0.0, g_r, g_a, 5.0, 5.0, 0.0).exceptional_points()
    for point in points:
        pair = PairConstants(1e4, point, g_r, g_a, 5.0, 5.0, 0.0)
        matrix = pair.dynamical_matrix()
        # Coalescence: both eigenvalues vanish but the matrix does not, so it is defective.
        assert np.abs(matrix @ matrix).max() < 1e-12
        assert np.abs(matrix).max() > 0.1
    inside = PairConstants(1e4, sum(points) / 2, g_r, g_a, 5.0, 5.0, 0.0)
    assert inside.symmetry_broken
    outside = PairConstants(1e4, points[1] + 0.01, g_r, g_a, 5.0, 5.0, 0.0)
    assert not outside.symmetry_broken


def test_reciprocal_pairs_have_no_exceptional_point():
    pair = PairConstants(1e4, 0.0, 1.0, 0.5, 5.0, 5.0, 0.0)
    assert pair.exceptional_points() is None
    assert pair.exceptional_line_splitting() is None
    assert not pair.symmetry_broken


def _at_splitting(splitting, gamma):
    """A pair whose ω̃_2² − ω̃_1² is given: the bare detuning follows from Eq. (9)."""
    omega, g_r, g_a = 1e3, 12.0, 40.0
    # ω_2² − ω_1² = 2ω δω and the shifts add −4ωg_a.
    delta = (splitting + 4 * omega * g_a) / (2 * omega)
    return PairConstants(omega, delta, g_r, g_a, 200.0, 200.0, 0.0, gamma=(gamma, gamma))


@pytest.mark.parametrize("gamma", [0.0, 5.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_exact_exceptional_points_are_those_of_the_full_dynamics(gamma, sign):
    splitting = _at_splitting(0.0, gamma).exceptional_line_splitting()

    def widths(factor):
        model = _at_splitting(sign * factor * splitting, gamma).to_linear()
        return np.ptp(model.eigenvalues.real)

    # Inside the broken phase the decay rates split, outside the frequencies do.
    assert widths(1 - 1e-6) > 1e-2
    assert widths(1 + 1e-6) < 1e-3


@pytest.mark.parametrize("ratio", [0.001, 0.01])
@pytest.mark.parametrize("start", [0.0, 10.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_damped_mode_saturates_at_half_the_ratio_of_recoil_and_coupling(ratio, start, sign):
    """Full dynamics, no rotating wave: the factor 2 below Eq. (11) of the Letter is wrong."""
    diffusion = 8.0
    pair = _damping_pair(sign * ratio, sign * diffusion)
    g = abs(pair.g_a)
    times = np.array([1.0, 2.0, 3.0]) / g
    moments = pair.to_linear().propagate((start + 0.5) * np.eye(4), times)
    final = pair.saturation_occupation()
    assert final == pytest.approx(diffusion / 2 - 0.5)
    expected = final + (start - final) * np.exp(-2 * g * times)
    found = np.array([_occupation(moment, -sign) for moment in moments])
    tolerance = 0.01 if ratio == 0.001 else 0.1
    assert found == pytest.approx(expected, rel=tolerance)
    # ⟨ξ†ξ⟩ = 2D_11 δ would saturate near D_11/g_a, twice as high.
    assert abs(found[-1] - (diffusion - 0.5)) > 0.3 * final
    # The mirror mode grows at the same rate.
    assert _occupation(moments[-1], sign) > 50 * final


def test_saturation_of_dipoles_in_the_far_field_has_no_power_in_it():
    kd, square = 5.5 * math.pi, 0.81
    for G in (1e4, 5e4):
        diffusion = G * (square + 0.4) / (1.5 * square)
        pair = PairConstants.far_field(
            omega=OMEGA, kd=kd, phi=math.pi / 2, G=G, D11=diffusion, D22=diffusion
        )
        assert pair.g_r == pytest.approx(0.0, abs=1e-9 * G)
        expected = kd / 3 * (1 + 0.4 / square) - 0.5
        assert pair.saturation_occupation() == pytest.approx(expected)


def test_momentum_noise_correlator_is_twice_the_diffusion_and_heats_at_D():
    # The source of the factor: 2D_jj is the momentum-noise correlator, D_jj the phonon rate.
    pair = PairConstants(OMEGA, 0.0, 0.0, 0.0, 3e3, 2e3, 1e3)
    model = pair.to_linear()
    assert model.noise[1, 1] == 2 * pair.D11
    period = 2 * math.pi / OMEGA
    energy = [
        0.5 * np.trace(value[:2, :2]) - 0.5
        for value in model.propagate(0.5 * np.eye(4), [0.0, 100 * period])
    ]
    assert (energy[1] - energy[0]) / (100 * period) == pytest.approx(pair.D11, rel=1e-9)


def test_normal_modes_heat_at_D_plus_and_minus_the_correlation():
    pair = PairConstants(OMEGA, 0.0, 0.0, 0.0, 3e3, 3e3, 1e3)
    period = 2 * math.pi / OMEGA
    moments = pair.to_linear().propagate(0.5 * np.eye(4), [0.0, 100 * period])
    for sign, rate in zip((1, -1), pair.heating_rates(), strict=True):
        rows = np.array([[1, 0, sign, 0], [0, 1, 0, sign]]) / math.sqrt(2)
        energy = [0.5 * np.trace(rows @ moment @ rows.T) for moment in moments]
        assert (energy[1] - energy[0]) / (100 * period) == pytest.approx(rate, rel=1e-9)
        assert rate == 3e3 + sign * 1e3


@pytest.mark.parametrize(
    ("point", "flag"),
    [
        ("I", "reciprocal"),
        ("II", "unidirectional"),
        ("III", "antireciprocal"),
        ("IV", "noise_correlated"),
    ],
)
def test_points_of_figure_3_carry_their_own_flag_only(statements, point, flag):
    phi, kd = (math.pi * value for value in statements["regimes"]["points"][point])
    for turn in (phi, -phi) if point == "II" else (phi,):
        pair = PairConstants.far_field(omega=OMEGA, kd=kd, phi=turn, G=1e4, D11=1e4, D22=1e4)
        flags = pair.regime()
        assert [name for name, value in flags.items() if value] == [flag]


@pytest.mark.slow
def test_area_shares_of_figure_3():
    # One period of φ and of kd, where 1/kd scales all rates alike; offsets avoid ties.
    angle = (np.arange(200) + 0.5) * math.pi / 200
    counts = dict.fromkeys(
        ("reciprocal", "unidirectional", "antireciprocal", "noise_correlated"), 0
    )
    none = 0
    for kd in angle - 0.2 * math.pi / 200:
        for phi in angle:
            flags = regime_flags(
                math.cos(kd) * math.cos(phi),
                math.sin(kd) * math.sin(phi),
                math.sin(kd) * math.cos(phi),
            )
            none += not any(flags.values())
            for name, value in flags.items():
                counts[name] += value
    shares = {name: count / angle.size**2 for name, count in counts.items()}
    assert shares == pytest.approx(
        {
            "reciprocal": 0.375,
            "unidirectional": 0.418,
            "antireciprocal": 0.375,
            "noise_correlated": 0.047,
        },
        abs=0.002,
    )
    assert none / angle.size**2 == pytest.approx(0.069, abs=0.002)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"omega": 0.0}, "omega must be positive"),
        ({"delta_omega": 2.1 * OMEGA}, "delta_omega must lie within"),
        ({"D11": -1.0}, "must be at least 0"),
        ({"gamma": (-1.0, 0.0)}, "must be at least 0"),
        ({"g_a": 6e3}, r"D11·D22 = 2.5e\+07 is smaller than \|D12\|²"),
    ],
)
def test_unphysical_constants_are_refused(change, text):
    values = {
        "omega": OMEGA,
        "delta_omega": 0.0,
        "g_r": 0.0,
        "g_a": 0.0,
        "D11": 5e3,
        "D22": 5e3,
        "re_D12": 0.0,
        **change,
    }
    with pytest.raises(InputError, match=text):
        PairConstants(**values)


def test_binding_that_antitraps_has_no_lines():
    pair = PairConstants(OMEGA, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, shift_1=-OMEGA)
    with pytest.raises(InputError, match="anti-traps"):
        _ = pair.line_frequencies


def test_nothing_saturates_without_antireciprocity():
    with pytest.raises(InputError, match="no mode is damped"):
        PairConstants(OMEGA, 0.0, 1.0, 0.0, 5.0, 5.0, 0.0).saturation_occupation()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_unequal_recoil_saturates_the_damped_mode_at_its_mean(sign):
    # Moments of H_NH by hand: d⟨b†b⟩/dt = −2|g_a|n + (D_11 + D_22)/2 − |g_a|.
    g_a = 300.0
    pair = PairConstants(2.5e6, 2.0 * sign * g_a, 0.0, sign * g_a, 4000.0, 1000.0, 0.0)
    start, time = 0.5 * np.eye(4), 3.0 / g_a
    moments = pair.to_linear().propagate(start, [time])[0]
    rows = np.array([[1.0, 0.0, 0.0, sign], [0.0, 1.0, -sign, 0.0]]) / np.sqrt(2.0)
    n = 0.5 * np.trace(rows @ moments @ rows.T) - 0.5
    final = pair.saturation_occupation()
    assert n == pytest.approx(final * (1.0 - np.exp(-6.0)), rel=5e-3)
