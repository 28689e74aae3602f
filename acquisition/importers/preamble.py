"""What stands above a table: names, units, rates, increments, of every scope and of savetxt.

Scopes write lines of a key and its value ("Sample Interval,4e-06", "% Acquisition rate: 250 kHz"),
then a line of names, then perhaps one of units. Their keys are few, whatever the vendor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...models.errors import FileError
from ...models.units import split_number, to_si
from .cells import is_clock, is_number, split_cells
from .names import ColumnName, Unit, known_unit, split_name, units_row
from .reading import shown_names
from .scale_keys import is_scale_of_count
from .time_axis import Stated

__all__ = ["Preamble", "cells_of", "rate_of_entry", "read_preamble"]

_RATES = {
    "samplerate", "samplingrate", "samplefrequency", "samplingfrequency", "acquisitionrate", "fs",
    "fsample", "samplerates", "datarate", "scanrate", "srate", "samplespersecond", "adcrate",
    "actualsamplerate",
}  # fmt: skip
_PERIODS = {
    "sampleinterval", "samplinginterval", "increment", "xincr", "xinc", "xincrement", "xdelta",
    "deltax", "deltat", "dt", "timestep", "tinterval", "interval", "timeincrement", "sampleperiod",
    "samplingperiod", "timeresolution", "resolution", "tinc", "wfincrement", "hinterval",
    "horizinterval", "timeperpoint", "timeinterval", "hresolution", "samplespacing", "timedelta",
}  # fmt: skip
_UNITS = {"unit", "units", "verticalunits", "yunits", "yunit", "yunitlabel", "vunit"}
_TIME_UNITS = {"horizontalunits", "xunits", "xunit", "timeunit", "timeunits", "hunit"}
_NAMES = {"source", "channel", "channels", "trace", "tracename", "waveformsource"}
_OTHER_KEYS = {
    "segments", "segmentsize", "recordlength", "labels", "label", "start", "t0", "verticalscale",
}  # fmt: skip
# What LabVIEW writes as step where none was set.
_UNSET_STEPS = {"deltax", "wfincrement"}
_ASSIGNMENT = re.compile(r"\s*([^=:,;\t#%]{1,60}?)\s*[:=]\s*(\S.*)?")
_PER_SECOND = re.compile(r"([kMG]?)(?:(?:S|Sa|[Ss]amples?|[Pp]ts)/s(?:ec)?|Sps|sps|SPS)\b")
# A comma before a digit may be a decimal one: 1,5 MHz must not be read as 1.
_COMMENT_CELLS = re.compile(r"[;\t#]|,(?!\d)")
# Between a key and its value, also two of them: "Sampling rate:,250 kS/s" is not 0.25 kHz.
_SEPARATORS = ":=,; "
_LEADERS = re.compile(r"\s*(?:#|%|//|!)+\s?")
_MUST_BE_RATES = {"samplerate", "samplingrate"}


@dataclass
class Preamble:
    """What was found above a table.

    Attributes
    ----------
    columns : list of ColumnName or None
        One for each column of numbers; None without names.
    stated : list of Stated
        Rates, Hz, and increments as rates.
    unit, time_unit : Unit or None
        Of all columns of samples, of the column of time, where a key states them.
    entries : dict
        Keys, lower case without blanks, and their values.
    """

    columns: list[ColumnName] | None = None
    stated: list[Stated] = field(default_factory=list)
    unit: Unit | None = None
    unit_texts: list[str] = field(default_factory=list)
    time_unit: Unit | None = None
    entries: dict[str, list[str]] = field(default_factory=dict)


def cells_of(line: str, delimiter: str | None) -> list[str]:
    """Cells of a line; of one with blanks between them a unit stays with its name."""
    if delimiter is None:
        return re.split(r"\s+(?![\(\[])", line.strip())
    return [cell.strip().strip('"').strip() for cell in split_cells(line, delimiter)]


def read_preamble(
    source: str, lines: Sequence[str], comments: Sequence[str], delimiter: str | None, width: int
) -> Preamble:
    """Read the lines above a table, and its comments.

    Parameters
    ----------
    source : str
        The file, for messages.
    lines : sequence of str
        Above the first line of numbers, comments among them.
    comments : sequence of str
        Comments anywhere, their marks included.
    delimiter : str or None
        That of the numbers.
    width : int
        Columns of numbers.

    Raises
    ------
    FileError
        If a rate is no rate, or the last line has names for another number of columns.
    """
    found = Preamble()
    for key, values in _entries(lines, comments, delimiter):
        plain = _plain(key)
        found.entries.setdefault(plain, values)
        rate = rate_of_entry(source, key, values[0] if values else "")
        if rate is not None:
            found.stated.append(rate)
        if plain in _UNITS and values:
            found.unit_texts = [text.rpartition(":")[2].strip() for text in values if text]
        if plain in _TIME_UNITS and values:
            found.time_unit = found.time_unit or known_unit(values[0], time=True)
    _read_names(source, found, lines, delimiter, width)
    return found


def rate_of_entry(source: str, key: str, text: str) -> Stated | None:
    """Rate that an entry states; None if its key is not one of rates, or it holds no number.

    Raises
    ------
    FileError
        If a sample rate is no frequency.
    """
    name, unit = _split_key(key)
    # "Analog:1e-08", as Siglent writes; "2.5e5 Hz, precision mode", as Moku does.
    value = text.rpartition(":")[2] if re.match(r"[A-Za-z]\w*\s*:", text) else text
    value = value.strip().strip('"').rstrip(",").strip()
    try:
        if name in _RATES:
            spelled = _PER_SECOND.sub(r"\1Hz", re.split(r",\s", value)[0])
            default = {"kHz": "kHz", "mHz": "MHz", "gHz": "GHz"}.get(unit or "", "Hz")
            hertz = to_si(spelled, "Hz", default=default, units=("Hz", "kHz", "MHz"))
            return Stated(key, hertz)
        if name in _PERIODS:
            number, rest = split_number(re.split(r",\s", value)[0])
            scale = known_unit(rest or unit or "s", time=True)
            if name in _UNSET_STEPS and number == 1.0:
                return None
            if scale is not None and number > 0.0:
                return Stated(key, 1.0 / (number * scale.factor))
    except ValueError as error:
        if name in _MUST_BE_RATES:
            raise FileError(f"{source}: {key.strip()} {error}") from None
    return None


def _plain(key: str) -> str:
    """A key without blanks, dashes and case."""
    return re.sub(r"[\s_\-.]+", "", key.lower().strip("\"' "))


def _split_key(key: str) -> tuple[str, str | None]:
    """A plain key of rates and the unit in it: "Sampling rate (kHz)", "dt_us"."""
    name = _plain(re.sub(r"[()\[\]]", " ", key))
    for ending in ("khz", "mhz", "ghz", "hz"):
        if name.endswith(ending) and name.removesuffix(ending) in _RATES:
            return name.removesuffix(ending), ending[:-2] + "Hz"
    for ending in ("ms", "us", "µs", "ns", "s"):
        if name.endswith(ending) and name.removesuffix(ending) in _PERIODS and name not in _PERIODS:
            return name.removesuffix(ending), ending
    return name, None


def _is_known(key: str) -> bool:
    """Whether a key is one that is followed by values."""
    plain = _plain(key)
    known = _RATES | _PERIODS | _UNITS | _TIME_UNITS | _NAMES | _OTHER_KEYS
    return plain in known or _split_key(key)[0] in _RATES | _PERIODS or is_scale_of_count(plain)


def _entries(
    lines: Sequence[str], comments: Sequence[str], delimiter: str | None
) -> Iterator[tuple[str, list[str]]]:
    """Keys and values of all lines: "key,value", "key: value", "key = value"."""
    for line in lines:
        cells = cells_of(line, delimiter or "\t") if not _LEADERS.match(line) else []
        if len(cells) > 1 and _is_known(cells[0].rstrip(_SEPARATORS)):
            yield cells[0].rstrip(_SEPARATORS), [cell for cell in cells[1:]]
            if "segmentsize" in map(_plain, cells):
                yield (
                    "segmentsize",
                    cells[[_plain(cell) for cell in cells].index("segmentsize") + 1 :],
                )
            continue
        for cell in cells or ():
            assignment = _ASSIGNMENT.fullmatch(cell)
            if assignment is not None and assignment[2] is not None:
                yield assignment[1], [assignment[2].lstrip(_SEPARATORS)]
    for comment in comments:
        whole = _LEADERS.sub("", comment, count=1)
        cells = whole.split(",")
        if len(cells) > 1 and _is_known(cells[0].rstrip(_SEPARATORS)):
            yield cells[0].rstrip(_SEPARATORS), [cell.strip() for cell in cells[1:]]
            continue
        for cell in _COMMENT_CELLS.split(whole):
            assignment = _ASSIGNMENT.fullmatch(cell.strip(' "'))
            if assignment is not None:
                yield assignment[1], [(assignment[2] or "").strip(' "').lstrip(_SEPARATORS)]


def _read_names(
    source: str, found: Preamble, lines: Sequence[str], delimiter: str | None, width: int
) -> None:
    """Find the line of names and that of units, from the table upwards."""
    units: list[Unit | None] | None = None
    for number, line in enumerate(reversed(lines)):
        commented = _LEADERS.match(line) is not None
        cells = _fitting_cells(
            _LEADERS.sub("", line, count=1) if commented else line, delimiter, width
        )
        row = units_row(cells[:width])
        if units is None and row is not None and len(row) >= width:
            units = row
            _increment(found, lines, number, cells, delimiter)
            continue
        assigned = any(_ASSIGNMENT.fullmatch(cell) and "=" in cell for cell in cells)
        key = _plain(cells[0]) if cells else ""
        if not commented and _is_setting(cells):
            continue
        if key in _NAMES and len(cells) == width and units is not None:
            cells = ["", *cells[1:]]  # Siglent: "Source,CH1,CH2" above "Second,Volt,Volt"
        elif (key not in _NAMES and cells and _is_known(cells[0])) or (assigned and commented):
            if found.columns is None and units is None and not commented:
                break
            continue
        if len(cells) >= width and (len(cells) == width or _trailing(cells[width:])):
            found.columns = [split_name(cell) for cell in cells[:width]]
            break
        if commented or units is not None:
            continue
        if len(cells) == width - 1:  # a table of pandas or R, whose index has no name
            found.columns = [ColumnName(""), *(split_name(cell) for cell in cells)]
            break
        if number == 0 and len(cells) > 1:
            raise FileError(
                f"{source}: {len(cells)} names in the first line for {width} columns "
                f"({shown_names(cells)})"
            )
        break
    if found.columns is None:
        found.columns = _listed_names(found, width)
    if units is not None:
        heads = found.columns or [ColumnName("") for _ in range(width)]
        found.columns = [
            ColumnName(head.name, head.unit or unit, head.other)
            for head, unit in zip(heads, units[:width], strict=True)
        ]


def _is_setting(cells: Sequence[str]) -> bool:
    """Whether a line is a key and numbers or times of the day, "HOffset,-1.2E-2"; no names."""
    values = [cell for cell in cells[1:] if cell]
    if len(cells) > 1 and not values:
        return _plain(cells[0]).rstrip(":").endswith("data")  # "Data:," above the numbers
    return bool(values) and all(
        is_clock(cell) or (is_number(cell) and re.search(r"[.eE]", cell)) for cell in values
    )


def _listed_names(found: Preamble, width: int) -> list[ColumnName] | None:
    """Names that a key lists, one for each column: "TraceName,CH1,CH2"."""
    for key in _NAMES & set(found.entries):
        values = [value for value in found.entries[key] if value]
        if len(values) == width and len(set(values)) == width:
            return [split_name(value) for value in values]
    return None


def _fitting_cells(line: str, delimiter: str | None, width: int) -> list[str]:
    """Cells by the delimiter of the numbers, or by another that gives their number."""
    for candidate in (delimiter, "\t", ";", ",", None):
        cells = cells_of(line, candidate)
        if len(cells) == width:
            return cells
    cells = cells_of(line, delimiter)
    while len(cells) > width and not cells[-1]:
        cells.pop()
    return cells


def _trailing(cells: Sequence[str]) -> bool:
    """Whether what follows the names has no numbers: Rigol's "t0 = …", LabVIEW's comments."""
    return all(
        not cell
        or _plain(cell) in {"start", "increment", "comment", "comments"}
        or _ASSIGNMENT.fullmatch(cell)
        for cell in cells
    )


def _increment(
    found: Preamble, lines: Sequence[str], number: int, cells: Sequence[str], delimiter: str | None
) -> None:
    """Read Rigol's increment: a name in one line, its value in that of the units below."""
    if number + 1 >= len(lines):
        return
    heads = [_plain(cell) for cell in cells_of(lines[-2 - number], delimiter)]
    for head, cell in zip(heads, cells, strict=False):
        if head == "increment" and (rate := rate_of_entry("", head, cell)) is not None:
            found.stated.append(rate)
