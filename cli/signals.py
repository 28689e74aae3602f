"""Which signals end a program, with which exit code, and how a command receives them.

A command that only computes is ended by :class:`Interrupted`, raised where it stands. Whoever owns
devices collects the signals instead (:func:`collected_endings`) and ends in good order: a signal
then cuts nothing short, neither a wait for a device nor the closing of a session.

``nohup`` is respected: a SIGHUP that was ignored at the start stays ignored. SIGINT and SIGQUIT are
not left ignored: shells ignore them for every background job of a script, and whoever sends one to
such a job by hand means it.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = [
    "Endings",
    "Interrupted",
    "collected_endings",
    "console_watched",
    "ending_signals",
    "handling",
    "word_of",
]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
_WORDS = {"SIGINT": "interrupted", "SIGHUP": "hung up", "SIGQUIT": "quit"}
_CONSOLE_ENDS = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
_CONSOLE_SECONDS = 4.5  # Windows ends the process 5 s after the event


class Interrupted(BaseException):
    """A signal that ends the program; the parser would answer KeyboardInterrupt with its own line.

    Parameters
    ----------
    exit_code : int
        128 and the number of the signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP (a
        closed terminal), 131 after SIGQUIT.
    """

    def __init__(self, exit_code: int = 128 + signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = int(exit_code)


def ending_signals() -> tuple[int, ...]:
    """Numbers of the signals that end a program on this system."""
    return tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))


def word_of(exit_code: int) -> str:
    """Say in a word which signal an exit code comes from."""
    with contextlib.suppress(ValueError):
        return _WORDS.get(signal.Signals(exit_code - 128).name, "terminated")
    return "terminated"


class Endings:
    """The signals received so far; nothing is raised.

    Attributes
    ----------
    numbers : list of int
        In the order of their coming.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def note(self, number: int, _frame: FrameType | None = None) -> None:
        """Take a signal: no more may be done in a handler, which may interrupt any lock's owner."""
        self.numbers.append(int(number))

    @property
    def urgency(self) -> int:
        """0: go on. 1 (one Ctrl-C): end after this repetition. 2 (anything else): end now."""
        if not self.numbers:
            return 0
        return 1 if self.numbers == [signal.SIGINT] else 2

    @property
    def exit_code(self) -> int:
        """0 without a signal; 130 after Ctrl-C alone, else that of the first other signal."""
        if not self.numbers:
            return 0
        others = [number for number in self.numbers if number != signal.SIGINT]
        return 128 + (others[0] if others else signal.SIGINT)

    def raise_if_any(self) -> None:
        """Raise :class:`Interrupted` if a signal has come."""
        if self.numbers:
            raise Interrupted(self.exit_code)


@contextlib.contextmanager
def handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Answer every ending signal with ``handler`` meanwhile; nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in ending_signals() if not _left_ignored(number)]
    before = [signal.signal(number, handler) for number in taken]
    try:
        yield
    finally:
        for number, old in zip(taken, before, strict=True):
            signal.signal(number, signal.SIG_DFL if old is None else old)


def _left_ignored(number: int) -> bool:
    """Whether the signal was ignored by whoever started us, and is to stay so."""
    by_hand = (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT))
    return signal.getsignal(number) is signal.SIG_IGN and number not in by_hand


@contextlib.contextmanager
def collected_endings() -> Iterator[Endings]:
    """Only note the ending signals meanwhile: the body looks at them where it can end."""
    endings = Endings()
    with handling(endings.note):
        yield endings


@contextlib.contextmanager
def console_watched(
    layer: Any = None,
    seconds: float = _CONSOLE_SECONDS,
    deliver: Callable[[int], Any] | None = None,
) -> Iterator[None]:
    """Take the closing of a Windows console, logging off and shutting down as a SIGTERM.

    Windows ends the process as soon as the event has been answered: the answer waits until the body
    has ended, or its time is over. Ctrl-C and Ctrl-Break reach Python as signals anyhow.

    Parameters
    ----------
    layer : module, optional
        ``ctypes``; by default that of Windows, and nothing is done elsewhere.
    seconds : float
        Longest wait for the orderly end, s.
    deliver : callable, optional
        Brings a signal's number to the main thread.
    """
    if layer is None and sys.platform != "win32":
        yield
        return
    if layer is None:
        import ctypes as layer
    done = threading.Event()
    send = deliver or _thread.interrupt_main

    def answer(event: int) -> bool:
        if event not in _CONSOLE_ENDS:
            return False  # the next handler's
        send(signal.SIGTERM)
        done.wait(seconds)
        return True

    # Kept until the end: Windows calls it from a thread of its own.
    callback = layer.WINFUNCTYPE(layer.c_int, layer.c_uint)(answer)
    install = layer.windll.kernel32.SetConsoleCtrlHandler
    installed = bool(install(callback, 1))  # not without a console: a window needs none
    try:
        yield
    finally:
        done.set()
        if installed:
            install(callback, 0)
