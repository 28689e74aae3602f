"""What goes to stdout (results, once, at the end) and to stderr (progress, warnings)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError
from ..models.json_values import json_text
from ..models.shown import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = [
    "console_for_progress",
    "make_directory",
    "print_json",
    "print_result",
    "print_text",
    "progress_bar",
    "progress_bars",
    "require_makeable",
    "warn",
    "write_json",
    "write_text",
]


def print_json(value: Any) -> None:
    """Write exactly one JSON object to stdout."""
    _write(json_text(value, indent=2) + "\n")


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


def make_directory(directory: Path) -> None:
    """Make a directory for results; before the work, so that an unwritable one is found at once.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{directory} cannot be made: {error.strerror or error}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Write a JSON file; FileError if it cannot be written."""
    write_text(path, json_text(value, indent=indent) + "\n")


def print_result(*parts: RenderableType) -> None:
    """Write tables and text to stdout."""
    from .console import ShownConsole

    wide = None if sys.stdout.isatty() else 110
    target = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
    console = ShownConsole(file=target, width=wide, soft_wrap=wide is not None)
    # Captured first: the console would end the process when the reader has gone.
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    target.write(captured.get())
    target.flush()


def console_for_progress() -> Console:
    """Return a console on stderr."""
    from .console import ShownConsole

    return ShownConsole(file=sys.stderr)


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show on stderr how far a long piece of work is; a pipe sees nothing.

    Yields
    ------
    callable
        Takes the share that is done, 0 … 1.
    """
    with progress_bars(description) as (told,):
        yield told


@contextmanager
def progress_bars(*descriptions: str) -> Iterator[tuple[Callable[[float], None], ...]]:
    """Show how far pieces of work are that follow each other, each from its first share on.

    Yields
    ------
    tuple of callable
        One for every description; takes the share of that piece that is done, 0 … 1.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from .console import ShownColumn

    console = console_for_progress()
    columns = (
        ShownColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks = [
            bar.add_task(text, total=1.0, visible=not place, start=not place)
            for place, text in enumerate(descriptions)
        ]

        def told(place: int) -> Callable[[float], None]:
            def tell(share: float) -> None:
                if not bar.tasks[place].started:
                    bar.start_task(tasks[place])
                bar.update(tasks[place], completed=share, visible=True)

            return tell

        yield tuple(told(place) for place in range(len(descriptions)))


def warn(messages: Iterable[str], what: str = "warning") -> None:
    """Write warnings, or what else they are, to stderr, a line each."""
    for message in messages:
        sys.stderr.write(f"{what}: {one_line(message)}\n")
    sys.stderr.flush()
