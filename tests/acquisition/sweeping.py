"""A small simulated rig and a cheap fit for tests of sweeps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.sweeps.folder import SweepFolder, SweepHeader
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.rows import Measured, PointFit
from optobind.instruments.rig import Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import (
    DetectorSettings,
    FeedbackSettings,
    SlmSettings,
    WorldSettings,
)
from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

RATE = 250e3


def small_rig(seed: int = 5, *, damping: float = 4e3, jitter: float = 0.0) -> Rig:
    sphere = Sphere(60e-9)
    tweezers = (
        Tweezer((1.25e-6, 0.0, 0.0), 0.2, 0.75e-6, 0.75e-6, 0.4),
        Tweezer((-1.25e-6, 0.0, 0.0), 0.19, 0.75e-6, 0.75e-6, 0.0),
    )
    settings = WorldSettings(
        sample_rate=RATE,
        seed=seed,
        real_time=False,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j, volts_per_metre=2e8) for j in range(2)),
        feedback=FeedbackSettings(damping=(2.0 * math.pi * damping,), switch_jitter=jitter),
        slm=SlmSettings(time_constant=1e-3),
    )
    trap = TrapArray((sphere, sphere), tweezers, 1064e-9, Gas(1e-6))
    return build_simulated_rig(trap, settings, name="small")


def powers(path: Path, kind: str) -> PointFit:
    """A fit that takes a millisecond: the signals' powers, with errors as of independent data."""
    with RunFile.open(path) as run:
        volts = run.volts(0, run.rows)
    found = (volts**2).mean(axis=0)
    error = found * math.sqrt(200.0 / len(volts))
    values = {
        name: Measured(float(v), float(e), "V^2")
        for name, v, e in zip(("D11", "D22"), found, error, strict=True)
    }
    return PointFit("single", True, values)


def connected(rig: Rig) -> Session:
    session = Session(rig, live_fits=False)
    session.connect().result(60)
    return session


def new_sweep(path: Path, session: Session, plan: SweepPlan) -> SweepFolder:
    applied = session.light().applied
    assert applied is not None
    header = SweepHeader(plan, session.rig.mode, session.rig.config, applied.state)
    return SweepFolder.create(path, header)


def phase_sweep(points: int = 4, **keys: object) -> SweepPlan:
    axis = Axis("phi", start=0.0, stop=1.5, points=points)
    return SweepPlan((axis,), MonitorPlan(0.02), **{"retry_wait": 0.0, **keys})  # type: ignore[arg-type]


def samples_of(path: Path) -> np.ndarray:
    with RunFile.open(path) as run:
        return run.samples(0, run.rows)
