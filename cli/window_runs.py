"""What a window's queue asks of plans, sweeps and runs: the work is that of the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError

if TYPE_CHECKING:
    from ..acquisition.plans import Plan
    from ..acquisition.session import Session
    from ..acquisition.sweeps.folder import SweepFolder
    from ..acquisition.sweeps.plan import SweepPlan
    from ..analysis.sweep_work import SweepWork
    from ..gui.services import RunServices

__all__ = ["answer_of", "run_services"]


def run_services(session: Session) -> RunServices:
    """Return what a window asks beside single runs of the session that it shows."""
    from ..gui.services import RunServices

    return RunServices(
        folder=session.run_directory,
        plan=_plan,
        sweep=lambda plan, note: _sweep(session, plan, note),
        resumed=lambda path: _resumed(session, path),
        runs=lambda most: _runs(session.run_directory, most),
    )


def _plan(path: Path) -> tuple[str, Plan | SweepPlan]:
    from ..config.load import read_plan

    loaded = read_plan(str(path))
    return loaded.name, loaded.plan


def _sweep(session: Session, plan: SweepPlan, note: str) -> SweepWork:
    """Sweep in a new folder, made when it starts."""
    from ..acquisition.provenance import origin_now
    from ..acquisition.session import new_run_path
    from ..acquisition.sweeps.beginning import begin_sweep
    from ..acquisition.sweeps.seek_plan import SeekPlan
    from ..acquisition.sweeps.seeking import require_steerable
    from ..analysis.sweep_work import SweepWork

    def begin() -> SweepFolder:
        if isinstance(plan, SeekPlan):
            require_steerable(session.rig)
        path = new_run_path(session.run_directory, plan.kind).parent
        return begin_sweep(session, plan, path, origin_now(note).to_dict())

    return SweepWork(session, begin, new=True)


def _resumed(session: Session, path: Path) -> SweepWork:
    """Sweep that goes on in its folder, on the rig on which it was begun."""
    from ..acquisition.sweeps.beginning import require_same_light
    from ..acquisition.sweeps.folder import SweepFolder
    from ..analysis.sweep_work import SweepWork

    def begin() -> SweepFolder:
        folder = SweepFolder(path)
        _require_same_rig(session, folder)
        require_same_light(session, folder)
        return folder

    return SweepWork(session, begin, new=False)


def _require_same_rig(session: Session, folder: SweepFolder) -> None:
    """Refuse to go on with a sweep of another rig.

    Raises
    ------
    InputError
        Says which keys differ.
    """
    from .compare import differences

    rig = session.rig
    if rig.mode != folder.header.mode:
        raise InputError(
            f"{folder.path} was begun {folder.header.mode}, rig {rig.name} is {rig.mode}: one "
            "sweep does not mix them"
        )
    found = differences(folder.header.config.get("rig") or {}, rig.config.get("rig") or {})
    found = {key: value for key, value in found.items() if key != "simulation.clock"}
    if found:
        keys = ", ".join(list(found)[:5]) + (", …" if len(found) > 5 else "")
        raise InputError(
            f"rig {rig.name} is not that of {folder.path}, they differ in {keys}: one sweep does "
            f"not mix them; go on with optobind resume {folder.path}"
        )


def _runs(folder: Path, most: int) -> Sequence[Mapping[str, Any]]:
    """Newest runs of a folder; none where there is no folder yet."""
    if not folder.is_dir():
        return ()
    runs: list[Mapping[str, Any]] = answer_of(
        "runs", str(folder), "--details", "--newest", str(most)
    )["runs"]
    return runs


def answer_of(*words: str) -> dict[str, Any]:
    """Answer of a command that runs in a process of its own: its fits would slow the window."""
    done = subprocess.run(
        [sys.executable, "-m", __package__.partition(".")[0], *words, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InputError(lines[-1] if lines else f"optobind {words[0]} ended {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
