"""The process of the live fits: a pure-Python thread would slow the window's frames."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import wait
from typing import Any, TypeVar

from ..models.inference.reheating.estimate import ReheatingEstimate
from ..models.inference.result import FitResult
from .children import deaf_to_the_terminal, die_with_parent, start_tracker
from .live_fit import (
    FitTask,
    FittedCurve,
    Probe,
    fit_reheating_curves,
    fit_spectrum,
    segment_of,
)

__all__ = ["NO_WORKER", "FitProcess"]

A = TypeVar("A")
R = TypeVar("R")

_LAST_BREATH = 0.5  # s between asking the worker to end and ending it
_STILLBORN = 3  # workers that end before they answer anything, one after the other

NO_WORKER = (
    "the process of the live fits ends as soon as it starts: a script that opens a session needs "
    'its commands below if __name__ == "__main__": in a file, or live_fits=False; otherwise free '
    "some memory and connect again"
)


def _initialise() -> None:
    """Start of the worker: leave Ctrl-C to the parent, die with it, load what fits need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    import_module("..models.inference.spectral.choose", __package__)
    import_module("..models.inference.spectral.fits", __package__)
    import_module("..models.inference.reheating.fits", __package__)


def _is_awake(_: None) -> None:
    """Answer: the worker has started and loaded what fits need."""


class FitProcess:
    """One worker process; at most one task of each kind waits at a time.

    A thread watches the worker: one that dies, also while there is nothing to fit, is noticed at
    once and replaced. Once closed it refuses to fit: a late caller must not start a worker that
    nobody ends.

    Parameters
    ----------
    on_lost : callable
        Called when the worker died, with whether a new one takes over: after three that ended
        before they answered anything none does, until :meth:`start` is called again.
    """

    def __init__(self, on_lost: Callable[[bool], object] = lambda replaced: None) -> None:
        self._on_lost = on_lost
        self._answered, self._stillborn = False, 0
        self._executor: ProcessPoolExecutor | None = None
        self._watched: ProcessPoolExecutor | None = None
        self._lock = threading.RLock()
        self._closed = False

    def start(self) -> None:
        """Start the worker (spawned, so that it works alike on Windows); returns at once."""
        with self._lock:
            self._stillborn = 0
            self._wake()

    def _wake(self) -> None:
        with suppress(OSError, RuntimeError):  # the first fit says what is wrong
            if not self._closed:
                self._submitted(_is_awake, None)

    def spectrum(self, task: FitTask) -> Future[FittedCurve]:
        """Submit a spectrum."""
        return self._submit(fit_spectrum, task)

    def segment(self, probe: Probe) -> Future[int | None]:
        """Submit samples of which the segment is to be chosen."""
        return self._submit(segment_of, probe)

    def reheating(self, estimate: ReheatingEstimate) -> Future[tuple[FitResult | None, str]]:
        """Submit reheating curves."""
        return self._submit(fit_reheating_curves, estimate)

    def task(self, function: Callable[[A], R], argument: A) -> Future[R]:
        """Submit a function of a module with its argument."""
        return self._submit(function, argument)

    def _submit(self, function: Callable[[A], R], argument: A) -> Future[R]:
        """Submit, or return a future that fails: whoever analyses live data goes on without."""
        with self._lock:
            try:
                return self._submitted(function, argument)
            except BrokenProcessPool:
                self._lose()  # it was killed or ran out of memory
            except (OSError, RuntimeError) as error:
                return _failed(error)
            try:
                return self._submitted(function, argument)
            except (OSError, RuntimeError) as error:  # a BrokenProcessPool is a RuntimeError
                return _failed(error)

    def _submitted(self, function: Callable[[A], R], argument: A) -> Future[R]:
        """Submit to the worker; the pool starts it with the first task."""
        executor = self._started()
        with deaf_to_the_terminal():
            future = executor.submit(function, argument)
        future.add_done_callback(self._note_answer)
        if self._watched is not executor:
            self._watched = executor
            workers = list((getattr(executor, "_processes", None) or {}).values())
            watch = threading.Thread(
                target=self._watch, args=(executor, workers), name="watch-fits", daemon=True
            )
            watch.start()
        return future

    def _watch(self, executor: ProcessPoolExecutor, workers: list[Any]) -> None:
        """Wait for the end of the workers; replace one that was not asked to end."""
        wait([worker.sentinel for worker in workers])
        with self._lock:
            if self._closed or self._executor is not executor:
                return
            if self._lose():
                self._wake()

    def _lose(self) -> bool:
        """Count a worker that died, and say so; whether another may take over."""
        self._end_worker()
        self._stillborn = 0 if self._answered else self._stillborn + 1
        self._answered = False
        replaced = self._stillborn < _STILLBORN
        self._on_lost(replaced)
        return replaced

    def _note_answer(self, future: Future[Any]) -> None:
        if not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool):
            self._answered = True

    def _started(self) -> ProcessPoolExecutor:
        if self._closed:
            raise RuntimeError("the fits have been closed")
        if self._stillborn >= _STILLBORN:
            raise RuntimeError(NO_WORKER)
        if self._executor is None:
            start_tracker()  # before the pool's semaphores would
            os.environ.setdefault("OMP_NUM_THREADS", "1")
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            self._executor = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_initialise,
            )
        return self._executor

    def close(self) -> None:
        """End the worker at once, also one that is still starting or fitting. Call as you like."""
        with self._lock:
            self._closed = True
            self._end_worker()

    def _end_worker(self) -> None:
        """Shut the pool down and terminate its worker.

        Python's exit joins the worker: one that is still importing, or fitting, would hold it up.
        """
        executor, self._executor = self._executor, None
        if executor is None:
            return
        workers = list((getattr(executor, "_processes", None) or {}).values())
        tasks = getattr(getattr(executor, "_call_queue", None), "_reader", None)
        with suppress(OSError):  # the pool of a worker that died has closed its pipes itself
            executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(_LAST_BREATH)
            if worker.is_alive():
                worker.kill()
                worker.join(_LAST_BREATH)
        if tasks is not None and sys.version_info < (3, 11, 5):
            # A task larger than the pipe holds its sender until somebody reads, and Python's exit
            # waits for the sender; later Pythons let go of their own end, once.
            with suppress(OSError):
                tasks.close()


def _failed(error: Exception) -> Future[R]:
    """Return a future that has failed."""
    future: Future[R] = Future()
    future.set_exception(error)
    return future
