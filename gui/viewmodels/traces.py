"""Voltage traces ready to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .curves import Curve, envelope
from .units import DURATION, format_quantity

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus, TraceSnapshot, TrackSnapshot

__all__ = ["WINDOWS", "TracesModel", "TracesView", "frozen_text"]

# p-value of the innovations below which the errors of tracked positions are not believed.
_DOUBTFUL = 1e-3
# Lengths of the display, s; None shows all that the snapshot holds.
WINDOWS: tuple[float | None, ...] = (50e-6, 200e-6, 1e-3, 5e-3, None)


def frozen_text(status: SessionStatus | None) -> str:
    """Say that the picture stands still while the experiment does not."""
    recording = status is not None and status.recording is not None
    return f"frozen – {'still recording' if recording else 'the acquisition goes on'}"


@dataclass(frozen=True)
class TracesView:
    """What the panel draws: one curve per channel (s, V), ranges, and what is wrong.

    ``overlays`` are the tracked motion of each channel; empty where nothing is tracked.
    """

    curves: tuple[Curve, ...]
    channels: tuple[str, ...]
    x_range: tuple[float, float]
    y_ranges: tuple[tuple[float, float], ...]
    overlays: tuple[Curve, ...] = ()


class TracesModel:
    """State of the traces panel."""

    def __init__(self) -> None:
        self.window: float | None = 200e-6
        self.frozen = False
        self._peak: list[float] = []

    def view(
        self, snapshot: TraceSnapshot, pixels: int, tracked: np.ndarray | None = None
    ) -> TracesView:
        """Cut the window out of the newest samples and reduce it to ``pixels`` columns.

        ``tracked`` (V) is drawn over the samples, of the same shape.
        """
        volts, dt = snapshot.volts, 1.0 / snapshot.sample_rate
        n = volts.shape[0]
        length = n if self.window is None else min(n, max(2, round(self.window / dt)))
        start = self._trigger(volts, length)
        part = volts[start : start + length]
        curves = tuple(envelope(part[:, j], 0.0, dt, pixels) for j in range(part.shape[1]))
        ranges = tuple(self._range(j, part[:, j]) for j in range(part.shape[1]))
        over = () if tracked is None else tracked[start : start + length].T
        overlays = tuple(envelope(column, 0.0, dt, pixels) for column in over)
        extent = (0.0, max(1, length - 1) * dt)
        return TracesView(curves, snapshot.channels, extent, ranges, overlays)

    @staticmethod
    def tracked_text(snapshot: TrackSnapshot | None) -> str:
        """Say how well positions are known, and whether the samples bear that out."""
        if snapshot is None:
            return "tracking begins with the first good fit"
        errors = ", ".join(f"{1e3 * error:.2g}" for error in snapshot.errors)
        text = f"tracked ± {errors} mV"
        if snapshot.unit == "quanta":
            known = ", ".join(f"{value:.2g}" for value in snapshot.occupations)
            text += f", not known n = {known}"
        if snapshot.p_value is not None:
            white = snapshot.p_value > _DOUBTFUL
            text += ", innovations white" if white else ", innovations NOT white"
        return text

    def _trigger(self, volts: np.ndarray, length: int) -> int:
        """Start at the last rising crossing of the mean of channel 1 that leaves a full window."""
        last = volts.shape[0] - length
        if last <= 0:
            return 0
        look = volts[max(0, last - length) : last + 1, 0]
        above = look > look.mean()
        rising = np.flatnonzero(~above[:-1] & above[1:])
        return int(max(0, last - length) + rising[-1]) if rising.size else last

    def _range(self, channel: int, samples: np.ndarray) -> tuple[float, float]:
        """Symmetric range in a 1-2-5 grid; it grows at once and shrinks by steps."""
        while len(self._peak) <= channel:
            self._peak.append(0.0)
        top = float(np.abs(samples).max(initial=0.0)) * 1.1 or 1.0
        decade = 10.0 ** np.floor(np.log10(top))
        grid = float(next(m * decade for m in (1.0, 2.0, 5.0, 10.0) if m * decade >= top * 0.999))
        held = self._peak[channel]
        if grid > held or 4.0 * grid < held:
            self._peak[channel] = grid
        return -self._peak[channel], self._peak[channel]

    def banner(self, status: SessionStatus | None) -> tuple[str, str]:
        """Text above the traces and its severity ("", "info", "warning" or "error")."""
        if status is not None and status.lost:
            return "PARTICLE LOST – the traces show no particle", "error"
        if self.frozen:
            return frozen_text(status), "info"
        if status is not None and status.saturated:
            return "SATURATED – the detector signal exceeds the ADC range", "error"
        return "", ""

    @staticmethod
    def window_label(window: float | None) -> str:
        """Text of a choice of window."""
        return "all" if window is None else format_quantity(window, DURATION)
