"""The report of a run: one page that holds everything, pictures included."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...acquisition.events import Event, EventKind
from ...acquisition.runfile import RunFile
from ...acquisition.slow_summary import reading_words
from ...models.array import TrapArray
from ...models.errors import FileError
from ...models.inference.report import estimate_text, unit_text
from ...models.inference.result import FitResult
from ..comparison import rows_of
from ..figures import comparison_figure, data_uri, reheating_figure, spectrum_figure
from ..figures.comparison import ComparedValue
from ..figures.style import si_prefix
from ..reheating import ReheatingAnalysis
from ..spectrum import SpectrumAnalysis
from .html import columns, definition, figure, page, paragraph, section, table, warning_list
from .setup import coupling_tables, setup_tables

__all__ = ["ReportContent", "render_report", "write_report"]

_REPEATED = {EventKind.GATE, EventKind.RELEASE, EventKind.RECAPTURE, EventKind.PRESSURE}
_MOST_EVENTS = 60


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of besides the run file.

    Attributes
    ----------
    spectrum, reheating : analyses or None
        Fits with the data behind them.
    compared : sequence of ComparedValue
        Estimates beside predictions and truth.
    couplings : mapping or None
        Predictions as ``optobind couplings --json`` gives them.
    trap : TrapArray or None
        The rig's particles, light and gas.
    spectrum_ratio : float or None
        Δ(−2 ln L) of the spectra against Re D_12 = 0.
    seconds : mapping of str to float
        How long each part of the work took.
    """

    spectrum: SpectrumAnalysis | None = None
    reheating: ReheatingAnalysis | None = None
    compared: Sequence[ComparedValue] = ()
    couplings: Mapping[str, Any] | None = None
    trap: TrapArray | None = None
    spectrum_ratio: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


def write_report(run_path: Path, content: ReportContent, path: Path) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run_path : Path
        The run file.
    content : ReportContent
        Fits, predictions, truth.
    path : Path
        Where the page goes.

    Raises
    ------
    FileError
        If the run cannot be read or the page cannot be written.
    """
    text = render_report(run_path, content)
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def render_report(run_path: Path, content: ReportContent) -> str:
    """Return the report of a run as the text of a page."""
    with RunFile.open(run_path) as run:
        manifest, info = run.manifest, run.info()
        single = (event for event in run.each_event() if event.kind not in _REPEATED)
        events = list(itertools.islice(single, _MOST_EVENTS))
    config = manifest["config"] or {}
    name = str(config.get("name") or "run")
    made = datetime.fromtimestamp(float(manifest["created"]), UTC).strftime("%Y-%m-%d %H:%M UTC")
    lead = f"{manifest['mode']} · recorded {made} · {info['samples']:,} samples"
    doubts = [] if content.trap is None else list(content.trap.doubts())
    body = [
        section("Result", _summary(content), _comparison(content)),
        section("Set-up", setup_tables(config.get("rig") or {}, content.trap)),
        section(
            "Predicted couplings",
            "" if content.couplings is None else coupling_tables(content.couplings),
            warning_list("Where the prediction is doubtful", doubts),
        ),
        _spectrum_section(content.spectrum),
        _reheating_section(content.reheating),
        section(
            "Run",
            _run_table(info, manifest, content.seconds),
            _plan_table(manifest.get("plan") or {}),
            _event_table(events, info, float(info["sample_rate"])),
        ),
        section("Versions", definition(sorted((manifest["versions"] or {}).items()))),
    ]
    return page(f"optobind: {name}", lead, [part for part in body if part])


def _summary(content: ReportContent) -> str:
    """State what was found on Re D_12, the correlation of the recoil."""
    parts = []
    if content.spectrum is not None and content.spectrum.result.model == "pair":
        text = _statement(content.spectrum.result, "spectra", content.spectrum_ratio)
        parts.append(paragraph(text, emphasised=True))
    if content.reheating is not None:
        result = content.reheating.result
        ratio = result.statistics.get("re_D12_likelihood_ratio")
        parts.append(paragraph(_statement(result, "reheating", ratio), emphasised=True))
    return "\n".join(parts)


def _statement(result: FitResult, source: str, ratio: float | None) -> str:
    """Say whether Re D_12 differs from 0: estimate, error, likelihood ratio, p."""
    parameter = result.parameters["re_D12"]
    quantity, unit = unit_text("re_D12", parameter.unit)
    text = f"From the {source}: {quantity} = {estimate_text(parameter)} {unit}"
    if parameter.stderr:
        text += f", {abs(parameter.value) / parameter.stderr:.1f} standard errors from 0"
    if ratio is not None:
        p = math.erfc(math.sqrt(max(ratio, 0.0) / 2.0))
        chance = f"p = {p:.1e}" if p > 1e-300 else "p < 1e-300"
        text += f"; likelihood ratio against Re D₁₂ = 0: Δ(−2 ln L) = {ratio:.1f}, {chance}"
    share = parameter.value / math.sqrt(result.value("D11") * result.value("D22"))
    return f"{text}. That is {100.0 * share:.1f} % of the geometric mean of D₁₁ and D₂₂."


def _comparison(content: ReportContent) -> str:
    if not content.compared:
        return ""
    picture = figure(
        data_uri(comparison_figure(content.compared)),
        "Estimates beside predictions and truth",
        "(a) Couplings with standard errors beside the predictions from first principles. "
        "(b) Deviations in standard errors; shaded: one and two standard errors.",
    )
    header = ("parameter", "unit", "fit", "estimate", "truth", "exact", "far field", "deviation")
    note = paragraph(
        "Rates are divided by 2π. With feedback on, γ and D of the spectra hold its damping and "
        "force noise; predictions are for light and gas alone, compared where feedback is off. "
        "g, D and noise are on the scale of each fit's own mean frequency, predictions and truth "
        "converted to it."
    )
    return picture + table(header, rows_of(content.compared)) + note


def _spectrum_section(analysis: SpectrumAnalysis | None) -> str:
    if analysis is None:
        return ""
    picture = figure(
        data_uri(spectrum_figure(analysis.csd, analysis.result)),
        "Auto and cross spectra with fit and residuals",
        "(a) One-sided auto spectra with fit (expected periodogram, window included). (d) Modulus "
        "and (e) phase of the cross spectrum S₁₂ = ⟨Z₁Z₂*⟩, the phase where it stands out of its "
        "scatter; (f) squared coherence. (b, c, g, h) Residuals whitened by the fitted matrix, "
        "averaged over groups of bins, in standard errors.",
    )
    return section("Spectra", picture, _fit_tables(analysis.result))


def _reheating_section(analysis: ReheatingAnalysis | None) -> str:
    if analysis is None:
        return ""
    picture = figure(
        data_uri(reheating_figure(analysis.estimate, analysis.result)),
        "Reheating curves with fit and residuals",
        "Energies and correlation after the release, imprecision taken off: (a) E₁, E₂; "
        "(b) E± = (E₁+E₂)/2 ± Re C, derived; (c) C = ⟨a₁*a₂⟩. Error bars are standard errors of "
        "single points, which correlate along a curve; residuals (d–f) are decorrelated. The fit "
        "is joint to E₁, E₂, Re C and Im C.",
    )
    return section("Reheating", picture, _fit_tables(analysis.result))


def _fit_tables(result: FitResult) -> str:
    """Parameters, goodness of fit and warnings of a fit."""
    rows = []
    for name, p in result.parameters.items():
        symbol, unit = unit_text(name, p.unit)
        rows.append((symbol, estimate_text(p), unit, "" if p.vary else "fixed"))
    statistics = [
        (key.replace("_", " "), f"{value:.5g}")
        for key, value in result.statistics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    state = "The fit converged." if result.converged else "The fit did not converge."
    chance = result.statistics.get("p_value")
    if isinstance(chance, float):
        state += f" Goodness of fit: p = {chance:.3g}."
    tables = columns(
        table(("parameter", "estimate", "unit", ""), rows), table(("statistics", ""), statistics)
    )
    return paragraph(state) + tables + warning_list("Warnings of the fit", result.warnings)


def _run_table(
    info: Mapping[str, Any],
    manifest: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> str:
    """Numbers of the record."""
    rows: list[tuple[str, object]] = [
        ("state", info["state"]),
        ("outcome", " ".join(str(x) for x in (info["outcome"], info["reason"]) if x)),
        ("samples", f"{info['samples']:,} of {len(info['channels'])} channels, {info['dtype']}"),
        ("sample rate", _with_prefix(float(info["sample_rate"]), "Hz")),
        ("duration", f"{info['duration']:.3f} s"),
        ("gaps", f"{info['gaps']} ({info['lost_samples']} samples lost)"),
        ("worth", info["worth"] or "nothing lost"),
        ("seed", "–" if manifest["seed"] is None else manifest["seed"]),
    ]
    rows += [(name, reading_words(entry)) for name, entry in info["readings"].items()]
    rows += [(f"time for {name}", f"{value:.1f} s") for name, value in seconds.items()]
    return definition(rows)


def _with_prefix(value: float, unit: str) -> str:
    factor, prefix = si_prefix(value)
    return f"{value / factor:g} {prefix}{unit}"


def _plan_table(plan: Mapping[str, Any]) -> str:
    steps = plan.get("steps") or ([plan] if plan else [])
    rows = [
        (number, step.get("kind"), ", ".join(f"{k} {v}" for k, v in step.items() if k != "kind"))
        for number, step in enumerate(steps, start=1)
    ]
    return table(("step", "kind", "settings (SI)"), rows, caption="plan", words=True)


def _event_table(events: Sequence[Event], info: Mapping[str, Any], rate: float) -> str:
    """Counts of all events, and the first of those that do not repeat one by one."""
    counts = table(
        ("event", "number"), [(k.replace("_", " "), n) for k, n in info["events"].items()]
    )
    rows = [
        (f"{e.sample / rate:.6f}", e.kind.value.replace("_", "\u00a0"), _payload(e)) for e in events
    ]
    more = sum(n for kind, n in info["events"].items() if kind not in _REPEATED) - len(events)
    note = paragraph(f"{more} further events are in the run file.") if more > 0 else ""
    return counts + table(("time (s)", "event", "what"), rows, words=True) + note


def _payload(event: Event) -> str:
    """Say what an event holds; the plan has a table of its own."""
    if event.kind is EventKind.LIGHT:
        return "; ".join(_site(n, s) for n, s in enumerate(event.payload.get("sites", []), start=1))
    known = {k: v for k, v in event.payload.items() if k != "plan" and v not in ("", None)}
    text = ", ".join(f"{key} {value}" for key, value in known.items())
    return text if len(text) <= 240 else text[:237] + "…"


def _site(number: int, site: Mapping[str, Any]) -> str:
    """Describe one tweezer as it was set."""
    place = ", ".join(f"{1e9 * x:.1f}" for x in site["position"])
    text = f"site {number} at ({place}) nm, {1e3 * site['power']:.3f} mW, {site['phase']:.4f} rad"
    return text + (f", {site['detuning']:g} Hz" if site["detuning"] else "")
