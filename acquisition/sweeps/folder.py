"""The folder of a sweep: what it is, what happened, its run files and tables.

``sweep.json`` says once what is measured and with what; ``journal.jsonl`` what happened since;
``points/0001.h5 …`` are run files as any other. ``table.csv`` and ``conditions.csv`` follow from
the journal and are written anew after each point. Only one program at a time has a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...instruments.links.base import LinkError
from ...instruments.links.claim import Claim
from ...models.errors import FileError, InputError
from ...models.json_values import json_text
from ...models.light import TweezerState
from ..origin import light_from_dict, light_to_dict
from .any_plan import any_plan_from_dict, any_plan_to_dict
from .journal import Journal
from .knobs import set_rig_knobs
from .plan import SweepPlan
from .points import planned_points
from .rows import PointFit, Row
from .table import conditions_text, replace_text, table_text

__all__ = ["SweepFolder", "SweepHeader", "is_sweep_folder"]

_SCHEMA, _VERSION = "optobind-sweep", 1
_HEADER, _JOURNAL, _POINTS = "sweep.json", "journal.jsonl", "points"
_LARGEST = 16 << 20


@dataclass(frozen=True)
class SweepHeader:
    """What a sweep is; written once.

    Attributes
    ----------
    plan : SweepPlan
        What is measured.
    mode : str
        "LIVE" or "SIM".
    config : mapping
        The rig as run files keep it: name, document with units, masses.
    light : TweezerState
        Light of the beginning, read back: set-points that no axis names stay as in it.
    origin : mapping
        Note, operator, state of the program, versions.
    created : float
        s since the epoch.
    identity : str
        Of this sweep alone.
    """

    plan: SweepPlan
    mode: str
    config: Mapping[str, Any]
    light: TweezerState
    origin: Mapping[str, Any] = field(default_factory=dict)
    created: float = 0.0
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "schema": _SCHEMA,
            "schema_version": _VERSION,
            "identity": self.identity,
            "created": self.created,
            "mode": self.mode,
            "plan": any_plan_to_dict(self.plan),
            "light": light_to_dict(self.light),
            "origin": dict(self.origin),
            "config": dict(self.config),
        }


def is_sweep_folder(path: Path) -> bool:
    """Whether a folder holds a sweep."""
    return (path / _HEADER).is_file()


class SweepFolder:
    """A folder with a sweep; made by :meth:`create`, or opened.

    Parameters
    ----------
    path : path-like
        The folder.

    Raises
    ------
    FileError
        If it holds no sweep, one of a newer version, or a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.header, self._fingerprint = _read_header(self.path)
        self.journal = Journal(self.path / _JOURNAL)

    @classmethod
    def create(cls, path: str | Path, header: SweepHeader) -> SweepFolder:
        """Make a folder for a new sweep.

        Raises
        ------
        FileError
            If it holds a sweep already, or files of points, or cannot be made.
        """
        path = Path(path)
        if is_sweep_folder(path):
            raise FileError(
                f"{path} holds a sweep already: go on with it (optobind resume {path}) or choose "
                "another folder"
            )
        points = path / _POINTS
        try:
            points.mkdir(parents=True, exist_ok=True)
            strangers = sorted(entry.name for entry in points.iterdir())
        except OSError as error:
            raise FileError(f"cannot make the folder {path}: {error.strerror or error}") from None
        # Files of points are renamed to their final names: nothing that lies there may be lost.
        if strangers or (path / _JOURNAL).exists():
            lies = points / strangers[0] if strangers else path / _JOURNAL
            raise FileError(f"{path} is not empty, {lies} lies there: choose another folder")
        text = json_text(header.to_dict(), indent=2) + "\n"
        replace_text(path / _HEADER, text, durable=True)
        _sync(path)
        return cls(path)

    def discard(self) -> None:
        """Remove the folder again if nothing was begun in it and nothing else lies there."""
        if self.journal.path.exists():
            return
        with contextlib.suppress(OSError):
            (self.path / _POINTS).rmdir()
            (self.path / _HEADER).unlink()
            self.path.rmdir()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the header: what was measured under one is not gone on with under another."""
        return self._fingerprint

    @property
    def plan(self) -> SweepPlan:
        """What is measured."""
        return self.header.plan

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other programs from going on with this sweep meanwhile.

        Raises
        ------
        InputError
            If one does; names it.
        """
        try:
            claim = Claim(f"sweep {self.header.identity}")
        except LinkError as error:
            said = str(error).partition(": ")[0].replace(f"sweep {self.header.identity} ", "")
            raise InputError(f"{self.path} {said}: end that first") from None
        try:
            yield
        finally:
            claim.release()

    # -- files of points --------------------------------------------------------------------------

    def file_of(self, number: int) -> Path:
        """Run file of a point."""
        return self.path / _POINTS / f"{number:04d}.h5"

    def new_try(self, number: int) -> Path:
        """Path for another try at a point, not existing yet."""
        for count in range(1, 100_000):
            path = self.path / _POINTS / f"{number:04d}.try{count}.h5"
            if not path.exists():
                return path
        raise FileError(f"{self.path / _POINTS} holds 100000 tries of point {number}")

    def accept(self, attempt: Path, number: int) -> None:
        """Give the file of a try that succeeded the name of its point; again is no harm.

        Raises
        ------
        FileError
            If it is gone, or cannot be renamed.
        """
        final = self.file_of(number)
        if attempt == final or (final.exists() and not attempt.exists()):
            return
        try:
            os.replace(attempt, final)
        except OSError as error:
            raise FileError(
                f"cannot rename {attempt} to {final.name}: {error.strerror or error}"
            ) from None
        _sync(final.parent)

    # -- what is known ----------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Return the rows so far, in the order of their points; finishes what a kill cut short.

        Raises
        ------
        FileError
            If the journal is damaged.
        """
        try:
            return self._rows()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"{self.journal.path} is damaged: {str(error)[:120]}") from None

    def _rows(self) -> list[Row]:
        """Rows of a journal whose events hold what they should."""
        found: dict[int, dict[str, Any]] = {}
        fits: dict[int, PointFit] = {}
        for event in self.journal.read():
            if event["event"] in ("measured", "skipped"):
                found.setdefault(int(event["row"]["number"]), event)
            elif event["event"] == "fitted":
                fits[int(event["point"])] = PointFit.from_dict(event["fit"])
        rows = []
        for number in range(1, len(found) + 1):
            if number not in found:
                raise FileError(f"{self.journal.path} is damaged: point {number} is missing")
            event = found[number]
            if event.get("attempt") and not self.file_of(number).exists():
                attempt = self.path / _POINTS / str(event["attempt"])
                if attempt.exists():
                    self.accept(attempt, number)
            rows.append(_row(event["row"], fits.get(number)))
        return rows

    def require_unchanged(self, rows: Sequence[Row]) -> None:
        """Refuse to go on under a header that is not the one under which points were measured.

        Raises
        ------
        FileError
            If ``sweep.json`` was changed since.
        """
        opened = (e.get("header") for e in self.journal.read() if e["event"] == "opened")
        before = next(filter(None, opened), self.fingerprint)
        if before != self.fingerprint or not _as_planned(self.plan, rows):
            raise FileError(
                f"{self.path / _HEADER} was changed after the sweep had begun: points of two plans "
                "do not make one sweep; undo the change, or begin a new sweep"
            )

    def last_light(self) -> TweezerState | None:
        """Light that the sweep left, as far as it is known."""
        light = None
        for event in self.journal.read():
            if event.get("light"):
                light = light_from_dict(event["light"])
        return light

    def write_tables(self, rows: list[Row]) -> None:
        """Write both tables anew; FileError if they cannot be written."""
        replace_text(self.path / "table.csv", table_text(self.plan, rows))
        replace_text(self.path / "conditions.csv", conditions_text(rows))


def _as_planned(plan: SweepPlan, rows: Sequence[Row]) -> bool:
    """Whether the points that were measured are those that the plan begins with."""
    return all(
        row.kind == point.kind and (not point.setting or row.setting == point.setting)
        for row, point in zip(rows, planned_points(plan), strict=False)
    )


def _row(values: Mapping[str, Any], fit: PointFit | None) -> Row:
    """Row as the journal holds it."""
    known = dict(values)
    for name in ("setting", "read"):
        known[name] = tuple(float("nan") if v is None else v for v in known.get(name, ()))
    return Row(**known, fit=fit)


def _read_header(folder: Path) -> tuple[SweepHeader, str]:
    """Read what a sweep is, and the SHA-256 of the file that says so."""
    path = folder / _HEADER
    if not path.is_file():
        raise FileError(f"{folder} holds no sweep: there is no {path}")
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{path} is damaged: it is larger than {_LARGEST >> 20} MiB")
        content = path.read_bytes()
        data = json.loads(content)
        if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
            raise FileError(f"{path} is not the header of a sweep")
        if int(data["schema_version"]) > _VERSION:
            raise FileError(
                f"{path} has schema version {data['schema_version']}; this program reads up to "
                f"{_VERSION}"
            )
        set_rig_knobs((data["config"] or {}).get("knobs") or {})
        plan = any_plan_from_dict(data["plan"])
        if not isinstance(plan, SweepPlan):
            raise FileError(f"{path} is damaged: its plan is no sweep")
        header = SweepHeader(
            plan=plan,
            mode=str(data["mode"]),
            config=dict(data["config"]),
            light=light_from_dict(data["light"]),
            origin=dict(data["origin"]),
            created=float(data["created"]),
            identity=str(data["identity"]),
        )
        return header, hashlib.sha256(content).hexdigest()
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FileError(f"{path} is damaged: {str(error)[:120]}") from None


def _sync(folder: Path) -> None:
    """Have the disk remember the names in a folder, where the system can be asked to."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
