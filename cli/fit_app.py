"""The commands ``optobind fit …`` and their options."""

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
    FilesArgument,
    GammaPriorOption,
    IntervalsOption,
    JsonOption,
    KeyOption,
    MixingOption,
    ModelOption,
    OutOption,
    PhaseOption,
    PowerOption,
    RateOption,
    ReheatingEstimatorOption,
    ReleaseIndexOption,
    SegmentOption,
    SpectrumEstimatorOption,
)
from .batch_app import batch_app

__all__ = ["fit_app"]

fit_app = typer.Typer(help="Fit recorded data.", no_args_is_help=False)
fit_app.add_typer(batch_app, name="batch")


@fit_app.command("spectrum")
def fit_spectrum(
    files: FilesArgument,
    model: ModelOption = None,
    band: BandOption = None,
    channels: ChannelsOption = None,
    segment: SegmentOption = None,
    rate: RateOption = None,
    exclude: ExcludeOption = None,
    delay: DelayOption = None,
    mixing: MixingOption = None,
    estimator: SpectrumEstimatorOption = None,
    gamma_prior: GammaPriorOption = "auto",
    intervals: IntervalsOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit averaged spectra: one particle or a coupled pair."""
    from .output import require_makeable

    require_makeable(out)
    from .fit import SpectrumOptions, fit_spectrum_file
    from .options import (
        band_option,
        exclude_option,
        mixing_option,
        quantity_option,
        reading_options,
    )

    options = SpectrumOptions(
        model,
        band_option(band),
        channels,
        segment,
        intervals,
        exclude_option(exclude),
        quantity_option("--delay", delay, "s", signed=True),
        mixing_option(mixing),
        estimator,
        gamma_prior == "auto",
    )
    fit_spectrum_file(files, reading_options(rate, key, columns), options, out, as_json)


@fit_app.command("reheating")
def fit_reheating(
    files: FilesArgument,
    band: BandOption = None,
    release_index: ReleaseIndexOption = None,
    phase: PhaseOption = None,
    power: PowerOption = None,
    channels: ChannelsOption = None,
    estimator: ReheatingEstimatorOption = "exact",
    intervals: IntervalsOption = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    gate: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--gate", metavar="CHANNEL", help="Channel of the feedback gate: low is off."),
    ] = None,
    trigger: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--trigger", metavar="CHANNEL", help="Channel whose rising edges release."),
    ] = None,
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Gate: high is off; trigger: falling edges.")
    ] = False,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--duration", metavar="TIME", help='Length of a release: s, or "2 ms".'),
    ] = None,
    delay: DelayOption = None,
    mixing: MixingOption = None,
    common_noise: CommonNoiseOption = False,
    block: BlockOption = None,
    gamma_prior: GammaPriorOption = "auto",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit what happens after the releases of one particle or of a pair."""
    from .output import require_makeable

    require_makeable(out)
    from .fit import ReheatingOptions, fit_reheating_file
    from .options import band_option, mixing_option, quantity_option, reading_options

    options = ReheatingOptions(
        band_option(band),
        release_index,
        channels,
        gate,
        trigger,
        inverted,
        quantity_option("--duration", duration, "s"),
        phase,
        power,
        estimator,
        intervals,
        quantity_option("--delay", delay, "s", signed=True),
        mixing_option(mixing),
        common_noise,
        block,
        gamma_prior == "auto",
    )
    fit_reheating_file(files, reading_options(rate, key, columns), options, out, as_json)


@fit_app.command("global")
def fit_global(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run files of one pair at any light.")
    ],
    share: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--share",
            metavar="A,B",
            help="Besides G: kd, phase, equilibria, lines, mixing, gains, delay, common, power.",
        ),
    ] = None,
    block: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--block", metavar="N", help="Repetitions with a drift of their own.", min=1),
    ] = None,
    delay: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--delay", metavar="TIME", help='Channel 2 after channel 1: "1 us", or fit.'),
    ] = None,
    phase_drift: Annotated[
        str, typer.Option("--phase-drift", help="Standard deviation of φ between blocks.")
    ] = "0 rad",
    distance_error: Annotated[
        str, typer.Option("--distance-error", help="Standard error of the set distance.")
    ] = "100 nm",
    gain_error: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--gain-error", metavar="SHARE", help="Calibration error of a detector."),
    ] = None,
    summed: Annotated[
        bool, typer.Option("--summed", help="Sum the records' likelihoods, not their results.")
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Intervals by profile likelihoods.")
    ] = False,
    keep_doubtful: Annotated[
        bool, typer.Option("--keep-doubtful", help="Use runs whose own fits are bad (p < 1e-6).")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit runs at different light together: couplings, exceptional points, correlated recoil."""
    from .output import require_makeable

    require_makeable(out)
    from .fit_global import GlobalOptions, fit_global_files
    from .options import quantity_option, share_option, sure

    fitted = delay is not None and delay.strip() == "fit"
    late = float("nan") if fitted else quantity_option("--delay", delay, "s", signed=True)
    options = GlobalOptions(
        None if share is None else tuple(part.strip() for part in share.split(",")),
        block,
        late,
        summed,
        sure("--distance-error", distance_error, "m"),
        sure("--phase-drift", phase_drift, "rad"),
        None if gain_error is None else share_option("--gain-error", gain_error),
        intervals,
        keep_doubtful,
    )
    fit_global_files(runs, options, out, as_json)
