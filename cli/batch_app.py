"""The commands ``optobind fit batch …`` and their options.

They are not ``fit spectrum`` with more files: several files there are channels or runs of one
record, and ``--out`` is a folder. Here each file is a record, and ``--out`` is one table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .arguments import (
    BandOption,
    BlockOption,
    ChannelsOption,
    ColumnsOption,
    CommonNoiseOption,
    DelayOption,
    ExcludeOption,
    GammaPriorOption,
    JsonOption,
    KeyOption,
    MixingOption,
    ModelOption,
    PhaseOption,
    PowerOption,
    RateOption,
    ReheatingEstimatorOption,
    ReleaseIndexOption,
    SegmentOption,
    SpectrumEstimatorOption,
)

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
    model: ModelOption = None,
    band: BandOption = None,
    channels: ChannelsOption = None,
    segment: SegmentOption = None,
    exclude: ExcludeOption = None,
    delay: DelayOption = None,
    mixing: MixingOption = None,
    estimator: SpectrumEstimatorOption = None,
    gamma_prior: GammaPriorOption = "auto",
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
        "estimator": estimator,
        "gamma_prior": None if gamma_prior == "auto" else False,
    }
    how = BatchOptions(quantity_option("--blocks", blocks, "s"), jobs, scheduler, retry)
    reading = reading_options(rate, key, columns)
    fit_batch("spectrum", files, options, reading, how, out, as_json)


@batch_app.command("reheating")
def batch_reheating(
    files: _Files,
    out: _Table,
    band: BandOption = None,
    release_index: ReleaseIndexOption = None,
    phase: PhaseOption = None,
    power: PowerOption = None,
    channels: ChannelsOption = None,
    estimator: ReheatingEstimatorOption = "exact",
    delay: DelayOption = None,
    mixing: MixingOption = None,
    common_noise: CommonNoiseOption = False,
    block: BlockOption = None,
    gamma_prior: GammaPriorOption = "auto",
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
    from .options import band_option, mixing_option, quantity_option, reading_options

    options = {
        "band": band_option(band),
        "release_index": release_index,
        "phase": phase,
        "channels": None if channels is None else channels.split(","),
        "power": power,
        "estimator": estimator,
        "delay": quantity_option("--delay", delay, "s", signed=True),
        "mixing": mixing_option(mixing),
        "common_noise": common_noise or None,
        "block": block,
        "gamma_prior": None if gamma_prior == "auto" else False,
    }
    how = BatchOptions(quantity_option("--blocks", blocks, "s"), jobs, scheduler, retry)
    reading = reading_options(rate, key, columns)
    fit_batch("reheating", files, options, reading, how, out, as_json)
