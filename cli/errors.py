"""The contract on errors: one line ``optobind: …`` on stderr and an exit code, no traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

__all__ = ["Interrupted", "guarded", "one_line", "silence_stdout"]

_INTERRUPTED = 128 + signal.SIGINT


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; the argument parser would answer KeyboardInterrupt with its own line.

    Parameters
    ----------
    exit_code : int
        130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, exit_code: int = _INTERRUPTED) -> None:
        super().__init__()
        self.exit_code = int(exit_code)


def one_line(text: object) -> str:
    """Join lines and repeated blanks, so that an error stays one line, and disarm the rest.

    A file's name may hold what a terminal would obey.
    """
    joined = " ".join(str(text).split())
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in joined
    )


def _say(text: str) -> None:
    """Write one line to stderr; a closed stderr is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"optobind: {one_line(text)}\n")
        sys.stderr.flush()


def _on_interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(128 + number)


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into :class:`Interrupted` where a handler can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, _on_interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _use_forgiving_streams() -> None:
    """Replace what a console's code page cannot show, and closed streams, instead of failing."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors="replace")


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


def silence_stdout() -> None:
    """Point stdout at nothing after its reader has gone."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


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
    _use_forgiving_streams()
    # Commands draw into files; what a notebook or an editor left here may not exist in this venv.
    os.environ["MPLBACKEND"] = "agg"
    with _interrupts(), warnings.catch_warnings():
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
        _say(str(error))
        return error.exit_code
    if isinstance(error, Interrupted | KeyboardInterrupt):
        code = error.exit_code if isinstance(error, Interrupted) else _INTERRUPTED
        _say("interrupted" if code == _INTERRUPTED else "terminated")
        return code
    if isinstance(error, BrokenPipeError | SystemExit):
        # The parser and its help end the process when the reader of stdout has gone.
        silence_stdout()
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
