"""Live trajectories: a tracker on the newest live fit. Lossy by design, off until asked for.

One thread follows the ring with a lossy cursor; where it falls behind it begins anew with the
newest samples, as it does behind a gap or where samples cannot be used.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instruments.rig import DetectorChannel
from ..models.blocks import Block, BlockStatus
from ..models.constants import HBAR
from ..models.errors import OptobindError
from ..models.inference.convention import own_scale
from ..models.inference.exact.goodness import InnovationSums
from ..models.inference.result import FitResult
from ..models.inference.tracking.dynamics import fitted_dynamics
from ..models.inference.tracking.modes import occupations_of
from ..models.inference.tracking.steady import SteadyFilter, filter_of
from ..models.inference.tracking.tracker import TrackedSamples, Tracker
from .calibration import masses_of, metres_per_volt
from .live import LiveAnalysis
from .ring import Ring
from .ring_cursor import Cursor
from .slots import Latest
from .snapshots import TrackSnapshot

__all__ = ["LiveTracker"]

_Array = NDArray[np.float64]
_BEHIND_SECONDS = 0.25  # of samples, after which the tracker begins anew with the newest
_SHOWN_SECONDS = 0.005
_PERIOD = 0.03  # s between snapshots
_MODEL_PERIOD = 1.0  # s between models: each newer fit makes one
_JUDGED_SECONDS = 1.0  # of samples that one verdict on the innovations rests on
_OFFSET_SECONDS = 0.2  # over which the offset of a detector is averaged
_CHUNK = 1 << 12  # samples that come out together: the display lags by as many
_DIFFUSE = 1e4  # variance of an unknown state, in that of the samples
_UNUSABLE = BlockStatus.SATURATED | BlockStatus.PARTICLE_LOST | BlockStatus.FEEDBACK_OFF


class LiveTracker:
    """Follows the particles of one stream after the other, while it is switched on.

    Parameters
    ----------
    live : LiveAnalysis
        Whose fits make the model, and whose detectors are followed.
    """

    def __init__(self, live: LiveAnalysis) -> None:
        self._live = live
        self.snapshot: Latest[TrackSnapshot] = Latest()
        self._lock = threading.Lock()
        self._on = False
        self._stream: tuple[Ring, float] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def enable(self, on: bool) -> None:
        """Switch the tracker; off it costs nothing."""
        with self._lock:
            self._on = on
            self._restart()

    def follow(self, ring: Ring, sample_rate: float) -> None:
        """Follow a ring, once switched on; the one followed before is left."""
        with self._lock:
            self._stream = ring, sample_rate
            self._restart()

    def leave(self) -> None:
        """Stop following. Safe to call at any time."""
        with self._lock:
            self._stream = None
            self._restart()

    def _restart(self) -> None:
        """End the thread, and begin one if there is something to do."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None
        self.snapshot.put(None)
        if not self._on or self._stream is None:
            return
        self._stop = threading.Event()
        follower = _Follower(self._live, self.snapshot, self._stop, *self._stream)
        self._thread = threading.Thread(target=follower.run, name="live-tracker", daemon=True)
        self._thread.start()


@dataclass(frozen=True)
class _Model:
    """A filter, made of a fit, for some detectors."""

    fit: FitResult
    steady: SteadyFilter
    detectors: tuple[DetectorChannel, ...]
    factor: _Array  # units of the model per volt

    @property
    def columns(self) -> list[int]:
        return [detector.channel for detector in self.detectors]


class _Follower:
    """The thread that follows one ring."""

    def __init__(
        self,
        live: LiveAnalysis,
        snapshot: Latest[TrackSnapshot],
        stop: threading.Event,
        ring: Ring,
        sample_rate: float,
    ) -> None:
        self._live, self._snapshot, self._stop = live, snapshot, stop
        self._ring, self._rate = ring, sample_rate
        self._model: _Model | None = None
        self._tracker: Tracker | None = None
        self._next_model = 0.0
        self._next_sample = self._first = self._sequence = self._judged = 0
        self._offset: _Array | None = None
        self._sums = InnovationSums(1)
        self._p_value: float | None = None
        self._volts: list[_Array] = []
        self._shown: TrackSnapshot | None = None

    def run(self) -> None:
        """Follow until told to stop."""
        try:
            behind = round(_BEHIND_SECONDS * self._rate)
            with closing(self._ring.cursor("track", lossless=False, max_behind=behind)) as cursor:
                self._follow(cursor)
        except Exception as error:  # a display that dies in silence would pass for a frozen one
            text = str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
            self._live.log_error(f"live trajectories stopped: {text}")
            self._snapshot.put(None)

    def _follow(self, cursor: Cursor) -> None:
        published = 0.0
        while not self._stop.is_set():
            block = cursor.next(timeout=0.1)
            now = time.monotonic()
            if block is None:
                continue
            if block.status & _UNUSABLE:
                self._tracker = None
                continue
            if now >= self._next_model:
                self._next_model = now + _MODEL_PERIOD
                self._take_model(block)
            if self._model is not None:
                self._take(block, self._model)
            if now - published >= _PERIOD and self._shown is not None:
                published = now
                self._snapshot.put(self._shown)

    def _take_model(self, block: Block) -> None:
        """Make a filter of the newest good fit, if it is another one."""
        newest = self._live.fit.get()
        fit = None if newest is None else newest.result
        detectors = self._live.detectors()
        known = self._model
        if fit is None or not fit.converged:
            return
        if known is not None and known.fit is fit and known.detectors == detectors:
            return
        wanted = 1 if fit.model == "single" else 2
        if len(detectors) < wanted:
            return
        used = detectors[:wanted]
        factor = _units_per_volt(fit, used, masses_of(self._live.rig.trap, used))
        if factor is None:
            return
        columns = [detector.channel for detector in used]
        volts = np.asarray(block.samples[:, columns] * block.scale[columns], np.float64)
        power = float(np.mean((volts.std(axis=0) * factor) ** 2))
        steady = filter_of(fitted_dynamics(fit, self._rate, diffuse=_DIFFUSE * power))
        self._model, self._tracker = _Model(fit, steady, used, factor), None
        self._begin_verdict()

    def _begin_verdict(self) -> None:
        """Judge other samples."""
        if self._model is not None:
            self._sums, self._judged = InnovationSums(len(self._model.factor)), 0

    def _take(self, block: Block, model: _Model) -> None:
        """Track a block; behind a jump begin anew."""
        jump = block.first_sample != self._next_sample or block.status & BlockStatus.GAP_BEFORE
        if self._tracker is None or jump:
            self._tracker = Tracker(model.steady, _CHUNK)
            self._first, self._volts = block.first_sample, []
        self._next_sample = block.end_sample
        volts = np.asarray(block.samples[:, model.columns] * block.scale[model.columns], np.float64)
        offset = self._offset = self._followed_offset(volts)
        self._volts.append(volts)
        found = self._tracker.add((volts - offset) * model.factor)
        if found is not None:
            self._judge(found, model)
            self._show(found, model)

    def _followed_offset(self, volts: _Array) -> _Array:
        """Offset of each detector, averaged over a while."""
        mean = volts.mean(axis=0)
        if self._offset is None or len(self._offset) != len(mean):
            return np.asarray(mean)
        share = min(1.0, len(volts) / (_OFFSET_SECONDS * self._rate))
        return np.asarray(self._offset + share * (mean - self._offset))

    def _judge(self, found: TrackedSamples, model: _Model) -> None:
        """Add innovations; once in a while there is a verdict on the covariances."""
        self._sums.add(found.innovations)
        self._judged += len(found)
        if self._judged >= _JUDGED_SECONDS * self._rate:
            white = self._sums.judged(model.steady.gains, model.steady.dynamics.covariance)
            self._p_value = white.p_value
            self._begin_verdict()

    def _show(self, found: TrackedSamples, model: _Model) -> None:
        """Lay out the newest of what was tracked beside its samples."""
        volts, count = np.concatenate(self._volts), len(found)
        self._volts = [volts[count:]]
        rows = slice(max(0, count - round(_SHOWN_SECONDS * self._rate)), count)
        steady, output = model.steady, model.steady.dynamics.model.output
        assert self._offset is not None
        spread = steady.retrodicted(1 << 62).steady
        self._sequence += 1
        seen = np.einsum("mn,cn->mc", found.retrodicted[rows], output)
        variance = np.einsum("cn,nm,cm->c", output, spread, output)
        self._shown = TrackSnapshot(
            sequence=self._sequence,
            first_sample=self._first + found.first + rows.start,
            sample_rate=self._rate,
            channels=tuple(detector.name for detector in model.detectors),
            volts=volts[rows].astype(np.float32),
            tracked=(seen / model.factor + self._offset).astype(np.float32),
            errors=np.sqrt(variance) / np.abs(model.factor),
            unit=steady.dynamics.model.unit,
            states=found.retrodicted[rows],
            occupations=occupations_of(steady.after[-1], steady.dynamics.model.unit).occupations,
            p_value=self._p_value,
        )


def _units_per_volt(
    fit: FitResult, detectors: tuple[DetectorChannel, ...], masses: tuple[float, ...] | None
) -> _Array | None:
    """Units of a fit per volt of each detector; None where they are not known."""
    unit = str(fit.input.get("unit", "quanta"))
    if unit == "V":
        return np.ones(len(detectors))
    metres = metres_per_volt(detectors)
    if unit == "m":
        return metres
    if masses is None:
        return None
    return np.asarray(metres * np.sqrt(np.array(masses) * own_scale(fit) / HBAR))
