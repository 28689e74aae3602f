"""The program's end of the line to a guardian: start it, ask it, give signs of life, see it die."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import math
import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from multiprocessing import process as processes
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from ...models.errors import DeviceError
from ..links.base import LinkError
from .messages import BEAT_SECONDS, Answer, Order, Report, Verb
from .process import guard

__all__ = ["GuardianLine"]

_SPARED = ("SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM")
_EXIT_SECONDS = 2.0
_lines: weakref.WeakSet[GuardianLine] = weakref.WeakSet()
_starting: set[Connection] = set()
_ending = threading.Event()  # the program has hung up all of them: none is to be started any more
_change = threading.Lock()


class GuardianLine:
    """A guardian process and the pipe to it.

    Parameters
    ----------
    packed : bytes
        The gate's driver, pickled.
    on_report : callable
        Called, from a thread of its own, with what the guardian did unasked.
    on_death : callable
        Called, from that thread, when the guardian has ended without having been told to.
    """

    silent: bool
    """Whether the last order was not answered in time."""

    def __init__(
        self,
        packed: bytes,
        on_report: Callable[[Report], None],
        on_death: Callable[[GuardianLine], None],
    ) -> None:
        self._on_report, self._on_death = on_report, on_death
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._news = threading.Condition()
        self._answer: Answer | None = None
        self._ended = self._leaving = self.silent = False
        self._beating = threading.Event()
        self._over = threading.Event()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        with _change:
            if _ending.is_set():
                self._pipe.close()
                theirs.close()
                raise DeviceError("the program is ending: no guardian of the gate is started")
            _starting.add(self._pipe)
        self._process = context.Process(
            target=guard, args=(theirs, packed, os.getpid()), name="gate-guardian", daemon=False
        )
        try:
            with _signals_wait():
                self._process.start()
        except OSError as error:
            _starting.discard(self._pipe)
            self._pipe.close()
            raise DeviceError(f"the guardian of the gate cannot be started: {error}") from error
        finally:
            theirs.close()
        self._owner = os.getpid()
        self._listener = threading.Thread(target=self._listen, name="guardian-line", daemon=True)
        self._listener.start()
        threading.Thread(target=self._beat, name="guardian-beat", daemon=True).start()
        _lines.add(self)
        _starting.discard(self._pipe)

    @property
    def process_id(self) -> int:
        """Process id of the guardian."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Whether the guardian listens."""
        return not self._ended

    def watch(self, on: bool) -> None:
        """Give signs of life, or no longer: while feedback may be off by an order of ours."""
        (self._beating.set if on else self._beating.clear)()

    def ask(
        self,
        verb: Verb,
        seconds: float,
        at_most: float = math.inf,
        call: tuple[str, tuple[Any, ...]] = ("", ()),
    ) -> Answer:
        """Send an order and wait for its answer.

        Parameters
        ----------
        verb : str
            What is to be done.
        seconds : float
            Longest wait for the answer, s.
        at_most : float
            Longest time for which an opening is meant, s.
        call : tuple of (str, tuple)
            What is asked of the pattern player.

        Raises
        ------
        LinkError
            If there is none within ``seconds``, or the guardian is dead.
        """
        number = next(self._numbers)
        if verb == "disconnect":
            self._leaving = True
        self._send(Order(number, verb, at_most, call))
        with self._news:
            there = self._news.wait_for(
                lambda: self._ended or (self._answer is not None and self._answer.number == number),
                seconds,
            )
            answer = self._answer
        self.silent = answer is None or answer.number != number
        if answer is not None and not self.silent:
            self._leaving = verb == "disconnect" and answer.value is not True
            return answer
        if there:
            raise LinkError("the guardian of the gate has died")
        raise LinkError(f"the guardian of the gate did not answer within {seconds:g} s")

    def kill(self) -> None:
        """End a guardian that does not answer; ``on_death`` follows."""
        self._process.kill()

    def hang_up(self, seconds: float = _EXIT_SECONDS) -> bool:
        """Close the pipe: the guardian closes a gate that was opened, and ends.

        Returns
        -------
        bool
            Whether it has ended within ``seconds``; otherwise it goes on trying on its own.
        """
        if os.getpid() != self._owner:  # a copy of this program that was forked
            return True
        self._leaving = True
        self._over.set()
        self._beating.set()  # wakes the thread that beats
        self._listener.join(1.0)  # a pipe is not closed under its reader
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._process.join(seconds)
        ended = not self._process.is_alive()
        if not ended:  # our exit must not wait for it
            getattr(processes, "_children", set()).discard(self._process)
            threading.Thread(target=self._process.join, name="guardian-end", daemon=True).start()
        return ended

    # -- threads --------------------------------------------------------------------------------

    def _send(self, order: Order) -> None:
        try:
            with self._sending:
                self._pipe.send(order)
        except (OSError, ValueError) as error:
            raise LinkError("the guardian of the gate has died") from error

    def _beat(self) -> None:
        """Signs of life: they stop when this program is stopped."""
        while not self._over.is_set():
            self._beating.wait()
            with contextlib.suppress(LinkError):
                if not self._over.is_set():
                    self._send(Order(0, "beat"))
            self._over.wait(BEAT_SECONDS)

    def _listen(self) -> None:
        try:
            while not self._over.is_set():
                if not self._pipe.poll(0.2):
                    continue
                message = self._pipe.recv()
                if isinstance(message, Report):
                    self._on_report(message)
                    continue
                with self._news:
                    self._answer = message
                    self._news.notify_all()
        except (EOFError, OSError, ValueError):
            pass
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._over.set()
        self._beating.set()
        if not self._leaving:
            self._process.join(1.0)
            self._on_death(self)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Let signals wait until the child has said that it ignores them: it inherits the mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it changes the mask where it is started
    spared = {getattr(signal, name) for name in _SPARED}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, spared)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@atexit.register
def _hang_up_all() -> None:
    """Before multiprocessing joins its children: a guardian waits for the end of its pipe.

    A program may end while another thread is starting one, or is about to.
    """
    with _change:
        _ending.set()
    for pipe in list(_starting):
        with contextlib.suppress(OSError):
            pipe.close()
    for line in list(_lines):
        if line.alive:
            line.hang_up()
