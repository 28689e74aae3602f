"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = [
    "BandOption",
    "ChannelsOption",
    "FileArgument",
    "IntervalsOption",
    "JsonOption",
    "OutOption",
    "RateOption",
    "RigArgument",
    "RigOption",
    "SetOption",
]

RigOption = Annotated[str, typer.Option("--rig", help="Shipped rig or a TOML file.")]
SetOption = Annotated[
    Optional[list[str]],  # noqa: UP045 - the parser needs the spelled-out form
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change one value; plan.… addresses the plan. Repeats."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OutOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", metavar="DIR", help="Directory for the results."),
]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Run file, NPZ, LeCroy .raw/.trc or CSV.")
]
BandOption = Annotated[
    Optional[tuple[str, str]],  # noqa: UP045
    typer.Option("--band", metavar="LO HI", help='Frequencies to fit: Hz, or "30 kHz".'),
]
ChannelsOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--channels", metavar="0,1", help="Columns to fit, particle 1 first."),
]
RigArgument = Annotated[str, typer.Argument(metavar="RIG", help="Shipped rig or a TOML file.")]
IntervalsOption = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option("--intervals/--no-intervals", help="Intervals by profile likelihoods."),
]
RateOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--rate", metavar="RATE", help='Sample rate where a file states none: Hz, or "2 MHz".'
    ),
]
