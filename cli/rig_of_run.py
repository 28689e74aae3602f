"""What the rig of a run file predicts of its fits: for warnings, never for the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..models.errors import OptobindError

if TYPE_CHECKING:
    from ..acquisition.records.record import Record
    from ..models.array import TrapArray

__all__ = ["expected_of"]

_OF_GAS = ("gamma_1", "gamma_2")


def expected_of(record: Record, releases: bool) -> Mapping[str, float] | None:
    """Predict the pair fit of a run at the light and pressure that it recorded.

    Parameters
    ----------
    record : Record
        Any; others than run files of a pair predict nothing.
    releases : bool
        Whether its releases are fitted, where feedback is off.
    """
    if record.kind != "run":
        return None
    from ..acquisition.events import EventKind
    from ..acquisition.runfile import RunFile
    from ..analysis.comparison import predictions
    from ..config.build import build_trap
    from ..config.load import rig_from_dict

    try:
        with RunFile.open(record.path) as run:
            config, slow = run.manifest["config"], run.slow()
            light, closed = None, False
            for event in run.each_event():
                if event.kind is EventKind.LIGHT:
                    light = event.payload.get("sites", light)
                if event.kind is EventKind.GATE:
                    closed = closed or bool(event.payload.get("closed"))
        trap = build_trap(rig_from_dict(config["rig"]))
        if len(trap.spheres) != 2:
            return None
        pressures = [r.value for r in slow if r.name == "pressure" and r.status == "ok"]
        trap = _lit(trap, light, max(pressures, default=None))
        found = dict(predictions(trap)["exact"] or {})
    except (OptobindError, KeyError, TypeError, ValueError):
        return None  # another version's rig, or one that holds no particles: nothing to compare
    if closed and not releases:
        found = {name: value for name, value in found.items() if name not in _OF_GAS}
    if trap.gas is not None:
        found["pressure"] = trap.gas.pressure
    return found


def _lit(trap: TrapArray, sites: Any, pressure: float | None) -> TrapArray:
    """The trap at a recorded light and pressure."""
    from dataclasses import replace

    from ..models.light import Site, TweezerState

    if sites is not None:
        state = TweezerState(
            tuple(Site(tuple(s["position"]), s["power"], s["phase"], s["detuning"]) for s in sites)
        )
        trap = trap.with_light(state)
    if pressure is not None and trap.gas is not None:
        trap = replace(trap, gas=replace(trap.gas, pressure=pressure))
    return trap
