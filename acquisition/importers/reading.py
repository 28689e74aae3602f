"""What a user says of a foreign file that the file does not say itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...models.errors import InputError

__all__ = ["Reading", "picked_columns", "time_and_columns"]

_MOST_NAMES = 8


@dataclass(frozen=True)
class Reading:
    """How a foreign file is to be read; everything may be left open.

    Attributes
    ----------
    rate : float or None
        Sample rate, Hz.
    key : str or None
        Path of the array or group within a file of many, "detector/A"; several with commas.
    columns : tuple of str or None
        Columns of samples, by name or by number from 0; an entry ``t=…`` names that of time.
    """

    rate: float | None = None
    key: str | None = None
    columns: tuple[str, ...] | None = None

    def keys(self) -> tuple[str, ...]:
        """Entries of ``key``, without slashes around them; none if it is left open."""
        if self.key is None:
            return ()
        return tuple(part.strip().strip("/") for part in self.key.split(",") if part.strip(" /"))


def time_and_columns(
    reading: Reading, names: Sequence[str], source: str
) -> tuple[int | None, tuple[int, ...] | None]:
    """Column of time and columns of samples that the user named; None where left open.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if reading.columns is None:
        return None, None
    time, rest = None, []
    for entry in reading.columns:
        if entry.lower().startswith("t="):
            time = picked_columns([entry[2:]], names, source)[0]
        else:
            rest.append(entry)
    chosen = picked_columns(rest, names, source) if rest else None
    if chosen is not None and time in chosen:
        raise InputError(f"{source}: column {time} cannot be time and samples at once")
    return time, chosen


def picked_columns(
    entries: Sequence[str], names: Sequence[str], source: str, what: str = "column"
) -> tuple[int, ...]:
    """Numbers of columns that are given by name, or by number from 0; a name goes first.

    Raises
    ------
    InputError
        For a name that is not there or stands for several, a number out of range, and twice the
        same column.
    """
    chosen = []
    for entry in (text.strip() for text in entries):
        found = [j for j, name in enumerate(names) if name == entry]
        found = found or [j for j, name in enumerate(names) if name.lower() == entry.lower()]
        if len(found) > 1:
            raise InputError(
                f"{source} has {len(found)} {what}s {entry!r}: name them by number, "
                f"{', '.join(map(str, found))}"
            )
        if found:
            chosen.append(found[0])
        elif entry.isascii() and entry.isdecimal() and len(entry) < 10:
            chosen.append(int(entry))
        else:
            raise InputError(
                f"{what} {entry[:60]!r} does not exist: {source} has {shown_names(names)}; give "
                "names or numbers from 0"
            )
        if chosen[-1] >= len(names):
            raise InputError(
                f"{what} {chosen[-1]} does not exist: {source} has {what}s 0 … {len(names) - 1} "
                f"({shown_names(names)})"
            )
    if len(set(chosen)) != len(chosen):
        raise InputError(f"{what}s {','.join(entries)[:80]}: each may be named once only")
    return tuple(chosen)


def shown_names(names: Sequence[str]) -> str:
    """Names in a message, not more than fit in a line."""
    shown = ", ".join(name or "''" for name in names[:_MOST_NAMES])
    return shown + (f", … ({len(names)} in all)" if len(names) > _MOST_NAMES else "")
