"""Eq. (7) in Fock space by QuTiP, written out literally: the judge of the Gaussian code."""

from __future__ import annotations

import numpy as np
import qutip as qt

SOLVER = {"atol": 1e-10, "rtol": 1e-8, "nsteps": 1_000_000}


def quadratures(*dims):
    """Quadratures z_1, p_1, z_2, p_2, … of modes truncated at the given dimensions."""
    operators = []
    for index, size in enumerate(dims):
        a = qt.destroy(size)
        for operator in ((a + a.dag()) / np.sqrt(2), (a - a.dag()) / (1j * np.sqrt(2))):
            factors = [qt.qeye(n) for n in dims]
            factors[index] = operator
            operators.append(qt.tensor(factors))
    return operators


def hamiltonian(pair, x):
    """H_0 + δH_0 − 2g_r z_1z_2 of Eqs. (7) and (9)."""
    (w1, w2), (s1, s2), w = pair.bare_frequencies, pair.shifts, pair.omega
    z1, p1, z2, p2 = x[:4]
    kinetic = 0.5 * w * (p1 * p1 + p2 * p2)
    local = (0.5 * w1**2 / w + s1) * z1 * z1 + (0.5 * w2**2 / w + s2) * z2 * z2
    return kinetic + local - 2 * pair.g_r * z1 * z2


def dissipator(pair, x):
    """Σ 2D_jl [z_j ρ z_l − ½{z_j z_l, ρ}], with the complex D_12."""
    z = (x[0], x[2])
    total = 0
    for j in range(2):
        for k in range(2):
            product = z[j] * z[k]
            jump = qt.sprepost(z[j], z[k]) - 0.5 * (qt.spre(product) + qt.spost(product))
            total = total + 2 * pair.diffusion[j, k] * jump
    return total


def product_of(*columns):
    """Density matrix of a product of pure states."""
    return qt.ket2dm(qt.tensor(list(columns)))


def squeezed(dim, r, angle=0.0):
    """Vacuum of dimension ``dim`` with variance e^{−2r}/2 of z cos θ + p sin θ.

    The amplitudes are known, so that no truncated operator is exponentiated.
    """
    n = np.arange(dim // 2 + dim % 2)
    logs = np.cumsum(np.log(np.maximum(2 * n - 1, 1) / np.maximum(2 * n, 1)))
    column = np.zeros(dim, dtype=complex)
    column[2 * n] = np.exp(0.5 * logs) * (-np.tanh(r) * np.exp(2j * angle)) ** n
    return qt.Qobj(column / np.linalg.norm(column))


def covariance(state, x):
    """Symmetrised covariance of zero-mean quadratures."""
    size = len(x)
    moments = np.empty((size, size))
    for j in range(size):
        for k in range(j, size):
            product = 0.5 * (x[j] * x[k] + x[k] * x[j])
            moments[j, k] = moments[k, j] = qt.expect(product, state).real
    return moments


def fock_log_negativity(state):
    """log2 of the trace norm of the partial transpose of a two-mode state."""
    transposed = qt.partial_transpose(state, [0, 1])
    return float(np.log2(np.abs(np.linalg.eigvalsh(transposed.full())).sum()))
