"""Commands on runs that have been made: list, report, compare, rerun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .arguments import JsonOption, OutOption

__all__ = ["add_run_commands"]

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run file, its folder, or the folder of a sweep.")
]


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where runs lie.")] = Path("runs"),
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--filter", metavar="WORD", help="Only runs of which this is said. Repeats."),
    ] = None,
    tag: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--tag", metavar="TAG", help="Give a tag to all that are listed. Repeats."),
    ] = None,
    untag: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--untag", metavar="TAG", help="Take a tag from all listed. Repeats."),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Also what runs are worth, and stored fits.")
    ] = False,
    newest: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--newest", metavar="N", help="Only so many of the newest files.", min=1),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List runs and sweeps: when, what, on which rig, how they ended, notes and tags."""
    from .runs import RunsOptions, show_runs

    show_runs(folder, words or [], tag or [], untag or [], RunsOptions(details, newest, as_json))


def report(
    run: RunArgument,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="The page; beside the run by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a run and write its report: one page with figures, settings and events."""
    from .runs import write_report_of

    write_report_of(run, out, as_json)


def compare(
    one: RunArgument,
    other: RunArgument,
    as_json: JsonOption = False,
) -> None:
    """Set two runs or sweeps side by side: settings and fitted values that differ."""
    from .compare import compare_runs

    compare_runs(one, other, as_json)


def rerun(run: RunArgument, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Simulate a run once more as its file says, and compare every sample."""
    from .output import require_makeable

    require_makeable(out)
    from .rerun import rerun as carry_out

    code = carry_out(run, out, as_json)
    if code:
        raise typer.Exit(code)


def add_run_commands(app: typer.Typer) -> None:
    """Add the commands to an application."""
    for command in (runs, report, compare, rerun):
        app.command(command.__name__)(command)
