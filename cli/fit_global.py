"""``optobind fit global``: many runs of one pair at different light, fitted together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError
from ..models.inference.digits import in_hertz, measured
from .fit import require_converged, result_tables
from .output import make_directory, print_json, print_result, progress_bar, warn, write_json

if TYPE_CHECKING:
    from ..analysis.joint import GlobalAnalysis
    from ..models.inference.joint.points import Estimated, LightPoint

__all__ = ["GlobalOptions", "fit_global_files"]


@dataclass(frozen=True)
class GlobalOptions:
    """Options of ``fit global`` as they were given, in SI units."""

    share: tuple[str, ...] | None = None
    block: int | None = None
    delay: float | None = None
    summed: bool = False
    distance_error: float = 1e-7
    phase_drift: float = 0.0
    gain_error: float | None = None
    intervals: bool = False
    keep_doubtful: bool = False


def fit_global_files(
    files: Sequence[Path], options: GlobalOptions, out: Path | None, as_json: bool
) -> None:
    """Fit run files together, print every light, store the result with its figure."""
    if out is not None:
        make_directory(out)
    if len(set(files)) != len(files):
        raise InputError("a run is named twice: it would count twice")
    from ..analysis.joint import fit_global

    with progress_bar("fitting records") as progress:
        analysis = fit_global(
            files,
            share=options.share,
            block=options.block,
            delay=options.delay,
            summed=options.summed,
            distance_error=options.distance_error,
            phase_drift=options.phase_drift,
            gain_error=options.gain_error,
            keep_doubtful=options.keep_doubtful,
            progress=progress,
        )
    require_converged(analysis.result)
    result = analysis.result
    if options.intervals:
        from ..models.inference.profiles import with_intervals

        with progress_bar("intervals") as progress:
            result = with_intervals(result, progress=progress)
    values = analysis.to_dict() | result.to_dict() | {"records": analysis.to_dict()["records"]}
    if out is not None:
        from ..analysis.figures import save_figure
        from ..analysis.figures.joint import global_figure

        write_json(out / "global.json", values)
        save_figure(global_figure(analysis), out / "global.png")
    said = [text for m in analysis.fit.measured for text in _named(m.name, m.result.warnings)]
    warn(dict.fromkeys([*result.warnings, *said]))
    if as_json:
        print_json(values)
        return
    print_result(*_tables(analysis, result))
    if out is not None:
        print_result(f"stored in {out}")


def _named(name: str, warnings: Sequence[str]) -> list[str]:
    return [f"{name}: {text}" for text in warnings]


def _tables(analysis: GlobalAnalysis, result: Any) -> list[Any]:
    """Shared parameters, every light, half differences, zero pressure, statistics."""
    shared, *rest = result_tables(result)
    parts: list[Any] = [shared, _light_table(analysis.points)]
    if analysis.reversals:
        parts.append(_reversal_table(analysis))
    if analysis.pressure:
        parts.append(_pressure_table(analysis))
    return [*parts, *rest]


def _light_table(points: Sequence[LightPoint]) -> Any:
    from rich.table import Table

    table = Table(title="lights (rates/2π in Hz)", title_justify="left")
    heads = ("φ (rad)", "d (µm)", "P (mW)", "gᵣ", "gₐ", "Re D₁₂", "δω", "δω swept meets", "at δω")
    for head in (*heads, "at balance"):
        # The longest word there is "exceptional": narrower columns cut it.
        table.add_column(head, justify="right", min_width=11 if "meets" in head else None)
    for p in points:
        s = p.setting
        if p.exceptional is None:
            assert p.gap is not None
            kind, where = f"a gap of {_hz(p.gap)}", _hz(p.centre)
        else:
            kind, where = "exceptional points", "\n".join(_hz(e) for e in p.exceptional)
        if p.exists < 3.0:
            kind += f"\n({p.exists:.1f} σ)"
        table.add_row(
            f"{math.remainder(s.phi, math.tau):.4f}", f"{1e6 * s.distance:.4f}",
            ", ".join(f"{1e3 * power:.4g}" for power in s.powers),
            _hz(p.g_r), _hz(p.g_a), _hz(p.re_D12), _hz(p.delta_omega), kind, where,
            "\n".join(measured(b.value, b.stderr) for b in p.balances),
        )  # fmt: skip
    return table


def _reversal_table(analysis: GlobalAnalysis) -> Any:
    from rich.table import Table

    table = Table(title="half differences of φ and φ + π (rates/2π in Hz)", title_justify="left")
    for head in ("φ (rad)", "records", "gᵣ", "gₐ", "Re D₁₂", "cross-talk (%)"):
        table.add_column(head, justify="right")
    for one in analysis.reversals:
        rates = [
            measured(float(v) / math.tau, float(e) / math.tau)
            for v, e in zip(one.values, one.stderr, strict=True)
        ]
        talk = measured(100.0 * one.cross_talk, 100.0 * one.cross_talk_stderr)
        phi = math.remainder(one.setting.phi, math.tau)
        table.add_row(f"{phi:.4f}", " + ".join(map(str, one.records)), *rates, talk)
    return table


def _pressure_table(analysis: GlobalAnalysis) -> Any:
    from rich.table import Table

    table = Table(title="at zero pressure (rates/2π in Hz)", title_justify="left")
    for head in ("", "at zero", "per Pa", "χ²", "degrees of freedom"):
        table.add_column(head, justify="right")
    for one in analysis.pressure:
        table.add_row(one.name, _hz(one.at_zero), _hz(one.slope), f"{one.chi2:.4g}", str(one.dof))
    return table


def _hz(estimated: Estimated) -> str:
    value, error = (in_hertz(x, "rad/s")[0] for x in (estimated.value, estimated.stderr))
    assert value is not None
    return measured(value, error)
