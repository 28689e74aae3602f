"""stdout and stderr that a closed terminal cannot make fail, and that no text can command.

After a closed terminal every write fails (EIO), after a closed pipe too (EPIPE). A run must not end
for that: what would be written goes nowhere from then on. What a terminal would obey is spelled
out; only rich, which draws tables and progress, writes its own sequences (``rich_proxied_file``),
and what it draws is spelled out by ``console.py``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from ..models.shown import shown

__all__ = ["forgiving_streams", "silence"]

# A full disk behind ``> file`` is none of these: results that cannot be written are an error.
_GONE = {errno.EIO, errno.EPIPE, errno.EBADF, errno.ENXIO, errno.ENODEV}
if sys.platform == "win32":
    _GONE |= {errno.EINVAL}


class _Forgiving:
    """A text stream whose writes do not fail when there is nobody left to read.

    Parameters
    ----------
    stream : text stream
        What is written to.
    anything : bool
        Forgive every failure: no message is worth a run.
    obeyed : bool
        Let escape sequences through to the terminal.

    Attributes
    ----------
    rich_proxied_file : text stream
        Where rich writes what it has drawn.
    """

    def __init__(self, stream: TextIO, *, anything: bool, obeyed: bool = False) -> None:
        self._stream, self._anything, self._obeyed = stream, anything, obeyed
        self.rich_proxied_file = (
            self if obeyed else _Forgiving(stream, anything=anything, obeyed=True)
        )

    def write(self, text: str) -> int:
        """Write; say that all was written. Bytes are refused, as every stream of text does."""
        if not isinstance(text, str):  # the parser tries whether this is a binary stream
            raise TypeError(f"text is written here, not {type(text).__name__}")
        with self._forgiving():
            self._stream.write(text if self._obeyed else shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush."""
        with self._forgiving():
            self._stream.flush()

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._anything and error.errno not in _GONE:
                raise
            silence(self._stream)
        except ValueError:  # closed
            if not self._anything:
                raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def silence(stream: TextIO) -> None:
    """Point a stream at nothing: what is left in its buffers must not fail at exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


@contextlib.contextmanager
def forgiving_streams() -> Iterator[None]:
    """Replace meanwhile what a console's code page cannot show, and streams that are closed."""
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nothing:  # for a program without a console
        sys.stdout = _made_forgiving(sys.stdout or nothing, False)
        sys.stderr = _made_forgiving(sys.stderr or nothing, True)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _made_forgiving(stream: TextIO, anything: bool) -> TextIO:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        with contextlib.suppress(OSError, ValueError):
            reconfigure(errors="replace")
    return cast(TextIO, _Forgiving(stream, anything=anything))
