"""``optobind gui``: open the window, or say in one line why that is not possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import DeviceError, InputError
from .options import ReadingOptions
from .serving import require_listening, served
from .signals import collected_endings
from .window_runs import answer_of, run_services

if TYPE_CHECKING:
    from ..analysis.recorded.session import RecordedSession
    from ..gui.services import Remotes, RunServices, Services
    from ..models.array import TrapArray

__all__ = ["open_record_window", "open_window", "require_one_source", "window_services"]


def require_one_source(
    run: Path | None,
    rig: str | None,
    settings: Sequence[str],
    reading: ReadingOptions,
    serve: str | None = None,
) -> None:
    """Refuse what belongs to a rig beside a RUN, and what belongs to a RUN without one.

    Raises
    ------
    InputError
        For a record and a rig at once, or reading options without a record.
    """
    if run is None:
        if reading != ReadingOptions():
            raise InputError("--rate, --key and --columns say how a RUN is read: name it as well")
        return
    if serve is not None:
        raise InputError(f"--serve is for experiments: {run} is looked at offline")
    if rig is not None or settings:
        raise InputError(
            f"{run} is looked at with the rig that it was recorded on: leave --rig and --set out"
        )
    if run.suffix.lower() == ".toml":
        raise InputError(f"{run} is a rig or plan, not a record: optobind gui --rig {run}")


def open_window(
    rig: str, settings: Sequence[str], shot: Path | None = None, serve: str | None = None
) -> int:
    """Open the window on a rig and return its exit code.

    Parameters
    ----------
    rig : str
        Shipped name or path.
    settings : sequence of str
        Changes to the rig.
    shot : path, optional
        Save a picture of the window there, and close.
    serve : str, optional
        Address at which remotes reach the session.

    Raises
    ------
    InputError
        Without PyQt6, pyqtgraph or a display.
    """
    require_listening(serve)
    from ..gui.check import begin_check

    begin_check()  # the display answers while the rest is imported
    from ..config.build import build_rig
    from ..config.load import read_rig

    built = build_rig(read_rig(rig, settings))
    from ..acquisition.session import Session
    from ..gui.app import run_window
    from ..gui.check import require_display

    require_display()
    # Qt ends the process for an exception within its loop: signals are collected.
    with collected_endings() as endings:
        session = Session(built)

        def begin() -> None:
            session.connect()
            session.stream(True)

        # Nothing real is touched by a simulation or a replay: show traces at once. Hardware waits
        # for the user's click.
        background = None if built.mode == "LIVE" else begin
        try:
            # mypy checks here that a Session is all that the window asks.
            with served(session, serve) as server:
                code = run_window(
                    session,
                    shot=shot,
                    begin=background,
                    services=window_services(run_services(session), server),
                    urgency=lambda: endings.urgency,
                )
        finally:
            session.close()
    if session.gate_trouble:
        raise DeviceError(session.gate_trouble)
    return endings.exit_code or code


def open_record_window(run: Path, reading: ReadingOptions, shot: Path | None = None) -> int:
    """Open the window on a record and return its exit code; no device is touched.

    Parameters
    ----------
    run : Path
        A run file, the folder of one, or any other record.
    reading : ReadingOptions
        How a foreign file is to be read.
    shot : path, optional
        Save a picture of the window there, and close.

    Raises
    ------
    FileError
        If the file is missing, damaged or foreign.
    InputError
        Without PyQt6, pyqtgraph or a display.
    """
    from ..gui.check import begin_check

    begin_check()
    from .runs import run_file_of

    path = run_file_of(run).resolve()
    session = _opened(path, reading)
    try:
        from ..gui.app import run_window

        with collected_endings() as endings:
            code = run_window(
                session, shot=shot, services=window_services(), urgency=lambda: endings.urgency
            )
    finally:
        session.close()
    return endings.exit_code or code


def window_services(runs: RunServices | None = None, remotes: Remotes | None = None) -> Services:
    """What the window asks for files; the work itself is that of the commands."""
    from ..gui.services import Services

    return Services(open=_open_any, report=_report, compare=_compare, runs=runs, remotes=remotes)


def _open_any(path: Path) -> RecordedSession:
    from .runs import run_file_of

    return _opened(run_file_of(path), ReadingOptions())


def _opened(path: Path, reading: ReadingOptions) -> RecordedSession:
    from ..analysis.recorded.opening import open_recorded

    return open_recorded(path, _trap_of, **asdict(reading))


def _trap_of(document: Mapping[str, Any]) -> TrapArray | None:
    """Particles and light of a rig; None of one that this version does not understand."""
    from ..config.build import build_trap
    from ..config.load import rig_from_dict

    try:
        return build_trap(rig_from_dict(dict(document)))
    except (InputError, KeyError, TypeError, ValueError):
        return None  # there is no prediction then; the samples are what they are


def _report(path: Path) -> Path:
    return Path(str(answer_of("report", str(path))["report"]))


def _compare(one: Path, other: Path) -> Mapping[str, Any]:
    return answer_of("compare", str(one), str(other))
