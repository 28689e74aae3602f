"""Text of users and of files as it may be shown: what a terminal would obey is spelled out.

Names, paths, comments and messages of devices may hold escape sequences, which move a cursor or
clear a screen, and marks that turn the direction of writing, so that a name reads as another.
"""

from __future__ import annotations

__all__ = ["one_line", "shown"]


def shown(text: object) -> str:
    r"""Spell out all characters that are not to be seen; lines and tabs stay.

    Examples
    --------
    >>> print(shown("φ = 1 µm: \x1b[2Jrun\u202e.h5"))
    φ = 1 µm: \x1b[2Jrun\u202e.h5
    """
    given = str(text)
    if given.isprintable():
        return given
    return "".join(
        char if char.isprintable() or char in "\n\t" else _spelled(char) for char in given
    )


def one_line(text: object) -> str:
    """Join lines and repeated blanks, so that a message stays one line, and spell out the rest."""
    return shown(" ".join(str(text).split()))


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
