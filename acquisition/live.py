"""Live analysis: newest traces, averaged spectra and fits. Lossy by design.

One thread follows the ring with a lossy cursor, one process fits. Neither can hold up the reader or
the recorder: what they skip is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from ..instruments.rig import DetectorChannel, Rig
from ..models.blocks import Block, BlockStatus
from ..models.errors import InputError, OptobindError
from ..models.inference.result import FitResult
from ..models.spectra import CsdEstimate
from .calibration import masses_of, metres_per_volt
from .csd import CsdEstimator
from .fit_process import NO_WORKER, FitProcess
from .held import HeldValues
from .live_fit import FitSettings, FitTask, FittedCurve
from .live_segment import SegmentChoice
from .ring import Ring
from .ring_cursor import Cursor
from .slots import Latest, LogBook
from .snapshots import Basis, FitSnapshot, SpectrumSnapshot, TraceSnapshot

__all__ = ["LiveAnalysis"]

_TRACE_SECONDS = 0.02
_AVERAGING_SECONDS = 1.0
_TRACE_PERIOD, _SPECTRUM_PERIOD = 0.03, 0.05  # s between snapshots
_MINIMUM_AVERAGES = 8
_SEARCH_SECONDS = 5.0
_BEHIND_SECONDS = 0.5  # of samples, after which the display skips to the newest
_UNUSABLE = BlockStatus.SATURATED | BlockStatus.PARTICLE_LOST | BlockStatus.FEEDBACK_OFF


class LiveAnalysis:
    """Follows one stream after the other.

    Parameters
    ----------
    rig : Rig
        For the detectors' map, calibration and masses.
    log : LogBook
        Receives what goes wrong.
    fits : FitProcess or None
        None shows spectra without fits.
    segment : int or None
        Samples per segment; None for one that resolves the lines, see :class:`SegmentChoice`.
    """

    def __init__(
        self, rig: Rig, log: LogBook, fits: FitProcess | None, segment: int | None = None
    ) -> None:
        self._rig = rig
        self._log = log
        self._fits = fits
        self._segment = segment
        self._settings = FitSettings()
        self.held = HeldValues()
        self._basis = Basis()
        self._sequence_lost = 0  # negative ones: those of the followers are positive
        self._chosen: tuple[int, ...] | None = None
        self.trace: Latest[TraceSnapshot] = Latest()
        self.spectrum: Latest[SpectrumSnapshot] = Latest()
        self.fit: Latest[FitSnapshot] = Latest()
        self.history: deque[tuple[float, FitResult]] = deque(maxlen=2000)
        self.skipped = 0
        self._restart: int | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, ring: Ring, sample_rate: float) -> None:
        """Start following a ring; the one followed before is left."""
        self.leave()
        self._stop.clear()
        self.take_restart()
        follower = _Follower(self, ring, sample_rate)
        self._thread = threading.Thread(target=follower.run, name="live-analysis", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Stop following. Safe to call at any time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None

    def restart_average(self, from_sample: int = 0) -> None:
        """Forget the spectra so far: a set-point has changed.

        Parameters
        ----------
        from_sample : int
            The first sample under the new set-point; what the ring still holds of the time before
            is left out of the new average.
        """
        with self._lock:
            self._restart = max(from_sample, self._restart or 0)
            self._basis = replace(self._basis, light=self._basis.light + 1)

    @property
    def basis(self) -> Basis:
        """Of which set-points and settings new results are to be."""
        with self._lock:
            return self._basis

    def fits_lost(self, replaced: bool) -> None:
        """Say at once that the process of the fits is gone: the last result is not confirmed."""
        self._sequence_lost -= 1
        empty = np.zeros(0)
        text = "the process of the live fits ended; a new one is starting"
        if not replaced:
            text = NO_WORKER
        self.fit.put(FitSnapshot(self._sequence_lost, None, empty, None, text, basis=self.basis))

    def configure(
        self,
        *,
        model: str,
        band: tuple[float, float] | None,
        channels: tuple[int, ...] | None,
        vary: Mapping[str, bool],
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Choose what is fitted.

        Raises
        ------
        InputError
            For an unknown model or column, or a pair fit of one channel.
        """
        if model not in ("single", "pair"):
            raise InputError(f"model {model!r} is not known; known models: single, pair")
        known = {d.channel for d in self._rig.detectors}
        for channel in channels or ():
            if channel not in known:
                raise InputError(f"channel {channel} does not exist; known: {sorted(known)}")
        with self._lock:
            held = self.held.choose(model, vary)
            self._settings = FitSettings(model, band, dict(vary), held, exclude)
            self._basis = replace(self._basis, settings=self._basis.settings + 1)
        if channels != self._chosen:
            self._chosen = channels
            self.restart_average()

    def detectors(self) -> tuple[DetectorChannel, ...]:
        """The detectors that are analysed, by default one out-of-loop detector a particle."""
        if self._chosen is not None:
            by_channel = {d.channel: d for d in self._rig.detectors}
            return tuple(by_channel[c] for c in self._chosen)
        chosen = self._rig.channels("out_of_loop")
        return chosen or tuple(d for d in self._rig.detectors if d.role != "monitor")

    @property
    def stopping(self) -> bool:
        """Whether the follower is to end."""
        return self._stop.is_set()

    def take_restart(self) -> tuple[int | None, int]:
        """Return, once, the sample from which the average is to be restarted; None if it is not.

        With it comes the number of the set-points (``Basis.light``) that hold from there on.
        """
        with self._lock:
            asked, self._restart = self._restart, None
            return asked, self._basis.light

    def take_settings(self) -> tuple[FitSettings, int]:
        """Return what is to be fitted, and its number (``Basis.settings``)."""
        with self._lock:
            return self._settings, self._basis.settings

    def log_error(self, text: str) -> None:
        """Write an error to the log."""
        self._log.add("error", text)

    @property
    def rig(self) -> Rig:
        """The rig whose detectors are followed."""
        return self._rig

    @property
    def fits(self) -> FitProcess | None:
        """The process that fits."""
        return self._fits

    @property
    def settings(self) -> FitSettings:
        """What is fitted."""
        return self._settings

    @property
    def segment(self) -> int | None:
        """Samples per segment, None if they are to be chosen."""
        return self._segment


class _Follower:
    """The thread that follows one ring."""

    def __init__(self, live: LiveAnalysis, ring: Ring, sample_rate: float) -> None:
        self._live = live
        self._ring = ring
        self._rate = sample_rate
        channels = len(ring.scale)
        rows = max(64, round(_TRACE_SECONDS * sample_rate))
        self._tail = np.zeros((rows, channels), dtype=np.float32)
        self._tail_end = 0
        self._sequence = 0
        self._submitted = 0
        self._from_sample = 0
        self._future: Future[FittedCurve] | None = None
        self._outdated = False
        self._basis = self._submitted_basis = live.basis
        self._fit_times: deque[float] = deque(maxlen=20)
        self._warm: FittedCurve | None = None
        self._warm_settings: FitSettings | None = None
        self._next_search = 0.0
        self._segment = live.segment
        self._choice = SegmentChoice(sample_rate, live.fits)
        self._estimator: CsdEstimator | None = None
        self._prepare()

    def _prepare(self) -> None:
        """Start a new average with the detectors chosen now, and look whether a segment suits.

        Until another one is chosen the average goes on with the segment before.
        """
        self._warm = None
        self._outdated = self._future is not None
        self._detectors = self._live.detectors()
        self._columns = np.array([d.channel for d in self._detectors], dtype=np.intp)
        self._masses = masses_of(self._live.rig.trap, self._detectors)
        self._choice.begin(self._live.settings.band)
        if self._segment is not None:
            self._estimator = self._new_average(self._segment)

    def _new_average(self, segment: int) -> CsdEstimator:
        """Make an average over 1 s of the chosen detectors, in m where they are calibrated."""
        unit = "V" if self._masses is None else "m"
        factor = np.ones(len(self._columns))
        if self._masses is not None:
            factor = metres_per_volt(self._detectors)
        return CsdEstimator(
            channels=len(self._columns),
            segment=segment,
            sample_rate=self._rate,
            scale=np.asarray(self._ring.scale)[self._columns] * factor,
            unit=unit,
            averaging="exponential",
            time_constant=_AVERAGING_SECONDS,
        )

    def _take_segment(self) -> None:
        """Begin a new average where another segment than the present one was chosen."""
        band = self._live.settings.band
        if band != self._choice.band:
            self._choice.begin(band)
        segment = self._choice.take()
        if segment is not None and segment != self._segment:
            self._segment = segment
            self._estimator = self._new_average(segment)

    def run(self) -> None:
        """Follow until told to stop."""
        try:
            behind = round(_BEHIND_SECONDS * self._rate)
            with closing(self._ring.cursor("live", lossless=False, max_behind=behind)) as cursor:
                self._follow(cursor)
        except Exception as error:  # a display that dies in silence would pass for a frozen one
            text = str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
            self._live.log_error(f"live analysis stopped: {text}")

    def _follow(self, cursor: Cursor) -> None:
        next_trace = next_spectrum = 0.0
        while not self._live.stopping:
            block = cursor.next(timeout=0.1)
            self._live.skipped = cursor.missed_blocks
            restart, light = self._live.take_restart()
            if restart is not None:
                self._basis = replace(self._basis, light=light)
                self._from_sample = max(restart, self._from_sample)
                self._prepare()
            if block is not None:
                self._take(block)
            self._take_segment()
            now = time.monotonic()
            if now >= next_trace and self._tail_end:
                next_trace = now + _TRACE_PERIOD
                self._publish_trace()
            if self._collect_fit():  # the next fit begins at once, of the newest spectra
                next_spectrum = 0.0
            average = self._estimator
            if now >= next_spectrum and average is not None and average.segments:
                next_spectrum = now + _SPECTRUM_PERIOD
                self._publish_spectrum(average.estimate())

    def _take(self, block: Block) -> None:
        """Append to the trace and to the average."""
        rows = min(len(block.samples), len(self._tail))
        self._tail[:-rows] = self._tail[rows:]
        np.multiply(block.samples[-rows:], block.scale, out=self._tail[-rows:], casting="unsafe")
        self._tail_end = block.end_sample
        if block.status & _UNUSABLE:
            self._choice.interrupt()
            if self._estimator is not None:
                self._estimator.reset()
            return
        if block.first_sample < self._from_sample:  # taken under the set-point before
            return
        chosen: Any = np.ascontiguousarray(block.samples[:, self._columns])
        used = replace(block, samples=chosen, scale=block.scale[self._columns])
        if self._live.segment is None:
            self._choice.add(used)
        if self._estimator is not None:
            self._estimator.add(used)

    def _publish_trace(self) -> None:
        self._sequence += 1
        first = self._tail_end - len(self._tail)
        names = tuple(d.name for d in self._live.rig.detectors)
        self._live.trace.put(
            TraceSnapshot(self._sequence, first, self._rate, self._tail.copy(), names)
        )

    def _publish_spectrum(self, csd: CsdEstimate) -> None:
        self._sequence += 1
        chosen = tuple(d.name for d in self._detectors)
        snapshot = SpectrumSnapshot(self._sequence, csd, chosen, self._basis)
        self._live.spectrum.put(snapshot)
        self._submit_fit(snapshot)

    def _submit_fit(self, snapshot: SpectrumSnapshot) -> None:
        fits = self._live.fits
        if fits is None or self._future is not None:
            return
        if snapshot.csd.effective_averages < _MINIMUM_AVERAGES:
            return
        self._submitted = snapshot.sequence
        settings, number = self._live.take_settings()
        self._submitted_basis = replace(self._basis, settings=number)
        warm = self._warm if settings is self._warm_settings else None
        self._warm_settings = settings
        self._future = fits.spectrum(FitTask(snapshot.csd, settings, self._masses, warm))

    def _collect_fit(self) -> bool:
        """Publish a fit that is done; return whether there was one."""
        if self._future is None or not self._future.done():
            return False
        future, self._future = self._future, None
        outdated, self._outdated = self._outdated, False
        if future.cancelled() or outdated:  # a fit of the light before says nothing of this one
            return True
        error = future.exception()
        if error is not None:
            empty = np.zeros(0)
            fitted = FittedCurve(None, empty, None, f"the live fit failed: {error}")
        else:
            fitted = future.result()
        now = time.monotonic()
        self._warm = fitted if fitted.converged else None
        if fitted.result is not None and fitted.converged:
            self._live.held.note(fitted.result.model, fitted.optimum)
        if self._warm is not None and not fitted.good and now > self._next_search:
            # Perhaps a wrong optimum; but a search takes long, and the model may just not fit.
            self._warm, self._next_search = None, now + _SEARCH_SECONDS
        self._fit_times.append(now)
        span = now - self._fit_times[0]
        rate = (len(self._fit_times) - 1) / span if span > 0.0 else 0.0
        if fitted.result is not None:
            self._live.history.append((time.time(), fitted.result))
        self._live.fit.put(
            FitSnapshot(
                sequence=self._submitted,
                result=fitted.result,
                frequencies=fitted.frequencies,
                curve=fitted.curve,
                error=fitted.error,
                fits_per_second=rate,
                basis=self._submitted_basis,
            )
        )
        return True
