"""Spectra, curves and fits on the scale of quanta that a fit finds for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..models.constants import HBAR
from ..models.inference.reheating_estimate import ReheatingEstimate
from ..models.inference.result import FitResult, FittedParameter
from ..models.spectra import CsdEstimate

__all__ = ["csd_in_quanta", "own_scale", "rescaled_estimate", "rescaled_result"]


def own_scale(result: FitResult) -> float:
    """ω of the fit, the scale of its quanta, rad/s."""
    if result.model == "single":
        return result.value("omega")
    return 0.5 * (result.value("omega_1") + result.value("omega_2"))


def csd_in_quanta(csd: CsdEstimate, masses: tuple[float, ...], omega: float) -> CsdEstimate:
    """Express a spectrum in m²/Hz in quanta²/Hz."""
    root = np.sqrt(np.array(masses) * omega / HBAR)
    return replace(csd, matrix=csd.matrix * np.outer(root, root), unit="quanta")


def rescaled_estimate(estimate: ReheatingEstimate, ratio: float) -> ReheatingEstimate:
    """Count the quanta of curves on another scale ω: energies ∝ ω."""
    return replace(
        estimate,
        E1=estimate.E1 * ratio,
        E2=estimate.E2 * ratio,
        C=estimate.C * ratio,
        lag=estimate.lag * ratio,
        pairs=estimate.pairs * ratio,
        stderr=estimate.stderr * ratio,
        mean_amplitude=estimate.mean_amplitude * ratio**0.5,
        noise_floor=estimate.noise_floor * ratio,
    )


def rescaled_result(result: FitResult, ratio: float) -> FitResult:
    """Count the quanta of a fit on another scale ω: D, C, noise and n + ½ ∝ ω; g and ω̃ stay.

    The scale is the fit's own (ω̃_1+ω̃_2)/2, whose error is larger than that of the noise.
    """
    scaled = [n for n in result.parameters if not n.startswith(("g_", "omega", "gamma"))]
    half = {name: 0.5 if name in ("n1_0", "n2_0") else 0.0 for name in scaled}
    own = own_scale(result)
    jacobian: NDArray[np.float64] = np.diag(
        [ratio if name in scaled else 1.0 for name in result.varying]
    )
    for row, name in enumerate(result.varying):
        for column, line in enumerate(result.varying):
            if name in scaled and line in ("omega_1", "omega_2"):
                jacobian[row, column] = (result.value(name) + half[name]) * ratio / (2.0 * own)
    covariance = jacobian @ result.covariance @ jacobian.T
    spread = dict(zip(result.varying, np.sqrt(np.diag(covariance)), strict=True))
    parameters = {}
    for name, parameter in result.parameters.items():
        value, stderr = parameter.value, parameter.stderr
        if name in scaled:
            value = (value + half[name]) * ratio - half[name]
            stderr = None if stderr is None else float(spread.get(name, stderr * ratio))
        parameters[name] = FittedParameter(value, stderr, parameter.unit, parameter.vary)
    return replace(result, parameters=parameters, covariance=covariance)
