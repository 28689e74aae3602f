"""``optobind compare``: two runs or two sweeps side by side, settings and fitted values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError
from ..models.inference.digits import in_hertz, measured
from ..models.inference.parameters import PARAMETERS, symbol_of
from .output import print_json, print_result, progress_bar, warn
from .runs import has_releases, run_file_of

if TYPE_CHECKING:
    from ..acquisition.sweeps.rows import Measured, PointFit

__all__ = ["compare_runs", "differences"]


def compare_runs(one: Path, other: Path, as_json: bool) -> None:
    """Print in which settings and fitted values two runs, or two sweeps, differ."""
    from ..acquisition.sweeps.folder import is_sweep_folder

    sweeps = [is_sweep_folder(path) for path in (one, other)]
    if sweeps[0] != sweeps[1]:
        raise InputError(f"{one} and {other}: one is a sweep and the other is none")
    known = [_sweep(path) if sweeps[0] else _run(path) for path in (one, other)]
    differing = differences(known[0][0], known[1][0])
    values = _side_by_side(known[0][1], known[1][1])
    if as_json:
        print_json({"a": str(one), "b": str(other), "settings": differing, "values": values})
        return
    print_result(*_tables(one, other, differing, values))


def _run(path: Path) -> tuple[dict[str, Any], dict[str, Measured]]:
    """Settings and fitted values of a run."""
    from ..acquisition.runfile import RunFile
    from ..analysis.sweep import fit_point

    file = run_file_of(path)
    with RunFile.open(file) as run:
        m = run.manifest
        settings = {
            "rig": m["config"].get("rig", {}),
            "plan": m["plan"],
            "mode": m["mode"],
            "seed": m["seed"],
            "outcome": m["outcome"],
            "samples": run.rows,
            "versions": m["versions"],
        }
    kind = "reheating" if has_releases(file) else "spectrum"
    with progress_bar(f"fitting {path}"):
        fit = fit_point(file, kind)
    return settings, _quotable(fit, path)


def _quotable(fit: PointFit, path: Path) -> dict[str, Measured]:
    if not fit.converged:
        warn([f"the fit of {path} did not converge: {'; '.join(fit.warnings)}"])
        return {}
    return dict(fit.values)


def _sweep(path: Path) -> tuple[dict[str, Any], dict[str, Measured]]:
    """Settings of a sweep, and its values by set-point, repeats averaged."""
    from ..acquisition.sweeps.adaptive import combined
    from ..acquisition.sweeps.any_plan import any_plan_to_dict
    from ..acquisition.sweeps.folder import SweepFolder
    from ..acquisition.sweeps.rows import Measured

    folder = SweepFolder(path)
    rows, values = [row for row in folder.rows() if row.kind != "reference"], {}
    names = [axis.knob for axis in folder.plan.axes]
    for setting in dict.fromkeys(row.setting for row in rows):
        mine = [row for row in rows if row.setting == setting]
        place = ", ".join(f"{n} {v:.6g}" for n, v in zip(names, setting, strict=True))
        for name in dict.fromkeys(n for row in mine if row.fit for n in row.fit.values):
            found = combined(mine, name)
            unit = next(
                row.fit.values[name].unit for row in mine if row.fit and name in row.fit.values
            )
            if found is not None:
                values[f"{name} at {place}"] = Measured(*found, unit)
    settings = {
        "rig": folder.header.config.get("rig", {}),
        "plan": any_plan_to_dict(folder.plan),
        "points": len(rows),
    }
    return settings, values


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested tables by their dotted paths."""
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        pairs = ((str(i), entry) for i, entry in enumerate(value))  # type: ignore[assignment]
    else:
        return {path: value}
    found: dict[str, Any] = {}
    for key, entry in pairs:
        found |= _flat(entry, f"{path}.{key}" if path else str(key))
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what two documents hold differently, by key path: [in one, in the other]."""
    a, b = _flat(one), _flat(other)
    return {
        key: [a.get(key), b.get(key)] for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)
    }


def _side_by_side(
    one: Mapping[str, Measured], other: Mapping[str, Measured]
) -> dict[str, dict[str, Any]]:
    """Values of both with their difference in standard errors of it."""
    found = {}
    for name in one:
        if name not in other or one[name].unit != other[name].unit:
            continue
        a, b = one[name], other[name]
        error = math.hypot(a.stderr or 0.0, b.stderr or 0.0)
        found[name] = {
            "a": [a.value, a.stderr],
            "b": [b.value, b.stderr],
            "unit": a.unit,
            "deviation": (b.value - a.value) / error if error > 0.0 else None,
        }
    return found


def _tables(
    one: Path,
    other: Path,
    differing: Mapping[str, list[Any]],
    values: Mapping[str, dict[str, Any]],
) -> list[Any]:
    from rich.table import Table

    settings = Table(title="settings that differ", title_justify="left")
    for head in ("", str(one), str(other)):
        settings.add_column(head)
    for name, pair in differing.items():
        settings.add_row(name, *("–" if entry is None else str(entry) for entry in pair))
    table = Table(title="fitted values; rates/2π in Hz", title_justify="left")
    for head in ("", str(one), str(other), "deviation", "unit"):
        table.add_column(head)
    for name, entry in values.items():
        first, _, rest = name.partition(" at ")
        symbol = symbol_of(first) if first in PARAMETERS else first
        shown = []
        for which in ("a", "b"):
            value, error = (in_hertz(x, entry["unit"])[0] for x in entry[which])
            shown.append("–" if value is None else measured(value, error))
        deviation = entry["deviation"]
        said = "–" if deviation is None else f"{deviation:+.1f} σ"
        unit = in_hertz(None, entry["unit"])[1]
        table.add_row(f"{symbol} at {rest}" if rest else symbol, *shown, said, unit)
    parts: list[Any] = [settings] if differing else ["all settings are the same"]
    return [*parts, table] if values else [*parts, "no fitted value is known of both"]
