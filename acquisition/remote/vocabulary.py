"""What may travel between an experiment and its remotes: frozen data by name, nothing else.

A name that is not listed here is neither written nor made: no message can have any other code run.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

__all__ = ["class_named", "name_of"]

_ROOT = __package__.partition(".")[0]
_MODULES = {
    "acquisition.estimates": ("RunEstimate",),
    "acquisition.events": ("Event", "EventKind"),
    "acquisition.origin": ("RunOrigin",),
    "acquisition.outcome": ("RunOutcome",),
    "acquisition.plans": ("MonitorPlan", "ReheatingPlan", "SequencePlan"),
    "acquisition.releases": ("LeftOut", "ReleaseCount"),
    "acquisition.snapshots": (
        "Basis",
        "FitSnapshot",
        "LightPreview",
        "LightSnapshot",
        "LogEntry",
        "ReheatingSnapshot",
        "SessionStatus",
        "SpectrumSnapshot",
        "TraceSnapshot",
        "TrackSnapshot",
    ),
    "acquisition.worth": ("RunWorth", "StepWorth"),
    "instruments.light_protocol": ("AppliedLight",),
    "instruments.protocols": ("DeviceReport", "DeviceState"),
    "models.inference.reheating.bins": ("BinLayout",),
    "models.inference.reheating.estimate": ("ReheatingEstimate",),
    "models.inference.result": ("FitResult", "FittedParameter"),
    "models.light": ("Site", "TweezerState"),
    "models.spectra": ("CsdEstimate",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


@cache
def class_named(name: str) -> type[Any] | None:
    """Return a dataclass or enumeration of the vocabulary; None for a name that is not in it."""
    module = _MODULE_OF.get(name)
    if module is None:
        return None
    found: type[Any] = getattr(importlib.import_module(f"{_ROOT}.{module}"), name)
    return found


def name_of(value: object) -> str | None:
    """Return the name under which a value travels; None if it does not."""
    name = type(value).__name__
    return name if class_named(name) is type(value) else None
