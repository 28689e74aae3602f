"""Entry of the ``optobind`` command and of ``python -m optobind``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        0 done, 1 bug, 2 input, 3 fit not converged, 4 device, 130 interrupted, 143 terminated.
    """
    # Before numpy is imported: two BLAS threads on two busy cores slow small fits up to 40 times.
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    from multiprocessing import freeze_support

    freeze_support()
    from .cli.errors import guarded

    def command(arguments: Sequence[str]) -> int:
        from .cli.app import invoke

        return invoke(arguments)

    return guarded(command, sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
