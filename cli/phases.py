"""``optobind phases``: Fig. 3 of the Letter, for ideal constants or for a rig."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..analysis.figures.style import save_figure
from ..config.build import build_trap
from ..config.load import read_rig
from ..models.array import TrapArray
from ..models.errors import InputError
from ..models.ranges import require_range
from .output import make_directory, print_json, print_result, warn, write_json

__all__ = ["show_phases"]

_IDEAL_GRID, _RIG_GRID = 121, 60
_MOST_IDEAL, _MOST_RIG = 2000, 300
_LEAST_GRID = 8

At: TypeAlias = Literal["equilibrium", "focus"]


def show_phases(
    rig: str | None,
    settings: Sequence[str],
    out: Path | None,
    at: At,
    grid: int | None,
    as_json: bool,
) -> None:
    """Compute both maps, write figures and JSON, and print a summary.

    Parameters
    ----------
    rig : str or None
        Shipped rig or TOML file; None for the ideal constants of the Letter.
    settings : sequence of str
        ``path=value`` changes of the rig.
    out : Path or None
        Directory for the files; ``phases`` unless given.
    at : {"equilibrium", "focus"}
        Where the particles of a rig are.
    grid : int or None
        Points a side.
    as_json : bool
        Print one JSON object in place of tables.

    Raises
    ------
    InputError
        For options that cannot be used, or a rig that is no pair or does not hold it.
    FileError
        If the files cannot be written.
    """
    if rig is None and settings:
        raise InputError(f"--set {settings[0]!r} needs a --rig to change")
    most = _MOST_IDEAL if rig is None else _MOST_RIG
    usual = _IDEAL_GRID if rig is None else _RIG_GRID
    points = int(require_range("--grid", usual if grid is None else grid, _LEAST_GRID, most))
    from ..analysis.phases import ideal_phases, pair_phases

    pair = None if rig is None else _pair_of_rig(rig, settings, at)
    folder = Path("phases") if out is None else out
    make_directory(folder)  # now: what cannot be computed leaves no empty folder
    if pair is None:
        result = ideal_phases(points)
    else:
        name, trap = pair
        result = pair_phases(trap, points, at=at, name=name)
    warn(result.warnings)
    files = _store(result.figures, result.document, folder)
    if as_json:
        print_json({**result.summary, "files": files})
    else:
        print_result(*_tables(result.summary), f"stored in {folder}")


def _pair_of_rig(rig: str, settings: Sequence[str], at: At) -> tuple[str, TrapArray]:
    """Load a rig, with its changes, and return its name and its pair, which must be held."""
    for setting in settings:
        if setting.startswith("plan."):
            raise InputError(f"--set {setting!r} addresses a plan, and there is none here")
    loaded = read_rig(rig, settings)
    trap = build_trap(loaded.config)
    if len(trap.spheres) != 2:
        raise InputError(f"phases are of a pair, the rig has {len(trap.spheres)} particles")
    trap.pair_constants(at)  # tells in one line which particle is not held, and why
    return loaded.name, trap


def _store(figures: dict[str, Any], document: dict[str, Any], folder: Path) -> dict[str, str]:
    """Write figures and grid; return the names of the files."""
    files = {}
    for name, figure in figures.items():
        for kind in ("png", "svg"):
            files[f"{name}_{kind}"] = str(save_figure(figure, folder / f"{name}.{kind}"))
            figure.set_layout_engine("none")  # found once, good for both formats
    path = folder / "phases.json"
    write_json(path, document, indent=None)
    return {**files, "json": str(path)}


def _tables(summary: dict[str, Any]) -> list[Any]:
    """Lay the summary out for reading."""
    from rich.table import Table

    ideal = summary["source"] == "ideal"
    where = "ideal far-field constants" if ideal else f"{summary['source']}, {summary['at']}"
    shares = Table(title=f"regimes of Fig. 3(a): {where}", title_justify="left")
    shares.add_column("regime")
    shares.add_column("share of (φ, kd)", justify="right")
    for name, share in summary["shares"].items():
        shares.add_row(name.replace("_", "-"), f"{100.0 * share:.1f} %")
    points = Table(title="exceptional points of Fig. 3(b)", title_justify="left")
    unit, scale = ("(g_r)", 1.0) if ideal else ("/2π (Hz)", math.tau)
    for heading in (f"g_a {unit}", f"δω {unit}"):
        points.add_column(heading, justify="right")
    for cut in summary["cuts"]:
        places = ", ".join(f"{point / scale:.4g}" for point in cut["exceptional_points"])
        points.add_row(f"{cut['g_a'] / scale:.4g}", places or "none")
    if ideal:
        named = "; ".join(f"{n}: {', '.join(f)}" for n, f in summary["points"].items())
        return [shares, points, named.replace("_", "-")]
    own = summary["as_set"]
    growth = own["growth_rate"]
    lines = [
        f"as set: φ = {own['phi'] / math.pi:.3f}π, kd = {own['kd'] / math.pi:.3f}π, regime: "
        f"{', '.join(own['regime']).replace('_', '-') or 'none'}",
        f"amplitudes {'grow' if growth > 0.0 else 'decay'} at {abs(growth):.4g} 1/s; "
        f"{100.0 * summary['unstable_share']:.1f} % of (φ, kd) grow, "
        f"{100.0 * summary['not_held_share']:.1f} % hold no pair",
    ]
    return [shares, points, *lines]
