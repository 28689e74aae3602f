"""``optobind track``: follow the particles of a record and store their trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from .fit import channels_option, require_converged
from .options import ReadingOptions, choice_option
from .output import print_json, print_result, progress_bar, require_makeable, warn

if TYPE_CHECKING:
    from ..analysis.track_summary import TrackSummary

__all__ = ["TrackOptions", "track_files"]

_PARTS = ("steady", "releases")


@dataclass(frozen=True)
class TrackOptions:
    """Options of ``track`` as they were given."""

    part: str | None = None
    band: tuple[float, float] | None = None
    channels: str | None = None
    every: int = 1


def track_files(
    paths: Sequence[Path],
    reading: ReadingOptions,
    options: TrackOptions,
    out: Path,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Follow the particles of a file, or of several that are joined."""
    part = cast(
        'Literal["steady", "releases"] | None', choice_option("--part", options.part, _PARTS)
    )
    for path in (out, plot):
        require_makeable(None if path is None else path.parent)
    from ..acquisition.records.opening import open_record
    from ..analysis.track import track
    from ..analysis.track_file import check_destination, write_track

    check_destination(out)
    with progress_bar("reading events") as progress:
        record = open_record(paths, progress=progress, **asdict(reading))
    columns = channels_option(options.channels, record)
    with progress_bar("fitting") as progress:
        tracking = track(record, channels=columns, part=part, band=options.band, progress=progress)
    assert tracking.fit is not None
    require_converged(tracking.fit)
    out.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar("following particles") as progress:
        summary = write_track(tracking, out, every=options.every, progress=progress)
    if plot is not None:
        from ..analysis.figures import save_figure
        from ..analysis.figures.tracking import tracking_figure

        save_figure(tracking_figure(tracking), plot)
    warn(summary.warnings)
    if as_json:
        print_json({**summary.to_dict(), "out": str(out), "fit": tracking.fit.to_dict()})
    else:
        print_result(_table(summary), f"stored in {out}")


def _table(summary: TrackSummary) -> Any:
    """Lay the numbers out for reading."""
    from rich.table import Table

    table = Table(title="trajectories", title_justify="left", show_header=False)
    white = summary.whiteness
    stretches = "stretch" if summary.stretches == 1 else "stretches"
    table.add_row(
        "samples", f"{summary.samples} in {summary.stretches} {stretches}, {summary.seconds:.4g} s"
    )
    doubt = "" if white.p_value is None else f", p = {white.p_value:.3g}"
    table.add_row("innovations", f"χ² = {white.chi2:.4g} of {white.dof:.4g} degrees{doubt}")
    squares = ", ".join(f"{value:.4f}" for value in summary.squares)
    table.add_row("their variance", f"{squares} (1 if the covariances are right)")
    unit = "quanta" if summary.unit == "quanta" else f"{summary.unit}²"
    for title, moments in (("motion", summary.measured), ("not known", summary.filtered)):
        shown = ", ".join(f"{value:.4g}" for value in moments.occupations)
        table.add_row(f"{title}: n" if unit == "quanta" else f"{title}: ⟨|a|²⟩", f"{shown} {unit}")
        if len(moments.energies) == 2:
            value = moments.coherences[0, 1]
            table.add_row(f"{title}: C", f"{value.real:.3g} {value.imag:+.3g}i {unit}")
    later = ", ".join(f"{value:.4g}" for value in summary.retrodicted.energies)
    table.add_row("retrodicted error: ⟨|a|²⟩", f"{later} {unit}")
    for number, (frequency, damping) in enumerate(summary.modes, 1):
        # Rounding of a model without damping is none.
        rate = damping if abs(damping) > 1e-9 * frequency else 0.0
        table.add_row(f"mode {number}", f"{frequency:.6g} Hz, Γ = {rate:.3g} 1/s")
    return table
