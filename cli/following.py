"""From a rig and a plan to the outcome of the run: what happens to the program meanwhile.

Signals are collected, never raised, from before the session exists until it is closed: the run is
asked to end, finalises, and the session is closed. A display that fails does not leave a run behind
either.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..instruments.driver import ReservedError
from ..instruments.protocols import DeviceState
from ..models.errors import DeviceError, OptobindError
from .gate import closing_the_gate
from .output import console_for_progress, warn
from .serving import served
from .signals import Endings, collected_endings

if TYPE_CHECKING:
    from rich.console import Console

    from ..acquisition.origin import RunOrigin
    from ..acquisition.plans import Plan
    from ..acquisition.run import RunOutcome
    from ..acquisition.session import Session
    from ..instruments.protocols import Device
    from ..instruments.rig import Rig
    from ..models.light import TweezerState

__all__ = ["carry_out", "clock_of", "connected", "measure"]

_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 60.0
_HANGING_SECONDS = 2.0  # a device that hangs while it is connected has nothing to be put in order
_FINALISE_SECONDS = 60.0


def measure(
    rig: Rig,
    plan: Plan,
    path: Path | None = None,
    origin: RunOrigin | None = None,
    *,
    light: TweezerState | None = None,
    serve: str | None = None,
) -> tuple[RunOutcome, int]:
    """Carry a plan out on a rig in a session of its own, and close that in any case.

    The rig is not connected yet; ``plan``, ``path``, ``origin``, ``light`` and what is returned are
    as of :func:`carry_out`. ``serve`` is an address at which remotes reach it meanwhile.
    """
    from ..acquisition.conditions import SIMULATION_LAGS
    from ..acquisition.session import Session

    with collected_endings() as late:
        session = Session(rig, live_fits=False)
        with closing_the_gate(session, lambda: bool(late.numbers)), served(session, serve):
            outcome, interruption = carry_out(session, plan, path, origin, light=light)
            lags = [e.text for e in session.take_log() if e.text.startswith(SIMULATION_LAGS)]
            if session.gate_trouble:
                warn([outcome.words()])
    warn([*session.slow_summary(), *lags])
    return outcome, interruption or late.exit_code


def carry_out(
    session: Session,
    plan: Plan,
    path: Path | None = None,
    origin: RunOrigin | None = None,
    *,
    light: TweezerState | None = None,
) -> tuple[RunOutcome, int]:
    """Connect and run a plan to its end with a progress display on stderr.

    Parameters
    ----------
    session : Session
        Not connected yet.
    plan : Plan
        What to do.
    path : Path or None
        The run file; None for a new folder.
    origin : RunOrigin or None
        What the file is to say of where the run comes from; None for what is known now.
    light : TweezerState or None
        Light to be set before, unless it is so already.

    Returns
    -------
    outcome : RunOutcome
        How the run ended.
    interruption : int
        Exit code of the signal that ended it (130 after Ctrl-C, 143 after SIGTERM, 129 after a
        closed terminal, 131 after SIGQUIT), 0 otherwise.

    Raises
    ------
    Interrupted
        If a signal came before the run.
    DeviceError
        If a device does not connect.
    """
    from ..acquisition.provenance import origin_now

    with collected_endings() as endings:
        connected(session, endings)
        warn([*session.remarks(), *session.slow_troubles()])
        applied = session.light().applied
        if light is not None and (applied is None or applied.state != light):
            session.set_light(light).result()
        future = session.start(plan, path, origin_now() if origin is None else origin)
        try:
            _show_progress(session, future, endings)
        except BaseException as error:
            _end_run(session, future)
            if isinstance(error, OSError):  # a reader that has gone would count as success
                raise OptobindError(f"the progress display failed: {error}") from error
            raise
        if isinstance(future.exception(), ReservedError):
            endings.raise_if_any()  # the card was waited for in vain
        return future.result(), endings.exit_code


def connected(session: Session, endings: Endings) -> None:
    """Connect every device; a signal, and a device that never answers, end the wait.

    Raises
    ------
    Interrupted
        If a signal came meanwhile.
    DeviceError
        If a device does not connect.
    """
    future = session.connect()
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not (future.done() or endings.numbers or time.monotonic() > deadline):
        wait([future], timeout=0.02)
    if not future.done():
        device = _hanging(session.rig)
        session.close(_HANGING_SECONDS)
        endings.raise_if_any()
        raise DeviceError(
            f"{device} did not answer within {_CONNECT_SECONDS:g} s while it was being connected: "
            "check its cable and power, and that no other program holds it"
        )
    endings.raise_if_any()
    future.result()


def _hanging(rig: Rig) -> str:
    """Name the device that is being connected: they are connected in turn."""
    there = (DeviceState.READY, DeviceState.RUNNING, DeviceState.FAULTED)
    waiting: list[tuple[str, Device]] = [(f, d) for f, d in rig.driven() if d.state not in there]
    connecting = [pair for pair in waiting if pair[1].state is DeviceState.CONNECTING]
    for family, device in connecting or waiting:
        return device.name if device.name == family else f"{family} {device.name}"
    return "the light control"  # every device answers; its light is being read back


def _end_run(session: Session, future: Future[RunOutcome]) -> None:
    """After a failure of ours: abort the run, see it finalised and say where its record is."""
    session.abort()
    wait([future], timeout=_FINALISE_SECONDS)
    if future.done() and not future.cancelled() and future.exception() is None:
        outcome = future.result()
        said = outcome.worth.words()
        sys.stderr.write(
            f"optobind: {outcome.outcome}: {outcome.samples} samples"
            f"{'; ' + said if said else ''} in {outcome.path}\n"
        )


def _pass_on(session: Session, endings: Endings) -> None:
    """Ask the run to end as the signals say; asking again does no harm."""
    if endings.urgency > 1:
        session.abort()
    elif endings.urgency:
        session.stop_after_repetition()


def _show_progress(session: Session, future: Future[Any], endings: Endings) -> None:
    """Follow the run until it has ended; a terminal sees a bar, a pipe only what holds it up."""
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
        said: list[str] = []
        while not future.done():
            status = session.status()
            fast = ", fast clock" if clock_of(session.rig) == "fast" else ""
            detail = f"{status.mode}{fast}  {status.recorded:,} samples"
            if status.lost_samples:
                detail += f"  {status.lost_samples:,} lost"
            if status.releases is not None and status.releases.left_out:
                detail += f"  {status.releases.words(so_far=True)}"
            _say_once(console, status.message, said)
            bar.update(
                task,
                description=status.message or status.state,
                total=None if status.progress is None else 1.0,
                completed=status.progress or 0.0,
                detail=detail,
            )
            _wait(session, future, endings)


def clock_of(rig: Rig) -> str:
    """Which clock the samples follow: the "real-time" of cards and of the wall, or "fast"."""
    return str(rig.config.get("clock", "real-time"))


def _say_once(console: Console, message: str, said: list[str]) -> None:
    """Tell a log file once what a run waits for; a terminal's bar shows it."""
    if message.startswith("waiting for") and not console.is_terminal and message not in said:
        said.append(message)
        console.print(message, soft_wrap=True)


def _wait(session: Session, future: Future[Any], endings: Endings) -> None:
    """Sleep a little, less when the run ends; pass signals on, which may come before the run."""
    until = time.monotonic() + _POLL_SECONDS
    while not future.done() and time.monotonic() < until:
        _pass_on(session, endings)
        time.sleep(0.01)
