"""Opening a record to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...acquisition.records.opening import open_record
from ...models.array import TrapArray
from .session import RecordedSession
from .story import story_of

__all__ = ["open_recorded"]

Trap = Callable[[Mapping[str, Any]], TrapArray | None]


def open_recorded(path: Path, trap_of: Trap, **options: Any) -> RecordedSession:
    """Open any record that can be imported, to be looked at.

    Parameters
    ----------
    path : Path
        Run file or file of another program.
    trap_of : callable
        Makes particles and light of the rig's document; None where it says too little.
    **options
        Of :func:`optobind.open_record`: ``sample_rate``, ``key``, ``columns``.

    Raises
    ------
    FileError
        If the file is missing, damaged or foreign.
    InputError
        If the options do not suit the file.
    """
    given = {name: value for name, value in options.items() if value is not None}
    record = open_record(path, **given)
    story = story_of(record)
    trap = None if story.rig is None else trap_of(story.rig)
    return RecordedSession(record, story, trap, given)
