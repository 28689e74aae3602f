"""``optobind run --dry-run``: what a plan would do, how long, and whether it fits; nothing is sent.

Devices are not touched: set-points are compared with the rig's model, with the ranges of its knobs
and, in a simulated laboratory, with the limits of its devices; those of real devices are looked at
on connecting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import DeviceError, InputError
from .output import print_json, print_result

if TYPE_CHECKING:
    from ..acquisition.estimates import Estimate
    from ..acquisition.plans import Plan
    from ..acquisition.sweeps.folder import SweepHeader
    from ..acquisition.sweeps.plan import SweepPlan
    from ..acquisition.sweeps.points import Point
    from ..acquisition.sweeps.programs.plan import ProgramPlan
    from ..acquisition.sweeps.stations import Stations
    from ..config.schema import RigConfig
    from ..instruments.protocols import DigitizerInfo
    from ..instruments.rig import Rig
    from ..models.light import TweezerState

__all__ = ["show_dry_run"]

_SHOWN = 40  # lines of set-points in a table


def show_dry_run(
    plan: Plan | SweepPlan, rig: Rig, config: RigConfig, out: Path | None, as_json: bool
) -> None:
    """Print limits, set-points, time and size of a plan; ``config`` is what the rig was made from.

    Raises
    ------
    InputError
        If the plan is not allowed on this rig, or does not fit on the disk.
    """
    from ..acquisition.estimates import estimate, free_at, require_room
    from ..acquisition.plans import ReheatingPlan, steps_of
    from ..acquisition.sweeps.plan import SweepPlan
    from ..acquisition.sweeps.programs.plan import ProgramPlan

    inner = plan.inner if isinstance(plan, SweepPlan) else plan
    if rig.gate is None and any(isinstance(step, ReheatingPlan) for step in steps_of(inner)):
        raise InputError(
            f"a reheating plan needs a feedback gate; rig {rig.name} ({rig.mode}) has none"
        )
    folder = Path("runs") if out is None else out
    info = _set_up(rig, config)
    found = estimate(plan, info)
    points: list[dict[str, Any]] = []
    if isinstance(plan, ProgramPlan):
        found, points = _rehearsed(plan, rig, info)
    elif isinstance(plan, SweepPlan):
        points = _points(plan, rig)
    require_room(found, folder)
    values = _values(plan, rig, info, found, free_at(folder), points)
    if as_json:
        print_json(values)
    else:
        print_result(*_lines(plan, values))


def _set_up(rig: Rig, config: RigConfig) -> DigitizerInfo:
    """Set-up of the digitizer; of a real one, which is not connected, as the file asks for it."""
    from ..instruments.protocols import DigitizerInfo

    try:
        return rig.digitizer.info
    except DeviceError:
        table: Any = None if config.devices is None else config.devices.digitizer
        rate, inputs = getattr(table, "sample_rate", None), getattr(table, "inputs", None)
        if rate is None or not inputs:
            raise InputError(
                f"rig {rig.name} does not state sample_rate and channels of its digitizer, which "
                "is asked only on connecting: a dry run cannot say how much is recorded"
            ) from None
        counts = getattr(table, "raw", True)
        return DigitizerInfo(
            rate, tuple(inputs), (1.0,) * len(inputs), "int16" if counts else "float32"
        )


def _stations(plan: SweepPlan, rig: Rig) -> tuple[TweezerState, SweepHeader, Stations]:
    """Light of the rig's file, and what a sweep that begins with it asks for."""
    from ..acquisition.knob_actuator import KnobActuator
    from ..acquisition.sweeps.folder import SweepHeader
    from ..acquisition.sweeps.stations import Stations

    light = _configured(rig)
    header = SweepHeader(plan, rig.mode, {}, light)
    turned = {name: KnobActuator(name, device) for name, device in rig.knobs.items()}
    return light, header, Stations(rig, header, turned)


def _points(plan: SweepPlan, rig: Rig) -> list[dict[str, Any]]:
    """Every point that is known beforehand: its number, kind, values, and why it is refused."""
    from ..acquisition.sweeps.points import planned_points
    from ..acquisition.sweeps.runner import refusal

    light, _, stations = _stations(plan, rig)
    refused = stations.refused((), lambda start, goal: _check(rig, start or light, goal))
    if refused and plan.on_refused == "end":
        raise InputError(refusal(refused))
    return _told(planned_points(plan), stations, refused)


def _rehearsed(
    plan: ProgramPlan, rig: Rig, info: DigitizerInfo
) -> tuple[Estimate, list[dict[str, Any]]]:
    """What a program takes and the points that it asks for, if the rig is as its model."""
    from ..acquisition.estimates import estimate_points
    from ..acquisition.sweeps.programs.rehearsal import rehearse
    from ..acquisition.sweeps.runner import refusal

    light, header, stations = _stations(plan, rig)
    found = rehearse(header, rig, stations, lambda start, goal: _check(rig, start or light, goal))
    if found.refused and plan.on_refused == "end":
        raise InputError(refusal(found.refused))
    takes = estimate_points(plan, found.points, info)
    waits = found.waiting if info.real_time else 0.0
    takes = replace(takes, seconds=takes.seconds + waits, most_seconds=takes.most_seconds + waits)
    return takes, _told(found.points, stations, found.refused)


def _told(
    points: Sequence[Point], stations: Stations, refused: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Points as they are printed."""
    return [
        {
            "point": point.number,
            "kind": point.kind if point.plan is None else point.plan.kind,
            "setting": dict(zip(stations.names, stations.target(point).setting, strict=True)),
            "refused": refused.get(point.number, ""),
        }
        for point in points
    ]


def _configured(rig: Rig) -> TweezerState:
    """Light as the rig's file has it."""
    from ..models.light import Site, TweezerState

    if rig.trap is None:
        raise InputError(f"rig {rig.name} has no tweezers: there is nothing that could be swept")
    return TweezerState(
        tuple(Site(t.position, t.power, t.phase, t.detuning) for t in rig.trap.tweezers)
    )


def _check(rig: Rig, start: TweezerState, goal: TweezerState) -> None:
    """Refuse light that the model or, where they can be asked, the devices do not allow."""
    from ..instruments.guard import GuardedLight

    assert rig.light is not None
    guard = GuardedLight.around(rig.light, rig.trap)
    try:
        guard.check_way(start, goal)
    except DeviceError:  # not connected: what the model says is what can be said
        if rig.trap is not None:
            rig.trap.with_light(goal).equilibrium()


def _values(
    plan: Plan | SweepPlan,
    rig: Rig,
    info: DigitizerInfo,
    found: Estimate,
    free: int,
    points: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "rig": rig.name,
        "mode": rig.mode,
        "sample_rate": info.sample_rate,
        "channels": list(info.channels),
        "points": found.points,
        "seconds": found.seconds,
        "bytes": found.size,
        "most_points": found.most_points,
        "most_seconds": found.most_seconds,
        "most_bytes": found.most_size,
        "free_bytes": free,
        "set_points": points,
    }


def _lines(plan: Plan | SweepPlan, values: dict[str, Any]) -> list[Any]:
    """Lay it out for reading."""
    from rich.table import Table

    rows = values["set_points"]
    table = Table(title="set-points (SI)", title_justify="left")
    names = [_with_unit(name) for name in rows[0]["setting"]] if rows else []
    for head in ("point", "kind", *names, "remarks"):
        table.add_column(head, justify="left" if head in ("kind", "remarks") else "right")
    for row in rows[:_SHOWN]:
        cells = [f"{value:.6g}" for value in row["setting"].values()]
        table.add_row(str(row["point"]), row["kind"], *cells, row["refused"])
    left = len(rows) - _SHOWN
    parts: list[Any] = [table] if rows else []
    if left > 0:
        parts.append(f"… and {left} more (all of them with --json)")
    runs = f"{values['points']} points, " if rows else ""
    free = f"({_size(values['free_bytes'])} are free)"
    if values["points"]:
        parts.append(f"{runs}{_time(values['seconds'])}, {_size(values['bytes'])} {free}")
    else:
        parts.append(f"what is measured follows from what is found {free}")
    if values["most_bytes"] > values["bytes"]:
        several = rows or values["most_points"] > 1
        most = f"{values['most_points']} points, " if several else ""
        parts.append(
            f"at most {most}{_time(values['most_seconds'])}, {_size(values['most_bytes'])}, with "
            "everything that may be repeated or added"
        )
    if values["kind"] == "program":
        parts.append("fits were answered by the rig's model: what is found may lead elsewhere")
    parts.append("nothing was sent: this is a dry run")
    return parts


def _with_unit(knob: str) -> str:
    """Head of a column of set-points."""
    from ..acquisition.sweeps.knobs import knob_of

    unit = knob_of(knob).holds.unit
    return f"{knob} ({unit})" if unit else knob


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "until stopped"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _size(size: float) -> str:
    if not math.isfinite(size):
        return "any number of bytes"
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
