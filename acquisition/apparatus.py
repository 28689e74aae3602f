"""What a run is given: the means to measure, and those who listen.

A run uses the apparatus and returns what happened; it writes nothing into whoever carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import AppliedLight
from ..instruments.rig import Rig
from .events import Event
from .feedback import FeedbackGate
from .plans import ReheatingPlan
from .releases import Release
from .slots import LogBook
from .slow_channels import SlowChannels
from .stream import Stream

__all__ = ["Apparatus", "Listeners"]


@dataclass(frozen=True)
class Listeners:
    """Who is told what happens; called in the thread in which it happens.

    Attributes
    ----------
    on_stream : callable
        Called with a new Stream, and with None before a stream ends.
    on_event : callable
        Called with each Event.
    on_change : callable
        Called with the sample at which a set-point (light, gate, particles) changed or may have
        changed; a ramp of the light has two, its beginning and its end.
    on_repetition : callable
        Called with (volts, plan, release) for each released stretch, judged.
    on_releases : callable
        Called with (plan, releases) when verdicts have changed: all of the plan's step.
    """

    on_stream: Callable[[Stream | None], None]
    on_event: Callable[[Event], None]
    on_change: Callable[[int], None]
    on_repetition: Callable[[NDArray[np.float64], ReheatingPlan, Release], None]
    on_releases: Callable[[ReheatingPlan, Sequence[Release]], None]


class Apparatus(Protocol):
    """What a run may use; in the thread that carries it out."""

    @property
    def rig(self) -> Rig:
        """The devices with what is known about them."""
        ...

    @property
    def log(self) -> LogBook:
        """Receives what happened, in words."""
        ...

    @property
    def listeners(self) -> Listeners:
        """Hear of events and releases."""
        ...

    @property
    def gate(self) -> FeedbackGate:
        """Switches feedback."""
        ...

    @property
    def slow(self) -> SlowChannels:
        """The mailbox of the slow devices, and what holds them off."""
        ...

    def begin_stream(self, unwanted: Callable[[], bool]) -> Stream:
        """Start the digitizer as soon as it is free; ``unwanted`` ends a wait for it."""
        ...

    def end_stream(self) -> None:
        """Stop the digitizer. Safe to call at any time."""
        ...

    def serve(self) -> None:
        """Carry out the commands that wait; does not wait for any."""
        ...

    def read_light(self) -> AppliedLight | None:
        """Read the light back; None without light control. Raises DeviceError."""
        ...

    def growth_at_start(self) -> float | None:
        """Growth rate with which a run would begin, 1/s; None when unknown."""
        ...
