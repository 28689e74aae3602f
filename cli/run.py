"""``optobind run``: carry out a plan with a progress display; a signal ends it in good order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..acquisition.sweeps.plan import SweepPlan
from ..acquisition.sweeps.seek_plan import SeekPlan
from ..config.build import build_rig
from ..config.load import LoadedPlan, read_plan, read_rig
from ..config.overrides import split_overrides
from ..models.errors import DeviceError, InputError, OptobindError
from ..models.shown import one_line
from .following import clock_of, measure
from .output import console_for_progress, print_json, print_result, warn
from .serving import require_listening
from .signals import word_of

if TYPE_CHECKING:
    from ..acquisition.run import RunOutcome

__all__ = ["RunOptions", "run_plan_on_rig"]

# Events of a run that spoil its record, and what is said about them.
_INCIDENTS = {
    "particle_lost": "particle lost ({} times): what follows is not fitted",
    "saturated": "{} blocks are saturated: a signal reached the limits of the digitizer",
}


@dataclass(frozen=True)
class RunOptions:
    """Options of ``run`` as they were given."""

    note: str = ""
    notify: str = ""
    dry_run: bool = False
    as_json: bool = False
    serve: str | None = None


def run_plan_on_rig(
    plan: str, rig: str, out: Path | None, settings: Sequence[str], options: RunOptions
) -> int:
    """Load, run and print the path of the run file; return the exit code."""
    from ..acquisition.notify import Notifier
    from ..acquisition.provenance import origin_now

    require_listening(options.serve)
    as_json, notifier = options.as_json, Notifier(options.notify, lambda text: warn([text]))
    of_rig, of_plan = split_overrides(settings)
    loaded_rig = read_rig(rig, of_rig)  # first: its knobs may be axes of the plan
    loaded_plan = _load_plan(plan, of_plan)
    built = build_rig(loaded_rig, watched=False)
    if isinstance(loaded_plan.plan, SeekPlan):
        from ..acquisition.sweeps.seeking import require_steerable

        require_steerable(built)
    if options.dry_run:
        from .dry_run import show_dry_run

        show_dry_run(loaded_plan.plan, built, loaded_rig.config, out, as_json)
        return 0
    origin = origin_now(options.note)
    if isinstance(loaded_plan.plan, SweepPlan):
        from .sweep import run_sweep

        said = origin.to_dict()
        return run_sweep(loaded_plan.plan, built, out, said, notifier, as_json, options.serve)
    path = None if out is None else out / "run.h5"
    outcome, interruption = measure(built, loaded_plan.plan, path, origin, serve=options.serve)
    notifier.tell(outcome.outcome, outcome.words(), path=str(outcome.path))
    notifier.finish()
    if outcome.outcome == "failed":
        raise _failure(outcome)
    incidents = _incidents(outcome)
    warn(_INCIDENTS[kind].format(n) for kind, n in incidents.items() if kind in _INCIDENTS)
    if interruption:
        _print_kept(outcome, interruption)
        return interruption
    _print_outcome(outcome, incidents, clock_of(built), as_json)
    _print_losses(outcome)
    return outcome.exit_code


def _load_plan(plan: str, settings: Sequence[str]) -> LoadedPlan:
    """Load a plan; a wrong setting is named as it was given, with the prefix."""
    try:
        return read_plan(plan, settings)
    except InputError as error:
        paths = [setting.partition("=")[0].strip() for setting in settings]
        text = str(error)
        if not any(path and text.startswith(f"--set {path}:") for path in paths):
            raise
        raise InputError(text.replace("--set ", "--set plan.", 1)) from None


def _failure(outcome: RunOutcome) -> OptobindError:
    """Make the error that ended a run, with the place of what was recorded."""
    text = f"{outcome.reason}; {outcome.place()}"
    if said := outcome.worth.words():
        text += f"; {said}"
    if outcome.exit_code == DeviceError.exit_code:
        return DeviceError(text)
    error = OptobindError(text)
    error.exit_code = outcome.exit_code or 1
    return error


def _incidents(outcome: RunOutcome) -> dict[str, int]:
    """Count the events that spoil the record; those that did not happen are left out."""
    from ..acquisition.runfile import RunFile

    with RunFile.open(outcome.path) as run:
        counts = run.digest().counts
    return {kind: counts[kind] for kind in (*_INCIDENTS, "gap") if kind in counts}


def _print_kept(outcome: RunOutcome, interruption: int) -> None:
    """Say after a signal where the record is: on stderr, stdout stays empty."""
    console = console_for_progress()
    console.print(
        f"optobind: {word_of(interruption)}, {_kept(outcome)} in {outcome.path}",
        soft_wrap=True,
    )


def _kept(outcome: RunOutcome) -> str:
    """Say what there is: "complete: 4000 samples; 9 of 10 releases usable (…)"."""
    said = outcome.worth.words()
    return f"{outcome.outcome}: {outcome.samples} samples" + (f"; {said}" if said else "")


def _print_losses(outcome: RunOutcome) -> None:
    """Say on stderr, in one line, what a run lost that came to its end, and the remedy."""
    worth = outcome.worth
    if outcome.outcome == "incomplete":
        text = one_line(outcome.reason)
        sys.stderr.write(f"optobind: the run is incomplete: {text}; it is kept in {outcome.path}\n")
        sys.stderr.flush()
    elif outcome.outcome in ("stopped", "aborted"):  # by no signal: the record that is played
        warn([f"{outcome.reason}: {worth.words()}" if worth.words() else outcome.reason])
    elif worth.lost_samples or (worth.releases is not None and worth.releases.missing):
        warn([worth.words()])


def _print_outcome(
    outcome: RunOutcome, incidents: dict[str, int], clock: str, as_json: bool
) -> None:
    values = {
        "path": str(outcome.path),
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        **outcome.worth.to_dict(),
        "clock": clock,
        "incidents": incidents,
    }
    if as_json:
        print_json(values)
        return
    fast = ", fast clock" if clock == "fast" else ""
    print_result(f"{outcome.path}\n{_kept(outcome)}{fast}")
