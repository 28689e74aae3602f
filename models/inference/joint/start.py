"""Where a global fit starts: phase and distance are scanned, for both are known modulo little."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .frame import Tolerances
from .law import PairLaw, PairSetting, setting_table
from .parts import GaussianPart

__all__ = ["scanned_starts", "typical_coupling"]

_Array = NDArray[np.float64]

_PHASES = 36
_DISTANCES = 0.15  # rad of kd
_REACH = 3.0  # standard errors of kd
_KEPT = 4
_APART = 0.5  # rad: nearer starts are one
_COUPLED = ("g_r", "g_a", "re_D12")


def typical_coupling(parts: Sequence[GaussianPart]) -> float:
    """G/kd from the records: the mean of (g_r+g_a)² + (g_r−g_a)² over all phases is (G/kd)²."""
    squares = []
    for part in parts:
        g_r, g_a, cross = (part.start[part.names.index(n)] for n in _COUPLED)
        # At one phase the mean is missing; what acts on either particle is at most G/kd.
        squares.append(max(2.0 * (g_r**2 + g_a**2), (abs(g_r) + abs(g_a)) ** 2, g_a**2 + cross**2))
    return math.sqrt(float(np.mean(squares)))


def scanned_starts(
    law: PairLaw,
    settings: Sequence[PairSetting],
    parts: Sequence[GaussianPart],
    tolerances: Tolerances,
    distance_error: float,
    shared: Sequence[str],
) -> list[dict[str, float]]:
    """Best few (G, kd_0, phi_0) of a scan, each with the traps' frequency.

    Parameters
    ----------
    law, settings, parts, tolerances
        As of the fit.
    distance_error : float
        m.
    shared : sequence of str
        Fitted parameters: kd_0 and phi_0 are scanned if they are among them.
    """
    table = setting_table(settings)
    measured, roots = _weighed(parts, tolerances)
    omega, balance = _lines(law, table, parts)
    base = {"G": 1.0, "kappa": 0.0, "omega_0": omega, "balance_0": balance, "omega_slope": 0.5}
    error = law.k * distance_error
    reach = min(_REACH * error, math.pi) if "kd_0" in shared else 0.0
    distances = np.linspace(-reach, reach, 2 * math.ceil(reach / _DISTANCES) + 1)
    phases = (
        np.linspace(-math.pi, math.pi, _PHASES, endpoint=False)
        if "phi_0" in shared
        else np.zeros(1)
    )
    kd, phi = (grid.ravel() for grid in np.meshgrid(distances, phases, indexing="ij"))
    at = law.foresee_table({**base, "kd_0": kd[:, None], "phi_0": phi[:, None]}, table)
    shape = np.stack([at.g_r, at.g_a, at.re_D12], axis=2)
    white = np.einsum("nij,knj->kni", roots, shape).reshape(len(kd), -1)
    data = np.einsum("nij,nj->ni", roots, measured).ravel()
    size = np.maximum((white @ data) / np.sum(white**2, axis=1), 0.0)
    chi2 = np.sum((data - size[:, None] * white) ** 2, axis=1) + (kd / error) ** 2
    order = np.argsort(chi2)
    return _apart(base, size[order], kd[order], phi[order]) or [
        {**base, "G": tolerances.coupling, "kappa": 0.95, "kd_0": 0.0, "phi_0": 0.0}
    ]


def _apart(base: dict[str, float], size: _Array, kd: _Array, phi: _Array) -> list[dict[str, float]]:
    """First few of the starts that are no neighbours of each other."""
    kept: list[dict[str, float]] = []
    for one, distance, phase in zip(size.tolist(), kd.tolist(), phi.tolist(), strict=True):
        far = all(
            abs(distance - k["kd_0"]) > _APART
            or abs(math.remainder(phase - k["phi_0"], math.tau)) > _APART
            for k in kept
        )
        if far and one > 0.0:
            kept.append({**base, "G": one, "kappa": 0.95, "kd_0": distance, "phi_0": phase})
        if len(kept) == _KEPT:
            break
    return kept


def _weighed(parts: Sequence[GaussianPart], tolerances: Tolerances) -> tuple[_Array, _Array]:
    """g_r, g_a, Re D_12 of the records, (n, 3), and what whitens them, (n, 3, 3)."""
    measured, roots = [], []
    for part in parts:
        rows = [part.names.index(n) for n in _COUPLED]
        covariance = np.linalg.inv(part.precision)[np.ix_(rows, rows)]
        measured.append(part.start[rows])
        # Cross-talk and drifts are not known yet: a wide berth keeps outliers from deciding.
        wide = (5.0 * tolerances.coupling) ** 2 * np.eye(3)
        roots.append(np.linalg.inv(np.linalg.cholesky(covariance + wide)))
    return np.array(measured), np.array(roots)


def _lines(law: PairLaw, table: _Array, parts: Sequence[GaussianPart]) -> tuple[float, float]:
    """Frequency of the traps at the law's power, and what is added to the balance."""
    lines = np.array([[p.start[p.names.index(n)] for n in ("omega_1", "omega_2")] for p in parts])
    bare = lines / np.sqrt(table[:, 2:] / law.power)
    omega = float(bare.mean())
    return omega, float(np.clip(np.mean(bare[:, 1] - bare[:, 0]) / omega, -0.2, 0.2))
