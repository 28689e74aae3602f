"""The report of a sweep: what was measured, the summary, every point; also while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ...acquisition.sweeps.any_plan import any_plan_to_dict
from ...acquisition.sweeps.folder import SweepFolder
from ...acquisition.sweeps.knobs import knob_of
from ...acquisition.sweeps.plan import Axis, SweepPlan
from ...acquisition.sweeps.points import points_words
from ...acquisition.sweeps.programs.plan import ProgramPlan
from ...acquisition.sweeps.rows import Row
from ...acquisition.sweeps.table import replace_text
from ...models.inference.digits import in_hertz, measured
from ...models.inference.parameters import PARAMETERS, symbol_of
from ...models.prefixes import engineering
from ..figures.style import data_uri
from ..figures.sweep import sweep_figure
from .html import definition, figure, listing, page, paragraph, section, table, warning_list
from .setup import setup_tables

__all__ = ["render_sweep_report", "write_sweep_report"]

_SHOWN = ("g_r", "g_a", "re_D12", "gap", "omega", "gamma", "D")
_MOST_EVENTS = 100
_LISTED = 12  # values of an axis that are written out


def write_sweep_report(folder: SweepFolder, rows: Sequence[Row], path: Path | None = None) -> Path:
    """Write the report of a sweep, beside its table unless another place is named.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    target = folder.path / "report.html" if path is None else path
    replace_text(target, render_sweep_report(folder, rows))
    return target


def render_sweep_report(folder: SweepFolder, rows: Sequence[Row]) -> str:
    """Return the report as the text of a page."""
    header, plan = folder.header, folder.plan
    made = datetime.fromtimestamp(header.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lead = f"{header.mode} · begun {made} · {points_words(plan, len(rows))}"
    failed = [
        f"point {row.number}: {row.fit.failure or '; '.join(row.fit.warnings)}"
        for row in rows
        if row.fit is not None and not row.fit.converged
    ]
    skipped = [f"point {row.number}: {row.reason}" for row in rows if row.outcome == "skipped"]
    doubtful = [
        f"point {row.number}: {'; '.join(row.fit.warnings)}"
        for row in rows
        if row.fit is not None and row.fit.converged and row.fit.warnings
    ]
    picture = figure(
        data_uri(sweep_figure(plan, rows)),
        "Fitted parameters over the set-points",
        "Fitted parameters with standard errors over the set-points as read back; rates are "
        "divided by 2π. Bands: range of the references. Ω: eigenfrequencies of the fitted pair.",
    )
    body = [
        section(
            "Summary",
            paragraph(str(header.origin["note"])) if header.origin.get("note") else "",
            picture,
            warning_list("Left out", skipped),
            warning_list("Not fitted", failed),
            warning_list("Before these are quoted", doubtful),
        ),
        section("Points", _points_table(plan, rows)),
        section("Plan", _plan_table(plan)),
        section("Steps", listing(plan.source.text)) if isinstance(plan, ProgramPlan) else "",
        section("What happened", _events(folder)),
        section("Set-up", setup_tables(header.config.get("rig") or {}, None)),
        section("Program", definition([(k, str(v)) for k, v in _program(folder).items()])),
    ]
    name = str(header.config.get("name") or "rig")
    return page(f"optobind: {plan.kind} of {name}", lead, [part for part in body if part])


def _program(folder: SweepFolder) -> dict[str, object]:
    origin = folder.header.origin
    program = origin.get("program")
    more = program if isinstance(program, dict) else {}
    return {
        "identity": folder.header.identity,
        **{k: v for k, v in origin.items() if k != "program"},
        **more,
    }


def _points_table(plan: SweepPlan, rows: Sequence[Row]) -> str:
    knobs = [knob_of(axis.knob) for axis in plan.axes]
    known = [n for n in _SHOWN if any(row.value(n) is not None for row in rows)]
    heads = ["point", "kind", *(knob.symbol for knob in knobs), "outcome"]
    units = {n: in_hertz(None, m.unit)[1] for row in rows for n in known if (m := row.value(n))}
    heads += [f"{_named(n)} ({units.get(n, '')})" for n in known]
    lines = []
    for row in rows:
        places = [
            f"{value:.4f} rad" if knob.turns else engineering(value, knob.holds.unit)
            for knob, value in zip(knobs, row.setting, strict=True)
        ]
        cells = [_cell(row, name) for name in known]
        lines.append([str(row.number), row.kind, *places, row.outcome, *cells])
    return table(heads, lines)


def _named(name: str) -> str:
    return symbol_of(name) if name in PARAMETERS else name


def _cell(row: Row, name: str) -> str:
    found = row.value(name)
    if found is None:
        return "–"
    value, error = (in_hertz(x, found.unit)[0] for x in (found.value, found.stderr))
    return "–" if value is None else measured(value, error)


def _plan_table(plan: SweepPlan) -> str:
    """Every key with its value; tables within it key by key, as ``--set`` names them."""
    values = any_plan_to_dict(plan)
    if isinstance(plan, ProgramPlan):
        values["source"] = plan.source.name  # its text has a section of its own
    if "axes" in values:
        values["axes"] = {axis.knob: _axis_words(axis) for axis in plan.axes}
    return definition([(name.replace("_", " "), text) for name, text in _flat(values)])


def _axis_words(axis: Axis) -> str:
    """Values of an axis: "9 points, 0 rad … 3.142 rad", or all of a short list."""
    unit = knob_of(axis.knob).holds.unit
    words = [engineering(value, unit).strip() for value in axis.settings]
    if axis.values and len(words) <= _LISTED:
        return ", ".join(words)
    return f"{len(words)} points, {words[0]} … {words[-1]}"


def _flat(values: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values in words, tables within tables one after the other."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list | tuple):
            yield from _flat({str(n): entry for n, entry in enumerate(value)}, f"{above}{name}.")
        else:
            yield above + name, "–" if value is None else str(value)


def _events(folder: SweepFolder) -> str:
    """What was out of the ordinary, with its time."""
    usual = ("started", "measured", "fitted")
    rows = []
    for event in folder.journal.read():
        if event["event"] in usual:
            continue
        when = datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%d %H:%M:%S")
        said = [
            f"{k} {v}"
            for k, v in event.items()
            if k not in ("event", "time", "light", "row", "header") and v not in ("", None)
        ]
        rows.append((when, event["event"], ", ".join(said)))
    more = len(rows) - _MOST_EVENTS
    note = paragraph(f"{more} earlier lines are in the journal.") if more > 0 else ""
    return note + table(("time (UTC)", "event", "what"), rows[-_MOST_EVENTS:], words=True)
