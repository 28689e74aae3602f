"""Eq. (7) with time-dependent g_r, g_a, D_12 and powers, solved in Fock space by QuTiP."""

import numpy as np
import pytest
import qutip

from optobind.theory.modulation.drives import power_modulation
from optobind.theory.modulation.pair_model import far_field_model
from optobind.theory.modulation.propagation import propagate
from optobind.theory.modulation.waveform import Ramp, Sinusoid

RATE, KD, RECOIL, DELTA = 0.06, 17.3, (0.07, 0.065), 0.05
ORDER = ("z1", "p1", "z2", "p2")


def _operators(levels):
    a, one = qutip.destroy(levels), qutip.qeye(levels)
    z, p = (a + a.dag()) / np.sqrt(2), -1j * (a - a.dag()) / np.sqrt(2)
    return [qutip.tensor(x, one) for x in (z, p)] + [qutip.tensor(one, x) for x in (z, p)]


def _dissipator(first, second):
    """Map ρ → z_jρz_l − ½{z_jz_l, ρ}, the term of Eq. (7) with weight 2D_jl."""
    product = first * second
    return qutip.sprepost(first, second) - 0.5 * (qutip.spre(product) + qutip.spost(product))


def _liouvillian(levels, weights):
    """Eq. (7) with Eqs. (6), (8) and (9); ω = 1."""
    z1, p1, z2, p2 = _operators(levels)
    sine, cosine = np.sin(KD), np.cos(KD)
    unitary = qutip.liouvillian
    still = unitary(0.5 * (p1 * p1 + p2 * p2))
    own = [
        unitary(0.5 * (1 + sign * 0.5 * DELTA) ** 2 * z * z) + 2 * d * _dissipator(z, z)
        for z, d, sign in ((z1, RECOIL[0], -1), (z2, RECOIL[1], 1))
    ]
    forward, backward = _dissipator(z1, z2), _dissipator(z2, z1)
    # cos φ: g_r(z_1² + z_2²) − 2g_r z_1z_2 and Re D_12; sin φ: g_a(z_1² − z_2²) and i Im D_12.
    even = unitary(RATE * cosine * (z1 * z1 + z2 * z2 - 2 * z1 * z2))
    even = even + 2 * RATE * sine * (forward + backward)
    odd = unitary(RATE * sine * (z1 * z1 - z2 * z2)) + 2j * RATE * sine * (forward - backward)
    terms = [
        [op, lambda t, k=k: float(weights([t])[0, k])] for k, op in enumerate((*own, even, odd), 1)
    ]
    return qutip.QobjEvo([still, *terms])


def _fock_moments(levels, model, times):
    operators = _operators(levels)
    products = [0.5 * (a * b + b * a) for i, a in enumerate(operators) for b in operators[i:]]
    start = qutip.tensor(qutip.coherent(levels, 0.3), qutip.coherent(levels, 0.2j))
    result = qutip.mesolve(
        _liouvillian(levels, model.weights),
        qutip.ket2dm(start),
        [0.0, *times],
        e_ops=[*operators, *products],
        options={"rtol": 1e-8, "atol": 1e-10, "nsteps": 100_000},
    )
    values = np.real(np.array(result.expect))[:, 1:]
    mean, second = values[:4].T, np.zeros((len(times), 4, 4))
    second[:, *np.triu_indices(4)] = values[4:].T
    second = second + np.triu(second, 1).swapaxes(-1, -2)
    return mean, second - mean[:, :, None] * mean[:, None, :]


def _compare(levels, end):
    model = far_field_model(
        omega=1.0,
        kd=KD,
        G=RATE * KD,
        D11=RECOIL[0],
        D22=RECOIL[1],
        delta_omega=DELTA,
        phi=Ramp(0.3, 2.0) + Sinusoid(0.0, 0.4, 1.0),
        power_1=power_modulation(0.3, 1.0, 0.4),
        power_2=power_modulation(0.1, 2.0),
    )
    times = np.array([0.5, 1.0]) * end
    begin = np.array([0.3 * np.sqrt(2), 0.0, 0.0, 0.2 * np.sqrt(2)])
    found = propagate(model, 0.5 * np.eye(4), times, mean=begin)
    mean, covariance = _fock_moments(levels, model, times)
    return np.abs(found.mean - mean).max(), np.abs(found.covariance - covariance).max()


@pytest.mark.slow
def test_moments_agree_with_the_master_equation_in_fock_space():
    # Ten levels hold n ≲ 0.3 to a few 1e-4: that, not the propagation, is the difference.
    mean, covariance = _compare(10, 3.0)
    assert mean < 5e-4
    assert covariance < 2e-3


@pytest.mark.slow
def test_the_difference_to_fock_space_is_its_truncation():
    errors = [max(_compare(levels, 4.0)) for levels in (8, 11, 14)]
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 0.2 * errors[1]
    assert errors[2] < 2e-4
