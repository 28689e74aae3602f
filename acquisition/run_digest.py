"""What the events of a run say about its samples, told in one pass whatever their number."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.light import Site, TweezerState
from .events import Event, EventKind
from .ranges import NO_END, Range, Ranges
from .release_table import ReleaseCollector, ReleaseTable
from .releases import Evidence

__all__ = ["LightSpan", "Progress", "RunDigest", "StepSpan", "digest_of"]

Progress = Callable[[float], object]
"""Called with the share of a long piece of work that is done, 0 … 1."""


@dataclass
class StepSpan:
    """A step that was begun: its kind, and its samples (start, stop); no stop before its end."""

    kind: str | None
    start: int
    stop: int | None = None


@dataclass(frozen=True)
class LightSpan:
    """A set-point of the light: since which sample it moves, and from which on it holds."""

    begin: int
    start: int
    state: TweezerState


@dataclass(frozen=True)
class RunDigest:
    """What there is to be known of the events of a run.

    Attributes
    ----------
    counts : mapping of str to int
        Number of events of each kind, in the order of their first ones.
    begin, end : int or None
        Samples at which the run began and ended.
    steps : mapping of int to StepSpan
        Steps that were begun, by index.
    monitors : Ranges or None
        Monitor steps, gaps and all; None where the events tell no steps.
    free : Ranges
        Samples that may have been taken with feedback off; none if the rig has no gate.
    saturated : Ranges
        Blocks that saturate, in order.
    particle_lost : int or None
        Sample from which a particle is known to be lost.
    releases : ReleaseTable
        Not judged yet.
    """

    counts: dict[str, int]
    begin: int | None
    end: int | None
    steps: dict[int, StepSpan]
    monitors: Ranges | None
    free: Ranges
    saturated: Ranges
    particle_lost: int | None
    releases: ReleaseTable
    lights: tuple[LightSpan, ...] = ()

    def judge(
        self,
        covered: Callable[[int, int], bool],
        end_sample: int,
        at_rail: Callable[[Range, int, int], bool],
    ) -> None:
        """Judge the releases by the samples; arguments as of :class:`~.releases.Evidence`."""
        evidence = Evidence(covered, end_sample, at_rail, self.saturated, self.particle_lost)
        self.releases.judge(evidence)

    def steps_cut_to(self, recorded: Ranges) -> Ranges:
        """Return what the stretches recorded hold of monitor steps; everything without steps."""
        return recorded if self.monitors is None else self.monitors.cut_to(recorded)

    def steady(self, recorded: Ranges) -> Ranges:
        """Return what of the stretches recorded may be read as a steady record.

        The monitor steps, without what was taken with feedback off, saturated blocks and what
        follows a lost particle.
        """
        kept = self.steps_cut_to(recorded).without(self.free)
        if self.particle_lost is not None:
            kept = kept.without(Ranges([(self.particle_lost, NO_END)]))
        return kept.without(self.saturated.merged()) if len(self.saturated) else kept


def digest_of(events: Iterable[Event]) -> RunDigest:
    """Read events in the order of their samples, once."""
    collector, seen = ReleaseCollector(), _Seen()
    for event in events:
        seen.take(event)
        collector.take(event)
    return seen.digest(collector.found)


class _Seen:
    """What was seen so far."""

    def __init__(self) -> None:
        self._counts: Counter[EventKind] = Counter()
        self._begin: int | None = None
        self._end: int | None = None
        self._lost: int | None = None
        self._steps: dict[int, StepSpan] = {}
        self._monitors: list[Range] = []
        self._monitor: int | None = None  # begin of the monitor step under way
        self._saturated = array("q")
        self._free = array("q")
        self._opened: int | None = 0  # nobody knows how the gate was left before
        self._has_gate = False
        self._lights: list[LightSpan] = []

    def take(self, event: Event) -> None:
        """Take an event in."""
        kind, sample = event.kind, event.sample
        self._counts[kind] += 1
        if kind is EventKind.SATURATED:
            self._saturated.extend((sample, sample + int(event.payload.get("samples", 1))))
        elif kind is EventKind.GATE:
            self._gate(event)
        elif kind is EventKind.LIGHT:
            self._lights.append(_light(event))
        elif kind is EventKind.STEP_START or kind is EventKind.STEP_END:
            self._step(event)
        elif kind is EventKind.RUN_START and self._begin is None:
            self._begin = sample
        elif kind is EventKind.RUN_END:
            self._end_monitor(sample)
            self._end = sample if self._end is None else self._end
        elif kind is EventKind.PARTICLE_LOST and self._lost is None:
            self._lost = sample

    def _gate(self, event: Event) -> None:
        """The gate was switched; what was taken meanwhile may be free as well.

        A card is ahead of its reader, so that a step may begin before the gate has closed.
        """
        self._has_gate = True
        spread = int(event.payload.get("spread", 0))
        if not event.payload.get("closed"):
            self._opened = event.sample - spread if self._opened is None else self._opened
        elif self._opened is not None:
            self._free.extend((self._opened, event.sample + spread))
            self._opened = None

    def _step(self, event: Event) -> None:
        """A step begins or ends."""
        index = int(event.payload.get("index", 0))
        if event.kind is EventKind.STEP_START:
            kind = event.payload.get("kind")
            self._steps[index] = StepSpan(kind, event.sample)
            self._monitor = event.sample if kind == "monitor" else None
            return
        self._end_monitor(event.sample)
        if index in self._steps:
            step = self._steps[index]
            step.stop = max(step.start, event.sample)

    def _end_monitor(self, sample: int) -> None:
        if self._monitor is not None:
            self._monitors.append((self._monitor, sample))
            self._monitor = None

    def digest(self, releases: ReleaseTable) -> RunDigest:
        """Return all that was seen."""
        self._end_monitor(NO_END)
        if self._has_gate and self._opened is not None:
            self._free.extend((self._opened, NO_END))
        free = np.array(self._free, np.int64).reshape(-1, 2)
        blocks = np.array(self._saturated, np.int64).reshape(-1, 2)
        blocks = blocks[np.argsort(blocks[:, 0], kind="stable")]
        return RunDigest(
            {kind.value: number for kind, number in self._counts.items()},
            self._begin,
            self._end,
            self._steps,
            Ranges(self._monitors) if self._steps else None,
            Ranges(free).merged(),
            Ranges(blocks),
            self._lost,
            releases,
            tuple(self._lights),
        )


def _light(event: Event) -> LightSpan:
    """Read a set-point of the light; no sites where the event does not tell them."""
    begin = int(event.payload.get("begin", event.sample))
    try:
        sites = tuple(
            Site(
                (
                    float(site["position"][0]),
                    float(site["position"][1]),
                    float(site["position"][2]),
                ),
                float(site["power"]),
                float(site.get("phase", 0.0)),
                float(site.get("detuning", 0.0)),
            )
            for site in event.payload.get("sites", ())
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        sites = ()
    return LightSpan(begin, event.sample, TweezerState(sites))


def _site(site: Mapping[str, Any]) -> Site:
    x, y, z = (float(place) for place in site["position"])
    phase, detuning = (float(site.get(name, 0.0)) for name in ("phase", "detuning"))
    return Site((x, y, z), float(site["power"]), phase, detuning)
