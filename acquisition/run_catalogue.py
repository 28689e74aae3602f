"""What lies in a folder of runs: run files and sweeps, with what they say of themselves.

Tags are kept beside the data, in ``tags.json`` of a folder: no file of samples is touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.errors import FileError, InputError
from ..models.inference.digits import in_hertz, measured
from ..models.inference.parameters import symbol_of
from ..models.json_values import json_text
from .events import EventKind
from .runfile import RunFile
from .sweeps.folder import SweepFolder, is_sweep_folder
from .sweeps.points import points_words
from .sweeps.rows import Row
from .sweeps.table import replace_text

__all__ = ["CatalogueEntry", "catalogue", "change_tags", "origin_of", "sweep_worth", "tags_of"]

_DEPTH = 3
_TAGS = "tags.json"
_LONGEST_TAG = 60
_MAIN = ("g_r", "g_a", "re_D12", "omega", "gamma")  # of a fit, in a list of runs


@dataclass(frozen=True)
class CatalogueEntry:
    """One run or sweep.

    Attributes
    ----------
    path : Path
        The run file, or the folder of a sweep.
    kind : str
        "monitor", "reheating", "sequence", "sweep", "seek" or "program"; "damaged" for a file that
        cannot be read.
    mode : str
        "LIVE", "SIM" or "REPLAY".
    created : float
        s since the epoch.
    state : str
        How it ended, or why it cannot be read.
    size : str
        Samples, or points of those planned.
    rig, note : str
        As it says.
    tags : tuple of str
        Given by hand.
    worth : str
        What of the plan can be used, where that was asked for.
    results : tuple of str
        Main values of the fits that are stored with it, a line each, where that was asked for.
    """

    path: Path
    kind: str
    mode: str
    created: float
    state: str
    size: str
    rig: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    worth: str = ""
    results: tuple[str, ...] = ()

    def matches(self, words: Iterable[str]) -> bool:
        """Whether each word stands somewhere in what is known of it."""
        parts = (str(self.path), self.kind, self.mode, self.state, self.rig, self.note, *self.tags)
        text = " ".join(parts).lower()
        return all(word.lower() in text for word in words)


def catalogue(
    folder: Path, newest: int | None = None, *, details: bool = False
) -> list[CatalogueEntry]:
    """Return what lies in a folder, the oldest first; points of sweeps are not listed singly.

    Parameters
    ----------
    folder : Path
        Looked through three levels deep.
    newest : int or None
        Only so many of the newest, by the times of the files; None for all.
    details : bool
        Say also what runs are worth and what was fitted: reads all of their events.

    Raises
    ------
    FileError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise FileError(f"{folder} is no folder")
    paths = list(_found(folder, 0))
    if newest is not None:
        paths = sorted(paths, key=_changed)[-newest:] if newest > 0 else []
    found = [_entry(path, details) for path in paths]
    return sorted(found, key=lambda entry: (entry.created, str(entry.path)))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _found(folder: Path, depth: int) -> Iterator[Path]:
    if is_sweep_folder(folder):
        yield folder
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False) and depth < _DEPTH:
            yield from _found(path, depth + 1)
        elif path.suffix.lower() in (".h5", ".hdf5") and entry.is_file():
            yield path


def _entry(path: Path, details: bool) -> CatalogueEntry:
    try:
        return _of_sweep(path) if path.is_dir() else _of_run(path, details)
    except InputError as error:
        created = path.stat().st_mtime if path.exists() else 0.0
        return CatalogueEntry(path, "damaged", "", created, str(error), "")


def _of_sweep(path: Path) -> CatalogueEntry:
    folder = SweepFolder(path)
    rows = folder.rows()
    closed = [e for e in folder.journal.read() if e["event"] == "closed"]
    return CatalogueEntry(
        path,
        folder.plan.kind,
        folder.header.mode,
        folder.header.created,
        str(closed[-1]["state"]) if closed else "interrupted",
        points_words(folder.plan, len(rows)),
        str(folder.header.config.get("name", "")),
        str(folder.header.origin.get("note", "")),
        tags_of(path),
        sweep_worth(rows),
    )


def sweep_worth(rows: Sequence[Row]) -> str:
    """Say how many points of a sweep were fitted, and what was left out."""
    fitted = sum(row.fit is not None and row.fit.converged for row in rows)
    skipped = sum(row.outcome == "skipped" for row in rows)
    left_out = f", {skipped} left out" if skipped else ""
    return f"{fitted} of {len(rows)} points fitted{left_out}"


def _of_run(path: Path, details: bool) -> CatalogueEntry:
    worth: str = ""
    results: tuple[str, ...] = ()
    with RunFile.open(path) as run:
        m, samples, origin = run.manifest, run.rows, origin_of(run)
        if details:
            worth, results = run.worth().words(), _main_results(run.results())
    return CatalogueEntry(
        path,
        str(m["plan"].get("kind", "")),
        str(m["mode"]),
        float(m["created"]),
        str(m["outcome"] or m["state"]),
        f"{samples} samples",
        str(m["config"].get("name", "")),
        str(origin.get("note", "")),
        tags_of(path),
        worth,
        results,
    )


def _main_results(results: Mapping[str, Any]) -> tuple[str, ...]:
    """Couplings and correlated diffusion of the fits that are stored, a line a fit."""
    lines = []
    for name, result in results.items():
        parameters = result.get("parameters") if isinstance(result, Mapping) else None
        if not isinstance(parameters, Mapping):
            continue
        said = [
            f"{symbol_of(key)} = {_value(entry)}"
            for key in _MAIN
            if isinstance(entry := parameters.get(key), Mapping)
        ]
        if said:
            lines.append(f"{name}: {', '.join(said)}")
    return tuple(lines)


def _value(entry: Mapping[str, Any]) -> str:
    """Value of a fit as it is written for readers; rates are divided by 2π."""
    unit = str(entry.get("unit", ""))
    (value, shown), (error, _) = (in_hertz(entry.get(key), unit) for key in ("value", "stderr"))
    return "–" if value is None else f"{measured(float(value), error)} {shown}".rstrip()


def origin_of(run: RunFile) -> dict[str, Any]:
    """Return what a run says of where it comes from: the payload of its first event."""
    for event in run.each_event():
        return dict(event.payload) if event.kind is EventKind.RUN_START else {}
    return {}


def _tag_file(path: Path) -> tuple[Path, str]:
    """File of tags, and the name that stands for a run within it."""
    return (path / _TAGS, ".") if path.is_dir() else (path.parent / _TAGS, path.name)


def _read_tags(file: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        raise FileError(f"{file} cannot be read: mend or remove it") from None
    if not isinstance(found, dict) or not all(isinstance(tags, list) for tags in found.values()):
        raise FileError(f"{file} is no file of tags: mend or remove it")
    return {str(name): [str(tag) for tag in tags] for name, tags in found.items()}


def tags_of(path: Path) -> tuple[str, ...]:
    """Return the tags of a run file or a sweep.

    Raises
    ------
    FileError
        If the file of tags cannot be read.
    """
    file, name = _tag_file(path)
    return tuple(_read_tags(file).get(name, ()))


def change_tags(path: Path, add: Iterable[str] = (), remove: Iterable[str] = ()) -> tuple[str, ...]:
    """Give tags to a run or take them away; return those that it has then.

    Raises
    ------
    InputError
        For a tag that is empty or too long.
    FileError
        If the file of tags cannot be read or written, or there is no such run.
    """
    if not path.exists():
        raise FileError(f"{path} does not exist")
    wanted = [tag.strip() for tag in add]
    for tag in wanted:
        if not tag or len(tag) > _LONGEST_TAG:
            raise InputError(f"a tag has 1 … {_LONGEST_TAG} characters, got {tag[:70]!r}")
    file, name = _tag_file(path)
    known = _read_tags(file)
    gone = set(remove)
    tags = [tag for tag in dict.fromkeys([*known.get(name, ()), *wanted]) if tag not in gone]
    known[name] = tags
    replace_text(file, json_text({n: t for n, t in known.items() if t}, indent=2) + "\n")
    return tuple(tags)
