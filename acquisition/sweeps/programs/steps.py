"""The steps that a program yields, and what each is answered with.

A program is a generator function ``plan`` in a file of its own. It yields steps; the answer to a
step is the value of its ``yield``. Every acquisition is a point of a sweep: it begins with feedback
on and the light that was asked for, has a run file and a row of the table, and is measured once,
however often the program is interrupted. A program has to take the same way when it is answered the
same: it is gone on with by answering it from the journal.

Examples
--------
>>> from optobind import steps
>>> def plan(points: int = 3):
...     for i in range(points):
...         yield steps.set_light(phi=0.1 * i)
...         yield steps.acquire(duration=0.5)
...         found = yield steps.fit("spectrum")
>>> next(plan())
SetLight(values={'phi': 0.0})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ....models.errors import InputError
from ....models.units import Quantity, parse_quantity
from ...plans import MonitorPlan, Plan, ReheatingPlan, steps_of
from ..knobs import knob_of

__all__ = [
    "Acquire",
    "Feedback",
    "Fit",
    "SetLight",
    "Step",
    "WaitUntil",
    "acquire",
    "feedback",
    "fit",
    "release",
    "set_light",
    "wait_until",
]

_TIME = Quantity("s", 0.0, 1e7, "2 s", ("us", "ms", "s", "min", "hour", "day"))
_LONGEST = 1e7  # s, of a wait without a limit of its own


@dataclass(frozen=True)
class SetLight:
    """Set-points of knobs, SI, for the acquisitions that follow."""

    values: Mapping[str, float]


@dataclass(frozen=True)
class Acquire:
    """Record a plan at the set-points that hold."""

    plan: Plan


@dataclass(frozen=True)
class Fit:
    """Fit what was acquired last."""

    kind: Literal["auto", "spectrum", "reheating"]


@dataclass(frozen=True)
class Feedback:
    """Switch feedback between acquisitions."""

    on: bool


@dataclass(frozen=True)
class WaitUntil:
    """Wait for a time, or for a condition, at most so long."""

    seconds: float
    condition: Callable[[Any], bool] | None


Step = SetLight | Acquire | Fit | Feedback | WaitUntil


def set_light(**knobs: float | str) -> SetLight:
    """Turn knobs; they move when the next acquisition begins, feedback on.

    Parameters
    ----------
    **knobs : float or str
        Knob and value, SI or with a unit ("0.5 π", "2.4 um"). Knobs that are not named keep what
        they were set to; before they are set, they are as the light of the beginning.

    Returns
    -------
    SetLight
        Answered with None. Set-points that are not allowed (limits, no particles held, a model that
        grows) are told by the acquisition.

    Raises
    ------
    InputError
        For a knob that is not known, or a value out of its range.

    Examples
    --------
    >>> from optobind import steps
    >>> steps.set_light(phi="0.5 π", distance=2.4e-6).values["phi"]
    1.5707963267948966
    """
    if not knobs:
        raise InputError("set_light needs a knob and its value, such as set_light(phi=0.4)")
    values = {}
    for name, value in knobs.items():
        try:
            values[name] = _si(value, knob_of(name).holds)
        except ValueError as error:
            raise InputError(f"set_light: {name} {error}") from None
    return SetLight(values)


def acquire(duration: float | str | None = None, *, plan: Plan | None = None) -> Acquire:
    """Record with feedback on, or carry out any plan that ends, as a point of its own.

    Parameters
    ----------
    duration : float or str, optional
        Of a record with feedback on, s or with a unit.
    plan : Plan, optional
        Instead: a monitor, reheating or sequence plan.

    Returns
    -------
    Acquire
        Answered with the row of the point: ``outcome`` is "complete", or "skipped" where it could
        not be measured and the plan allows to leave points out (``reason`` says why).

    Raises
    ------
    InputError
        Without either or with both, or for a plan without an end.
    """
    if (duration is None) == (plan is None):
        raise InputError("acquire needs a duration, or a plan")
    if plan is None:
        plan = MonitorPlan(duration=_seconds("acquire", duration))
    last = steps_of(plan)[-1]
    if isinstance(last, MonitorPlan) and last.duration is None:
        raise InputError("acquire: the plan must have a duration: a point has to end")
    return Acquire(plan)


def release(**keys: Any) -> Acquire:
    """Cool, release and record again and again; a :class:`ReheatingPlan` with these keys.

    Examples
    --------
    >>> from optobind import steps
    >>> steps.release(repetitions=100, release_time=1e-3).plan.kind
    'reheating'
    """
    try:
        return Acquire(ReheatingPlan(**keys))
    except TypeError as error:
        raise InputError(f"release: {str(error).partition(') ')[2] or error}") from None


def fit(kind: Literal["auto", "spectrum", "reheating"] = "auto") -> Fit:
    """Fit what was acquired last, by the road of ``optobind fit``.

    Returns
    -------
    Fit
        Answered with the fit: ``values[name]`` has value, stderr and unit, ``converged`` says
        whether they may be quoted, ``failure`` why there are none. In a dry run the values are
        those of the rig's model and the errors 0.

    Raises
    ------
    InputError
        For another kind.
    """
    if kind not in ("auto", "spectrum", "reheating"):
        raise InputError(f"fit must be of auto, spectrum or reheating, got {kind!r}")
    return Fit(kind)


def feedback(on: bool) -> Feedback:
    """Switch feedback until the next acquisition, which begins by switching it on.

    Answered with None. Whatever ends the program, feedback is on afterwards.
    """
    if not isinstance(on, bool):
        raise InputError(f"feedback must be switched with True or False, got {on!r}")
    return Feedback(on)


def wait_until(
    what: float | str | Callable[[Any], bool], *, at_most: float | str | None = None
) -> WaitUntil:
    """Wait for a time, or until a condition holds; feedback and light stay as they are.

    Parameters
    ----------
    what : float, str or callable
        How long, s or with a unit; or a condition: given the session's status (``pressure``,
        ``monitors``, ``saturated``, …) it says whether to go on, asked a few times a second. A
        simulated laboratory with the fast clock does not wait for a time, and a dry run takes
        conditions for given.
    at_most : float or str, optional
        Then a condition that does not hold ends the program, which can be resumed there.

    Returns
    -------
    WaitUntil
        Answered with None.

    Raises
    ------
    InputError
        For what is neither.

    Examples
    --------
    >>> from optobind import steps
    >>> steps.wait_until("2 min").seconds
    120.0
    """
    if not callable(what):
        if at_most is not None:
            raise InputError("wait_until: at_most is for a condition")
        return WaitUntil(_seconds("wait_until", what), None)
    longest = _LONGEST if at_most is None else _seconds("wait_until: at_most", at_most)
    return WaitUntil(longest, what)


def _seconds(where: str, value: object) -> float:
    try:
        return _si(value, _TIME)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _si(value: object, holds: Quantity) -> float:
    """A number as it is, a text with its unit."""
    return parse_quantity(value, holds) if isinstance(value, str) else holds.check(value)
