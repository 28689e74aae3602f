"""Patterns: levels and waveforms that a card plays by itself on the digitizer's sample clock.

A call switches a line within milliseconds, a card within one sample. So what must happen at an
exact sample, such as a release of the particles from feedback or a step of the light, is a
:class:`Pattern`: every edge lies at a sample of the record, and no program is in the loop while it
is played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..models.errors import InputError
from .protocols import Device

__all__ = [
    "FEEDBACK",
    "PHASE",
    "POWER",
    "LevelTrack",
    "Pattern",
    "PatternCapabilities",
    "PatternPlayer",
    "Waveform",
    "power_of",
]

FEEDBACK = "feedback"
"""Name of the line of the feedback gate; its level is True while feedback acts, also when idle."""

PHASE = "phase"
"""Name of the signal that is added to the optical phase φ as it is set, rad."""

POWER = "power"
"""Name of the signal that scales the power of all tweezers: a share of what is set."""


def power_of(tweezer: int) -> str:
    """Name of the signal that scales the power of one tweezer, counted from 1."""
    return f"{POWER} {tweezer}"


@dataclass(frozen=True)
class LevelTrack:
    """Levels of one digital line within a period.

    Attributes
    ----------
    idle : bool
        Level before the first edge, between two patterns and after the last: the safe one.
    edges : tuple of (int, bool)
        Sample of the period from which a level holds, in rising order; the last level is ``idle``,
        so that a period ends as it began.
    """

    idle: bool
    edges: tuple[tuple[int, bool], ...] = ()


@dataclass(frozen=True)
class Waveform:
    """Values of one analogue signal within a period.

    Attributes
    ----------
    idle : float
        Value between two patterns and after the last.
    values : ndarray (period,)
        One a sample, in ``unit``.
    unit : {"V", "rad", "W", "share"}
        What the values are; the player's wiring makes volts of them. A share is one of what is
        set: 1 changes nothing.
    """

    idle: float
    values: NDArray[np.float64]
    unit: Literal["V", "rad", "W", "share"] = "V"


@dataclass(frozen=True)
class Pattern:
    """A period of levels and waveforms, repeated on the sample clock.

    Attributes
    ----------
    period : int
        Samples of one repetition.
    repetitions : int
        How often the period is played.
    lead : int
        Samples of idle levels between the digitizer's first sample and the first period.
    levels : mapping of str to LevelTrack
        By the name of the line in the rig, such as ``FEEDBACK``.
    waveforms : mapping of str to Waveform
        By the name of the signal in the rig, such as "phase".

    Raises
    ------
    InputError
        If an edge lies outside the period or a period does not end at the idle level.

    Examples
    --------
    >>> from optobind.instruments.patterns import FEEDBACK, LevelTrack, Pattern
    >>> release = LevelTrack(idle=True, edges=((2000, False), (4000, True)))
    >>> pattern = Pattern(period=4000, repetitions=500, levels={FEEDBACK: release})
    >>> pattern.samples
    2000000
    """

    period: int
    repetitions: int = 1
    lead: int = 0
    levels: Mapping[str, LevelTrack] = field(default_factory=dict)
    waveforms: Mapping[str, Waveform] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.period < 2 or self.repetitions < 1 or self.lead < 0:
            raise InputError(
                f"a pattern needs a period of 2 samples or more, a repetition and no negative "
                f"lead, not {self.period}, {self.repetitions} and {self.lead}"
            )
        for name, track in self.levels.items():
            at = [sample for sample, _ in track.edges]
            if at != sorted(set(at)) or (at and not 0 <= at[0] <= at[-1] <= self.period):
                raise InputError(f"the edges of {name!r} must rise from 0 to {self.period}: {at}")
            if track.edges and track.edges[-1][1] is not track.idle:
                raise InputError(f"a period must leave {name!r} at its idle level {track.idle}")
        for name, wave in self.waveforms.items():
            if wave.values.shape != (self.period,) or not np.isfinite(wave.values).all():
                raise InputError(
                    f"the waveform {name!r} needs {self.period} finite values, one a sample"
                )

    @property
    def samples(self) -> int:
        """Samples from the digitizer's first to the end of the last period."""
        return self.lead + self.period * self.repetitions


@dataclass(frozen=True)
class PatternCapabilities:
    """What a player can play.

    Attributes
    ----------
    lines, waveforms : tuple of str
        Names of lines and signals that it has.
    max_rate : float
        Fastest sample clock that it follows, Hz.
    max_samples : int or None
        Longest pattern that it holds, samples (a repeated period counts as it is stored); None
        where memory is no limit.
    single_pulse : bool
        Whether each line can make just one pulse a period (a counter).
    returns_to_idle : bool
        Whether the lines return to their idle level by themselves when the program dies.
    """

    lines: tuple[str, ...]
    waveforms: tuple[str, ...] = ()
    max_rate: float = 0.0
    max_samples: int | None = None
    single_pulse: bool = False
    returns_to_idle: bool = False


@runtime_checkable
class PatternPlayer(Device, Protocol):
    """Plays patterns on the sample clock of the rig's digitizer."""

    @property
    def capabilities(self) -> PatternCapabilities:
        """What it can play; complete after ``connect``."""
        ...

    @property
    def offset(self) -> int:
        """Samples by which an edge acts later in the record than it stands in the pattern."""
        ...

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        """Raise InputError, with what it can play, if it cannot play this; sends nothing."""
        ...

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        """Load it: sample 0 of the pattern is the first sample of the digitizer's next start.

        Raises
        ------
        InputError
            If it cannot be played.
        DeviceError
            If the card refuses; its lines are idle then.
        """
        ...

    def played(self) -> int | None:
        """Samples played so far, as far as the card tells; None where it cannot."""
        ...

    def halt(self) -> None:
        """End it at once, write the idle levels and read them back. Safe to call in any state.

        Raises
        ------
        DeviceError
            If a line is not known to be at its idle level.
        """
        ...
