"""Headers of SCPI, and the settings that a served generator keeps without acting on them.

A generator remembers far more than frequency, amplitude and phase; clients ask for all of it, and
our own drivers refuse what somebody left in another state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = ["BOOLEAN", "NUMERIC", "TEXT", "Setting", "Settings", "choose", "header"]

BOOLEAN, NUMERIC, TEXT = "boolean", "numeric", "text"


def header(*words: str) -> re.Pattern[str]:
    """Pattern of a header in short or long form, with its ``?`` if it asks.

    Parameters
    ----------
    *words : str
        Such as "[SOURce#]", "FREQuency": capitals are the short form, ``#`` a number that may be
        left out, brackets a word that may be.
    """
    text, colon = ":?", ""
    for word in words:
        bare = word.strip("[]")
        suffix = r"(\d*)" if bare.endswith("#") else ""
        bare = bare.rstrip("#")
        short = "".join(c for c in bare if not c.islower())
        rest = bare[len(short) :].upper()
        one = f"{short}(?:{rest})?{suffix}" if rest else f"{short}{suffix}"
        if not word.startswith("["):
            text, colon = text + colon + one, ":"
        else:
            text += f"(?:{colon}{one})?" if colon else f"(?:{one}:)?"
    return re.compile(text + r"(\?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Setting:
    """One setting of a generator.

    Attributes
    ----------
    words : str
        Header, its words separated by blanks, as for :func:`header`.
    default : str or float
        After power-up.
    kind : str or tuple of str
        BOOLEAN, NUMERIC, TEXT, or the choices: capitals are the short form, which is what a query
        answers unless the answer stands behind a ``=``.
    low, high : float
        Range of numbers.
    digits : str
        Format of numbers if not the dialect's, such as "d".
    """

    words: str
    default: str | float
    kind: str | tuple[str, ...] = BOOLEAN
    low: float = 0.0
    high: float = 1e12
    digits: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Of its header."""
        return header(*self.words.split())


def choose(argument: str, choices: Iterable[str]) -> str | None:
    """Return what a query answers after a choice was made; None for an unknown one."""
    wanted = argument.strip().strip('"').upper()
    for choice in choices:
        name, _, answer = choice.partition("=")
        short = "".join(c for c in name if not c.islower())
        if name.upper().startswith(wanted) and len(wanted) >= len(short):
            return answer or short
    return None


@dataclass
class Settings:
    """Values of all settings of all channels; what was never set is as after power-up."""

    table: tuple[Setting, ...]
    values: dict[tuple[str, int], str | float] = field(default_factory=dict)

    def patterns(self) -> list[tuple[re.Pattern[str], Setting]]:
        """Headers with their settings."""
        return [(setting.pattern, setting) for setting in self.table]

    def reset(self) -> None:
        """Go back to what holds after power-up."""
        self.values.clear()

    def get(self, words: str, channel: int = 0) -> str | float:
        """Value by the words of the header."""
        setting = next(setting for setting in self.table if setting.words == words)
        return self.values.get((words, channel), setting.default)

    def answer(
        self,
        setting: Setting,
        channel: int,
        say: Callable[[bool], str],
        number: Callable[[float], str],
    ) -> str:
        """Return what a query answers; ``say`` and ``number`` write as the dialect does."""
        value = self.values.get((setting.words, channel), setting.default)
        if setting.kind == BOOLEAN:
            return say(bool(value))
        if isinstance(value, str):
            return value
        return format(round(value), "d") if setting.digits == "d" else number(value)
