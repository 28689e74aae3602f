"""What feedback aims at, and what a finished hologram says of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...models.ranges import require_range
from ..protocols import SpotPattern
from .synthesis import Image

__all__ = ["Hologram", "HologramReport", "HologramSettings"]


@dataclass(frozen=True)
class HologramSettings:
    """When feedback is content, and when it gives up.

    Attributes
    ----------
    phase_tolerance : float
        Largest error of the phase between two spots, rad; 1e-6 … 1.
    weight_tolerance : float
        Largest relative error of a weight; 1e-6 … 1.
    quick_passes, full_passes : int
        Most passes over a sixteenth of the pixels and over all pixels, for each width of scatter.
    """

    phase_tolerance: float = math.radians(0.08)
    weight_tolerance: float = 4e-3
    quick_passes: int = 12
    full_passes: int = 20

    def __post_init__(self) -> None:
        require_range("phase_tolerance", self.phase_tolerance, 1e-6, 1.0, "rad")
        require_range("weight_tolerance", self.weight_tolerance, 1e-6, 1.0)
        require_range("quick_passes", self.quick_passes, 0, 1000)
        require_range("full_passes", self.full_passes, 1, 1000)


@dataclass(frozen=True)
class HologramReport:
    """What a hologram does, computed from the grey levels that are shown.

    Attributes
    ----------
    amplitudes : tuple of complex
        Light at each spot in units of a flat mask's focus: |·|² is its share of the incident light,
        the argument its optical phase.
    weights : tuple of float
        Share of each spot, as asked for: of the light in spots and dump, or of ``efficiency``.
    phases : tuple of float
        Optical phase of each spot, rad, within π of what was asked for.
    phase_error : float
        Largest error of the phase between two lit spots, rad.
    weight_error : float
        Largest relative error of a lit spot's weight.
    diffraction_efficiency : float
        Share of the incident light in all spots together, without the dump.
    converged : bool
        Whether both errors are within tolerance.
    passes : int
        Passes over all pixels that were needed.
    scatter : float
        Width of the scatter of phases that broke a commensurate spacing, rad; 0 if none.
    reserve : float
        Share of the light that goes to the dump because many spots could not be had otherwise.
    """

    amplitudes: tuple[complex, ...]
    weights: tuple[float, ...]
    phases: tuple[float, ...]
    phase_error: float
    weight_error: float
    diffraction_efficiency: float
    converged: bool
    passes: int
    scatter: float
    reserve: float

    def __str__(self) -> str:
        """One line for people."""
        state = "converged" if self.converged else "NOT converged"
        return (
            f"{state}: phase error {math.degrees(self.phase_error):.3g}°, weight error "
            f"{100.0 * self.weight_error:.3g} %, {100.0 * self.diffraction_efficiency:.1f} % of "
            "the light in the spots"
        )


@dataclass(frozen=True, eq=False)
class Hologram:
    """A mask and what it does.

    Attributes
    ----------
    image : ndarray of uint8 or uint16, shape (rows, columns)
        Grey levels.
    pattern : SpotPattern
        The spots that result.
    report : HologramReport
        Predicted errors.
    """

    image: Image
    pattern: SpotPattern
    report: HologramReport
