"""``optobind run`` of a sweep and ``optobind resume``: begin it, or go on with it, to its end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError, InputError, OptobindError
from .following import clock_of, connected
from .gate import closing_the_gate
from .output import console_for_progress, print_json, print_result, warn
from .seek import NOT_REACHED, verdict_lines
from .serving import require_listening, served
from .signals import Endings, collected_endings, word_of

if TYPE_CHECKING:
    from ..acquisition.notify import Notifier
    from ..acquisition.session import Session
    from ..acquisition.sweeps.folder import SweepFolder
    from ..acquisition.sweeps.plan import SweepPlan
    from ..acquisition.sweeps.runner import SweepOutcome, SweepRunner
    from ..config.load import LoadedRig
    from ..instruments.rig import Rig

__all__ = ["resume_sweep", "run_sweep"]

_POLL_SECONDS = 0.05


def run_sweep(
    plan: SweepPlan,
    rig: Rig,
    out: Path | None,
    origin: dict[str, Any],
    notifier: Notifier,
    as_json: bool,
    serve: str | None = None,
) -> int:
    """Begin a sweep in a new folder and carry it out; return the exit code."""
    from ..acquisition.session import new_run_path
    from ..acquisition.sweeps.beginning import begin_sweep, require_new_sweep

    path = new_run_path(Path("runs"), plan.kind).parent if out is None else out
    require_new_sweep(path, rig.mode, rig.name)

    def begin(session: Session) -> SweepFolder:
        made.append(begin_sweep(session, plan, path, origin))
        return made[0]

    made: list[SweepFolder] = []
    try:
        return _carry_out(rig, begin, notifier, as_json, serve)
    except OptobindError:
        for folder in made:
            folder.discard()  # refused before anything was sent: free for a better plan
        raise


def resume_sweep(
    path: Path,
    rig: str | None,
    accept_light: bool,
    notify: str,
    as_json: bool,
    serve: str | None = None,
) -> int:
    """Go on with the sweep of a folder; return the exit code."""
    from ..acquisition.notify import Notifier
    from ..acquisition.sweeps.beginning import require_same_light
    from ..acquisition.sweeps.folder import SweepFolder
    from ..config.build import build_rig
    from ..config.load import LoadedRig, read_rig, rig_from_dict

    require_listening(serve)
    folder, notifier = SweepFolder(path), Notifier(notify, lambda text: warn([text]))
    if rig is None:
        document = folder.header.config.get("rig")
        if not isinstance(document, dict):
            raise FileError(f"{path} holds no rig: name one, --rig RIG")
        name = str(folder.header.config.get("name", "rig"))
        loaded = LoadedRig(name, rig_from_dict(document, f"rig of {path}"), document)
    else:
        loaded = read_rig(rig)
        _compare_rigs(loaded, folder)
    built = build_rig(loaded, watched=False)
    if built.mode != folder.header.mode:
        raise InputError(
            f"{path} was begun {folder.header.mode}, rig {built.name} is {built.mode}: one sweep "
            "does not mix them"
        )

    def begin(session: Session) -> SweepFolder:
        require_same_light(session, folder, accepted=accept_light)
        return folder

    return _carry_out(built, begin, notifier, as_json, serve)


def _compare_rigs(rig: LoadedRig, folder: SweepFolder) -> None:
    """Refuse another simulated rig than that of the beginning; say what of a real one differs."""
    from .compare import differences

    found = differences(folder.header.config.get("rig") or {}, rig.source)
    if not found:
        return
    keys = ", ".join(list(found)[:5]) + (", …" if len(found) > 5 else "")
    if folder.header.mode == "SIM":
        raise InputError(
            f"rig {rig.name} is not that of {folder.path}, they differ in {keys}: one sweep does "
            "not mix them; leave out --rig"
        )
    text = f"rig {rig.name} is not as it was when the sweep began: {keys} differ"
    warn([text])
    folder.journal.write("note", text=text)


def _carry_out(
    rig: Rig,
    begin: Callable[[Session], SweepFolder],
    notifier: Notifier,
    as_json: bool,
    serve: str | None = None,
) -> int:
    """Carry a sweep out in a session of its own, and close that in any case."""
    from ..acquisition.session import Session
    from ..acquisition.sweeps.runner import SweepRunner
    from ..analysis.report.sweep_reports import SweepReports
    from ..analysis.sweep import fit_point

    with collected_endings() as endings:
        session = Session(rig, live_fits=False)
        with (
            closing_the_gate(session, lambda: bool(endings.numbers)),
            served(session, serve, steering=False),
        ):
            connected(session, endings)
            warn(session.slow_troubles())
            folder = begin(session)
            report = SweepReports(folder, lambda text: warn([text]))
            runner = SweepRunner(
                session, folder, fit_point, on_row=report.after_row, notifier=notifier
            )
            outcome = _followed(runner, session, endings)
            report.write(list(outcome.rows))
    notifier.finish()
    warn(session.slow_summary())
    return _answer(outcome, endings, clock_of(rig), as_json)


def _followed(runner: SweepRunner, session: Session, endings: Endings) -> SweepOutcome:
    """Carry a sweep out in a thread of its own, with a progress display; signals are passed on."""
    future: Future[SweepOutcome] = Future()

    def work() -> None:
        try:
            future.set_result(runner.carry_out())
        except BaseException as error:  # handed to whoever waits
            future.set_exception(error)

    thread = threading.Thread(target=work, name="sweep")
    thread.start()
    try:
        with _progress(runner, session) as show:
            while not future.done():
                if endings.urgency > 1 or len(endings.numbers) > 1:
                    runner.request_abort()
                elif endings.urgency:
                    runner.request_stop()
                show()
                time.sleep(_POLL_SECONDS)
    except BaseException as error:
        runner.request_abort()
        thread.join()
        if isinstance(error, OSError):
            raise OptobindError(f"the progress display failed: {error}") from error
        raise
    thread.join()
    return future.result()


@contextlib.contextmanager
def _progress(runner: SweepRunner, session: Session) -> Iterator[Callable[[], None]]:
    """Show points on stderr: a bar on a terminal, a line a point in a log."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TimeElapsedColumn

    from .console import ShownColumn

    console = console_for_progress()
    columns = (
        SpinnerColumn(),
        ShownColumn("{task.description}"),
        BarColumn(),
        ShownColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("preparing", total=None, detail="")

        def show() -> None:
            status = runner.status()
            detail = f"{session.rig.mode}  {status.done} of {status.planned} points"
            bar.update(
                task,
                description=status.message,
                total=status.planned,
                completed=status.done,
                detail=detail,
            )

        yield show


def _answer(outcome: SweepOutcome, endings: Endings, clock: str, as_json: bool) -> int:
    """Print what there is; return the exit code."""
    counts = _counts(outcome)
    said = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    if outcome.state == "failed":
        error = OptobindError(
            f"the sweep ended: {outcome.reason}; {said or 'no point'} in {outcome.folder}; go on "
            f"with optobind resume {outcome.folder}"
        )
        error.exit_code = outcome.exit_code or 1
        raise error
    code = endings.exit_code
    if code:
        console_for_progress().print(
            f"optobind: {word_of(code)}, {said or 'no point'} in {outcome.folder}; go on with "
            f"optobind resume {outcome.folder}",
            soft_wrap=True,
        )
        return code
    values = {
        "path": str(outcome.folder),
        "report": str(outcome.folder / "report.html"),
        "state": outcome.state,
        "reason": outcome.reason,
        "points": len(outcome.rows),
        **counts,
        "clock": clock,
    }
    verdict = outcome.verdict
    if verdict is not None:
        values["seek"] = verdict.values
    if as_json:
        print_json(values)
    else:
        fast = ", fast clock" if clock == "fast" else ""
        print_result(f"{outcome.folder}\n{outcome.state}: {said or 'no point'}{fast}")
        if outcome.reason:
            print_result(outcome.reason)
        if verdict is not None:
            print_result("\n".join(verdict_lines(verdict)))
    if verdict is not None and not verdict.at_point:
        return NOT_REACHED
    return outcome.exit_code


def _counts(outcome: SweepOutcome) -> dict[str, int]:
    """Number of points measured, fitted and left out."""
    rows = outcome.rows
    return {
        "measured": sum(row.outcome != "skipped" for row in rows),
        "fitted": sum(row.fit is not None and row.fit.converged for row in rows),
        "left out": sum(row.outcome == "skipped" for row in rows),
    }
