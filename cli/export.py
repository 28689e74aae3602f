"""``optobind export``: a record in the format of other programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from ..models.errors import InputError
from .fit import channels_option
from .options import ReadingOptions
from .output import print_json, print_result, progress_bar, warn

__all__ = ["ExportOptions", "export_file"]


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``export`` as they were given; times in s."""

    format: str
    what: str | None = None
    channels: str | None = None
    start: float | None = None
    stop: float | None = None
    decimate: int = 1
    out: Path | None = None


def export_file(path: Path, reading: ReadingOptions, options: ExportOptions, as_json: bool) -> None:
    """Export a file and say what was made."""
    from ..acquisition.records.opening import open_record
    from ..analysis.export.writing import FORMATS, export

    if options.format not in FORMATS:
        raise InputError(f"--to must be one of {', '.join(FORMATS)}, got {options.format!r}")
    record = open_record(path, **asdict(reading))
    warn(record.warnings)
    target = options.out or path.with_name(f"{path.stem}.{options.format}")
    with progress_bar("exporting") as progress:
        made = export(
            record,
            target,
            format=options.format,
            what=None if options.what is None else options.what.replace(" ", "").split(","),
            channels=channels_option(options.channels, record),
            start=options.start,
            stop=options.stop,
            decimate=options.decimate,
            progress=progress,
        )
    if as_json:
        print_json({"exported": str(made), "format": options.format})
    else:
        print_result(f"exported to {made}")
