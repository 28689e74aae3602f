"""``optobind rerun``: simulate a run once more as its file says, and compare every sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.errors import DeviceError, FileError, InputError
from .following import measure
from .output import print_json, print_result
from .runs import run_file_of

if TYPE_CHECKING:
    from ..acquisition.plans import Plan
    from ..acquisition.runfile import RunFile
    from ..instruments.rig import Rig
    from ..models.light import TweezerState

__all__ = ["rerun"]

_BLOCK = 1 << 20


def rerun(path: Path, out: Path | None, as_json: bool) -> int:
    """Repeat a simulated run in a new folder; return 0 if all samples are the same, else 2.

    Raises
    ------
    InputError
        For a run of hardware, one that was not simulated as its file says, or one without a plan.
    """
    from ..acquisition.origin import RunOrigin
    from ..acquisition.run_catalogue import origin_of
    from ..acquisition.runfile import RunFile
    from ..acquisition.session import new_run_path

    file = run_file_of(path)
    with RunFile.open(file) as run:
        plan, rig, said, light = _plan(run), _rig(run), origin_of(run), _light(run)
    target = new_run_path(Path("runs"), "rerun") if out is None else out / "run.h5"
    if target.exists():
        raise FileError(
            f"{target} exists already: choose another --out, a run is never overwritten"
        )
    seed = said.get("seed")
    origin = RunOrigin(
        note=f"rerun of {file}", seed=None if seed is None else int(seed), requested=light
    )
    outcome, interruption = measure(rig, plan, target, origin, light=light)
    if interruption:
        return interruption
    if outcome.outcome == "failed":
        raise DeviceError(f"the rerun failed: {outcome.reason}; {outcome.place()}")
    values = _compare(file, outcome.path)
    if as_json:
        print_json(values)
    else:
        print_result(_words(values))
    return 0 if values["identical"] else 2


def _plan(run: RunFile) -> Plan:
    from ..acquisition.plans import plan_from_dict

    if not run.manifest["plan"]:
        raise InputError(f"{run.path} holds no plan: it cannot be run again")
    return plan_from_dict(run.manifest["plan"])


def _rig(run: RunFile) -> Rig:
    """Build the rig that the file holds."""
    from ..config.build import build_rig
    from ..config.load import LoadedRig, rig_from_dict

    config = run.manifest["config"]
    document = config.get("rig")
    if run.manifest["mode"] != "SIM" or not isinstance(document, dict):
        raise InputError(f"{run.path} was not simulated: only simulated runs can be run again")
    name = str(config.get("name", "rig"))
    loaded = LoadedRig(name, rig_from_dict(document, f"rig of {run.path}"), document)
    return build_rig(loaded, watched=False)


def _light(run: RunFile) -> TweezerState | None:
    """Light that was asked for, or else that of the beginning."""
    from ..acquisition.origin import light_from_dict
    from ..acquisition.run_catalogue import origin_of

    requested = origin_of(run).get("requested")
    if requested:
        return light_from_dict(requested)
    sites = next((e.payload.get("sites") for e in run.each_event() if e.kind == "light"), None)
    return light_from_dict(sites) if sites else None


def _compare(one: Path, other: Path) -> dict[str, Any]:
    """Compare samples one by one, and events without the times of the clock on the wall."""
    from ..acquisition.runfile import RunFile

    with RunFile.open(one) as a, RunFile.open(other) as b:
        same_ranges = a.recorded() == b.recorded()
        compared, first = 0, None
        if same_ranges:
            for start, stop in a.recorded():
                for at in range(start, stop, _BLOCK):
                    end = min(at + _BLOCK, stop)
                    equal = a.samples(at, end) == b.samples(at, end)
                    compared += len(equal)
                    if first is None and not equal.all():
                        first = at + int(np.argmin(equal.all(axis=1)))
        events = _events(a) == _events(b)
    return {
        "run": str(one),
        "rerun": str(other),
        "samples": compared,
        "first_difference": first,
        "same_ranges": same_ranges,
        "same_events": events,
        "identical": same_ranges and first is None and events,
    }


def _events(run: RunFile) -> list[tuple[int, str, str]]:
    """What happened at which sample; beginning and end say who and why, which may differ."""
    left_out = ("run_start", "run_end", "pressure", "fault", "note")
    return [
        (e.sample, e.kind.value, repr(_timeless(e.payload)))
        for e in run.each_event()
        if e.kind.value not in left_out
    ]


def _timeless(payload: Any) -> list[tuple[str, Any]]:
    return sorted((k, v) for k, v in payload.items() if k not in ("seconds", "begin", "end"))


def _words(values: dict[str, Any]) -> str:
    if values["identical"]:
        return f"{values['rerun']}\nidentical: {values['samples']} samples and all events"
    if not values["same_ranges"]:
        return f"{values['rerun']}\nNOT the same: other samples were recorded or lost"
    if values["first_difference"] is not None:
        return (
            f"{values['rerun']}\nNOT the same: samples differ from {values['first_difference']} "
            "on; the run was not the first of its session, or another version made it"
        )
    return f"{values['rerun']}\nthe same samples, other events"
