"""Live fits in a process of their own: a pure-Python thread would slow the window's frames."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..models.errors import InputError, OptobindError
from ..models.inference.reheating.estimate import ReheatingEstimate
from ..models.inference.result import FitResult
from ..models.reprs import short_repr
from ..models.spectra import CsdEstimate
from .children import deaf_to_the_terminal, die_with_parent, start_tracker

if TYPE_CHECKING:  # lmfit takes seconds to load; only the worker needs it
    import lmfit

__all__ = [
    "FitProcess",
    "FitSettings",
    "FitTask",
    "FittedCurve",
    "Probe",
    "fit_reheating_curves",
    "fit_spectrum",
    "segment_of",
]

A = TypeVar("A")
R = TypeVar("R")

_BAD_FIT = 1e-4  # p-value below which the next fit searches anew
_LAST_BREATH = 0.5  # s between asking the worker to end and ending it


@dataclass(frozen=True)
class FitSettings:
    """What the live fit does: model, band (Hz), which parameters vary, and values of the others.

    ``held`` is in the unit of the spectrum; ``exclude`` are ranges (Hz) that are left out.
    """

    model: str = "pair"
    band: tuple[float, float] | None = None
    vary: Mapping[str, bool] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    exclude: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class FitTask:
    """A spectrum to fit.

    Attributes
    ----------
    csd : CsdEstimate
        Unit "m" or "V".
    settings : FitSettings
        What to do.
    masses : tuple of float or None
        kg; turn a record in m into quanta.
    warm : FittedCurve or None
        Last good fit of the same light: the search starts, and stays, at its optimum and band.
    """

    csd: CsdEstimate
    settings: FitSettings
    masses: tuple[float, ...] | None
    warm: FittedCurve | None = None


@dataclass(frozen=True)
class FittedCurve:
    """A fit and the expected CSD on its band.

    Attributes
    ----------
    result : FitResult or None
        In quanta when masses are known; None when there is no fit.
    frequencies : ndarray, shape (n,)
        Hz.
    curve : ndarray, shape (n, c, c), or None
        unit²/Hz of the spectrum that was fitted.
    error : str
        Why there is no fit.
    optimum : mapping
        Parameters in the unit of the spectrum.
    band : (float, float) or None
        Hz.
    """

    result: FitResult | None
    frequencies: NDArray[np.float64]
    curve: NDArray[np.complex128] | None
    error: str = ""
    optimum: Mapping[str, float] = field(default_factory=dict)
    band: tuple[float, float] | None = None

    __repr__ = short_repr

    @property
    def converged(self) -> bool:
        """Whether the next fit may start from this one."""
        return self.result is not None and self.result.converged

    @property
    def good(self) -> bool:
        """Whether the model describes the data."""
        if self.result is None:
            return False
        p_value = self.result.statistics.get("p_value")
        return p_value is None or p_value > _BAD_FIT


@dataclass(frozen=True)
class Probe:
    """Samples of which the segment is chosen.

    Attributes
    ----------
    samples : ndarray, shape (n, channels)
        Unbroken, in counts or V.
    sample_rate : float
        Hz.
    band : (float, float) or None
        Hz; lines are looked for here only.
    """

    samples: NDArray[Any]
    sample_rate: float
    band: tuple[float, float] | None

    __repr__ = short_repr


def _initialise() -> None:
    """Start of the worker: leave Ctrl-C to the parent, die with it, load what fits need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    import_module("..models.inference.spectral.choose", __package__)
    import_module("..models.inference.spectral.fits", __package__)
    import_module("..models.inference.reheating.fits", __package__)


def _is_awake(_: None) -> None:
    """Answer: the worker has started and loaded what fits need."""


def segment_of(probe: Probe) -> int | None:
    """Samples per segment that resolve the lines of a probe; None if it holds unusable samples.

    A band without a bin of the probe does not count: the fit will say so.
    """
    from ..models.inference.spectral.choose import choose_segment

    for band in dict.fromkeys((probe.band, None)):
        try:
            return choose_segment(probe.samples, probe.sample_rate, band)
        except InputError:
            continue
    return None


def fit_spectrum(task: FitTask) -> FittedCurve:
    """Fit one spectrum; a fault of the data becomes the curve's ``error``."""
    try:
        return _fit_spectrum(task)
    except OptobindError as error:
        return FittedCurve(None, np.zeros(0), None, str(error))


def _fit_spectrum(task: FitTask) -> FittedCurve:
    from ..models.inference.convention import in_quanta
    from ..models.inference.spectral.choose import choose_band
    from ..models.inference.spectral.fits import expected_csd, fit_pair, fit_single

    settings, warm = task.settings, task.warm
    pair = settings.model == "pair"
    csd = task.csd if pair else task.csd.select((0,))
    for excluded in settings.exclude:
        csd = csd.without(*excluded)
    masses = None
    if pair and csd.unit == "m" and task.masses is not None and len(task.masses) == 2:
        masses = (task.masses[0], task.masses[1])
    band = settings.band or (warm.band if warm is not None else None) or choose_band(csd)
    cut = csd.band(*band)
    params = _held(task, cut, pair)
    if pair:
        start = None if warm is None or params is not None else warm.optimum
        result = fit_pair(cut, params=params, masses=masses, start=start)
    else:
        result = fit_single(cut, params=params)
    curve = expected_csd(cut, result, masses=masses)
    optimum = {name: p.value for name, p in result.parameters.items()}
    if csd.unit == "m" and task.masses is not None:
        result = in_quanta(result, task.masses if pair else task.masses[:1])
    return FittedCurve(result, cut.frequencies, curve, optimum=optimum, band=band)


def _held(task: FitTask, cut: CsdEstimate, pair: bool) -> lmfit.Parameters | None:
    """Parameters when some are held, at their values of then; None when all vary."""
    from ..models.inference.spectral.problem import pair_parameters, single_parameters

    held = [name for name, vary in task.settings.vary.items() if not vary]
    if not held:
        return None
    params = pair_parameters(cut) if pair else single_parameters(cut)
    start = dict(task.warm.optimum) if task.warm is not None else {}
    for name, value in {**start, **task.settings.held}.items():
        if name in params:
            params[name].value = value
    for name in held:
        if name in params:
            params[name].vary = False
    return params


def fit_reheating_curves(estimate: ReheatingEstimate) -> tuple[FitResult | None, str]:
    """Fit releases by their transitions; a user's or data's fault becomes the text.

    Averages are kept of a running measurement, not its samples: the transitions are the best that
    they hold, with 1.2 to 1.5 times the error of the exact likelihood of the file.
    """
    from ..models.inference.reheating.fits import fit_reheating

    try:
        return fit_reheating(estimate, estimator="transitions"), ""
    except OptobindError as error:
        return None, str(error)


class FitProcess:
    """One worker process; at most one task of each kind waits at a time.

    A thread watches the worker: one that dies, also while there is nothing to fit, is noticed at
    once and replaced. Once closed it refuses to fit: a late caller must not start a worker that
    nobody ends.

    Parameters
    ----------
    on_lost : callable
        Called when the worker died; a new one takes over.
    """

    def __init__(self, on_lost: Callable[[], object] = lambda: None) -> None:
        self._on_lost = on_lost
        self._executor: ProcessPoolExecutor | None = None
        self._watched: ProcessPoolExecutor | None = None
        self._lock = threading.RLock()
        self._closed = False

    def start(self) -> None:
        """Start the worker (spawned, so that it works alike on Windows); returns at once."""
        with self._lock, suppress(OSError, RuntimeError):  # the first fit says what is wrong
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
                self._end_worker()  # it was killed or ran out of memory: a new one takes over
                self._on_lost()
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
            self._end_worker()
            self._on_lost()
            self.start()

    def _started(self) -> ProcessPoolExecutor:
        if self._closed:
            raise RuntimeError("the fits have been closed")
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
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(_LAST_BREATH)
            if worker.is_alive():
                worker.kill()
                worker.join(_LAST_BREATH)
        if tasks is not None:
            # A task larger than the pipe holds its sender until somebody reads, and Python's exit
            # waits for the sender; before 3.11.5 Python did not let go of its own end.
            with suppress(OSError):
                tasks.close()


def _failed(error: Exception) -> Future[R]:
    """Return a future that has failed."""
    future: Future[R] = Future()
    future.set_exception(error)
    return future
