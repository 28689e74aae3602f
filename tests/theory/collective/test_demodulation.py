import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.collective.demodulation import demodulated_moments

OMEGA = 2 * math.pi * 50e3


def _pair(delta=0.0, g_r=0.0, g_a=0.0, re_D12=80.0):
    """Shifts are zero: lines stay at ω ± δω/2."""
    return PairConstants(OMEGA, delta, g_r, g_a, 300.0, 200.0, re_D12, shift_1=0.0, shift_2=0.0)


def _start(c):
    """Two excited amplitudes with a coherence ⟨a_1*a_2⟩ = c."""
    normal = np.array([[900.0, c], [np.conj(c), 700.0]])
    covariance = np.zeros((4, 4))
    covariance[0::2, 0::2] = covariance[1::2, 1::2] = normal.real
    covariance[0::2, 1::2], covariance[1::2, 0::2] = normal.imag, -normal.imag
    return covariance


def test_moments_are_those_of_a_sample_of_amplitudes():
    rng = np.random.default_rng(2)
    factor = rng.normal(size=(4, 4))
    x = rng.normal(size=(400_000, 4)) @ factor.T
    time, reference = 3e-6, 1.01 * OMEGA
    a = (x[:, 0::2] + 1j * x[:, 1::2]) * np.exp(1j * reference * time) / math.sqrt(2)
    found = demodulated_moments(x.T @ x / len(x), time, reference)
    assert np.allclose(found.normal, a.conj().T @ a / len(x), atol=1e-9)
    assert np.allclose(found.anomalous, a.T @ a / len(x), atol=1e-9)
    plus, minus = ((a[:, 0] + s * a[:, 1]) / math.sqrt(2) for s in (1, -1))
    energies = [np.mean(np.abs(v) ** 2) for v in (plus, minus)]
    assert found.common_and_differential() == pytest.approx(energies)


def test_vacuum_has_half_a_quantum_and_no_coherence():
    found = demodulated_moments(0.5 * np.eye(6))
    assert np.allclose(found.energies, 0.5)
    assert found.coherence(0, 2) == 0.0
    assert not found.anomalous.any()


def test_coherence_is_what_was_put_in():
    found = demodulated_moments(_start(120 - 50j))
    assert found.coherence() == pytest.approx(120 - 50j)
    assert found.energies == pytest.approx([900, 700])


@pytest.mark.parametrize("delta", [900.0, -400.0])
def test_coherence_turns_at_the_difference_of_the_lines(delta):
    pair = _pair(delta, re_D12=0.0)
    first, second = pair.line_frequencies
    times = np.linspace(0, 2 * math.pi / abs(delta), 9)
    moments = pair.to_linear().propagate(_start(120 - 50j), times)
    found = demodulated_moments(moments, times, OMEGA).coherence()
    expected = (120 - 50j) * np.exp(1j * (first - second) * times)
    # ω_j ≠ ω squeezes the orbits by δω/2ω.
    assert np.abs(found - expected).max() < 2 * abs(delta) / OMEGA * 900


def test_common_and_differential_energies_split_by_the_real_coherence():
    found = demodulated_moments(_start(120 - 50j))
    assert found.common_and_differential() == pytest.approx((920, 680))


@pytest.mark.parametrize("delta", [0.0, 1000.0, -3000.0])
def test_noise_correlation_accumulates_while_the_lines_have_not_turned_apart(delta):
    pair = _pair(delta)
    first, second = pair.line_frequencies
    times = np.array([0.2, 1.0, math.pi, 2 * math.pi, 9.0]) / max(abs(delta), 1000.0)
    moments = pair.to_linear().propagate(0.5 * np.eye(4), times)
    found = demodulated_moments(moments, times, OMEGA).coherence()
    turn = first - second
    # dC/dt = i(ω̃_1 − ω̃_2)C + Re D_12.
    expected = 80.0 * (times if delta == 0.0 else np.expm1(1j * turn * times) / (1j * turn))
    ripple = 300.0 / OMEGA + 2 * abs(delta) / OMEGA * 300.0 * times[-1]
    assert np.abs(found - expected).max() < ripple
    if delta:
        # A whole turn leaves nothing; it never exceeds 2 Re D_12/|ω̃_2 − ω̃_1|.
        assert abs(found[3]) < ripple
        assert np.abs(found).max() < 2 * 80.0 / abs(delta) + ripple
    else:
        plus, minus = demodulated_moments(moments).common_and_differential()
        assert (plus - minus) / (2 * times) == pytest.approx(np.full(5, 80.0), rel=0.05)


def test_squeezing_stands_still_at_the_right_reference_only():
    squeezed = np.diag([2.0, 0.125])
    model_time = np.array([0.0, 3e-6, 7e-6])
    turned = []
    for t in model_time:
        c, s = math.cos(OMEGA * t), math.sin(OMEGA * t)
        step = np.array([[c, s], [-s, c]])
        turned.append(step @ squeezed @ step.T)
    at_line = demodulated_moments(turned, model_time, OMEGA).anomalous[:, 0, 0]
    assert np.allclose(at_line, at_line[0])
    beside = demodulated_moments(turned, model_time, 0.9 * OMEGA).anomalous[:, 0, 0]
    assert np.allclose(beside, at_line[0] * np.exp(-0.2j * OMEGA * model_time))


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"shape \(..., 2n, 2n\), got \(3, 3\)"):
        demodulated_moments(np.eye(3))
    with pytest.raises(InputError, match="two of the particles 0 … 1, got 0, 2"):
        demodulated_moments(np.eye(4)).coherence(0, 2)
