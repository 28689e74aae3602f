"""Frozen pictures of a running session: what a window or a progress display pulls.

Producers publish the newest and count what nobody fetched; consumers never wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..instruments.controller_protocol import LoopSetting
from ..instruments.protocols import AppliedLight, DeviceReport
from ..models.inference.reheating.estimate import ReheatingEstimate
from ..models.inference.result import FitResult
from ..models.light import TweezerState
from ..models.reprs import short_repr
from ..models.spectra import CsdEstimate
from .releases import ReleaseCount

__all__ = [
    "Basis",
    "FitSnapshot",
    "LightPreview",
    "LightSnapshot",
    "LogEntry",
    "ReheatingSnapshot",
    "RunState",
    "SessionStatus",
    "SpectrumSnapshot",
    "TraceSnapshot",
    "TrackSnapshot",
]

RunState = Literal["idle", "preparing", "running", "paused", "stopping", "failed"]


@dataclass(frozen=True)
class Basis:
    """Of which set-points and of which settings a result is.

    Results of two bases say nothing of each other.

    Attributes
    ----------
    light : int
        Grows with every change of a set-point: light, feedback, channels.
    settings : int
        Grows with every change of what is fitted.
    """

    light: int = 0
    settings: int = 0


@dataclass(frozen=True)
class SessionStatus:
    """The status bar.

    Attributes
    ----------
    mode : {"LIVE", "SIM", "REPLAY", "RECORD"}
        Where the samples come from.
    state : RunState
        State of the runner; "idle" may still stream (``streaming``).
    streaming : bool
        Whether the digitizer runs.
    recording : str or None
        Path of the run file being written.
    samples : int
        Samples acquired since the digitizer started.
    recorded : int
        Samples in the run file, acknowledged.
    lag : float
        Age of the newest published block, s.
    dropped : int
        Blocks that live displays skipped (harmless).
    gaps, lost_samples : int
        Number of gaps in the run file, and samples lost in them.
    stream_gaps, stream_lost : int
        The same of what the digitizer delivers since it was started, recorded or not.
    releases : ReleaseCount or None
        Releases of the run so far; None for one that is to make none.
    progress : float or None
        0 … 1 of the running plan; None when open-ended.
    message : str
        What is being done, e.g. "repetition 12 of 500".
    held_by : str or None
        Name of the run that owns the knobs, "run 3"; runs are numbered within a session.
    lost : bool
        Whether a particle is reported lost.
    saturated : bool
        Whether the newest blocks saturated.
    monitors : tuple of str
        Monitors that are out of their limits, in words.
    growth_rate : float or None
        Largest growth rate of the simulated world at the present light, feedback as it acts, 1/s;
        positive when unstable. None on hardware, where feedback is not modelled.
    open_loop_growth : float or None
        The same of the rig's model under light and gas alone: what a release has to expect.
    disk_seconds : float or None
        Time until the disk is full at the present rate.
    pressure : float or None
        Pa.
    devices : tuple of DeviceReport
        States of the devices.
    feedback : bool or None
        Whether feedback cooling acts, as last read or set; None when unknown.
    loops : tuple of LoopSetting
        Feedback loops as read back, that of particle 0 first; empty where they are not known.
    basis : Basis
        Of what is measured now: a spectrum or fit of another basis is of the time before.
    """

    mode: Literal["LIVE", "SIM", "REPLAY", "RECORD"]
    state: RunState = "idle"
    streaming: bool = False
    recording: str | None = None
    samples: int = 0
    recorded: int = 0
    lag: float = 0.0
    dropped: int = 0
    gaps: int = 0
    lost_samples: int = 0
    stream_gaps: int = 0
    stream_lost: int = 0
    releases: ReleaseCount | None = None
    progress: float | None = None
    message: str = ""
    held_by: str | None = None
    lost: bool = False
    saturated: bool = False
    monitors: tuple[str, ...] = ()
    growth_rate: float | None = None
    open_loop_growth: float | None = None
    disk_seconds: float | None = None
    pressure: float | None = None
    devices: tuple[DeviceReport, ...] = ()
    feedback: bool | None = None
    loops: tuple[LoopSetting, ...] = ()
    basis: Basis = Basis()


@dataclass(frozen=True)
class TraceSnapshot:
    """Newest stretch of detector voltages: volts (n, channels), first sample, rate (Hz), names."""

    sequence: int
    first_sample: int
    sample_rate: float
    volts: NDArray[np.float32]
    channels: tuple[str, ...]

    __repr__ = short_repr


@dataclass(frozen=True)
class TrackSnapshot:
    """Newest stretch of live trajectories, beside the samples that they were made of.

    Attributes
    ----------
    sequence, first_sample : int
        Number of the picture; index of its first sample.
    sample_rate : float
        Hz.
    channels : tuple of str
        Detectors, particle 1 first.
    volts, tracked : ndarray, shape (m, c)
        Samples, and what the retrodicted motion makes of them, V.
    errors : ndarray, shape (c,)
        Standard error of ``tracked``, V.
    unit : str
        Of ``states``.
    states : ndarray, shape (m, 2N)
        Retrodicted (z_1, p_1, z_2, p_2, …).
    occupations : ndarray, shape (N,)
        Of the conditional state: what is not known of the motion.
    p_value : float or None
        Whether the innovations of the last second are white; None before the first verdict.
    """

    sequence: int
    first_sample: int
    sample_rate: float
    channels: tuple[str, ...]
    volts: NDArray[np.float32]
    tracked: NDArray[np.float32]
    errors: NDArray[np.float64]
    unit: str
    states: NDArray[np.float64]
    occupations: NDArray[np.float64]
    p_value: float | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class SpectrumSnapshot:
    """Newest averaged cross-spectra, in the unit of ``csd.unit`` ("m" when calibrated)."""

    sequence: int
    csd: CsdEstimate
    channels: tuple[str, ...]
    basis: Basis = Basis()


@dataclass(frozen=True)
class FitSnapshot:
    """Newest live fit: the result or the reason why there is none, and the fitted curve.

    ``curve`` has shape (n_freq, c, c), the expected CSD on ``frequencies`` (Hz).
    """

    sequence: int
    result: FitResult | None
    frequencies: NDArray[np.float64]
    curve: NDArray[np.complex128] | None
    error: str = ""
    fits_per_second: float = 0.0
    basis: Basis = Basis()

    __repr__ = short_repr


@dataclass(frozen=True)
class ReheatingSnapshot:
    """Reheating curves so far: mean, a few single repetitions (E_1, E_2), and the fit if any.

    ``single_numbers`` and ``excluded`` count repetitions from 1, as on screen; ``excluded`` are all
    that are left out of the curves, for whatever reason, ``by_hand`` those of them that can be
    taken back. ``releases`` counts those of this step.
    """

    sequence: int
    estimate: ReheatingEstimate | None
    repetitions_done: int
    repetitions_planned: int
    single: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 0)))
    result: FitResult | None = None
    error: str = ""
    single_numbers: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()
    by_hand: tuple[int, ...] = ()
    releases: ReleaseCount | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class LightSnapshot:
    """Requested light and the light read back."""

    requested: TweezerState | None
    applied: AppliedLight | None


@dataclass(frozen=True)
class LightPreview:
    """What the rig's model expects of a light that is not set yet.

    Attributes
    ----------
    trapped : bool
        Whether it holds the particles.
    growth : float or None
        Largest growth rate of amplitudes without feedback, 1/s; None where nothing is held.
    pair : mapping
        What the pair fit would find, rad/s, by parameter name; empty where there is no pair.
    """

    trapped: bool
    growth: float | None
    pair: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LogEntry:
    """A line of the log: time (s since epoch), level, what happened/was done/is to be done."""

    time: float
    level: Literal["info", "warning", "error"]
    text: str
    count: int = 1
