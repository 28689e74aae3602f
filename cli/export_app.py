"""The command ``optobind export`` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .arguments import (
    ChannelsOption,
    ColumnsOption,
    FileArgument,
    JsonOption,
    KeyOption,
    RateOption,
)

__all__ = ["export"]


def export(
    file: FileArgument,
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="nc, csv, mat, npz, parquet or zarr.")
    ],
    what: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--what",
            metavar="A,B",
            help="Of samples, spectra, curves, fits, slow, events. Default: all that is recorded.",
        ),
    ] = None,
    channels: ChannelsOption = None,
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--from", metavar="TIME", help='First samples: s, or "2 ms".'),
    ] = None,
    stop: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--to-time", metavar="TIME", help='Up to there: s, or "2 ms".'),
    ] = None,
    decimate: Annotated[
        int,
        typer.Option("--decimate", metavar="N", help="Every Nth sample behind a low-pass."),
    ] = 1,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="PATH", help="File or folder to make; beside FILE if not."),
    ] = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a record for other programs: samples, spectra, curves, fits, slow channels, events."""
    from .export import ExportOptions, export_file
    from .options import quantity_option, reading_options

    options = ExportOptions(
        to,
        what,
        channels,
        quantity_option("--from", start, "s"),
        quantity_option("--to-time", stop, "s"),
        decimate,
        out,
    )
    export_file(file, reading_options(rate, key, columns), options, as_json)
