"""Are the particles still there: judged from the record before and during each release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..models.errors import DeviceError, InputError
from .csd import estimate_csd

if TYPE_CHECKING:
    from .procedures import Procedure

__all__ = ["Presence"]

# The expected spectral peak over the median of a few averages of pure noise stays well below this.
_LINE_OVER_MEDIAN = 4.0
_SEGMENT = 256
_LEAST_SAMPLES = 16


class Presence:
    """Watches the signals of the particles during one reheating step.

    Parameters
    ----------
    procedure : Procedure
        Tells what is known of lost particles.
    factor : float
        By how much the standard deviation of a signal may differ from the first one.
    """

    def __init__(self, procedure: Procedure, factor: float) -> None:
        self._procedure, self._factor = procedure, factor
        self._reference: NDArray[np.float64] | None = None

    def check(self, volts: NDArray[np.float64] | None, number: int) -> None:
        """See that each particle is there before it is released.

        Parameters
        ----------
        volts : ndarray, shape (n, channels), or None
            What was recorded while it was cooled.
        number : int
            Of the repetition, from 0.

        Raises
        ------
        DeviceError
            If one is lost, or its signal has changed.
        InputError
            If a detector shows no line before the first release.
        """
        columns = self._procedure.signal_columns
        self._require_none_lost(f"before repetition {number + 1}")
        if volts is None or not columns or len(volts) < _LEAST_SAMPLES:
            return
        # The first half of the cooling still shows the previous release.
        spread = volts[len(volts) // 2 :, columns].std(axis=0)
        if self._reference is None:
            self._see_lines(volts[:, columns])
            self._reference = spread
        # The reference follows slow drifts but not a jump.
        ratio = spread / self._reference
        for particle, r in enumerate(ratio):
            if not 1.0 / self._factor < r < self._factor:
                raise DeviceError(
                    f"the signal of particle {particle} changed {r:.3g}-fold before repetition "
                    f"{number + 1} (allowed: {self._factor:g}): is it still trapped?"
                )
        self._reference = 0.9 * self._reference + 0.1 * spread

    def watch(self, volts: NDArray[np.float64], number: int) -> None:
        """See, while a card plays and nobody switches, that the particles are still there.

        Their signals grow in a release; one that falls below what it is when cooled is gone.

        Raises
        ------
        DeviceError
            If one is lost.
        """
        columns = self._procedure.signal_columns
        self._require_none_lost(f"in repetition {number + 1}")
        if self._reference is None or not columns or len(volts) < _LEAST_SAMPLES:
            return
        ratio = volts[:, columns].std(axis=0) / self._reference
        for particle, r in enumerate(ratio):
            if r <= 1.0 / self._factor:
                raise DeviceError(
                    f"the signal of particle {particle} fell to {r:.3g} of what it is when cooled "
                    f"in repetition {number + 1} (allowed: {1.0 / self._factor:.3g}): is it still "
                    "trapped?"
                )

    def _require_none_lost(self, when: str) -> None:
        if self._procedure.particle_lost:
            raise DeviceError(
                f"a particle was lost {when}: "
                "reload it, then start the plan again; what was recorded is kept"
            )

    def _see_lines(self, volts: NDArray[np.float64]) -> None:
        """Refuse to start on a detector that shows no line at all."""
        segment = min(_SEGMENT, len(volts))
        if segment < _SEGMENT:
            return
        matrix = estimate_csd(volts, self._procedure.sample_rate, segment, unit="V").matrix[2:]
        power = np.einsum("fjj->fj", matrix).real
        contrast = power.max(axis=0) / np.median(power, axis=0)
        for particle, value in enumerate(contrast):
            if value < _LINE_OVER_MEDIAN:
                raise InputError(
                    f"the detector of particle {particle} shows no line (peak {value:.2g} times "
                    f"the median, needed {_LINE_OVER_MEDIAN:g}): is the particle there?"
                )
