"""What is drawn beside the newest spectra: stored ones, a ghost of the past, extremes, a ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .spectra_curves import Prepared

if TYPE_CHECKING:
    from ...models.spectra import CsdEstimate

__all__ = ["Extremes", "Reference", "relative_to"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """Stored spectra; they follow the unit that is chosen."""

    name: str
    csd: CsdEstimate


class Extremes:
    """Largest and smallest density of each bin since it began.

    Spectra of another grid, of other channels or of another unit begin it anew.

    Attributes
    ----------
    spectra : int
        How many were taken in.
    """

    def __init__(self) -> None:
        self.spectra = 0
        self._high: CsdEstimate | None = None
        self._low: CsdEstimate | None = None

    def take(self, csd: CsdEstimate) -> None:
        """Take a spectrum in; bins that are no number count for nothing."""
        high, low = self._high, self._low
        if high is None or low is None or not _alike(high, csd):
            self._high = self._low = csd
            self.spectra = 1
            return
        autos = np.einsum("fjj->fj", csd.matrix).real
        found = []
        for held, chosen in ((high, np.fmax), (low, np.fmin)):
            matrix = np.zeros_like(csd.matrix)
            before = np.einsum("fjj->fj", held.matrix).real
            np.einsum("fjj->fj", matrix)[:] = chosen(before, autos)
            found.append(replace(csd, matrix=matrix))
        self._high, self._low = found
        self.spectra += 1

    def held(self) -> tuple[CsdEstimate, ...]:
        """Largest and smallest densities; nothing before the first spectrum."""
        return () if self._high is None or self._low is None else (self._high, self._low)


def _alike(one: CsdEstimate, other: CsdEstimate) -> bool:
    return (
        one.unit == other.unit
        and one.matrix.shape == other.matrix.shape
        and np.array_equal(one.frequencies, other.frequencies)
    )


def relative_to(data: Prepared, base: Prepared | None) -> Prepared:
    """Densities as ratios to other ones, interpolated where bins differ; as they are without."""
    if base is None or base.log_f.size == 0 or len(base.autos) < len(data.autos):
        return data

    def ratio(values: Floats, below: Floats) -> Floats:
        at = np.interp(data.log_f, base.log_f, below, left=np.nan, right=np.nan)
        return np.nan_to_num(values - at, nan=0.0)

    autos = tuple(ratio(v, b) for v, b in zip(data.autos, base.autos, strict=False))
    cross = data.log_modulus
    if cross.size and base.log_modulus.size:
        cross = ratio(cross, base.log_modulus)
    return replace(data, autos=autos, log_modulus=cross)
