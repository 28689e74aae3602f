"""``optobind fit``: fit a file, print the result, store it with its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from ..acquisition.importers.reading import picked_columns
from ..models.errors import ConvergenceError, InputError
from ..models.inference.digits import in_hertz
from ..models.inference.report import estimate_text, unit_text
from ..models.inference.result import FitResult, FittedParameter
from .options import ReadingOptions
from .output import (
    make_directory,
    print_json,
    print_result,
    progress_bar,
    progress_bars,
    warn,
    write_json,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..acquisition.records.record import Record
    from ..analysis.reheating import Estimator
    from ..analysis.spectrum import SpectrumEstimator

__all__ = [
    "ReheatingOptions",
    "SpectrumOptions",
    "channels_option",
    "fit_reheating_file",
    "fit_spectrum_file",
    "require_converged",
    "result_tables",
]

# Samples of all releases for which intervals of the exact likelihood take seconds.
_QUICK_SAMPLES = 500_000
# Samples that a Fourier coefficient of a steady fit takes as long as.
_PER_COEFFICIENT = 300


@dataclass(frozen=True)
class SpectrumOptions:
    """Options of ``fit spectrum`` as they were given."""

    model: Literal["single", "pair"] | None = None
    band: tuple[float, float] | None = None
    channels: str | None = None
    segment: int | None = None
    intervals: bool | None = None
    exclude: tuple[tuple[float, float], ...] = ()
    delay: float | None = None
    mixing: tuple[float, float] | None = None
    estimator: SpectrumEstimator | None = None
    gamma_prior: bool = True


@dataclass(frozen=True)
class ReheatingOptions:
    """Options of ``fit reheating`` as they were given; the duration in s."""

    band: tuple[float, float] | None = None
    release_index: int | None = None
    channels: str | None = None
    gate: str | None = None
    trigger: str | None = None
    inverted: bool = False
    duration: float | None = None
    phase: Literal["as-set", "reversed"] | None = None
    power: float | None = None
    estimator: Estimator = "exact"
    intervals: bool | None = None
    delay: float | None = None
    mixing: tuple[float, float] | None = None
    common_noise: bool = False
    block: int | None = None
    gamma_prior: bool = True


def channels_option(text: str | None, record: Record) -> tuple[int, ...] | None:
    """Columns of ``--channels 0,1`` or ``--channels left,right``."""
    if text is None:
        return None
    return picked_columns(text.split(","), record.names, str(record.path), "channel")


def fit_spectrum_file(
    paths: Sequence[Path],
    reading: ReadingOptions,
    options: SpectrumOptions,
    out: Path | None,
    as_json: bool,
) -> None:
    """Fit the spectra of a file, or of several that are joined."""
    if out is not None:
        make_directory(out)
    from ..analysis.spectrum import analyse_spectrum

    record = _opened(paths, reading)
    columns = channels_option(options.channels, record)
    with progress_bars("averaging spectra", "exact likelihood") as (progress, fitting):
        analysis = analyse_spectrum(
            record,
            model=options.model,
            band=options.band,
            channels=columns,
            segment=options.segment,
            exclude=options.exclude,
            delay=options.delay,
            mixing=options.mixing,
            estimator=options.estimator,
            gamma_prior=options.gamma_prior,
            progress=progress,
            fit_progress=fitting,
        )
    require_converged(analysis.result)

    def figure() -> Figure:
        from ..analysis.figures import spectrum_figure

        return spectrum_figure(analysis.csd, analysis.result)

    result = _against_rig(analysis.result, record, releases=False)
    result = _with_intervals(result, options.intervals)
    _deliver(result, "spectrum", figure, out, as_json)


def fit_reheating_file(
    paths: Sequence[Path],
    reading: ReadingOptions,
    options: ReheatingOptions,
    out: Path | None,
    as_json: bool,
) -> None:
    """Fit the releases of a file, or of several that are joined."""
    if out is not None:
        make_directory(out)
    from ..analysis.reheating import analyse_reheating

    record = _gated(_opened(paths, reading), options)
    columns = channels_option(options.channels, record)
    if options.phase is not None:
        record = record.at_phase(options.phase)
    if options.power is not None:
        record = record.at_power(options.power)
    with progress_bar("fitting releases") as progress:
        analysis = analyse_reheating(
            record,
            band=options.band,
            release_index=options.release_index,
            channels=columns,
            estimator=options.estimator,
            delay=options.delay,
            mixing=options.mixing,
            common_noise=options.common_noise,
            block=options.block,
            gamma_prior=options.gamma_prior,
            progress=progress,
        )
    require_converged(analysis.result)

    def figure() -> Figure:
        from ..analysis.figures import reheating_figure

        return reheating_figure(analysis.estimate, analysis.result)

    said = analysis.result.input.get("worth")
    if said and not as_json:
        print_result(str(said))
    estimators = {
        name: _against_rig(fit, record, releases=True) for name, fit in analysis.estimators.items()
    }
    counts = str(analysis.result.statistics.get("estimator"))
    for name in estimators:  # profiles take ten times what the fits do: those that are quoted
        if name == counts or options.intervals:
            estimators[name] = _with_intervals(estimators[name], options.intervals)
    result = estimators.get(counts, analysis.result)
    _deliver(result, "reheating", figure, out, as_json, estimators)


def _against_rig(result: FitResult, record: Record, releases: bool) -> FitResult:
    """Warn where the rig of a run file contradicts a fit."""
    from ..analysis.rig_check import against_rig
    from .rig_of_run import expected_of

    expected = expected_of(record, releases)
    said = () if expected is None else against_rig(result, expected)
    return replace(result, warnings=(*said, *result.warnings)) if said else result


def _with_intervals(result: FitResult, wanted: bool | None = None) -> FitResult:
    """Add the intervals of profile likelihoods; results that have none stay as they are.

    The likelihood of raw samples reads all of them for every point of a profile: of many they are
    made when they are asked for, since then value and error say the same.
    """
    from ..models.inference.profiles import with_intervals

    samples = result.statistics.get("samples", 0)
    if "stretches" in result.statistics:  # a steady fit reads its coefficients alone
        samples = _PER_COEFFICIENT * int(result.statistics["bins"])
    many = isinstance(samples, int | float) and samples > _QUICK_SAMPLES
    if wanted is False or (wanted is None and many):
        if wanted is None:
            warn(["intervals of so many samples take minutes: --intervals makes them"])
        return result
    with progress_bar("intervals") as progress:
        return with_intervals(result, progress=progress)


def _opened(paths: Sequence[Path], reading: ReadingOptions) -> Record:
    """Open files and show how far their events are read."""
    from ..acquisition.records.opening import open_record

    with progress_bar("reading events") as progress:
        return open_record(paths, progress=progress, **asdict(reading))


def _gated(record: Record, options: ReheatingOptions) -> Record:
    """The record with the releases that a channel of it tells, where one is named."""
    from ..acquisition.records.gated import Gating, gated_record

    if options.gate is None and options.trigger is None:
        if options.duration is not None or options.inverted:
            raise InputError("--duration and --inverted belong to --gate or --trigger")
        return record
    if options.gate is not None and options.trigger is not None:
        raise InputError("--gate and --trigger: name one of them")
    gate = options.gate is not None
    name = options.gate if options.gate is not None else options.trigger
    assert name is not None
    (channel,) = picked_columns([name], record.names, str(record.path), "channel")
    level: Literal["low", "high"] = "low" if gate != options.inverted else "high"
    return gated_record(
        record, Gating(channel, "gate" if gate else "trigger", level, options.duration)
    )


def require_converged(result: FitResult) -> None:
    """Refuse to quote numbers of a fit that did not converge; raises ConvergenceError."""
    if not result.converged:
        reasons = "; ".join(result.warnings)
        raise ConvergenceError(
            f"the {result.model} fit did not converge{': ' + reasons if reasons else ''}; "
            "choose the band, or fit fewer parameters"
        )


def _deliver(
    result: FitResult,
    name: str,
    figure: Any,
    out: Path | None,
    as_json: bool,
    estimators: Mapping[str, FitResult] | None = None,
) -> None:
    """Store and print a result; the default one of several estimators, and all side by side."""
    values = result.to_dict()
    separation = result.identifiability()
    values["identifiability"] = separation.to_dict()
    if estimators:
        values["estimators"] = {key: fit.to_dict() for key, fit in estimators.items()}
    if out is not None:
        from ..analysis.figures import save_figure

        write_json(out / f"{name}.json", values)
        save_figure(figure(), out / f"{name}.png")
    fits = [result] if not estimators else list(estimators.values())
    warn(dict.fromkeys(text for fit in fits for text in fit.warnings))
    if as_json:
        print_json(values)
    else:
        print_result(*result_tables(*fits))
        using = [f for f in fits if "gamma_prior" in f.input]
        if using:
            which = f" ({using[0].statistics.get('estimator')})" if len(using) < len(fits) else ""
            print_result(f"{using[0].input['gamma_prior']['words']}{which}")
        if "re_D12" in result.varying:
            from ..models.inference.identifiability import separation_lines

            print_result("not separated by these data:")
            print_result(*(f"  {line}" for line in separation_lines(separation)))
        if out is not None:
            print_result(f"stored in {out}")


def result_tables(result: FitResult, *others: FitResult) -> list[Any]:
    """Lay a fit out for reading, beside the other estimates of the same data.

    Value and error end at the same digit, of which the error has two; rates are divided by 2π.
    """
    from rich.table import Table

    fits = (result, *others)
    heads = [str(fit.statistics.get("estimator", "value ± standard error")) for fit in fits]
    table = Table(title=f"{result.model} fit", title_justify="left")
    table.add_column("parameter", justify="left")
    table.add_column("", justify="left")
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("unit", justify="left")
    for name, parameter in result.parameters.items():
        symbol, unit = unit_text(name, parameter.unit)
        table.add_row(name, symbol, *(_cell(fit.parameters.get(name)) for fit in fits), unit)
    statistics = Table(title="statistics", title_justify="left", show_header=bool(others))
    for head in ("", *heads):
        statistics.add_column(head)
    for key, known in result.statistics.items():
        if isinstance(known, int | float):
            statistics.add_row(key, *(_number(fit.statistics.get(key)) for fit in fits))
    return [table, *_caveats(result), *_interval_tables(fits), statistics]


def _caveats(result: FitResult) -> list[str]:
    """What Re D_12 presupposes of the detectors, unless their mixing was stated."""
    presupposed = result.statistics.get("re_D12_cross_talk")
    if presupposed is None or "mixing" in result.input:
        return []
    return [
        f"re_D12 moves by one standard error if {100.0 * presupposed:.2g} % of each particle shows "
        "in the other's detector: no fit at one light can tell; state the mixing, or reverse the "
        "phase"
    ]


def _interval_tables(fits: Sequence[FitResult]) -> list[Any]:
    """Intervals that differ from value ± standard error by more than a tenth of it, if any."""
    from rich.table import Table

    rows = [
        (str(fit.statistics.get("estimator", "")), name, level, low, high)
        for fit in fits
        for name, limits in fit.confidence.items()
        for level, (low, high) in limits.items()
        if _askew(fit.parameters[name], float(level), low, high)
    ]
    if not rows:
        return []
    table = Table(title="intervals that are not value ± error", title_justify="left")
    for head in ("estimator", "parameter", "", "confidence", "from", "to", "unit"):
        table.add_column(head)
    for estimator, name, level, low, high in rows:
        symbol, unit = unit_text(name, fits[0].parameters[name].unit)
        ends = [in_hertz(end, fits[0].parameters[name].unit)[0] for end in (low, high)]
        shown = ["none" if end is None or math.isinf(end) else f"{end:.4g}" for end in ends]
        table.add_row(estimator, name, symbol, f"{100.0 * float(level):g} %", *shown, unit)
    return [table]


def _askew(parameter: FittedParameter, level: float, low: float, high: float) -> bool:
    """Whether an interval is not what the standard error says."""
    if parameter.stderr is None:
        return False
    half = NormalDist().inv_cdf(0.5 * (1.0 + level)) * parameter.stderr
    off = max(abs(low - parameter.value + half), abs(high - parameter.value - half))
    return off > 0.1 * half


def _cell(parameter: FittedParameter | None) -> str:
    """Value and error of a parameter, or that it was fixed."""
    if parameter is None:
        return "–"
    fixed = "" if parameter.vary or parameter.stderr is not None else "  fixed"
    return estimate_text(parameter) + fixed


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else "–"
