"""What HDF5 raises on damaged files, as one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..models.errors import FileError, InputError

__all__ = ["one_line", "reading"]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what HDF5 raises meanwhile into a FileError; errors of our own pass."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise FileError(f"{path} is truncated or damaged: {one_line(error)}") from None


def one_line(error: BaseException) -> str:
    """Return the beginning of an HDF5 message without its line breaks."""
    return " ".join(str(error).split())[:200]
