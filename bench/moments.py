"""Moments of Eq. (7) by Van Loan against QuTiP's mesolve on the same pair, start and times."""

from __future__ import annotations

import numpy as np
import qutip as qt

from bench.row import Row, paired
from optobind.models.pair import PairConstants
from optobind.theory.quantum.states import vacuum_state

# Six digits in Fock space: 16 levels hold occupations that stay below 0.4.
LEVELS, TOLERANCE = 16, 1e-6
TIMES = np.linspace(0.0, 4.0, 9)
PAIR = PairConstants(1.0, 0.05, 0.03, -0.02, 0.03, 0.04, 0.015)


def fock_problem() -> tuple[qt.Qobj, qt.Qobj, list[qt.Qobj]]:
    """Liouvillian of Eq. (7), the vacuum, and the ten symmetrised second moments."""
    a, one = qt.destroy(LEVELS), qt.qeye(LEVELS)
    z, p = (a + a.dag()) / np.sqrt(2), (a - a.dag()) / (1j * np.sqrt(2))
    x = [qt.tensor(z, one), qt.tensor(p, one), qt.tensor(one, z), qt.tensor(one, p)]
    energy = -2 * PAIR.g_r * x[0] * x[2]
    for j, (own, shift) in enumerate(zip(PAIR.bare_frequencies, PAIR.shifts, strict=True)):
        energy += 0.5 * PAIR.omega * x[2 * j + 1] ** 2
        energy += (0.5 * own**2 / PAIR.omega + shift) * x[2 * j] ** 2
    values, vectors = np.linalg.eigh(2 * PAIR.diffusion)
    jumps = [
        np.sqrt(value) * (column[0] * x[0] + column[1] * x[2])
        for value, column in zip(values, vectors.T, strict=True)
    ]
    ground = qt.tensor(qt.fock_dm(LEVELS, 0), qt.fock_dm(LEVELS, 0))
    moments = [0.5 * (x[j] * x[k] + x[k] * x[j]) for j in range(4) for k in range(j, 4)]
    return qt.liouvillian(energy, jumps), ground, moments


def rows() -> list[Row]:
    """Ratio of CPU times, after both have been compared."""
    model, start = PAIR.to_linear(), vacuum_state()
    liouvillian, ground, operators = fock_problem()
    options = {"atol": 1e-10, "rtol": 1e-8, "nsteps": 1_000_000}
    upper = np.triu_indices(4)

    def ours() -> np.ndarray:
        return model.propagate(start, TIMES)[:, upper[0], upper[1]]

    def fock() -> np.ndarray:
        found = qt.mesolve(liouvillian, ground, TIMES, e_ops=operators, options=options).expect
        return np.array(found).real.T

    deviation = float(np.abs(ours() - fock()).max())
    # Ours takes about a millisecond: repeat it so that the clock resolves it.
    repeats = 50
    own, other, _ = paired(lambda: [ours() for _ in range(repeats)], fock, 3)
    detail = (
        f"{len(TIMES)} times: {own / repeats * 1e3:.2g} ms against {other:.2g} s with {LEVELS}² "
        f"levels; largest deviation {deviation:.1g} (at most {TOLERANCE:g})"
    )
    ratio = other / (own / repeats) if deviation < TOLERANCE else 0.0
    return [Row("moments of Eq. (7) against QuTiP mesolve", ratio, 1000.0, detail)]
