"""Names of columns and their units: "time (ms)", "t_us", "CH1 in mV", and rows of units."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...models.prefixes import prefix_power

__all__ = [
    "ColumnName",
    "Unit",
    "is_frequency_name",
    "is_time_name",
    "known_unit",
    "split_name",
    "units_row",
]

_WORDS = {
    "second": "s", "seconds": "s", "sec": "s", "secs": "s", "sekunde": "s", "sekunden": "s",
    "millisecond": "ms", "milliseconds": "ms", "msec": "ms",
    "microsecond": "us", "microseconds": "us", "usec": "us", "µsec": "us",
    "nanosecond": "ns", "nanoseconds": "ns", "nsec": "ns",
    "volt": "V", "volts": "V", "millivolt": "mV", "millivolts": "mV", "microvolt": "uV",
    "microvolts": "uV", "vdc": "V",
    "metre": "m", "metres": "m", "meter": "m", "meters": "m", "nanometre": "nm",
    "nanometres": "nm", "nanometer": "nm", "nanometers": "nm",
    "ampere": "A", "amperes": "A", "amp": "A", "amps": "A", "watt": "W", "watts": "W",
}  # fmt: skip
_PLAIN = {
    "quanta": "quanta",
    "counts": "counts", "count": "counts", "lsb": "counts", "adc": "counts", "raw": "counts",
    "a.u.": "a.u.", "au": "a.u.", "arb": "a.u.", "arb.": "a.u.", "arb. u.": "a.u.",
}  # fmt: skip
_PREFIXED = re.compile(r"([kmuµnpf]?)(s|V|m|A|W|rad|min|h)")
_LONG_TIMES = {"min": 60.0, "h": 3600.0}
# Units that may follow a name after "_" or "/" without brackets; A and s alone are names as well.
_SUFFIXES = {"V", "mV", "uV", "µV", "kV", "m", "mm", "um", "µm", "nm", "pm", "fm", "mA", "uA"}
_TIME_SUFFIXES = {"s", "ms", "us", "µs", "ns", "ps", "sec", "min"}
_TIMES = {
    "t", "time", "times", "zeit", "temps", "tiempo", "tempo", "timestamp", "timestamps", "second",
    "seconds", "sec", "elapsed", "elapsed time", "relative time", "time axis", "timebase",
}  # fmt: skip
_BRACKETS = re.compile(r"(.*?)[\s_/,:]*[\(\[\{]\s*([^\(\)\[\]\{\}]*?)\s*[\)\]\}]", re.DOTALL)
_WORD_IN = re.compile(r"(.*?)\s*\bin\s+(\S+)", re.IGNORECASE | re.DOTALL)
_SUFFIX = re.compile(r"(.*?)\s*[_/,:]\s*([A-Za-zµμ]+)")
# Of other dimensions: a column in these is no position, and not in volts.
_FOREIGN = {
    "K", "C", "°C", "degC", "Hz", "kHz", "MHz", "Pa", "mbar", "mBar", "bar", "Torr", "N", "pN",
    "fN",
    "Ohm", "ohm", "Ω", "g", "kg", "J", "T", "F", "dB", "dBm", "dBV", "%", "deg", "°", "1/s", "inch",
}  # fmt: skip
_MICRO = str.maketrans({"μ": "µ", "\u00a0": " "})


@dataclass(frozen=True)
class Unit:
    """A unit that a file states: its SI unit (or "quanta", "counts", "a.u.") and the factor."""

    si: str
    factor: float


@dataclass(frozen=True)
class ColumnName:
    """The name of a column, its unit where one stands there, and what stands in its brackets else.

    That may be a label, "CH1 (left)", or a unit that is of no use for samples, "T (K)".
    """

    name: str
    unit: Unit | None = None
    other: str = ""

    @property
    def foreign(self) -> bool:
        """Whether the brackets hold a unit of another dimension, or an unknown one of time."""
        return self.other in _FOREIGN or (
            bool(self.other) and is_time_name(self.name.partition("(")[0].partition("[")[0])
        )


def known_unit(text: str, time: bool = False) -> Unit | None:
    """Read the text of a unit; None if it is not known.

    Parameters
    ----------
    text : str
        Such as "mV", "Volt", "µs".
    time : bool
        Whether it is that of time: "S" and "mS" are then seconds, as scopes write them.
    """
    plain = text.translate(_MICRO).strip().strip("()[]{}").strip()
    if not plain:
        return None
    word = _WORDS.get(plain.lower())
    if word is None and plain.lower() in _PLAIN:
        return Unit(_PLAIN[plain.lower()], 1.0)
    plain = word or plain
    if time and plain.endswith("S"):
        plain = plain[:-1] + "s"
    found = _PREFIXED.fullmatch(plain)
    if found is None or (time and found[2] not in ("s", "min", "h")):
        return None
    if found[2] in _LONG_TIMES:
        return None if found[1] else Unit("s", _LONG_TIMES[found[2]])
    power = prefix_power(found[1].replace("u", "µ"))
    return None if power is None else Unit(found[2], float(f"1e{power}"))


def is_time_name(name: str) -> bool:
    """Whether a name, without its unit, says time."""
    return name.strip(" .:#").lower().replace("_", " ") in _TIMES


def is_frequency_name(name: str) -> bool:
    """Whether the name of a column that grows evenly says that it is a frequency."""
    plain = name.strip().lower()
    bare = re.split(r"[\s_(\[/,]", plain)[0]
    in_hertz = re.search(r"(?:^|[\s_(\[])[kMG]?Hz[)\]]?$", name.strip()) is not None
    return in_hertz or bare in {"f", "freq", "freqs", "frequency", "frequencies", "frequenz"}


def split_name(cell: str) -> ColumnName:
    """Split the head of a column into its name and its unit.

    Examples
    --------
    >>> split_name("left (mV)"), split_name("t_us").unit, split_name("Ch_A").unit
    (ColumnName(name='left', unit=Unit(si='V', factor=0.001), other=''), Unit(si='s', \
factor=1e-06), None)
    """
    text = cell.translate(_MICRO).strip().strip('"').strip()
    for pattern in (_BRACKETS, _WORD_IN):
        found = pattern.fullmatch(text)
        if found is not None and found[2]:
            name = found[1].strip()
            unit = known_unit(found[2], is_time_name(name)) or known_unit(found[2])
            if unit is not None:
                return ColumnName(name, unit)
            if pattern is _BRACKETS:
                return ColumnName(text, None, found[2])
    found = _SUFFIX.fullmatch(text)
    if found is not None:
        time = is_time_name(found[1])
        if found[2] in (_TIME_SUFFIXES if time else _SUFFIXES):
            return ColumnName(found[1].strip(), known_unit(found[2], time))
    if text.lower() in _WORDS and (unit := known_unit(text)) is not None and unit.si == "s":
        return ColumnName(text, unit)
    return ColumnName(text)


def units_row(cells: list[str]) -> list[Unit | None] | None:
    """Units of a row such as "Second,Volt,Volt" or "(ms);(V);(V)"; None if it is no such row."""
    texts = [cell.strip().strip('"').strip() for cell in cells]
    read = [known_unit(text, time=j == 0) or known_unit(text) for j, text in enumerate(texts)]
    filled = [j for j, text in enumerate(texts) if text]
    others = {"sequence", "sample", "samples", "index", "#", "-", "value"}
    known = [j for j in filled if read[j] is not None]
    if not known or any(read[j] is None and texts[j].lower() not in others for j in filled):
        return None
    return read
