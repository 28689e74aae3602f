"""What a record tells beside its samples: when what happened, in which light, at which pressure."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...acquisition.events import Event, EventKind
from ...acquisition.records.record import Ranges, Record
from ...acquisition.replay import ReplayDigitizer
from ...acquisition.run_digest import LightSpan
from ...acquisition.runfile import RunFile
from ...acquisition.runfile_format import SlowRecord
from ...acquisition.snapshots import LogEntry
from ...instruments.rig import DetectorChannel, Rig
from ...models.array import TrapArray
from ...models.light import TweezerState
from ...models.reprs import short_repr

__all__ = ["Mark", "RecordStory", "SlowSeries", "rig_of", "story_of"]

MOST_MARKS = 2000
"""Marks that are kept; of more the first ones."""

MarkKind = Literal["step", "light", "fault", "lost", "gap", "note"]
_KINDS: dict[EventKind, MarkKind] = {
    EventKind.STEP_START: "step",
    EventKind.LIGHT: "light",
    EventKind.FAULT: "fault",
    EventKind.PARTICLE_LOST: "lost",
    EventKind.GAP: "gap",
    EventKind.RESTART: "note",
    EventKind.EXCLUDED: "note",
    EventKind.NOTE: "note",
}
_LEVELS: dict[MarkKind, Literal["info", "warning", "error"]] = {
    "fault": "error",
    "lost": "error",
    "gap": "warning",
}


@dataclass(frozen=True)
class Mark:
    """Something that happened: at which sample, what kind of thing, in words; s since the epoch."""

    sample: int
    kind: MarkKind
    text: str
    time: float = 0.0


def _no_numbers() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class SlowSeries:
    """Readings of a slow channel: name, unit, sample of each, value (NaN where there was none)."""

    name: str
    unit: str
    samples: NDArray[np.int64]
    values: NDArray[np.float64]

    __repr__ = short_repr


@dataclass(frozen=True)
class RecordStory:
    """What is shown of a record beside its samples.

    Attributes
    ----------
    name : str
        Of the rig; of the file where there is no rig.
    source : str
        "LIVE", "SIM" or "REPLAY" for a run, the format of a foreign file.
    detectors : tuple of DetectorChannel
        What the columns see.
    rig : mapping or None
        The rig's document, None for a foreign file.
    config : mapping
        The whole configuration of a run.
    marks : tuple of Mark
        In the order of their samples.
    lights : tuple of LightSpan
        Set-points of the light, in order.
    releases : Ranges
        Usable stretches with feedback off.
    numbers : ndarray of int
        Of the releases, from 1, as they were counted in the run; counted anew where it had several
        steps of them.
    readings : tuple of (int, float)
        Sample and pressure, Pa, of each reading of the gauge.
    slow : tuple of SlowSeries
        All slow channels, by name.
    log : tuple of LogEntry
        The marks, and how the run ended, as lines of a log.
    results : mapping
        What was stored in the file, by name.
    created : float
        s since the epoch; 0 where it is not told.
    gated : bool
        Whether feedback was switched by a gate.
    """

    name: str
    source: str
    detectors: tuple[DetectorChannel, ...]
    rig: Mapping[str, Any] | None = field(default=None, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: tuple[Mark, ...] = ()
    lights: tuple[LightSpan, ...] = ()
    releases: Ranges = field(default_factory=Ranges, repr=False)
    numbers: NDArray[np.int64] = field(default_factory=_no_numbers, repr=False)
    readings: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    slow: tuple[SlowSeries, ...] = field(default=(), repr=False)
    log: tuple[LogEntry, ...] = field(default=(), repr=False)
    results: Mapping[str, Any] = field(default_factory=dict, repr=False)
    created: float = 0.0
    gated: bool = False

    def light_at(self, sample: int) -> TweezerState | None:
        """Light that held at a sample; None where it is not known."""
        held = None
        for span in self.lights:
            if span.start > sample:
                break
            held = span.state
        return held

    def light_changes(self, start: int, stop: int) -> int:
        """Set-points that were changed within a stretch."""
        return sum(start < span.start < stop for span in self.lights)

    def pressure_at(self, start: int, stop: int) -> float | None:
        """Mean pressure of a stretch, Pa; the last reading before it where there is none in it."""
        good = [(n, value) for n, value in self.readings if math.isfinite(value)]
        inside = [value for n, value in good if start <= n < stop]
        before = [value for n, value in good if n < start][-1:]
        chosen = inside or before
        return float(np.mean(chosen)) if chosen else None


def story_of(record: Record) -> RecordStory:
    """Read what a record tells beside its samples, in bounded memory.

    Raises
    ------
    FileError
        If a run file is damaged.
    """
    if record.kind != "run":
        return _foreign(record)
    with RunFile.open(record.path) as run:
        digest, manifest = run.digest(), run.manifest
        marks: list[Mark] = []
        for event in run.each_event():
            if event.kind in _KINDS and len(marks) < MOST_MARKS:
                marks.append(_mark(event, run.sample_rate))
        usable = [r for r in digest.releases if r.excluded is None]
        slow = run.slow()
        results, channels = run.results(), run.channels
    config = manifest["config"]
    document = config.get("rig")
    return RecordStory(
        name=str(config.get("name") or record.path.name),
        source=str(manifest["mode"]),
        detectors=_detectors(manifest["detectors"], channels),
        rig=document if isinstance(document, Mapping) else None,
        config=config,
        marks=tuple(marks),
        lights=digest.lights,
        releases=Ranges([(r.first_sample, r.end_sample) for r in usable]),
        numbers=_numbers([r.repetition for r in usable]),
        readings=tuple((r.sample, r.value) for r in slow if r.name == "pressure"),
        slow=_series(slow),
        log=_log(marks, manifest),
        results=results,
        created=float(manifest["created"] or 0.0),
        gated=bool(digest.counts.get("gate")),
    )


def rig_of(record: Record, story: RecordStory, trap: TrapArray | None) -> Rig:
    """The rig of a record; its digitizer is never connected: samples are read where they lie."""
    digitizer, config = ReplayDigitizer(record.path), dict(story.config)
    return Rig(story.name, "RECORD", digitizer, story.detectors, trap=trap, config=config)


def _series(readings: Sequence[SlowRecord]) -> tuple[SlowSeries, ...]:
    """Readings by channel."""
    named: dict[tuple[str, str], list[SlowRecord]] = {}
    for reading in readings:
        named.setdefault((reading.name, reading.unit), []).append(reading)
    return tuple(
        SlowSeries(
            name,
            unit,
            np.array([one.sample for one in found], np.int64),
            np.array([one.value for one in found], float),
        )
        for (name, unit), found in sorted(named.items())
    )


def _numbers(repetitions: list[int]) -> NDArray[np.int64]:
    """Numbers of releases on screen, from 1: those of the run where they tell releases apart."""
    count = len(repetitions)
    if len(set(repetitions)) < count:
        repetitions = list(range(count))
    return np.array(repetitions, np.int64) + 1


def _foreign(record: Record) -> RecordStory:
    """What there is to be said of a file of another program: its columns, and import warnings."""
    particle = {column: number for number, column in enumerate(record.usual)}
    detectors = tuple(
        DetectorChannel(column, name, particle.get(column))
        for column, name in enumerate(record.names)
    )
    log = tuple(LogEntry(time.time(), "warning", text) for text in record.warnings)
    return RecordStory(record.path.name, record.kind, detectors, log=log)


def _detectors(entries: Any, names: tuple[str, ...]) -> tuple[DetectorChannel, ...]:
    """The rig's detectors; by name alone where the file does not tell them all."""
    by_channel = {int(entry["channel"]): entry for entry in entries}
    found = []
    for column, name in enumerate(names):
        entry = by_channel.get(column, {})
        found.append(
            DetectorChannel(
                column,
                name,
                entry.get("particle"),
                entry.get("role", "out_of_loop"),
                float(entry.get("volts_per_metre", 1.0)),
                -1 if entry.get("polarity") == -1 else 1,
            )
        )
    return tuple(found)


def _mark(event: Event, rate: float) -> Mark:
    kind, payload = _KINDS[event.kind], event.payload
    if event.kind is EventKind.LIGHT:
        text = f"light {light_words(payload.get('sites', ()))}"
    elif event.kind is EventKind.STEP_START:
        text = f"step {int(payload.get('index', 0)) + 1}: {payload.get('kind', 'unknown')}"
    elif event.kind is EventKind.FAULT:
        over = ", over again" if payload.get("returned") else ""
        text = f"{payload.get('device', 'device')}: {payload.get('message', 'fault')}{over}"
    elif event.kind is EventKind.GAP:
        lost = int(payload.get("lost", 0))
        text = f"gap: {lost} samples ({1e3 * lost / rate:.3g} ms) lost"
    elif event.kind is EventKind.RESTART:
        text = f"digitizer started anew: {payload.get('reason', '')}".rstrip(": ")
    elif event.kind is EventKind.EXCLUDED:
        number = int(payload.get("repetition", 0)) + 1
        undone = "counts again" if payload.get("undone") else "left out"
        text = f"repetition {number} {undone}: {payload.get('reason', '')}".rstrip(": ")
    elif event.kind is EventKind.PARTICLE_LOST:
        text = "a particle is lost"
    else:
        text = str(payload.get("text", ""))
    return Mark(event.sample, kind, text, event.host_time)


def light_words(sites: Any) -> str:
    """Phase, distance and powers of a pair in words."""
    try:
        first, second = sites[0], sites[1]
        phase = math.remainder(float(first["phase"]) - float(second["phase"]), math.tau)
        distance = math.dist(first["position"], second["position"])
        powers = " and ".join(f"{1e3 * float(s['power']):.4g}" for s in (first, second))
    except (IndexError, KeyError, TypeError, ValueError):
        return f"of {len(sites)} tweezers" if isinstance(sites, list | tuple) else ""
    return f"φ {phase:+.3f} rad, distance {1e6 * distance:.3f} µm, {powers} mW"


def _log(marks: list[Mark], manifest: Mapping[str, Any]) -> tuple[LogEntry, ...]:
    lines = [LogEntry(m.time, _LEVELS.get(m.kind, "info"), m.text) for m in marks]
    outcome, reason = manifest.get("outcome"), manifest.get("reason")
    ended = float(manifest.get("ended") or (marks[-1].time if marks else 0.0))
    if manifest["state"] != "complete":
        text = "the file was not closed: the run was interrupted, or is still being recorded"
        lines.append(LogEntry(ended, "warning", text))
    elif outcome:
        level: Literal["info", "warning"] = "info" if outcome == "complete" else "warning"
        lines.append(LogEntry(ended, level, f"the run ended {outcome}: {reason or 'as planned'}"))
    return tuple(lines)
