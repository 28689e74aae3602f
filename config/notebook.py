"""What a notebook asks for by name: rigs and plans ready for use, and a simulated run.

``config`` reads files and builds devices; here the two steps are one, for :mod:`optobind` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import FileError, InputError, OptobindError
from . import build, load

if TYPE_CHECKING:
    from ..acquisition.outcome import RunOutcome
    from ..acquisition.plans import Plan
    from ..acquisition.records.record import Record
    from ..acquisition.session import Session
    from ..acquisition.sweeps.plan import SweepPlan
    from ..instruments.rig import Rig
    from ..models.array import TrapArray

__all__ = ["load_plan", "load_rig", "load_trap", "simulate"]

_LOOK_SECONDS = 0.1  # between looks at the keyboard
_FINALISE_SECONDS = 60.0


def load_rig(name_or_path: str | Path, settings: Sequence[str] = ()) -> Rig:
    """Load a rig and make its devices, ready for a :class:`~optobind.Session`.

    Nothing is connected yet.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped rig or a TOML file.
    settings : sequence of str
        ``path=value`` changes as of ``--set``, with units: ``"tweezers.0.phase=0.8 rad"``.

    Returns
    -------
    Rig
        Devices, detectors, and the particles and light as configured.

    Raises
    ------
    FileError
        If there is no such rig, or it cannot be read.
    InputError
        For an unknown key or unit, a value out of range, or a rig without digitizer or detectors
        (of such a rig :func:`load_trap` gives the particles and light).
    DeviceError
        If the driver of a real device cannot be loaded.

    Examples
    --------
    >>> import optobind as ob
    >>> rig = ob.load_rig("simulated-pair", ["tweezers.0.phase=0.8 rad"])
    >>> rig.mode, round(rig.trap.tweezers[0].phase, 3)
    ('SIM', 0.8)
    """
    return build.build_rig(load.read_rig(str(name_or_path), settings))


def load_trap(name_or_path: str | Path, settings: Sequence[str] = ()) -> TrapArray:
    """Load the particles, tweezers and gas of a rig; it needs no devices.

    Parameters
    ----------
    name_or_path, settings
        As for :func:`load_rig`.

    Returns
    -------
    TrapArray
        As configured.

    Raises
    ------
    FileError, InputError
        As :func:`load_rig`.

    Examples
    --------
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair", ["particles.0.radius=85 nm"])
    >>> [f"{1e9 * sphere.radius:.0f} nm" for sphere in trap.spheres]
    ['85 nm', '60 nm']
    """
    return build.build_trap(load.read_rig(str(name_or_path), settings).config)


def load_plan(name_or_path: str | Path, settings: Sequence[str] = ()) -> Plan | SweepPlan:
    """Load a plan, for :meth:`~optobind.Session.start` or :func:`simulate`.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a shipped plan or a TOML file.
    settings : sequence of str
        ``path=value`` changes with units, such as ``"repetitions=1000"``.

    Returns
    -------
    MonitorPlan, ReheatingPlan, SequencePlan or SweepPlan
        Frozen data, SI.

    Raises
    ------
    FileError
        If there is no such plan, or it cannot be read.
    InputError
        For an unknown kind, key or unit, or a value out of range.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.load_plan("monitor", ["duration=0.2 s"]).duration
    0.2
    """
    return load.read_plan(str(name_or_path), settings).plan


def simulate(
    rig: str | Path,
    plan: Plan,
    *,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
) -> Record:
    """Carry a plan out on a simulated rig, as fast as it goes, and open what was recorded.

    Parameters
    ----------
    rig : str or Path
        Name of a shipped rig or a TOML file; a simulated one.
    plan : MonitorPlan, ReheatingPlan or SequencePlan
        What to measure.
    out : path-like, optional
        Folder of the run file ``run.h5``; a new one under ``runs`` by default.
    settings : sequence of str
        ``path=value`` changes of the rig: ``"simulation.seed=3"``, ``"tweezers.0.phase=0.8 rad"``.

    Returns
    -------
    Record
        Calibrated; the file is ``record.path``.

    Raises
    ------
    InputError
        For a rig that is not simulated, a plan that never ends, or a run that did not complete.
    FileError
        If the file exists already: a run is never overwritten.

    Examples
    --------
    >>> import optobind as ob, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> record = ob.simulate("simulated-pair", ob.MonitorPlan(duration=0.1), out=folder)
    >>> ob.analyse_spectrum(record).result.parameters["g_r"].unit
    'rad/s'
    """
    from ..acquisition.plans import MonitorPlan, steps_of
    from ..acquisition.records.opening import open_record
    from ..acquisition.session import Session, new_run_path

    last = steps_of(plan)[-1]
    if isinstance(last, MonitorPlan) and last.duration is None:
        raise InputError("plan.duration is None, until stopped: give a duration in s, such as 1.0")
    built = build.build_rig(load.read_rig(str(rig), settings), watched=False)
    if built.mode != "SIM":
        raise InputError(
            f"rig {rig} is {built.mode}, not simulated: run it with optobind run, or in a Session"
        )
    path = new_run_path(Path("runs"), plan.kind) if out is None else Path(out) / "run.h5"
    if path.exists():
        raise FileError(f"{path} exists already: choose another folder, no run is overwritten")
    session = Session(built, live_fits=False)
    try:
        session.connect().result()
        outcome = _awaited(session, session.start(plan, path))
    finally:
        session.close()
    if outcome.outcome != "complete":
        error = OptobindError if outcome.outcome == "failed" else InputError
        raise error(outcome.words())
    return open_record(outcome.path)


def _awaited(session: Session, future: Future[RunOutcome]) -> RunOutcome:
    """Wait for the end of a run; Ctrl-C aborts it, and its file is closed in good order."""
    try:
        while not future.done():  # in pieces: on Windows a wait without end hears no Ctrl-C
            wait([future], timeout=_LOOK_SECONDS)
    except BaseException:
        session.abort()
        wait([future], timeout=_FINALISE_SECONDS)
        raise
    return future.result()
