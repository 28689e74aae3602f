"""Cells of the status bar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from .run import duration_text
from .units import format_si

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus

__all__ = ["Cell", "StatusCells", "status_cells"]


@dataclass(frozen=True)
class Cell:
    """Text of a cell, its severity ("", "good", "warning", "error") and a tip."""

    text: str
    severity: str = ""
    tip: str = ""


@dataclass(frozen=True)
class StatusCells:
    """All cells, in their order."""

    mode: Cell
    state: Cell
    lag: Cell
    dropped: Cell
    stream: Cell
    gaps: Cell
    recording: Cell
    disk: Cell


def status_cells(status: SessionStatus) -> StatusCells:
    """Turn a status into the cells of the bar."""
    tips = {
        "LIVE": "samples come from the laboratory",
        "SIM": "samples come from the simulated laboratory",
        "REPLAY": "samples come from a recording",
    }
    if status.mode == "RECORD":
        return _of_record(status)
    mode = Cell(status.mode, status.mode.lower(), tips[status.mode])
    if not _has_source(status):
        text = "OFFLINE" if status.mode == "LIVE" else status.mode
        mode = Cell(text, "off", "no digitizer is connected: nothing on screen is of now")
    word = status.state
    if word == "idle":
        word_text = "streaming" if status.streaming else "idle"
    else:
        word_text = word
    severity = "error" if word == "failed" else ""
    if status.lost:
        word_text, severity = f"{word_text} · particle lost", "error"
    elif status.monitors:
        word_text = f"{word_text} · {status.monitors[0].split(' is out')[0]} out of limits"
        severity = severity or "warning"
    late = status.streaming and status.lag > 0.5
    return StatusCells(
        mode,
        Cell(word_text, severity, "; ".join(filter(None, (status.message, *status.monitors)))),
        Cell(
            f"lag {format_si(max(status.lag, 0.0), 's', 2)}" if status.streaming else "lag –",
            "warning" if late else "",
            "age of the newest block",
        ),
        Cell(f"skipped {status.dropped}", "", "blocks that the display skipped; none was lost"),
        _stream(status),
        _gaps(status),
        _recording(status),
        _disk(status.disk_seconds),
    )


def _of_record(status: SessionStatus) -> StatusCells:
    """Cells of a file that is looked at: nothing is measured, nothing can be set."""
    none = Cell("")
    return StatusCells(
        Cell("OFFLINE · RECORD", "replay", "a recorded file: nothing on screen is of now"),
        Cell(status.message or "ready", "", "what is computed of the stretch that is chosen"),
        none,
        none,
        none,
        _gaps(status, of_record=True),
        Cell("read only", "", "no device is connected: knobs show what was recorded"),
        none,
    )


def _has_source(status: SessionStatus) -> bool:
    """Whether a digitizer can deliver samples."""
    return any(
        d.family == "digitizer" and d.state.value in ("ready", "running") for d in status.devices
    )


def _stream(status: SessionStatus) -> Cell:
    """Gaps of what the digitizer delivers; they are no loss where nothing is recorded."""
    if not status.stream_gaps:
        return Cell("")
    rest = "" if status.recording else "; nothing is recorded, so nothing is missing in a file"
    return Cell(
        f"stream: {status.stream_gaps} gap{'s' if status.stream_gaps > 1 else ''}",
        "warning" if status.recording else "",
        f"{status.stream_lost} samples did not come since the digitizer was started{rest}",
    )


def _gaps(status: SessionStatus, *, of_record: bool = False) -> Cell:
    """Gaps in the run file, and what they leave of the releases."""
    if status.recording is None and status.gaps == 0 and not of_record:
        return Cell("")
    count = status.releases
    usable = "" if count is None or not count.left_out else count.words(so_far=True)
    if status.gaps == 0:
        return Cell("file: no gaps", "", usable or "samples that are missing in the run file")
    tip = "the run file marks where they are"
    return Cell(
        f"file: {status.gaps} GAP{'S' if status.gaps > 1 else ''} · "
        f"{status.lost_samples} samples lost",
        "error",
        f"{tip}; {usable}" if usable else tip,
    )


def _recording(status: SessionStatus) -> Cell:
    if status.recording is None:
        return Cell("not recording")
    path = PurePath(status.recording)
    where = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    return Cell(f"● REC {where} · {format_si(status.recorded, 'S', 3)}", "rec", status.recording)


def _disk(seconds: float | None) -> Cell:
    if seconds is None:
        return Cell("")
    severity = "error" if seconds < 60.0 else "warning" if seconds < 600.0 else ""
    return Cell(f"disk {duration_text(seconds)}", severity, "until the disk is full at this rate")
