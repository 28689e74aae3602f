"""A queue on the disk: it survives the window, and waits there until it is asked to start."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...acquisition.sweeps.any_plan import any_plan_from_dict, any_plan_to_dict
from ...acquisition.sweeps.plan import SweepPlan
from ...acquisition.sweeps.table import replace_text
from ...instruments.links.base import LinkError
from ...instruments.links.claim import Claim
from ...models.errors import FileError, OptobindError
from ...models.json_values import json_text
from .queue import Entry, QueueModel, label_of

__all__ = ["QueueStore", "queue_text", "read_queue"]

_SCHEMA, _VERSION = "optobind-queue", 1
_LARGEST = 64 << 20


class QueueStore:
    """Keeps a queue in a file; whoever asks never waits for the disk.

    Parameters
    ----------
    folder : Path
        Where runs are recorded; made when there is something to keep.
    rig : str
        Name of the rig: each has a queue of its own.
    work : callable
        Does something in a thread.
    """

    def __init__(
        self, folder: Path, rig: str, work: Callable[[Callable[[], None]], Future[None]]
    ) -> None:
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", rig).strip(".-") or "rig"
        self.path = folder / f"queue-{slug}.json"
        self.trouble = ""
        self._work, self._lock = work, threading.Lock()
        self._newest: str | None = None
        self._writing: Future[None] | None = None
        self._claim: Claim | None = None
        self.own = True

    def claim(self) -> None:
        """Have the file for this window alone; where another one has it, nothing is kept here."""
        try:
            self._claim = Claim(f"queue {self.path.resolve()}")
        except LinkError as error:
            if "is used by" not in str(error):
                return  # no lock can be made here: kept without one, as before
            self.own = False
            self.trouble = (
                f"another window has the queue of this rig, {self.path.name}: what is queued here "
                "is measured, but forgotten when this window closes"
            )

    def release(self) -> None:
        """Let another window have the file."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def read(self) -> list[Entry]:
        """Return the entries that were kept; a damaged file is put aside. Waits for the disk.

        Those of another window that is open are none of this one.

        Raises
        ------
        FileError
            If it cannot be read; says where it is kept.
        """
        self.claim()
        if not self.own:
            return []
        try:
            if self.path.stat().st_size > _LARGEST:
                raise FileError(f"{self.path} is damaged: it is larger than {_LARGEST >> 20} MiB")
            return read_queue(self.path.read_text(encoding="utf-8"), str(self.path))
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, FileError) as error:
            said = str(error) if isinstance(error, FileError) else f"{self.path} cannot be read"
            aside = self.path.with_name(self.path.name + ".damaged")
            try:
                self.path.replace(aside)
            except OSError:
                raise FileError(said) from None
            raise FileError(f"{said}; it is kept as {aside}") from None

    def keep(self, text: str) -> None:
        """Write a queue soon; of several that wait the newest is written."""
        if not self.own:
            return
        with self._lock:
            self._newest = text
            if self._writing is None or self._writing.done():
                self._writing = self._work(self._write)

    @property
    def kept(self) -> bool:
        """Whether everything has been written, or could not be."""
        with self._lock:
            return self._newest is None and (self._writing is None or self._writing.done())

    def _write(self) -> None:
        while True:
            with self._lock:
                text, self._newest = self._newest, None
                if text is None:
                    self._writing = None
                    return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                replace_text(self.path, text, durable=True)
                self.trouble = ""
            except (OSError, FileError) as error:
                said = (
                    str(error)
                    if isinstance(error, FileError)
                    else (f"cannot write {self.path}: {error.strerror or error}")
                )
                self.trouble = f"the queue is not kept: {said}"


def queue_text(model: QueueModel, rig: str) -> str:
    """What is kept of a queue: entries that have not ended, as JSON.

    An entry under way is kept as one that was not started, a sweep under way as one to be finished.
    """
    kept = []
    for entry in model.entries:
        if entry.state not in ("waiting", "running"):
            continue
        resumes = entry.resumes
        if entry.state == "running" and isinstance(entry.plan, SweepPlan) and entry.path:
            resumes = entry.path
        kept.append(
            {
                "plan": any_plan_to_dict(entry.plan),
                "label": entry.label,
                "resumes": None if resumes is None else str(resumes),
                "begun": entry.state == "running",
            }
        )
    document = {"schema": _SCHEMA, "schema_version": _VERSION, "rig": rig, "entries": kept}
    return json_text(document, indent=2) + "\n"


def read_queue(text: str, source: str) -> list[Entry]:
    """Return what :func:`queue_text` wrote; all entries wait.

    Parameters
    ----------
    text : str
        The file.
    source : str
        Its name, for messages.

    Raises
    ------
    FileError
        If it is damaged or of a newer version.
    """
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
            raise FileError(f"{source} is no queue")
        if int(data["schema_version"]) > _VERSION:
            raise FileError(f"{source} is of a newer version of this program")
        return [_entry(number, kept) for number, kept in enumerate(data["entries"], start=1)]
    except FileError:
        raise
    except (OptobindError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as bad:
        raise FileError(f"{source} is damaged: {str(bad)[:120]}") from None


def _entry(number: int, kept: dict[str, Any]) -> Entry:
    resumes = kept.get("resumes")
    entry = Entry(
        number,
        any_plan_from_dict(kept["plan"]),
        label_of(str(kept.get("label") or "")),
        None if resumes is None else Path(str(resumes)),
    )
    if kept.get("begun"):
        entry.reason = "the window ended while it was under way"
    return entry
