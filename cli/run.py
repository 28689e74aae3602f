"""``optobind run``: carry out a plan with a progress display; Ctrl-C ends it in good order."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..config.build import build_rig
from ..config.load import LoadedPlan, load_plan, load_rig
from ..config.overrides import split_overrides
from ..instruments.driver import ReservedError
from ..models.errors import DeviceError, InputError, OptobindError
from .errors import Interrupted
from .gate import closing_the_gate
from .output import console_for_progress, print_json, print_result, warn

if TYPE_CHECKING:
    from ..acquisition.plans import Plan
    from ..acquisition.run import RunOutcome
    from ..acquisition.session import Session

__all__ = ["carry_out", "run_plan_on_rig"]

_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 60.0
# Events of a run that spoil its record, and what is said about them.
_INCIDENTS = {
    "particle_lost": "particle lost ({} times): what follows is not fitted",
    "saturated": "{} blocks are saturated: a signal reached the limits of the digitizer",
    "gap": "{} gaps in the record",
}


def run_plan_on_rig(
    plan: str, rig: str, out: Path | None, settings: Sequence[str], as_json: bool
) -> int:
    """Load, run and print the path of the run file; return the exit code."""
    from ..acquisition.session import Session

    of_rig, of_plan = split_overrides(settings)
    loaded_plan = _load_plan(plan, of_plan)
    built = build_rig(load_rig(rig, of_rig))
    session = Session(built, live_fits=False)
    with closing_the_gate(session):
        path = None if out is None else out / "run.h5"
        outcome, interruption = carry_out(session, loaded_plan.config.to_plan(), path)
        if outcome.outcome == "failed":
            raise _failure(outcome)
    incidents = _incidents(outcome)
    warn(_INCIDENTS[kind].format(count) for kind, count in incidents.items())
    if interruption:
        _print_kept(outcome, interruption)
        return interruption
    _print_outcome(outcome, incidents, as_json)
    return 0


def _load_plan(plan: str, settings: Sequence[str]) -> LoadedPlan:
    """Load a plan; a wrong setting is named as it was given, with the prefix."""
    try:
        return load_plan(plan, settings)
    except InputError as error:
        paths = [setting.partition("=")[0].strip() for setting in settings]
        text = str(error)
        if not any(path and text.startswith(f"--set {path}:") for path in paths):
            raise
        raise InputError(text.replace("--set ", "--set plan.", 1)) from None


def carry_out(session: Session, plan: Plan, path: Path | None = None) -> tuple[RunOutcome, int]:
    """Connect and run a plan to its end with a progress display on stderr.

    Parameters
    ----------
    session : Session
        Not connected yet.
    plan : Plan
        What to do.
    path : Path or None
        The run file; None for a new folder.

    Returns
    -------
    outcome : RunOutcome
        How the run ended.
    interruption : int
        130 if Ctrl-C ended it, 143 if SIGTERM did, 0 otherwise.

    Raises
    ------
    Interrupted
        If a signal came before the run.
    """
    with _stops_on_interrupt(session) as received:
        connected = session.connect()
        until = time.monotonic() + _CONNECT_SECONDS
        while not connected.done() and not received and time.monotonic() < until:
            time.sleep(0.01)
        if received:
            raise Interrupted(128 + received[-1])
        connected.result(timeout=0.0)
        future = session.start(plan, path)
        _show_progress(session, future, lambda: _pass_on(session, received))
        if received and isinstance(future.exception(), ReservedError):
            raise Interrupted(128 + received[-1])  # the card was waited for in vain
        return future.result(), 128 + received[-1] if received else 0


@contextlib.contextmanager
def _stops_on_interrupt(session: Session) -> Iterator[list[int]]:
    """First Ctrl-C: stop after this repetition; second, or SIGTERM: abort. Gives the signals."""
    received: list[int] = []

    def handler(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        _pass_on(session, received)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handler) for number in signals]
    try:
        yield received
    finally:
        for number, old in zip(signals, before, strict=True):
            signal.signal(number, old)


def _pass_on(session: Session, received: Sequence[int]) -> None:
    """Ask the run to end as the signals say; asking again does no harm."""
    if len(received) > 1 or signal.SIGTERM in received:
        session.abort()
    elif received:
        session.stop_after_repetition()


def _show_progress(session: Session, future: Future[Any], pass_on: Callable[[], None]) -> None:
    """Follow the run until it has ended; a terminal sees a bar, a pipe nothing."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = console_for_progress()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("preparing", total=None, detail="")
        while not future.done():
            pass_on()  # a signal may have come before the run could take it
            status = session.status()
            detail = f"{status.mode}  {status.recorded:,} samples"
            if status.gaps:
                detail += f"  {status.gaps:,} lost"
            bar.update(
                task,
                description=status.message or status.state,
                total=None if status.progress is None else 1.0,
                completed=status.progress or 0.0,
                detail=detail,
            )
            _wait(future)


def _wait(future: Future[Any]) -> None:
    """Sleep a little, less when the run ends."""
    until = time.monotonic() + _POLL_SECONDS
    while not future.done() and time.monotonic() < until:
        time.sleep(0.01)


def _failure(outcome: RunOutcome) -> OptobindError:
    """Make the error that ended a run, with the place of what was recorded."""
    text = f"{outcome.reason}; {outcome.samples} samples are kept in {outcome.path}"
    if outcome.exit_code == DeviceError.exit_code:
        return DeviceError(text)
    error = OptobindError(text)
    error.exit_code = outcome.exit_code or 1
    return error


def _incidents(outcome: RunOutcome) -> dict[str, int]:
    """Count the events that spoil the record; those that did not happen are left out."""
    from ..acquisition.runfile import RunFile

    with RunFile.open(outcome.path) as run:
        kinds = [event.kind.value for event in run.events()]
    return {kind: kinds.count(kind) for kind in _INCIDENTS if kind in kinds}


def _print_kept(outcome: RunOutcome, interruption: int) -> None:
    """Say after a signal where the record is: on stderr, stdout stays empty."""
    console = console_for_progress()
    word = "terminated" if interruption == 128 + signal.SIGTERM else "interrupted"
    console.print(
        f"optobind: {word}, {outcome.outcome}: {outcome.samples} samples in {outcome.path}",
        soft_wrap=True,
        markup=False,
    )


def _print_outcome(outcome: RunOutcome, incidents: dict[str, int], as_json: bool) -> None:
    values = {
        "path": str(outcome.path),
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "samples": outcome.samples,
        "gaps": outcome.gaps,
        "incidents": incidents,
    }
    if as_json:
        print_json(values)
        return
    lost = f", {outcome.gaps} lost" if outcome.gaps else ""
    print_result(f"{outcome.path}\n{outcome.outcome}: {outcome.samples} samples{lost}")
