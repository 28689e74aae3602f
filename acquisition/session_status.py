"""The status bar of a session, made from the runner's picture."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Literal

from ..models.blocks import BlockStatus
from .run_control import RunStatus
from .runner_state import RunnerState
from .snapshots import Basis, RunState, SessionStatus
from .stream import Stream

__all__ = ["DiskLeft", "status_of"]

_DISK_SECONDS = 2.0


class DiskLeft:
    """How long the disk of a folder lasts; looked at every 2 s at most.

    Parameters
    ----------
    folder : Path
        Need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[float, float | None] = (0.0, None)

    def seconds(self, stream: Stream) -> float | None:
        """Time until it is full at the rate of a stream, s; None when it cannot be looked at."""
        now = time.monotonic()
        if now - self._seen[0] > _DISK_SECONDS:
            folder = self._folder
            while not folder.exists() and folder != folder.parent:
                folder = folder.parent
            try:
                free = float(shutil.disk_usage(folder).free)
                self._seen = (now, free / stream.bytes_per_second)
            except OSError:
                self._seen = (now, None)
        return self._seen[1]


def status_of(
    mode: Literal["LIVE", "SIM", "REPLAY", "RECORD"],
    known: RunnerState,
    skipped: int,
    open_loop_growth: float | None,
    disk: DiskLeft,
    basis: Basis,
) -> SessionStatus:
    """Newest state of everything in the status bar.

    Parameters
    ----------
    mode : {"LIVE", "SIM", "REPLAY", "RECORD"}
        Of the rig.
    known : RunnerState
        The runner's picture.
    skipped : int
        Blocks that live displays skipped.
    open_loop_growth : float or None
        Growth rate without feedback at the light read back, 1/s.
    disk : DiskLeft
        Of the folder of the runs.
    basis : Basis
        Of what is measured now.
    """
    stream = known.stream
    state: RunState = "failed" if known.last_failed else "idle"
    if known.run is None:
        run = RunStatus()
    else:
        run = known.run.status()
        state = run.progress.state
    marks = stream.status if stream is not None else BlockStatus.OK
    return SessionStatus(
        mode=mode,
        state=state,
        streaming=stream is not None,
        recording=None if run.path is None else str(run.path),
        samples=0 if stream is None else stream.position,
        recorded=run.recorded,
        lag=0.0 if stream is None else max(0.0, time.monotonic() - stream.newest_time),
        dropped=skipped,
        gaps=run.gaps,
        lost_samples=run.lost_samples,
        stream_gaps=0 if stream is None else stream.gaps,
        stream_lost=0 if stream is None else stream.lost,
        releases=run.releases,
        progress=run.progress.fraction,
        message=_message(run, stream),
        held_by=known.held_by,
        lost=bool(marks & BlockStatus.PARTICLE_LOST),
        saturated=bool(marks & BlockStatus.SATURATED),
        monitors=() if stream is None or stream.monitors is None else stream.monitors.out,
        growth_rate=known.growth_rate,
        open_loop_growth=open_loop_growth,
        feedback=known.gate.closed,
        loops=known.loops,
        disk_seconds=None if stream is None else disk.seconds(stream),
        pressure=known.pressure,
        devices=known.devices,
        basis=basis,
    )


def _message(run: RunStatus, stream: Stream | None) -> str:
    """What is being done, or waited for."""
    if stream is not None and stream.waiting:
        return f"waiting for {stream.waiting}"
    return run.progress.message
