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
    from ..acquisition.sweeps.folder import SweepFolder, SweepHeader
    from ..acquisition.sweeps.plan import SweepPlan
    from ..acquisition.sweeps.rows import Row
    from ..acquisition.sweeps.runner import SweepOutcome, SweepRunner
    from ..config.load import LoadedRig
    from ..instruments.rig import Rig

__all__ = ["resume_sweep", "run_sweep"]

_POLL_SECONDS = 0.05
_REPORT_SECONDS = 15.0  # between two reports of a sweep that goes on


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
    from ..acquisition.estimates import estimate, require_room
    from ..acquisition.session import new_run_path
    from ..acquisition.sweeps.folder import SweepFolder, SweepHeader, is_sweep_folder

    path = new_run_path(Path("runs"), plan.kind).parent if out is None else out
    if is_sweep_folder(path):
        raise FileError(
            f"{path} holds a sweep already: go on with it (optobind resume {path}) or choose "
            "another folder"
        )
    if rig.mode == "REPLAY":
        raise InputError(f"rig {rig.name} replays a record: there is nothing that could be swept")

    def begin(session: Session) -> SweepFolder:
        # Now, as a real digitizer says only when it is connected how much it samples.
        require_room(estimate(plan, rig.digitizer.info), path, plan.suspend.disk_free)
        applied = session.light().applied
        if applied is None:
            raise InputError(
                f"the light of rig {rig.name} is not known: set it once (in the window), then "
                "sweep it"
            )
        config, created = rig.config, time.time()
        header = SweepHeader(plan, rig.mode, config, applied.state, origin, created)
        _rehearse(session, header, path)
        made.append(SweepFolder.create(path, header))
        return made[0]

    made: list[SweepFolder] = []
    try:
        return _carry_out(rig, begin, notifier, as_json, serve)
    except OptobindError:
        for folder in made:
            folder.discard()  # refused before anything was sent: free for a better plan
        raise


def _rehearse(session: Session, header: SweepHeader, path: Path) -> None:
    """Look at what a program would do before it begins: its own faults, limits and the disk.

    Raises
    ------
    InputError
        If it fails, asks for light that is not allowed, or does not fit on the disk.
    """
    from ..acquisition.estimates import estimate_points, require_room
    from ..acquisition.sweeps.programs.plan import ProgramPlan
    from ..acquisition.sweeps.programs.rehearsal import rehearse
    from ..acquisition.sweeps.runner import refusal
    from ..acquisition.sweeps.stations import Stations

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
        _compare_light(session, folder, accept_light)
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


def _compare_light(session: Session, folder: SweepFolder, accepted: bool) -> None:
    """Refuse to go on where somebody else has set the light since, unless that is accepted."""
    from ..acquisition.sweeps.stations import difference

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
            report = _Reports(folder)
            runner = SweepRunner(
                session, folder, fit_point, on_row=report.after_row, notifier=notifier
            )
            outcome = _followed(runner, session, endings)
            report.write(list(outcome.rows))
    notifier.finish()
    warn(session.slow_summary())
    return _answer(outcome, endings, clock_of(rig), as_json)


class _Reports:
    """Writes the report of a sweep as it grows, not more often than it is worth."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder, self._next = folder, time.monotonic() + _REPORT_SECONDS

    def after_row(self, rows: list[Row]) -> None:
        """Write it where the last one is old; a full disk is no reason to stop measuring."""
        if time.monotonic() >= self._next:
            self.write(rows)

    def write(self, rows: list[Row]) -> None:
        """Write it."""
        from ..analysis.report.sweep import write_sweep_report

        begin = time.monotonic()
        try:
            write_sweep_report(self._folder, rows)
        except Exception as error:  # no page is worth the points that are yet to be measured
            warn([f"the report could not be written: {error}"])
        took = time.monotonic() - begin
        self._next = time.monotonic() + max(_REPORT_SECONDS, 20.0 * took)


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
