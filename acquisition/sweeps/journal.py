"""The journal of a sweep: one line of JSON for each thing that happened, on the disk at once.

What a program wrote before it was killed is there; a last line that was cut short is left out and
removed before the next one is written.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ...models.errors import FileError
from ...models.json_values import json_text

__all__ = ["Journal"]


class Journal:
    """An append-only file of events.

    Parameters
    ----------
    path : Path
        Made by the first line that is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mended = False

    def read(self) -> list[dict[str, Any]]:
        """Return all whole lines.

        Raises
        ------
        FileError
            If it cannot be read, or a line within it is no JSON.
        """
        lines = self._content().split(b"\n")
        events = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                event = json.loads(line)
                if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                    raise ValueError
            except (ValueError, RecursionError):
                raise FileError(f"{self.path} is damaged: line {number} is no event") from None
            events.append(event)
        return events

    def write(self, event: str, **values: Any) -> None:
        """Append a line and wait until the disk has it.

        Raises
        ------
        FileError
            If it cannot be written, as on a full disk.
        """
        text = json_text({"event": event, "time": time.time(), **values}) + "\n"
        try:
            self._mend()
            with self.path.open("ab") as file:
                file.write(text.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._mended = False
            raise FileError(f"cannot write {self.path}: {error.strerror or error}") from None

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise FileError(f"cannot read {self.path}: {error.strerror or error}") from None

    def _mend(self) -> None:
        """Cut off a last line that its writer did not bring to its end; once."""
        if self._mended:
            return
        content = self._content()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        self._mended = True
