"""The commands ``optobind fit batch …`` and their options.

They are not ``fit spectrum`` with more files: several files there are channels or runs of one
record, and ``--out`` is a folder. Here each file is a record, and ``--out`` is one table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from .arguments import BandOption, ChannelsOption, ColumnsOption, JsonOption, KeyOption, RateOption

__all__ = ["batch_app"]

batch_app = typer.Typer(
    help="Fit many files, each by itself, into one table; a second call goes on.",
    no_args_is_help=False,
)

_Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Records, or patterns such as '*.h5'.")
]
_Table = Annotated[
    Path, typer.Option("--out", metavar="TABLE", help="One line a fit: .csv or .parquet.")
]
_Blocks = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--blocks", metavar="TIME", help='Fit blocks of this length: s, or "200 ms".'),
]
_Jobs = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--jobs", metavar="N", help="Processes; one for each core by default.", min=1),
]
_Scheduler = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, tcp://host:8786."),
]
_Retry = Annotated[bool, typer.Option("--retry", help="Try again what failed before.")]


@batch_app.command("spectrum")
def batch_spectrum(
    files: _Files,
    out: _Table,
    model: Annotated[
        Optional[Literal["single", "pair"]],  # noqa: UP045
        typer.Option("--model", help="Default: pair if two channels are chosen, else single."),
    ] = None,
    band: BandOption = None,
    channels: ChannelsOption = None,
    segment: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--segment", metavar="N", help="Samples per segment."),
    ] = None,
    exclude: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--exclude", metavar="LO HI", help="Frequencies to leave out. Repeats."),
    ] = None,
    delay: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--delay", metavar="TIME", help='Channel 2 after channel 1: s, or "1 us".'),
    ] = None,
    mixing: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--mixing", metavar="E[,E]", help="Known cross-talk: 5 %, or T12,T21."),
    ] = None,
    blocks: _Blocks = None,
    jobs: _Jobs = None,
    scheduler: _Scheduler = None,
    retry: _Retry = False,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the spectra of many files, a line of the table each."""
    from .batch import BatchOptions, fit_batch
    from .options import (
        band_option,
        exclude_option,
        mixing_option,
        quantity_option,
        reading_options,
    )

    options = {
        "model": model,
        "band": band_option(band),
        "channels": None if channels is None else channels.split(","),
        "segment": segment,
        "exclude": exclude_option(exclude),
        "delay": quantity_option("--delay", delay, "s", signed=True),
        "mixing": mixing_option(mixing),
    }
    how = BatchOptions(quantity_option("--blocks", blocks, "s"), jobs, scheduler, retry)
    reading = reading_options(rate, key, columns)
    fit_batch("spectrum", files, options, reading, how, out, as_json)


@batch_app.command("reheating")
def batch_reheating(
    files: _Files,
    out: _Table,
    band: BandOption = None,
    release_index: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--release-index", metavar="N", help="Sample of the release in each row."),
    ] = None,
    phase: Annotated[
        Optional[Literal["as-set", "reversed"]],  # noqa: UP045
        typer.Option("--phase", help="Releases of a reversed phase."),
    ] = None,
    channels: ChannelsOption = None,
    estimator: Annotated[
        Literal["exact", "transitions", "curves"],
        typer.Option("--estimator", help="Whose numbers are in the table."),
    ] = "exact",
    blocks: _Blocks = None,
    jobs: _Jobs = None,
    scheduler: _Scheduler = None,
    retry: _Retry = False,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the releases of many files, a line of the table each."""
    from .batch import BatchOptions, fit_batch
    from .options import band_option, quantity_option, reading_options

    options = {
        "band": band_option(band),
        "release_index": release_index,
        "phase": phase,
        "channels": None if channels is None else channels.split(","),
        "estimator": estimator,
    }
    how = BatchOptions(quantity_option("--blocks", blocks, "s"), jobs, scheduler, retry)
    reading = reading_options(rate, key, columns)
    fit_batch("reheating", files, options, reading, how, out, as_json)
