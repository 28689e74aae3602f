"""Where in a text the numbers stand: its lines, what separates cells, decimal points or commas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...models.errors import FileError
from .cells import is_clock, is_number, is_out_of_range, split_cells

__all__ = ["Layout", "lay_out"]

_PROBE = 400
# Where a preamble may end at the latest, in steps of half a probe.
_MOST_PROBES = 100
# Rows of one pattern from which words beside numbers are a column of their own.
_LEAST_ALIKE = 8
_COMMENT = re.compile(r"\s*(?:#|%|//|!)")
_DECIMAL_COMMAS = re.compile(
    r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?(?:\s+[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?)+\s*"
)
_MOST_SIDE_ROWS = 64
_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


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
    width : int
        Cells of a line that names stand above.
    clock : int or None
        The cell that holds the time of day.
    words : tuple of int
        Cells that hold words and are left out.
    """

    above: list[str]
    comments: list[str]
    body: str
    delimiter: str | None
    columns: tuple[int, ...] | None
    width: int
    clock: int | None = None
    words: tuple[int, ...] = ()


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
    begin, delimiter, decimal = _begin(plain)
    probe = plain[:_PROBE]
    if begin is None:
        delimiter, decimal = _delimiter(probe[len(probe) // 2 :])
        beside = _beside(source, plain, comments, delimiter, decimal)
        if beside is not None:
            return beside
        return _with_words(source, lines, plain, comments)
    rows = [_cells(line, delimiter, decimal) for line in plain[max(0, begin - 1) : begin + _PROBE]]
    first = min(begin, 1)
    if _numbered(rows[first:]):
        begin += 1  # the names that pandas gives to columns without any
    elif begin:
        _check_above(source, rows[0], len(rows[1]))
    above = _above(lines, plain[begin])
    body = _body(source, plain[begin:], delimiter, decimal)
    return Layout(above, comments, body, delimiter, None, len(rows[first]))


def _begin(plain: Sequence[str]) -> tuple[int | None, str | None, bool]:
    """First line of numbers only, what separates them, and whether commas are decimal.

    Lines are looked at in pieces that overlap: a piece whose second half holds numbers only says
    how its lines are separated, however long the preamble.
    """
    half = _PROBE // 2
    for start in range(0, min(len(plain), _MOST_PROBES * half), half):
        piece = plain[start : start + _PROBE]
        delimiter, decimal = _delimiter(piece[len(piece) // 2 :])
        first = _first_row([_cells(line, delimiter, decimal) for line in piece])
        if first is not None and (first < half or start + _PROBE >= len(plain)):
            return start + first, delimiter, decimal
    return None, None, False


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
    if any(not is_number(line.replace(",", ".")) for line in lines):
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
    cells = split_cells(line.partition("#")[0], delimiter)
    while len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.replace(",", ".") if decimal else cell for cell in cells]


def _first_row(rows: list[list[str]]) -> int | None:
    """First line of numbers only, as many as most such lines have."""
    numeric = [bool(cells) and all(is_number(cell) for cell in cells) for cells in rows]
    if not any(numeric):
        return None
    widths = Counter(len(cells) for cells, good in zip(rows, numeric, strict=True) if good)
    width = widths.most_common(1)[0][0]
    return next(i for i, good in enumerate(numeric) if good and len(rows[i]) == width)


def _numbered(rows: list[list[str]]) -> bool:
    """Whether the first row counts the columns, and all others hold fractions."""
    first = [cell.strip() for cell in rows[0]]
    if len(rows) < _LEAST_ALIKE or first != [str(j) for j in range(len(first))]:
        return False
    return all(len(row) == len(first) and all("." in cell for cell in row) for row in rows[1:])


def _check_above(source: str, cells: list[str], width: int) -> None:
    """Refuse a first row of samples that a word keeps from being one: it is no line of names."""
    numbers = [is_number(cell) for cell in cells]
    if (
        len(cells) != width
        or all(numbers)
        or not any(
            good and re.search(r"\d\.|\.\d|\d[eE]", cell)
            for good, cell in zip(numbers, cells, strict=True)
        )
    ):
        return
    word = next(cell.strip() for cell, good in zip(cells, numbers, strict=True) if not good)
    if numbers[0] or is_out_of_range(word):
        raise FileError(
            f"{source}: its first row of numbers holds {word[:20]!r} (out of range, or missing): "
            "leave that row out"
        )


def _beside(
    source: str, plain: list[str], comments: list[str], delimiter: str | None, decimal: bool
) -> Layout | None:
    """Numbers that have their preamble in the columns to the left, as older Tektronix write."""
    rows = [_cells(line, delimiter, decimal) for line in plain[:_PROBE]]
    width = min(len(cells) for cells in rows)
    good = tuple(j for j in range(width) if all(is_number(cells[j]) for cells in rows))
    if len(rows) < 3 or not good or good[0] < 2 or delimiter is None:
        return None
    _check_side(source, plain[_MOST_SIDE_ROWS:], delimiter, good)
    body = _body(source, plain, delimiter, decimal)
    return Layout(_side(rows, delimiter, good), comments, body, delimiter, good, len(good))


def _with_words(source: str, lines: list[str], plain: list[str], comments: list[str]) -> Layout:
    """A table that holds words beside numbers in every row: times of the day, states."""
    if len(plain) == 1:
        raise FileError(f"{source} holds no numbers below its first line")
    middle = plain[len(plain) // 2 :][:_PROBE]
    delimiter, decimal = _delimiter(middle)
    pattern = _pattern(middle[0], delimiter, decimal)
    same = [_pattern(line, delimiter, decimal) == pattern for line in middle]
    if delimiter is None or not all(same) or len(same) < _LEAST_ALIKE or "1" not in pattern:
        cell = _cells(plain[min(len(plain), _PROBE) - 1], delimiter, decimal)[0]
        raise FileError(f"{source} is not a table of numbers: {cell[:60]!r} is none")
    begin = len(plain) // 2
    while begin and _pattern(plain[begin - 1], delimiter, decimal) == pattern:
        begin -= 1
    clock = pattern.find("t")
    columns = tuple(j for j, kind in enumerate(pattern) if kind == "1")
    return Layout(
        _above(lines, plain[begin]),
        comments,
        _body(source, plain[begin:], delimiter, decimal),
        delimiter,
        columns,
        len(pattern),
        None if clock < 0 else clock,
        tuple(j for j, kind in enumerate(pattern) if kind not in "1" and j != clock),
    )


def _pattern(line: str, delimiter: str | None, decimal: bool) -> str:
    """Kinds of the cells of a line: 1 a number, t a time of the day, w a word."""
    cells = _cells(line, delimiter, decimal)
    return "".join("1" if is_number(c) else "t" if is_clock(c) else "w" for c in cells)


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
        _check_thousands(source, lines[:_PROBE], delimiter)
        if "." in body:
            raise FileError(
                f"{source} has decimal commas and points side by side: which separates thousands "
                "cannot be told; write 1000,5 or 1000.5"
            )
        body = body.replace(",", ".")
    elif delimiter == ",":
        _check_not_decimal(source, lines[:_PROBE])
    if any(_FORTRAN.search(line) for line in lines[:_PROBE]):
        body = _FORTRAN.sub("e", body)
    return body.replace("∞", "inf")


def _check_thousands(source: str, lines: Sequence[str], delimiter: str | None) -> None:
    """Refuse a column of whole numbers whose commas separate thousands: 999 beside 1,024."""
    rows = [[cell.strip() for cell in split_cells(line, delimiter)] for line in lines]
    for column in zip(*(row for row in rows if len(row) == len(rows[0])), strict=True):
        long = [cell for cell in column if "," in cell]
        short = [cell for cell in column if "," not in cell]
        if long and len(short) > 0.01 * len(column) and all(map(_THOUSANDS.fullmatch, long)):
            raise FileError(
                f"{source}: the comma of {long[0]!r} beside {short[0]!r} may separate thousands or "
                "be a decimal one: save it without thousands separators"
            )


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
