import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.modulation.drift import ModulatedModel
from optobind.theory.modulation.drives import detuned, parametric, power_modulation
from optobind.theory.modulation.pair_model import far_field_model, pair_rates, single_model
from optobind.theory.modulation.program import LightProgram
from optobind.theory.modulation.waveform import Ramp, Sinusoid

OMEGA = 2 * math.pi * 50e3
VALUES = {
    "omega": OMEGA,
    "kd": 17.3,
    "G": 5e4,
    "D11": 6e4,
    "D22": 5e4,
    "delta_omega": 4e3,
    "gamma": (300.0, 200.0),
    "n_thermal": (40.0, 30.0),
}


@pytest.mark.parametrize("time", [0.0, 3.1e-6, 1.7e-4])
def test_frozen_light_is_the_pair_of_the_letter(time):
    phi = Ramp(0.4, 1e5) + Sinusoid(0.0, 0.7, 3e5, 0.2)
    model = far_field_model(phi=phi, **VALUES).frozen(time)
    expected = PairConstants.far_field(phi=float(phi([time])[0]), **VALUES).to_linear()
    assert np.allclose(model.drift, expected.drift, rtol=1e-11, atol=1e-9)
    assert np.allclose(model.noise, expected.noise, rtol=1e-11, atol=1e-7)
    assert np.array_equal(model.output, expected.output)


def test_powers_scale_rates_with_one_fixed_scale_of_the_quanta():
    """A pair at other powers, written with its own mean frequency, is the same physics."""
    p1, p2, phi = 1.3, 0.8, 0.9
    frozen = far_field_model(phi=phi, power_1=p1, power_2=p2, **VALUES).frozen(0.0)
    w1 = (OMEGA - 2e3) * math.sqrt(p1)
    w2 = (OMEGA + 2e3) * math.sqrt(p2)
    own = 0.5 * (w1 + w2)
    scale = OMEGA / own  # G ∝ √(P_1P_2)/ω, D ∝ P/ω
    other = PairConstants.far_field(
        omega=own,
        delta_omega=w2 - w1,
        kd=VALUES["kd"],
        phi=phi,
        G=VALUES["G"] * math.sqrt(p1 * p2) * scale,
        D11=VALUES["D11"] * p1 * scale,
        D22=VALUES["D22"] * p2 * scale,
        gamma=VALUES["gamma"],
        # The same kT in other quanta: n̄ + ½ ∝ 1/ω.
        n_thermal=tuple((n + 0.5) * scale - 0.5 for n in VALUES["n_thermal"]),
    ).to_linear()
    assert np.sort_complex(frozen.eigenvalues) == pytest.approx(
        np.sort_complex(other.eigenvalues), rel=1e-9
    )
    # A position in quanta is z√(mω/ħ): spectra scale with the ratio of the scales.
    f = np.array([40e3, 48.3e3, 55e3])
    assert np.allclose(frozen.csd(f), scale * other.csd(f), rtol=1e-8, atol=0)


def test_one_particle_is_a_far_field_pair_without_coupling():
    power = power_modulation(0.3, 1e5)
    single = single_model(omega=OMEGA, D=6e4, power=power, gamma=300.0, n_thermal=40.0)
    pair = far_field_model(phi=0.0, power_1=power, **{**VALUES, "G": 0.0, "delta_omega": 0.0})
    times = [0.0, 2e-6, 9e-6]
    assert np.allclose(single.drift(times), pair.drift(times)[:, :2, :2])
    assert np.allclose(single.noise(times), pair.noise(times)[:, :2, :2])
    assert single.period == pytest.approx(2 * math.pi / 1e5)


def test_fast_beats_average_to_particles_without_coupling():
    averaged = far_field_model(phi=detuned(1e6), **VALUES).averaged()
    expected = PairConstants.far_field(phi=0.0, **{**VALUES, "G": 0.0}).to_linear()
    assert np.allclose(averaged.drift, expected.drift, atol=1e-6)
    assert np.allclose(averaged.noise, expected.noise, atol=1e-6)


def test_harmonics_add_up_to_the_drift():
    model = far_field_model(
        phi=Sinusoid(0.4, 0.9, 2e5), power_1=power_modulation(0.2, 4e5), **VALUES
    )
    drift, noise = model.harmonics(30)
    n = np.arange(-30, 31)
    for time in (0.0, 4.4e-6):
        turn = np.exp(2j * np.pi * n * time / model.period)
        for parts, expected in ((drift, model.drift), (noise, model.noise)):
            found = np.tensordot(turn, parts, axes=1)
            assert np.allclose(found, expected([time])[0], rtol=1e-10, atol=1e-7)


def test_playing_faster_keeps_the_light_of_each_phase():
    model = far_field_model(phi=detuned(1.0, 0.3), **VALUES)
    fast = model.played_at(2e4)
    assert fast.period == pytest.approx(5e-5)
    assert np.allclose(fast.drift([1e-5]), model.drift([0.2]))


def test_rates_of_a_pair_are_those_of_its_constants():
    phi = Ramp(0.4, 1e5)
    times = np.array([0.0, 3e-6, 4e-5])
    found = pair_rates(far_field_model(phi=phi, **VALUES), times)
    for index, angle in enumerate(phi(times)):
        pair = PairConstants.far_field(phi=float(angle), **VALUES)
        assert found.g_r[index] == pytest.approx(pair.g_r, abs=1e-9)
        assert found.g_a[index] == pytest.approx(pair.g_a, abs=1e-9)
        assert found.re_D12[index] == pytest.approx(pair.re_D12, abs=1e-9)
        assert found.lines[index] == pytest.approx(pair.line_frequencies)
        assert found.total_diffusion[index] == pytest.approx(pair.total_diffusion)
    dark = far_field_model(phi=0.0, power_1=0.0, **VALUES)
    assert np.isnan(pair_rates(dark, [0.0]).lines[0, 0])
    with pytest.raises(InputError, match="a pair has 4 states, the model has 2"):
        pair_rates(single_model(omega=OMEGA, D=1.0, power=1.0), times)


def test_undamped_models_keep_their_noise():
    model = far_field_model(phi=0.3, **VALUES)
    free = model.undamped()
    assert np.trace(free.drift([0.0])[0]) == 0.0
    assert np.array_equal(free.noise([0.0]), model.noise([0.0]))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"omega": -1.0}, "omega must lie in"),
        ({"kd": 0.0}, "kd must lie in"),
        ({"D11": -1.0}, "D11 must lie in"),
        ({"D11": 1.0}, r"smaller than \(G sin kd/kd\)²"),
        ({"delta_omega": 3 * OMEGA}, "delta_omega must lie in"),
        ({"gamma": (-1.0, 0.0)}, "gamma must lie in"),
        ({"power_1": Sinusoid(0.1, 0.1, 5.0, unit="W")}, None),
    ],
)
def test_unphysical_pairs_are_refused(change, text):
    with pytest.raises(InputError, match=text or "powers in W need the reference"):
        far_field_model(**{"phi": 0.1, **VALUES, **change}).drift([0.0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"drift_parts": np.zeros((5, 3, 3))}, r"\(k, n, n\), n even"),
        ({"drift_parts": np.zeros((4, 4, 4))}, r"drift_parts must have shape \(5, 4, 4\)"),
        ({"noise_parts": np.zeros((5, 2, 2))}, r"noise_parts must have shape \(5, 4, 4\)"),
        ({"noise_parts": np.triu(np.ones((5, 4, 4)))}, "every part of the noise must be symmetric"),
        ({"noise_parts": np.full((5, 4, 4), np.nan)}, "noise_parts holds a value that is not fin"),
        ({"output": np.zeros((2, 3))}, "output needs 4 columns"),
        ({"force_parts": np.zeros((2, 4))}, r"force_parts must have shape \(5, 4\)"),
        ({"omega": 0.0}, "omega must lie in"),
    ],
)
def test_wrong_shapes_are_refused(change, text):
    values = {
        "weights": LightProgram.pair(parametric(OMEGA)),
        "drift_parts": np.zeros((5, 4, 4)),
        "noise_parts": np.zeros((5, 4, 4)),
        "output": np.eye(4),
        "omega": OMEGA,
        **change,
    }
    with pytest.raises(InputError, match=text):
        ModulatedModel(**values)


def test_light_at_rest_has_no_period_to_play():
    model = far_field_model(phi=0.3, **VALUES)
    with pytest.raises(InputError, match="the light rests, it has no period"):
        model.played_at(1e4)


@pytest.mark.parametrize(
    "change", [{"gamma": 1.0}, {"gamma": (1.0,)}, {"n_thermal": (1.0, 2.0, 3.0)}, {"G": math.nan}]
)
def test_constants_of_a_wrong_shape_are_named(change):
    values = {"omega": 1e5, "kd": 16.0, "G": 1e3, "D11": 1e3, "D22": 1e3, "phi": 0.0, **change}
    with pytest.raises(InputError, match=next(iter(change))):
        far_field_model(**values)
