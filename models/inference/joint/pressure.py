"""Heating and damping at zero pressure: straight lines through records at several pressures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..result import MIN_DOF
from .parts import Measured
from .points import Estimated

__all__ = ["Extrapolation", "zero_pressure"]

_Array = NDArray[np.float64]

EXTRAPOLATED = ("D11", "D22", "gamma_1", "gamma_2")
"""What a gas changes: D_jj = recoil + γ_j(n̄_j + ½), and γ_j, both proportional to the pressure."""

_LEAST_SPAN = 0.05  # of the largest pressure: less is one pressure
_LAW = 0.03  # of D_jj: how far it is from √P at other lights


@dataclass(frozen=True)
class Extrapolation:
    """A straight line over pressure.

    Attributes
    ----------
    name : str
        Parameter.
    at_zero : Estimated
        At no pressure, rad/s: the recoil of D_jj; feedback is part of either.
    slope : Estimated
        Per pascal, rad/s/Pa.
    chi2, dof : float
        Of the line.
    p_value : float or None
        None below 5 degrees of freedom.
    """

    name: str
    at_zero: Estimated
    slope: Estimated
    chi2: float
    dof: int
    p_value: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "at_zero": self.at_zero.to_dict(),
            "slope": self.slope.to_dict(),
            "chi2": self.chi2,
            "dof": self.dof,
            "p_value": self.p_value,
        }


def zero_pressure(measured: Sequence[Measured]) -> list[Extrapolation]:
    """Extrapolate what a gas changes; nothing where the pressures do not differ or are not known.

    D_jj of other powers is scaled as √P_j to that of the first record.
    """
    known = [m for m in measured if m.setting.pressure is not None]
    pressures = np.array([m.setting.pressure for m in known], dtype=np.float64)
    if len(known) < 2 or np.ptp(pressures) <= _LEAST_SPAN * pressures.max():
        return []
    found = []
    for name in EXTRAPOLATED:
        use = [
            i for i, m in enumerate(known) if name in m.result.parameters and m.result.stderr(name)
        ]
        if len(use) >= 2 and np.ptp(pressures[use]) > _LEAST_SPAN * pressures.max():
            found.append(_line(name, [known[i] for i in use], pressures[use]))
    return found


def _line(name: str, known: Sequence[Measured], pressures: _Array) -> Extrapolation:
    values = np.array([m.result.value(name) for m in known])
    errors = np.array([m.result.stderr(name) or 0.0 for m in known])
    if name.startswith("D"):
        at = int(name[1]) - 1
        powers = np.array([m.setting.powers[at] for m in known])
        scale = np.sqrt(powers[0] / powers)
        values, errors = scale * values, scale * errors
        lights = {m.setting.same_light for m in known}
        if len(lights) > 1:
            errors = np.hypot(errors, _LAW * np.abs(values).min())
    size = float(pressures.max())
    design = np.stack([np.ones_like(pressures), pressures / size], axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    solution = covariance @ design.T @ (values / errors)
    rest = values / errors - design @ solution
    chi2, dof = float(rest @ rest), len(known) - 2
    spread = np.sqrt(np.diag(covariance))
    return Extrapolation(
        name,
        Estimated(float(solution[0]), float(spread[0])),
        Estimated(float(solution[1]) / size, float(spread[1]) / size),
        chi2,
        dof,
        float(stats.chi2.sf(chi2, dof)) if dof >= MIN_DOF else None,
    )
