"""Entry of the ``optobind`` command and of ``python -m optobind``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from types import FrameType

from .cli.signals import handling, word_of

__all__ = ["main"]

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def _leave_quietly(number: int, _frame: FrameType | None) -> None:
    """Answer a signal while the first modules are imported: nothing has been opened yet."""
    with contextlib.suppress(OSError):
        os.write(2, f"optobind: {word_of(128 + number)}\n".encode("ascii"))
    os._exit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        0 done, 1 bug, 2 input, 3 fit not converged, 4 device; after a signal 128 and its number:
        129 closed terminal, 130 interrupted, 131 quit, 143 terminated.
    """
    with handling(_leave_quietly):
        return _run(sys.argv[1:] if argv is None else list(argv))


def _run(arguments: Sequence[str]) -> int:
    """Import the command line and carry out a command."""
    # Before numpy is imported: two BLAS threads on two busy cores slow small fits up to 40 times.
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    from multiprocessing import freeze_support

    freeze_support()
    from .cli.errors import guarded

    def command(given: Sequence[str]) -> int:
        from .cli.app import invoke

        return invoke(given)

    return guarded(command, arguments)


if __name__ == "__main__":
    sys.exit(main())
