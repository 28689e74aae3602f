from __future__ import annotations

import math
from pathlib import Path

import pytest

from optobind.instruments.simulated.settings import (
    DetectorSettings,
    FeedbackSettings,
    WorldSettings,
)
from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

TWO_PI = 2.0 * math.pi


def make_pair(**changes: object) -> PairConstants:
    values: dict[str, object] = {
        "omega": TWO_PI * 60e3,
        "delta_omega": TWO_PI * 1e3,
        "g_r": -TWO_PI * 2.5e3,
        "g_a": TWO_PI * 2e3,
        "D11": TWO_PI * 60e3,
        "D22": TWO_PI * 70e3,
        "re_D12": TWO_PI * 4e3,
        "gamma": (10.0, 20.0),
        "n_thermal": (1e4, 1e4),
    }
    return PairConstants(**{**values, **changes})  # type: ignore[arg-type]


def make_settings(
    *, in_loop: bool = True, detector: dict[str, object] | None = None, **changes: object
) -> WorldSettings:
    extra = {"volts_per_metre": 2e8, **(detector or {})}
    detectors = [DetectorSettings(f"z{j + 1}", j, **extra) for j in (0, 1)]
    if in_loop:
        detectors += [DetectorSettings(f"in {j + 1}", j, "in_loop", **extra) for j in (0, 1)]
    values: dict[str, object] = {
        "sample_rate": 1e6,
        "real_time": False,
        "detectors": tuple(detectors),
        "feedback": FeedbackSettings(damping=(TWO_PI * 2e3,)),
    }
    return WorldSettings(**{**values, **changes})  # type: ignore[arg-type]


def make_trap(phi: float = 0.4, powers: tuple[float, float] = (0.28, 0.32)) -> TrapArray:
    spheres = (Sphere(70e-9), Sphere(70e-9))
    tweezers = (
        Tweezer((1.275e-6, 0.0, 0.0), powers[0], 0.70e-6, 0.75e-6, phi),
        Tweezer((-1.275e-6, 0.0, 0.0), powers[1], 0.70e-6, 0.75e-6, 0.0),
    )
    return TrapArray(spheres, tweezers, 1064e-9, Gas(1e-6))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the suite for real devices aside where none is named."""
    aside = collection_path.name == "test_hardware.py" and not config.getoption("--hardware")
    return True if aside else None


@pytest.fixture
def trap() -> TrapArray:
    return make_trap()
