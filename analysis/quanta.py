"""Spectra and curves on the scale of quanta that a fit finds for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..models.constants import HBAR
from ..models.inference.reheating.estimate import ReheatingEstimate
from ..models.spectra import CsdEstimate

__all__ = ["csd_in_metres", "csd_in_quanta", "rescaled_estimate"]


def csd_in_quanta(csd: CsdEstimate, masses: tuple[float, ...], omega: float) -> CsdEstimate:
    """Express a spectrum in m²/Hz in quanta²/Hz."""
    root = np.sqrt(np.array(masses) * omega / HBAR)
    return replace(csd, matrix=csd.matrix * np.outer(root, root), unit="quanta")


def csd_in_metres(csd: CsdEstimate, masses: tuple[float, ...], omega: float) -> CsdEstimate:
    """Express a spectrum in quanta²/Hz in m²/Hz again."""
    root = np.sqrt(np.array(masses) * omega / HBAR)
    return replace(csd, matrix=csd.matrix / np.outer(root, root), unit="m")


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
