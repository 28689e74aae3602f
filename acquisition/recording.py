"""The record of one run: manifest, recorder thread and events, as the run needs them."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..instruments.protocols import DigitizerInfo
from ..instruments.rig import DetectorChannel, Rig
from ..models.blocks import BlockStatus
from ..models.errors import FileError
from .events import Event, EventKind
from .file_keeper import FileKeeper
from .outcome import Outcome
from .plans import Plan, plan_to_dict
from .recorder import Recorder
from .recorder_thread import RecorderThread
from .runfile_format import Manifest, SlowRecord
from .stream import Stream

__all__ = ["Recording"]

_LONGEST_STALL = 20.0  # s without a sample on the disk: longer than any disk that goes on again


def _described(detector: DetectorChannel, info: DigitizerInfo) -> dict[str, Any]:
    """Entry of the manifest: its delay is that of the detector and of its channel together."""
    of_channel = info.delays[detector.channel] if info.delays else 0.0
    return {**asdict(detector), "delay": detector.delay + of_channel}


class Recording:
    """Records a stream losslessly from its first sample.

    Parameters
    ----------
    path : Path
        The run file; its folder is made.
    rig : Rig
        For the manifest.
    plan : Plan
        For the manifest.
    stream : Stream
        Just started; nothing has been read from it.
    seed : int or None
        With which the simulated world began; None for that of the rig.

    Attributes
    ----------
    path : Path
        Where the samples are; after :meth:`close`, if need be, another place than asked for.
    confirmed : bool
        Whether the disk has confirmed, after :meth:`close`, that it holds everything.

    Raises
    ------
    FileError
        If the folder or the file cannot be made.
    """

    def __init__(
        self, path: Path, rig: Rig, plan: Plan, stream: Stream, seed: int | None = None
    ) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot make the folder {path.parent}: {error.strerror}") from error
        info = stream.info
        manifest = Manifest(
            sample_rate=info.sample_rate,
            channels=info.channels,
            scale=info.scale,
            dtype=info.dtype,
            unit=info.unit,
            mode=info.mode,
            config=rig.config,
            plan=plan_to_dict(plan),
            detectors=tuple(_described(d, info) for d in rig.detectors),
            calibration={d.name: d.polarity / d.volts_per_metre for d in rig.detectors},
            seed=rig.seed if seed is None else seed,
        )
        self._stream = stream
        self._recorder = Recorder(path, manifest, chunk_rows=stream.block_rows)
        self.path, self.confirmed = path, False
        self._keeper = FileKeeper(path)
        self._told = False
        self._thread = RecorderThread(self._recorder, stream.ring.cursor("recorder"))
        self._thread.start()
        self._marked = BlockStatus.OK
        self._moved = (0, time.monotonic())

    @property
    def samples(self) -> int:
        """Samples in the file, acknowledged."""
        return self._recorder.samples

    @property
    def gaps(self) -> int:
        """Number of gaps."""
        return self._recorder.gaps

    @property
    def lost_samples(self) -> int:
        """Samples lost in the gaps."""
        return self._recorder.lost

    @property
    def position(self) -> int:
        """Sample up to which the recorder has come: everything before is in the file or lost."""
        return self.samples + max(self.lost_samples, self.missed)

    @property
    def may_miss(self) -> bool:
        """Whether samples can be overwritten before they are recorded; no virtual clock lets it."""
        return self._stream.info.real_time

    @property
    def missed(self) -> int:
        """Samples that were overwritten before this recorder took them; part of the gaps."""
        return self._thread.missed

    def stuck(self) -> bool:
        """Whether samples wait and none has reached the disk for long: it may never answer."""
        now, done = time.monotonic(), self._recorder.samples
        before, since = self._moved
        if done != before or (self._recorder.next_sample or 0) >= self._stream.position:
            self._moved = (done, now)
            return False
        return now - since > _LONGEST_STALL

    @property
    def gone(self) -> bool:
        """Whether somebody else took the file away; it is recorded on, and saved by `close`."""
        return self._keeper.gone

    def raise_error(self) -> None:
        """Raise what ended the recorder, if anything did, that it is stuck, or the file gone."""
        trouble = self._keeper.trouble
        if trouble is not None:
            if not self._told:
                self._told = True
                payload = {"device": "run file", "message": trouble, "returned": False}
                at = self._stream.position or 0
                self._thread.post(Event(at, EventKind.FAULT, payload, time.time()))
            raise FileError(trouble)
        if self._thread.error is not None:
            raise self._thread.error
        if self.stuck():
            raise FileError(
                f"{self._recorder.path}: the disk has taken no sample for {_LONGEST_STALL:g} s; "
                f"{self._recorder.samples} samples are preserved; is its drive still there?"
            )

    def event(self, event: Event) -> None:
        """Write an event."""
        if self._thread.is_alive():
            self._thread.post(event)
        else:
            self._recorder.event(event)

    def slow(
        self,
        sample: int,
        name: str,
        value: float | None,
        unit: str,
        status: str,
        host_time: float,
    ) -> None:
        """Write a slow reading, with the time (s since the epoch) at which it was read."""
        number = float("nan") if value is None else value
        self._thread.post(SlowRecord(sample, name, number, unit, status, host_time))

    def new_conditions(self, status: BlockStatus) -> list[EventKind]:
        """Return the events for a particle that was lost since the last block."""
        kinds = []
        if status & ~self._marked & BlockStatus.PARTICLE_LOST:
            kinds.append(EventKind.PARTICLE_LOST)
        self._marked = status
        return kinds

    def drain(self) -> None:
        """Wait until every sample acquired so far is in the file.

        Raises
        ------
        FileError
            If the disk does not keep up or is full.
        """
        self._thread.finish(self._stream.position if self._stream.position else None)

    def close(self, outcome: Outcome, reason: str) -> None:
        """Close the file in good order.

        Raises
        ------
        FileError
            If its recorder hangs, which has the file; it stays readable, marked as interrupted. If
            somebody else removed the file and it cannot be saved.
        """
        if self._thread.is_alive():
            raise FileError(f"{self._recorder.path} cannot be closed: the disk does not answer")
        try:
            self._recorder.close(outcome, reason)
        finally:
            self.confirmed = self._keeper.finish()
            try:
                self._save()
            finally:
                self._keeper.release()

    def _save(self) -> None:
        """Keep a file that somebody else took away, and say where it is."""
        if not self._keeper.gone:
            return
        place = self._keeper.save()
        if place is not None:
            self.path = place
