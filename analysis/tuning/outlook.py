"""What the rig's model expects of cold damping: recoil, what the loop sees, the best of both."""

from __future__ import annotations

from dataclasses import dataclass

from ...models.array import TrapArray
from ...models.detection import cold_damping_occupation, imprecision_psd, optimal_cold_damping
from ...models.errors import InputError

__all__ = ["Outlook", "outlook_of"]


@dataclass(frozen=True)
class Outlook:
    """Best cold damping of one particle alone, narrow-band and without delay.

    Attributes
    ----------
    damping : float
        Γ of least occupation, 1/s.
    occupation : float
        n̄ there.
    efficiency : float
        η of the in-loop detector.
    """

    damping: float
    occupation: float
    efficiency: float


def outlook_of(trap: TrapArray, efficiencies: list[float | None]) -> list[Outlook | None]:
    """Outlook of each particle; None where its in-loop efficiency is not known.

    Parameters
    ----------
    trap : TrapArray
        Particles, light and gas.
    efficiencies : list of (float or None)
        η of each particle's in-loop detector.

    Raises
    ------
    InputError
        Unless there is one efficiency a particle.
    """
    count = len(trap.spheres)
    if len(efficiencies) != count:
        raise InputError(f"needs {count} efficiencies, got {len(efficiencies)}")
    coefficients = trap.coefficients("equilibrium")
    recoil, everything = coefficients.rates, coefficients.total_diffusion("z")
    found: list[Outlook | None] = []
    for j, eta in enumerate(efficiencies):
        if eta is None:
            found.append(None)
            continue
        scattered = float(recoil[j, j].real)
        total = float(everything[j, j])
        psd = imprecision_psd(eta, scattered)
        damping = optimal_cold_damping(total, psd)
        occupation = cold_damping_occupation(total, damping, psd)
        found.append(Outlook(damping, occupation, eta))
    return found
