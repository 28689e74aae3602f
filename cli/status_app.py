"""The command that looks at a running experiment: its options."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from .arguments import JsonOption

__all__ = ["status"]


def status(
    where: Annotated[
        Optional[str],  # noqa: UP045 - the parser needs the spelled-out form
        typer.Argument(
            metavar="[WHERE]",
            help="NAME, NAME:PID or tcp://HOST:PORT?token=…; the only one on this computer.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the experiment ends, or Ctrl-C.")
    ] = False,
    address: Annotated[
        bool,
        typer.Option("--address", help="Print its address with the token, for other computers."),
    ] = False,
    take_back: Annotated[
        bool,
        typer.Option("--take-back", help="Take the knobs from whatever remote holds them."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what an experiment does that runs with --serve: run, light, newest fit."""
    from .status import StatusOptions, show_status

    show_status(where, StatusOptions(follow, address, take_back, as_json))
