"""The contract on errors: one line ``optobind: …`` on stderr and an exit code, no traceback."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from ..models.shown import one_line
from .signals import Interrupted, console_watched, handling, word_of
from .streams import forgiving_streams, silence

__all__ = ["guarded"]


def _say(text: str) -> None:
    """Write one line to stderr; a closed stderr is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"optobind: {one_line(text)}\n")
        sys.stderr.flush()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(128 + number)


def _debug() -> bool:
    return os.environ.get("OPTOBIND_DEBUG", "") not in ("", "0")


def _report_bug(error: BaseException) -> None:
    """Write the traceback to a file and name it in one line."""
    if _debug():
        traceback.print_exception(error)
    text = f"internal error: {type(error).__name__}: {error}"
    try:
        handle, name = tempfile.mkstemp(prefix="optobind-error-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        _say(f"{text}; the traceback is in {Path(name)}, or set OPTOBIND_DEBUG=1")
    except OSError:
        _say(f"{text}; set OPTOBIND_DEBUG=1 for the traceback")


def _describe_os_error(error: OSError) -> str:
    """Say which file could not be used, and why."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def guarded(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command; turn whatever it raises into one line and an exit code.

    Parameters
    ----------
    command : callable
        Takes the arguments and returns an exit code.
    arguments : sequence of str
        Without the program's name.
    """
    # Commands draw into files; what a notebook or an editor left here may not exist in this venv.
    os.environ["MPLBACKEND"] = "agg"
    with (
        forgiving_streams(),
        handling(_interrupt),
        console_watched(),
        warnings.catch_warnings(),
    ):
        if not (sys.warnoptions or _debug()):
            warnings.simplefilter("ignore")  # libraries' warnings are not for the user
        try:
            code = command(arguments)
            sys.stdout.flush()
        except BaseException as error:
            code = _answer(error)
    return code


def _answer(error: BaseException) -> int:
    """Describe an exception on stderr and return the exit code."""
    from ..models.errors import OptobindError

    if isinstance(error, OptobindError):
        if _debug():
            traceback.print_exception(error)
        for text in getattr(error, "failures", ()) or (str(error),):
            _say(text)  # a line for each device that failed
        return error.exit_code
    if isinstance(error, Interrupted | KeyboardInterrupt):
        code = (error if isinstance(error, Interrupted) else Interrupted()).exit_code
        _say(word_of(code))
        return code
    if isinstance(error, BrokenPipeError | SystemExit):
        # The parser and its help end the process when the reader of stdout has gone.
        silence(sys.stdout)
        return 0
    if isinstance(error, MemoryError):
        _say("not enough memory: use a shorter record or fewer samples per segment")
        return 2
    if isinstance(error, OSError):
        if _debug():
            traceback.print_exception(error)
        _say(_describe_os_error(error))
        return 2
    _report_bug(error)
    return 1
