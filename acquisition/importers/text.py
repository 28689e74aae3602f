"""The text of a file in the encodings that laboratory programs write."""

from __future__ import annotations

import codecs
from pathlib import Path

from ...models.errors import FileError
from ..free_memory import require_memory
from .signatures import named_format

__all__ = ["read_text"]

_MAX_SIZE = 2_000_000_000
_MEMORY_PER_BYTE = 8  # text, lines, the text of all lines again, and numbers
_PROBE = 4096
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Control characters that text may hold: tab, line feed, form feed, return, end of file (DOS).
_ALLOWED = {9, 10, 12, 13, 26}


def read_text(path: Path) -> str:
    """Read a file as UTF-8, UTF-16 (with or without a mark), or Windows' Latin-1.

    Raises
    ------
    FileError
        If it is no text, or too long for one.
    """
    if path.stat().st_size > _MAX_SIZE:
        raise FileError(f"{path} is too long for a text file; store it as NPZ")
    require_memory(path, _MEMORY_PER_BYTE * path.stat().st_size, "its numbers")
    content = path.read_bytes()
    foreign = named_format(content[:_PROBE], path.suffix)
    if foreign is not None:
        raise FileError(f"{path} is {foreign[0]}, which optobind does not read: {foreign[1]}")
    encoding = _encoding(content[:_PROBE])
    for name in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if not _is_text(text[:_PROBE]):
            break
        return text.rstrip("\x1a")
    raise FileError(
        f"{path} is neither a run file, one of the formats that optobind knows, nor text (UTF-8, "
        "UTF-16, Latin-1): its format is not known"
    )


def _encoding(head: bytes) -> str | None:
    """Encoding that the first bytes prove: a mark, or the zeros of UTF-16."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    even, odd = head[0::2], head[1::2]
    if odd and odd.count(0) > 0.8 * len(odd) and not even.count(0):
        return "utf-16-le"
    if even and even.count(0) > 0.8 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _is_text(head: str) -> bool:
    """Whether no control characters stand in it, as they do in anything binary."""
    return not any(
        ((code := ord(char)) < 32 and code not in _ALLOWED) or 127 <= code < 160 for char in head
    )
