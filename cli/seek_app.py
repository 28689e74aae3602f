"""``optobind seek``: bring a rig to a working point by live fits."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from .arguments import (
    JsonOption,
    NoteOption,
    NotifyOption,
    OutOption,
    RigOption,
    ServeOption,
    SetOption,
)

__all__ = ["seek"]


def seek(
    point: Annotated[
        str,
        typer.Argument(
            metavar="POINT",
            help="reciprocal (I), unidirectional (II), antireciprocal (III), noise-correlated "
            "(IV), exceptional-point, given.",
        ),
    ],
    rig: RigOption,
    accuracy: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--accuracy", metavar="SHARE", help='Wanted error over G/kd: "3 %".'),
    ] = None,
    max_settings: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--max-settings", metavar="N", help="Then it ends where it is."),
    ] = None,
    allow_unstable: Annotated[
        bool, typer.Option("--allow-unstable", help="Go where the pair may grow.")
    ] = False,
    out: OutOption = None,
    settings: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do at most; no more.")
    ] = False,
    note: NoteOption = "",
    notify: NotifyOption = "",
    serve: ServeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a rig to a working point by live fits, calibrating it on the way."""
    from .output import require_makeable

    require_makeable(out)
    from .run import RunOptions
    from .seek import SeekOptions, seek_point

    wanted = SeekOptions(point, accuracy, max_settings, allow_unstable)
    options = RunOptions(note, notify, dry_run, as_json, serve)
    code = seek_point(wanted, rig, out, settings or [], options)
    if code:
        raise typer.Exit(code)
