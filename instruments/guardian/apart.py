"""How the process of a guardian leaves the program's group and console, and sees its end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

__all__ = ["stand_apart", "watch_of"]


def stand_apart() -> None:
    """Leave the group and the console of the program: what is sent to all spares the guardian."""
    for name in ("SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM", "SIGTSTP", "SIGBREAK", "SIGPIPE"):
        number = getattr(signal, name, None)
        if number is not None:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.FreeConsole()
    else:
        with contextlib.suppress(OSError):
            os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Whoever reads the program's output must not wait for the guardian; a terminal may hear it.
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            if number < 2 or not os.isatty(2):
                os.dup2(null, number)
    os.close(null)


def watch_of(parent: int) -> int | None:
    """A descriptor that becomes readable when the program ends; None where there is none."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(parent)
    except OSError:
        return None
