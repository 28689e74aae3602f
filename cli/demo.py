"""``optobind demo``: measure, record, fit and report a simulated pair, with the truth beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..acquisition.records.opening import open_record
from ..acquisition.run import RunOutcome
from ..acquisition.runfile_results import write_results
from ..acquisition.session import new_run_path
from ..analysis.comparison import compare, predictions, pull_text
from ..analysis.figures.comparison import ComparedValue
from ..analysis.reheating import analyse_reheating
from ..analysis.report.page import ReportContent, write_report
from ..analysis.spectrum import SpectrumAnalysis, analyse_spectrum
from ..config.build import build_rig
from ..config.load import read_plan, read_rig
from ..models.errors import FileError, InputError, OptobindError
from ..models.inference.digits import in_hertz, measured
from ..models.inference.parameters import symbol_of
from ..models.inference.spectral.fits import fit_pair
from ..models.inference.spectral.problem import pair_parameters
from .couplings import couplings_of
from .fit import require_converged
from .following import measure
from .output import console_for_progress, make_directory, print_result, warn, write_json
from .signals import Interrupted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..instruments.rig import Rig

__all__ = ["likelihood_ratio", "run_demo", "truth_of"]

_RIG, _PLAN = "simulated-pair", "demo"


def run_demo(
    out: Path | None = None,
    seed: int | None = None,
    *,
    rig_settings: Sequence[str] = (),
    plan_settings: Sequence[str] = (),
) -> Path:
    """Run the demonstration and print its outcome.

    Parameters
    ----------
    out : Path or None
        Directory for run.h5, results.json and report.html; None for a new one under ``runs``.
    seed : int or None
        Seed of the simulated laboratory; None for that of the rig.
    rig_settings, plan_settings : sequence of str
        ``path=value`` changes to the shipped rig and plan.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    OptobindError
        If the directory cannot be used, the run fails or a fit does not converge.
    """
    settings = ["simulation.clock=fast", *rig_settings]
    if seed is not None:
        settings.append(f"simulation.seed={seed}")
    rig = build_rig(read_rig(_RIG, settings))
    plan = read_plan(_PLAN, plan_settings).plan
    run_path = _run_path(out)  # last: what cannot be run leaves no empty folder
    console = console_for_progress()
    seconds: dict[str, float] = {}
    with _timed(seconds, "the measurement", console, shows_itself=True):
        _measure(rig, plan, run_path)
    content = _evaluate(rig, run_path, seconds, console)
    with _timed({}, "the report", console):
        report = write_report(run_path, content, run_path.with_name("report.html"))
    for analysis in (content.spectrum, content.reheating):
        assert analysis is not None
        require_converged(analysis.result)
        warn(analysis.result.warnings)
    print_result(_table(content.compared), f"report: {report}")
    return report


def _evaluate(
    rig: Rig, run_path: Path, seconds: dict[str, float], console: Console
) -> ReportContent:
    """Fit the record, store the results beside and inside it, and gather what the report needs."""
    assert rig.trap is not None
    record = open_record(run_path)
    assert record.worth is not None
    with _timed(seconds, "the spectra", console):
        spectrum = analyse_spectrum(record)
        ratio = likelihood_ratio(spectrum)
    with _timed(seconds, "the reheating curves", console):
        reheating = analyse_reheating(record)
    truth, predicted = truth_of(rig), predictions(rig.trap)
    fits = {"spectrum": spectrum.result, "reheating": reheating.result}
    results = {
        "truth": truth,
        "predicted": predicted,
        "record": record.worth.to_dict(),
        **{name: result.to_dict() for name, result in fits.items()},
    }
    write_results(run_path, results)
    write_json(run_path.with_name("results.json"), results)
    return ReportContent(
        spectrum=spectrum,
        reheating=reheating,
        compared=compare(fits, truth, predicted),
        couplings=couplings_of(rig.trap, "equilibrium"),
        trap=rig.trap,
        spectrum_ratio=ratio,
        seconds=seconds,
    )


def truth_of(rig: Rig) -> dict[str, Any]:
    """What the fits should find, in their convention.

    At the top level with feedback on, as in the spectra; under "reheating" for the free evolution
    after a release, which differs in γ, D and slightly in ω̃. rad/s, quanta²/Hz. The gate is closed
    afterwards.
    """
    world = rig.world
    assert world is not None  # the demonstration is a simulation
    try:
        world.set_gate(False)
        free = world.truth()
    finally:
        world.set_gate(True)
    return {**world.truth(), "reheating": free}


def likelihood_ratio(analysis: SpectrumAnalysis) -> float | None:
    """Δ(−2 ln L) of fitted spectra against Re D_12 = 0; None if that fit fails."""
    csd, result = analysis.csd, analysis.result
    low, high = result.input["band"]
    half = 0.25 * csd.bin_width
    band = (low - half, high + half)
    values = {name: p.value for name, p in result.parameters.items()}
    fixed = pair_parameters(csd, band)
    fixed["re_D12"].set(value=0.0, vary=False)
    try:
        free = fit_pair(csd, band=band, start=values)
        without = fit_pair(csd, band=band, params=fixed, start={**values, "re_D12": 0.0})
    except OptobindError:
        return None
    found = [float(fit.statistics["log_likelihood"]) for fit in (free, without)]
    return max(0.0, 2.0 * (found[0] - found[1]))


def _run_path(out: Path | None) -> Path:
    """Make the directory before the work."""
    path = new_run_path(Path("runs"), "demo") if out is None else out / "run.h5"
    if path.exists():
        raise FileError(f"{path} exists already: choose another --out, a run is never overwritten")
    make_directory(path.parent)
    return path


def _measure(rig: Rig, plan: Any, path: Path) -> RunOutcome:
    """Carry the plan out; only a complete run is analysed."""
    outcome, interruption = measure(rig, plan, path)
    if interruption:
        raise Interrupted(interruption)
    if outcome.outcome != "complete":
        error = InputError(
            f"the run ended as {outcome.outcome}: {outcome.reason}; it is kept in {path}"
        )
        error.exit_code = outcome.exit_code or 2
        raise error
    return outcome


@contextmanager
def _timed(
    seconds: dict[str, float], name: str, console: Console, *, shows_itself: bool = False
) -> Iterator[None]:
    """Note how long a part takes, and say on stderr what is being done and what is done."""
    begin = time.perf_counter()
    with nullcontext() if shows_itself else console.status(f"working on {name}"):
        yield
    seconds[name] = time.perf_counter() - begin
    console.print(f"{name}: {seconds[name]:.1f} s")


def _table(values: Sequence[ComparedValue]) -> Table:
    """Estimates beside the truth, a line per parameter; rates divided by 2π."""
    from rich.table import Table

    table = Table(
        title="estimates beside the truth: rates/2π in Hz, S_imp in 1/Hz", title_justify="left"
    )
    table.add_column("")
    for heading in ("truth", "predicted", "spectrum", "", "reheating", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in dict.fromkeys(v.name for v in values):
        mine = {v.source: v for v in values if v.name == name}
        any_value = next(iter(mine.values()))
        predicted = next((v.exact for v in mine.values() if v.exact is not None), None)
        cells = [_number(any_value.truth, any_value.unit), _number(predicted, any_value.unit)]
        for source in ("spectrum", "reheating"):
            cells += _estimate(mine.get(source))
        table.add_row(symbol_of(name), *cells)
    return table


def _number(value: float | None, unit: str) -> str:
    shown = in_hertz(value, unit)[0]
    return "–" if shown is None else f"{shown:.5g}"


def _estimate(value: ComparedValue | None) -> list[str]:
    """Estimate with error, and its pull."""
    if value is None:
        return ["–", ""]
    number, error = in_hertz(value.value, value.unit)[0], in_hertz(value.stderr, value.unit)[0]
    assert number is not None
    return [measured(number, error), pull_text(value.pull)]
