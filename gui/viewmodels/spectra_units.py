"""Densities in V²/Hz, m²/Hz or quanta²/Hz: what each channel is multiplied by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...acquisition.calibration import masses_of, metres_per_volt
from ...models.constants import HBAR

if TYPE_CHECKING:
    from ...instruments.rig import Rig
    from ...models.inference.result import FitResult
    from ...models.spectra import CsdEstimate

__all__ = ["UNITS", "ChannelScales", "resolution_bandwidth", "scale_of", "scales_of"]

UNITS = {"V": "V²/Hz", "m": "m²/Hz", "quanta": "quanta²/Hz"}
"""Units of densities by that of the samples."""


@dataclass(frozen=True)
class ChannelScales:
    """What is known of the channels of a spectrum.

    Attributes
    ----------
    metres : ndarray, shape (c,), or None
        m per V with the sign of the polarity; None where nothing is calibrated.
    masses : tuple of float or None
        Of the particles, kg.
    """

    metres: NDArray[np.float64] | None = None
    masses: tuple[float, ...] | None = None

    def factors(self, held: str, wanted: str, omega: float | None) -> NDArray[np.float64] | None:
        """Factor of the amplitude of each channel from one unit to another.

        Parameters
        ----------
        held, wanted : {"V", "m", "quanta"}
            Units of the samples.
        omega : float or None
            Scale of quanta, (ω̃_1 + ω̃_2)/2 in rad/s; None where it is not known.

        Returns
        -------
        ndarray, shape (c,), or None
            None where something is not known that it takes.
        """
        metres = self._metres(held, omega)
        per_wanted = self._metres(wanted, omega)
        if held == wanted:
            size = 1 if metres is None else metres.size
            return np.ones(size)
        if metres is None or per_wanted is None or metres.size != per_wanted.size:
            return None
        return np.asarray(metres / per_wanted)

    def _metres(self, unit: str, omega: float | None) -> NDArray[np.float64] | None:
        """Metres per unit of each channel."""
        if unit == "V":
            return self.metres
        count = self.metres.size if self.metres is not None else len(self.masses or ())
        if unit == "m":
            return np.ones(count) if count else None
        if unit == "quanta" and self.masses is not None and omega is not None:
            return np.sqrt(HBAR / (np.array(self.masses) * omega))
        return None


def scales_of(rig: Rig, names: Sequence[str]) -> ChannelScales:
    """What a rig tells of the channels of these names; nothing of others."""
    known = {d.name: d for d in rig.detectors}
    if any(name not in known for name in names):
        return ChannelScales()
    detectors = [known[name] for name in names]
    if all(d.volts_per_metre == 1.0 for d in detectors):  # nobody has calibrated them
        return ChannelScales()
    return ChannelScales(metres_per_volt(detectors), masses_of(rig.trap, detectors))


def resolution_bandwidth(csd: CsdEstimate) -> float:
    """Equivalent noise bandwidth of the window, f_s Σw²/(Σw)², Hz."""
    window = csd.window
    total = float(window.sum())
    if not total or not math.isfinite(total):
        return csd.bin_width
    return csd.sample_rate * float((window**2).sum()) / total**2


def scale_of(result: FitResult | None, predicted: Mapping[str, float] | None) -> float | None:
    """Scale of quanta, (ω̃_1 + ω̃_2)/2 in rad/s: fitted, else predicted, else None."""
    if result is not None:
        values: Mapping[str, float] = {n: p.value for n, p in result.parameters.items()}
    else:
        values = predicted or {}
    if "omega" in values:
        return values["omega"]
    if "omega_1" in values and "omega_2" in values:
        return 0.5 * (values["omega_1"] + values["omega_2"])
    return None
