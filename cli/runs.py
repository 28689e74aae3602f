"""``optobind runs`` and ``optobind report``: find runs, and look at one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError, InputError, OptobindError
from .output import print_json, print_result, progress_bar, warn

if TYPE_CHECKING:
    from ..acquisition.run_catalogue import CatalogueEntry

__all__ = ["RunsOptions", "has_releases", "run_file_of", "show_runs", "write_report_of"]


@dataclass(frozen=True)
class RunsOptions:
    """Options of ``runs`` as they were given: say more, only the newest, as JSON."""

    details: bool = False
    newest: int | None = None
    as_json: bool = False


def show_runs(
    folder: Path,
    words: Sequence[str],
    add: Sequence[str],
    remove: Sequence[str],
    options: RunsOptions,
) -> None:
    """List what lies in a folder; with tags, give them to what the words match."""
    from ..acquisition.run_catalogue import catalogue, change_tags

    if folder.is_file():
        raise InputError(f"{folder} is a file: optobind info {folder} describes it")

    def looked_at() -> list[CatalogueEntry]:
        found = catalogue(folder, options.newest, details=options.details)
        return [entry for entry in found if entry.matches(words)]

    found = looked_at()
    if add or remove:
        if not found:
            raise InputError(f"no run in {folder} matches {' '.join(words)!r}: nothing was tagged")
        for entry in found:
            change_tags(entry.path, add, remove)
        paths = {entry.path for entry in found}
        found = [
            entry
            for entry in catalogue(folder, options.newest, details=options.details)
            if entry.path in paths
        ]
    if options.as_json:
        print_json({"runs": [_values(entry, options.details) for entry in found]})
    else:
        print_result(_table(found, folder, options.details) if found else f"no runs in {folder}")


def _values(entry: CatalogueEntry, details: bool) -> dict[str, Any]:
    more = {"worth": entry.worth, "results": list(entry.results)} if details else {}
    return more | {
        "path": str(entry.path),
        "kind": entry.kind,
        "mode": entry.mode,
        "created": entry.created,
        "state": entry.state,
        "size": entry.size,
        "rig": entry.rig,
        "note": entry.note,
        "tags": list(entry.tags),
    }


def _table(found: Sequence[CatalogueEntry], folder: Path, details: bool) -> Any:
    from rich.table import Table

    table = Table(title=f"runs in {folder}", title_justify="left")
    heads = ["begun", "path", "kind", "mode", "rig", "state", "size", "note", "tags"]
    for head in [*heads, *(("worth", "fits") if details else ())]:
        table.add_column(head, overflow="fold", no_wrap=head == "begun")  # a name is never cut
    for entry in found:
        begun = datetime.fromtimestamp(entry.created).strftime("%Y-%m-%d %H:%M")
        place = entry.path.relative_to(folder) if entry.path != folder else entry.path
        table.add_row(
            begun,
            str(place),
            entry.kind,
            entry.mode,
            entry.rig,
            entry.state,
            entry.size,
            entry.note,
            ", ".join(entry.tags),
            *((entry.worth, "\n".join(entry.results)) if details else ()),
        )
    return table


def run_file_of(path: Path) -> Path:
    """Return the run file that a path means: itself, or ``run.h5`` in a folder.

    Raises
    ------
    FileError
        If there is none.
    """
    from ..acquisition.sweeps.folder import is_sweep_folder

    if path.is_dir():
        inside = path / "run.h5"
        if inside.is_file():
            return inside
        if is_sweep_folder(path):
            raise FileError(f"{path} is a sweep: name one of its points, {path / 'points/0001.h5'}")
        raise FileError(f"{path} holds neither run.h5 nor a sweep")
    if not path.exists():
        raise FileError(f"{path} does not exist")
    return path


def write_report_of(path: Path, out: Path | None, as_json: bool) -> None:
    """Write the report of a run or a sweep and print its path."""
    from ..acquisition.sweeps.folder import SweepFolder, is_sweep_folder

    if is_sweep_folder(path):
        from ..analysis.report.sweep import write_sweep_report

        folder = SweepFolder(path)
        report = write_sweep_report(folder, folder.rows(), out)
    else:
        from ..analysis.report.page import write_report

        file = run_file_of(path)
        target = file.with_name("report.html") if file.name == "run.h5" else (
            file.with_suffix(".report.html")
        )  # fmt: skip
        report = write_report(file, _content(file), out or target)
    if as_json:
        print_json({"report": str(report)})
    else:
        print_result(str(report))


def _content(file: Path) -> Any:
    """Fits and predictions of a run; what cannot be fitted is said and left out."""
    from ..acquisition.records.opening import open_record
    from ..analysis.comparison import compare, predictions
    from ..analysis.reheating import analyse_reheating
    from ..analysis.report.page import ReportContent
    from ..analysis.spectrum import analyse_spectrum

    record = open_record(file)
    spectrum = reheating = None
    with progress_bar("fitting spectra") as progress:
        try:
            spectrum = analyse_spectrum(record, progress=progress)
        except OptobindError as error:
            warn([f"no spectra: {error}"])
    if has_releases(file):
        with progress_bar("fitting releases") as progress:
            try:
                reheating = analyse_reheating(record, progress=progress)
            except OptobindError as error:
                warn([f"no reheating: {error}"])
    record.close()
    trap = _trap(file)
    predicted = None
    if trap is not None and len(trap.spheres) == 2:
        try:
            predicted = predictions(trap)
        except OptobindError as error:
            warn([f"no prediction: {error}"])
    fits = {
        "spectrum": None if spectrum is None else spectrum.result,
        "reheating": None if reheating is None else reheating.result,
    }
    return ReportContent(
        spectrum=spectrum, reheating=reheating, compared=compare(fits, None, predicted), trap=trap
    )


def has_releases(file: Path) -> bool:
    """Whether a run file holds releases."""
    from ..acquisition.runfile import RunFile

    with RunFile.open(file) as run:
        return bool(run.digest().counts.get("release"))


def _trap(file: Path) -> Any:
    """Particles and tweezers, with the light at which the run began; None of a foreign record."""
    from ..acquisition.origin import light_from_dict
    from ..acquisition.runfile import RunFile
    from ..config.build import build_trap
    from ..config.load import rig_from_dict

    with RunFile.open(file) as run:
        document = run.manifest["config"].get("rig")
        lights = (e.payload.get("sites") for e in run.each_event() if e.kind == "light")
        sites = next(lights, None)
    if not isinstance(document, dict):
        return None
    try:
        trap = build_trap(rig_from_dict(document))
        return trap if not sites else trap.with_light(light_from_dict(sites))
    except OptobindError as error:
        warn([f"no prediction: {error}"])
        return None
