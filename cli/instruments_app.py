"""The commands ``optobind instruments …`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .arguments import JsonOption, RigArgument, SetOption

__all__ = ["instruments_app"]

instruments_app = typer.Typer(help="Look at drivers and devices.", no_args_is_help=False)


@instruments_app.command("list")
def instruments_list(as_json: JsonOption = False) -> None:
    """List the drivers, those of plugins included."""
    from .instruments import list_drivers

    list_drivers(as_json)


@instruments_app.command("check")
def instruments_check(
    rig: RigArgument, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check drivers and options of a rig without connecting."""
    from .instruments import check_rig

    code = check_rig(rig, settings or [], as_json)
    if code:
        raise typer.Exit(code)


@instruments_app.command("identify")
def instruments_identify(
    rig: RigArgument, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Connect to each device of a rig, read it and disconnect; nothing is written."""
    from .instruments import identify_rig

    code = identify_rig(rig, settings or [], as_json)
    if code:
        raise typer.Exit(code)


@instruments_app.command("test")
def instruments_test(
    rig: RigArgument,
    settings: SetOption = None,
    channel: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--channel", metavar="NAME", help="Channel on which the gate's edge shows."),
    ] = None,
    shows: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--shows", metavar="WHAT", help='What it shows: "line" or "feedback".'),
    ] = None,
    edges: Annotated[int, typer.Option("--edges", help="How often the gate is switched.")] = 20,
    dwell: Annotated[
        str, typer.Option("--dwell", metavar="TIME", help='Time between two edges, "50 ms".')
    ] = "50 ms",
    common: Annotated[
        str, typer.Option("--common", metavar="A,B,…", help="Channels that see a common signal.")
    ] = "",
    sure: Annotated[
        bool, typer.Option("--yes", help="Open the gate though particles may be trapped.")
    ] = False,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="Write the fragment of the rig file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Loop-back test: polarity, delay, jitter and latency of the gate, skew of the channels."""
    from .instruments_test import LoopbackOptions, run_loopback
    from .options import choice_option, quantity_option

    names = tuple(name.strip() for name in common.split(",") if name.strip())
    code = run_loopback(
        rig,
        settings or [],
        LoopbackOptions(
            channel=channel,
            shows=choice_option("--shows", shows, ("line", "feedback")),  # type: ignore[arg-type]
            edges=edges,
            dwell=quantity_option("--dwell", dwell, "s") or 0.0,
            common=names,
            sure=sure,
            out=out,
            as_json=as_json,
        ),
    )
    if code:
        raise typer.Exit(code)
