"""What goes to stdout (results, once, at the end) and to stderr (progress, warnings)."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = [
    "as_json",
    "console_for_progress",
    "print_json",
    "print_result",
    "print_text",
    "require_makeable",
    "warn",
    "write_json",
]


def _plain(value: Any) -> Any:
    """Turn numpy values, complex numbers and paths into JSON values; NaN and infinity into null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(entry) for entry in value]
    return str(value)


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Encode as strict JSON in ASCII; NaN and infinity become null."""
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, indent=indent)


def print_json(value: Any) -> None:
    """Write exactly one JSON object to stdout."""
    _write(as_json(value) + "\n")


def print_text(text: str) -> None:
    """Write text to stdout as it is: no wrapping, no markup."""
    _write(text)


def _write(text: str) -> None:
    """Write to stdout; a reader that has gone (``| head``) is no error, see ``streams.py``."""
    sys.stdout.write(text)
    sys.stdout.flush()


def require_makeable(directory: Path | None) -> None:
    """Refuse a directory that cannot be made or written, before anything slow is imported.

    Nothing is made: what cannot be run leaves no empty folder.

    Raises
    ------
    FileError
        Names what stands in the way.
    """
    if directory is None:
        return
    there = directory
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise FileError(f"{directory} cannot be made: {there} is not a directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise FileError(f"{directory} cannot be made: {there} is not writable")


def write_json(path: Any, value: Any) -> None:
    """Write a JSON file."""
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(as_json(value) + "\n")


def print_result(*parts: RenderableType) -> None:
    """Write tables and text to stdout."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else 110
    console = Console(file=sys.stdout, width=wide, highlight=False, soft_wrap=wide is not None)
    # Captured first: the console would end the process when the reader has gone.
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    _write(captured.get())


def console_for_progress() -> Console:
    """Return a console on stderr."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False)


def warn(messages: Iterable[str]) -> None:
    """Write warnings to stderr, a line each."""
    for message in messages:
        sys.stderr.write(f"warning: {' '.join(message.split())}\n")
    sys.stderr.flush()
