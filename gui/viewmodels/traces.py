"""Voltage traces ready to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .curves import Curve, envelope
from .trigger import Trigger
from .units import DURATION, format_quantity, format_si

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus, TraceSnapshot, TrackSnapshot

__all__ = ["WINDOWS", "Meter", "TracesModel", "TracesView", "frozen_text", "time_unit"]

# p-value of the innovations below which the errors of tracked positions are not believed.
_DOUBTFUL = 1e-3
# Lengths of the display, s; None shows all that the snapshot holds.
WINDOWS: tuple[float | None, ...] = (50e-6, 200e-6, 1e-3, 5e-3, None)


def frozen_text(status: SessionStatus | None) -> str:
    """Say that the picture stands still while the experiment does not."""
    recording = status is not None and status.recording is not None
    return f"frozen – {'still recording' if recording else 'the acquisition goes on'}"


def time_unit(extent: float) -> tuple[float, str]:
    """Factor and name of the unit in which a length of time (s) reads well."""
    for factor, name in ((1e6, "µs"), (1e3, "ms")):
        if extent * factor < 2000.0:
            return factor, name
    return 1.0, "s"


@dataclass(frozen=True)
class Meter:
    """A channel in numbers: rms about the mean (V), and whether it is clipped."""

    name: str
    rms: float
    clipped: bool

    @property
    def text(self) -> str:
        """Rms in words."""
        return format_si(self.rms, "V", 3) + (" CLIP" if self.clipped else "")


@dataclass(frozen=True)
class TracesView:
    """What the panel draws: one curve per channel (s, V), ranges, and what is wrong.

    ``overlays`` are the tracked motion of each channel; empty where nothing is tracked. ``windows``
    are the samples of the window of each channel, whatever part of it is seen.
    """

    curves: tuple[Curve, ...]
    channels: tuple[str, ...]
    x_range: tuple[float, float]
    y_ranges: tuple[tuple[float, float], ...]
    overlays: tuple[Curve, ...] = ()
    windows: tuple[np.ndarray, ...] = ()


class TracesModel:
    """State of the traces panel."""

    def __init__(self) -> None:
        self.window: float | None = 200e-6
        self.frozen = False
        self.trigger = Trigger()
        self.held: TraceSnapshot | TrackSnapshot | None = None
        self._start = 0
        self._peak: list[float] = []

    def view(
        self,
        snapshot: TraceSnapshot,
        pixels: int,
        tracked: np.ndarray | None = None,
        *,
        seen: tuple[float, float] | None = None,
        again: bool = False,
    ) -> TracesView | None:
        """Cut the window out of the newest samples and reduce it to ``pixels`` columns.

        Parameters
        ----------
        snapshot : TraceSnapshot
            Newest samples.
        pixels : int
            Of the screen.
        tracked : ndarray, optional
            V, drawn over the samples, of the same shape.
        seen : tuple of float, optional
            Part of the window that is seen, s from its beginning: all samples that there are are
            looked at, also before and behind the window.
        again : bool
            The same samples once more: the window stays where it is.

        Returns
        -------
        TracesView or None
            None while the trigger keeps what was shown.
        """
        volts, dt = snapshot.volts, 1.0 / snapshot.sample_rate
        n = volts.shape[0]
        length = n if self.window is None else min(n, max(2, round(self.window / dt)))
        if not again:
            found = self.trigger.find(volts, length, snapshot.first_sample, snapshot.sample_rate)
            if found is None:
                return None
            self._start = found
        start = min(self._start, n - length)
        first, last = start, start + length
        if seen is not None:
            first = min(max(0, start + int(np.floor(seen[0] / dt)) - 1), n - 1)
            last = max(first + 1, min(n, start + int(np.ceil(seen[1] / dt)) + 2))
        part, at = volts[first:last], (first - start) * dt
        curves = tuple(envelope(part[:, j], at, dt, pixels) for j in range(part.shape[1]))
        whole = volts[start : start + length]
        ranges = tuple(self._range(j, whole[:, j]) for j in range(whole.shape[1]))
        over = () if tracked is None else tracked[first:last].T
        overlays = tuple(envelope(column, at, dt, pixels) for column in over)
        extent = (0.0, max(1, length - 1) * dt)
        windows = tuple(whole.T)
        return TracesView(curves, snapshot.channels, extent, ranges, overlays, windows)

    @staticmethod
    def meters(snapshot: TraceSnapshot | TrackSnapshot, saturated: bool) -> tuple[Meter, ...]:
        """Rms of each channel, and which ones are clipped while the digitizer says one is.

        Those are clipped that stay at their largest or smallest value for several samples.
        """
        found = []
        for name, column in zip(snapshot.channels, snapshot.volts.T, strict=True):
            known = column[np.isfinite(column)]
            rms = float(known.std()) if known.size else float("nan")
            found.append(Meter(name, rms, saturated and _stays_at_its_ends(known)))
        return tuple(found)

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

    def _range(self, channel: int, samples: np.ndarray) -> tuple[float, float]:
        """Symmetric range in a 1-2-5 grid; it grows at once and shrinks by steps."""
        while len(self._peak) <= channel:
            self._peak.append(0.0)
        top = float(np.abs(np.nan_to_num(samples, posinf=0.0, neginf=0.0)).max(initial=0.0)) * 1.1
        top = top or 1.0
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


def _stays_at_its_ends(column: np.ndarray) -> bool:
    """Whether a channel holds its largest or smallest value for three samples or more."""
    if column.size < 3:
        return False
    for end in (column.max(), column.min()):
        held = column == end
        if bool((held[:-2] & held[1:-1] & held[2:]).any()):
            return True
    return False
