"""Where in a text the numbers stand: its lines, what separates cells, decimal points or commas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...models.errors import FileError

__all__ = ["Layout", "lay_out"]

_PROBE = 400
_COMMENT = re.compile(r"\s*(?:#|%|//|!)")
_NUMBER = re.compile(
    r'"?\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|nan|inf(?:inity)?|∞)\s*"?', re.I
)
_DECIMAL_COMMAS = re.compile(
    r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?(?:\s+[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?)+\s*"
)
_MOST_SIDE_ROWS = 64


@dataclass(frozen=True)
class Layout:
    """A text cut into what stands above its numbers and the numbers.

    Attributes
    ----------
    above : list of str
        Lines above the first line of numbers, comments among them.
    comments : list of str
        Comments anywhere.
    body : str
        The lines of numbers, with decimal points.
    delimiter : str or None
        Between cells; None for blanks.
    columns : tuple of int or None
        Cells of a line that hold numbers; None for all.
    """

    above: list[str]
    comments: list[str]
    body: str
    delimiter: str | None
    columns: tuple[int, ...] | None


def lay_out(source: str, text: str) -> Layout:
    """Find the table in a text.

    Raises
    ------
    FileError
        If there is none, or its numbers could be read in two ways.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    plain = [line for line in lines if not _COMMENT.match(line)]
    trailing = [line[at:] for line in plain if (at := line.find("#")) > 0]
    comments = [line for line in lines if _COMMENT.match(line)] + trailing
    if not plain:
        raise FileError(f"{source} is empty: expected a table of numbers")
    probe = plain[:_PROBE]
    delimiter, decimal = _delimiter(probe[len(probe) // 2 :])
    rows = [_cells(line, delimiter, decimal) for line in probe]
    begin, columns = _first_row(rows)
    if begin is None:
        begin, columns = _beside(rows)
    if begin is None:
        if len(plain) == 1:
            raise FileError(f"{source} holds no numbers below its first line")
        raise FileError(f"{source} is not a table of numbers: {rows[-1][0][:60]!r} is none")
    above = _above(lines, plain[begin])
    if columns is not None and delimiter is not None:
        above = _side(rows, delimiter, columns)
        _check_side(source, plain[_MOST_SIDE_ROWS:], delimiter, columns)
    body = _body(source, plain[begin:], delimiter, decimal)
    return Layout(above, comments, body, delimiter, columns)


def _delimiter(lines: Sequence[str]) -> tuple[str | None, bool]:
    """What separates the cells of some lines, and whether commas are decimal."""
    for candidate in ("\t", ";"):
        if all(candidate in line for line in lines):
            return candidate, any("," in line for line in lines)
    if not any("," in line for line in lines):
        return None, False
    if all(_DECIMAL_COMMAS.fullmatch(line) for line in lines):
        return None, True
    if _single_decimal(lines):
        return None, True
    return ",", False


def _single_decimal(lines: Sequence[str]) -> bool:
    """Whether the lines are single numbers with decimal commas: 0,017 is no pair of numbers."""
    if any("." in line or line.count(",") > 1 for line in lines):
        return False
    if any(_NUMBER.fullmatch(line.replace(",", ".")) is None for line in lines):
        return False
    pairs = [line.strip().split(",") for line in lines if "," in line]
    return any(
        (b.startswith("0") and len(b) > 1)
        or a.lstrip("+") == "-0"
        or re.search("[eE]", b) is not None
        for a, b in pairs
    )


def _cells(line: str, delimiter: str | None, decimal: bool) -> list[str]:
    """Cells of a line with decimal points, empty ones at its end left out."""
    plain = line.partition("#")[0]
    cells = plain.split(delimiter)
    while len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.replace(",", ".") if decimal else cell for cell in cells]


def _first_row(rows: list[list[str]]) -> tuple[int | None, tuple[int, ...] | None]:
    """First line of numbers only, as many as most such lines have."""
    numeric = [
        bool(cells) and all(_NUMBER.fullmatch(cell.strip()) for cell in cells) for cells in rows
    ]
    if not any(numeric):
        return None, None
    widths = Counter(len(cells) for cells, good in zip(rows, numeric, strict=True) if good)
    width = widths.most_common(1)[0][0]
    return next(i for i, good in enumerate(numeric) if good and len(rows[i]) == width), None


def _beside(rows: list[list[str]]) -> tuple[int | None, tuple[int, ...] | None]:
    """Numbers that have their preamble in the columns to the left, as older Tektronix write."""
    width = min(len(cells) for cells in rows)
    good = [j for j in range(width) if all(_NUMBER.fullmatch(cells[j].strip()) for cells in rows)]
    if len(rows) < 3 or not good or good[0] < 2:
        return None, None
    return 0, tuple(good)


def _side(rows: list[list[str]], delimiter: str, columns: tuple[int, ...]) -> list[str]:
    """The preamble beside the numbers as lines above them: keys, then the names of the columns."""
    keys = [cells[: columns[0]] for cells in rows if cells[0].strip()]
    sources = {
        j: cells[j + 1].strip()
        for cells in rows
        for j, cell in enumerate(cells[:-1])
        if cell.strip().lower() == "source" and j not in columns
    }
    names = []
    for j in columns:
        before = [name for at, name in sorted(sources.items()) if at < j]
        first = j - 1 not in columns
        names.append("TIME" if first else before[-1] if before else f"CH{j}")
    return [*(delimiter.join(cells) for cells in keys), delimiter.join(names)]


def _check_side(
    source: str, lines: Sequence[str], delimiter: str, columns: tuple[int, ...]
) -> None:
    """Refuse a table whose other columns are not empty below the preamble."""
    for line in lines:
        cells = line.split(delimiter)
        if any(cell.strip() for j, cell in enumerate(cells) if j not in columns):
            raise FileError(f"{source} is not a table of numbers: some of its columns hold text")


def _above(lines: Sequence[str], first: str) -> list[str]:
    """Lines above the first line of numbers, comments included."""
    return list(lines[: lines.index(first)])


def _body(source: str, lines: Sequence[str], delimiter: str | None, decimal: bool) -> str:
    """The lines of numbers as numpy reads them."""
    if delimiter is not None:
        lines = [line.rstrip().rstrip(delimiter + " \t") for line in lines]
    body = "\n".join(lines)
    if decimal:
        if "." in body:
            raise FileError(
                f"{source} has decimal commas and points side by side: which separates thousands "
                "cannot be told; write 1000,5 or 1000.5"
            )
        body = body.replace(",", ".")
    elif delimiter == ",":
        _check_not_decimal(source, lines[:_PROBE])
    return body.replace("∞", "inf")


def _check_not_decimal(source: str, lines: Sequence[str]) -> None:
    """Refuse numbers with decimal commas that are separated by commas, too."""
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    cells = [cell for row in rows for cell in row]
    if any(not cell.lstrip("+-").isdecimal() for cell in cells) or len(rows[0]) % 2:
        return
    if any(len(cell) > 1 and cell.startswith("0") for row in rows for cell in row[1::2]):
        raise FileError(
            f"{source}: its commas may separate numbers or be decimal ones: save it with "
            "semicolons or decimal points"
        )
