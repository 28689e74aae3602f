"""What is done of a table: a line for every task as soon as it ends, so a kill costs little."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ...instruments.links.claim import lock
from ...models.errors import FileError
from ...models.json_values import json_text
from .tasks import Outcome

__all__ = ["Journal"]

_SUFFIX = ".journal"
_STATES = ("ok", "failed", "crashed")


class Journal:
    """The journal beside a table, for one program at a time.

    Parameters
    ----------
    table : Path
        Its journal is ``TABLE.journal``.

    Raises
    ------
    FileError
        If it cannot be written, is no journal, or another program works on the table.
    """

    def __init__(self, table: Path) -> None:
        self.path = table.with_name(table.name + _SUFFIX)
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror or error}") from None
        self._file = os.fdopen(handle, "r+b", buffering=0)
        self.outcomes: dict[str, Outcome] = {}
        try:
            if not lock(self._file):
                raise FileError(
                    f"another program works on {table}: wait for it, or name another table"
                )
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        """Take over what is done; a line that a kill has cut short is taken off."""
        self._file.seek(0)
        text = self._file.read()
        whole = text.rfind(b"\n") + 1
        for number, line in enumerate(text[:whole].splitlines(), 1):
            if not line.strip(b"\0 "):  # a crash of the computer leaves zeros
                continue
            key, outcome = self._entry(line, number)
            self.outcomes[key] = outcome
        if whole < len(text):
            self._file.truncate(whole)
        self._file.seek(whole)

    def _entry(self, line: bytes, number: int) -> tuple[str, Outcome]:
        """Key and outcome of a line."""
        try:
            found: Any = json.loads(line)
            state, row = found["state"], found["row"]
            if state not in _STATES or not isinstance(row, dict):
                raise ValueError(state)
            return str(found["key"]), Outcome(state, row, str(found["reason"]))
        except (ValueError, KeyError, TypeError):
            raise FileError(
                f"{self.path} is no journal of a table, or damaged in line {number}: move it away "
                "to begin anew"
            ) from None

    def add(self, key: str, outcome: Outcome) -> None:
        """Write an outcome down.

        Raises
        ------
        FileError
            If that is not possible.
        """
        self.outcomes[key] = outcome
        entry = {
            "key": key, "state": outcome.state, "row": dict(outcome.row), "reason": outcome.reason
        }  # fmt: skip
        try:
            self._file.write(json_text(entry).encode() + b"\n")
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror or error}") from None

    def close(self) -> None:
        """Let the next program in."""
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()
