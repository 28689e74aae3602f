"""Commands about rig and plan files: what there is, new ones, checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .arguments import JsonOption

__all__ = ["add_file_commands", "config_app"]

config_app = typer.Typer(help="Work on rig and plan files.", no_args_is_help=False)

_FolderArgument = Annotated[
    Optional[Path],  # noqa: UP045 - the parser needs the spelled-out form
    typer.Argument(metavar="DIR", help="List its TOML files, too.", show_default=False),
]


def _choice(name: str, text: str) -> typer.models.OptionInfo:
    """Make the option of a quantity or a driver of a new rig."""
    option: typer.models.OptionInfo = typer.Option(name, help=text, show_default=False)
    return option


@config_app.command("check")
def config_check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A rig or plan file.")],
    every: Annotated[bool, typer.Option("--all", help="Say every problem, a line each.")] = False,
) -> None:
    """Validate a rig or plan file."""
    from .check import check_file

    check_file(file, every)


@config_app.command("new")
def config_new(
    what: Annotated[
        str,
        typer.Argument(metavar="KIND", help="rig, monitor, reheating, sequence or sweep."),
    ],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="Where to write it; printed by default."),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for what no option says, a few questions.")
    ] = False,
    particles: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--particles", metavar="N", help="In a row along x; 2.", show_default=False),
    ] = None,
    radius: Annotated[Optional[str], _choice("--radius", 'Of each; "70 nm".')] = None,  # noqa: UP045
    material: Annotated[Optional[str], _choice("--material", "silica.")] = None,  # noqa: UP045
    distance: Annotated[
        Optional[str],  # noqa: UP045
        _choice("--distance", 'Of neighbours; "3 um".'),
    ] = None,
    wavelength: Annotated[Optional[str], _choice("--wavelength", '"1064 nm".')] = None,  # noqa: UP045
    power: Annotated[Optional[str], _choice("--power", 'Of each tweezer; "200 mW".')] = None,  # noqa: UP045
    waist: Annotated[Optional[str], _choice("--waist", 'Of each tweezer; "0.75 um".')] = None,  # noqa: UP045
    pressure: Annotated[Optional[str], _choice("--pressure", '"1e-6 mbar".')] = None,  # noqa: UP045
    devices: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--device",
            metavar="FAMILY=DRIVER",
            help="A real device, such as digitizer=ni or light=slm+rf; none: simulated. Repeats.",
        ),
    ] = None,
) -> None:
    """Write a new rig or plan file, with a comment at every key."""
    from .new import new_file

    given = {
        "particles": particles,
        "radius": radius,
        "material": material,
        "distance": distance,
        "wavelength": wavelength,
        "power": power,
        "waist": waist,
        "pressure": pressure,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    new_file(what, chosen, devices or [], out, ask)


def add_file_commands(app: typer.Typer) -> None:
    """Add ``rigs``, ``plans`` and ``config`` to the command."""
    app.command("rigs")(_rigs)
    app.command("plans")(_plans)
    app.add_typer(config_app, name="config")


def _rigs(folder: _FolderArgument = None, as_json: JsonOption = False) -> None:
    """List the shipped rigs, and those of a directory."""
    from .new import list_files

    list_files("rigs", folder, as_json)


def _plans(folder: _FolderArgument = None, as_json: JsonOption = False) -> None:
    """List the shipped plans, and those of a directory."""
    from .new import list_files

    list_files("plans", folder, as_json)
