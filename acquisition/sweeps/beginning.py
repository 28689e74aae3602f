"""How a sweep begins on a connected session, and how one that was interrupted is gone on with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...models.errors import FileError, InputError
from ..estimates import estimate, estimate_points, require_room
from ..session import Session
from .folder import SweepFolder, SweepHeader, is_sweep_folder
from .plan import SweepPlan
from .programs.plan import ProgramPlan
from .programs.rehearsal import rehearse
from .runner import refusal
from .stations import Stations, difference

__all__ = ["begin_sweep", "require_new_sweep", "require_same_light"]


def require_new_sweep(path: Path, mode: str, rig: str) -> None:
    """Refuse a folder that holds a sweep already, and a record that is played.

    Raises
    ------
    FileError
        If there is a sweep.
    InputError
        If nothing could be swept.
    """
    if is_sweep_folder(path):
        raise FileError(
            f"{path} holds a sweep already: go on with it (optobind resume {path}) or choose "
            "another folder"
        )
    if mode == "REPLAY":
        raise InputError(f"rig {rig} replays a record: there is nothing that could be swept")


def begin_sweep(
    session: Session, plan: SweepPlan, path: Path, origin: Mapping[str, Any]
) -> SweepFolder:
    """Make the folder of a new sweep, after a look at disk, light and limits.

    Parameters
    ----------
    session : Session
        Connected, as a real digitizer says only then how much it samples.
    plan : SweepPlan
        What is to be measured.
    path : Path
        The folder; need not exist yet.
    origin : mapping
        What the header is to say of where the sweep comes from.

    Raises
    ------
    InputError
        If it does not fit on the disk, the light is not known, or a program does not do.
    FileError
        If there is a sweep already, or the folder cannot be made.
    """
    rig = session.rig
    require_new_sweep(path, rig.mode, rig.name)
    require_room(estimate(plan, rig.digitizer.info), path, plan.suspend.disk_free)
    applied = session.light().applied
    if applied is None:
        raise InputError(
            f"the light of rig {rig.name} is not known: set it once (in the window), then sweep it"
        )
    header = SweepHeader(plan, rig.mode, rig.config, applied.state, origin, time.time())
    _rehearse(session, header, path)
    return SweepFolder.create(path, header)


def _rehearse(session: Session, header: SweepHeader, path: Path) -> None:
    """Look at what a program would do before it begins: its own faults, limits and the disk.

    Raises
    ------
    InputError
        If it fails, asks for light that is not allowed, or does not fit on the disk.
    """
    plan, rig = header.plan, session.rig
    if not isinstance(plan, ProgramPlan):
        return
    found = rehearse(
        header,
        rig,
        Stations(rig, header, session.actuators()),
        lambda start, goal: session.check_way(start, goal).result(),
        quiet=True,
    )
    if found.refused and plan.on_refused == "end":
        raise InputError(refusal(found.refused))
    takes = estimate_points(plan, found.points, rig.digitizer.info)
    require_room(takes, path, plan.suspend.disk_free)


def require_same_light(session: Session, folder: SweepFolder, *, accepted: bool = False) -> None:
    """Refuse to go on where somebody else has set the light since, unless that is accepted.

    Raises
    ------
    InputError
        Says what differs.
    """
    left, applied = folder.last_light(), session.light().applied
    if left is None or applied is None or session.rig.world is not None:
        return  # a simulated laboratory begins with the light of its file
    changed = difference(left, applied.state)
    if changed and not accepted:
        raise InputError(
            f"the light is not as {folder.path} left it: {changed}; check the particles, then go "
            "on with --accept-light"
        )
    if changed:
        folder.journal.write("note", text=f"the light was changed meanwhile: {changed}")
